"""Ids as Python objects: one int for each id in the process, and lists of them.

A list of a million ids needs a million references to ints. Making each is half of the time of encoding,
and even counting references to existing ones is a tenth, since their memory must be fetched. So the ints
of 256 neighbouring ids lie side by side in a block that all tokenizers share, made when the first of
them is asked for and never freed, and a reference to one is an address that is computed, not loaded. An
object outlives every tokenizer. `int_layout.h` knows how Python lays out an int; on interpreters that
it does not know, and where the ints do not pass for Python's own, each is made by Python.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.list cimport PyList_New
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from bpetok._spare cimport spare_free, spare_grow

cdef extern from "int_layout.h" nogil:
    ctypedef struct IntObject:
        pass
    bint make_ints(IntObject* ints, uint32_t first, uint32_t count)

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(PyObject* sequence) nogil
    ctypedef struct PyListObject:
        PyObject** ob_item
        Py_ssize_t allocated
    void Py_SET_SIZE(PyListObject* list, Py_ssize_t size)
    void* PyMem_Malloc(size_t size)
    PyObject* PyLong_FromUnsignedLong(unsigned long value) except NULL

cdef enum:
    BLOCK_BITS = 8
    BLOCK = 1 << BLOCK_BITS
    BLOCKS = 1 << 16        # ids have 24 bits
    LINE = 64               # bytes of a cache line
    HAND_OVER = 1 << 18     # bytes from which a buffer is handed over instead of copied

cdef IntObject* blocks[BLOCKS]      # written under the GIL alone


cdef int new_block(uint32_t id) except -1:
    cdef size_t which = id >> BLOCK_BITS
    # Never freed, so that only the aligned address is kept: no int lies on two cache lines.
    cdef char* memory = <char*>malloc(BLOCK * sizeof(IntObject) + LINE)
    cdef IntObject* block
    if memory == NULL:
        raise MemoryError()
    block = <IntObject*>(memory + (LINE - <size_t>memory % LINE))
    make_ints(block, <uint32_t>(which << BLOCK_BITS), BLOCK)
    blocks[which] = block
    return 0


cdef size_t fill_items(PyObject** items, const uint32_t* ids, size_t n) noexcept nogil:
    cdef IntObject* block
    cdef size_t i
    # A block that another thread has just made: only its address is taken, and whoever looks into it
    # has had the GIL after its maker.
    for i in range(n):
        block = blocks[ids[i] >> BLOCK_BITS]
        if block == NULL:
            return i
        items[i] = <PyObject*>(block + (ids[i] & (BLOCK - 1)))
    return n


cdef list make_list(const uint32_t* ids, size_t n):
    cdef list result = PyList_New(<Py_ssize_t>n)
    # NULL each, so that it may be left at any time.
    cdef PyObject** items = PySequence_Fast_ITEMS(<PyObject*>result)
    cdef size_t i
    if not own_ints:
        for i in range(n):
            items[i] = <PyObject*>PyLong_FromUnsignedLong(ids[i])
        return result
    i = fill_items(items, ids, n)
    while i < n:
        new_block(ids[i])
        i += fill_items(items + i, ids + i, n - i)
    return result


cdef list list_with_room(size_t n):
    # Not by PyList_New(n), which fills its memory with zeros: that is slow where the memory is new, and
    # the caller has other threads wait for the GIL.
    cdef list result = []
    cdef PyListObject* inside = <PyListObject*>result
    if n:
        inside.ob_item = <PyObject**>PyMem_Malloc(n * sizeof(PyObject*))
        if inside.ob_item == NULL:
            raise MemoryError()
        inside.allocated = <Py_ssize_t>n
    return result


cdef void set_length(list result, size_t n) noexcept:
    Py_SET_SIZE(<PyListObject*>result, <Py_ssize_t>n)


def _made_as_python_does(uint32_t first, uint32_t count) -> bool:
    """Whether the ints first, first + 1, ... of this module are like Python's own, so that it makes them."""
    cdef IntObject* ints = <IntObject*>malloc((count + 1) * sizeof(IntObject))
    cdef list mine = PyList_New(<Py_ssize_t>count)
    cdef uint32_t i
    if ints == NULL:
        raise MemoryError()
    if not make_ints(ints, first, count):
        free(ints)
        return False
    for i in range(count):
        PySequence_Fast_ITEMS(<PyObject*>mine)[i] = <PyObject*>(ints + i)
    # The memory stays: someone may have kept one of them.
    return all(
        type(own) is int and own == theirs and hash(own) == hash(theirs) and repr(own) == repr(theirs)
        and own + 1 == theirs + 1 and own.__sizeof__() == theirs.__sizeof__()
        for own, theirs in zip(mine, range(first, first + count))
    )


own_ints = all(_made_as_python_does(first, 2) for first in (0, 256, 65_535, (1 << 24) - 2))


cdef class IdBuffer:
    """Ids in memory that an array can be made over without copying them: native 32-bit integers."""

    def __dealloc__(self):
        spare_free(self.ids, self.n * sizeof(uint32_t))

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.ids, <Py_ssize_t>(self.n * sizeof(uint32_t)), False, flags)


cdef IdBuffer new_buffer(size_t n):
    cdef IdBuffer result = IdBuffer()
    cdef size_t size = 0
    result.ids = <uint32_t*>spare_grow(NULL, 0, &size, n * sizeof(uint32_t) + 1)
    if result.ids == NULL:
        raise MemoryError()
    result.n = n
    return result


cdef IdBuffer take_buffer(uint32_t** ids, size_t n):
    cdef IdBuffer result = IdBuffer()
    cdef size_t size = n * sizeof(uint32_t)
    result.n = n
    if size < HAND_OVER:
        result.ids = <uint32_t*>malloc(size + 1)
        if result.ids != NULL and n:    # else there may be nothing to copy from
            memcpy(result.ids, ids[0], size)
    else:
        result.ids = <uint32_t*>realloc(ids[0], size)
        if result.ids != NULL:
            ids[0] = NULL
    if result.ids == NULL:
        raise MemoryError()
    return result
