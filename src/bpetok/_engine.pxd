# The C interface of the engine: pieces to ids.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t

from bpetok._scan cimport ScanSpec
from bpetok._vocab cimport Tables
from bpetok._workspace cimport Workspace

cdef enum:
    BATCH = 256                     # pieces scanned, keyed and prefetched before the first is looked up

cdef int64_t encode_piece(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                          uint32_t* ids) noexcept nogil
cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil
cdef int append_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end, const uint8_t* limit) noexcept nogil
cdef int complete(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                  const uint8_t* limit, int status) noexcept nogil
cdef int encode_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end) noexcept nogil
# The last position in start < p <= last (p < end) before which all can be encoded, whatever follows `end`;
# `start` if there is none.
cdef size_t last_cut_of(const Tables* t, const Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t last, size_t end) noexcept nogil
cdef void begin_text(Workspace* ws) noexcept nogil
cdef int put_special(Workspace* ws, uint32_t token) noexcept nogil
