# The C interface of merging.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from bpetok._pairs cimport Pairs
from bpetok._vocab cimport Tables
from bpetok._workspace cimport Job, Key, Word, Workspace

cdef extern from "kernels.h" nogil:
    # A piece of a batch that is not among the words, and how many ids come before its own.
    ctypedef struct Gap "BpetokGap":
        uint32_t piece
        uint32_t at
    ctypedef struct Kernels "BpetokKernels":
        size_t (*make_keys)(const Word* words, uint64_t mask, const uint8_t* text, size_t start,
                            const size_t* ends, size_t count, const uint8_t* limit, uint64_t mark,
                            Key* keys) noexcept nogil
        size_t (*recall)(const Key* keys, size_t count, uint32_t* ids, size_t* n_ids,
                         Gap* gaps) noexcept nogil
        void (*merge_many)(const Pairs* t, Job* jobs, size_t count, int width) noexcept nogil

cdef enum:
    SHORT = 62                      # pieces up to this many bytes merge in registers

# Those of the tier in use.
cdef const Kernels* kernels() noexcept nogil
# Symbols that one piece merges to; negative is an error code.
cdef int64_t merge(const Tables* t, Workspace* ws, const uint8_t* p, size_t n, uint32_t* ids) noexcept nogil
# Ids in place of symbols that are none, in the result of merging `n` bytes, with room for twice as many.
cdef int64_t expand(const Tables* t, Workspace* ws, uint32_t* ids, size_t count, size_t n) noexcept nogil
# As `merge`, with merges dropped by the chance in `ws.dropout`.
cdef int64_t merge_dropout(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                           uint32_t* ids) noexcept nogil
