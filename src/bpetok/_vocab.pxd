# The C interface of the vocabulary tables. Everything here is read-only once built.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
      #error "bpetok's word keys assume a little-endian machine"
    #endif
    #ifndef BPETOK_PREFETCH
      #if defined(__GNUC__) || defined(__clang__)
        #define BPETOK_PREFETCH(p) __builtin_prefetch(p)
      #else
        #define BPETOK_PREFETCH(p) ((void)0)
      #endif
    #endif
    """
    void BPETOK_PREFETCH(const void* p) noexcept nogil

cdef enum:
    MAX_TOKENS = (1 << 24) - 256    # ids fit 24 bits, so that five fit a word-cache entry
    NO_TOKEN = 0xFFFFFFFF

cdef enum:
    WHOLE = 1                       # a piece equal to the token is the token, unmerged
    SPECIAL = 2                     # a special token: known to decoding only

# A merge: `key` is left << 32 | right (all ones: an empty slot).
cdef struct PairSlot:
    uint64_t key
    uint32_t rank
    uint32_t token

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
    uint32_t[256] byte_token        # per byte: its token, or n_ids + the byte if there is none
    uint32_t n_missing              # bytes that are no token
    PairSlot* pairs
    uint64_t pair_mask
    uint64_t* byte_pairs            # per two bytes: rank << 32 | token of their merge, or all ones
    TokenSlot* tokens
    uint64_t token_mask

cdef class VocabTables:
    cdef Tables t
    cdef size_t arena_size
    cdef size_t arena_capacity
    cdef readonly uint32_t n_tokens     # without special tokens
    cdef uint32_t n_pairs
    cdef int allocate(self, uint32_t n_ids, size_t n_tokens, size_t n_pairs, size_t n_bytes) except -1
    cdef int add_token(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int index_token(self, uint32_t token, uint64_t h) except -1
    cdef int store(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int add_specials(self, dict special_tokens) except -1
    cdef int byte_of(self, uint32_t token) noexcept
    cdef int add_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1


cdef inline uint64_t load_up_to_8(const uint8_t* p, size_t n) noexcept nogil:
    # n <= 8 bytes at p, little end first, without reading past them.
    cdef uint64_t value = 0
    cdef uint32_t a = 0, b = 0
    if n >= 8:
        memcpy(&value, p, 8)
        return value
    if n >= 4:
        memcpy(&a, p, 4)
        memcpy(&b, p + n - 4, 4)
        return <uint64_t>a | (<uint64_t>b << (8 * (n - 4)))
    if n == 0:
        return 0
    return (<uint64_t>p[0]) | (<uint64_t>p[n >> 1] << (8 * (n >> 1))) | (<uint64_t>p[n - 1] << (8 * (n - 1)))


cdef inline uint64_t mix(uint64_t a, uint64_t b) noexcept nogil:
    # A few multiplications and shifts; the high half is the well-mixed one, so it is folded down.
    cdef uint64_t h = (a ^ (b * <uint64_t>0x9E3779B97F4A7C15)) * <uint64_t>0xD6E8FEB86659FD93
    h ^= h >> 32
    h *= <uint64_t>0xD6E8FEB86659FD93
    return h ^ (h >> 32)


cdef inline uint64_t hash_bytes(const uint8_t* p, size_t n) noexcept nogil:
    cdef uint64_t h = n
    while n > 8:
        h = mix(h, load_up_to_8(p, 8))
        p += 8
        n -= 8
    return mix(h, load_up_to_8(p, n))


cdef inline uint64_t pair_slot(const Tables* t, uint32_t left, uint32_t right) noexcept nogil:
    """Where the search for a pair starts."""
    return ((((<uint64_t>left << 32) | right) * <uint64_t>0x9E3779B97F4A7C15) >> 29) & t.pair_mask


cdef inline const PairSlot* find_pair(const Tables* t, uint32_t left, uint32_t right) noexcept nogil:
    """The slot of a pair's merge, or NULL."""
    cdef uint64_t key = (<uint64_t>left << 32) | right
    cdef uint64_t at = pair_slot(t, left, right)
    while True:
        if t.pairs[at].key == key:
            return &t.pairs[at]
        if t.pairs[at].key == <uint64_t>0xFFFFFFFFFFFFFFFF:
            return NULL
        at = (at + 1) & t.pair_mask


cdef inline uint32_t find_token(const Tables* t, const uint8_t* p, size_t n) noexcept nogil:
    """The token with these bytes, or NO_TOKEN."""
    cdef uint64_t h = hash_bytes(p, n)
    cdef uint64_t at = h & t.token_mask
    cdef uint32_t tag = <uint32_t>(h >> 32), token
    while True:
        token = t.tokens[at].token
        if token == NO_TOKEN:
            return NO_TOKEN
        if t.tokens[at].tag == tag and t.size[token] == n and memcmp(t.arena + t.start[token], p, n) == 0:
            return token
        at = (at + 1) & t.token_mask
