"""Counting: a hash table from a piece's bytes to a 64-bit count, filled straight from the scanner.

Nothing here depends on the order in which pieces were counted, and no two pieces are ever taken for equal
because their hashes are. `bpetok.reference.count_pieces` is the slow specification.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok._scan cimport Scanner, ScanSpec, next_char, scan
from bpetok._text cimport TextView, to_utf8, utf8_bound, view_text

from bpetok.errors import CorpusError, FormatError

cdef extern from "keys.h" nogil:
    void prefetch "BPETOK_PREFETCH"(const void*)
    uint64_t hash_key "bpetok_hash_key"(uint64_t low, uint64_t high)
    uint64_t hash_bytes "bpetok_hash_bytes"(const uint8_t* p, size_t n)
    void word_key_within "bpetok_word_key_within"(const uint8_t* p, size_t n, uint64_t* low, uint64_t* high)
    void word_key "bpetok_word_key"(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t* low,
                                    uint64_t* high)

cdef extern from "pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void* pages_grow "bpetok_pages_grow"(void* start, size_t size, size_t more)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef extern from *:
    """
    #define BPETOK_LONG_PIECE ((uint64_t)0xFF << 56)
    #define BPETOK_LIKELY(x) __builtin_expect(!!(x), 1)
    """
    const uint64_t LONG "BPETOK_LONG_PIECE"
    bint likely "BPETOK_LIKELY"(bint) nogil

cdef enum:
    BATCH = 256             # pieces whose keys are made, and entries fetched, before the first is looked up
    SHORT = 15              # the longest piece that its key holds whole
    AHEAD = 32              # entries between asking for the bytes of a piece and using them
    FIRST_SLOTS = 1 << 14
    FEW_SLOTS = 1 << 18     # a smaller table grows by steps of four
    MAX_PARTS = 1 << 16


cdef inline uint64_t hash_of(uint64_t lo, uint64_t hi) noexcept nogil:
    """The hash of a key; tables take their index from the top."""
    return hash_key(lo, hi) if hi < LONG else lo


cdef inline void make_key(const uint8_t* data, size_t size, const uint8_t* limit, uint64_t* lo,
                          uint64_t* hi) noexcept nogil:
    """The key of a piece, without reading at `limit` or beyond."""
    if size <= SHORT:
        word_key(data, size, limit, lo, hi)
    else:
        lo[0] = hash_bytes(data, size)
        hi[0] = LONG


cdef uint64_t char_at(const uint8_t* data, uint64_t size, uint64_t* point) noexcept nogil:
    cdef uint64_t n = 1, found = data[0], i
    if found >= 0x80:
        n = next_char(data, 0, size)
        found = CODE_POINTS if n == 1 else found & (0x7F >> n)
        for i in range(1, n):
            found = found << 6 | (data[i] & 0x3F)
    point[0] = found
    return n


# ---- records -------------------------------------------------------------------------------------

cdef struct Found:
    const uint8_t* data
    uint64_t size
    uint64_t count


cdef inline uint64_t part_of(uint64_t hashed, uint64_t n_parts) noexcept nogil:
    """Which of n_parts equal parts a hash lies in."""
    return ((hashed >> 32) * n_parts) >> 32


cdef inline int compare(const uint8_t* a, uint64_t n_a, const uint8_t* b, uint64_t n_b) noexcept nogil:
    cdef int order = memcmp(a, b, n_a if n_a < n_b else n_b)
    return order if order else (n_a > n_b) - (n_a < n_b)


cdef int by_bytes(const void* a, const void* b) noexcept nogil:
    cdef const Found* one = <const Found*>a
    cdef const Found* other = <const Found*>b
    return compare(one.data, one.size, other.data, other.size)


cdef inline uint64_t varint_size(uint64_t n) noexcept nogil:
    cdef uint64_t size = 1
    while n >= 0x80:
        n >>= 7
        size += 1
    return size


cdef inline uint8_t* write_varint(uint8_t* out, uint64_t n) noexcept nogil:
    while n >= 0x80:
        out[0] = <uint8_t>(n | 0x80)
        out += 1
        n >>= 7
    out[0] = <uint8_t>n
    return out + 1


cdef inline const uint8_t* read_varint(const uint8_t* at, const uint8_t* end, uint64_t* n) noexcept nogil:
    """Where the number at `at` ends; NULL when it does not before `end`, or takes more than 63 bits."""
    cdef int shift = 0
    n[0] = 0
    while at < end and shift < 63:
        n[0] |= <uint64_t>(at[0] & 0x7F) << shift
        at += 1
        if at[-1] < 0x80:
            return at
        shift += 7
    return NULL


# ---- the table -----------------------------------------------------------------------------------

@cython.final
cdef class PieceCounts:
    """Pieces (non-empty bytes) with 64-bit counts. One thread at a time may use a table.

    Args:
        n_parts: in how many parts pieces are dealt out by their hash when this table gets those of only one.
    """

    def __cinit__(self, uint64_t n_parts=1):
        if not 0 < n_parts <= MAX_PARTS:
            raise ValueError(f"a table cannot be one of {n_parts} parts")
        self.n_parts = n_parts
        self.n_slots = FIRST_SLOTS
        self.entries = <Entry*>pages_new(self.n_slots * sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError()

    def __dealloc__(self):
        pages_free(self.entries, self.n_slots * sizeof(Entry))
        free(self.arena)

    def __len__(self):
        return self.used

    @property
    def n_pieces(self):
        """The sum of all counts."""
        return self.pieces

    cdef inline Entry* home(self, uint64_t lo, uint64_t hi) noexcept nogil:
        """Where the entry of a key belongs: in the order of hashes, with any number of slots below 2^32."""
        # The product is where a hash lies in its part: a part fills the table as the whole would.
        return &self.entries[((hash_of(lo, hi) * self.n_parts >> 32) * self.n_slots) >> 32]

    cdef inline Entry* next(self, Entry* entry) noexcept nogil:
        """Where the search goes on."""
        entry += 1
        return entry if entry < self.entries + self.n_slots else self.entries

    cdef inline bint same(self, const Entry* entry, uint64_t lo, uint64_t hi, const uint8_t* data,
                          size_t size) noexcept nogil:
        cdef const uint8_t* stored
        cdef uint64_t length
        if entry.lo != lo:
            return False
        if size <= SHORT:
            return entry.hi == hi
        if entry.hi < LONG:
            return False
        stored = self.arena + (entry.hi - LONG)
        memcpy(&length, stored, 8)
        return length == size and memcmp(stored + 8, data, size) == 0

    cdef inline void prefetch_bytes(self, const Entry* entry) noexcept nogil:
        """Ask for the bytes of a piece, where the entry does not have them itself."""
        if entry.hi >= LONG:
            prefetch(self.arena + (entry.hi - LONG))

    cdef int make_room(self, uint64_t n) noexcept nogil:
        """See that n more pieces have room."""
        cdef uint64_t n_slots = self.n_slots
        while (self.used + n) * 5 > n_slots * 3:
            n_slots *= 4 if n_slots < FEW_SLOTS else 2
        if n_slots > self.n_slots:
            return self.resize(n_slots)
        return OK

    cdef int resize(self, uint64_t n_slots) noexcept nogil:
        """Have more slots, without a second table.

        The order of hashes is kept, so each entry moves up, and the last can go first. Few would not move
        beyond where they are: at the beginning, behind many others, or because they had gone round the end.
        They wait until all others stand. Where that fails, the table is as little use as one that a failure
        left half counted.
        """
        cdef Entry* entries = NULL
        cdef Entry* waiting = NULL
        cdef Entry* more
        cdef Entry* entry
        cdef Entry moved
        cdef uint64_t n_waiting = 0, room = 0, i = self.n_slots
        if not n_slots >> 32:
            entries = <Entry*>pages_grow(self.entries, i * sizeof(Entry), n_slots * sizeof(Entry))
        if entries == NULL:
            return NO_MEMORY
        self.n_slots = n_slots
        self.entries = entries
        while i:
            i -= 1
            if not entries[i].count:
                continue
            moved = entries[i]
            memset(&entries[i], 0, sizeof(Entry))
            entry = self.home(moved.lo, moved.hi)
            if entry > &entries[i]:
                while entry < entries + n_slots and entry.count:
                    entry += 1
                if entry < entries + n_slots:
                    entry[0] = moved
                    continue
            if n_waiting == room:
                room = room * 2 if room else 1 << 10
                more = <Entry*>realloc(waiting, room * sizeof(Entry))
                if more == NULL:
                    free(waiting)
                    return NO_MEMORY
                waiting = more
            waiting[n_waiting] = moved
            n_waiting += 1
        for i in range(n_waiting):
            entry = self.home(waiting[i].lo, waiting[i].hi)
            while entry.count:
                entry = self.next(entry)
            entry[0] = waiting[i]
        free(waiting)
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
        entry.hi = LONG | self.arena_size
        self.arena_size += size + 8
        return OK

    cdef int bump(self, Entry* entry, uint64_t lo, uint64_t hi, const uint8_t* data, size_t size,
                  uint64_t n) noexcept nogil:
        """Add n to the count of a piece whose key is known, and where its entry belongs. There must be room
        for it, and the caller adds n to the sum."""
        cdef Entry* home = entry
        cdef Entry before
        while entry.count:
            if self.same(entry, lo, hi, data, size):
                entry.count += n
                if entry.count > home.count:    # the more frequent one is found at once
                    before = home[0]
                    home[0] = entry[0]
                    entry[0] = before
                return OK
            entry = self.next(entry)
        entry.lo = lo
        entry.hi = hi
        if size > SHORT and self.store_long(entry, data, size) != OK:
            return NO_MEMORY
        entry.count = n
        self.used += 1
        return OK

    cdef int count_bytes(self, const ScanSpec* spec, const uint8_t* text, size_t start, size_t stop,
                         size_t end) noexcept nogil:
        """Count the pieces of text[start:end] that begin before `stop`."""
        cdef size_t ends[BATCH]
        cdef uint64_t lows[BATCH]
        cdef uint64_t highs[BATCH]
        cdef Entry* places[BATCH]
        cdef size_t count, i, at
        cdef uint64_t lo, hi
        cdef const uint8_t* limit = text + end
        cdef bint roomy
        cdef Entry* entry
        while start < stop:
            count = scan(spec, text, start, end, ends, BATCH)
            while count > 1 and ends[count - 2] >= stop:
                count -= 1
            if self.make_room(BATCH) != OK:
                return NO_MEMORY
            if count > MAX_COUNT - self.pieces:     # no single count exceeds the sum
                return COUNT_OVERFLOW
            at = start
            roomy = ends[count - 1] + SHORT < end       # sixteen bytes may be read wherever a piece begins
            for i in range(count):
                if likely(roomy and ends[i] - at <= SHORT):
                    word_key_within(text + at, ends[i] - at, &lo, &hi)
                else:
                    make_key(text + at, ends[i] - at, limit, &lo, &hi)
                lows[i] = lo
                highs[i] = hi
                places[i] = self.home(lo, hi)
                prefetch(places[i])
                at = ends[i]
            at = start
            for i in range(count):
                entry = places[i]
                if likely(entry.lo == lows[i] and entry.hi == highs[i]):    # a short piece, where it belongs
                    entry.count += 1
                elif self.bump(entry, lows[i], highs[i], text + at, ends[i] - at, 1) != OK:
                    return NO_MEMORY
                at = ends[i]
            self.pieces += count
            start = at
        return OK

    cdef int add_bytes(self, const uint8_t* data, size_t size, uint64_t n) noexcept nogil:
        cdef uint64_t lo, hi
        if n > MAX_COUNT - self.pieces:
            return COUNT_OVERFLOW
        make_key(data, size, data + size, &lo, &hi)
        if self.make_room(1) != OK or self.bump(self.home(lo, hi), lo, hi, data, size, n) != OK:
            return NO_MEMORY
        self.pieces += n
        return OK

    cdef int add_table(self, PieceCounts other) noexcept nogil:
        """Add every count of another table, which is not this one.

        Both tables are in the order of hashes, so memory is walked through from one end to the other.
        There must be room for all pieces beforehand: in a table that is too small, they would pile up at
        its beginning, each walking past all before it.
        """
        cdef uint64_t i, size = 0
        cdef const uint8_t* data
        cdef Entry* entry
        if self.make_room(other.used) != OK:
            return NO_MEMORY
        for i in range(other.n_slots):
            entry = &other.entries[i]
            if i + 2 * AHEAD < other.n_slots:
                prefetch(self.home(entry[2 * AHEAD].lo, entry[2 * AHEAD].hi))
                if entry[AHEAD].hi >= LONG:
                    other.prefetch_bytes(&entry[AHEAD])
                    self.prefetch_bytes(self.home(entry[AHEAD].lo, entry[AHEAD].hi))
            if entry.count:
                data = other.piece(entry, &size)
                if self.bump(self.home(entry.lo, entry.hi), entry.lo, entry.hi if size <= SHORT else LONG,
                             data, size, entry.count) != OK:
                    return NO_MEMORY
                self.pieces += entry.count
        return OK

    cdef inline const uint8_t* piece(self, const Entry* entry, uint64_t* size) noexcept nogil:
        cdef const uint8_t* data
        if entry.hi >= LONG:
            data = self.arena + (entry.hi - LONG)
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
        cdef uint64_t lo, hi
        cdef Entry* entry
        make_key(data, size, data + size, &lo, &hi)
        entry = self.home(lo, hi)
        while entry.count and not self.same(entry, lo, hi, data, size):
            entry = self.next(entry)
        return entry.count

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

    def characters(self):
        """How often each character occurs, by code point: a dict. Bytes that are not UTF-8 are none."""
        cdef uint64_t* counts = <uint64_t*>calloc(CODE_POINTS + 1, 8)
        cdef uint64_t i, size = 0, at, point
        cdef const uint8_t* data
        cdef dict found = {}
        cdef bint whole = True
        if counts == NULL:
            raise MemoryError()
        with nogil:
            for i in range(self.n_slots):
                if not self.entries[i].count:
                    continue
                data = self.piece(&self.entries[i], &size)
                at = 0
                while at < size and whole:
                    at += char_at(data + at, size - at, &point)
                    whole = counts[point] <= MAX_COUNT - self.entries[i].count
                    counts[point] += self.entries[i].count
        for i in range(CODE_POINTS):
            if counts[i]:
                found[i] = counts[i]
        free(counts)
        check(OK if whole else COUNT_OVERFLOW)
        return found

    def reserve(self, uint64_t n):
        """See that n pieces in all have room, in no more memory than they need."""
        cdef int failed = OK
        if n * 5 > self.n_slots * 3:
            with nogil:
                failed = self.resize(n * 5 // 3 + 1)
        check(failed)

    def outgrows(self, uint64_t limit):
        """Whether the table may take more than so many bytes when it grows next."""
        cdef uint64_t size = self.n_slots * sizeof(Entry)
        # While it grows, the old and the new slots may both be there: not all systems can move pages.
        return (size * 3 if self.used * 2 > self.n_slots else size) + self.arena_size > limit

    def clear(self):
        """Forget all counts; the memory is kept."""
        with nogil:
            memset(self.entries, 0, self.n_slots * sizeof(Entry))
        self.used = self.arena_size = self.pieces = 0

    def dump(self, uint64_t part=0, uint64_t n_parts=1, *, bint ordered=False):
        """The pieces whose hashes lie in one of n_parts equal parts, as records; returns (records, number).

        A record is the length of the piece, its bytes, and its count; the two numbers are LEB128. They are
        in the order of their bytes with `ordered`, else about in that of their hashes.
        """
        cdef uint64_t first, at, step, n = 0, size = 0, total = 0
        cdef Entry* entry
        cdef const uint8_t* data
        cdef uint8_t* out
        cdef Found* found
        cdef bytes records
        if not 0 < n_parts <= MAX_PARTS or part >= n_parts:
            raise IndexError(f"no part {part} of {n_parts}")
        # Entries of the part lie from its first slot on, up to an empty slot behind its last.
        first = (((part << 32) + n_parts - 1) // n_parts * self.n_slots) >> 32 if self.n_parts == 1 else 0
        found = <Found*>malloc((self.used + 1) * sizeof(Found))
        if found == NULL:
            raise MemoryError()
        try:
            with nogil:
                for step in range(self.n_slots):
                    at = first + step
                    entry = &self.entries[at if at < self.n_slots else at - self.n_slots]
                    if not entry.count:
                        if at * n_parts >= (part + 1) * self.n_slots and self.n_parts == 1:
                            break
                    elif part_of(hash_of(entry.lo, entry.hi), n_parts) == part:
                        data = self.piece(entry, &size)
                        found[n].data = data
                        found[n].size = size
                        found[n].count = entry.count
                        n += 1
                        total += varint_size(size) + size + varint_size(entry.count)
                if ordered:
                    qsort(found, n, sizeof(Found), by_bytes)
            records = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>total)
            out = <uint8_t*>PyBytes_AS_STRING(records)
            with nogil:
                for step in range(n):
                    out = write_varint(out, found[step].size)
                    memcpy(out, found[step].data, found[step].size)
                    out = write_varint(out + found[step].size, found[step].count)
        finally:
            free(found)
        return records, n

    def load(self, bytes records not None, uint64_t part=0, uint64_t n_parts=1, *, bint ordered=False):
        """Add the counts of records that `dump` wrote; returns how many there were.

        Parts that are loaded in order need `reserve` first: in a table that is too small for all of them,
        those of the first parts would crowd at its beginning.
        """
        cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(records)
        cdef const uint8_t* end = at + PyBytes_GET_SIZE(records)
        cdef const uint8_t* before = NULL
        cdef uint64_t size = 0, size_before = 0, n = 0, n_records = 0, lo, hi
        cdef const char* wrong = NULL
        cdef int failed = OK
        with nogil:
            while at < end:
                at = read_varint(at, end, &size)
                if at == NULL or size == 0 or size > <uint64_t>(end - at):
                    wrong = "a piece has no bytes, or ends behind the records"
                    break
                make_key(at, size, at + size, &lo, &hi)
                if part_of(hash_of(lo, hi), n_parts) != part:
                    wrong = "a piece is in the wrong part"
                    break
                if ordered and before != NULL and compare(before, size_before, at, size) >= 0:
                    wrong = "pieces are not in order"
                    break
                before = at
                size_before = size
                at = read_varint(at + size, end, &n)
                if at == NULL or n == 0 or n > MAX_COUNT:
                    wrong = "a count is not from 1 to 2**63 - 1"
                    break
                failed = self.add_bytes(before, size, n)
                if failed:
                    break
                n_records += 1
        if wrong != NULL:
            raise FormatError((<bytes>wrong).decode())
        check(failed)
        return n_records

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
