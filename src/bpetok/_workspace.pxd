# The C interface of workspaces: what a running call writes to, and the words that it remembers.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bpetok._vocab cimport hash_bytes, hash_key

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
        WORD "BPETOK_WORD"              # bytes of a word, which is its own key
    uint64_t ARENA "BPETOK_ARENA"
    # A word of up to 15 bytes and up to five ids, in half a cache line. `low` and `high` hold the bytes,
    # little end first, and the length in the top byte; `first` and `second` hold five ids of 24 bits and
    # their number in the top byte. The length is never 0 in a used entry. For a longer piece `low` is its
    # hash; its bytes, and more ids than five, lie in the arena, at the offset `first`: `second` of them.
    ctypedef struct Word "BpetokWord":
        uint64_t low
        uint64_t high
        uint64_t first
        uint64_t second
    # What is looked for among the words, and where it would be.
    ctypedef struct Key "BpetokKey":
        uint64_t low
        uint64_t high
        const Word* word
    # A piece of up to 62 bytes that is to be merged.
    ctypedef struct Job "BpetokJob":
        const uint8_t* p
        size_t n
        size_t n_ids
        uint32_t[62] ids

cdef enum:
    MISSES = 1024           # pieces that are missed before they are dealt with
    UNITS = 128             # what is looked for side by side

# A piece, or a part of a very long one, that the words did not give at once. Those of a whole window of
# text are listed and then dealt with together, so that there is always something to do while memory is on
# its way.
cdef struct Missed:
    Key key
    const uint8_t* p
    size_t n
    size_t at               # how many ids of the workspace come before its own
    size_t end              # where its own end among `found`; they begin where the last one's end
    bint part               # of a piece that was cut

# What ids are asked for: a missed piece, or a part of one that was cut.
cdef struct Unit:
    Key key
    const uint8_t* p
    size_t n
    size_t piece            # the missed one
    bint part               # of a piece that was cut
    bint last               # of the parts of its piece
    bint fresh              # not remembered yet
    const uint32_t* ids     # NULL while they are not known
    size_t n_ids
    uint32_t[8] few         # room for ids that lie nowhere else

cdef struct Misses:
    Missed* missed
    size_t n_missed
    size_t missed_capacity
    uint32_t* found         # their ids
    size_t n_found
    size_t found_capacity
    size_t n_units
    Unit[UNITS] units
    Job[UNITS] jobs

# Everything one running call may write to. Leased by a call, so never shared by two threads.
cdef struct Workspace:
    uint32_t* ids           # output
    size_t n_ids
    size_t ids_capacity
    size_t n_total          # ids counted so far by a call that keeps none
    bint keep
    size_t run_start        # where unknown ids began that may fuse with more of them
    size_t fused            # up to where they are fused
    uint64_t dropout        # how likely a merge is dropped, of 2^53; 0 for never
    uint64_t random         # state of the numbers that decide it
    uint8_t* utf8           # a str's text, transcoded
    size_t utf8_capacity
    Word* words             # NULL before the first piece
    Word[2] least           # what it points to when the process has no budget left for more
    uint64_t word_mask      # of buckets of two entries
    size_t learned          # words, since the cache last grew
    Misses* misses          # NULL before the first
    uint8_t* arena          # a ring of records: ids, then bytes
    size_t arena_size       # a power of two
    uint64_t arena_start    # the least offset that was written to this arena
    uint64_t arena_end      # the offset of the next record
    uint32_t[2] stood       # the last two tokens that were found to stand side by side
    uint32_t* nodes         # merging of long pieces
    size_t nodes_capacity
    size_t error_at         # where a missing byte was met
    int taken               # by a call; or by a thread that frees its cache
    uint64_t last_call      # a number that grows from call to call
    Workspace* following    # in the list of all

cdef Workspace* workspace_new() noexcept nogil
cdef void workspace_free(Workspace* ws) noexcept nogil
cdef void workspace_take(Workspace* ws) noexcept nogil
cdef void workspace_leave(Workspace* ws) noexcept nogil
cdef int room_for_ids(Workspace* ws, size_t more) noexcept nogil
cdef int room_for_found(Misses* m, size_t more) noexcept nogil
cdef int room_for_missed(Workspace* ws, size_t more) noexcept nogil
cdef void grow_words(Workspace* ws) noexcept nogil
cdef void remember(Workspace* ws, const Key* key, const uint8_t* p, size_t n, const uint32_t* ids,
                   size_t n_ids) noexcept nogil
cdef const Word* bring_back(const Workspace* ws, const Key* key) noexcept nogil


cdef inline Word* bucket(const Workspace* ws, const Key* key) noexcept nogil:
    """The two entries where a key belongs."""
    return ws.words + 2 * (hash_key(key.low, key.high) & ws.word_mask)


cdef inline uint64_t token_hash(const Key* key, const uint8_t* p, size_t n) noexcept nogil:
    """The hash of the bytes of a piece, which its key has or gives, unless the piece is very long."""
    if n <= WORD:
        return hash_key(key.low, key.high)
    return key.low if key.high else hash_bytes(p, n)


cdef inline Word* beside(const Workspace* ws, const Key* key) noexcept nogil:
    """The bucket for what a key's own bucket has given up: the next cache line, or the one before."""
    return ws.words + 2 * ((hash_key(key.low, key.high) ^ 1) & ws.word_mask)


cdef inline const Word* find_word(const Workspace* ws, const Key* key) noexcept nogil:
    """The entry of a key, wherever its ids lie, or NULL."""
    cdef const Word* word = bucket(ws, key)
    if word.low != key.low or word.high & ~ARENA != key.high:
        word += 1
        if word.low != key.low or word.high & ~ARENA != key.high:
            return NULL
    return word


cdef inline const uint8_t* record_of(const Workspace* ws, const Word* word) noexcept nogil:
    """What an entry says of the arena; NULL when that has been overwritten."""
    if word.first < ws.arena_start or ws.arena_end - word.first > ws.arena_size:
        return NULL
    return ws.arena + (word.first & (ws.arena_size - 1))
