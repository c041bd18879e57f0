# The C interface of the vocabulary tables. Everything here is read-only once built.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from bpetok._pairs cimport PairBuilder, Pairs

cdef extern from "keys.h" nogil:
    void BPETOK_PREFETCH(const void* p)
    uint64_t PART "BPETOK_PART"
    uint64_t hash_key "bpetok_hash_key"(uint64_t low, uint64_t high)
    uint64_t hash_bytes "bpetok_hash_bytes"(const uint8_t* p, size_t n)

cdef enum:
    MAX_TOKENS = (1 << 24) - 256    # ids fit 24 bits, so that five fit a word-cache entry
    NO_TOKEN = 0xFFFFFFFF

cdef enum:
    WHOLE = 1                       # a piece equal to the token is the token, unmerged
    SPECIAL = 2                     # a special token: known to decoding only

# A token found by its bytes; `token` is NO_TOKEN in an empty slot.
cdef struct TokenSlot:
    uint32_t tag
    uint32_t token

cdef struct Tables:
    uint32_t n_ids                  # the largest id plus one
    uint8_t* arena                  # the bytes of all tokens, 16 bytes of padding behind them
    uint32_t* start                 # per id: where its bytes start in the arena
    uint32_t* size                  # per id: how many; 0 for an id that is not in use
    size_t longest                  # bytes of the longest token
    uint8_t* flags                  # per id: WHOLE, SPECIAL
    uint32_t n_missing              # bytes that are no token
    Pairs pairs
    uint8_t[8192] crossing          # a bit for every two bytes that a merge can bring together
    uint64_t part_mark              # set in keys of parts, where a token may merge to something else
    TokenSlot* tokens
    uint64_t token_mask

cdef class VocabTables:
    cdef Tables t
    cdef size_t arena_size
    cdef size_t arena_capacity
    cdef readonly uint32_t n_tokens     # without special tokens
    cdef PairBuilder builder            # until all merges are there
    cdef int allocate(self, uint32_t n_ids, size_t n_tokens, size_t n_bytes) except -1
    cdef int add_token(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int index_token(self, uint32_t token, uint64_t h) except -1
    cdef int store(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int add_specials(self, dict special_tokens) except -1
    cdef int add_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1
    cdef int link_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1

cdef inline bint crosses(const Tables* t, uint8_t left, uint8_t right) noexcept nogil:
    """Whether a merge may join what ends in one byte with what begins with the other."""
    return t.crossing[<uint32_t>left << 5 | right >> 3] >> (right & 7) & 1


cdef inline uint32_t find_token(const Tables* t, const uint8_t* p, size_t n, uint64_t h) noexcept nogil:
    """The token with these bytes and their hash, or NO_TOKEN."""
    cdef uint64_t at = h & t.token_mask
    cdef uint32_t tag = <uint32_t>(h >> 32), token
    while True:
        token = t.tokens[at].token
        if token == NO_TOKEN:
            return NO_TOKEN
        if t.tokens[at].tag == tag and t.size[token] == n and memcmp(t.arena + t.start[token], p, n) == 0:
            return token
        at = (at + 1) & t.token_mask
