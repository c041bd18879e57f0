# The C interface of the merge engine.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from bpetok._scan cimport ScanSpec
from bpetok._vocab cimport Tables

# What a call without the GIL returns; `ws.error_at` says where in the text.
cdef enum:
    OK = 0
    NO_MEMORY = 1
    MISSING_BYTE = 2
    TOO_LONG = 3

cdef extern from "kernels.h" nogil:
    enum:
        WORD_IDS "BPETOK_WORD_IDS"      # ids that a word's entry has room for
        SLACK "BPETOK_SLACK"            # ids that encoding may write behind its results
    # A word of up to 15 bytes and up to five ids, in half a cache line. `low` and `high` hold the bytes,
    # little end first, and the length in the top byte; `first` and `second` hold five ids of 24 bits and
    # their number in the top byte. The length is never 0 in a used entry. For a longer piece `low` is its
    # hash; its bytes, and more ids than five, lie in the arena, at the offset `first`: `second` of them.
    ctypedef struct Word "BpetokWord":
        uint64_t low
        uint64_t high
        uint64_t first
        uint64_t second

# Everything one running call may write to. Leased by a call, so never shared by two threads.
cdef struct Workspace:
    uint32_t* ids           # output
    size_t n_ids
    size_t ids_capacity
    size_t n_total          # ids counted so far by a call that keeps none
    bint keep
    uint8_t* utf8           # a str's text, transcoded
    size_t utf8_capacity
    Word* words             # NULL before the first piece
    Word[2] least           # what it points to when the process has no budget left for more
    uint64_t word_mask      # of buckets of two entries
    size_t misses           # since the cache last grew
    uint8_t* arena          # a ring of records: ids, then bytes
    size_t arena_size       # a power of two
    uint64_t arena_start    # the least offset that was written to this arena
    uint64_t arena_end      # the offset of the next record
    uint32_t[2] stood       # the last two tokens that were found to stand side by side
    uint32_t* nodes         # merging of long pieces
    size_t nodes_capacity
    size_t error_at         # where a missing byte was met

cdef int64_t encode_piece(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                          uint32_t* ids) noexcept nogil
cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil
cdef int encode_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end) noexcept nogil
cdef int put_special(Workspace* ws, uint32_t token) noexcept nogil
cdef int room_for_ids(Workspace* ws, size_t more) noexcept nogil
cdef int room_for_utf8(Workspace* ws, size_t wanted) noexcept nogil
cdef Workspace* workspace_new() noexcept nogil
cdef void workspace_free(Workspace* ws) noexcept nogil
cdef void workspace_trim(Workspace* ws) noexcept nogil
