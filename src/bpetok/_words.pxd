# The C interface of the words that merges are learned from.

from libc.stdint cimport uint32_t, uint64_t

from bpetok._count cimport PieceCounts

cdef enum:
    TOO_MANY_POSITIONS = -3     # beside the codes of `_count`

cdef enum:
    CLASS_SLOTS = 32            # slots that share one weight
    MAX_POSITIONS = 0xFFFFFF00  # of slots, and of ids
    SEPARATOR = 0xFFFFFFFF
    INSIDE = 0xFFFFFFFE

# A pair of neighbouring bytes.
cdef struct BytePair:
    uint64_t count
    uint32_t n                      # places
    uint32_t first                  # of them, where words are laid out in order

# All words (distinct pieces) of two bytes and more lie in one array of 32-bit symbols, a slot a byte, with
# a separator behind each. They begin as single bytes or as characters; those that are not in the alphabet are
# separators, too. A token's id is in the slots of its first and last byte; where a token of two
# and more bytes was joined to the one before it, its first slot says INSIDE. So the token before slot p is
# symbols[p - 1], the one behind a token of length n is symbols[p + n], and joining two tokens writes three
# slots. A posting (the slot where a pair was seen) is still good if symbols[p] == left and
# symbols[p + length of left] == right: a slot that a token has left never holds its id again, because
# tokens only grow. Words of equal count lie together, from a slot divisible by CLASS_SLOTS, so that a
# slot's weight (its word's count) is weights[p / CLASS_SLOTS].
cdef struct Words:
    BytePair* byte_pairs            # by the two bytes, as the words begin; NULL with characters
    uint32_t* symbols
    uint64_t* weights
    uint64_t n_positions
    uint64_t n_pairs                # of neighbouring bytes
    uint64_t pairs_in_all           # the sum of their counts
    uint32_t[256] byte_ids          # what words begin as:
    uint32_t* points                # code point to 1 + id of a character, 0 for none; NULL with bytes

# Lay the words out by falling count.
cdef int place_words(Words* self, PieceCounts counts) noexcept nogil
# Lay them out as they are given, each in classes of its own.
cdef int place_in_order(Words* self, PieceCounts counts, list order)
cdef void words_free(Words* self) noexcept nogil
