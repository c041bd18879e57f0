"""The engine: pieces to ids, exactly, from the words remembered or by merging; all of it without the GIL.

`encode_segment` scans a stretch of text into batches of 256 pieces (`_scan`), and `append_pieces` writes
the ids of those that the workspace's word cache has (`_workspace`). What it has not is listed. At the
end, `fill_in` finds all of that: whole in the vocabulary, or cut into parts, or merged several at once
(`_merge`); remembers it; and puts the ids where they belong.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from bpetok._merge cimport SHORT, Gap, expand, kernels, merge, merge_dropout
from bpetok._scan cimport WORD_SPACED, WORD_WHOLE, Scanner, ScanSpec, last_cut, scan
from bpetok._vocab cimport (
    BPETOK_PREFETCH, FUSE_PIECE, FUSE_TEXT, NO_TOKEN, WHOLE, Tables, crosses, find_token,
    hash_bytes)
from bpetok._workspace cimport (
    ARENA, MISSES, NO_MEMORY, OK, SLACK, UNITS, WORD, WORD_IDS, Job, Key, Missed, Misses, Unit, Word,
    Workspace, beside, bring_back, find_word, grow_words, record_of, remember, room_for_found,
    room_for_ids, room_for_missed, token_hash)

cdef extern from "kernels.h" nogil:
    void make_key "bpetok_make_key"(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t mark,
                                    const Word* words, uint64_t mask, Key* key)
    size_t unpack "bpetok_unpack"(const Word* word, uint32_t* ids)


# Where a text without pieces is likely to be cut: around words, numbers, punctuation and lines.
cdef ScanSpec likely = Scanner(word="plain", digits=1, newlines=True, word_marks=True,
                               punctuation_marks=False).spec


# ---- what was missed -----------------------------------------------------------------------------

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
    cdef uint32_t* ids
    cdef uint8_t[3][UNITS] listed       # those to be merged, by the width that they need
    cdef size_t[3] n_listed
    cdef Job* jobs = m.jobs
    cdef size_t i, k, n, first
    cdef int64_t count
    cdef int width
    memset(n_listed, 0, sizeof(n_listed))
    for i in range(m.n_units):
        unit = &m.units[i]
        if unit.ids != NULL or unit.part and look_up(ws, unit) or unit.n > SHORT or t.tied != NULL:
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
            kernels().merge_many(&t.pairs, jobs, n, 1 << width)
        for k in range(n):
            m.units[listed[width][k]].n_ids = jobs[k].n_ids
        jobs += n
    for i in range(m.n_units):
        unit = &m.units[i]
        if room_for_found(m, 2 * unit.n + SLACK if unit.ids == NULL or t.expands else unit.n_ids) != OK:
            return NO_MEMORY
        ids = m.found + m.n_found
        if unit.ids != NULL:
            memcpy(ids, unit.ids, unit.n_ids * sizeof(uint32_t))
        else:
            count = merge(t, ws, unit.p, unit.n, ids)
            if count < 0:
                return <int>-count
            unit.n_ids = <size_t>count
        if t.expands:
            count = expand(t, ws, ids, unit.n_ids, unit.n)
            if count < 0:
                ws.error_at += <size_t>(unit.p - m.missed[0].p)
                return <int>-count
            unit.n_ids = <size_t>count
            first = m.missed[unit.piece - 1].end if unit.piece else 0
            if (t.fuse and unit.n_ids and ids[0] == t.unknown and m.n_found > first
                    and (ids - 1)[0] == t.unknown):
                # It goes on from the part before; on its own it would begin with an id more.
                unit.n_ids -= 1
                unit.fresh = False
                memmove(ids, ids + 1, unit.n_ids * sizeof(uint32_t))
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
    cdef Unit* unit
    cdef int status
    if m.n_units == UNITS:
        status = settle(t, ws)
        if status != OK:
            return status
    unit = new_unit(m, p, n, piece)
    unit.key = m.missed[piece].key
    if look_up(ws, unit) or m.missed[piece].part:
        return OK
    if n <= t.longest and encode_whole(t, p, n, token_hash(&unit.key, p, n), unit.few):
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
        # Behind `found`, all from the first gap on. Copies may write ids of no meaning behind theirs.
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

cdef int append_batch(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                      size_t* count, const uint8_t* limit, bint parts) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`, as far as they are remembered.
    The others are noted for `fill_in`. Before a piece that is too long for that it ends; `count` says where.

    Two passes: keys, hashes and prefetches first, so that the cache lines of 256 words are under way
    while they are looked up one by one.
    """
    cdef Key keys[BATCH]
    cdef Gap gaps[BATCH]
    cdef size_t k, i, n_gaps, n_ids
    cdef const Word* word
    cdef const uint8_t* record
    cdef Missed* missed
    if ws.words == NULL:
        grow_words(ws)
    if room_for_ids(ws, WORD_IDS * count[0] + SLACK) != OK:
        return NO_MEMORY
    count[0] = kernels().make_keys(ws.words, ws.word_mask, text, start, ends, count[0], limit,
                                   t.part_mark if parts else 0, keys)
    n_gaps = kernels().recall(keys, count[0], ws.ids + ws.n_ids, &n_ids, gaps)
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
            missed.part = parts
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


cdef int append_long(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, size_t end,
                     const uint8_t* limit, bint part) noexcept nogil:
    """Append the ids of a piece that is too long to be remembered, part by part. What cannot be cut is
    noted."""
    cdef size_t ends[BATCH]
    cdef size_t count, at = start, length = end - start
    cdef Missed* missed
    cdef int status = OK
    if part or length <= t.longest or start + next_cut(t, text + start, 0, length) == end:
        if room_for_missed(ws, 1) != OK:
            return NO_MEMORY
        missed = ws.misses.missed + ws.misses.n_missed
        ws.misses.n_missed += 1
        make_key(text + start, length, limit, 0, ws.words, ws.word_mask, &missed.key)
        missed.p = text + start
        missed.n = length
        missed.at = ws.n_ids
        missed.part = part
        return OK
    while start < end and status == OK:
        count = 0
        while count < BATCH and at < end:
            at = start + next_cut(t, text + start, at - start, length)
            ends[count] = at
            count += 1
        status = append_pieces(t, ws, text, start, ends, count, limit, True)
        length -= at - start
        start = at
    return status


cdef int append_fused(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, size_t end,
                      const uint8_t* limit) noexcept nogil:
    """As `append_long`, where unknown characters fuse within a piece, and so from part to part."""
    cdef size_t run_start = ws.run_start, fused = ws.fused
    cdef int status = fill_in(t, ws, text, limit, OK)
    begin_text(ws)
    if status == OK:
        status = append_long(t, ws, text, start, end, limit, False)
    status = fill_in(t, ws, text, limit, status)
    fuse(t, ws)
    ws.run_start = run_start
    ws.fused = fused
    return status


cdef void fuse(const Tables* t, Workspace* ws) noexcept nogil:
    """Make each run of unknown ids one, in what was appended since `ws.run_start`, of which all up to
    `ws.fused` is fused already."""
    cdef size_t at, kept = ws.fused
    for at in range(ws.fused, ws.n_ids):
        if ws.ids[at] != t.unknown or kept == ws.run_start or ws.ids[kept - 1] != t.unknown:
            ws.ids[kept] = ws.ids[at]
            kept += 1
    ws.n_ids = kept
    ws.fused = kept


cdef int append_dropped(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                        size_t count) noexcept nogil:
    """Append the ids of pieces of which merges are dropped by chance. Nothing of it is remembered."""
    cdef size_t i, n
    cdef int64_t found
    for i in range(count):
        n = ends[i] - start
        if room_for_ids(ws, 2 * n + SLACK) != OK:
            return NO_MEMORY
        found = merge_dropout(t, ws, text + start, n, ws.ids + ws.n_ids)
        if found >= 0 and t.expands:
            found = expand(t, ws, ws.ids + ws.n_ids, <size_t>found, n)
        if found < 0:
            ws.error_at += start
            return <int>-found
        ws.n_ids += <size_t>found
        start = ends[i]
    return OK


cdef int append_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit, bint parts) noexcept nogil:
    """Append the ids of up to BATCH pieces, or parts of a piece, that lie side by side from `start`."""
    cdef size_t done = 0, n
    cdef int status = OK
    if ws.dropout:
        return append_dropped(t, ws, text, start, ends, count)
    while done < count and status == OK:
        n = count - done
        status = append_batch(t, ws, text, start, ends + done, &n, limit, parts)
        done += n
        if n:
            start = ends[done - 1]
        if status == OK and done < count:
            if t.fuse == FUSE_PIECE and not parts:
                status = append_fused(t, ws, text, start, ends[done], limit)
            else:
                status = append_long(t, ws, text, start, ends[done], limit, parts)
            start = ends[done]
            done += 1
        if status == OK and ws.misses != NULL and ws.misses.n_missed >= MISSES:
            status = fill_in(t, ws, text, limit, status)
    return status


cdef int encode_pieces(const Tables* t, Workspace* ws, const uint8_t* text, size_t start, const size_t* ends,
                       size_t count, const uint8_t* limit) noexcept nogil:
    """Append the ids of up to BATCH pieces that lie side by side from `start`, or only count them."""
    cdef int status = append_pieces(t, ws, text, start, ends, count, limit, False)
    status = fill_in(t, ws, text, limit, status)
    if t.fuse == FUSE_TEXT:
        fuse(t, ws)
    return status


cdef int append_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end, const uint8_t* limit) noexcept nogil:
    """Append the ids of text[start:end], which holds no special token, or only count them; but for those
    that `complete` must find. Up to `limit` the text can be read."""
    cdef size_t ends[BATCH]
    cdef size_t count
    cdef int status = OK
    if spec.word == WORD_WHOLE and cuts_anywhere(t, ws):
        return append_uncrossed(t, ws, text, start, end, limit)
    while start < end and status == OK:
        count = scan(spec, text, start, end, ends, BATCH)
        status = append_pieces(t, ws, text, start, ends, count, limit, False)
        start = ends[count - 1]
    return status


cdef int complete(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                  const uint8_t* limit, int status) noexcept nogil:
    """Put in what is missing from the ids of one or several segments. Returns the status. Where unknown
    characters fuse, this is for each segment; elsewhere, what many short ones miss is found together."""
    status = fill_in(t, ws, text, limit, status)
    if t.fuse == FUSE_TEXT or t.fuse and spec.word == WORD_WHOLE:
        fuse(t, ws)
    return status


cdef int encode_segment(const Tables* t, Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t end) noexcept nogil:
    """Append the ids of text[start:end], which holds no special token, or only count them."""
    cdef int status = append_segment(t, ws, spec, text, start, end, text + end)
    return complete(t, ws, spec, text, text + end, status)


cdef int append_uncrossed(const Tables* t, Workspace* ws, const uint8_t* text, size_t start,
                          size_t end, const uint8_t* limit) noexcept nogil:
    """Append the ids of text[start:end], which is one piece, cut around words wherever no merge crosses.

    Such parts come again and again. They are cut further like pieces of their own.
    """
    cdef size_t ends[BATCH]
    cdef size_t count, kept, i, at = start
    cdef int status = OK
    while start < end and status == OK:
        count = scan(&likely, text, at, end, ends, BATCH)
        at = ends[count - 1]
        kept = 0
        for i in range(count):
            ends[kept] = ends[i]
            kept += ends[i] == end or not crosses(t, text[ends[i] - 1], text[ends[i]])
        if kept:
            status = append_pieces(t, ws, text, start, ends, kept, limit, False)
            start = ends[kept - 1]
    return status


cdef bint cuts_anywhere(const Tables* t, const Workspace* ws) noexcept nogil:
    """Whether a piece may be cut wherever no merge crosses, with no more thought: not where tokens may be
    looked up that merging does not give, and not where merges are dropped, since one that is made has others
    tried again in the whole piece."""
    return t.part_mark == 0 and ws.dropout == 0


cdef size_t last_cut_of(const Tables* t, const Workspace* ws, const ScanSpec* spec, const uint8_t* text,
                        size_t start, size_t last, size_t end) noexcept nogil:
    """As `last_cut`, for any scanner: a text that is one piece is cut where no merge crosses, if anywhere."""
    cdef size_t at = last if last < end else end - 1
    if spec.word == WORD_SPACED:
        while at > start and text[at] != c" ":
            at -= 1
        return max(at, start)
    if spec.word == WORD_WHOLE:
        if not cuts_anywhere(t, ws):
            return start
        while at > start and crosses(t, text[at - 1], text[at]):
            at -= 1
        return max(at, start)
    return last_cut(text, start, last, end, spec.words > 1)


cdef void begin_text(Workspace* ws) noexcept nogil:
    """Say that what comes does not fuse with what is there."""
    ws.run_start = ws.n_ids
    ws.fused = ws.n_ids


cdef int put_special(Workspace* ws, uint32_t token) noexcept nogil:
    if not ws.keep:
        ws.n_total += 1
        return OK
    if room_for_ids(ws, 1) != OK:
        return NO_MEMORY
    ws.ids[ws.n_ids] = token
    ws.n_ids += 1
    begin_text(ws)
    return OK


# ---- one piece alone -----------------------------------------------------------------------------

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
    """Ids of one piece: the whole piece where the vocabulary's semantics allow it, else merging. Negative
    is an
    error code. There must be room for twice as many ids as bytes."""
    cdef int64_t count = encode_whole(t, p, n, hash_bytes(p, n), ids) or merge(t, ws, p, n, ids)
    if t.expands and count >= 0:
        return expand(t, ws, ids, <size_t>count, n)
    return count
