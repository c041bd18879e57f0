/* 64 bytes at a time with AVX-512: F, BW, VL, DQ, VBMI and VBMI2, and BMI2. */
#define TIER(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2," \
                                     "avx2,bmi,bmi2,lzcnt,popcnt")))
#define GUESSES 1 /* waiting for where the next block starts would take the most time */
#include "tier_names.h"

typedef __m512i Bytes;
typedef __mmask64 Lanes;
typedef uint64_t Narrowing;

TARGET ALWAYS_INLINE Bytes load(const uint8_t* at) { return _mm512_loadu_si512(at); }
TARGET ALWAYS_INLINE Lanes equal(Bytes v, int byte) {
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8((char)byte));
}
TARGET ALWAYS_INLINE Lanes between(Bytes v, int first, int last) {
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8((char)first)),
                                  _mm512_set1_epi8((char)(last - first)));
}
TARGET ALWAYS_INLINE Lanes within(Bytes v, Bytes first, Bytes last) {
    return _mm512_mask_cmple_epu8_mask(_mm512_cmpge_epu8_mask(v, first), v, last);
}
TARGET ALWAYS_INLINE Lanes both(Lanes a, Lanes b) { return a & b; }
TARGET ALWAYS_INLINE Lanes either(Lanes a, Lanes b) { return a | b; }
TARGET ALWAYS_INLINE uint64_t bits(Lanes lanes) { return lanes; }
TARGET ALWAYS_INLINE uint64_t has(Bytes v, int any) {
    return _mm512_test_epi8_mask(v, _mm512_set1_epi8((char)any));
}
TARGET ALWAYS_INLINE Bytes put(Bytes v, Lanes where, int byte) {
    return _mm512_mask_blend_epi8(where, v, _mm512_set1_epi8((char)byte));
}
TARGET ALWAYS_INLINE Bytes choose(Lanes where, Bytes then, Bytes otherwise) {
    return _mm512_mask_blend_epi8(where, otherwise, then);
}
TARGET ALWAYS_INLINE Bytes set_bits(Bytes v, int more) {
    return _mm512_or_si512(v, _mm512_set1_epi8((char)more));
}
TARGET ALWAYS_INLINE Bytes lookup16(Bytes v, const uint8_t* table) {
    __m512i low = _mm512_and_si512(v, _mm512_set1_epi8(15));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)table)), low);
}
TARGET ALWAYS_INLINE Bytes lookup_row(Bytes v, Lanes where, Bytes index, const uint8_t* row) {
    return _mm512_mask_permutexvar_epi8(v, where, index, _mm512_loadu_si512(row));
}

TARGET ALWAYS_INLINE Narrowing narrow_with(uint64_t kept) { return kept; }
TARGET ALWAYS_INLINE uint64_t narrow(uint64_t mask, const Narrowing* kept) { return _pext_u64(mask, *kept); }
TARGET ALWAYS_INLINE uint64_t widen(uint64_t mask, const Narrowing* kept) { return _pdep_u64(mask, *kept); }

/* Writes the `count` positions in `found`, counted from `base`; overwrites 24,
 * or a multiple of 8 beyond that. */
TARGET ALWAYS_INLINE void write_ends(size_t* ends, size_t base, uint64_t found, int count) {
    __m512i from = _mm512_set1_epi64((long long)base);
    __m512i where = _mm512_maskz_compress_epi8(found, _mm512_loadu_si512(POSITIONS));
    int i;
    for (i = 0; i < 24; i += 8) {
        __m512i some = _mm512_cvtepu8_epi64(_mm512_castsi512_si128(where));
        _mm512_storeu_si512(ends + i, _mm512_add_epi64(from, some));
        where = _mm512_alignr_epi64(where, where, 1);
    }
    for (; i < count; i += 8) {
        __m512i some = _mm512_cvtepu8_epi64(_mm512_castsi512_si128(where));
        _mm512_storeu_si512(ends + i, _mm512_add_epi64(from, some));
        where = _mm512_alignr_epi64(where, where, 1);
    }
}

#include "scan_kernel.h"
#include "tier_names.h"
