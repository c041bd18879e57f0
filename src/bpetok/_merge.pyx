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
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok._cpu cimport tier
from bpetok._pairs cimport NO_RANK, Pairs, find_rank, token_of_rank
from bpetok._scan cimport ScanSpec, scan
from bpetok._spare cimport spare_free, spare_grow
from bpetok._vocab cimport (
    BPETOK_PREFETCH, NO_TOKEN, PART, WHOLE, Tables, VocabTables, crosses, find_token, hash_bytes, hash_key)

import os

from bpetok.errors import VocabularyError

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
      #define BPETOK_ADD(p, n) __atomic_add_fetch((p), (n), __ATOMIC_RELAXED)
      #define BPETOK_TAKE(p) (__atomic_exchange_n((p), 1, __ATOMIC_ACQUIRE) == 0)
      #define BPETOK_LEAVE(p) __atomic_store_n((p), 0, __ATOMIC_RELEASE)
    #else
      #error "the word caches of a process need atomic operations"
    #endif
    """
    int64_t BPETOK_ADD(int64_t* p, int64_t n) noexcept nogil
    bint BPETOK_TAKE(int* p) noexcept nogil     # true where it was 0; it is 1 then
    void BPETOK_LEAVE(int* p) noexcept nogil

cdef extern from "pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef extern from "kernels.h" nogil:
    enum:
        WORD "BPETOK_WORD"              # bytes of a word, which is its own key
    uint64_t ARENA "BPETOK_ARENA"
    ctypedef struct Gap "BpetokGap":
        uint32_t piece
        uint32_t at
    ctypedef struct Kernels "BpetokKernels":
        void (*make_keys)(const Word* words, uint64_t mask, const uint8_t* text, size_t start,
                          const size_t* ends, size_t count, const uint8_t* limit, Key* keys) noexcept nogil
        size_t (*recall)(const Key* keys, size_t count, uint32_t* ids, size_t* n_ids, Gap* gaps) noexcept nogil
        void (*merge_many)(const Pairs* t, Job* jobs, size_t count, int width) noexcept nogil
    Kernels bpetok_kernels(int tier)
    void make_key "bpetok_make_key"(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t mark,
                                    const Word* words, uint64_t mask, Key* key)
    size_t unpack "bpetok_unpack"(const Word* word, uint32_t* ids)

cdef enum:
    BATCH = 256                     # pieces scanned, keyed and prefetched before the first is looked up
    SHORT = 62                      # pieces up to this many bytes merge in registers
    CHUNK = 48                      # bytes that a longer piece is merged by; a multiple of many periods
    CHUNKS = 64                     # of them side by side
    WINDOW = 512                    # bytes that may be merged anew where two chunks meet
    MENDED = 16                     # tokens before the border that may be
    WORDS_FIRST = 1 << 10           # buckets (of two words) of a new cache, and at most
    WORDS_MOST = 1 << 18
    CACHE_BUDGET = 64 << 20         # bytes of all caches in the process
    KEEP_BYTES = 1 << 22            # scratch that an idle workspace may keep

cdef int64_t cache_bytes = 0        # of all workspaces; only through BPETOK_ADD
cdef Workspace* workspaces = NULL   # all there are
cdef int workspaces_taken = 0       # by whoever reads or changes that list
cdef uint64_t calls = 0
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


cdef size_t merge_short(const Tables* t, const uint8_t* p, size_t n, uint32_t* ids) noexcept nogil:
    """Merge a piece of up to SHORT bytes; returns the number of ids."""
    cdef Job job
    job.p = p
    job.n = n
    kernels.merge_many(&t.pairs, &job, 1, 1 if n <= 16 else 2 if n <= 32 else 4)
    memcpy(ids, job.ids, job.n_ids * sizeof(uint32_t))
    return job.n_ids


cdef int64_t merge_bytes(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                         uint32_t* ids) noexcept nogil:
    if n <= SHORT:
        return <int64_t>merge_short(t, p, n, ids)
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
        count = <int64_t>merge_short(t, p, n, ids)
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
    global workspaces
    cdef Workspace* ws = <Workspace*>calloc(1, sizeof(Workspace))
    if ws == NULL:
        return NULL
    ws.stood[0] = NO_TOKEN
    ws.taken = 1
    while not BPETOK_TAKE(&workspaces_taken):
        pass
    ws.following = workspaces
    workspaces = ws
    BPETOK_LEAVE(&workspaces_taken)
    return ws


cdef void workspace_take(Workspace* ws) noexcept nogil:
    """Begin to use an idle workspace."""
    global calls
    while not BPETOK_TAKE(&ws.taken):   # while another thread frees its cache
        pass
    calls += 1
    ws.last_call = calls


cdef void workspace_leave(Workspace* ws) noexcept nogil:
    """Let a workspace be idle: its ids are gone, and its cache stays while no one else needs the memory."""
    workspace_trim(ws)
    BPETOK_LEAVE(&ws.taken)


cdef bint free_a_cache() noexcept nogil:
    """Free the cache of the workspace that has been idle longest. False where none has one."""
    cdef Workspace* oldest = NULL
    cdef Workspace* ws
    while not BPETOK_TAKE(&workspaces_taken):
        pass
    ws = workspaces
    while ws != NULL:
        if BPETOK_TAKE(&ws.taken):
            if ws.arena == NULL or oldest != NULL and oldest.last_call < ws.last_call:
                BPETOK_LEAVE(&ws.taken)
            else:
                if oldest != NULL:
                    BPETOK_LEAVE(&oldest.taken)
                oldest = ws
        ws = ws.following
    if oldest != NULL:
        drop_cache(oldest)
        BPETOK_LEAVE(&oldest.taken)
    BPETOK_LEAVE(&workspaces_taken)
    return oldest != NULL


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
    cdef Workspace** link = &workspaces
    if ws == NULL:
        return
    while not BPETOK_TAKE(&workspaces_taken):
        pass
    while link[0] != ws:
        link = &link[0].following
    link[0] = ws.following
    BPETOK_LEAVE(&workspaces_taken)
    drop_cache(ws)
    spare_free(ws.ids, ws.ids_capacity * sizeof(uint32_t))
    free(ws.utf8)
    free(ws.nodes)
    if ws.misses != NULL:
        free(ws.misses.missed)
        free(ws.misses.found)
    free(ws.misses)
    free(ws)


cdef void workspace_trim(Workspace* ws) noexcept nogil:
    # The scratch of one huge text is not kept for the next small one.
    if ws.ids_capacity * sizeof(uint32_t) > KEEP_BYTES:
        spare_free(ws.ids, ws.ids_capacity * sizeof(uint32_t))
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
    if ws.misses != NULL and ws.misses.found_capacity * sizeof(uint32_t) > KEEP_BYTES:
        free(ws.misses.found)
        ws.misses.found = NULL
        ws.misses.found_capacity = 0


cdef int room_for_ids(Workspace* ws, size_t more) noexcept nogil:
    cdef size_t wanted = ws.n_ids + more, size = ws.ids_capacity * sizeof(uint32_t)
    cdef void* grown
    if wanted <= ws.ids_capacity:
        return OK
    wanted = max(wanted, ws.ids_capacity + ws.ids_capacity // 2, <size_t>1024)
    grown = spare_grow(ws.ids, ws.n_ids * sizeof(uint32_t), &size, wanted * sizeof(uint32_t))
    if grown == NULL:
        return NO_MEMORY
    ws.ids = <uint32_t*>grown
    ws.ids_capacity = size // sizeof(uint32_t)
    return OK


cdef int room_for_found(Misses* m, size_t more) noexcept nogil:
    cdef size_t wanted = m.n_found + more
    cdef uint32_t* grown
    if wanted <= m.found_capacity:
        return OK
    wanted = max(wanted, 2 * m.found_capacity, <size_t>1024)
    grown = <uint32_t*>realloc(m.found, wanted * sizeof(uint32_t))
    if grown == NULL:
        return NO_MEMORY
    m.found = grown
    m.found_capacity = wanted
    return OK


cdef int room_for_missed(Workspace* ws, size_t more) noexcept nogil:
    cdef size_t wanted
    cdef Missed* grown
    cdef Misses* m
    if ws.misses == NULL:
        ws.misses = <Misses*>calloc(1, sizeof(Misses))
        if ws.misses == NULL:
            return NO_MEMORY
    m = ws.misses
    wanted = m.n_missed + more
    if wanted <= m.missed_capacity:
        return OK
    wanted = max(wanted, 2 * m.missed_capacity, <size_t>32)
    grown = <Missed*>realloc(m.missed, wanted * sizeof(Missed))
    if grown == NULL:
        return NO_MEMORY
    m.missed = grown
    m.missed_capacity = wanted
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
    ws.learned = 0
    if old == &ws.least[0]:
        old = NULL
    mask = ws.word_mask * 4 + 3 if old != NULL else WORDS_FIRST - 1
    if mask >= WORDS_MOST:
        return
    size = words_size(mask)
    while BPETOK_ADD(&cache_bytes, <int64_t>(size + size // 2)) > CACHE_BUDGET:
        if not free_a_cache():
            break
        BPETOK_ADD(&cache_bytes, -<int64_t>(size + size // 2))
    else:
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


cdef inline void give_up(const Workspace* ws, const Word* word, Word* there) noexcept nogil:
    """Move the older word of a full bucket to the one beside it, in place of the older word there."""
    if ws.word_mask:
        there[1 if there.high else 0] = word[0]


cdef void remember(Workspace* ws, const Key* key, const uint8_t* p, size_t n, const uint32_t* ids,
                   size_t n_ids) noexcept nogil:
    # The newer of a bucket's two entries stands first; the older is the one that is given up.
    cdef Word* word
    cdef uint8_t* record
    cdef uint64_t first, second, offset = 0, high = key.high
    ws.learned += 1
    if 2 * ws.learned > ws.word_mask:
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
    word = bucket(ws, key)
    if word.low != key.low or word.high != high:
        if word[1].high:
            give_up(ws, &word[1], beside(ws, key))
        word[1] = word[0]
    word.low = key.low
    word.high = high
    word.first = first
    word.second = second


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


# ---- what was missed -----------------------------------------------------------------------------

cdef const Word* bring_back(const Workspace* ws, const Key* key) noexcept nogil:
    """The entry of a key that its bucket gave up, changed back with the older one there; or NULL."""
    cdef Word* given = beside(ws, key)
    cdef Word* word = bucket(ws, key)
    cdef Word back
    if given.low != key.low or given.high & ~ARENA != key.high:
        given += 1
        if given.low != key.low or given.high & ~ARENA != key.high:
            return NULL
    back = given[0]
    given[0] = word[1]
    word[1] = word[0]
    word[0] = back
    return word


cdef bint look_up(const Workspace* ws, Unit* unit) noexcept nogil:
    """Point a unit to its ids, if it is remembered."""
    cdef const Word* word = find_word(ws, &unit.key)
    cdef const uint8_t* record
    if word == NULL:
        word = bring_back(ws, &unit.key)
        if word == NULL:
            return False
    if word.high & ARENA:
        record = record_of(ws, word)
        if record == NULL or (unit.n > WORD and memcmp(record + 4 * word.second, unit.p, unit.n) != 0):
            return False
        unit.ids = <const uint32_t*>record
        unit.n_ids = word.second
    else:
        unit.ids = unit.few
        unit.n_ids = unpack(word, unit.few)
    unit.fresh = False
    return True


cdef inline Unit* new_unit(Misses* m, const uint8_t* p, size_t n, size_t piece) noexcept nogil:
    cdef Unit* unit = &m.units[m.n_units]
    m.n_units += 1
    unit.p = p
    unit.n = n
    unit.piece = piece
    unit.part = False
    unit.last = True
    unit.fresh = True
    unit.ids = NULL
    return unit


cdef int settle(const Tables* t, Workspace* ws) noexcept nogil:
    """Append the ids of all units to `found`, and remember what is new."""
    cdef Misses* m = ws.misses
    cdef Unit* unit
    cdef Missed* missed
    cdef uint8_t[3][UNITS] listed       # those to be merged, by the width that they need
    cdef size_t[3] n_listed
    cdef Job* jobs = m.jobs
    cdef size_t i, k, n, first
    cdef int64_t count
    cdef int width
    memset(n_listed, 0, sizeof(n_listed))
    for i in range(m.n_units):
        unit = &m.units[i]
        if unit.ids != NULL or unit.part and look_up(ws, unit) or unit.n > SHORT or t.n_missing:
            continue
        width = (unit.n > 16) + (unit.n > 32)
        listed[width][n_listed[width]] = <uint8_t>i
        n_listed[width] += 1
    for width in range(3):
        n = n_listed[width]
        for k in range(n):
            unit = &m.units[listed[width][k]]
            jobs[k].p = unit.p
            jobs[k].n = unit.n
            unit.ids = jobs[k].ids
        if n:
            kernels.merge_many(&t.pairs, jobs, n, 1 << width)
        for k in range(n):
            m.units[listed[width][k]].n_ids = jobs[k].n_ids
        jobs += n
    for i in range(m.n_units):
        unit = &m.units[i]
        if room_for_found(m, unit.n_ids if unit.ids != NULL else unit.n + SLACK) != OK:
            return NO_MEMORY
        if unit.ids != NULL:
            memcpy(m.found + m.n_found, unit.ids, unit.n_ids * sizeof(uint32_t))
        else:
            count = merge(t, ws, unit.p, unit.n, m.found + m.n_found)
            if count < 0:
                ws.error_at += <size_t>(unit.p - m.missed[0].p)
                return <int>-count
            unit.n_ids = <size_t>count
        m.n_found += unit.n_ids
        if unit.last:
            m.missed[unit.piece].end = m.n_found
    # Only now, since units may point to what is overwritten.
    n = m.n_found
    while m.n_units:
        m.n_units -= 1
        unit = &m.units[m.n_units]
        missed = &m.missed[unit.piece]
        if unit.part and unit.last and missed.key.high:
            first = m.missed[unit.piece - 1].end if unit.piece else 0
            remember(ws, &missed.key, missed.p, missed.n, m.found + first, n - first)
        n -= unit.n_ids
        if unit.fresh and unit.key.high:
            remember(ws, &unit.key, unit.p, unit.n, m.found + n, unit.n_ids)
    return OK


cdef int find_missed(const Tables* t, Workspace* ws, size_t piece, const uint8_t* limit) noexcept nogil:
    """Make units of a missed piece: itself, or the parts that no merge crosses.

    What no merge brings together is never joined, whatever stands around it. So the parts merge as if
    each were alone; being shorter, they merge faster and are known more often.
    """
    cdef Misses* m = ws.misses
    cdef const uint8_t* p = m.missed[piece].p
    cdef size_t n = m.missed[piece].n, at, end = n
    cdef uint32_t token
    cdef Unit* unit
    cdef int status
    if m.n_units == UNITS:
        status = settle(t, ws)
        if status != OK:
            return status
    unit = new_unit(m, p, n, piece)
    unit.key = m.missed[piece].key
    if look_up(ws, unit):
        return OK
    if n <= t.longest:
        token = find_token(t, p, n, token_hash(&unit.key, p, n))
        if token != NO_TOKEN and t.flags[token] & WHOLE:
            unit.few[0] = token
            unit.ids = unit.few
            unit.n_ids = 1
            return OK
    if n <= WORD:
        return OK
    end = next_cut(t, p, 0, n)
    if end == n:
        return OK
    m.n_units -= 1
    at = 0
    while True:
        if m.n_units == UNITS:
            status = settle(t, ws)
            if status != OK:
                return status
        unit = new_unit(m, p + at, end - at, piece)
        unit.part = True
        unit.last = end == n
        make_key(p + at, end - at, limit, t.part_mark, ws.words, ws.word_mask, &unit.key)
        BPETOK_PREFETCH(beside(ws, &unit.key))
        if end == n:
            return OK
        at = end
        end = next_cut(t, p, at, n)


cdef inline size_t next_cut(const Tables* t, const uint8_t* p, size_t start, size_t n) noexcept nogil:
    """The first place after `start` that no merge crosses, or the end of the piece."""
    start += 1
    while start < n and crosses(t, p[start - 1], p[start]):
        start += 1
    return start


cdef inline void copy_ids(uint32_t* to, const uint32_t* ids, size_t n) noexcept nogil:
    """Copy ids in blocks of eight: up to SLACK more are read and written."""
    cdef size_t at = 0
    while at < n:
        memcpy(to + at, ids + at, SLACK * sizeof(uint32_t))
        at += SLACK


cdef int find_all(const Tables* t, Workspace* ws, const uint8_t* limit) noexcept nogil:
    """Append the ids of all that was missed to `found`."""
    cdef size_t k
    cdef int status
    for k in range(ws.misses.n_missed):
        status = find_missed(t, ws, k, limit)
        if status != OK:
            return status
    return settle(t, ws)


cdef int fill_in(const Tables* t, Workspace* ws, const uint8_t* text, const uint8_t* limit,
                 int status) noexcept nogil:
    """Find the ids of all that was missed, and put them where they belong among the others; or forget it,
    where the status is not OK. Returns the status."""
    cdef Misses* m = ws.misses
    cdef Missed* missed
    cdef uint32_t* out
    cdef size_t k, at, start, first = 0
    if m == NULL or not m.n_missed:
        return status
    if status == OK:
        status = find_all(t, ws, limit)
        if status != OK:
            ws.error_at += <size_t>(m.missed[0].p - text)
    if status == OK and ws.keep:
        at = m.missed[0].at
        start = m.n_found + SLACK
        status = room_for_found(m, ws.n_ids - at + start + SLACK)
    if status == OK and ws.keep:
        status = room_for_ids(ws, m.n_found + SLACK)
    if status == OK and ws.keep:
        # Behind `found`, all from the first gap on; both copies may write some ids of no meaning behind theirs.
        out = m.found + start
        for k in range(m.n_missed):
            copy_ids(out, ws.ids + at, m.missed[k].at - at)
            out += m.missed[k].at - at
            at = m.missed[k].at
            copy_ids(out, m.found + first, m.missed[k].end - first)
            out += m.missed[k].end - first
            first = m.missed[k].end
        copy_ids(out, ws.ids + at, ws.n_ids - at)
        at = m.missed[0].at
        ws.n_ids += m.n_found
        memcpy(ws.ids + at, m.found + start, (ws.n_ids - at) * sizeof(uint32_t))
    elif status == OK:
        ws.n_total += m.n_found
    m.n_missed = 0
    m.n_found = 0
    m.n_units = 0
    return status


# ---- the encode kernel ---------------------------------------------------------------------------

cdef int append_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`, as far as they are remembered.
    The others are noted for `fill_in`.

    Two passes: keys, hashes and prefetches first, so that the cache lines of 256 words are under way
    while they are looked up one by one.
    """
    cdef Key keys[BATCH]
    cdef Gap gaps[BATCH]
    cdef size_t k, i, n_gaps, n_ids
    cdef const Word* word
    cdef const uint8_t* record
    cdef Missed* missed
    cdef int status
    if ws.words == NULL:
        grow_words(ws)
    if room_for_ids(ws, WORD_IDS * count + SLACK) != OK:
        return NO_MEMORY
    kernels.make_keys(ws.words, ws.word_mask, text, start, ends, count, limit, keys)
    n_gaps = kernels.recall(keys, count, ws.ids + ws.n_ids, &n_ids, gaps)
    if n_gaps:
        if room_for_missed(ws, n_gaps) != OK:
            return NO_MEMORY
        missed = ws.misses.missed + ws.misses.n_missed
        ws.misses.n_missed += n_gaps
        for k in range(n_gaps):
            i = gaps[k].piece
            missed.key = keys[i]
            missed.p = text + (ends[i - 1] if i else start)
            missed.n = ends[i] - (ends[i - 1] if i else start)
            missed.at = ws.n_ids + gaps[k].at
            word = find_word(ws, &missed.key)
            if word == NULL:
                BPETOK_PREFETCH(beside(ws, &missed.key))
                BPETOK_PREFETCH(t.tokens + (token_hash(&missed.key, missed.p, missed.n) & t.token_mask))
            else:
                record = record_of(ws, word)
                if record != NULL:
                    BPETOK_PREFETCH(record)
                    BPETOK_PREFETCH(record + 64)
            missed += 1
    if ws.keep:
        ws.n_ids += n_ids
    else:
        ws.n_total += n_ids
    return OK


cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`, or only count them."""
    cdef int status = append_pieces(t, ws, text, start, ends, count, limit)
    return fill_in(t, ws, text, limit, status)


cdef int encode_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end) noexcept nogil:
    """Append the ids of text[start:end], which holds no special token, or only count them."""
    cdef size_t ends[BATCH]
    cdef size_t count
    cdef int status = OK
    while start < end and status == OK:
        count = scan(spec, text, start, end, ends, BATCH)
        status = append_pieces(t, ws, text, start, ends, count, text + end)
        start = ends[count - 1]
        if status == OK and ws.misses != NULL and ws.misses.n_missed >= MISSES:
            status = fill_in(t, ws, text, text + end, status)
    return fill_in(t, ws, text, text + end, status)


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
                    found = <int64_t>merge_short(t, t.arena + t.start[token], size, ids)
                else:
                    found = merge_long(t, ws, t.arena + t.start[token], size, ids)
                if found < 0:
                    raise MemoryError()
                if found == 2:
                    tables.add_pair(ids[0], ids[1], token, token)
                    ws.stood[0] = NO_TOKEN      # it may be this pair
                else:
                    t.part_mark = PART
        tables.finish()
    finally:
        workspace_free(ws)
        free(ids)


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
    tables.finish()
    ws = workspace_new()
    ids = <uint32_t*>malloc((t.longest + SLACK) * sizeof(uint32_t))
    if ws == NULL or ids == NULL:
        workspace_free(ws)
        free(ids)
        raise MemoryError()
    try:
        for token in range(t.n_ids):
            if t.flags[token] & WHOLE:
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


def _after_fork():
    """In a child process there is no thread that could have the list."""
    BPETOK_LEAVE(&workspaces_taken)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def cache_in_use():
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
    return cache_bytes
