"""The pairs that may be merged, with their counts: a hash table with linear probing.

Pairs that are out of the race go when room is needed: in the end there would be more of them than of those
that wait.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

cdef extern from "_native/pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_release "bpetok_pages_free"(void* start, size_t size)

cdef enum:
    LEAST_BITS = 12


cdef inline bint has_room(const PairCounts* self, uint64_t n) noexcept nogil:
    return n * 8 <= self.n_slots * 5


cdef inline bint alive(const PairEntry* entry) noexcept nogil:
    return entry.key != NO_KEY and (entry.count > 0 or entry.postings != NULL)


cdef bint pairs_new(PairCounts* self, uint64_t n) noexcept nogil:
    cdef uint64_t i
    self.n_slots = 1 << LEAST_BITS
    self.shift = 64 - LEAST_BITS
    while not has_room(self, n):
        self.n_slots *= 2
        self.shift -= 1
    self.used = 0
    self.entries = <PairEntry*>pages_new(self.n_slots * sizeof(PairEntry))
    if self.entries == NULL:
        return False
    for i in range(self.n_slots):
        self.entries[i].key = NO_KEY
    return True


cdef void pairs_free(PairCounts* self) noexcept nogil:
    pages_release(self.entries, self.n_slots * sizeof(PairEntry))
    self.entries = NULL


cdef PairEntry* insert(PairCounts* self, PairEntry* entry, uint64_t key) noexcept nogil:
    cdef PairCounts old
    cdef uint64_t i, n = 0
    if not has_room(self, self.used + 1):
        old = self[0]
        for i in range(old.n_slots):
            n += alive(&old.entries[i])
        # With room for half as many again, so that the next time is far away.
        if not pairs_new(self, n + n // 2 + 1):
            self[0] = old
            return NULL
        for i in range(old.n_slots):
            if alive(&old.entries[i]):
                slot_of(self, old.entries[i].key)[0] = old.entries[i]
        self.used = n
        pairs_free(&old)
        entry = slot_of(self, key)
    self.used += 1
    entry.key = key
    entry.count = 0
    entry.postings = NULL
    entry.n_postings = 0
    return entry
