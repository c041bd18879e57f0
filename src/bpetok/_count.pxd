# The C interface of the counting table.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from bpetok._scan cimport ScanSpec

cdef extern from *:
    """
    #define BPETOK_CODE_POINTS 0x110000
    """
    const uint64_t CODE_POINTS "BPETOK_CODE_POINTS"

cdef extern from *:
    """
    #define BPETOK_MAX_COUNT 0x7FFFFFFFFFFFFFFFULL
    """
    const uint64_t MAX_COUNT "BPETOK_MAX_COUNT"

# What a call without the GIL returns.
cdef enum:
    OK = 0
    NO_MEMORY = -1
    COUNT_OVERFLOW = -2

# A piece of up to 15 bytes is its own key: the bytes, zeros, and the length in the last byte. The key of
# a longer one is a 64-bit hash and 0xFF in the last byte, with its place in the arena in the bytes before;
# the arena has the length and the bytes, which are compared in full. An entry with count 0 is empty. Entries
# stand in the order of their hashes, but for those that found their slot taken and went on to a later one.
cdef struct Entry:
    uint64_t lo
    uint64_t hi
    uint64_t count

cdef class PieceCounts:
    cdef Entry* entries
    cdef uint64_t n_slots
    cdef uint64_t n_parts
    cdef uint64_t used
    cdef uint8_t* arena             # pieces of 16 bytes and more: length (8 bytes), bytes
    cdef uint64_t arena_size
    cdef uint64_t arena_room
    cdef uint64_t pieces            # the sum of all counts

    # The bytes of an entry; valid while the entry stays where it is.
    cdef const uint8_t* piece(self, const Entry* entry, uint64_t* size) noexcept nogil
    cdef Entry* home(self, uint64_t lo, uint64_t hi) noexcept nogil
    cdef Entry* next(self, Entry* entry) noexcept nogil
    cdef bint same(self, const Entry* entry, uint64_t lo, uint64_t hi, const uint8_t* data,
                   size_t size) noexcept nogil
    cdef void prefetch_bytes(self, const Entry* entry) noexcept nogil
    cdef int make_room(self, uint64_t n) noexcept nogil
    cdef int resize(self, uint64_t n_slots) noexcept nogil
    cdef int store_long(self, Entry* entry, const uint8_t* data, uint64_t size) noexcept nogil
    cdef int bump(self, Entry* entry, uint64_t lo, uint64_t hi, const uint8_t* data, size_t size,
                  uint64_t n) noexcept nogil
    cdef int count_bytes(self, const ScanSpec* spec, const uint8_t* text, size_t start, size_t stop,
                         size_t end) noexcept nogil
    cdef int add_bytes(self, const uint8_t* data, size_t size, uint64_t n) noexcept nogil
    cdef int add_table(self, PieceCounts other) noexcept nogil
    cdef uint64_t find(self, const uint8_t* data, size_t size) noexcept nogil

# The number of bytes of the character at `data`, with its code point; 1 and CODE_POINTS for a byte that is
# not UTF-8.
cdef uint64_t char_at(const uint8_t* data, uint64_t size, uint64_t* point) noexcept nogil
