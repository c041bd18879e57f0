"""Merge engine: pieces to ids, exactly, from a word cache or by merging.

The flow of one call: a text is seen as UTF-8 (`_scan`), cut at special tokens, scanned into batches of
256 pieces, and each piece is looked up in the word cache of the call's workspace. A piece that is not
there is found whole in the vocabulary or merged pair by pair, and then remembered. Ids go into one
growing buffer of 32-bit integers, from which a Python list or a numpy array is made.

Merging (`merge_short`, `merge_long`) always takes the leftmost of the pairs of the lowest rank until
none is left. `merge_short` looks for it in an array (few comparisons, no pointers: best for words),
`merge_long` keeps a heap with lazy deletion and takes O(n log n). A pair's rank and result come from
one table of (left id, right id), whatever the vocabulary's semantics: with *ranks*, the only pair
that can ever form a token is the one that merging the token alone ends with (what lies inside its span
merges there in the same order as anywhere else), and `link_ranks` finds it for every token.

The cache is exact: short words are their own key, long ones are compared in full. It belongs to a
workspace, which a call leases, so no thread reads what another writes. Its growth is bounded per
workspace and, by a shared budget, per process.
"""

from cpython.buffer cimport (
    PyBUF_CONTIG_RO, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_CheckBuffer, PyObject_GetBuffer)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from bpetok._scan cimport Scanner, ScanSpec, TextView, next_char, scan, to_utf8, utf8_bound, view_text
from bpetok._vocab cimport (
    BPETOK_PREFETCH, NO_TOKEN, WHOLE, PairSlot, Tables, VocabTables, find_pair, find_token, hash_bytes, load_up_to_8)

from bpetok._scan import as_utf8
from bpetok.errors import EncodeError, TokenError, TokenRangeError, VocabularyError

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
    WORD_IDS = 5                    # its ids
    WORDS_FIRST = 1 << 10           # buckets (of two words) of a new cache, and at most
    WORDS_MOST = 1 << 17
    LONG_SLOTS = 1 << 14
    LONG_BYTES = 1 << 20
    LONG_PIECE = 512                # longer pieces are not worth remembering
    CACHE_BUDGET = 64 << 20         # bytes of all caches in the process
    RELEASE_GIL = 2048              # code units from which a call lets other threads run
    KEEP_BYTES = 1 << 22            # scratch that an idle workspace may keep
    IDLE_MOST = 64
    CHUNK = 1 << 16                 # code units of a batch that a thread takes at a time

cdef enum:
    OK = 0
    NO_MEMORY = 1
    MISSING_BYTE = 2
    TOO_LONG = 3

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
    """Ids of a piece of 1 to SHORT bytes into `ids`; returns how many. All its bytes are in the vocabulary.

    O(n * merges) comparisons over a few cache lines.
    """
    cdef uint64_t pair[SHORT + 1]
    cdef uint64_t least
    cdef size_t i, at
    ids[0] = t.byte_token[p[0]]
    for i in range(1, n):
        ids[i] = t.byte_token[p[i]]
        pair[i - 1] = ranked(t, ids[i - 1], ids[i])
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
    cdef size_t i
    for i in range(n):
        if t.byte_token[p[i]] == NO_TOKEN:
            ws.error_at = i
            return -MISSING_BYTE
    if n <= SHORT:
        return <int64_t>merge_short(t, p, n, ids)
    return merge_long(t, ws, p, n, ids)


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
    mask = old_mask * 4 + 3 if old != NULL else WORDS_FIRST - 1
    if mask >= WORDS_MOST:
        return
    size = <int64_t>((mask + 1) * 2 * sizeof(WordEntry))
    if BPETOK_ADD(&cache_bytes, size) > CACHE_BUDGET and old != NULL:
        BPETOK_ADD(&cache_bytes, -size)
        return
    words = <WordEntry*>calloc(2 * (mask + 1), sizeof(WordEntry))
    if words == NULL:
        BPETOK_ADD(&cache_bytes, -size)
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
    if ws.word_misses > ws.word_mask:
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
        if ws.words == NULL:
            return NO_MEMORY
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
                found = merge(t, ws, t.arena + t.start[token], size, ids)
                if found == -NO_MEMORY:
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
            raise VocabularyError(f"merge {rank} joins ({left}, {right}), and not both are ids of the vocabulary")
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


cdef inline const uint8_t* marks(bytes mask) noexcept:
    cdef const uint8_t* none = NULL
    return none if mask is None else <const uint8_t*>PyBytes_AS_STRING(mask)


# ---- the encoder ---------------------------------------------------------------------------------

cdef class Encoder:
    """Native half of `bpetok.Tokenizer`: encoding and decoding, without policy.

    Immutable after `_attach`; any number of threads may call its methods at once.
    """

    def __dealloc__(self):
        cdef Py_ssize_t i
        cdef uint32_t token
        for i in range(self.n_idle):
            workspace_free(self.idle[i])
        free(self.idle)
        if self.ints != NULL:
            for token in range(self.n_ints):
                if self.ints[token] != NULL:
                    Py_DECREF(<object>self.ints[token])
        free(self.ints)
        free(self.specials)
        free(self.special_slots)
        free(self.sizes)
        free(self.first_two)

    def _attach(self, VocabTables tables not None, Scanner scanner, matcher, dict special_tokens):
        """Set the vocabulary, the native scanner or a function from str to spans, and the specials."""
        cdef Py_ssize_t i = 0
        cdef uint64_t at
        cdef size_t size
        if self.ints != NULL:
            raise VocabularyError("a tokenizer is immutable: make a new one")
        self.tables = tables
        self.scanner = scanner
        self.matcher = matcher
        self.n_ints = tables.t.n_ids
        self.ints = <void**>calloc(self.n_ints + 1, sizeof(void*))
        self.idle = <Workspace**>calloc(IDLE_MOST, sizeof(void*))
        self.n_specials = len(special_tokens)
        self.special_mask = 16
        while self.special_mask < 2 * <uint64_t>self.n_specials:
            self.special_mask *= 2
        self.special_mask -= 1
        encoded = [(as_utf8(text), token) for text, token in special_tokens.items()]
        distinct = sorted({len(data) for data, _ in encoded}, reverse=True)
        self.special_bytes = b"".join(data for data, _ in encoded)
        self.special_base = <const uint8_t*>PyBytes_AS_STRING(self.special_bytes)
        self.specials = <Special*>calloc(self.n_specials + 1, sizeof(Special))
        self.special_slots = <uint32_t*>calloc(self.special_mask + 1, sizeof(uint32_t))
        self.sizes = <size_t*>calloc(len(distinct) + 1, sizeof(size_t))
        self.first_two = <uint8_t*>calloc(1 << 16, 1)
        if (self.ints == NULL or self.idle == NULL or self.specials == NULL or self.special_slots == NULL
                or self.sizes == NULL or self.first_two == NULL):
            raise MemoryError()
        firsts = {data[0] for data, _ in encoded}
        self.only_first = firsts.pop() if len(firsts) == 1 else -1
        for size in distinct:
            self.sizes[self.n_sizes] = size
            self.n_sizes += 1
        at = 0
        for data, token in encoded:
            self.specials[i].token = token
            self.specials[i].size = <uint32_t>len(data)
            self.specials[i].start = at
            for second in range(256) if len(data) == 1 else (data[1],):
                self.first_two[data[0] << 8 | second] = 2 if len(data) == 1 else max(
                    1, self.first_two[data[0] << 8 | second])
            slot = hash_bytes(self.special_base + at, self.specials[i].size) & self.special_mask
            while self.special_slots[<uint64_t>slot]:
                slot = (slot + 1) & self.special_mask
            self.special_slots[<uint64_t>slot] = <uint32_t>(i + 1)
            at += self.specials[i].size
            i += 1

    # ---- inside ----

    cdef Workspace* lease(self) except NULL:
        cdef Workspace* ws
        if self.n_idle:
            self.n_idle -= 1
            ws = self.idle[self.n_idle]
        elif self.ints == NULL:
            raise VocabularyError("this tokenizer was never given a vocabulary")
        else:
            ws = workspace_new()
            if ws == NULL:
                raise MemoryError()
        ws.n_ids = 0
        ws.n_total = 0
        ws.keep = True
        return ws

    cdef void give_back(self, Workspace* ws) noexcept:
        workspace_trim(ws)
        if self.n_idle < IDLE_MOST:
            self.idle[self.n_idle] = ws
            self.n_idle += 1
        else:
            workspace_free(ws)

    cdef size_t find_special(self, const uint8_t* text, size_t pos, size_t end, const uint8_t* mask,
                             Py_ssize_t* which) noexcept nogil:
        """Where the next special token starts, the longest that fits there, or `end`. Only those with a
        mark in `mask` count; all do when it is NULL."""
        cdef const uint8_t* known = self.special_base
        cdef const uint8_t* hit
        cdef size_t i, size
        cdef uint64_t at
        cdef uint32_t index
        while pos < end:
            if self.only_first >= 0:
                hit = <const uint8_t*>memchr(text + pos, self.only_first, end - pos)
                if hit == NULL:
                    return end
                pos = <size_t>(hit - text)
            if self.first_two[(<uint32_t>text[pos] << 8) | (text[pos + 1] if pos + 1 < end else 0)]:
                for i in range(self.n_sizes):
                    size = self.sizes[i]
                    if size > end - pos:
                        continue
                    at = hash_bytes(text + pos, size) & self.special_mask
                    while self.special_slots[at]:
                        index = self.special_slots[at] - 1
                        if (self.specials[index].size == size
                                and memcmp(known + self.specials[index].start, text + pos, size) == 0):
                            if mask == NULL or mask[index]:
                                which[0] = index
                                return pos
                            break
                        at = (at + 1) & self.special_mask
            pos += 1
        return end

    cdef int encode_text(self, Workspace* ws, const uint8_t* text, size_t end,
                         const uint8_t* mask) noexcept nogil:
        """Append the ids of a text; the specials that `mask` marks are ids of their own (NULL: none)."""
        cdef size_t start = 0, special
        cdef Py_ssize_t which = 0
        cdef int status
        while True:
            special = self.find_special(text, start, end, mask, &which) if mask != NULL else end
            status = encode_segment(&self.tables.t, ws, &self.scanner.spec, text, start, special)
            if status != OK or special == end:
                return status
            status = put_special(ws, self.specials[which].token)
            if status != OK:
                return status
            start = special + self.specials[which].size

    cdef int match_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) except -2:
        """As `encode_text`, with pieces from the `regex` package."""
        cdef size_t start = 0, special, at, chars, first, last, piece
        cdef size_t ends[1]
        cdef Py_ssize_t which = 0
        cdef int status
        cdef bint ascii
        while True:
            special = self.find_special(text, start, end, mask, &which) if mask != NULL else end
            segment = PyUnicode_DecodeUTF8(<const char*>text + start, <Py_ssize_t>(special - start), NULL)
            ascii = len(segment) == special - start
            at = start
            chars = 0
            for first, last in self.matcher(segment):
                if ascii:
                    piece = start + first
                    at = start + last
                else:
                    while chars < first:
                        at = next_char(text, at, special)
                        chars += 1
                    piece = at
                    while chars < last:
                        at = next_char(text, at, special)
                        chars += 1
                ends[0] = at
                status = encode_pieces(&self.tables.t, ws, text, piece, ends, 1, text + special)
                if status != OK:
                    return status
            if special == end:
                return OK
            status = put_special(ws, self.specials[which].token)
            if status != OK:
                return status
            start = special + self.specials[which].size

    cdef int fill(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1:
        """Encode a str into `ws`. With `reject`, any special token in it is an error."""
        cdef TextView view
        cdef const uint8_t* data
        cdef size_t n
        cdef Py_ssize_t which = 0
        cdef int status
        if not isinstance(text, str):
            raise TypeError(f"expected a str to encode, got {type(text).__name__}")
        view_text(text, &view)
        if view.kind == 0:
            data = <const uint8_t*>view.data
            n = view.length
        else:
            if room_for_utf8(ws, utf8_bound(&view)) != OK:
                raise MemoryError()
            if view.length >= RELEASE_GIL:
                with nogil:
                    n = to_utf8(&view, ws.utf8)
            else:
                n = to_utf8(&view, ws.utf8)
            data = ws.utf8
        if reject and self.n_specials:
            if self.find_special(data, 0, n, NULL, &which) < n:
                self._reject(self.special_text(which))
        if self.scanner is None:
            status = self.match_text(ws, data, n, mask)
        elif n >= RELEASE_GIL:
            with nogil:
                status = self.encode_text(ws, data, n, mask)
        else:
            status = self.encode_text(ws, data, n, mask)
        if status != OK:
            self.fail(status, data, ws)
        return 0

    cdef str special_text(self, Py_ssize_t which):
        return PyBytes_FromStringAndSize(<const char*>self.special_base + self.specials[which].start,
                                         self.specials[which].size).decode()

    cdef object fail(self, int status, const uint8_t* text, Workspace* ws):
        if status == NO_MEMORY:
            raise MemoryError()
        if status == TOO_LONG:
            raise EncodeError("one piece of the text has 4 GiB or more: cut the text, or use a pattern that does")
        raise EncodeError(f"byte 0x{text[ws.error_at]:02x} at byte {ws.error_at} of the text is not in the "
                          "vocabulary: train or load one with all 256 bytes to encode any text")

    cdef object integer(self, uint32_t token):
        # One int object an id and tokenizer, made at first use: building a list is then loads and
        # increments, not allocations.
        cdef object value
        if self.ints[token] == NULL:
            value = token
            Py_INCREF(value)
            self.ints[token] = <void*>value
        return <object>self.ints[token]

    cdef list to_list(self, const uint32_t* ids, size_t n):
        cdef list result = PyList_New(<Py_ssize_t>n)
        cdef size_t i
        cdef void* known
        for i in range(n):
            known = self.ints[ids[i]]
            if known == NULL:
                self.integer(ids[i])
                known = self.ints[ids[i]]
            Py_INCREF(<object>known)
            PyList_SET_ITEM(result, <Py_ssize_t>i, <object>known)
        return result

    cdef size_t gather(self, object tokens, uint32_t** out) except? 0:
        """Copy a sequence of ids into a new array; returns how many. Every one is known to decode."""
        cdef Py_buffer buffer
        cdef uint32_t* ids
        cdef size_t n = 0, i
        cdef object item
        cdef int64_t value
        if isinstance(tokens, (str, bytes)):
            raise TypeError(f"expected a sequence of token ids, got {type(tokens).__name__}")
        if not isinstance(tokens, (list, tuple)):
            tokens = tokens.tolist() if PyObject_CheckBuffer(tokens) and hasattr(tokens, "tolist") else list(tokens)
            if not isinstance(tokens, list):
                raise TypeError("expected a one-dimensional sequence of token ids")
        n = <size_t>len(tokens)
        ids = <uint32_t*>malloc((n + 1) * sizeof(uint32_t))
        if ids == NULL:
            raise MemoryError()
        try:
            i = 0
            for item in tokens:
                if not isinstance(item, int):
                    if isinstance(item, float) or not hasattr(item, "__index__"):
                        raise TypeError(f"token ids must be integers, got {item!r} at index {i}")
                    item = item.__index__()
                try:
                    value = item
                except OverflowError:
                    value = -1
                if value < 0 or value > <int64_t>0xFFFFFFFF:
                    raise TokenRangeError(f"token id {item} at index {i} is out of range: ids are 0 to "
                                          f"{self.n_ints - 1} in this vocabulary")
                if i < n:
                    ids[i] = <uint32_t>value
                i += 1
            n = min(i, n)
            for i in range(n):
                if ids[i] >= self.n_ints or self.tables.t.size[ids[i]] == 0:
                    raise TokenError(f"Invalid token for decoding: {ids[i]}")
        except BaseException:
            free(ids)
            raise
        out[0] = ids
        return n

    def _reject(self, str token):
        """Called when a text holds a special token that is not allowed; the Python half raises."""
        raise EncodeError(f"special token {token!r} is not allowed in this text")

    # ---- for the Python half ----

    def _encode(self, text, mask, bint reject=False):
        """Ids of a text as a list; `mask` has one byte per special token, nonzero where it is allowed."""
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, marks(mask), reject, ws)
            return self.to_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def _encode_array(self, text, mask, bint reject, empty):
        """Ids of a text in a uint32 array that `empty(n)` makes."""
        cdef Workspace* ws = self.lease()
        cdef Py_buffer buffer
        try:
            self.fill(text, marks(mask), reject, ws)
            array = empty(ws.n_ids)
            PyObject_GetBuffer(array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
            memcpy(buffer.buf, ws.ids, ws.n_ids * sizeof(uint32_t))
            PyBuffer_Release(&buffer)
            return array
        finally:
            self.give_back(ws)

    def _count(self, text, mask, bint reject):
        """How many ids a text has; none is kept."""
        cdef Workspace* ws = self.lease()
        ws.keep = False
        try:
            self.fill(text, marks(mask), reject, ws)
            return ws.n_total
        finally:
            self.give_back(ws)

    def _encode_piece(self, bytes piece not None):
        """Ids of bytes as one piece, without splitting."""
        cdef Workspace* ws = self.lease()
        cdef size_t n = <size_t>PyBytes_GET_SIZE(piece)
        cdef int64_t found
        try:
            if n == 0:
                return []
            if room_for_ids(ws, n + WORD_IDS) != OK:
                raise MemoryError()
            found = encode_piece(&self.tables.t, ws, <const uint8_t*>PyBytes_AS_STRING(piece), n, ws.ids)
            if found < 0:
                self.fail(<int>-found, <const uint8_t*>PyBytes_AS_STRING(piece), ws)
            return self.to_list(ws.ids, <size_t>found)
        finally:
            self.give_back(ws)

    def _special_at(self, bytes text not None, size_t pos, mask):
        """(start, end, text) of the first special token at or after `pos`, or None."""
        cdef Py_ssize_t which = 0
        cdef size_t n = <size_t>PyBytes_GET_SIZE(text)
        cdef size_t at = self.find_special(
            <const uint8_t*>PyBytes_AS_STRING(text), pos, n,
            marks(mask), &which)
        if at == n:
            return None
        return at, at + self.specials[which].size, self.specials[which].token

    # ---- public ----

    def encode_ordinary(self, text):
        """Encode a text, taking the text of special tokens as ordinary text.

        Args:
            text: a str. Surrogates are treated as tiktoken does: a pair becomes its character, a lone
                one U+FFFD.

        Returns:
            A list of ids. Time is O(n log n) in the length of the longest piece, linear otherwise.

        Raises:
            TypeError: `text` is not a str.
            EncodeError: a byte of the text is not in the vocabulary.
        """
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, NULL, False, ws)
            return self.to_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def decode_bytes(self, tokens):
        """The bytes that ids stand for, joined.

        Args:
            tokens: a sequence of ids, special ones included: a list, a numpy array, anything iterable.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
            TokenRangeError: an id is negative or does not fit 32 bits (an `OverflowError` too).
            TypeError: not a sequence of integers.
        """
        cdef uint32_t* ids = NULL
        cdef size_t n = self.gather(tokens, &ids), i, size = 0
        cdef const Tables* t = &self.tables.t
        cdef bytes result
        cdef uint8_t* out
        try:
            for i in range(n):
                size += t.size[ids[i]]
            result = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size)
            out = <uint8_t*>PyBytes_AS_STRING(result)
            for i in range(n):
                memcpy(out, t.arena + t.start[ids[i]], t.size[ids[i]])
                out += t.size[ids[i]]
            return result
        finally:
            free(ids)

    def decode_single_token_bytes(self, token):
        """The bytes of one id, special ones included.

        Raises:
            TokenError: the id is not in the vocabulary (a `KeyError`).
            TokenRangeError: it is negative or does not fit 32 bits (an `OverflowError` too).
        """
        cdef uint32_t* ids = NULL
        if isinstance(token, float) or not hasattr(token, "__index__"):
            raise TypeError(f"a token id must be an integer, got {token!r}")
        number = token.__index__()
        if not 0 <= number <= 0xFFFFFFFF:
            raise TokenRangeError(f"token id {number} is out of range: ids are 0 to {self.n_ints - 1} "
                                  "in this vocabulary")
        data = self.tables.token_bytes(number)
        if data is None:
            raise TokenError(str(number))
        return data

    def _batch(self, list texts, mask, bint reject):
        """A `Batch` of texts to be encoded by any number of threads."""
        return Batch(self, texts, mask, reject)


cdef class Batch:
    """Texts on their way to ids. Each thread calls `run`, which returns when no chunk is left; then
    `lists`, `counts` or `flat` gives the results in the order of the texts."""

    cdef Encoder encoder
    cdef list texts
    cdef bytes mask
    cdef bint reject
    cdef TextView* views
    cdef size_t* sizes              # ids of each text
    cdef Py_ssize_t* first          # text of each chunk; one more at the end
    cdef uint32_t** ids             # of each chunk
    cdef readonly Py_ssize_t n_chunks
    cdef Py_ssize_t taken
    cdef readonly size_t length     # code units of all texts

    def __init__(self, Encoder encoder not None, list texts not None, mask, bint reject):
        cdef Py_ssize_t i, n = len(texts)
        cdef size_t size = CHUNK
        self.encoder = encoder
        self.texts = list(texts)    # so that no one else can take a text away
        self.mask = mask
        self.reject = reject
        self.views = <TextView*>calloc(n + 1, sizeof(TextView))
        self.sizes = <size_t*>calloc(n + 1, sizeof(size_t))
        self.first = <Py_ssize_t*>calloc(n + 1, sizeof(Py_ssize_t))
        if self.views == NULL or self.sizes == NULL or self.first == NULL:
            raise MemoryError()
        for i in range(n):
            if not isinstance(self.texts[i], str):
                raise TypeError(
                    f"expected a list of str to encode, got {type(self.texts[i]).__name__} at index {i}")
            view_text(self.texts[i], &self.views[i])
            if size >= CHUNK:
                self.first[self.n_chunks] = i
                self.n_chunks += 1
                size = 0
            size += self.views[i].length
            self.length += self.views[i].length
        self.first[self.n_chunks] = n
        self.ids = <uint32_t**>calloc(self.n_chunks + 1, sizeof(void*))
        if self.ids == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef Py_ssize_t chunk
        if self.ids != NULL:
            for chunk in range(self.n_chunks):
                free(self.ids[chunk])
        free(self.ids)
        free(self.views)
        free(self.sizes)
        free(self.first)

    def run(self, bint keep=True):
        """Encode chunks until none is left. With `keep` False only the numbers of ids are kept.

        Raises:
            EncodeError: as for a single text. The chunks of other threads go on.
        """
        cdef Workspace* ws = self.encoder.lease()
        cdef Py_ssize_t chunk
        ws.keep = keep
        try:
            while self.taken < self.n_chunks:
                chunk = self.taken
                self.taken += 1
                self.encode_chunk(chunk, ws)
        except BaseException:
            self.taken = self.n_chunks
            raise
        finally:
            self.encoder.give_back(ws)

    cdef int encode_chunk(self, Py_ssize_t chunk, Workspace* ws) except -1:
        cdef Py_ssize_t i, begin = self.first[chunk], end = self.first[chunk + 1], which = 0
        cdef const uint8_t* mask = marks(self.mask)
        cdef const uint8_t* data = NULL
        cdef size_t n, before
        cdef int status = OK
        cdef Py_ssize_t rejected = -1
        ws.n_ids = 0
        if self.encoder.scanner is None:
            for i in range(begin, end):
                before = ws.n_ids + ws.n_total
                self.encoder.fill(self.texts[i], mask, self.reject, ws)
                self.sizes[i] = ws.n_ids + ws.n_total - before
        else:
            with nogil:
                for i in range(begin, end):
                    before = ws.n_ids + ws.n_total
                    data = <const uint8_t*>self.views[i].data
                    n = self.views[i].length
                    if self.views[i].kind:
                        status = room_for_utf8(ws, utf8_bound(&self.views[i]))
                        if status != OK:
                            break
                        n = to_utf8(&self.views[i], ws.utf8)
                        data = ws.utf8
                    if (self.reject and self.encoder.n_specials
                            and self.encoder.find_special(data, 0, n, NULL, &which) < n):
                        rejected = which
                        break
                    status = self.encoder.encode_text(ws, data, n, mask)
                    if status != OK:
                        break
                    self.sizes[i] = ws.n_ids + ws.n_total - before
            if rejected >= 0:
                self.encoder._reject(self.encoder.special_text(rejected))
            if status != OK:
                self.encoder.fail(status, data, ws)
        if ws.keep:
            self.ids[chunk] = <uint32_t*>malloc((ws.n_ids + 1) * sizeof(uint32_t))
            if self.ids[chunk] == NULL:
                raise MemoryError()
            memcpy(self.ids[chunk], ws.ids, ws.n_ids * sizeof(uint32_t))
        return 0

    def lists(self):
        """A list of ids for each text."""
        cdef Py_ssize_t chunk, i
        cdef uint32_t* ids
        results = []
        for chunk in range(self.n_chunks):
            ids = self.ids[chunk]
            for i in range(self.first[chunk], self.first[chunk + 1]):
                results.append(self.encoder.to_list(ids, self.sizes[i]))
                ids += self.sizes[i]
        return results

    def counts(self):
        """How many ids each text has."""
        cdef Py_ssize_t i
        return [self.sizes[i] for i in range(len(self.texts))]

    def flat(self, empty_ids, empty_offsets):
        """(ids, offsets) in arrays that the two functions make for a length: ids of 2 or 4 bytes, and
        int64 offsets, one more than texts. The ids of text i are ids[offsets[i]:offsets[i + 1]]."""
        cdef Py_ssize_t chunk, i, n = len(self.texts)
        cdef size_t total = 0, at = 0, k, count
        cdef Py_buffer buffer
        cdef int64_t* offsets
        cdef uint16_t* narrow
        for i in range(n):
            total += self.sizes[i]
        offset_array = empty_offsets(n + 1)
        PyObject_GetBuffer(offset_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        offsets = <int64_t*>buffer.buf
        offsets[0] = 0
        for i in range(n):
            offsets[i + 1] = offsets[i] + <int64_t>self.sizes[i]
        PyBuffer_Release(&buffer)
        id_array = empty_ids(total)
        PyObject_GetBuffer(id_array, &buffer, PyBUF_CONTIG_RO | PyBUF_WRITABLE)
        for chunk in range(self.n_chunks):
            count = 0
            for i in range(self.first[chunk], self.first[chunk + 1]):
                count += self.sizes[i]
            if buffer.itemsize == 2:
                narrow = <uint16_t*>buffer.buf + at
                for k in range(count):
                    narrow[k] = <uint16_t>self.ids[chunk][k]
            else:
                memcpy(<uint32_t*>buffer.buf + at, self.ids[chunk], count * sizeof(uint32_t))
            at += count
        PyBuffer_Release(&buffer)
        return id_array, offset_array


def cache_in_use():
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
    return cache_bytes
