# The C interface of the pretokenizer.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

cdef extern from "scan_spec.h" nogil:
    enum:
        WORD_PLAIN
        WORD_PREFIXED
        WORD_CASED
        WORD_SPACED
        WORD_WHOLE
        WORD_APART
    enum:
        CONTRACTION_NONE
        CONTRACTION_EXACT
        CONTRACTION_ANY_CASE
        CONTRACTION_ATTACHED
        CONTRACTION_ASCII

    ctypedef struct ScanSpec:
        int word
        int contractions
        int word_mask
        int punctuation_stop
        size_t digits
        bint number_space
        bint numbers_apart
        bint tail_newlines
        bint tail_slashes
        bint newlines
        bint end_space
        size_t words

cdef class Scanner:
    cdef ScanSpec spec
    cdef readonly dict parameters

# Write the ends of up to `capacity` pieces of text[start:end]; returns how many. The last one
# written is where to continue. Positions count from `text`.
cdef size_t scan(const ScanSpec* spec, const uint8_t* text, size_t start, size_t end,
                 size_t* ends, size_t capacity) noexcept nogil
# Start of the character after the one at `pos`; a byte that starts no valid character stands alone.
cdef size_t next_char(const uint8_t* text, size_t pos, size_t end) noexcept nogil

# ---- cutting a text ------------------------------------------------------------------------------
# The last position in start < p <= last (p < end) where pieces end in any text that goes on like this
# one to `end`, whatever the parameters of the scanner (if it knows words) and whatever follows; `start` if
# there is none. With
# `spaces`, pieces may hold several words, and a space does not end one.
cdef size_t last_cut(const uint8_t* text, size_t start, size_t last, size_t end, bint spaces) noexcept nogil
