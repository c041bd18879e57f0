"""Merge engine: pieces to ids, exactly, from a word cache or by merging; all of it without the GIL.

`encode_segment` scans a stretch of text into batches of 256 pieces (`_scan`), and each piece is looked
up in the word cache of the workspace. Those that are not there are found whole in the vocabulary or
merged pair by pair, several at once (`learn`), and then remembered. Ids go into the workspace's growing
buffer of 32-bit integers.

Merging always takes the leftmost of the pairs of the lowest rank until none is left. `merge_short` and
`merge_many` (`_native/merge_short.h`) find it among up to 62 bytes in registers. `merge_long` merges longer
pieces in chunks and mends the borders, or, where that does not do, with a heap, in O(n log n)
(`merge_heap`). A pair's rank and result come from one table of (left id, right id), whatever the
vocabulary's semantics: with *ranks*, the only pair that can ever form a token is the one that merging
the token alone ends with (what lies inside its span merges there in the same order as anywhere else), and
`link_ranks` finds it for every token. The proofs are in `docs/architecture.md`.

The cache is exact: short words are their own key, long ones are compared in full. It belongs to a
workspace, which a call leases, so no thread reads what another writes. Its growth is bounded per
workspace and, by a shared budget, per process.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy

from bpetok._cpu cimport tier
from bpetok._scan cimport ScanSpec, scan
from bpetok._vocab cimport (
    BPETOK_PREFETCH, NO_RANK, NO_TOKEN, PART, WHOLE, Pairs, Tables, VocabTables, crosses, find_rank,
    find_token, hash_bytes, hash_key, token_of_rank)

from bpetok.errors import VocabularyError

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
      #define BPETOK_ADD(p, n) __atomic_add_fetch((p), (n), __ATOMIC_RELAXED)
    #else
      #define BPETOK_ADD(p, n) (*(p) += (n))
    #endif
    """
    int64_t BPETOK_ADD(int64_t* p, int64_t n) noexcept nogil

cdef extern from "pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef extern from "kernels.h" nogil:
    enum:
        WORD "BPETOK_WORD"              # bytes of a word, which is its own key
    uint64_t ARENA "BPETOK_ARENA"
    ctypedef struct Key "BpetokKey":
        uint64_t low
        uint64_t high
        uint64_t hash
        const Word* word
    ctypedef struct Job "BpetokJob":
        const uint8_t* p
        size_t n
        size_t index
        size_t n_ids
        uint32_t[62] ids
    ctypedef struct Kernels "BpetokKernels":
        size_t (*merge_short)(const Pairs* t, const uint8_t* p, size_t n, uint32_t* ids) noexcept nogil
        size_t (*make_keys)(const Word* words, uint64_t mask, const uint8_t* text, size_t start,
                            const size_t* ends, size_t count, const uint8_t* limit, uint64_t mark, Key* keys,
                            uint16_t* longer) noexcept nogil
        size_t (*recall)(const Key* keys, size_t begin, size_t count, uint32_t** out) noexcept nogil
        void (*merge_many)(const Pairs* t, Job* jobs, size_t count, int width) noexcept nogil
    Kernels bpetok_kernels(int tier)

cdef enum:
    BATCH = 256                     # pieces scanned, keyed and prefetched before the first is looked up
    SHORT = 62                      # pieces up to this many bytes merge in registers
    CHUNK = 48                      # bytes that a longer piece is merged by; a multiple of many periods
    CHUNKS = 64                     # of them side by side
    WINDOW = 512                    # bytes that may be merged anew where two chunks meet
    MENDED = 16                     # tokens before the border that may be
    JOBS = 64                       # words of a batch that are merged side by side
    WORDS_FIRST = 1 << 10           # buckets (of two words) of a new cache, and at most
    WORDS_MOST = 1 << 18
    CACHE_BUDGET = 64 << 20         # bytes of all caches in the process
    KEEP_BYTES = 1 << 22            # scratch that an idle workspace may keep

cdef int64_t cache_bytes = 0        # of all workspaces; only through BPETOK_ADD
cdef Kernels kernels = bpetok_kernels(tier())


# ---- merging -------------------------------------------------------------------------------------

cdef inline uint64_t ranked(const Tables* t, uint32_t left, uint32_t right) noexcept nogil:
    """rank << 32 | merged id of a pair, or NO_RANK << 32."""
    cdef uint64_t rank = find_rank(&t.pairs, left, right)
    return (rank << 32) | (0 if rank == NO_RANK else token_of_rank(&t.pairs, <uint32_t>rank))


cdef inline void sift_down(uint64_t* heap, size_t n, size_t at) noexcept nogil:
    cdef uint64_t value = heap[at]
    cdef size_t child
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and heap[child + 1] < heap[child]:
            child += 1
        if value <= heap[child]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


cdef inline void sift_up(uint64_t* heap, size_t at) noexcept nogil:
    cdef uint64_t value = heap[at]
    cdef size_t parent
    while at > 0:
        parent = (at - 1) // 2
        if heap[parent] <= value:
            break
        heap[at] = heap[parent]
        at = parent
    heap[at] = value


cdef int64_t merge_heap(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                        uint32_t* ids) noexcept nogil:
    """As `merge_short` for a piece of any length, in O(n log n). Negative: no memory, or too long.

    Nodes are byte positions in a doubly linked list; the heap holds rank << 32 | position. An entry is
    stale when its rank is no longer the rank of the pair that starts there.
    """
    cdef uint32_t* following        # of a node; n for the last
    cdef uint32_t* previous         # n for the first
    cdef uint32_t* rank             # of the pair (node, following)
    cdef uint32_t* merged           # its id
    cdef uint64_t* heap
    cdef uint64_t top
    cdef size_t i, size = 0, at, right, beyond, count, capacity
    if n >= <size_t>0xFFFFFFFF:
        return -TOO_LONG
    # Each merge adds at most two entries to the first n - 1: 3 n in all.
    capacity = 10 * (n + 1)
    if ws.nodes_capacity < capacity:
        free(ws.nodes)
        ws.nodes = <uint32_t*>malloc(capacity * sizeof(uint32_t))
        ws.nodes_capacity = capacity if ws.nodes != NULL else 0
        if ws.nodes == NULL:
            return -NO_MEMORY
    heap = <uint64_t*>ws.nodes
    following = ws.nodes + 6 * (n + 1)
    previous = following + (n + 1)
    rank = previous + (n + 1)
    merged = rank + (n + 1)
    for i in range(n):
        ids[i] = t.pairs.byte_token[p[i]]
        following[i] = <uint32_t>(i + 1)
        previous[i] = <uint32_t>(i - 1 if i else n)
    for i in range(n):
        top = ranked(t, ids[i], ids[i + 1]) if i + 1 < n else <uint64_t>NO_RANK << 32
        rank[i] = <uint32_t>(top >> 32)
        merged[i] = <uint32_t>top
        if rank[i] != NO_RANK:
            heap[size] = (top & <uint64_t>0xFFFFFFFF00000000) | i
            size += 1
    i = size // 2
    while i > 0:
        i -= 1
        sift_down(heap, size, i)
    while size:
        top = heap[0]
        size -= 1
        heap[0] = heap[size]
        if size:
            sift_down(heap, size, 0)
        at = <uint32_t>top
        if rank[at] != <uint32_t>(top >> 32):
            continue
        right = following[at]
        beyond = following[right]
        ids[at] = merged[at]
        rank[right] = NO_RANK
        following[at] = <uint32_t>beyond
        rank[at] = NO_RANK
        if beyond < n:
            previous[beyond] = <uint32_t>at
            top = ranked(t, ids[at], ids[beyond])
            rank[at] = <uint32_t>(top >> 32)
            merged[at] = <uint32_t>top
            if rank[at] != NO_RANK:
                heap[size] = (top & <uint64_t>0xFFFFFFFF00000000) | at
                sift_up(heap, size)
                size += 1
        right = previous[at]
        if right < n:
            top = ranked(t, ids[right], ids[at])
            rank[right] = <uint32_t>(top >> 32)
            merged[right] = <uint32_t>top
            if rank[right] != NO_RANK:
                heap[size] = (top & <uint64_t>0xFFFFFFFF00000000) | right
                sift_up(heap, size)
                size += 1
    count = 0
    at = 0
    while at < n:
        ids[count] = ids[at]
        count += 1
        at = following[at]
    return <int64_t>count


cdef int64_t merge_bytes(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                         uint32_t* ids) noexcept nogil:
    if n <= SHORT:
        return <int64_t>kernels.merge_short(&t.pairs, p, n, ids)
    return merge_heap(t, ws, p, n, ids)


cdef size_t spell(const Tables* t, const uint32_t* ids, size_t count, uint8_t* out,
                  size_t room) noexcept nogil:
    """The bytes of tokens, joined; returns how many, or `room` + 1 when they do not fit."""
    cdef size_t i, n = 0
    for i in range(count):
        if n + t.size[ids[i]] > room:
            return room + 1
        memcpy(out + n, t.arena + t.start[ids[i]], t.size[ids[i]])
        n += t.size[ids[i]]
    return n


cdef int stand(const Tables* t, Workspace* ws, uint32_t left, uint32_t right) noexcept nogil:
    """Whether the bytes of two tokens, side by side, merge to these two. Negative: cannot be told here."""
    cdef uint8_t joined[WINDOW]
    cdef uint32_t ids[WINDOW]
    cdef uint32_t pair[2]
    cdef size_t n
    if ws.stood[0] == left and ws.stood[1] == right:
        return True
    pair[0] = left
    pair[1] = right
    n = spell(t, pair, 2, joined, WINDOW)
    if n > WINDOW:
        return -1
    if merge_bytes(t, ws, joined, n, ids) != 2 or ids[0] != left or ids[1] != right:
        return False
    ws.stood[0] = left
    ws.stood[1] = right
    return True


cdef int64_t join(const Tables* t, Workspace* ws, uint32_t* ids, size_t count, const uint32_t* more,
                  size_t n_more) noexcept nogil:
    """Append the ids of the next chunk to those of all before it; returns how many they are together.

    Where the two at the border do not stand side by side, they and as many around them as needed are
    merged anew. Negative: too many would be needed.
    """
    cdef uint8_t joined[WINDOW]
    cdef uint32_t between[WINDOW]
    cdef size_t left = 0, right = 0, n, n_left
    cdef int64_t found = 0
    cdef int fits = stand(t, ws, ids[count - 1], more[0])
    while fits == 0:
        # One more on the side that does not fit; at first one on either side.
        if found == 0:
            left = 1
            right = 1
        if left > MENDED:
            return -1
        n_left = spell(t, ids + count - left, left, joined, WINDOW)
        if n_left > WINDOW:
            return -1
        n = n_left + spell(t, more, right, joined + n_left, WINDOW - n_left)
        if n > WINDOW:
            return -1
        found = merge_bytes(t, ws, joined, n, between)
        if found < 0:
            return -1
        fits = True
        if left < count:
            fits = stand(t, ws, ids[count - left - 1], between[0])
            left += fits == 0
        if fits == 1 and right < n_more:
            fits = stand(t, ws, between[found - 1], more[right])
            right += fits == 0
    if fits < 0:
        return -1
    count -= left
    memcpy(ids + count, between, <size_t>found * sizeof(uint32_t))
    count += <size_t>found
    memcpy(ids + count, more + right, (n_more - right) * sizeof(uint32_t))
    return <int64_t>(count + n_more - right)


cdef int64_t merge_run(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                       uint32_t* ids) noexcept nogil:
    """As `merge_long` for one byte again and again, with the same proof: where the first token of a part
    of the run stands before itself, any number of it stands before that part."""
    cdef int64_t found = merge_heap(t, ws, p, WINDOW, ids)
    cdef uint32_t first = ids[0]
    cdef size_t times = (n - WINDOW) // t.size[first], k
    if found > 1 and ids[1] == first:
        found = merge_heap(t, ws, p, n - times * t.size[first], ids + times)
        if found > 0 and ids[times] == first:
            for k in range(times):
                ids[k] = first
            return <int64_t>times + found
    return merge_heap(t, ws, p, n, ids)


cdef int64_t merge_long(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                        uint32_t* ids) noexcept nogil:
    """As `merge_short` for a piece of any length: chunk by chunk, and mended at the borders.

    Tokens are what their joined bytes merge to if, and only if, this holds for each two neighbours (the
    proof is in `docs/architecture.md`). So it does not matter where the chunks were cut. Text of a short
    period has equal chunks, which are merged once.
    """
    cdef Job jobs[CHUNKS]
    cdef uint8_t job_of[CHUNKS]
    cdef size_t at = 0, size, count = 0, n_jobs, n_chunks, k
    cdef int64_t found
    if t.n_missing:
        return merge_heap(t, ws, p, n, ids)
    if n > 2 * WINDOW and memcmp(p, p + 1, n - 1) == 0:
        return merge_run(t, ws, p, n, ids)
    while at < n:
        n_jobs = 0
        n_chunks = 0
        while at < n and n_chunks < CHUNKS:
            size = min(<size_t>CHUNK, n - at)
            if n_jobs == 0 or size != CHUNK or memcmp(p + at, jobs[n_jobs - 1].p, CHUNK) != 0:
                jobs[n_jobs].p = p + at
                jobs[n_jobs].n = size
                n_jobs += 1
            job_of[n_chunks] = <uint8_t>(n_jobs - 1)
            n_chunks += 1
            at += size
        kernels.merge_many(&t.pairs, jobs, n_jobs, 4)
        for k in range(n_chunks):
            if count == 0:
                count = jobs[0].n_ids
                memcpy(ids, jobs[0].ids, count * sizeof(uint32_t))
                continue
            found = join(t, ws, ids, count, jobs[job_of[k]].ids, jobs[job_of[k]].n_ids)
            if found < 0:
                return merge_heap(t, ws, p, n, ids)
            count = <size_t>found
    return <int64_t>count


cdef int64_t merge(const Tables* t, Workspace* ws, const uint8_t* p, size_t n, uint32_t* ids) noexcept nogil:
    """Ids of one piece by merging; negative is an error code, with `ws.error_at` a position in the piece."""
    cdef int64_t count, i
    if n <= SHORT:
        count = <int64_t>kernels.merge_short(&t.pairs, p, n, ids)
    else:
        count = merge_long(t, ws, p, n, ids)
    if t.n_missing:
        # A byte that is no token and that no merge has taken in.
        ws.error_at = 0
        for i in range(count):
            if ids[i] >= t.n_ids:
                return -MISSING_BYTE
            ws.error_at += t.size[ids[i]]
    return count


cdef int64_t encode_whole(const Tables* t, const uint8_t* p, size_t n, uint64_t hash,
                          uint32_t* ids) noexcept nogil:
    """1 and the id when a piece is a token that the vocabulary's semantics takes unmerged, else 0."""
    cdef uint32_t token
    if n <= t.longest:
        token = find_token(t, p, n, hash)
        if token != NO_TOKEN and t.flags[token] & WHOLE:
            ids[0] = token
            return 1
    return 0


cdef int64_t encode_piece(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                          uint32_t* ids) noexcept nogil:
    """Ids of one piece: the whole piece where the vocabulary's semantics allow it, else merging."""
    return encode_whole(t, p, n, hash_bytes(p, n), ids) or merge(t, ws, p, n, ids)


# ---- workspaces and the word cache ---------------------------------------------------------------

cdef Workspace* workspace_new() noexcept nogil:
    cdef Workspace* ws = <Workspace*>calloc(1, sizeof(Workspace))
    if ws != NULL:
        ws.stood[0] = NO_TOKEN
    return ws


cdef inline size_t words_size(uint64_t mask) noexcept nogil:
    return (mask + 1) * 2 * sizeof(Word)


cdef void drop_cache(Workspace* ws) noexcept nogil:
    if ws.words != NULL and ws.words != &ws.least[0]:
        pages_free(ws.words, words_size(ws.word_mask))
        free(ws.arena)
        BPETOK_ADD(&cache_bytes, -<int64_t>(words_size(ws.word_mask) + ws.arena_size))
    ws.words = NULL
    ws.arena = NULL


cdef void workspace_free(Workspace* ws) noexcept nogil:
    if ws == NULL:
        return
    drop_cache(ws)
    free(ws.ids)
    free(ws.utf8)
    free(ws.nodes)
    free(ws)


cdef void workspace_trim(Workspace* ws) noexcept nogil:
    # The scratch of one huge text is not kept for the next small one.
    if ws.ids_capacity * sizeof(uint32_t) > KEEP_BYTES:
        free(ws.ids)
        ws.ids = NULL
        ws.ids_capacity = 0
    if ws.utf8_capacity > KEEP_BYTES:
        free(ws.utf8)
        ws.utf8 = NULL
        ws.utf8_capacity = 0
    if ws.nodes_capacity * sizeof(uint32_t) > KEEP_BYTES:
        free(ws.nodes)
        ws.nodes = NULL
        ws.nodes_capacity = 0


cdef int room_for_ids(Workspace* ws, size_t more) noexcept nogil:
    cdef size_t wanted = ws.n_ids + more
    cdef uint32_t* grown
    if wanted <= ws.ids_capacity:
        return OK
    wanted = max(wanted, ws.ids_capacity + ws.ids_capacity // 2, <size_t>1024)
    grown = <uint32_t*>realloc(ws.ids, wanted * sizeof(uint32_t))
    if grown == NULL:
        return NO_MEMORY
    ws.ids = grown
    ws.ids_capacity = wanted
    return OK


cdef int room_for_utf8(Workspace* ws, size_t wanted) noexcept nogil:
    if wanted > ws.utf8_capacity:
        free(ws.utf8)
        ws.utf8 = <uint8_t*>malloc(wanted)
        ws.utf8_capacity = wanted if ws.utf8 != NULL else 0
        if ws.utf8 == NULL:
            return NO_MEMORY
    return OK


cdef void grow_words(Workspace* ws) noexcept nogil:
    """Start the word cache, or make it four times as large, within the limits.

    Words move to the new one; what lies in the arena is forgotten.
    """
    cdef uint64_t mask, i, at
    cdef Word* old = ws.words
    cdef Word* words = NULL
    cdef uint8_t* arena = NULL
    cdef size_t size
    ws.misses = 0
    if old == &ws.least[0]:
        old = NULL
    mask = ws.word_mask * 4 + 3 if old != NULL else WORDS_FIRST - 1
    if mask >= WORDS_MOST:
        return
    size = words_size(mask)
    if BPETOK_ADD(&cache_bytes, <int64_t>(size + size // 2)) <= CACHE_BUDGET:
        words = <Word*>pages_new(size)
        arena = <uint8_t*>malloc(size // 2)
    if words == NULL or arena == NULL:
        if words != NULL:
            pages_free(words, size)
        free(arena)
        BPETOK_ADD(&cache_bytes, -<int64_t>(size + size // 2))
        if old == NULL:
            ws.words = &ws.least[0]
            ws.word_mask = 0
        return
    if old != NULL:
        for i in range(2 * (ws.word_mask + 1)):
            if old[i].high and not old[i].high & ARENA:
                at = 2 * (hash_key(old[i].low, old[i].high) & mask)
                words[at + 1] = words[at]
                words[at] = old[i]
        drop_cache(ws)
    ws.words = words
    ws.word_mask = mask
    ws.arena = arena
    ws.arena_size = size // 2
    ws.arena_start = ws.arena_end


cdef inline uint8_t* arena_take(Workspace* ws, size_t needed, uint64_t* offset) noexcept nogil:
    """Room for a record of the arena, which is a ring: the oldest ones are overwritten. NULL: too large.

    Offsets only grow, so that one that has been overwritten is known by being too small.
    """
    cdef size_t left
    if ws.arena == NULL or needed > ws.arena_size // 8:
        return NULL
    left = ws.arena_size - (ws.arena_end & (ws.arena_size - 1))
    if left < needed:
        ws.arena_end += left
    offset[0] = ws.arena_end
    ws.arena_end += needed
    return ws.arena + (offset[0] & (ws.arena_size - 1))


cdef void remember(Workspace* ws, const Key* key, const uint8_t* p, size_t n, const uint32_t* ids,
                   size_t n_ids) noexcept nogil:
    # The newer of a bucket's two entries stands first; the older is the one that is given up.
    cdef Word* word
    cdef uint8_t* record
    cdef uint64_t first, second, offset = 0, high = key.high
    ws.misses += 1
    if 2 * ws.misses > ws.word_mask:
        grow_words(ws)
    if n <= WORD and n_ids <= WORD_IDS:
        first = ids[0]
        second = <uint64_t>n_ids << 56
        if n_ids > 1:
            first |= <uint64_t>ids[1] << 24
        if n_ids > 2:
            first |= <uint64_t>ids[2] << 48
            second |= <uint64_t>ids[2] >> 16
        if n_ids > 3:
            second |= <uint64_t>ids[3] << 8
        if n_ids > 4:
            second |= <uint64_t>ids[4] << 32
    else:
        record = arena_take(ws, 4 * n_ids + n, &offset)
        if record == NULL:
            return
        memcpy(record, ids, 4 * n_ids)
        memcpy(record + 4 * n_ids, p, n)
        first = offset
        second = n_ids
        high |= ARENA
    word = ws.words + 2 * (key.hash & ws.word_mask)
    if word.low != key.low or word.high != high:
        word[1] = word[0]
    word.low = key.low
    word.high = high
    word.first = first
    word.second = second


cdef inline const Word* find_word(const Workspace* ws, const Key* key) noexcept nogil:
    """The entry of a key, wherever its ids lie, or NULL."""
    cdef const Word* word = ws.words + 2 * (key.hash & ws.word_mask)
    if word.low != key.low or word.high & ~ARENA != key.high:
        word += 1
        if word.low != key.low or word.high & ~ARENA != key.high:
            return NULL
    return word


cdef inline void prefetch_record(const Workspace* ws, const Key* key) noexcept nogil:
    cdef const Word* word = find_word(ws, key)
    if word != NULL and word.high & ARENA and ws.arena != NULL:
        BPETOK_PREFETCH(ws.arena + (word.first & (ws.arena_size - 1)))
        BPETOK_PREFETCH(ws.arena + (word.first & (ws.arena_size - 1)) + 64)


cdef size_t recall_record(const Workspace* ws, const Key* key, const uint8_t* p, size_t n,
                          uint32_t* ids) noexcept nogil:
    """Ids of a piece that is remembered in the arena, else 0."""
    cdef const Word* word = find_word(ws, key)
    cdef const uint8_t* record
    cdef size_t n_ids
    if word == NULL or not word.high & ARENA:
        return 0
    if word.first < ws.arena_start or ws.arena_end - word.first > ws.arena_size:
        return 0
    n_ids = word.second
    record = ws.arena + (word.first & (ws.arena_size - 1))
    if n > WORD and memcmp(record + 4 * n_ids, p, n) != 0:
        return 0
    memcpy(ids, record, 4 * n_ids)
    return n_ids


# ---- the encode kernel ---------------------------------------------------------------------------

cdef size_t cut(const Tables* t, const uint8_t* p, size_t start, size_t n, size_t* ends) noexcept nogil:
    """Ends of up to BATCH parts of a piece that no merge crosses, from the end of one such part on.

    What no merge brings together is never joined, whatever stands around it. So the parts merge as if
    each were alone; being shorter, they merge faster and are known more often.
    """
    cdef size_t i, count = 0
    for i in range(start + 1, n):
        if not crosses(t, p[i - 1], p[i]):
            ends[count] = i
            count += 1
            if count == BATCH:
                return count
    ends[count] = n
    return count + 1


cdef int append_parts(const Tables* t, Workspace* ws, const uint8_t* p, size_t n, size_t* ends,
                      size_t count) noexcept nogil:
    """Append the ids of a piece that was cut, beginning with the first `count` parts."""
    cdef size_t at = 0
    cdef int status
    while True:
        status = append_pieces(t, ws, p, at, ends, count, p + n, True)
        if status != OK:
            return status
        at = ends[count - 1]
        if at == n:
            return OK
        count = cut(t, p, at, n, ends)


cdef int encode_missed(const Tables* t, Workspace* ws, const Key* key, const uint8_t* p, size_t n,
                       bint part) noexcept nogil:
    """Append the ids of a piece, or of a part of one, that is not among the words, and remember them."""
    cdef size_t ends[BATCH]
    cdef size_t count, before = ws.n_ids
    cdef uint64_t hash = key.hash
    cdef int64_t found = 0
    cdef int status
    if room_for_ids(ws, n + SLACK) != OK:
        return NO_MEMORY
    if key.high:
        found = <int64_t>recall_record(ws, key, p, n, ws.ids + before)
        if found:
            ws.n_ids += <size_t>found
            return OK
    elif n <= t.longest:
        hash = hash_bytes(p, n)
    if not part:
        found = encode_whole(t, p, n, hash, ws.ids + before)
        if not found and n > WORD:
            count = cut(t, p, 0, n, ends)
            if count > 1:
                status = append_parts(t, ws, p, n, ends, count)
                if status != OK:
                    return status
                found = <int64_t>(ws.n_ids - before)
                ws.n_ids = before
    if not found:
        found = merge(t, ws, p, n, ws.ids + before)
        if found < 0:
            return <int>-found
    if key.high:
        remember(ws, key, p, n, ws.ids + before, <size_t>found)
    ws.n_ids += <size_t>found
    return OK


cdef size_t learn(const Tables* t, Workspace* ws, const Key* keys, const uint8_t* text, size_t start,
                  const size_t* ends, size_t i, size_t count, bint parts) noexcept nogil:
    """Remember the pieces from `i` on that are not remembered yet; returns how far it came.

    They are listed, and their memory is asked for, before the first of them is looked up whole; and those
    that are no tokens are merged side by side. So they do not wait for memory one after the other.
    """
    cdef Job jobs[JOBS]
    cdef size_t listed[JOBS]
    cdef size_t ends_of_parts[BATCH]
    cdef size_t n_listed = 0, n_jobs, k, n, at = ends[i - 1] if i else start, n_parts, before = ws.n_ids
    cdef const Key* key
    cdef uint32_t id
    cdef int width = 1
    while i < count and n_listed < JOBS:
        n = ends[i] - at
        if n <= SHORT and find_word(ws, &keys[i]) == NULL:
            listed[n_listed] = i
            n_listed += 1
            BPETOK_PREFETCH(t.tokens + (keys[i].hash & t.token_mask))
        at = ends[i]
        i += 1
    while width <= 4:
        n_jobs = 0
        for k in range(n_listed):
            at = ends[listed[k] - 1] if listed[k] else start
            n = ends[listed[k]] - at
            if width != (1 if n <= 16 else 2 if n <= 32 else 4):
                continue
            key = &keys[listed[k]]
            if not parts and encode_whole(t, text + at, n, key.hash, &id):
                remember(ws, key, text + at, n, &id, 1)
                continue
            if not parts and n > WORD:
                n_parts = cut(t, text + at, 0, n, ends_of_parts)
                if n_parts > 1:
                    if append_parts(t, ws, text + at, n, ends_of_parts, n_parts) == OK:
                        remember(ws, key, text + at, n, ws.ids + before, ws.n_ids - before)
                    ws.n_ids = before
                    continue
            jobs[n_jobs].p = text + at
            jobs[n_jobs].n = n
            jobs[n_jobs].index = listed[k]
            n_jobs += 1
        if n_jobs:
            kernels.merge_many(&t.pairs, jobs, n_jobs, width)
            for k in range(n_jobs):
                remember(ws, &keys[jobs[k].index], jobs[k].p, jobs[k].n, jobs[k].ids, jobs[k].n_ids)
        width *= 2
    return i


cdef int append_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit, bint parts) noexcept nogil:
    """Append the ids of up to BATCH pieces, or parts of a piece, that lie side by side from `start`.

    Two passes: keys, hashes and prefetches first, so that the cache lines of 256 words are under way
    while they are looked up one by one.
    """
    cdef Key keys[BATCH]
    cdef uint16_t longer[BATCH]
    cdef uint64_t mark = t.part_mark if parts else 0
    cdef const Word* words
    cdef size_t i, k, at, n_longer, learned = count if t.n_missing else 0
    cdef int status
    cdef uint32_t* out
    if ws.words == NULL:
        grow_words(ws)
    n_longer = kernels.make_keys(ws.words, ws.word_mask, text, start, ends, count, limit, mark, keys, longer)
    for i in range(n_longer):
        prefetch_record(ws, &keys[longer[i]])
    words = ws.words
    i = 0
    while True:
        if ws.words != words:   # the cache grew
            words = ws.words
            for k in range(i, count):
                keys[k].word = words + 2 * (keys[k].hash & ws.word_mask)
        # What is missed may take more than its share of the room.
        if room_for_ids(ws, WORD_IDS * (count - i) + SLACK) != OK:
            return NO_MEMORY
        out = ws.ids + ws.n_ids
        i = kernels.recall(keys, i, count, &out)
        ws.n_ids = <size_t>(out - ws.ids)
        if i == count:
            return OK
        at = ends[i - 1] if i else start
        if i >= learned and ends[i] - at <= SHORT and find_word(ws, &keys[i]) == NULL:
            learned = learn(t, ws, keys, text, start, ends, i, count, parts)
            continue
        status = encode_missed(t, ws, &keys[i], text + at, ends[i] - at, parts)
        if status != OK:
            ws.error_at += at
            return status
        i += 1


cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`, or only count them."""
    cdef size_t before = ws.n_ids
    cdef int status = append_pieces(t, ws, text, start, ends, count, limit, False)
    if not ws.keep:
        ws.n_total += ws.n_ids - before
        ws.n_ids = before
    return status


cdef int encode_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end) noexcept nogil:
    """Append the ids of text[start:end], which holds no special token."""
    cdef size_t ends[BATCH]
    cdef size_t count
    cdef int status
    while start < end:
        count = scan(spec, text, start, end, ends, BATCH)
        status = encode_pieces(t, ws, text, start, ends, count, text + end)
        if status != OK:
            return status
        start = ends[count - 1]
    return OK


cdef int put_special(Workspace* ws, uint32_t token) noexcept nogil:
    if not ws.keep:
        ws.n_total += 1
        return OK
    if room_for_ids(ws, 1) != OK:
        return NO_MEMORY
    ws.ids[ws.n_ids] = token
    ws.n_ids += 1
    return OK


# ---- building ------------------------------------------------------------------------------------

def link_ranks(VocabTables tables not None):
    """Find, for every token of a vocabulary of ranks, the pair that it is merged from.

    Merging a token's bytes alone, without the token itself, ends in two parts, or in more when no text
    ever gives the token by merging (it is then only found as a whole piece). Tokens are taken by length:
    what merges inside one is shorter than it. O(bytes log bytes) over all tokens.
    """
    cdef Tables* t = &tables.t
    cdef uint32_t token
    cdef int64_t found
    cdef Workspace* ws = workspace_new()
    cdef uint32_t* ids = <uint32_t*>malloc((t.longest + SLACK) * sizeof(uint32_t))
    if ws == NULL or ids == NULL:
        workspace_free(ws)
        free(ids)
        raise MemoryError()
    try:
        order = sorted((t.size[token], token) for token in range(t.n_ids) if t.flags[token] & WHOLE)
        for size, token in order:
            if size > 1:
                if size <= SHORT:
                    found = <int64_t>kernels.merge_short(&t.pairs, t.arena + t.start[token], size, ids)
                else:
                    found = merge_long(t, ws, t.arena + t.start[token], size, ids)
                if found < 0:
                    raise MemoryError()
                if found == 2:
                    tables.add_pair(ids[0], ids[1], token, token)
                    ws.stood[0] = NO_TOKEN      # it may be this pair
                else:
                    t.part_mark = PART
    finally:
        workspace_free(ws)
        free(ids)


# How the merges of a list make a token.
cdef struct Made:
    uint32_t n                      # by so many
    uint32_t rank                   # the last of them
    uint32_t left
    uint32_t right
    bint reached                    # merging the token's bytes is known to give it


cdef bint reached(const Tables* t, const Made* made, uint32_t left, uint32_t right, uint32_t rank) noexcept:
    """Whether merging the bytes of two tokens brings them to stand side by side before `rank`; false, too,
    where that is not plain to see.

    Both must be bytes, or reached, by merges before `rank`. Then whatever is merged on either side is merged
    in the order of ranks, so at each rank the tokens at the border are known: the last one of the left side
    is `left`, or its right part as long as `left` is not made, and so on; likewise on the other side. They
    come to stand there unless two of them merge before that. Of equal ranks, the leftmost is first. O(depth).
    """
    cdef uint32_t x = left, y = right, found
    cdef uint32_t x_until = rank, y_until = rank    # the rank at which x and y are gone
    if not plain(t, made, x, rank) or not plain(t, made, y, rank):
        return False
    while True:
        if x != left or y != right:
            found = find_rank(&t.pairs, x, y)
            if found < x_until and found <= y_until:
                return False
        if made[x].n == 0 and made[y].n == 0:
            return True
        # Back in time: undo the later of the two.
        if made[y].n == 0 or (made[x].n and made[x].rank > made[y].rank):
            x_until = made[x].rank
            x = made[x].right
        elif made[x].n == 0 or made[x].rank < made[y].rank:
            y_until = made[y].rank
            y = made[y].left
        else:
            # The same token on both sides; that of the left is made first.
            y_until = made[y].rank
            y = made[y].left


cdef bint plain(const Tables* t, const Made* made, uint32_t token, uint32_t rank) noexcept:
    if made[token].n == 0:
        return t.size[token] == 1
    return made[token].n == 1 and made[token].reached and made[token].rank < rank


def link_merges(VocabTables tables not None, merges, bint ignore_merges):
    """Enter a merge list: the pair at index k has rank k and gives the token of its joined bytes.

    Unless `ignore_merges`, a token counts as a whole piece only when merging its bytes gives it.

    Raises:
        VocabularyError: a merge names an id that is not a token, its result is no token, or a pair
            occurs twice.
    """
    cdef Tables* t = &tables.t
    cdef uint32_t token
    cdef int64_t found
    cdef Workspace* ws
    cdef uint32_t* ids
    cdef Made* made
    for rank, (left, right) in enumerate(merges):
        left_bytes, right_bytes = tables.token_bytes(left), tables.token_bytes(right)
        if left_bytes is None or right_bytes is None:
            raise VocabularyError(f"merge {rank} joins ({left}, {right}), and not both are ids of the "
                                  "vocabulary")
        result = tables.token_of(left_bytes + right_bytes)
        if result is None:
            raise VocabularyError(f"merge {rank} joins {left_bytes!r} and {right_bytes!r}, and "
                                  f"{left_bytes + right_bytes!r} is not a token of the vocabulary")
        tables.add_pair(left, right, rank, result)
    ws = workspace_new()
    ids = <uint32_t*>malloc((t.longest + SLACK) * sizeof(uint32_t))
    made = <Made*>calloc(<size_t>t.n_ids + 1, sizeof(Made))
    if ws == NULL or ids == NULL or made == NULL:
        workspace_free(ws)
        free(ids)
        free(made)
        raise MemoryError()
    try:
        for rank, (left, right) in enumerate(merges):
            token = token_of_rank(&t.pairs, rank)
            made[token] = Made(made[token].n + 1, rank, left, right, False)
        for rank, (left, right) in enumerate(merges):
            token = token_of_rank(&t.pairs, rank)
            made[token].reached = made[token].n == 1 and reached(t, made, left, right, rank)
        for token in range(t.n_ids):
            if t.flags[token] & WHOLE and not made[token].reached:
                found = merge(t, ws, t.arena + t.start[token], t.size[token], ids)
                if found == -NO_MEMORY:
                    raise MemoryError()
                if found != 1 or ids[0] != token:
                    if ignore_merges:
                        t.part_mark = PART
                    else:
                        t.flags[token] ^= WHOLE
    finally:
        workspace_free(ws)
        free(ids)
        free(made)


def cache_in_use():
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
    return cache_bytes
