/* The kernels of encoding, once for each tier of instructions, and the choice of one.

   Each tier is compiled as a region of its own: what is hot is inlined into the three functions of
   `BpetokKernels`, and only these are called from outside it. */
#ifndef BPETOK_KERNELS_H
#define BPETOK_KERNELS_H

#include <string.h>

#include "keys.h"
#include "pairs.h"

#define BPETOK_WORD 15          /* bytes of a word, which is its own key */
#define BPETOK_WORD_IDS 5       /* ids that an entry has room for */
#define BPETOK_SLACK 8          /* ids that may be written behind the last one */
#define BPETOK_LONGEST 512      /* bytes of the longest piece that is remembered */
#define BPETOK_LONG ((uint64_t)0x3F << 56)      /* in a key, in place of a word's length */
#define BPETOK_ARENA ((uint64_t)1 << 62)        /* in an entry's key: its ids lie in the arena */

/* A remembered word, or a piece whose bytes and ids lie in the arena (`_merge.pyx`). */
typedef struct {
    uint64_t low, high;         /* key */
    uint64_t first, second;     /* ids */
} BpetokWord;

/* A piece that is looked for, and the bucket of two entries where it is. */
typedef struct {
    uint64_t low, high;
    const BpetokWord* word;
} BpetokKey;

/* Of a batch: a piece that is not there, and how many ids come before its own. */
typedef struct {
    uint32_t piece, at;
} BpetokGap;

/* `mark` is BPETOK_PART or 0; `words` are buckets of two entries, `mask` is their number less one. */
static inline void bpetok_make_key(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t mark,
                                   const BpetokWord* words, uint64_t mask, BpetokKey* key) {
    uint64_t low = 1, high = 0;     /* too long to be remembered: unlike any entry */
    if (__builtin_expect(n <= BPETOK_WORD, 1)) {
        bpetok_word_key(p, n, limit, &low, &high);
        high |= mark;
    } else if (n <= BPETOK_LONGEST) {
        low = bpetok_hash_bytes(p, n);
        high = BPETOK_LONG | n | mark;
    }
    key->low = low;
    key->high = high;
    key->word = words + 2 * (bpetok_hash_key(low, high) & mask);
    BPETOK_PREFETCH(key->word);
}

/* Write the ids of an entry that holds them itself; returns how many they are. */
static inline size_t bpetok_unpack(const BpetokWord* word, uint32_t* ids) {
    uint64_t first = word->first, second = word->second;
    ids[0] = first & 0xFFFFFF;
    ids[1] = (first >> 24) & 0xFFFFFF;
    ids[2] = (uint32_t)(first >> 48 | (second & 0xFF) << 16);
    ids[3] = (second >> 8) & 0xFFFFFF;
    ids[4] = (second >> 32) & 0xFFFFFF;
    return (size_t)(second >> 56);
}

/* A piece of up to 62 bytes that is to be merged. */
typedef struct {
    const uint8_t* p;
    size_t n;
    size_t n_ids;       /* result */
    uint32_t ids[62];
} BpetokJob;

#define BPETOK_AT_ONCE 8

#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define BPETOK_TIER avx2
#define BPETOK_KIND 1
#define BPETOK_TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#include "tier.h"
#define BPETOK_TIER avx512
#define BPETOK_KIND 2
#define BPETOK_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi,bmi2,lzcnt")))
#include "tier.h"
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#include <arm_neon.h>
#define BPETOK_TIER neon
#define BPETOK_KIND 3
#define BPETOK_TARGET
#include "tier.h"
#endif
#define BPETOK_TIER scalar
#define BPETOK_KIND 0
#define BPETOK_TARGET
#include "tier.h"

typedef struct {
    size_t (*make_keys)(const BpetokWord* words, uint64_t mask, const uint8_t* text, size_t start,
                        const size_t* ends, size_t count, const uint8_t* limit, uint64_t mark, BpetokKey* keys);
    size_t (*recall)(const BpetokKey* keys, size_t count, uint32_t* ids, size_t* n_ids, BpetokGap* gaps);
    void (*merge_many)(const BpetokPairs* t, BpetokJob* jobs, size_t count, int width);
} BpetokKernels;

/* `tier` is a number of `_cpu.pxd`. */
static BpetokKernels bpetok_kernels(int tier) {
    BpetokKernels scalar = {make_keys_scalar, recall_scalar, merge_many_scalar};
#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
    BpetokKernels avx2 = {make_keys_avx2, recall_avx2, merge_many_avx2};
    BpetokKernels avx512 = {make_keys_avx512, recall_avx512, merge_many_avx512};
    return tier == 2 ? avx512 : tier == 1 ? avx2 : scalar;
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
    BpetokKernels neon = {make_keys_neon, recall_neon, merge_many_neon};
    return tier == 3 ? neon : scalar;
#else
    (void)tier;
    return scalar;
#endif
}

#endif
