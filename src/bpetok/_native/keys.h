/* Keys and hashes of pieces and tokens. */
#ifndef BPETOK_KEYS_H
#define BPETOK_KEYS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bpetok's word keys assume a little-endian machine"
#endif

#if defined(__GNUC__) || defined(__clang__)
#define BPETOK_PREFETCH(p) __builtin_prefetch(p)
#else
#define BPETOK_PREFETCH(p) ((void)0)
#endif

/* The mark of keys of parts, where a part may give other ids than the same bytes as a piece. */
#define BPETOK_PART ((uint64_t)1 << 63)

/* The two halves of a product of 128 bits, one upon the other. */
static inline uint64_t bpetok_fold(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t al = a & 0xFFFFFFFF, ah = a >> 32, bl = b & 0xFFFFFFFF, bh = b >> 32;
    uint64_t low = al * bl, x = ah * bl + (low >> 32), y = al * bh + (x & 0xFFFFFFFF);
    return ((y << 32) | (low & 0xFFFFFFFF)) ^ (ah * bh + (x >> 32) + (y >> 32));
#endif
}

static inline uint64_t bpetok_hash_key(uint64_t low, uint64_t high) {
    return bpetok_fold(low ^ 0x9E3779B97F4A7C15u, high ^ 0xD6E8FEB86659FD93u);
}

/* The bytes of a word of up to 15, by their number. */
static const uint64_t bpetok_keep[16][2] = {
    {0, 0}, {0xFF, 0}, {0xFFFF, 0}, {0xFFFFFF, 0}, {0xFFFFFFFF, 0}, {0xFFFFFFFFFF, 0}, {0xFFFFFFFFFFFF, 0},
    {0xFFFFFFFFFFFFFF, 0}, {~(uint64_t)0, 0}, {~(uint64_t)0, 0xFF}, {~(uint64_t)0, 0xFFFF},
    {~(uint64_t)0, 0xFFFFFF}, {~(uint64_t)0, 0xFFFFFFFF}, {~(uint64_t)0, 0xFFFFFFFFFF},
    {~(uint64_t)0, 0xFFFFFFFFFFFF}, {~(uint64_t)0, 0xFFFFFFFFFFFFFF}};

/* A word of up to 15 bytes as two numbers, little end first, and its length in the top byte. Sixteen
   bytes are read. */
static inline void bpetok_word_key_within(const uint8_t* p, size_t n, uint64_t* low, uint64_t* high) {
    uint64_t first, second;
    memcpy(&first, p, 8);
    memcpy(&second, p + 8, 8);
    *low = first & bpetok_keep[n][0];
    *high = (second & bpetok_keep[n][1]) | (uint64_t)n << 56;
}

/* The same, but sixteen bytes are read only if they are there before `limit`. */
static inline void bpetok_word_key(const uint8_t* p, size_t n, const uint8_t* limit, uint64_t* low, uint64_t* high) {
    uint64_t words[2] = {0, 0};
    if (limit - p >= 16)
        memcpy(words, p, 16);
    else
        memcpy(words, p, n);
    *low = words[0] & bpetok_keep[n][0];
    *high = (words[1] & bpetok_keep[n][1]) | (uint64_t)n << 56;
}

/* Of any bytes; of a word, the hash of its key. */
static inline uint64_t bpetok_hash_bytes(const uint8_t* p, size_t n) {
    uint64_t low, high, hash = n;
    if (n < 16) {
        bpetok_word_key(p, n, p + n, &low, &high);
        return bpetok_hash_key(low, high);
    }
    for (size_t at = 0; at + 16 < n; at += 16) {
        memcpy(&low, p + at, 8);
        memcpy(&high, p + at + 8, 8);
        hash = bpetok_fold(low ^ hash ^ 0x9E3779B97F4A7C15u, high ^ 0xD6E8FEB86659FD93u);
    }
    memcpy(&low, p + n - 16, 8);
    memcpy(&high, p + n - 8, 8);
    return bpetok_fold(low ^ hash ^ 0xC2B2AE3D27D4EB4Fu, high ^ 0xD6E8FEB86659FD93u);
}

#endif
