# The C interface of an encoder.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

from bpetok._scan cimport Scanner
from bpetok._specials cimport Specials
from bpetok._text cimport TextView
from bpetok._vocab cimport VocabTables
from bpetok._workspace cimport Workspace

cdef enum:
    REJECTED = -1       # a status beside those of `_workspace`: a special token is in the text

cdef class Encoder:
    cdef readonly VocabTables tables
    cdef readonly Scanner scanner
    cdef object matcher
    cdef object findall
    cdef Specials specials
    cdef bytes all_marks            # one byte of 1 for each special; None where there are none
    cdef readonly bytes always      # marks of those that are found in every text; None where there are none
    cdef bytes others               # marks of the others; None for all
    cdef const uint8_t* rejected    # the same; NULL for all
    cdef object preparation         # of texts, or None
    cdef object decode_ids            # of ids, or None
    cdef Workspace** idle
    cdef Py_ssize_t n_idle

    cdef VocabTables known(self)
    cdef Workspace* lease(self) except NULL
    cdef void give_back(self, Workspace* ws) noexcept
    cdef int encode_span(self, Workspace* ws, const uint8_t* text, size_t* start, size_t stop, size_t end,
                         const uint8_t* mask) noexcept nogil
    cdef int encode_view(self, Workspace* ws, const TextView* view, const uint8_t* mask, bint reject,
                         Py_ssize_t* rejected) noexcept nogil
    cdef int match_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) except -2
    cdef int put_pieces(self, Workspace* ws, list pieces, const uint8_t* text, size_t start, size_t end,
                        bint ascii) except -2
    cdef int match_segment(self, Workspace* ws, const uint8_t* text, size_t start, size_t end) except -2
    cdef int fill(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1
    cdef int fill_text(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1
    cdef int fill_matched(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1
    cdef int fail(self, int status, object text, bint reject, Workspace* ws) except -1
    cdef bytes policy(self, object text, object allowed_special, object disallowed_special, bint* reject)

cdef const uint8_t* marks(bytes mask) noexcept
