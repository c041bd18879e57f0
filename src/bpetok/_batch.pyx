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
from bpetok._text cimport TextView, is_utf8, view_text
from bpetok._vocab cimport FUSE_NEVER
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

    def __init__(self, Encoder encoder not None, list texts not None):
        cdef Py_ssize_t i
        self.texts = list(texts)    # so that no one else can take a text away
        self.hold(encoder, len(self.texts))
        for i in range(self.n):
            if not isinstance(self.texts[i], str):
                raise TypeError(
                    f"expected a list of str to encode, got {type(self.texts[i]).__name__} at index {i}")
            view_text(self.texts[i], &self.views[i])
        self.divide()

    cdef int hold(self, Encoder encoder, Py_ssize_t n) except -1:
        """Make room for `n` texts, whose views the caller sets."""
        self.encoder = encoder
        self.n = n
        self.parts = []
        self.views = <TextView*>calloc(n + 1, sizeof(TextView))
        self.sizes = <size_t*>calloc(n + 1, sizeof(size_t))
        self.first = <Py_ssize_t*>calloc(n + 1, sizeof(Py_ssize_t))
        if self.views == NULL or self.sizes == NULL or self.first == NULL:
            raise MemoryError()
        return 0

    cdef int divide(self) except -1:
        """Divide the texts into chunks."""
        cdef Py_ssize_t i
        cdef size_t size = CHUNK
        for i in range(self.n):
            if size >= CHUNK:
                self.first[self.n_chunks] = i
                self.n_chunks += 1
                size = 0
            size += self.views[i].length
            self.length += self.views[i].length
        self.first[self.n_chunks] = self.n
        self.starts = <size_t*>calloc(self.n_chunks + 1, sizeof(size_t))
        self.part_of = <Py_ssize_t*>calloc(self.n_chunks + 1, sizeof(Py_ssize_t))
        if self.starts == NULL or self.part_of == NULL:
            raise MemoryError()
        return 0

    cdef object text(self, Py_ssize_t i):
        """A text as a str."""
        return self.texts[i]

    def __iter__(self):
        """The texts as str."""
        return iter(self.texts)

    def __dealloc__(self):
        free(self.spaces)
        free(self.next_of)
        free(self.starts)
        free(self.part_of)
        free(self.views)
        free(self.sizes)
        free(self.first)

    def begin(self, bytes mask, bint reject, str form not None, Py_ssize_t n_threads):
        """Say which special tokens are allowed and whether others are rejected, what is wanted, "lists",
        "flat" or "counts", as the methods are named, and for how many threads."""
        cdef Py_ssize_t which
        self.mask = self.encoder.always if mask is None else mask
        self.reject = reject
        self.form = form
        if form == "lists":
            self.results = [None] * self.n
        self.spaces = <Workspace**>calloc(n_threads, sizeof(void*))
        self.next_of = <Py_ssize_t*>calloc(n_threads, sizeof(Py_ssize_t))
        if self.spaces == NULL or self.next_of == NULL:
            raise MemoryError()
        for which in range(n_threads):
            self.next_of[which] = self.stretch(which, n_threads)
            self.spaces[which] = self.encoder.lease()
            self.spaces[which].keep = form != "counts" or self.encoder.tables.t.fuse != FUSE_NEVER
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
        cdef bint lists = self.form == "lists", flat = self.form == "flat"
        try:
            for step in range(self.n_threads):
                owner = (which + step) % self.n_threads
                while self.next_of[owner] < self.stretch(owner + 1, self.n_threads):
                    chunk = self.next_of[owner]
                    self.next_of[owner] += 1
                    if not flat:
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
        cdef Py_ssize_t i = self.first[chunk], end = self.first[chunk + 1], which = 0
        cdef const uint8_t* mask = marks(self.mask)
        cdef bint in_place = self.encoder.scanner is not None and self.encoder.preparation is None
        cdef size_t before
        cdef int status = OK
        while i < end:
            if in_place:
                with nogil:
                    while i < end:
                        if self.unchecked and self.views[i].data == NULL:
                            i += 1
                            continue
                        if self.unchecked and not is_utf8(<const uint8_t*>self.views[i].data,
                                                          self.views[i].length):
                            break
                        before = ws.n_ids + ws.n_total
                        status = self.encoder.encode_view(ws, &self.views[i], mask, self.reject, &which)
                        if status != OK:
                            break
                        self.sizes[i] = ws.n_ids + ws.n_total - before
                        i += 1
            if status == REJECTED:
                self.encoder._reject(self.encoder.specials.text(which))
            if status != OK:
                self.encoder.fail(status, self.text(i), self.reject, ws)
            if i < end:
                if self.views[i].data != NULL:
                    before = ws.n_ids + ws.n_total
                    self.encoder.fill(self.text(i), mask, self.reject, ws)
                    self.sizes[i] = ws.n_ids + ws.n_total - before
                i += 1
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
            for i in range(self.n):
                set_length(self.results[i], self.sizes[i])
        return self.results

    def counts(self):
        """How many ids each text has."""
        cdef Py_ssize_t i
        return [self.sizes[i] for i in range(self.n)]

    def flat(self, narrow_ids, empty_offsets):
        """(ids, offsets): ids in a buffer of 32-bit integers, or in the array of 16-bit ones that
        `narrow_ids` makes for a length, if it is not None; int64 offsets, one more than texts, in the array
        that the other function makes. The ids of text i are ids[offsets[i]:offsets[i + 1]]."""
        cdef Py_ssize_t chunk
        cdef size_t at = 0, k, count, n
        cdef Py_buffer buffer
        cdef uint16_t* narrow
        cdef const uint32_t* ids
        offset_array = empty_offsets(self.n + 1)
        PyObject_GetBuffer(offset_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        n = self.put_offsets(<int64_t*>buffer.buf)
        PyBuffer_Release(&buffer)
        if narrow_ids is None:
            return self.wide(n), offset_array
        result = narrow_ids(n)
        PyObject_GetBuffer(result, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        for chunk in range(self.n_chunks):
            count = self.ids_of(chunk, &ids)
            narrow = <uint16_t*>buffer.buf + at
            for k in range(count):
                narrow[k] = <uint16_t>ids[k]
            at += count
        PyBuffer_Release(&buffer)
        return result, offset_array

    cdef size_t put_offsets(self, int64_t* offsets) noexcept:
        """Write where the ids of each text begin, and where those of the last end, which is returned."""
        cdef Py_ssize_t i
        offsets[0] = 0
        for i in range(self.n):
            offsets[i + 1] = offsets[i] + <int64_t>self.sizes[i]
        return <size_t>offsets[self.n]

    cdef IdBuffer wide(self, size_t n):
        """The ids of all texts, `n` together."""
        cdef Py_ssize_t chunk
        cdef size_t at = 0, count
        cdef const uint32_t* ids
        cdef IdBuffer result
        if len(self.parts) == 1:
            return self.parts[0]
        result = new_buffer(n)
        for chunk in range(self.n_chunks):
            count = self.ids_of(chunk, &ids)
            memcpy(result.ids + at, ids, count * sizeof(uint32_t))
            at += count
        return result

    cdef size_t ids_of(self, Py_ssize_t chunk, const uint32_t** ids):
        """How many ids a chunk has, and where they are."""
        cdef Py_ssize_t i
        cdef size_t count = 0
        ids[0] = (<IdBuffer>self.parts[self.part_of[chunk]]).ids + self.starts[chunk]
        for i in range(self.first[chunk], self.first[chunk + 1]):
            count += self.sizes[i]
        return count
