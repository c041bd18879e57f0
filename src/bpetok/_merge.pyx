"""Merging: the bytes of a piece to ids, exactly and without the GIL.

Merging always takes the leftmost of the pairs of the lowest rank until none is left. `merge_many`
(`_native/merge_short.h`) finds it among up to 62 bytes in registers, for several pieces side by side.
`merge_long` merges longer pieces in chunks and mends the borders, or, where that does not do, with a
heap, in O(n log n) (`merge_heap`). A pair's rank and result come from one table of (left id, right id),
whatever the vocabulary's semantics: with *ranks*, the only pair that can ever form a token is the one
that merging the token alone ends with (what lies inside its span merges there in the same order as
anywhere else), and `link_ranks` finds it for every token. The proofs are in `docs/architecture.md`.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcmp, memcpy, memmove, memset

from bpetok._cpu cimport tier
from bpetok._pairs cimport NO_RANK, PairBuilder, find_rank, token_of_rank
from bpetok._vocab cimport FUSE_NEVER, NO_TOKEN, PART, WHOLE, Tables, VocabTables
from bpetok._workspace cimport (
    MISSING_BYTE, NO_MEMORY, SLACK, TOO_LONG, Job, Workspace, workspace_free, workspace_new)

cdef extern from "kernels.h" nogil:
    Kernels bpetok_kernels(int tier)

cdef enum:
    CHUNK = 48                      # bytes that a longer piece is merged by; a multiple of many periods
    CHUNKS = 64                     # of them side by side
    WINDOW = 512                    # bytes that may be merged anew where two chunks meet
    MENDED = 16                     # tokens before the border that may be

cdef Kernels chosen = bpetok_kernels(tier())


cdef const Kernels* kernels() noexcept nogil:
    return &chosen


cdef inline uint64_t order_of(const Tables* t, uint32_t rank) noexcept nogil:
    """What a merge is chosen by: its rank, or the first of those that it is tied with."""
    return rank if t.tied == NULL else t.tied[rank]


cdef inline uint64_t ranked(const Tables* t, uint32_t left, uint32_t right) noexcept nogil:
    """order << 32 | merged symbol of a pair, or NO_RANK << 32."""
    cdef uint32_t rank = find_rank(&t.pairs, left, right)
    if rank == NO_RANK:
        return <uint64_t>NO_RANK << 32
    return order_of(t, rank) << 32 | token_of_rank(&t.pairs, rank)


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


cdef int make_nodes(Workspace* ws, size_t n, size_t each) noexcept nogil:
    """See that there is room for so many numbers a byte, and for a byte more. Negative where there is not."""
    cdef size_t capacity = each * (n + 1)
    if n >= <size_t>0xFFFFFFFF:
        return -TOO_LONG
    if ws.nodes_capacity < capacity:
        free(ws.nodes)
        ws.nodes = <uint32_t*>malloc(capacity * sizeof(uint32_t))
        ws.nodes_capacity = capacity if ws.nodes != NULL else 0
        if ws.nodes == NULL:
            return -NO_MEMORY
    return 0


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
    cdef size_t i, size = 0, at, right, beyond, count
    # Each merge adds at most two entries to the first n - 1: 3 n in all.
    cdef int failed = make_nodes(ws, n, 10)
    if failed:
        return failed
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
    chosen.merge_many(&t.pairs, &job, 1, 1 if n <= 16 else 2 if n <= 32 else 4)
    memcpy(ids, job.ids, job.n_ids * sizeof(uint32_t))
    return job.n_ids


cdef int64_t merge_bytes(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                         uint32_t* ids) noexcept nogil:
    if n <= SHORT and t.tied == NULL:
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
    if t.tied != NULL:
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
        chosen.merge_many(&t.pairs, jobs, n_jobs, 4)
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
    """Symbols that one piece merges to; negative is an error code."""
    if n <= SHORT and t.tied == NULL:
        return <int64_t>merge_short(t, p, n, ids)
    return merge_long(t, ws, p, n, ids)


cdef int64_t expand(const Tables* t, Workspace* ws, uint32_t* ids, size_t count, size_t n) noexcept nogil:
    """Put ids in place of the symbols that are none, in the result of merging `n` bytes; returns how many
    there
    are then, never more than bytes. Negative is an error code, with `ws.error_at` a position in the bytes.

    There must be room for `n` ids, and for `n` more.
    """
    cdef size_t i = 0, k, at, end, kept
    cdef uint32_t symbol
    cdef uint32_t* rest = ids + n
    while i < count and ids[i] < t.n_ids:
        i += 1
    kept = i
    memmove(rest, ids + i, (count - i) * sizeof(uint32_t))
    for k in range(count - i):
        symbol = rest[k]
        if symbol < t.n_ids:
            ids[kept] = symbol
            kept += 1
            continue
        at = t.expansion_start[symbol - t.n_ids]
        end = t.expansion_start[symbol - t.n_ids + 1]
        while at < end:
            symbol = t.expansion[at]
            if symbol == NO_TOKEN:
                ws.error_at = n
                while k < count - i:
                    ws.error_at -= t.size[rest[k]]
                    k += 1
                return -MISSING_BYTE
            if symbol != t.unknown or t.fuse == FUSE_NEVER or kept == 0 or ids[kept - 1] != symbol:
                ids[kept] = symbol
                kept += 1
            at += 1
    return <int64_t>kept


# ---- dropout -------------------------------------------------------------------------------------

cdef inline uint64_t draw(Workspace* ws) noexcept nogil:
    """A random number of 53 bits: splitmix64 (Steele, Lea and Flood, 2014)."""
    cdef uint64_t z
    ws.random += <uint64_t>0x9E3779B97F4A7C15
    z = ws.random
    z = (z ^ z >> 30) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ z >> 27) * <uint64_t>0x94D049BB133111EB
    return (z ^ z >> 31) >> 11


cdef int64_t merge_dropout(const Tables* t, Workspace* ws, const uint8_t* p, size_t n,
                           uint32_t* ids) noexcept nogil:
    """As `merge_heap`, with each merge that comes up dropped by chance and put back after the next one that
    is
    not: BPE-dropout (Provilkov, Emelianenko and Voita, 2020), as `tokenizers` does it. An entry that is stale
    takes its chance too. Merges that build characters are never dropped.

    Expected time O(n log n / (1 - dropout)).
    """
    cdef uint32_t* following
    cdef uint32_t* previous
    cdef uint32_t* rank             # of the pair (node, following)
    cdef uint64_t* heap
    cdef uint64_t* dropped
    cdef uint64_t top
    cdef size_t i, size = 0, n_dropped = 0, at, beyond, count = 0, nodes = 0
    cdef uint32_t found, last
    # At most 3 n entries in both heap and dropped together, but each for itself.
    cdef int failed = make_nodes(ws, n, 15)
    if failed:
        return failed
    heap = <uint64_t*>ws.nodes
    dropped = heap + 3 * (n + 1)
    following = ws.nodes + 12 * (n + 1)
    previous = following + (n + 1)
    rank = previous + (n + 1)
    # A node for each symbol that merging starts from; a character's bytes merge from left to right.
    for i in range(n):
        ids[nodes] = t.pairs.byte_token[p[i]]
        while nodes and t.n_inner:
            found = find_rank(&t.pairs, ids[nodes - 1], ids[nodes])
            if found >= t.n_inner:
                break
            nodes -= 1
            ids[nodes] = token_of_rank(&t.pairs, found)
        nodes += 1
    for i in range(nodes):
        following[i] = <uint32_t>(i + 1)
        previous[i] = <uint32_t>(i - 1 if i else nodes)
        rank[i] = find_rank(&t.pairs, ids[i], ids[i + 1]) if i + 1 < nodes else NO_RANK
        if rank[i] != NO_RANK:
            heap[size] = order_of(t, rank[i]) << 32 | i
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
        if draw(ws) < ws.dropout:
            dropped[n_dropped] = top
            n_dropped += 1
            continue
        while n_dropped:
            n_dropped -= 1
            heap[size] = dropped[n_dropped]
            sift_up(heap, size)
            size += 1
        at = <uint32_t>top
        if rank[at] == NO_RANK or order_of(t, rank[at]) != top >> 32:
            continue
        ids[at] = token_of_rank(&t.pairs, rank[at])
        beyond = following[following[at]]
        rank[following[at]] = NO_RANK
        following[at] = <uint32_t>beyond
        rank[at] = NO_RANK
        if beyond < nodes:
            previous[beyond] = <uint32_t>at
            rank[at] = find_rank(&t.pairs, ids[at], ids[beyond])
            if rank[at] != NO_RANK:
                heap[size] = order_of(t, rank[at]) << 32 | at
                sift_up(heap, size)
                size += 1
        last = previous[at]
        if last < nodes:
            rank[last] = find_rank(&t.pairs, ids[last], ids[at])
            if rank[last] != NO_RANK:
                heap[size] = order_of(t, rank[last]) << 32 | last
                sift_up(heap, size)
                size += 1
    at = 0
    while at < nodes:
        ids[count] = ids[at]
        count += 1
        at = following[at]
    return <int64_t>count


# ---- building ------------------------------------------------------------------------------------

cdef uint32_t* by_size(const Tables* t, size_t* n) except NULL:
    """The tokens that a piece can be equal to, the shorter first, then by id; the caller frees them."""
    cdef size_t* starts = <size_t*>calloc(t.longest + 2, sizeof(size_t))   # of each size in the result
    cdef uint32_t* ordered = <uint32_t*>malloc((<size_t>t.n_ids + 1) * sizeof(uint32_t))
    cdef uint32_t token
    cdef size_t size
    if starts == NULL or ordered == NULL:
        free(starts)
        free(ordered)
        raise MemoryError()
    for token in range(t.n_ids):
        if t.flags[token] & WHOLE:
            starts[t.size[token] + 1] += 1
    for size in range(t.longest + 1):
        starts[size + 1] += starts[size]
    n[0] = starts[t.longest + 1]
    for token in range(t.n_ids):
        if t.flags[token] & WHOLE:
            ordered[starts[t.size[token]]] = token
            starts[t.size[token]] += 1
    free(starts)
    return ordered


def link_ranks(VocabTables tables not None):
    """Find, for every token of a vocabulary of ranks, the pair that it is merged from.

    Merging a token's bytes alone, without the token itself, ends in two parts, or in more when no text
    ever gives the token by merging (it is then only found as a whole piece). Tokens are taken by length:
    what merges inside one is shorter than it. O(bytes log bytes) over all tokens.
    """
    cdef Tables* t = &tables.t
    cdef Alone alone = Alone(tables)
    cdef size_t n, i
    cdef uint32_t* ordered = by_size(t, &n)
    try:
        for i in range(n):
            if t.size[ordered[i]] == 1:
                continue
            if alone.merge(ordered[i]) == 2:
                tables.add_pair(alone.ids[0], alone.ids[1], ordered[i], ordered[i])
                alone.ws.stood[0] = NO_TOKEN      # it may be this pair
            else:
                t.part_mark = PART
    finally:
        free(ordered)
    tables.finish()


cdef struct Scored:
    double score
    uint32_t token


cdef int by_score(const void* one, const void* other) noexcept nogil:
    """The best score first, then by id."""
    cdef const Scored* a = <const Scored*>one
    cdef const Scored* b = <const Scored*>other
    if a.score != b.score:
        return -1 if a.score > b.score else 1
    return -1 if a.token < b.token else 1


def link_scores(VocabTables tables not None, dict scores not None):
    """Find, for every token of several characters, the pair that it is merged from, in a vocabulary of
    characters; `scores` has the score of each token, a finite number.

    As `link_ranks`: the score decides instead of the id, and no token is found without merging. An unused
    token becomes what its two parts become.
    """
    cdef Tables* t = &tables.t
    cdef uint32_t token, rank, symbol
    cdef double score
    cdef bint ties = False
    cdef size_t n = 0, n_ordered, i
    cdef Alone alone = Alone(tables)
    cdef dict unused = tables.unused
    cdef list expansions
    cdef uint32_t* ordered = by_size(t, &n_ordered)
    cdef uint32_t* ranks = <uint32_t*>malloc((<size_t>t.n_ids + 1) * sizeof(uint32_t))  # of each token
    cdef Scored* scored = <Scored*>malloc((<size_t>len(scores) + 1) * sizeof(Scored))
    try:
        if ranks == NULL or scored == NULL:
            raise MemoryError()
        memset(ranks, 0xFF, <size_t>t.n_ids * sizeof(uint32_t))
        for token, score in scores.items():
            if characters_of(t, token) > 1:
                scored[n] = Scored(score, token)
                n += 1
        qsort(scored, n, sizeof(Scored), by_score)
        for i in range(n):
            ranks[scored[i].token] = t.n_inner + <uint32_t>i
            ties = ties or (i > 0 and scored[i].score == scored[i - 1].score)
        if ties:
            t.tied = <uint32_t*>malloc((t.n_inner + n + 1) * sizeof(uint32_t))
            if t.tied == NULL:
                raise MemoryError()
            for rank in range(t.n_inner):
                t.tied[rank] = rank
            for i in range(n):
                rank = t.n_inner + <uint32_t>i
                t.tied[rank] = t.tied[rank - 1] if i and scored[i].score == scored[i - 1].score else rank
        expansions = [tables.expand(symbol) for symbol in range(t.n_ids, t.n_symbols)]
        for i in range(n_ordered):
            token = ordered[i]
            if ranks[token] == NO_TOKEN:
                continue
            symbol = unused.get(token, token) if unused else token
            if alone.merge(token) == 2:
                tables.add_pair(alone.ids[0], alone.ids[1], ranks[token], symbol)
                alone.ws.stood[0] = NO_TOKEN
                if symbol == token:
                    continue
                expansions[symbol - t.n_ids] = joined(t, expansions, alone.ids[0], alone.ids[1])
            t.flags[token] &= ~WHOLE
    finally:
        free(ordered)
        free(ranks)
        free(scored)
    tables.finish()
    tables.set_expansions(expansions)


cdef size_t characters_of(const Tables* t, uint32_t token) noexcept nogil:
    """How many characters the UTF-8 of a token has."""
    cdef size_t i, found = 0
    for i in range(t.size[token]):
        found += (t.arena[t.start[token] + i] & 0xC0) != 0x80
    return found


cdef list joined(const Tables* t, list expansions, uint32_t left, uint32_t right):
    """What two symbols side by side become, or None."""
    cdef uint32_t symbol
    ids = []
    for symbol in (left, right):
        expansion = [symbol] if symbol < t.n_ids else expansions[symbol - t.n_ids]
        if expansion is None:
            return None
        ids += expansion
    return ids


cdef class Alone:
    """Merges tokens alone, while the merges are being found."""
    cdef const Tables* t
    cdef Workspace* ws
    cdef uint32_t* ids

    def __init__(self, VocabTables tables not None):
        self.t = &tables.t
        self.ws = workspace_new()
        self.ids = <uint32_t*>malloc((self.t.longest + SLACK) * sizeof(uint32_t))
        if self.ws == NULL or self.ids == NULL:
            raise MemoryError()

    def __dealloc__(self):
        workspace_free(self.ws)
        free(self.ids)

    cdef int64_t merge(self, uint32_t token) except -1:
        """How many symbols the bytes of a token merge to, which are in `ids` then."""
        cdef int64_t found = merge(self.t, self.ws, self.t.arena + self.t.start[token], self.t.size[token],
                                   self.ids)
        if found < 0:
            raise MemoryError()
        return found


# How merging the bytes of a token alone gives it, where that is known: the last merge.
cdef struct Made:
    bint reached
    uint32_t rank
    uint32_t left
    uint32_t right


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
        if not made[x].reached and not made[y].reached:
            return True
        # Back in time: undo the later of the two.
        if not made[y].reached or (made[x].reached and made[x].rank > made[y].rank):
            x_until = made[x].rank
            x = made[x].right
        else:
            # If it is the same token on both sides, that of the left is made first.
            y_until = made[y].rank
            y = made[y].left


cdef inline bint plain(const Tables* t, const Made* made, uint32_t token, uint32_t rank) noexcept:
    return made[token].rank < rank if made[token].reached else t.size[token] == 1


def link_merges(VocabTables tables not None, const int64_t[::1] merges, bint ignore_merges):
    """Enter a merge list, left and right ids in turns: the pair at index k has rank k and gives the token of
    its joined bytes.

    Unless `ignore_merges`, a token counts as a whole piece only when merging its bytes gives it.

    Raises:
        VocabularyError: a merge names an id that is not a token, its result is no token, or a pair
            occurs twice.
    """
    cdef Tables* t = &tables.t
    cdef PairBuilder builder = tables.builder
    cdef uint32_t token, left, right, rank
    cdef uint64_t pair
    cdef size_t i
    cdef Alone alone
    cdef uint8_t* joined = <uint8_t*>malloc(t.longest + 1)
    cdef Made* made = <Made*>calloc(t.n_symbols, sizeof(Made))
    try:
        if joined == NULL or made == NULL:
            raise MemoryError()
        for i in range(<size_t>merges.shape[0] // 2):
            tables.join(merges[2 * i], merges[2 * i + 1], <uint32_t>i, joined)
        tables.finish()
        for i in range(builder.n):
            rank, pair = builder.ranks[i], builder.pairs[i]
            left, right = <uint32_t>(pair >> 24), pair & 0xFFFFFF
            token = token_of_rank(&t.pairs, rank)
            if not made[token].reached and reached(t, made, left, right, rank):
                made[token] = Made(True, rank, left, right)
        alone = Alone(tables)
        for token in range(t.n_ids):
            if t.flags[token] & WHOLE and not made[token].reached:
                if alone.merge(token) != 1 or alone.ids[0] != token:
                    if ignore_merges:
                        t.part_mark = PART
                    else:
                        t.flags[token] ^= WHOLE
    finally:
        free(joined)
        free(made)
