/* Merging of pieces of up to 62 bytes, for one tier (see `lanes.h`).

   Symbols stay at the place of their first byte; places count from 1. A bit mask says which places still hold one;
   the merge of a symbol and its right neighbour is a number rank << 8 | place in the lane of that place. The
   smallest number is the leftmost merge of the lowest rank, found without a branch.

   A merge waits for memory; so some pieces are on their way at once, and each takes a step in turn: it ends the
   merge whose entries have come, and asks for those of its next one. */

typedef struct {
    NAME(Lanes) lanes[4];
    uint64_t live, left_slot, left_key, right_slot, right_key;
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
    uint64_t after = m->live & ((uint64_t)-2 << here), beyond = after & (after - 1);
    int gone = __builtin_ctzll(after), next = __builtin_ctzll(beyond);
    int previous = 63 - __builtin_clzll(m->live & (((uint64_t)1 << here) - 1));
    uint64_t right = bpetok_pair_key(t, token, m->symbol[next]), left = bpetok_pair_key(t, m->symbol[previous], token);
    uint64_t right_slot = bpetok_pair_slot(t, right), left_slot = bpetok_pair_slot(t, left);
    /* Behind the piece there is nothing to merge with: that finds the empty entry. It takes no branch, which
       could not be foreseen. What is found before the piece has no lane to go to. */
    uint64_t none = t->last + 1;
    right_slot = none + ((right_slot - none) & (0 - (uint64_t)(next <= m->n)));
    BPETOK_PREFETCH(t->entries + right_slot);
    BPETOK_PREFETCH(t->entries + left_slot);
    m->right_slot = right_slot;
    m->right_key = right;
    m->left_slot = left_slot;
    m->left_key = left;
    m->live ^= (uint64_t)1 << gone;
    m->symbol[here] = token;
    for (int k = 0; k < width; k++)
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], (uint16_t)((uint64_t)1 << gone >> 1 >> 16 * k), 0xFFFFFFFF);
    m->here = here;
    m->previous = previous;
    return 1;
}

INLINE void NAME(merge_end)(const BpetokPairs* t, NAME(Merging)* m, const int width) {
    uint32_t right = bpetok_pair_rank(t, m->right_slot, m->right_key) << 8 | (unsigned)m->here;
    uint32_t left = bpetok_pair_rank(t, m->left_slot, m->left_key) << 8 | (unsigned)m->previous;
    uint64_t here = (uint64_t)1 << m->here >> 1, previous = (uint64_t)1 << m->previous >> 1;
    for (int k = 0; k < width; k++) {
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], (uint16_t)(here >> 16 * k), right);
        m->lanes[k] = NAME(lanes_put)(m->lanes[k], (uint16_t)(previous >> 16 * k), left);
    }
}

INLINE void NAME(merge_open)(const BpetokPairs* t, NAME(Merging)* m, BpetokJob* job, const int width) {
    int n = (int)job->n;
    m->job = job;
    m->n = n;
    /* Before the first place and behind the last one stands a guard. */
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
