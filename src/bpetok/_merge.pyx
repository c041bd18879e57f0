"""Merge engine: pieces to ids, exactly, from a word cache or by merging; all of it without the GIL.

`encode_segment` scans a stretch of text into batches of 256 pieces (`_scan`), and each piece is looked
up in the word cache of the workspace. A piece that is not there is found whole in the vocabulary or
merged pair by pair, and then remembered. Ids go into the workspace's growing buffer of 32-bit integers.

Merging (`merge_short`, `merge_long`) always takes the leftmost of the pairs of the lowest rank until
none is left. `merge_short` looks for it in an array (few comparisons, no pointers: best for words),
`merge_long` keeps a heap with lazy deletion and takes O(n log n). A pair's rank and result come from
one table of (left id, right id), whatever the vocabulary's semantics: with *ranks*, the only pair
that can ever form a token is the one that merging the token alone ends with (what lies inside its span
merges there in the same order as anywhere else; the proof is in `docs/architecture.md`), and `link_ranks`
finds it for every token.

The cache is exact: short words are their own key, long ones are compared in full. It belongs to a
workspace, which a call leases, so no thread reads what another writes. Its growth is bounded per
workspace and, by a shared budget, per process.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok._scan cimport ScanSpec, scan
from bpetok._vocab cimport (
    BPETOK_PREFETCH, NO_TOKEN, WHOLE, PairSlot, Tables, VocabTables, find_pair, find_token, hash_bytes,
    load_up_to_8)

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

cdef enum:
    BATCH = 256                     # pieces scanned, keyed and prefetched before the first is looked up
    SHORT = 64                      # pieces up to this many bytes merge in an array, longer ones in a heap
    WORD = 15                       # bytes of a word in the short cache
    WORDS_FIRST = 1 << 10           # buckets (of two words) of a new cache, and at most
    WORDS_MOST = 1 << 17
    LONG_SLOTS = 1 << 14
    LONG_BYTES = 1 << 20
    LONG_PIECE = 512                # longer pieces are not worth remembering
    CACHE_BUDGET = 64 << 20         # bytes of all caches in the process
    KEEP_BYTES = 1 << 22            # scratch that an idle workspace may keep

cdef uint32_t NO_RANK = 0xFFFFFFFF
cdef uint64_t NO_PAIR = 0xFFFFFFFFFFFFFFFF
cdef int64_t cache_bytes = 0        # of all workspaces; only through BPETOK_ADD


# ---- merging -------------------------------------------------------------------------------------

cdef inline uint64_t ranked(const Tables* t, uint32_t left, uint32_t right) noexcept nogil:
    """rank << 32 | merged id of a pair, or NO_PAIR; smaller is merged first."""
    cdef const PairSlot* slot = find_pair(t, left, right)
    if slot == NULL:
        return NO_PAIR
    return (<uint64_t>slot.rank << 32) | slot.token


cdef size_t merge_short(const Tables* t, const uint8_t* p, size_t n, uint32_t* ids) noexcept nogil:
    """Ids of a piece of 1 to SHORT bytes into `ids`; returns how many.

    O(n * merges) comparisons over a few cache lines.
    """
    cdef uint64_t pair[SHORT + 1]
    cdef uint64_t least
    cdef size_t i, at
    ids[0] = t.byte_token[p[0]]
    for i in range(1, n):
        ids[i] = t.byte_token[p[i]]
        pair[i - 1] = t.byte_pairs[(<uint32_t>p[i - 1] << 8) | p[i]]
    while n > 1:
        least = pair[0]
        at = 0
        for i in range(1, n - 1):
            if pair[i] < least:
                least = pair[i]
                at = i
        if least == NO_PAIR:
            break
        ids[at] = <uint32_t>least
        n -= 1
        for i in range(at + 1, n):
            ids[i] = ids[i + 1]
            pair[i - 1] = pair[i]
        if at > 0:
            pair[at - 1] = ranked(t, ids[at - 1], ids[at])
        if at + 1 < n:
            pair[at] = ranked(t, ids[at], ids[at + 1])
    return n


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


cdef int64_t merge_long(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
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
        ids[i] = t.byte_token[p[i]]
        following[i] = <uint32_t>(i + 1)
        previous[i] = <uint32_t>(i - 1 if i else n)
    for i in range(n):
        top = ranked(t, ids[i], ids[i + 1]) if i + 1 < n else NO_PAIR
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


cdef int64_t encode_piece(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                          uint32_t* ids) noexcept nogil:
    """Ids of one piece: the whole piece where the vocabulary's semantics allow it, else merging."""
    cdef uint32_t token
    if n <= t.longest:
        token = find_token(t, p, n)
        if token != NO_TOKEN and t.flags[token] & WHOLE:
            ids[0] = token
            return 1
    return merge(t, ws, p, n, ids)


# ---- workspaces and the word cache ---------------------------------------------------------------

cdef Workspace* workspace_new() noexcept nogil:
    return <Workspace*>calloc(1, sizeof(Workspace))


cdef void workspace_free(Workspace* ws) noexcept nogil:
    if ws == NULL:
        return
    if ws.words == &ws.least[0]:
        ws.words = NULL
    if ws.words != NULL:
        BPETOK_ADD(&cache_bytes, -<int64_t>((ws.word_mask + 1) * 2 * sizeof(WordEntry)))
    if ws.longs != NULL:
        BPETOK_ADD(&cache_bytes, -<int64_t>(LONG_SLOTS * sizeof(LongEntry) + LONG_BYTES))
    free(ws.ids)
    free(ws.utf8)
    free(ws.words)
    free(ws.longs)
    free(ws.long_arena)
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


cdef inline uint64_t word_bucket(uint64_t low, uint64_t high) noexcept nogil:
    cdef uint64_t h = (low * <uint64_t>0x9E3779B97F4A7C15) ^ (high * <uint64_t>0xC2B2AE3D27D4EB4F)
    h ^= h >> 31
    h *= <uint64_t>0xD6E8FEB86659FD93
    return h >> 20


cdef void grow_words(Workspace* ws) noexcept nogil:
    """Start the cache of short words, or make it four times as large, within the limits."""
    cdef uint64_t old_mask = ws.word_mask, mask, i, at
    cdef WordEntry* old = ws.words
    cdef WordEntry* words
    cdef int64_t size
    ws.word_misses = 0
    if old == &ws.least[0]:
        old = NULL
    mask = old_mask * 4 + 3 if old != NULL else WORDS_FIRST - 1
    if mask >= WORDS_MOST:
        return
    size = <int64_t>((mask + 1) * 2 * sizeof(WordEntry))
    words = NULL
    if BPETOK_ADD(&cache_bytes, size) <= CACHE_BUDGET:
        words = <WordEntry*>calloc(2 * (mask + 1), sizeof(WordEntry))
    if words == NULL:
        BPETOK_ADD(&cache_bytes, -size)
        if old == NULL:
            ws.words = &ws.least[0]
            ws.word_mask = 0
        return
    if old != NULL:
        for i in range(2 * (old_mask + 1)):
            if old[i].high:
                at = 2 * (word_bucket(old[i].low, old[i].high) & mask)
                words[at + 1] = words[at]
                words[at] = old[i]
        free(old)
        BPETOK_ADD(&cache_bytes, -<int64_t>((old_mask + 1) * 2 * sizeof(WordEntry)))
    ws.words = words
    ws.word_mask = mask


cdef inline void remember_word(Workspace* ws, uint64_t low, uint64_t high, const uint32_t* ids,
                               size_t n) noexcept nogil:
    # The newer of a bucket's two words stands first; the older is the one that is given up.
    cdef WordEntry* entry
    ws.word_misses += 1
    if ws.word_misses > ws.word_mask and ws.word_misses >= WORDS_FIRST:
        grow_words(ws)
    entry = ws.words + 2 * (word_bucket(low, high) & ws.word_mask)
    entry[1] = entry[0]
    entry.low = low
    entry.high = high
    entry.first = <uint64_t>ids[0]
    entry.second = <uint64_t>n << 56
    if n > 1:
        entry.first |= <uint64_t>ids[1] << 24
    if n > 2:
        entry.first |= <uint64_t>ids[2] << 48
        entry.second |= <uint64_t>ids[2] >> 16
    if n > 3:
        entry.second |= <uint64_t>ids[3] << 8
    if n > 4:
        entry.second |= <uint64_t>ids[4] << 32


cdef inline size_t recall_word(const WordEntry* entry, uint32_t* ids) noexcept nogil:
    """Write the ids of a word: always five of them, so that nothing depends on how many there are."""
    cdef uint64_t first = entry.first, second = entry.second
    ids[0] = first & 0xFFFFFF
    ids[1] = (first >> 24) & 0xFFFFFF
    ids[2] = <uint32_t>((first >> 48) | ((second & 0xFF) << 16))
    ids[3] = (second >> 8) & 0xFFFFFF
    ids[4] = (second >> 32) & 0xFFFFFF
    return second >> 56


cdef size_t recall_long(const Workspace* ws, uint64_t h, const uint8_t* p, size_t n,
                        uint32_t* ids) noexcept nogil:
    """Ids of a longer piece if it is remembered, else 0."""
    cdef const LongEntry* entry
    cdef const uint8_t* at
    cdef uint32_t size, count
    if ws.longs == NULL:
        return 0
    entry = &ws.longs[h & (LONG_SLOTS - 1)]
    if entry.hash != h or entry.offset_plus_1 == 0:
        return 0
    at = ws.long_arena + (entry.offset_plus_1 - 1)
    memcpy(&size, at, 4)
    memcpy(&count, at + 4, 4)
    if size != n or memcmp(at + 8 + 4 * <size_t>count, p, n) != 0:
        return 0
    memcpy(ids, at + 8, 4 * <size_t>count)
    return count


cdef void remember_long(Workspace* ws, uint64_t h, const uint8_t* p, size_t n, const uint32_t* ids,
                        size_t n_ids) noexcept nogil:
    cdef size_t needed = 8 + 4 * n_ids + n
    cdef uint32_t header[2]
    cdef uint8_t* at
    cdef int64_t size = LONG_SLOTS * sizeof(LongEntry) + LONG_BYTES
    if ws.longs == NULL:
        if BPETOK_ADD(&cache_bytes, size) > CACHE_BUDGET:
            BPETOK_ADD(&cache_bytes, -size)
            return
        ws.longs = <LongEntry*>calloc(LONG_SLOTS, sizeof(LongEntry))
        ws.long_arena = <uint8_t*>malloc(LONG_BYTES)
        if ws.longs == NULL or ws.long_arena == NULL:
            free(ws.longs)
            free(ws.long_arena)
            ws.longs = NULL
            ws.long_arena = NULL
            BPETOK_ADD(&cache_bytes, -size)
            return
    if ws.long_used + needed > LONG_BYTES:
        memset(ws.longs, 0, LONG_SLOTS * sizeof(LongEntry))
        ws.long_used = 0
    at = ws.long_arena + ws.long_used
    header[0] = <uint32_t>n
    header[1] = <uint32_t>n_ids
    memcpy(at, header, 8)
    memcpy(at + 8, ids, 4 * n_ids)
    memcpy(at + 8 + 4 * n_ids, p, n)
    ws.longs[h & (LONG_SLOTS - 1)].hash = h
    ws.longs[h & (LONG_SLOTS - 1)].offset_plus_1 = ws.long_used + 1
    ws.long_used += needed


# ---- the encode kernel ---------------------------------------------------------------------------

cdef inline void word_key(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t* low,
                          uint64_t* high) noexcept nogil:
    # Up to 15 bytes and the length. Sixteen bytes are loaded and masked, unless that would read past
    # the end of the text.
    if limit - p >= 16:
        memcpy(low, p, 8)
        memcpy(high, p + 8, 8)
        if n < 8:
            low[0] &= (<uint64_t>1 << (8 * n)) - 1
            high[0] = 0
        else:
            high[0] &= (<uint64_t>1 << (8 * (n - 8))) - 1
    else:
        low[0] = load_up_to_8(p, n if n < 8 else 8)
        high[0] = load_up_to_8(p + 8, n - 8) if n > 8 else 0
    high[0] |= <uint64_t>n << 56


cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`.

    Two passes: keys, hashes and prefetches first, so that the cache lines of 256 words are under way
    while they are looked up one by one.
    """
    cdef uint64_t low[BATCH]
    cdef uint64_t high[BATCH]       # of a long piece: its hash in `low`, 0 here
    cdef WordEntry* entry
    cdef size_t i, n, at = start
    cdef int64_t found
    cdef uint32_t* out
    if ws.words == NULL:
        grow_words(ws)
    if room_for_ids(ws, (ends[count - 1] - start) + WORD_IDS * count) != OK:
        return NO_MEMORY
    for i in range(count):
        n = ends[i] - at
        if n <= WORD:
            word_key(text + at, n, limit, &low[i], &high[i])
            BPETOK_PREFETCH(ws.words + 2 * (word_bucket(low[i], high[i]) & ws.word_mask))
        else:
            high[i] = 0
            low[i] = hash_bytes(text + at, n) if n <= LONG_PIECE else 0
        at = ends[i]
    at = start
    out = ws.ids + ws.n_ids
    for i in range(count):
        n = ends[i] - at
        if high[i]:
            entry = ws.words + 2 * (word_bucket(low[i], high[i]) & ws.word_mask)
            if entry.low == low[i] and entry.high == high[i]:
                out += recall_word(entry, out)
                at = ends[i]
                continue
            if entry[1].low == low[i] and entry[1].high == high[i]:
                out += recall_word(entry + 1, out)
                at = ends[i]
                continue
        elif n <= LONG_PIECE:
            found = <int64_t>recall_long(ws, low[i], text + at, n, out)
            if found:
                out += found
                at = ends[i]
                continue
        found = encode_piece(t, ws, text + at, n, out)
        if found < 0:
            ws.error_at += at
            return <int>-found
        if high[i]:
            if found <= WORD_IDS:
                remember_word(ws, low[i], high[i], out, <size_t>found)
        elif n <= LONG_PIECE:
            remember_long(ws, low[i], text + at, n, out, <size_t>found)
        out += found
        at = ends[i]
    if ws.keep:
        ws.n_ids = <size_t>(out - ws.ids)
    else:
        ws.n_total += <size_t>(out - ws.ids)
    return OK


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
    cdef uint32_t* ids = <uint32_t*>malloc((t.longest + WORD_IDS) * sizeof(uint32_t))
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
    if ignore_merges:
        return
    ws = workspace_new()
    ids = <uint32_t*>malloc((t.longest + WORD_IDS) * sizeof(uint32_t))
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
                    t.flags[token] ^= WHOLE
    finally:
        workspace_free(ws)
        free(ids)


def cache_in_use():
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
    return cache_bytes
