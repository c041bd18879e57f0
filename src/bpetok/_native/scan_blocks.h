/* The scanner of each tier: scan_avx512, scan_avx2, scan_neon. Those that this compiler or architecture does
 * not have leave all text to the scalar scanner. */
#ifndef BPETOK_SCAN_BLOCKS_H
#define BPETOK_SCAN_BLOCKS_H
#include <stdint.h>
#include <string.h>

#include "scan_spec.h"
#include "unicode_table.h"

static inline size_t scan_nothing(const ScanSpec* spec, const uint8_t* text, size_t* start, size_t end,
                                  size_t* ends, size_t count, size_t capacity) {
    (void)spec, (void)text, (void)start, (void)end, (void)ends, (void)capacity;
    return count;
}

#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__aarch64__)) \
    && SIZE_MAX == UINT64_MAX

#include "scan_borders.h"

enum {
    SHORTEST_BLOCK = 16, /* less text than this is not worth a block */
    NEAREST_GUESS = 16   /* a next block that starts nearer than this repeats too much of the last one */
};

/* Where it stands, the compiler makes a jump and not a conditional move. A jump is predicted, so that the
 * next block is loaded before this one is done; a move would wait for it. */
#define KEEP_JUMP __asm__ volatile("")

/* For each lead byte of three, 0xE0 to 0xEF: a range of second bytes that caseless letters alone follow,
 * as far as they are worth it: ideographs and Hangul. A wrong one fails the test of every character. */
static const uint8_t CASELESS_FIRST[16] = {0xFF, 0xFF, 0xFF, 0x90, 0xB8, 0x80, 0x80, 0x80,
                                           0x80, 0x80, 0xB0, 0x80, 0x80, 0x80, 0xFF, 0xFF};
static const uint8_t CASELESS_LAST[16] = {0x00, 0x00, 0x00, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF,
                                          0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0x9D, 0x00, 0x00};

#if defined(__x86_64__)
#include <immintrin.h>
static const uint8_t POSITIONS[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
#include "simd_avx2.h"
#include "simd_avx512.h"
#define scan_avx2 scan_blocks_avx2
#define scan_avx512 scan_blocks_avx512
#define scan_neon scan_nothing
#else
#include <arm_neon.h>
#include "simd_neon.h"
#define scan_avx2 scan_nothing
#define scan_avx512 scan_nothing
#define scan_neon scan_blocks_neon
#endif

#else
#define scan_avx2 scan_nothing
#define scan_avx512 scan_nothing
#define scan_neon scan_nothing
#endif

#endif
