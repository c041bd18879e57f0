"""The words that merges are learned from: the pieces of a counting table, laid out in one array.

`_words.pxd` says how they lie there. The table is not needed any more afterwards.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset

from bpetok._count cimport COUNT_OVERFLOW, MAX_COUNT, NO_MEMORY, OK, Entry, PieceCounts, char_at

cdef extern from "_native/pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef enum:
    USUAL_COUNTS = 1 << 12      # words that occur less often are sorted by counting, the few others by qsort
    AHEAD = 32                  # entries between asking for the bytes of a piece and using them

cdef struct Word:
    uint64_t count
    uint64_t slot               # in the table of pieces


cdef int more_frequent(const void* a, const void* b) noexcept nogil:
    cdef uint64_t left = (<const Word*>a).count, right = (<const Word*>b).count
    return (left < right) - (left > right)


cdef inline uint64_t next_class(uint64_t slots) noexcept nogil:
    return (slots + CLASS_SLOTS - 1) // CLASS_SLOTS * CLASS_SLOTS


cdef inline const Entry* entry_at(PieceCounts counts, uint64_t i) noexcept nogil:
    """An entry of a table that is walked through."""
    if i + AHEAD < counts.n_slots:
        counts.prefetch_bytes(&counts.entries[i + AHEAD])
    return &counts.entries[i]


cdef int place_words(Words* self, PieceCounts counts) noexcept nogil:
    cdef uint64_t* at = <uint64_t*>calloc(USUAL_COUNTS, 8)      # slots, then the next one, by count
    cdef Word* words = NULL
    cdef int failed = NO_MEMORY
    if at != NULL:
        failed = place_sorted(self, counts, at, &words)
    free(at)
    free(words)
    return failed


cdef int place_sorted(Words* self, PieceCounts counts, uint64_t* at, Word** words) noexcept nogil:
    cdef uint64_t n_words = 0, i, count, size, slots = CLASS_SLOTS, before = 0
    cdef const Entry* entry
    cdef const uint8_t* data
    cdef int failed
    for i in range(counts.n_slots):
        entry = entry_at(counts, i)
        if entry.count:
            data = counts.piece(entry, &size)
            if entry.count < USUAL_COUNTS:
                at[entry.count] += size + 1 if size > 1 else 0
            else:
                n_words += size > 1
            failed = add_up(self, data, size, entry.count, 0)
            if failed:
                return failed
    words[0] = <Word*>malloc((n_words + 1) * sizeof(Word))
    if words[0] == NULL:
        return NO_MEMORY
    n_words = 0
    for i in range(counts.n_slots):
        entry = &counts.entries[i]
        if entry.count >= USUAL_COUNTS:
            counts.piece(entry, &size)
            if size > 1:
                words[0][n_words].count = entry.count
                words[0][n_words].slot = i
                n_words += 1
    qsort(words[0], n_words, sizeof(Word), &more_frequent)
    for i in range(n_words):
        if words[0][i].count != before:
            slots = next_class(slots)
            before = words[0][i].count
        counts.piece(&counts.entries[words[0][i].slot], &size)
        words[0][i].count = slots
        slots += size + 1
    for count in range(USUAL_COUNTS - 1, 0, -1):
        if at[count]:
            slots = next_class(slots)
            size = at[count]
            at[count] = slots
            slots += size
    failed = allocate(self, slots)
    if failed:
        return failed
    for i in range(n_words):
        entry = &counts.entries[words[0][i].slot]
        data = counts.piece(entry, &size)
        place_word(self, words[0][i].count, data, size, entry.count)
        close_class(self, words[0][i].count + size + 1)
    for i in range(counts.n_slots):
        entry = entry_at(counts, i)
        if 0 < entry.count < USUAL_COUNTS:
            data = counts.piece(entry, &size)
            if size > 1:
                place_word(self, at[entry.count], data, size, entry.count)
                at[entry.count] += size + 1
    for count in range(USUAL_COUNTS):
        close_class(self, at[count])
    return OK


cdef int place_in_order(Words* self, PieceCounts counts, list order):
    cdef uint64_t slots = CLASS_SLOTS, size
    cdef const uint8_t* data
    cdef bytes piece
    cdef int failed
    for piece in order:
        size = <uint64_t>len(piece)
        data = <const uint8_t*>PyBytes_AS_STRING(piece)
        failed = add_up(self, data, size, counts.find(data, size), slots)
        if failed:
            return failed
        slots += next_class(size + 1)
    failed = allocate(self, slots)
    if failed:
        return failed
    slots = CLASS_SLOTS
    for piece in order:
        size = <uint64_t>len(piece)
        data = <const uint8_t*>PyBytes_AS_STRING(piece)
        place_word(self, slots, data, size, counts.find(data, size))
        close_class(self, slots + size + 1)
        slots += next_class(size + 1)
    return OK


cdef inline int add_up(Words* self, const uint8_t* data, uint64_t size, uint64_t count,
                       uint64_t at) noexcept nogil:
    """Note a word that is to be placed, perhaps at a known slot: which pairs it has, and how often in all."""
    cdef uint64_t i
    cdef BytePair* pair
    if size < 2:
        return OK
    if count > (MAX_COUNT - self.pairs_in_all) // (size - 1):
        return COUNT_OVERFLOW
    self.pairs_in_all += count * (size - 1)
    self.n_pairs += size - 1
    if self.points != NULL:
        return OK
    if self.byte_pairs == NULL:
        self.byte_pairs = <BytePair*>calloc(1 << 16, sizeof(BytePair))
        if self.byte_pairs == NULL:
            return NO_MEMORY
    for i in range(size - 1):
        pair = &self.byte_pairs[<uint64_t>data[i] << 8 | data[i + 1]]
        if pair.n == 0:
            pair.first = <uint32_t>(at + i)
        pair.n += 1
        pair.count += count
    return OK


cdef int allocate(Words* self, uint64_t slots) noexcept nogil:
    slots = next_class(slots + 1)
    if slots > MAX_POSITIONS:
        return TOO_MANY_POSITIONS
    self.n_positions = slots
    self.symbols = <uint32_t*>pages_new(slots * 4)
    self.weights = <uint64_t*>pages_new(slots // CLASS_SLOTS * 8 + 8)
    if self.symbols == NULL or self.weights == NULL:
        return NO_MEMORY
    # No word is in the first class, and none may be in the last.
    memset(self.symbols, 0xFF, CLASS_SLOTS * 4)
    memset(self.symbols + slots - CLASS_SLOTS, 0xFF, CLASS_SLOTS * 4)
    return OK


cdef inline void close_class(Words* self, uint64_t end) noexcept nogil:
    """Separators from behind that of the last word to where the next class begins."""
    memset(self.symbols + end, 0xFF, (next_class(end) - end) * 4)


cdef inline void place_word(Words* self, uint64_t at, const uint8_t* data, uint64_t size,
                            uint64_t weight) noexcept nogil:
    cdef uint32_t* symbols = self.symbols + at
    cdef uint64_t i = 0, n, k, point
    if self.points == NULL:
        for i in range(size):
            symbols[i] = self.byte_ids[data[i]]
    else:
        while i < size:
            n = char_at(data + i, size - i, &point)
            for k in range(n):
                symbols[i + k] = INSIDE if self.points[point] else SEPARATOR
            if self.points[point]:
                symbols[i] = symbols[i + n - 1] = self.points[point] - 1
            i += n
    symbols[size] = SEPARATOR
    for i in range(at // CLASS_SLOTS, (at + size) // CLASS_SLOTS + 1):
        self.weights[i] = weight


cdef void words_free(Words* self) noexcept nogil:
    pages_free(self.symbols, self.n_positions * 4)
    pages_free(self.weights, self.n_positions // CLASS_SLOTS * 8 + 8)
    free(self.points)
    free(self.byte_pairs)
