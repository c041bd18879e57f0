# The C interface of the pretokenizer.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

# How words are matched.
cdef enum:
    WORD_PLAIN = 0      # [ ]?\p{L}+                           (gpt2)
    WORD_PREFIXED = 1   # [^\r\n\p{L}\p{N}]?\p{L}+             (cl100k)
    WORD_CASED = 2      # prefix, upper-like run, lower-like run (o200k)

# How contractions are matched.
cdef enum:
    CONTRACTION_NONE = 0
    CONTRACTION_EXACT = 1       # their own piece, lower case only
    CONTRACTION_ANY_CASE = 2    # their own piece, either case
    CONTRACTION_ATTACHED = 3    # end of a word, either case

cdef struct ScanSpec:
    int word                # WORD_*
    int contractions        # CONTRACTION_*
    int word_mask           # class bits of a word's characters (not for WORD_CASED)
    int punctuation_stop    # class bits that end a run of punctuation
    size_t digits           # the most numbers in a piece; 0: any
    bint number_space       # a space may lead a number
    bint tail_newlines      # punctuation takes the \r \n behind it
    bint tail_slashes       # and slashes among those
    bint newlines           # white space up to its last newline is a piece
    bint end_space          # white space at the end of the text is one piece

cdef class Scanner:
    cdef ScanSpec spec
    cdef readonly dict parameters

# Write the ends of up to `capacity` pieces of text[start:end]; returns how many. The last one
# written is where to continue. Positions count from `text`.
cdef size_t scan(const ScanSpec* spec, const uint8_t* text, size_t start, size_t end,
                 size_t* ends, size_t capacity) noexcept nogil
# Start of the character after the one at `pos`; a byte that starts no valid character stands alone.
cdef size_t next_char(const uint8_t* text, size_t pos, size_t end) noexcept nogil
