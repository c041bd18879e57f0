/* The table of merges: a pair of ids to the rank of their merge, found with two loads and no branch.

   The key of a pair is 48 bits, left << 24 | right, in the upper bits of a number of 64, multiplied by an odd
   number: so it is still a key of its own, and well mixed. Bits of it choose one of 2^(bits - 1) groups. A group
   has a shift of 8 bits, chosen when the table is built (`_pairs.pyx`) so that the shifted slots of its few pairs
   are free. An entry holds 40 bits of the key, which say exactly which pair it is, since the slot tells the rest
   (the proof is in docs/architecture.md), and in its lowest 24 bits the rank. */
#ifndef BPETOK_PAIRS_H
#define BPETOK_PAIRS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BPETOK_NO_RANK 0xFFFFFFu    /* also an entry that holds no pair */
#define BPETOK_SHIFT_BY 2533        /* slots that shifts differ by: odd */

typedef struct {
    uint64_t* entries;      /* 2^bits, and one that stays empty */
    uint8_t* shifts;        /* of each group */
    uint64_t odd;           /* what keys are multiplied by */
    uint64_t last;          /* 2^bits - 1 */
    int bits;               /* 12 to 32 */
    int home_by;            /* 64 - bits */
    uint32_t* rank_token;   /* per rank: the id that its merge gives; NULL where a rank is that id */
    uint32_t* byte_rank;    /* per two bytes: the rank of their merge, or NO_RANK */
    uint32_t byte_token[256];   /* per byte: the id that merging starts from */
} BpetokPairs;

static inline uint64_t bpetok_pair_key(const BpetokPairs* t, uint32_t left, uint32_t right) {
    return ((uint64_t)left << 40 | (uint64_t)right << 16) * t->odd;
}

static inline uint64_t bpetok_pair_group(const BpetokPairs* t, uint64_t key) {
    return key << 8 >> t->home_by >> 1;
}

/* Where a pair would be if its group were not shifted; only the lowest bits count. */
static inline uint64_t bpetok_pair_home(const BpetokPairs* t, uint64_t key) {
    return key >> t->home_by ^ key >> 24;
}

static inline uint64_t bpetok_pair_slot(const BpetokPairs* t, uint64_t key) {
    uint64_t shift = (uint64_t)t->shifts[bpetok_pair_group(t, key)] * BPETOK_SHIFT_BY;
    return (bpetok_pair_home(t, key) + shift) & t->last;
}

/* The rank of the pair with a key, from the slot where it is if it is anywhere. */
static inline uint32_t bpetok_pair_rank(const BpetokPairs* t, uint64_t slot, uint64_t key) {
    uint64_t differ = t->entries[slot] ^ (key << 8);
    return differ < BPETOK_NO_RANK ? (uint32_t)differ : BPETOK_NO_RANK;
}

static inline uint32_t bpetok_find_rank(const BpetokPairs* t, uint32_t left, uint32_t right) {
    uint64_t key = bpetok_pair_key(t, left, right);
    return bpetok_pair_rank(t, bpetok_pair_slot(t, key), key);
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
