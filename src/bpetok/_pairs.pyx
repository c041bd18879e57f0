"""The table of merges, built: every pair gets a slot where it is found with one look.

The pairs of a group share a shift, and the builder looks for one that brings all of them to free slots
(hash and displace: Belazzougui, Botelho and Dietzfelbinger, 2009). Groups with many pairs come first,
while most slots are free. A table that is finished is filled to between 40 and 80 %. While pairs are
still being added it is at most half full, and each can be found at once. `_native/pairs.h` says how a
pair is found.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from bpetok.errors import VocabularyError

cdef extern from "pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef enum:
    LEAST_BITS = 12
    MORE_BITS = 2           # by which a table may be larger than its pairs need
    SHIFTS = 256
    GROUP_MOST = 64         # pairs of a group
    NONE = 0xFFFFFFFF

# A table whose pairs cannot be placed with one of these is tried with the next.
cdef uint64_t[4] ODDS = [0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0xA0761D6478BD642F]

cdef extern from "pairs.h" nogil:
    uint64_t pair_group "bpetok_pair_group"(const Pairs* t, uint64_t key)
    uint64_t pair_home "bpetok_pair_home"(const Pairs* t, uint64_t key)
    uint64_t SHIFT_BY "BPETOK_SHIFT_BY"


cdef size_t entry_bytes(int bits) noexcept:
    return ((<size_t>1 << bits) + 1) * sizeof(uint64_t)


cdef int pairs_new(Pairs* t, int bits, uint64_t odd) except -1:
    cdef size_t slot
    pairs_free(t)
    t.odd = odd
    t.bits = bits
    t.home_by = 64 - bits
    t.last = (<uint64_t>1 << bits) - 1
    t.entries = <uint64_t*>pages_new(entry_bytes(bits))
    t.shifts = <uint8_t*>calloc(<size_t>1 << (bits - 1), 1)
    if t.entries == NULL or t.shifts == NULL:
        raise MemoryError("no memory for the merges of a vocabulary")
    for slot in range(t.last + 2):
        t.entries[slot] = NO_RANK
    return 0


cdef void pairs_free(Pairs* t) noexcept:
    pages_free(t.entries, entry_bytes(t.bits))
    free(t.shifts)
    t.entries = NULL
    t.shifts = NULL


cdef int place_of_odd(uint64_t odd) except -1:
    cdef int i
    for i in range(4):
        if ODDS[i] == odd:
            return i
    raise ValueError(f"{odd} is not one of the multipliers")


cdef uint64_t odd_at(size_t place) except 0:
    if place >= 4:
        raise ValueError(f"there is no multiplier {place}")
    return ODDS[place]


cdef Merge* all_pairs(const Pairs* t, size_t* n) except NULL:
    cdef uint64_t slot, low, shift, home, pair, inverse = pow(t.odd, -1, 1 << 48)
    cdef uint32_t rank, last = 0
    cdef size_t count = 0
    cdef uint32_t* places = NULL            # of each rank, where it is among those found, from 1 on
    cdef Merge* found
    cdef Merge* ordered
    for slot in range(t.last + 1):
        rank = t.entries[slot] & NO_RANK
        if rank != NO_RANK:
            count += 1
            last = max(last, rank)
    found = <Merge*>malloc((count + 1) * sizeof(Merge))
    ordered = <Merge*>malloc((count + 1) * sizeof(Merge))
    places = <uint32_t*>calloc(<size_t>last + 1, sizeof(uint32_t))
    if found == NULL or ordered == NULL or places == NULL:
        free(found)
        free(ordered)
        free(places)
        raise MemoryError()
    count = 0
    for slot in range(t.last + 1):
        rank = t.entries[slot] & NO_RANK
        if rank != NO_RANK:
            # The entry has bits 16 to 55 of the key, which tell its group; and the slot tells the rest.
            low = t.entries[slot] >> 24 << 16
            shift = t.shifts[pair_group(t, low)] * SHIFT_BY
            home = (slot - shift ^ low >> 24) & t.last
            pair = (low | home >> (t.bits - 8) << 56) >> 16
            pair = pair * inverse & 0xFFFFFFFFFFFF
            found[count] = Merge(rank, <uint32_t>(pair >> 24), <uint32_t>(pair & 0xFFFFFF))
            count += 1
            places[rank] = <uint32_t>count
    n[0] = 0
    for slot in range(<uint64_t>last + 1):
        if places[slot]:
            ordered[n[0]] = found[places[slot] - 1]
            n[0] += 1
    free(found)
    free(places)
    return ordered


cdef class PairBuilder:
    """Adds pairs to a table, and finishes it. Not for two threads."""

    def __dealloc__(self):
        free(self.pairs)
        free(self.ranks)
        free(self.following)
        free(self.firsts)

    cdef int begin(self, Pairs* t, size_t n_pairs) except -1:
        """Make the table, with room for some pairs; it may become larger."""
        cdef int bits = LEAST_BITS
        self.t = t
        while n_pairs > <size_t>1 << (bits - 1):
            bits += 1
        return self.rebuild(bits)

    cdef int collect(self, uint32_t left, uint32_t right, uint32_t rank) except -1:
        """Add a pair that is found when the table is finished; then it must not be there twice."""
        cdef void* pairs
        cdef void* ranks
        cdef void* following
        if self.n == self.room:
            self.room = max(2 * self.room, <size_t>1024)
            pairs = realloc(self.pairs, self.room * sizeof(uint64_t))
            if pairs != NULL:
                self.pairs = <uint64_t*>pairs
            ranks = realloc(self.ranks, self.room * sizeof(uint32_t))
            if ranks != NULL:
                self.ranks = <uint32_t*>ranks
            following = realloc(self.following, self.room * sizeof(uint32_t))
            if following != NULL:
                self.following = <uint32_t*>following
            if pairs == NULL or ranks == NULL or following == NULL:
                self.room = self.n
                raise MemoryError("no memory for the merges of a vocabulary")
        self.pairs[self.n] = <uint64_t>left << 24 | right
        self.ranks[self.n] = rank
        self.n += 1
        return 0

    cdef int add(self, uint32_t left, uint32_t right, uint32_t rank) except -1:
        """Add a pair that is not there yet, and is found at once. Expected time O(1)."""
        cdef uint64_t group
        cdef uint32_t i
        self.collect(left, right, rank)
        if self.n > <size_t>1 << (self.t.bits - 1):
            return self.rebuild(self.t.bits + 1)
        group = pair_group(self.t, pair_key(self.t, left, right))
        i = self.firsts[group]
        while i != NONE:
            self.t.entries[pair_slot(self.t, self.key(i))] = NO_RANK
            i = self.following[i]
        self.chain(self.n - 1)
        if not self.place(group):
            self.rebuild(self.t.bits)
        return 0

    cdef int finish(self) except -1:
        """Make the table as small as it can be."""
        cdef int bits = LEAST_BITS
        while 10 * self.n > <size_t>8 << bits:
            bits += 1
        return self.rebuild(bits)

    cdef inline uint64_t key(self, size_t i) noexcept:
        return (self.pairs[i] << 16) * self.t.odd

    cdef inline bint chain(self, size_t i) noexcept:
        """Put a pair among those of its group. False if it is there already."""
        cdef uint64_t group = pair_group(self.t, self.key(i))
        cdef uint32_t other = self.firsts[group]
        while other != NONE:
            if self.pairs[other] == self.pairs[i]:
                self.twice[0], self.twice[1] = other, i
                return False
            other = self.following[other]
        self.following[i] = self.firsts[group]
        self.firsts[group] = <uint32_t>i
        return True

    cdef int rebuild(self, int bits) except -1:
        """Place all pairs anew, in 2^bits slots or, where they do not fit, up to four times as many."""
        cdef int more, attempt
        for more in range(MORE_BITS + 1):
            free(self.firsts)
            self.firsts = <uint32_t*>malloc(sizeof(uint32_t) << (bits + more - 1))
            if self.firsts == NULL:
                raise MemoryError("no memory for the merges of a vocabulary")
            for attempt in range(4):
                pairs_new(self.t, bits + more, ODDS[attempt])
                if self.spread() or self.twice[1]:
                    return 0
        raise VocabularyError("too many merges of this vocabulary fall into one place of the table of "
                              "pairs: no text leads to that, so the ids must have been chosen for it")

    cdef bint spread(self) noexcept:
        """Place all pairs, the largest groups first. False where some do not fit."""
        cdef size_t n_groups = <size_t>1 << (self.t.bits - 1), group, i, size
        cdef size_t[GROUP_MOST + 2] starts      # where the groups of each size start in `order`
        cdef uint8_t* sizes = <uint8_t*>calloc(n_groups, 1)
        cdef uint32_t* order = <uint32_t*>malloc(n_groups * sizeof(uint32_t))
        cdef bint fits = sizes != NULL and order != NULL
        memset(self.firsts, 0xFF, n_groups * sizeof(uint32_t))
        memset(starts, 0, sizeof(starts))
        if fits:
            for i in range(self.n):
                if not self.chain(i):
                    fits = False
                    break
                group = pair_group(self.t, self.key(i))
                sizes[group] += 1
                if sizes[group] > GROUP_MOST:
                    fits = False
                    break
        if fits:
            for group in range(n_groups):
                starts[GROUP_MOST + 1 - sizes[group]] += 1
            for i in range(1, GROUP_MOST + 2):
                starts[i] += starts[i - 1]
            for group in range(n_groups):
                size = GROUP_MOST - sizes[group]
                order[starts[size]] = <uint32_t>group
                starts[size] += 1
            for i in range(n_groups):
                if sizes[order[i]] == 0:
                    break
                if not self.place(order[i]):
                    fits = False
                    break
        free(sizes)
        free(order)
        return fits

    cdef bint place(self, uint64_t group) noexcept:
        """Find a shift for a group of which no pair is placed, and place them."""
        cdef uint64_t[GROUP_MOST] homes, slots
        cdef uint64_t shift, key
        cdef size_t n = 0, placed
        cdef uint32_t i = self.firsts[group]
        while i != NONE:
            if n == GROUP_MOST:
                return False
            homes[n] = pair_home(self.t, self.key(i))
            n += 1
            i = self.following[i]
        for shift in range(SHIFTS):
            placed = 0
            i = self.firsts[group]
            while placed < n:
                slots[placed] = (homes[placed] + shift * SHIFT_BY) & self.t.last
                if self.t.entries[slots[placed]] != NO_RANK:
                    break
                key = self.key(i)
                self.t.entries[slots[placed]] = key << 8 | self.ranks[i]
                i = self.following[i]
                placed += 1
            if placed == n:
                self.t.shifts[group] = <uint8_t>shift
                return True
            while placed:
                placed -= 1
                self.t.entries[slots[placed]] = NO_RANK
        return False
