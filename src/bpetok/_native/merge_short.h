/* Merging of a piece of up to 62 bytes, for one tier (see `lanes.h`).

   Symbols stay at the place of their first byte. A bit mask says which places still hold one; the merge of
   a symbol and its right neighbour is a number rank << 8 | place in the lane of that place. The smallest
   number is the leftmost merge of the lowest rank, found without a branch. */

/* The rank of a pair; none, from the bucket that is always empty, unless `there` is 1. */
INLINE uint32_t NAME(rank_if)(const BpetokPairs* t, uint64_t there, uint32_t left, uint32_t right) {
    uint64_t key = bpetok_pair_key(left, right), at = bpetok_pair_bucket(t, key);
    return bpetok_pair_rank(t, t->n_buckets + ((at - t->n_buckets) & (0 - there)), key);
}

INLINE size_t NAME(merge_lanes)(const BpetokPairs* t, const uint8_t* p, int n, uint32_t* ids, const int width) {
    uint32_t symbol[1 + 16 * 4 + 1], least;
    NAME(Lanes) lanes[4], all;
    /* Places count from 1; before the first and behind the last one stands a guard. */
    uint64_t live = ~(uint64_t)0 >> (62 - n);
    size_t count = 0;
    for (int k = 0; k < width; k++) {
        int pairs = n - 1 - 16 * k;
        lanes[k] = NAME(lanes_first)(t, p + 16 * k, pairs < 0 ? 0 : pairs < 16 ? pairs : 16, 16 * k + 1,
                                     symbol + 1 + 16 * k);
    }
    symbol[n] = t->byte_token[p[n - 1]];
    symbol[0] = symbol[n + 1] = 0;
    all = lanes[0];
    for (int k = 1; k < width; k++)
        all = NAME(lanes_min)(all, lanes[k]);
    least = NAME(lanes_least)(all);
    while (least < BPETOK_NO_RANK << 8) {
        int here = (int)(least & 0xFF);
        uint32_t token = bpetok_merged(t, least >> 8);
        uint64_t after = live >> here >> 1, beyond = after & (after - 1);
        int gone = here + 1 + __builtin_ctzll(after), next = here + 1 + __builtin_ctzll(beyond);
        int previous = 63 - __builtin_clzll(live & (((uint64_t)1 << here) - 1));
        uint32_t left, right;
        live ^= (uint64_t)1 << gone;
        symbol[here] = token;
        right = NAME(rank_if)(t, next <= n, token, symbol[next]) << 8 | (unsigned)here;
        left = NAME(rank_if)(t, previous != 0, symbol[previous], token) << 8 | (unsigned)previous;
        /* The least of the others is found while the two ranks are on their way. */
        for (int k = 0; k < width; k++)
            lanes[k] = NAME(lanes_clear)(lanes[k], gone - 1 - 16 * k, here - 1 - 16 * k, previous - 1 - 16 * k);
        all = lanes[0];
        for (int k = 1; k < width; k++)
            all = NAME(lanes_min)(all, lanes[k]);
        least = NAME(lanes_least)(all);
        least = right < least ? right : least;
        least = left < least ? left : least;
        for (int k = 0; k < width; k++) {
            lanes[k] = NAME(lanes_put)(lanes[k], here - 1 - 16 * k, right);
            lanes[k] = NAME(lanes_put)(lanes[k], previous - 1 - 16 * k, left);
        }
    }
    live &= (uint64_t)-2;
    do {
        ids[count++] = symbol[__builtin_ctzll(live)];
        live &= live - 1;
    } while (live & (live - 1));
    return count;
}

static BPETOK_TARGET size_t NAME(merge_short)(const BpetokPairs* t, const uint8_t* p, size_t n, uint32_t* ids) {
    if (n <= 16)
        return NAME(merge_lanes)(t, p, (int)n, ids, 1);
    if (n <= 32)
        return NAME(merge_lanes)(t, p, (int)n, ids, 2);
    return NAME(merge_lanes)(t, p, (int)n, ids, 4);
}

/* Merging of many pieces. A merge waits for memory; so some pieces are on their way at once, and each takes a
   step in turn: it ends the merge whose entries have come, and asks for those of its next one. */

typedef struct {
    NAME(Lanes) lanes[4];
    uint64_t live, left_at, left_key, right_at, right_key;
    uint32_t symbol[1 + 16 * 4 + 1];
    int n, here, previous;
    BpetokJob* job;
} NAME(Merging);

/* Begin the next merge; 0 when there is none and the piece is done. */
INLINE int NAME(merge_begin)(const BpetokPairs* t, NAME(Merging)* m, const int width) {
    NAME(Lanes) all = m->lanes[0];
    for (int k = 1; k < width; k++)
        all = NAME(lanes_min)(all, m->lanes[k]);
    uint32_t least = NAME(lanes_least)(all);
    if (least >= BPETOK_NO_RANK << 8)
        return 0;
    int here = (int)(least & 0xFF);
    uint32_t token = bpetok_merged(t, least >> 8);
    uint64_t after = m->live >> here >> 1, beyond = after & (after - 1);
    int gone = here + 1 + __builtin_ctzll(after), next = here + 1 + __builtin_ctzll(beyond);
    int previous = 63 - __builtin_clzll(m->live & (((uint64_t)1 << here) - 1));
    uint64_t right = bpetok_pair_key(token, m->symbol[next]), left = bpetok_pair_key(m->symbol[previous], token);
    uint64_t right_there = 0 - (uint64_t)(next <= m->n), left_there = 0 - (uint64_t)(previous != 0);
    m->right_at = t->n_buckets + ((bpetok_pair_bucket(t, right) - t->n_buckets) & right_there);
    m->left_at = t->n_buckets + ((bpetok_pair_bucket(t, left) - t->n_buckets) & left_there);
    BPETOK_PREFETCH(bpetok_pair_entry(t, m->right_at, right));
    BPETOK_PREFETCH(bpetok_pair_entry(t, m->left_at, left));
    m->right_key = right;
    m->left_key = left;
    m->live ^= (uint64_t)1 << gone;
    m->symbol[here] = token;
    for (int k = 0; k < width; k++)
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], gone - 1 - 16 * k, 0xFFFFFFFF);
    m->here = here;
    m->previous = previous;
    return 1;
}

INLINE void NAME(merge_end)(const BpetokPairs* t, NAME(Merging)* m, const int width) {
    uint32_t right = bpetok_pair_rank(t, m->right_at, m->right_key) << 8 | (unsigned)m->here;
    uint32_t left = bpetok_pair_rank(t, m->left_at, m->left_key) << 8 | (unsigned)m->previous;
    for (int k = 0; k < width; k++) {
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], m->here - 1 - 16 * k, right);
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], m->previous - 1 - 16 * k, left);
    }
}

INLINE void NAME(merge_open)(const BpetokPairs* t, NAME(Merging)* m, BpetokJob* job, const int width) {
    int n = (int)job->n;
    m->job = job;
    m->n = n;
    m->live = ~(uint64_t)0 >> (62 - n);
    for (int k = 0; k < width; k++) {
        int pairs = n - 1 - 16 * k;
        m->lanes[k] = NAME(lanes_first)(t, job->p + 16 * k, pairs < 0 ? 0 : pairs < 16 ? pairs : 16, 16 * k + 1,
                                        m->symbol + 1 + 16 * k);
    }
    m->symbol[n] = t->byte_token[job->p[n - 1]];
    m->symbol[0] = m->symbol[n + 1] = 0;
}

INLINE void NAME(merge_close)(NAME(Merging)* m) {
    uint64_t live = m->live & (uint64_t)-2;
    size_t count = 0;
    do {
        m->job->ids[count++] = m->symbol[__builtin_ctzll(live)];
        live &= live - 1;
    } while (live & (live - 1));
    m->job->n_ids = count;
}

INLINE void NAME(merge_jobs)(const BpetokPairs* t, BpetokJob* jobs, size_t count, const int width) {
    NAME(Merging) merging[BPETOK_AT_ONCE];
    size_t opened = 0, running = 0, i;
    while (running < BPETOK_AT_ONCE && opened < count) {
        NAME(merge_open)(t, &merging[running], &jobs[opened++], width);
        if (NAME(merge_begin)(t, &merging[running], width))
            running++;
        else
            NAME(merge_close)(&merging[running]);
    }
    while (running)
        for (i = 0; i < running;) {
            int more;
            NAME(merge_end)(t, &merging[i], width);
            more = NAME(merge_begin)(t, &merging[i], width);
            while (!more) {
                NAME(merge_close)(&merging[i]);
                if (opened == count)
                    break;
                NAME(merge_open)(t, &merging[i], &jobs[opened++], width);
                more = NAME(merge_begin)(t, &merging[i], width);
            }
            if (more)
                i++;
            else
                merging[i] = merging[--running];
        }
}

/* `jobs` are all of up to 16 bytes, or of up to 32, or of up to 62, where `width` is 1, 2 or 4. */
static BPETOK_TARGET void NAME(merge_many)(const BpetokPairs* t, BpetokJob* jobs, size_t count, int width) {
    if (width == 1)
        NAME(merge_jobs)(t, jobs, count, 1);
    else if (width == 2)
        NAME(merge_jobs)(t, jobs, count, 2);
    else
        NAME(merge_jobs)(t, jobs, count, 4);
}
