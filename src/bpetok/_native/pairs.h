/* The table of merges: a pair of ids to the rank of their merge.

   The key of a pair is 48 bits, left << 24 | right. Multiplied by an odd number modulo 2^48 it is still a
   key of its own, and well mixed. Its high bits choose a bucket of eight entries. A bucket has a word of
   eight tags of 7 bits, all different, which say in a few instructions what entry to look at. The tags of
   a large vocabulary stay in the second-level cache, its entries do not.

   An entry holds the low 40 bits of the key, which say exactly which pair it is: with 4096 buckets or more,
   no two keys of eight neighbouring buckets share them. It ends in 24 bits of rank. The top bit of the
   tags says that a pair found no place here and went to the next bucket. */
#ifndef BPETOK_PAIRS_H
#define BPETOK_PAIRS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BPETOK_NO_RANK 0xFFFFFFu
#define BPETOK_FARTHEST 8       /* buckets that may be searched for a pair, from its own on */
#define BPETOK_MOVED_ON ((uint64_t)1 << 63)

typedef struct {
    uint64_t* tags;         /* of n_buckets, and of one more that stays empty */
    uint64_t* entries;      /* eight for each */
    uint64_t n_buckets;     /* at least 4096 */
    uint32_t* rank_token;   /* per rank: the id that its merge gives; NULL where a rank is that id */
    uint32_t* byte_rank;    /* per two bytes: the rank of their merge, or NO_RANK */
    uint32_t byte_token[256];   /* per byte: the id that merging starts from */
} BpetokPairs;

static inline uint64_t bpetok_pair_key(uint32_t left, uint32_t right) {
    return ((((uint64_t)left << 24) | right) * 0x9E3779B97F4A7C15u) & 0xFFFFFFFFFFFFu;
}

static inline uint64_t bpetok_pair_bucket(const BpetokPairs* t, uint64_t key) {
    return ((key >> 16) * t->n_buckets) >> 32;
}

/* 1 to 127. */
static inline uint64_t bpetok_pair_tag(uint64_t key) {
    uint64_t tag = (key >> 24) & 0x7F;
    return tag | (tag == 0);
}

/* Where the entry of a key lies, if it lies in this bucket: where its tag stands, else at the last place. (There
   the flag hides the tag, so that the last place is right then, too.) */
static inline const uint64_t* bpetok_pair_entry(const BpetokPairs* t, uint64_t at, uint64_t key) {
    uint64_t differ = t->tags[at] ^ (bpetok_pair_tag(key) * 0x0101010101010101u);
    uint64_t same = (differ - 0x0101010101010101u) & ~differ & 0x8080808080808080u;
    return t->entries + 8 * at + (__builtin_ctzll(same | BPETOK_MOVED_ON) >> 3);
}

/* The rank of a key whose search begins at a bucket. */
static inline uint32_t bpetok_pair_rank(const BpetokPairs* t, uint64_t at, uint64_t key) {
    uint64_t differ = *bpetok_pair_entry(t, at, key) ^ (key << 24);
    int further = BPETOK_FARTHEST - 1;
    /* Whether a pair is there cannot be foreseen, so the only branch asks for more than that. */
    while (__builtin_expect((differ > BPETOK_NO_RANK) & (unsigned)(t->tags[at] >> 63), 0) && further--) {
        at = at + 1 == t->n_buckets ? 0 : at + 1;
        differ = *bpetok_pair_entry(t, at, key) ^ (key << 24);
    }
    return differ < BPETOK_NO_RANK ? (uint32_t)differ : BPETOK_NO_RANK;
}

static inline uint32_t bpetok_find_rank(const BpetokPairs* t, uint32_t left, uint32_t right) {
    uint64_t key = bpetok_pair_key(left, right);
    return bpetok_pair_rank(t, bpetok_pair_bucket(t, key), key);
}

static inline uint32_t bpetok_merged(const BpetokPairs* t, uint32_t rank) {
    return t->rank_token ? t->rank_token[rank] : rank;
}

/* What `lanes_first` of lanes.h gives, one by one. */
static inline void bpetok_first_ranks(const BpetokPairs* t, const uint8_t* p, int pairs, int place, uint32_t* ranks,
                                      uint32_t* symbol) {
    uint32_t byte = pairs > 0 ? p[0] : 0;
    memset(ranks, 0xFF, 16 * sizeof(uint32_t));
    for (int i = 0; i < pairs; i++) {
        uint32_t next = p[i + 1];
        symbol[i] = t->byte_token[byte];
        ranks[i] = t->byte_rank[byte << 8 | next] << 8 | (uint32_t)(place + i);
        byte = next;
    }
}

#endif
