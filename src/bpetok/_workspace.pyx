"""Workspaces: everything that a running call writes to, with the cache of the words it has met.

A call leases a workspace, so no thread reads what another writes. The cache is exact: short words are
their own key, long pieces are compared in full. Its growth is bounded per workspace and, by a shared
budget, per process; where the budget is spent, the workspace that has been idle longest gives up its
cache. `docs/native.md` has the layout.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from bpetok._spare cimport spare_free, spare_grow
from bpetok._vocab cimport NO_TOKEN, hash_key

import os

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

cdef enum:
    WORDS_FIRST = 1 << 10           # buckets (of two words) of a new cache, and at most
    WORDS_MOST = 1 << 18
    CACHE_BUDGET = 64 << 20         # bytes of all caches in the process
    KEEP_BYTES = 1 << 22            # scratch that an idle workspace may keep

cdef int64_t cache_bytes = 0        # of all workspaces; only through BPETOK_ADD
cdef Workspace* workspaces = NULL   # all there are
cdef int workspaces_taken = 0       # by whoever reads or changes that list
cdef uint64_t calls = 0


# ---- all workspaces ------------------------------------------------------------------------------

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


# ---- memory of one -------------------------------------------------------------------------------

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


cdef int grow(void** items, size_t* capacity, size_t wanted, size_t size) noexcept nogil:
    """Make room for so many items of a size, and for as many again as there were."""
    cdef void* grown
    if wanted <= capacity[0]:
        return OK
    wanted = max(wanted, 2 * capacity[0], <size_t>32)
    grown = realloc(items[0], wanted * size)
    if grown == NULL:
        return NO_MEMORY
    items[0] = grown
    capacity[0] = wanted
    return OK


cdef int room_for_found(Misses* m, size_t more) noexcept nogil:
    return grow(<void**>&m.found, &m.found_capacity, m.n_found + more, sizeof(uint32_t))


cdef int room_for_missed(Workspace* ws, size_t more) noexcept nogil:
    cdef Misses* m
    if ws.misses == NULL:
        ws.misses = <Misses*>calloc(1, sizeof(Misses))
        if ws.misses == NULL:
            return NO_MEMORY
    m = ws.misses
    return grow(<void**>&m.missed, &m.missed_capacity, m.n_missed + more, sizeof(Missed))


# ---- the word cache ------------------------------------------------------------------------------

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


def _after_fork():
    """In a child process there is no thread that could have the list."""
    BPETOK_LEAVE(&workspaces_taken)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def cache_in_use():
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
    return cache_bytes
