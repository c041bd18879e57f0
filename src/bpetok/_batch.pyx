"""Many texts at once: handed out to threads in chunks, and the ids put together in order."""

from cpython.buffer cimport PyBUF_CONTIG_RO, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from bpetok._encode cimport REJECTED, Encoder, marks
from bpetok._ids cimport fill_items, list_with_room, make_list, new_block, own_ints, set_length
from bpetok._text cimport TextView, view_text
from bpetok._workspace cimport NO_MEMORY, OK, Workspace

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(PyObject* sequence) nogil

cdef enum:
    CHUNK = 1 << 16                 # code units that a thread takes at a time


cdef class Batch:
    """Texts on their way to ids. Each thread calls `run`, which returns when no chunk is left; then
    `lists`, `counts` or `flat` gives the results in the order of the texts."""

    cdef Encoder encoder
    cdef list texts
    cdef list results               # of `lists`
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
        self.results = [None] * n
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

    def run(self, str form not None):
        """Encode chunks until none is left.

        Args:
            form: what is wanted: "lists", "flat" or "counts", as the methods are named.

        Raises:
            EncodeError: as for a single text. The chunks of other threads go on.
        """
        cdef Workspace* ws = self.encoder.lease()
        cdef Py_ssize_t chunk
        cdef bint lists = form == "lists"
        ws.keep = form != "counts"
        try:
            while self.taken < self.n_chunks:
                chunk = self.taken
                self.taken += 1
                self.encode_chunk(chunk, ws, lists)
        except BaseException:
            self.taken = self.n_chunks
            raise
        finally:
            self.encoder.give_back(ws)

    cdef int encode_chunk(self, Py_ssize_t chunk, Workspace* ws, bint lists) except -1:
        cdef Py_ssize_t i = 0, end = self.first[chunk + 1], which = 0
        cdef const uint8_t* mask = marks(self.mask)
        cdef size_t before
        cdef int status = OK
        ws.n_ids = 0
        if self.encoder.scanner is None:
            for i in range(self.first[chunk], end):
                before = ws.n_ids + ws.n_total
                self.encoder.fill(self.texts[i], mask, self.reject, ws)
                self.sizes[i] = ws.n_ids + ws.n_total - before
            if not lists:
                status = self.put_away(chunk, ws)
        else:
            with nogil:
                for i in range(self.first[chunk], end):
                    before = ws.n_ids + ws.n_total
                    status = self.encoder.encode_view(ws, &self.views[i], mask, self.reject, &which)
                    if status != OK:
                        break
                    self.sizes[i] = ws.n_ids + ws.n_total - before
                if status == OK and not lists:
                    status = self.put_away(chunk, ws)
        if status == REJECTED:
            self.encoder._reject(self.encoder.specials.text(which))
        if status != OK:
            self.encoder.fail(status, self.texts[i], self.reject, ws)
        if lists:
            self.make_lists(chunk, ws.ids)
        return 0

    cdef int make_lists(self, Py_ssize_t chunk, const uint32_t* ids) except -1:
        """Make the lists of a chunk. Their items are set without the GIL; until all are there they pass
        for empty, so that the collector does not go through them again and again."""
        cdef Py_ssize_t i
        cdef size_t at
        cdef PyObject** items
        if not own_ints:
            for i in range(self.first[chunk], self.first[chunk + 1]):
                self.results[i] = make_list(ids, self.sizes[i])
                ids += self.sizes[i]
            return 0
        for i in range(self.first[chunk], self.first[chunk + 1]):
            self.results[i] = list_with_room(self.sizes[i])
        with nogil:
            for i in range(self.first[chunk], self.first[chunk + 1]):
                items = PySequence_Fast_ITEMS(PySequence_Fast_ITEMS(<PyObject*>self.results)[i])
                at = fill_items(items, ids, self.sizes[i])
                while at < self.sizes[i]:
                    with gil:
                        new_block(ids[at])
                    at += fill_items(items + at, ids + at, self.sizes[i] - at)
                ids += self.sizes[i]
        return 0

    cdef int put_away(self, Py_ssize_t chunk, Workspace* ws) noexcept nogil:
        """Copy the ids of a chunk into memory of its own."""
        if not ws.keep:
            return OK
        self.ids[chunk] = <uint32_t*>malloc((ws.n_ids + 1) * sizeof(uint32_t))
        if self.ids[chunk] == NULL:
            return NO_MEMORY
        if ws.n_ids:
            memcpy(self.ids[chunk], ws.ids, ws.n_ids * sizeof(uint32_t))
        return OK

    def lists(self):
        """A list of ids for each text."""
        cdef Py_ssize_t i
        if own_ints:
            for i in range(len(self.texts)):
                set_length(self.results[i], self.sizes[i])
        return self.results

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
