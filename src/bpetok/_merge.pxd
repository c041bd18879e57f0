# The C interface of the merge engine.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bpetok._scan cimport Scanner, ScanSpec, TextView
from bpetok._vocab cimport Tables, VocabTables

# A word of up to 15 bytes and up to five ids, in half a cache line. `low` and `high` hold the bytes,
# little end first, and the length in the top byte; `first` and `second` hold five ids of 24 bits and
# their number in the top byte. The length is never 0 in a used entry.
cdef struct WordEntry:
    uint64_t low
    uint64_t high
    uint64_t first
    uint64_t second

# A longer word: found by hash, then compared in full in the arena, where its size, its number of ids,
# the ids and the bytes lie one after the other.
cdef struct LongEntry:
    uint64_t hash
    uint64_t offset_plus_1

# Everything one running call may write to. Leased by a call, so never shared by two threads.
cdef struct Workspace:
    uint32_t* ids           # output
    size_t n_ids
    size_t ids_capacity
    size_t n_total          # ids counted so far by a call that keeps none
    bint keep
    uint8_t* utf8           # a str's text, transcoded
    size_t utf8_capacity
    WordEntry* words
    uint64_t word_mask      # of buckets of two entries
    size_t word_misses
    LongEntry* longs
    uint8_t* long_arena
    size_t long_used
    uint32_t* nodes         # merging of long pieces
    size_t nodes_capacity
    size_t error_at         # where a missing byte was met

cdef struct Special:
    uint32_t token
    uint32_t size
    size_t start            # in the bytes of all specials

cdef class Encoder:
    cdef readonly VocabTables tables
    cdef readonly Scanner scanner
    cdef object matcher
    cdef Special* specials
    cdef Py_ssize_t n_specials
    cdef bytes special_bytes
    cdef const uint8_t* special_base
    cdef uint32_t* special_slots
    cdef uint64_t special_mask
    cdef size_t* sizes
    cdef size_t n_sizes
    cdef uint8_t* first_two
    cdef int only_first
    cdef void** ints
    cdef uint32_t n_ints
    cdef Workspace** idle
    cdef Py_ssize_t n_idle

    cdef Workspace* lease(self) except NULL
    cdef void give_back(self, Workspace* ws) noexcept
    cdef size_t find_special(self, const uint8_t* text, size_t pos, size_t end, const uint8_t* mask,
                             Py_ssize_t* which) noexcept nogil
    cdef int encode_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) noexcept nogil
    cdef int match_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) except -2
    cdef int fill(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1
    cdef str special_text(self, Py_ssize_t which)
    cdef object fail(self, int status, const uint8_t* text, Workspace* ws)
    cdef list to_list(self, const uint32_t* ids, size_t n)
    cdef object integer(self, uint32_t token)
    cdef size_t gather(self, object tokens, uint32_t** out) except? 0
