"""Many texts at once: handed out to threads in chunks, and the ids put together in order."""

from cpython.buffer cimport PyBUF_CONTIG_RO, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from bpetok._encode cimport REJECTED, Encoder, marks
from bpetok._ids cimport (
    IdBuffer, fill_items, list_with_room, make_list, new_block, new_buffer, own_ints, set_length, take_buffer)
from bpetok._text cimport TextView, view_text
from bpetok._workspace cimport OK, Workspace

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(PyObject* sequence) nogil

cdef enum:
    CHUNK = 1 << 16                 # code units that a thread takes at a time


cdef class Batch:
    """Texts on their way to ids. After `begin`, each thread calls `run` with its number, which returns when
    no chunk is left; after `end`, `lists`, `counts` or `flat` gives the results in the order of the texts.

    Chunks are dealt out in stretches, one a thread, and a thread that is done takes from the others.
    Numbers go with workspaces: so of texts that come again, each thread gets those whose words it knows.
    """

    cdef Encoder encoder
    cdef list texts
    cdef list results               # of `lists`
    cdef bytes mask
    cdef bint reject
    cdef TextView* views
    cdef size_t* sizes              # ids of each text
    cdef Py_ssize_t* first          # text of each chunk; one more at the end
    cdef str form                   # what is wanted
    cdef Py_ssize_t n_threads
    cdef Workspace** spaces         # of each thread
    cdef Py_ssize_t* next_of        # the next chunk of each thread's stretch
    cdef list parts                 # the ids that each thread has made, for `flat`
    cdef size_t* starts             # of the ids of each chunk in its part
    cdef Py_ssize_t* part_of        # each chunk
    cdef readonly Py_ssize_t n_chunks
    cdef readonly size_t length     # code units of all texts

    def __init__(self, Encoder encoder not None, list texts not None, mask, bint reject):
        cdef Py_ssize_t i, n = len(texts)
        cdef size_t size = CHUNK
        self.encoder = encoder
        self.texts = list(texts)    # so that no one else can take a text away
        self.results = [None] * n
        self.mask = encoder.always if mask is None else mask
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
        self.parts = []
        self.starts = <size_t*>calloc(self.n_chunks + 1, sizeof(size_t))
        self.part_of = <Py_ssize_t*>calloc(self.n_chunks + 1, sizeof(Py_ssize_t))
        if self.starts == NULL or self.part_of == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.spaces)
        free(self.next_of)
        free(self.starts)
        free(self.part_of)
        free(self.views)
        free(self.sizes)
        free(self.first)

    def begin(self, str form not None, Py_ssize_t n_threads):
        """Say what is wanted, "lists", "flat" or "counts", as the methods are named, and for how many
        threads."""
        cdef Py_ssize_t which
        self.form = form
        self.spaces = <Workspace**>calloc(n_threads, sizeof(void*))
        self.next_of = <Py_ssize_t*>calloc(n_threads, sizeof(Py_ssize_t))
        if self.spaces == NULL or self.next_of == NULL:
            raise MemoryError()
        for which in range(n_threads):
            self.next_of[which] = self.stretch(which, n_threads)
            self.spaces[which] = self.encoder.lease()
            self.spaces[which].keep = form != "counts"
            self.n_threads += 1

    cdef Py_ssize_t stretch(self, Py_ssize_t which, Py_ssize_t n_threads) noexcept:
        """Where the stretch of a thread starts, and the one before it ends."""
        return which * self.n_chunks // n_threads

    def run(self, Py_ssize_t which):
        """Encode chunks until none is left, as the thread of this number.

        Raises:
            EncodeError: as for a single text. The chunks of other threads go on.
        """
        cdef Workspace* ws = self.spaces[which]
        cdef Py_ssize_t step, owner, chunk
        cdef bint lists = self.form == "lists"
        try:
            for step in range(self.n_threads):
                owner = (which + step) % self.n_threads
                while self.next_of[owner] < self.stretch(owner + 1, self.n_threads):
                    chunk = self.next_of[owner]
                    self.next_of[owner] += 1
                    if lists:
                        ws.n_ids = 0
                    self.starts[chunk] = ws.n_ids
                    self.part_of[chunk] = which
                    self.encode_chunk(chunk, ws, lists)
        except BaseException:
            for owner in range(self.n_threads):
                self.next_of[owner] = self.n_chunks
            raise

    def end(self):
        """Give back what `begin` took. Every thread has returned."""
        cdef Workspace* ws
        cdef Py_ssize_t which
        if self.form == "flat":
            for which in range(self.n_threads):
                ws = self.spaces[which]
                self.parts.append(take_buffer(&ws.ids, ws.n_ids))
                if ws.ids == NULL:
                    ws.ids_capacity = 0
        # The last first: the next batch leases them in the same order.
        while self.n_threads:
            self.n_threads -= 1
            self.encoder.give_back(self.spaces[self.n_threads])

    cdef int encode_chunk(self, Py_ssize_t chunk, Workspace* ws, bint lists) except -1:
        cdef Py_ssize_t i = 0, end = self.first[chunk + 1], which = 0
        cdef const uint8_t* mask = marks(self.mask)
        cdef size_t before
        cdef int status = OK
        if self.encoder.scanner is None or self.encoder.preparation is not None:
            for i in range(self.first[chunk], end):
                before = ws.n_ids + ws.n_total
                self.encoder.fill(self.texts[i], mask, self.reject, ws)
                self.sizes[i] = ws.n_ids + ws.n_total - before
        else:
            with nogil:
                for i in range(self.first[chunk], end):
                    before = ws.n_ids + ws.n_total
                    status = self.encoder.encode_view(ws, &self.views[i], mask, self.reject, &which)
                    if status != OK:
                        break
                    self.sizes[i] = ws.n_ids + ws.n_total - before
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

    def flat(self, narrow_ids, empty_offsets):
        """(ids, offsets): ids in a buffer of 32-bit integers, or in the array of 16-bit ones that
        `narrow_ids` makes for a length, if it is not None; int64 offsets, one more than texts, in the array
        that the other function makes. The ids of text i are ids[offsets[i]:offsets[i + 1]]."""
        cdef Py_ssize_t chunk, i, n = len(self.texts)
        cdef size_t at = 0, k, count
        cdef Py_buffer buffer
        cdef int64_t* offsets
        cdef uint16_t* narrow
        cdef const uint32_t* ids
        cdef IdBuffer wide
        offset_array = empty_offsets(n + 1)
        PyObject_GetBuffer(offset_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        offsets = <int64_t*>buffer.buf
        offsets[0] = 0
        for i in range(n):
            offsets[i + 1] = offsets[i] + <int64_t>self.sizes[i]
        at = <size_t>offsets[n]
        PyBuffer_Release(&buffer)
        if narrow_ids is None and len(self.parts) == 1:
            return self.parts[0], offset_array
        if narrow_ids is None:
            wide = new_buffer(at)
            result = wide
        else:
            result = narrow_ids(at)
            PyObject_GetBuffer(result, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        at = 0
        for chunk in range(self.n_chunks):
            ids = (<IdBuffer>self.parts[self.part_of[chunk]]).ids + self.starts[chunk]
            count = 0
            for i in range(self.first[chunk], self.first[chunk + 1]):
                count += self.sizes[i]
            if narrow_ids is None:
                memcpy(wide.ids + at, ids, count * sizeof(uint32_t))
            else:
                narrow = <uint16_t*>buffer.buf + at
                for k in range(count):
                    narrow[k] = <uint16_t>ids[k]
            at += count
        if narrow_ids is not None:
            PyBuffer_Release(&buffer)
        return result, offset_array
