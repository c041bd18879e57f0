# The C interface of the table of merges.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "pairs.h" nogil:
    enum:
        NO_RANK "BPETOK_NO_RANK"
    ctypedef struct Pairs "BpetokPairs":
        uint64_t* entries
        uint8_t* shifts
        uint64_t odd
        uint64_t last
        int bits
        int home_by
        uint32_t* rank_token            # per rank: the id its merge makes; NULL where a rank is that id
        uint32_t* byte_rank             # per two bytes: the rank of their merge, or NO_RANK
        uint32_t[256] byte_token        # per byte: its token, or n_ids + the byte if there is none
    uint64_t pair_key "bpetok_pair_key"(const Pairs* t, uint32_t left, uint32_t right)
    uint64_t pair_slot "bpetok_pair_slot"(const Pairs* t, uint64_t key)
    uint32_t find_rank "bpetok_find_rank"(const Pairs* t, uint32_t left, uint32_t right)
    uint32_t token_of_rank "bpetok_merged"(const Pairs* t, uint32_t rank)

# An empty table; whoever makes one frees it.
cdef int pairs_new(Pairs* t, int bits, uint64_t odd) except -1
cdef void pairs_free(Pairs* t) noexcept
# The number that stands for an `odd` in a file, and back.
cdef int place_of_odd(uint64_t odd) except -1
cdef uint64_t odd_at(size_t place) except 0
cdef struct Merge:
    uint32_t rank
    uint32_t left
    uint32_t right

# All pairs in the order of ranks, and how many they are; the caller frees them.
cdef Merge* all_pairs(const Pairs* t, size_t* n) except NULL

cdef class PairBuilder:
    cdef Pairs* t                       # the table; its owner outlives the builder
    cdef uint64_t* pairs                # left << 24 | right
    cdef uint32_t* ranks
    cdef uint32_t* following            # the next one of the same group
    cdef uint32_t* firsts               # of each group
    cdef size_t n
    cdef size_t room
    cdef size_t[2] twice                # two places of one pair, which makes the table useless; else 0, 0

    cdef int begin(self, Pairs* t, size_t n_pairs) except -1
    cdef int collect(self, uint32_t left, uint32_t right, uint32_t rank) except -1
    cdef int add(self, uint32_t left, uint32_t right, uint32_t rank) except -1
    cdef int finish(self) except -1
    cdef int rebuild(self, int bits) except -1
    cdef uint64_t key(self, size_t i) noexcept
    cdef bint spread(self) noexcept
    cdef bint chain(self, size_t i) noexcept
    cdef bint place(self, uint64_t group) noexcept
