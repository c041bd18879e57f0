"""The border between Python and the merge engine: str to ids, ids to bytes, batches.

A call leases a workspace, sees its text as UTF-8 (`_text`), cuts it at special tokens, has the engine
(`_merge`) append the ids of what lies between, and makes a list or fills an array from them. Errors in
code without the GIL are numbers, raised here once.
"""

from cpython.buffer cimport (
    PyBUF_CONTIG_RO, PyBUF_WRITABLE, PyBuffer_Release, PyObject_CheckBuffer, PyObject_GetBuffer)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy

from bpetok._merge cimport (
    NO_MEMORY, OK, TOO_LONG, WORD_IDS, Workspace, encode_piece, encode_pieces, encode_segment, put_special,
    room_for_ids, room_for_utf8, workspace_free, workspace_new, workspace_trim)
from bpetok._scan cimport Scanner, next_char
from bpetok._text cimport TextView, to_utf8, utf8_bound, view_text
from bpetok._vocab cimport Tables, VocabTables, hash_bytes

from bpetok._text import as_utf8
from bpetok.errors import EncodeError, TokenError, TokenRangeError, VocabularyError

cdef enum:
    RELEASE_GIL = 2048              # code units from which a call lets other threads run
    IDLE_MOST = 64                  # workspaces that a tokenizer keeps between calls
    CHUNK = 1 << 16                 # code units of a batch that a thread takes at a time


cdef inline const uint8_t* marks(bytes mask) noexcept:
    cdef const uint8_t* none = NULL
    return none if mask is None else <const uint8_t*>PyBytes_AS_STRING(mask)


cdef struct Special:
    uint32_t token
    uint32_t size
    size_t start            # in the bytes of all specials


cdef class Encoder:
    """Native half of `bpetok.Tokenizer`: encoding and decoding, without policy.

    Immutable after `_attach`; any number of threads may call its methods at once.
    """

    cdef readonly VocabTables tables
    cdef readonly Scanner scanner
    cdef object matcher
    cdef Special* specials
    cdef Py_ssize_t n_specials
    cdef bytes special_bytes
    cdef const uint8_t* special_base
    cdef uint32_t* special_slots
    cdef uint64_t special_mask
    cdef size_t* sizes
    cdef size_t n_sizes
    cdef uint8_t* first_two
    cdef int only_first
    cdef void** ints
    cdef uint32_t n_ints
    cdef Workspace** idle
    cdef Py_ssize_t n_idle

    def __dealloc__(self):
        cdef Py_ssize_t i
        cdef uint32_t token
        for i in range(self.n_idle):
            workspace_free(self.idle[i])
        free(self.idle)
        if self.ints != NULL:
            for token in range(self.n_ints):
                if self.ints[token] != NULL:
                    Py_DECREF(<object>self.ints[token])
        free(self.ints)
        free(self.specials)
        free(self.special_slots)
        free(self.sizes)
        free(self.first_two)

    def _attach(self, VocabTables tables not None, Scanner scanner, matcher, dict special_tokens):
        """Set the vocabulary, the native scanner or a function from str to spans, and the specials."""
        cdef Py_ssize_t i = 0
        cdef uint64_t at
        cdef size_t size
        if self.ints != NULL:
            raise VocabularyError("a tokenizer is immutable: make a new one")
        self.tables = tables
        self.scanner = scanner
        self.matcher = matcher
        self.n_ints = tables.t.n_ids
        self.ints = <void**>calloc(self.n_ints + 1, sizeof(void*))
        self.idle = <Workspace**>calloc(IDLE_MOST, sizeof(void*))
        self.n_specials = len(special_tokens)
        self.special_mask = 16
        while self.special_mask < 2 * <uint64_t>self.n_specials:
            self.special_mask *= 2
        self.special_mask -= 1
        encoded = [(as_utf8(text), token) for text, token in special_tokens.items()]
        distinct = sorted({len(data) for data, _ in encoded}, reverse=True)
        self.special_bytes = b"".join(data for data, _ in encoded)
        self.special_base = <const uint8_t*>PyBytes_AS_STRING(self.special_bytes)
        self.specials = <Special*>calloc(self.n_specials + 1, sizeof(Special))
        self.special_slots = <uint32_t*>calloc(self.special_mask + 1, sizeof(uint32_t))
        self.sizes = <size_t*>calloc(len(distinct) + 1, sizeof(size_t))
        self.first_two = <uint8_t*>calloc(1 << 16, 1)
        if (self.ints == NULL or self.idle == NULL or self.specials == NULL or self.special_slots == NULL
                or self.sizes == NULL or self.first_two == NULL):
            raise MemoryError()
        firsts = {data[0] for data, _ in encoded}
        self.only_first = firsts.pop() if len(firsts) == 1 else -1
        for size in distinct:
            self.sizes[self.n_sizes] = size
            self.n_sizes += 1
        at = 0
        for data, token in encoded:
            self.specials[i].token = token
            self.specials[i].size = <uint32_t>len(data)
            self.specials[i].start = at
            for second in range(256) if len(data) == 1 else (data[1],):
                self.first_two[data[0] << 8 | second] = 2 if len(data) == 1 else max(
                    1, self.first_two[data[0] << 8 | second])
            slot = hash_bytes(self.special_base + at, self.specials[i].size) & self.special_mask
            while self.special_slots[<uint64_t>slot]:
                slot = (slot + 1) & self.special_mask
            self.special_slots[<uint64_t>slot] = <uint32_t>(i + 1)
            at += self.specials[i].size
            i += 1

    # ---- inside ----

    cdef Workspace* lease(self) except NULL:
        cdef Workspace* ws
        if self.n_idle:
            self.n_idle -= 1
            ws = self.idle[self.n_idle]
        elif self.ints == NULL:
            raise VocabularyError("this tokenizer was never given a vocabulary")
        else:
            ws = workspace_new()
            if ws == NULL:
                raise MemoryError()
        ws.n_ids = 0
        ws.n_total = 0
        ws.keep = True
        return ws

    cdef void give_back(self, Workspace* ws) noexcept:
        workspace_trim(ws)
        if self.n_idle < IDLE_MOST:
            self.idle[self.n_idle] = ws
            self.n_idle += 1
        else:
            workspace_free(ws)

    cdef size_t find_special(self, const uint8_t* text, size_t pos, size_t end, const uint8_t* mask,
                             Py_ssize_t* which) noexcept nogil:
        """Where the next special token starts, the longest that fits there, or `end`. Only those with a
        mark in `mask` count; all do when it is NULL."""
        cdef const uint8_t* known = self.special_base
        cdef const uint8_t* hit
        cdef size_t i, size
        cdef uint64_t at
        cdef uint32_t index
        while pos < end:
            if self.only_first >= 0:
                hit = <const uint8_t*>memchr(text + pos, self.only_first, end - pos)
                if hit == NULL:
                    return end
                pos = <size_t>(hit - text)
            if self.first_two[(<uint32_t>text[pos] << 8) | (text[pos + 1] if pos + 1 < end else 0)]:
                for i in range(self.n_sizes):
                    size = self.sizes[i]
                    if size > end - pos:
                        continue
                    at = hash_bytes(text + pos, size) & self.special_mask
                    while self.special_slots[at]:
                        index = self.special_slots[at] - 1
                        if (self.specials[index].size == size
                                and memcmp(known + self.specials[index].start, text + pos, size) == 0):
                            if mask == NULL or mask[index]:
                                which[0] = index
                                return pos
                            break
                        at = (at + 1) & self.special_mask
            pos += 1
        return end

    cdef int encode_text(self, Workspace* ws, const uint8_t* text, size_t end,
                         const uint8_t* mask) noexcept nogil:
        """Append the ids of a text; the specials that `mask` marks are ids of their own (NULL: none)."""
        cdef size_t start = 0, special
        cdef Py_ssize_t which = 0
        cdef int status
        while True:
            special = self.find_special(text, start, end, mask, &which) if mask != NULL else end
            status = encode_segment(&self.tables.t, ws, &self.scanner.spec, text, start, special)
            if status != OK or special == end:
                return status
            status = put_special(ws, self.specials[which].token)
            if status != OK:
                return status
            start = special + self.specials[which].size

    cdef int match_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) except -2:
        """As `encode_text`, with pieces from the `regex` package."""
        cdef size_t start = 0, special, at, chars, first, last, piece
        cdef size_t ends[1]
        cdef Py_ssize_t which = 0
        cdef int status
        cdef bint ascii
        while True:
            special = self.find_special(text, start, end, mask, &which) if mask != NULL else end
            segment = PyUnicode_DecodeUTF8(<const char*>text + start, <Py_ssize_t>(special - start), NULL)
            ascii = <size_t>len(segment) == special - start
            at = start
            chars = 0
            for first, last in self.matcher(segment):
                if ascii:
                    piece = start + first
                    at = start + last
                else:
                    while chars < first:
                        at = next_char(text, at, special)
                        chars += 1
                    piece = at
                    while chars < last:
                        at = next_char(text, at, special)
                        chars += 1
                ends[0] = at
                status = encode_pieces(&self.tables.t, ws, text, piece, ends, 1, text + special)
                if status != OK:
                    return status
            if special == end:
                return OK
            status = put_special(ws, self.specials[which].token)
            if status != OK:
                return status
            start = special + self.specials[which].size

    cdef int fill(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1:
        """Encode a str into `ws`. With `reject`, any special token in it is an error."""
        cdef TextView view
        cdef const uint8_t* data
        cdef size_t n
        cdef Py_ssize_t which = 0
        cdef int status
        if not isinstance(text, str):
            raise TypeError(f"expected a str to encode, got {type(text).__name__}")
        view_text(text, &view)
        if view.kind == 0:
            data = <const uint8_t*>view.data
            n = view.length
        else:
            if room_for_utf8(ws, utf8_bound(&view)) != OK:
                raise MemoryError()
            if view.length >= RELEASE_GIL:
                with nogil:
                    n = to_utf8(&view, ws.utf8)
            else:
                n = to_utf8(&view, ws.utf8)
            data = ws.utf8
        if reject and self.n_specials:
            if self.find_special(data, 0, n, NULL, &which) < n:
                self._reject(self.special_text(which))
        if self.scanner is None:
            status = self.match_text(ws, data, n, mask)
        elif n >= RELEASE_GIL:
            with nogil:
                status = self.encode_text(ws, data, n, mask)
        else:
            status = self.encode_text(ws, data, n, mask)
        if status != OK:
            self.fail(status, data, ws)
        return 0

    cdef str special_text(self, Py_ssize_t which):
        return PyBytes_FromStringAndSize(<const char*>self.special_base + self.specials[which].start,
                                         self.specials[which].size).decode()

    cdef object fail(self, int status, const uint8_t* text, Workspace* ws):
        if status == NO_MEMORY:
            raise MemoryError()
        if status == TOO_LONG:
            raise EncodeError("one piece of the text has 4 GiB or more: cut the text, or use a pattern "
                              "that does")
        raise EncodeError(f"byte 0x{text[ws.error_at]:02x} at byte {ws.error_at} of the text is not in the "
                          "vocabulary: train or load one with all 256 bytes to encode any text")

    cdef object integer(self, uint32_t token):
        # One int object an id and tokenizer, made at first use: building a list is then loads and
        # increments, not allocations.
        cdef object value
        if self.ints[token] == NULL:
            value = token
            Py_INCREF(value)
            self.ints[token] = <void*>value
        return <object>self.ints[token]

    cdef list to_list(self, const uint32_t* ids, size_t n):
        cdef list result = PyList_New(<Py_ssize_t>n)
        cdef size_t i
        cdef void* known
        for i in range(n):
            known = self.ints[ids[i]]
            if known == NULL:
                self.integer(ids[i])
                known = self.ints[ids[i]]
            Py_INCREF(<object>known)
            PyList_SET_ITEM(result, <Py_ssize_t>i, <object>known)
        return result

    cdef size_t gather(self, object tokens, uint32_t** out) except? 0:
        """Copy a sequence of ids into a new array; returns how many. Every one is known to decode."""
        cdef uint32_t* ids
        cdef size_t n = 0, i
        cdef object item
        cdef int64_t value
        if isinstance(tokens, str):
            raise TypeError("expected a sequence of token ids, got str")
        if not isinstance(tokens, (list, tuple)):
            as_array = PyObject_CheckBuffer(tokens) and hasattr(tokens, "tolist")
            tokens = tokens.tolist() if as_array else list(tokens)
            if not isinstance(tokens, list):
                raise TypeError("expected a one-dimensional sequence of token ids")
        n = <size_t>len(tokens)
        ids = <uint32_t*>malloc((n + 1) * sizeof(uint32_t))
        if ids == NULL:
            raise MemoryError()
        try:
            i = 0
            for item in tokens:
                if not isinstance(item, int):
                    if isinstance(item, float) or not hasattr(item, "__index__"):
                        raise TypeError(f"token ids must be integers, got {item!r} at index {i}")
                    item = item.__index__()
                try:
                    value = item
                except OverflowError:
                    value = -1
                if value < 0 or value > <int64_t>0xFFFFFFFF:
                    raise TokenRangeError(f"token id {item} at index {i} is out of range: ids are 0 to "
                                          f"{self.n_ints - 1} in this vocabulary")
                if i < n:
                    ids[i] = <uint32_t>value
                i += 1
            n = min(i, n)
            for i in range(n):
                if ids[i] >= self.n_ints or self.tables.t.size[ids[i]] == 0:
                    raise TokenError(f"Invalid token for decoding: {ids[i]}")
        except BaseException:
            free(ids)
            raise
        out[0] = ids
        return n

    def _reject(self, str token):
        """Called when a text holds a special token that is not allowed; the Python half raises."""
        raise EncodeError(f"special token {token!r} is not allowed in this text")

    # ---- for the Python half ----

    def _encode(self, text, mask, bint reject=False):
        """Ids of a text as a list; `mask` has one byte per special token, nonzero where it is allowed."""
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, marks(mask), reject, ws)
            return self.to_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def _encode_array(self, text, mask, bint reject, empty):
        """Ids of a text in a uint32 array that `empty(n)` makes."""
        cdef Workspace* ws = self.lease()
        cdef Py_buffer buffer
        try:
            self.fill(text, marks(mask), reject, ws)
            array = empty(ws.n_ids)
            PyObject_GetBuffer(array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
            if ws.n_ids:    # else there may be no buffer yet
                memcpy(buffer.buf, ws.ids, ws.n_ids * sizeof(uint32_t))
            PyBuffer_Release(&buffer)
            return array
        finally:
            self.give_back(ws)

    def _count(self, text, mask, bint reject):
        """How many ids a text has; none is kept."""
        cdef Workspace* ws = self.lease()
        ws.keep = False
        try:
            self.fill(text, marks(mask), reject, ws)
            return ws.n_total
        finally:
            self.give_back(ws)

    def _encode_piece(self, bytes piece not None):
        """Ids of bytes as one piece, without splitting."""
        cdef Workspace* ws = self.lease()
        cdef size_t n = <size_t>PyBytes_GET_SIZE(piece)
        cdef int64_t found
        try:
            if n == 0:
                return []
            if room_for_ids(ws, n + WORD_IDS) != OK:
                raise MemoryError()
            found = encode_piece(&self.tables.t, ws, <const uint8_t*>PyBytes_AS_STRING(piece), n, ws.ids)
            if found < 0:
                self.fail(<int>-found, <const uint8_t*>PyBytes_AS_STRING(piece), ws)
            return self.to_list(ws.ids, <size_t>found)
        finally:
            self.give_back(ws)

    def _special_at(self, bytes text not None, size_t pos, mask):
        """(start, end, text) of the first special token at or after `pos`, or None."""
        cdef Py_ssize_t which = 0
        cdef size_t n = <size_t>PyBytes_GET_SIZE(text)
        cdef size_t at = self.find_special(
            <const uint8_t*>PyBytes_AS_STRING(text), pos, n,
            marks(mask), &which)
        if at == n:
            return None
        return at, at + self.specials[which].size, self.specials[which].token

    # ---- public ----

    def encode_ordinary(self, text):
        """Encode a text, taking the text of special tokens as ordinary text.

        Args:
            text: a str. Surrogates are treated as tiktoken does: a pair becomes its character, a lone
                one U+FFFD.

        Returns:
            A list of ids. Time is O(n log n) in the length of the longest piece, linear otherwise.

        Raises:
            TypeError: `text` is not a str.
            EncodeError: a byte of the text is not in the vocabulary.
        """
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, NULL, False, ws)
            return self.to_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def decode_bytes(self, tokens):
        """The bytes that ids stand for, joined.

        Args:
            tokens: a sequence of ids, special ones included: a list, a numpy array, anything iterable.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
            TokenRangeError: an id is negative or does not fit 32 bits (an `OverflowError` too).
            TypeError: not a sequence of integers.
        """
        cdef uint32_t* ids = NULL
        cdef size_t n = self.gather(tokens, &ids), i, size = 0
        cdef const Tables* t = &self.tables.t
        cdef bytes result
        cdef uint8_t* out
        try:
            for i in range(n):
                size += t.size[ids[i]]
            result = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size)
            out = <uint8_t*>PyBytes_AS_STRING(result)
            for i in range(n):
                memcpy(out, t.arena + t.start[ids[i]], t.size[ids[i]])
                out += t.size[ids[i]]
            return result
        finally:
            free(ids)

    def decode_single_token_bytes(self, token):
        """The bytes of one id, special ones included.

        Raises:
            TokenError: the id is not in the vocabulary (a `KeyError`).
            TokenRangeError: it is negative or does not fit 32 bits (an `OverflowError` too).
        """
        if isinstance(token, float) or not hasattr(token, "__index__"):
            raise TypeError(f"a token id must be an integer, got {token!r}")
        number = token.__index__()
        if not 0 <= number <= 0xFFFFFFFF:
            raise TokenRangeError(f"token id {number} is out of range: ids are 0 to {self.n_ints - 1} "
                                  "in this vocabulary")
        data = self.tables.token_bytes(number)
        if data is None:
            raise TokenError(str(number))
        return data

    def _batch(self, list texts, mask, bint reject):
        """A `Batch` of texts to be encoded by any number of threads."""
        return Batch(self, texts, mask, reject)


cdef class Batch:
    """Texts on their way to ids. Each thread calls `run`, which returns when no chunk is left; then
    `lists`, `counts` or `flat` gives the results in the order of the texts."""

    cdef Encoder encoder
    cdef list texts
    cdef bytes mask
    cdef bint reject
    cdef TextView* views
    cdef size_t* sizes              # ids of each text
    cdef Py_ssize_t* first          # text of each chunk; one more at the end
    cdef uint32_t** ids             # of each chunk
    cdef readonly Py_ssize_t n_chunks
    cdef Py_ssize_t taken
    cdef readonly size_t length     # code units of all texts

    def __init__(self, Encoder encoder not None, list texts not None, mask, bint reject):
        cdef Py_ssize_t i, n = len(texts)
        cdef size_t size = CHUNK
        self.encoder = encoder
        self.texts = list(texts)    # so that no one else can take a text away
        self.mask = mask
        self.reject = reject
        self.views = <TextView*>calloc(n + 1, sizeof(TextView))
        self.sizes = <size_t*>calloc(n + 1, sizeof(size_t))
        self.first = <Py_ssize_t*>calloc(n + 1, sizeof(Py_ssize_t))
        if self.views == NULL or self.sizes == NULL or self.first == NULL:
            raise MemoryError()
        for i in range(n):
            if not isinstance(self.texts[i], str):
                raise TypeError(
                    f"expected a list of str to encode, got {type(self.texts[i]).__name__} at index {i}")
            view_text(self.texts[i], &self.views[i])
            if size >= CHUNK:
                self.first[self.n_chunks] = i
                self.n_chunks += 1
                size = 0
            size += self.views[i].length
            self.length += self.views[i].length
        self.first[self.n_chunks] = n
        self.ids = <uint32_t**>calloc(self.n_chunks + 1, sizeof(void*))
        if self.ids == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef Py_ssize_t chunk
        if self.ids != NULL:
            for chunk in range(self.n_chunks):
                free(self.ids[chunk])
        free(self.ids)
        free(self.views)
        free(self.sizes)
        free(self.first)

    def run(self, bint keep=True):
        """Encode chunks until none is left. With `keep` False only the numbers of ids are kept.

        Raises:
            EncodeError: as for a single text. The chunks of other threads go on.
        """
        cdef Workspace* ws = self.encoder.lease()
        cdef Py_ssize_t chunk
        ws.keep = keep
        try:
            while self.taken < self.n_chunks:
                chunk = self.taken
                self.taken += 1
                self.encode_chunk(chunk, ws)
        except BaseException:
            self.taken = self.n_chunks
            raise
        finally:
            self.encoder.give_back(ws)

    cdef int encode_chunk(self, Py_ssize_t chunk, Workspace* ws) except -1:
        cdef Py_ssize_t i, begin = self.first[chunk], end = self.first[chunk + 1], which = 0
        cdef const uint8_t* mask = marks(self.mask)
        cdef const uint8_t* data = NULL
        cdef size_t n, before
        cdef int status = OK
        cdef Py_ssize_t rejected = -1
        ws.n_ids = 0
        if self.encoder.scanner is None:
            for i in range(begin, end):
                before = ws.n_ids + ws.n_total
                self.encoder.fill(self.texts[i], mask, self.reject, ws)
                self.sizes[i] = ws.n_ids + ws.n_total - before
        else:
            with nogil:
                for i in range(begin, end):
                    before = ws.n_ids + ws.n_total
                    data = <const uint8_t*>self.views[i].data
                    n = self.views[i].length
                    if self.views[i].kind:
                        status = room_for_utf8(ws, utf8_bound(&self.views[i]))
                        if status != OK:
                            break
                        n = to_utf8(&self.views[i], ws.utf8)
                        data = ws.utf8
                    if (self.reject and self.encoder.n_specials
                            and self.encoder.find_special(data, 0, n, NULL, &which) < n):
                        rejected = which
                        break
                    status = self.encoder.encode_text(ws, data, n, mask)
                    if status != OK:
                        break
                    self.sizes[i] = ws.n_ids + ws.n_total - before
            if rejected >= 0:
                self.encoder._reject(self.encoder.special_text(rejected))
            if status != OK:
                self.encoder.fail(status, data, ws)
        if ws.keep:
            self.ids[chunk] = <uint32_t*>malloc((ws.n_ids + 1) * sizeof(uint32_t))
            if self.ids[chunk] == NULL:
                raise MemoryError()
            if ws.n_ids:
                memcpy(self.ids[chunk], ws.ids, ws.n_ids * sizeof(uint32_t))
        return 0

    def lists(self):
        """A list of ids for each text."""
        cdef Py_ssize_t chunk, i
        cdef uint32_t* ids
        results = []
        for chunk in range(self.n_chunks):
            ids = self.ids[chunk]
            for i in range(self.first[chunk], self.first[chunk + 1]):
                results.append(self.encoder.to_list(ids, self.sizes[i]))
                ids += self.sizes[i]
        return results

    def counts(self):
        """How many ids each text has."""
        cdef Py_ssize_t i
        return [self.sizes[i] for i in range(len(self.texts))]

    def flat(self, empty_ids, empty_offsets):
        """(ids, offsets) in arrays that the two functions make for a length: ids of 2 or 4 bytes, and
        int64 offsets, one more than texts. The ids of text i are ids[offsets[i]:offsets[i + 1]]."""
        cdef Py_ssize_t chunk, i, n = len(self.texts)
        cdef size_t total = 0, at = 0, k, count
        cdef Py_buffer buffer
        cdef int64_t* offsets
        cdef uint16_t* narrow
        for i in range(n):
            total += self.sizes[i]
        offset_array = empty_offsets(n + 1)
        PyObject_GetBuffer(offset_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        offsets = <int64_t*>buffer.buf
        offsets[0] = 0
        for i in range(n):
            offsets[i + 1] = offsets[i] + <int64_t>self.sizes[i]
        PyBuffer_Release(&buffer)
        id_array = empty_ids(total)
        PyObject_GetBuffer(id_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        for chunk in range(self.n_chunks):
            count = 0
            for i in range(self.first[chunk], self.first[chunk + 1]):
                count += self.sizes[i]
            if buffer.itemsize == 2:
                narrow = <uint16_t*>buffer.buf + at
                for k in range(count):
                    narrow[k] = <uint16_t>self.ids[chunk][k]
            else:
                memcpy(<uint32_t*>buffer.buf + at, self.ids[chunk], count * sizeof(uint32_t))
            at += count
        PyBuffer_Release(&buffer)
        return id_array, offset_array
