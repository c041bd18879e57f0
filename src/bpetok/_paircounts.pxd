# The C interface of the table of the pairs that may be merged.

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #define BPETOK_NO_KEY 0xFFFFFFFFFFFFFFFFULL
    """
    const uint64_t NO_KEY "BPETOK_NO_KEY"

cdef struct PairEntry:
    uint64_t key                # left << 32 | right; NO_KEY: empty
    uint64_t count
    uint32_t* postings          # ascending
    uint32_t n_postings
    uint32_t first              # with ties by place: the first good posting, as it was when queued

cdef struct PairCounts:
    PairEntry* entries
    uint64_t n_slots            # a power of two
    int shift
    uint64_t used

cdef inline uint64_t pair_key(uint32_t left, uint32_t right) noexcept nogil:
    return <uint64_t>left << 32 | right

cdef inline uint32_t left_of(uint64_t key) noexcept nogil:
    return <uint32_t>(key >> 32)

cdef inline uint32_t right_of(uint64_t key) noexcept nogil:
    return <uint32_t>key

# Where the search for a pair begins.
cdef inline PairEntry* home_of(const PairCounts* self, uint64_t key) noexcept nogil:
    cdef uint64_t h = key * <uint64_t>0x9E3779B97F4A7C15
    return &self.entries[(h ^ (h >> 32)) * <uint64_t>0xD6E8FEB86659FD93 >> self.shift]

# The entry of a pair, or the empty one where it would go.
cdef inline PairEntry* slot_of(const PairCounts* self, uint64_t key) noexcept nogil:
    cdef PairEntry* entry = home_of(self, key)
    while entry.key != key and entry.key != NO_KEY:
        entry += 1
        if entry == self.entries + self.n_slots:
            entry = self.entries
    return entry

# An empty table with room for n pairs; false when memory is short. The entries of another are not freed.
cdef bint pairs_new(PairCounts* self, uint64_t n) noexcept nogil
cdef void pairs_free(PairCounts* self) noexcept nogil
# Take an empty entry for a pair, with count 0 and no postings; NULL when memory is short. Others may move,
# and those go that have neither count nor postings: they were merged, or are too rare to be.
cdef PairEntry* insert(PairCounts* self, PairEntry* entry, uint64_t key) noexcept nogil
