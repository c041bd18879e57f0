"""Ids to bytes and text: the bytes of tokens, joined.

Ids are read in batches, straight from the ints of a list or tuple or from the memory of an array. Anything
that is not plainly an id of the vocabulary stops that, and all is read again with care (`read_any`), which
takes whatever counts as an integer and raises where there is none.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_CheckBuffer, PyObject_GetBuffer)
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from bpetok._text cimport text_of
from bpetok._vocab cimport BPETOK_PREFETCH, Tables, VocabTables

from bpetok.errors import TokenError, TokenRangeError

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(object sequence) nogil
    Py_ssize_t PySequence_Fast_GET_SIZE(object sequence) nogil

cdef extern from "int_layout.h" nogil:
    int64_t small_int_value(PyObject* number)

cdef enum:
    BATCH = 256             # ids that are read before the first is looked up
    AHEAD = 24              # ints requested from memory before they are read
    FIRST_BYTES = 4096      # of an output on the stack; enough for a batch of usual tokens
    PADDING = 16            # bytes copied at once, so that many behind a token's are read and written too

cdef struct Output:
    uint8_t* data
    size_t size
    size_t capacity
    bint owned              # `data` comes from malloc


cdef int grow(Output* out, size_t wanted) noexcept nogil:
    cdef size_t capacity = max(wanted, 2 * out.capacity)
    cdef uint8_t* data
    if out.owned:
        data = <uint8_t*>realloc(out.data, capacity)
    else:
        data = <uint8_t*>malloc(capacity)
        if data != NULL:
            memcpy(data, out.data, out.size)
    if data == NULL:
        return -1
    out.data = data
    out.capacity = capacity
    out.owned = True
    return 0


cdef int append(const Tables* t, Output* out, const uint32_t* ids, size_t n) noexcept nogil:
    """Append the bytes of up to BATCH tokens: 1, or 0 where an id is none, or -1 without memory."""
    cdef const uint32_t* sizes = t.size
    cdef const uint32_t* starts = t.start
    cdef const uint8_t* arena = t.arena
    cdef const uint8_t* source
    cdef uint8_t* to
    cdef uint32_t n_ids = t.n_ids
    cdef size_t i, size, left
    if out.capacity - out.size < PADDING * (n + 1) and grow(out, out.size + PADDING * (n + 1)):
        return -1
    to = out.data + out.size
    for i in range(n):
        if ids[i] >= n_ids:
            return 0
        size = sizes[ids[i]]
        source = arena + starts[ids[i]]
        memcpy(to, source, PADDING)
        if size - 1 >= PADDING:     # 0, or more than are copied yet
            if size == 0:
                return 0
            out.size = <size_t>(to - out.data)
            left = size + PADDING * (n - i)
            if out.capacity - out.size < left and grow(out, out.size + left):
                return -1
            to = out.data + out.size
            memcpy(to, source, size)
        to += size
    out.size = <size_t>(to - out.data)
    return 1


cdef int append_ints(const Tables* t, Output* out, PyObject** items, size_t n) noexcept:
    """As `append` for any number of Python ints; 0 also where an item is not exactly an int."""
    cdef uint32_t ids[BATCH]
    cdef size_t i, begin = 0, count
    cdef int64_t value
    cdef int status
    while begin < n:
        count = min(n - begin, <size_t>BATCH)
        for i in range(count):
            if begin + i + AHEAD < n:
                BPETOK_PREFETCH(items[begin + i + AHEAD])
            value = small_int_value(items[begin + i])
            if not 0 <= value < t.n_ids:
                return 0
            BPETOK_PREFETCH(t.size + value)
            BPETOK_PREFETCH(t.start + value)
            ids[i] = <uint32_t>value
        status = append(t, out, ids, count)
        if status != 1:
            return status
        begin += count
    return 1


cdef inline int64_t element(const uint8_t* at, Py_ssize_t size, bint signed) noexcept nogil:
    cdef int64_t eight
    cdef uint32_t four
    cdef uint16_t two
    if size == 8:
        memcpy(&eight, at, 8)       # negative where it is unsigned and out of range anyway
        return eight
    if size == 4:
        memcpy(&four, at, 4)
        return <int32_t>four if signed else <int64_t>four
    memcpy(&two, at, 2)
    return two


cdef int append_array(const Tables* t, Output* out, const Py_buffer* view, bint signed) noexcept nogil:
    """As `append_ints` for a one-dimensional array of integers of 8 or 4 bytes, or unsigned of 2."""
    cdef uint32_t ids[BATCH]
    cdef const uint8_t* at = <const uint8_t*>view.buf
    cdef size_t i, begin = 0, count, n = <size_t>view.shape[0]
    cdef int64_t value
    cdef int status
    while begin < n:
        count = min(n - begin, <size_t>BATCH)
        for i in range(count):
            value = element(at, view.itemsize, signed)
            if not 0 <= value < t.n_ids:
                return 0
            ids[i] = <uint32_t>value
            at += view.strides[0]
        status = append(t, out, ids, count)
        if status != 1:
            return status
        begin += count
    return 1


cdef int try_array(const Tables* t, Output* out, object tokens) except -2:
    """As `append_array` for any object: 0 where it is no such array."""
    cdef Py_buffer view
    cdef bytes kind
    try:
        PyObject_GetBuffer(tokens, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT)
    except (BufferError, ValueError):   # an array of something that no buffer can describe
        return 0
    try:
        kind = (<bytes>view.format if view.format != NULL else b"B").lstrip(b"@=<")
        if view.ndim != 1 or len(kind) != 1 or kind not in b"iIlLqQH":
            return 0
        return append_array(t, out, &view, kind.islower())
    finally:
        PyBuffer_Release(&view)


cdef int read_any(const Tables* t, Output* out, object tokens) except -1:
    """Append the bytes of anything that is a sequence of ids, or raise what is wrong with it."""
    cdef uint32_t token
    cdef Py_ssize_t i = 0
    if isinstance(tokens, str):
        raise TypeError("expected a sequence of token ids, got str")
    if not isinstance(tokens, (list, tuple)):
        as_array = PyObject_CheckBuffer(tokens) and hasattr(tokens, "tolist")
        tokens = tokens.tolist() if as_array else list(tokens)
        if not isinstance(tokens, list):
            raise TypeError("expected a one-dimensional sequence of token ids")
    unknown = None
    for item in tokens:
        if not isinstance(item, int):
            if isinstance(item, float) or not hasattr(item, "__index__"):
                raise TypeError(f"token ids must be integers, got {item!r} at index {i}")
            item = item.__index__()
        if not 0 <= item <= 0xFFFFFFFF:
            raise TokenRangeError(f"token id {item} at index {i} is out of range: ids are 0 to "
                                  f"{t.n_ids - 1} in this vocabulary")
        token = item
        status = append(t, out, &token, 1)
        if status < 0:
            raise MemoryError()
        if status == 0 and unknown is None:
            unknown = token
        i += 1
    # Only after all: an item that is no id at all is the worse mistake.
    if unknown is not None:
        raise TokenError(f"Invalid token for decoding: {unknown}")
    return 0


cdef int join(const Tables* t, Output* out, object tokens) except -1:
    cdef int status = 0
    if isinstance(tokens, (list, tuple)):
        status = append_ints(t, out, PySequence_Fast_ITEMS(tokens), <size_t>PySequence_Fast_GET_SIZE(tokens))
    elif PyObject_CheckBuffer(tokens) and hasattr(tokens, "tolist"):
        status = try_array(t, out, tokens)
    if status < 0:
        raise MemoryError()
    if status == 0:
        out.size = 0
        read_any(t, out, tokens)
    return 0


cdef bytes join_tokens(VocabTables tables, object tokens):
    cdef uint8_t[FIRST_BYTES] first
    cdef Output out = Output(&first[0], 0, FIRST_BYTES, False)
    try:
        join(&tables.t, &out, tokens)
        return PyBytes_FromStringAndSize(<const char*>out.data, <Py_ssize_t>out.size)
    finally:
        if out.owned:
            free(out.data)


cdef str join_text(VocabTables tables, object tokens):
    cdef uint8_t[FIRST_BYTES] first
    cdef Output out = Output(&first[0], 0, FIRST_BYTES, False)
    try:
        join(&tables.t, &out, tokens)
        return text_of(out.data, out.size)
    finally:
        if out.owned:
            free(out.data)
