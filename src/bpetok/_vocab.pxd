# The C interface of the vocabulary tables. Everything here is read-only once built.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
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
    BYTE = 4                        # one of the 256 tokens that stand for the bytes of unknown characters

# Where unknown characters side by side become one id.
cdef enum:
    FUSE_NEVER = 0
    FUSE_PIECE = 1                  # within a piece
    FUSE_TEXT = 2                   # within a text, between special tokens

# A token found by its bytes; `token` is NO_TOKEN in an empty slot.
cdef struct TokenSlot:
    uint32_t tag
    uint32_t token

# Merging knows ids, and behind them the symbols that are none: 256 for bytes that have no token, and with
# an alphabet of characters the hidden ones, which `VocabTables.from_characters` explains. "Per symbol" is
# for both.
cdef struct Tables:
    uint32_t n_ids                  # the largest id plus one
    uint32_t n_symbols              # the largest symbol plus one
    uint8_t* arena                  # the bytes of all symbols, 16 bytes of padding behind them
    uint32_t* start                 # per symbol: where its bytes start in the arena
    uint32_t* size                  # per symbol: how many; 0 for one that is not in use
    size_t longest                  # bytes of the longest token
    uint8_t* flags                  # per symbol: WHOLE, SPECIAL, BYTE
    Pairs pairs
    bint characters                 # whether the first merges build characters, `n_inner` of them
    uint32_t n_inner
    bint expands                    # whether merging may leave symbols that are no ids
    uint32_t* expansion             # what stands for these: ids, or NO_TOKEN where nothing does
    uint32_t* expansion_start       # per symbol behind the ids: where its own start; one more at the end
    uint32_t unknown                # the id of an unknown character, or NO_TOKEN
    int fuse                        # FUSE_NEVER, FUSE_PIECE or FUSE_TEXT
    uint32_t* tied                  # per rank: the first of those that go for equal; NULL where none do
    uint8_t[8192] crossing          # a bit for every two bytes that a merge can bring together
    uint64_t part_mark              # set in keys of parts, where a token may merge to something else
    TokenSlot* tokens
    uint64_t token_mask

cdef class VocabTables:
    cdef Tables t
    cdef size_t arena_size
    cdef size_t arena_capacity
    cdef readonly uint32_t n_tokens     # without special tokens
    cdef readonly dict unused           # id to the symbol that merging knows an unused token by
    cdef PairBuilder builder            # until all merges are there
    cdef int allocate(self, uint32_t n_ids, size_t n_hidden, size_t n_tokens, size_t n_bytes) except -1
    cdef int set_expansions(self, list expansions) except -1
    cdef int begin_pairs(self, size_t n_pairs, bint ranks_are_ids) except -1
    cdef int spell_bytes(self) except -1
    cdef int add_token(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int index_token(self, uint32_t token, uint64_t h) except -1
    cdef int store(self, uint32_t token, const uint8_t* data, size_t size) except -1
    cdef int add_specials(self, dict special_tokens) except -1
    cdef int add_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1
    cdef int join(self, int64_t left, int64_t right, uint32_t at, uint8_t* joined) except -1
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
