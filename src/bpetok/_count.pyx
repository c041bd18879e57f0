"""Counting: a hash table from a piece's bytes to a 64-bit count, filled straight from the scanner.

Nothing here depends on the order in which pieces were counted, and no two pieces are ever taken for equal
because their hashes are. `bpetok.reference.count_pieces` is the slow specification.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok._scan cimport Scanner, ScanSpec, scan
from bpetok._text cimport TextView, to_utf8, utf8_bound, view_text

from bpetok.errors import CorpusError

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void*) noexcept nogil

cdef enum:
    BATCH = 256             # pieces whose keys are made, and entries fetched, before the first is looked up
    SHORT = 15              # the longest piece that its key holds whole
    BLOCK = 64              # entries taken in a row from a table that is added


# ---- keys ----------------------------------------------------------------------------------------

# By length: the bits of a key's two words that are the piece's, and the length where `hi` has it.
cdef struct KeyMask:
    uint64_t lo
    uint64_t hi
    uint64_t length

cdef KeyMask[SHORT + 1] KEY_MASKS
cdef uint64_t LONG = 0
cdef int OFFSET_SHIFT = 0


cdef void make_key_masks() noexcept:
    # Through memory, so that neither words nor masks depend on the machine's byte order.
    cdef uint8_t buffer[16]
    cdef int length
    global LONG, OFFSET_SHIFT
    for length in range(SHORT + 1):
        memset(buffer, 0, 16)
        memset(buffer, 0xFF, length)
        memcpy(&KEY_MASKS[length].lo, buffer, 8)
        memcpy(&KEY_MASKS[length].hi, buffer + 8, 8)
        memset(buffer, 0, 16)
        buffer[15] = <uint8_t>length
        memcpy(&KEY_MASKS[length].length, buffer + 8, 8)
    buffer[15] = 0xFF
    memcpy(&LONG, buffer + 8, 8)
    OFFSET_SHIFT = 8 if LONG == 0xFF else 0


make_key_masks()


cdef inline uint64_t mix(uint64_t lo, uint64_t hi) noexcept nogil:
    """A hash whose upper bits are good; tables take their index from the top."""
    cdef uint64_t h = lo * 0x9E3779B97F4A7C15ULL
    h = ((h ^ (h >> 32)) + hi) * 0xD6E8FEB86659FD93ULL
    return (h ^ (h >> 29)) * 0xA0761D6478BD642FULL


cdef uint64_t hash_bytes(const uint8_t* data, size_t size) noexcept nogil:
    cdef uint64_t h = size, word
    cdef size_t at = 0
    while at + 8 <= size:
        memcpy(&word, data + at, 8)
        h = mix(h, word)
        at += 8
    word = 0
    memcpy(&word, data + at, size - at)
    return mix(h, word)


cdef inline void make_key(const uint8_t* data, size_t size, uint64_t* lo, uint64_t* hi) noexcept nogil:
    """The key of a piece, without reading past its end."""
    lo[0] = 0
    hi[0] = 0
    if size <= SHORT:
        memcpy(lo, data, size if size < 8 else 8)
        if size > 8:
            memcpy(hi, data + 8, size - 8)
        hi[0] |= KEY_MASKS[size].length
    else:
        lo[0] = hash_bytes(data, size)
        hi[0] = LONG


# ---- the table -----------------------------------------------------------------------------------

@cython.final
cdef class PieceCounts:
    """Pieces (non-empty bytes) with 64-bit counts. One thread at a time may use a table."""

    def __cinit__(self):
        self.n_slots = 1 << 14
        self.shift = 64 - 14
        self.entries = <Entry*>calloc(self.n_slots, sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.entries)
        free(self.arena)

    def __len__(self):
        return self.used

    @property
    def n_pieces(self):
        """The sum of all counts."""
        return self.pieces

    cdef inline bint same(self, const Entry* entry, uint64_t lo, uint64_t hi, const uint8_t* data,
                          size_t size) noexcept nogil:
        cdef const uint8_t* stored
        cdef uint64_t length
        if entry.lo != lo:
            return False
        if size <= SHORT:
            return entry.hi == hi
        if entry.hi & LONG != LONG:
            return False
        stored = self.arena + ((entry.hi & ~LONG) >> OFFSET_SHIFT)
        memcpy(&length, stored, 8)
        return length == size and memcmp(stored + 8, data, size) == 0

    cdef int grow(self) noexcept nogil:
        cdef uint64_t n = self.n_slots * 2, at, i
        cdef Entry* entries = <Entry*>calloc(n, sizeof(Entry))
        cdef Entry* entry
        cdef uint64_t hi
        if entries == NULL:
            return NO_MEMORY
        self.shift -= 1
        for i in range(self.n_slots):
            entry = &self.entries[i]
            if entry.count:
                hi = LONG if entry.hi & LONG == LONG else entry.hi
                at = mix(entry.lo, hi) >> self.shift
                while entries[at].count:
                    at = (at + 1) & (n - 1)
                entries[at] = entry[0]
        free(self.entries)
        self.entries = entries
        self.n_slots = n
        return OK

    cdef int store_long(self, Entry* entry, const uint8_t* data, uint64_t size) noexcept nogil:
        cdef uint64_t room = self.arena_room
        cdef uint8_t* arena
        if self.arena_size + size + 8 > room:
            room = room * 2 if room else 1 << 16
            if room < self.arena_size + size + 8:
                room = self.arena_size + size + 8
            arena = <uint8_t*>realloc(self.arena, room)
            if arena == NULL:
                return NO_MEMORY
            self.arena = arena
            self.arena_room = room
        memcpy(self.arena + self.arena_size, &size, 8)
        memcpy(self.arena + self.arena_size + 8, data, size)
        entry.hi = LONG | (self.arena_size << OFFSET_SHIFT)
        self.arena_size += size + 8
        return OK

    cdef inline int bump(self, uint64_t lo, uint64_t hi, uint64_t hashed, const uint8_t* data, size_t size,
                         uint64_t n) noexcept nogil:
        """Add n to the count of a piece whose key and hash are known."""
        cdef uint64_t at = hashed >> self.shift
        cdef Entry* entry = &self.entries[at]
        if n > MAX_COUNT - self.pieces:     # no single count exceeds the sum
            return COUNT_OVERFLOW
        while entry.count:
            if self.same(entry, lo, hi, data, size):
                entry.count += n
                self.pieces += n
                return OK
            at = (at + 1) & (self.n_slots - 1)
            entry = &self.entries[at]
        if (self.used + 1) * 5 > self.n_slots * 3:      # first, so that a failure leaves the table as it was
            if self.grow() != OK:
                return NO_MEMORY
            at = hashed >> self.shift
            while self.entries[at].count:
                at = (at + 1) & (self.n_slots - 1)
            entry = &self.entries[at]
        entry.lo = lo
        entry.hi = hi
        if size > SHORT and self.store_long(entry, data, size) != OK:
            return NO_MEMORY
        entry.count = n
        self.pieces += n
        self.used += 1
        return OK

    cdef int count_bytes(self, const ScanSpec* spec, const uint8_t* text, size_t start, size_t stop,
                         size_t end) noexcept nogil:
        """Count the pieces of text[start:end] that begin before `stop`."""
        cdef size_t ends[BATCH]
        cdef uint64_t lows[BATCH]
        cdef uint64_t highs[BATCH]
        cdef uint64_t hashes[BATCH]
        cdef size_t count, i, at, size
        cdef const KeyMask* mask
        cdef uint64_t lo, hi
        cdef int failed
        while start < stop:
            count = scan(spec, text, start, end, ends, BATCH)
            at = start
            for i in range(count):
                if at >= stop:
                    count = i
                    break
                size = ends[i] - at
                if size <= SHORT and at + 16 <= end:
                    mask = &KEY_MASKS[size]
                    memcpy(&lo, text + at, 8)
                    memcpy(&hi, text + at + 8, 8)
                    lo &= mask.lo
                    hi = (hi & mask.hi) | mask.length
                else:
                    make_key(text + at, size, &lo, &hi)
                lows[i] = lo
                highs[i] = hi
                hashes[i] = mix(lo, hi)
                prefetch(&self.entries[hashes[i] >> self.shift])
                at = ends[i]
            at = start
            for i in range(count):
                failed = self.bump(lows[i], highs[i], hashes[i], text + at, ends[i] - at, 1)
                if failed:
                    return failed
                at = ends[i]
            start = at
        return OK

    cdef int add_bytes(self, const uint8_t* data, size_t size, uint64_t n) noexcept nogil:
        cdef uint64_t lo, hi
        make_key(data, size, &lo, &hi)
        return self.bump(lo, hi, mix(lo, hi), data, size, n)

    cdef int add_table(self, PieceCounts other) noexcept nogil:
        """Add every count of another table, which is not this one.

        An entry's slot follows its hash in every table. Taken slot by slot, another table's pieces would
        pile up at one end of a smaller table, each walking past all before it. So this table grows first,
        to a size that it is sure to need, and blocks of slots are taken in a scattered order.
        """
        cdef uint64_t n_blocks = other.n_slots // BLOCK, stride, block, i, size
        cdef const uint8_t* data
        cdef Entry* entry
        while self.n_slots < other.n_slots:
            if self.grow() != OK:
                return NO_MEMORY
        stride = <uint64_t>(<double>n_blocks * 0.6180339887) | 1     # odd: every block has its turn
        for block in range(n_blocks):
            entry = &other.entries[(block * stride & (n_blocks - 1)) * BLOCK]
            for i in range(BLOCK):
                if entry[i].count:
                    data = other.piece(&entry[i], &size)
                    if self.add_bytes(data, size, entry[i].count) != OK:
                        return NO_MEMORY
        return OK

    cdef inline const uint8_t* piece(self, const Entry* entry, uint64_t* size) noexcept nogil:
        cdef const uint8_t* data
        if entry.hi & LONG == LONG:
            data = self.arena + ((entry.hi & ~LONG) >> OFFSET_SHIFT)
            memcpy(size, data, 8)
            return data + 8
        data = <const uint8_t*>entry
        size[0] = data[15]
        return data

    def add(self, bytes piece not None, n=1):
        """Add n to the count of one piece."""
        if not piece:
            raise CorpusError("a piece to count must have at least one byte")
        if not 0 < n <= MAX_COUNT:
            raise CorpusError(f"the count of piece {piece!r} is {n}: it must be from 1 to 2**63 - 1")
        check(self.add_bytes(<const uint8_t*>PyBytes_AS_STRING(piece), <size_t>PyBytes_GET_SIZE(piece), n))

    def count_texts(self, Scanner scanner not None, texts):
        """Count the pieces of each str or bytes in a list; returns their bytes of UTF-8.

        The texts are cut one by one: no piece spans two. The GIL is held only while they are listed.
        """
        cdef tuple held = tuple(texts)
        cdef size_t n = <size_t>len(held), i, at, bound, scratch_size = 0, size, total = 0
        cdef TextView* views = <TextView*>malloc(n * sizeof(TextView) + 1)
        cdef uint8_t* scratch = NULL
        cdef const uint8_t* data
        cdef int failed = OK
        if views == NULL:
            raise MemoryError()
        try:
            for i in range(n):
                view_text(held[i], &views[i])
                bound = utf8_bound(&views[i], views[i].length)
                scratch_size = bound if bound > scratch_size else scratch_size
            scratch = <uint8_t*>malloc(scratch_size + 1)
            if scratch == NULL:
                raise MemoryError()
            with nogil:
                for i in range(n):
                    if views[i].kind == 0:
                        data = <const uint8_t*>views[i].data
                        size = views[i].length
                    else:
                        at = 0
                        size = to_utf8(&views[i], &at, views[i].length, scratch)
                        data = scratch
                    failed = self.count_bytes(&scanner.spec, data, 0, size, size)
                    total += size
                    if failed:
                        break
        finally:
            free(views)
            free(scratch)
        check(failed)
        return total

    def count_span(self, Scanner scanner not None, bytes text not None, size_t start, size_t end):
        """Count the pieces of text[start:] that begin before `end`; returns how many bytes lie between.

        The whole text is in view, so spans that meet where a piece ends have the pieces of the whole.
        """
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(text)
        cdef size_t n = <size_t>PyBytes_GET_SIZE(text)
        cdef int failed
        if not start <= end <= n:
            raise IndexError(f"no span {start}:{end} in a text of {n} bytes")
        with nogil:
            failed = self.count_bytes(&scanner.spec, data, start, end, n)
        check(failed)
        return end - start

    def update(self, PieceCounts other not None):
        """Add every count of another table to this one."""
        cdef uint64_t i
        cdef int failed = OK
        if other.pieces > MAX_COUNT - self.pieces:
            failed = COUNT_OVERFLOW
        elif other is self:
            for i in range(self.n_slots):
                self.entries[i].count *= 2
            self.pieces *= 2
        else:
            with nogil:
                failed = self.add_table(other)
        check(failed)

    def get(self, bytes piece not None):
        """The count of a piece, 0 when it was never seen."""
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(piece)
        if not piece:
            return 0
        return self.find(data, <size_t>PyBytes_GET_SIZE(piece))

    cdef uint64_t find(self, const uint8_t* data, size_t size) noexcept nogil:
        cdef uint64_t lo, hi, at
        make_key(data, size, &lo, &hi)
        at = mix(lo, hi) >> self.shift
        while self.entries[at].count:
            if self.same(&self.entries[at], lo, hi, data, size):
                return self.entries[at].count
            at = (at + 1) & (self.n_slots - 1)
        return 0

    def items(self):
        """All (piece, count), sorted by piece."""
        cdef list found = []
        cdef uint64_t i, size
        cdef const uint8_t* data
        for i in range(self.n_slots):
            if self.entries[i].count:
                data = self.piece(&self.entries[i], &size)
                found.append((PyBytes_FromStringAndSize(<const char*>data, <Py_ssize_t>size),
                              self.entries[i].count))
        found.sort()
        return found

    def equals(self, PieceCounts other not None):
        """Whether both tables hold the same pieces with the same counts."""
        cdef uint64_t i, size
        cdef const uint8_t* data
        if self.used != other.used or self.pieces != other.pieces:
            return False
        for i in range(self.n_slots):
            if self.entries[i].count:
                data = self.piece(&self.entries[i], &size)
                if other.find(data, size) != self.entries[i].count:
                    return False
        return True


cdef int check(int code) except -1:
    """Raise what a nogil function's code stands for."""
    if code == NO_MEMORY:
        raise MemoryError()
    if code == COUNT_OVERFLOW:
        raise CorpusError("the counts of all pieces together exceed 2**63 - 1: divide them by a common "
                          "factor, which changes no merge")
    return 0
