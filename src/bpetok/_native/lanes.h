/* Sixteen 32-bit numbers at once: what `merge_short.h` needs of a processor.

   Included once for each tier, with BPETOK_TIER (a suffix) and BPETOK_TARGET (the attribute of its
   functions) set; every tier defines the same names.

   Lanes          the numbers
   lanes_first    the merges of the first bytes: rank << 8 | place for up to 16 pairs, all ones behind them;
                  and the symbols of as many bytes
   lanes_least    the smallest of all
   lanes_min      lane by lane
   lanes_put      the lane of a bit set, or none where that is 0 */

#define NAME_(name, tier) name##_##tier
#define NAME__(name, tier) NAME_(name, tier)
#define NAME(name) NAME__(name, BPETOK_TIER)
#define INLINE static inline __attribute__((always_inline)) BPETOK_TARGET

#if BPETOK_KIND == 2    /* AVX-512 */

typedef __m512i NAME(Lanes);
INLINE __m512i NAME(lanes_first)(const BpetokPairs* t, const uint8_t* p, int pairs, int place, uint32_t* symbol) {
    __mmask16 there = (__mmask16)_bzhi_u32(0xFFFF, (unsigned)pairs);
    __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i a = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, p));
    __m512i b = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, p + 1));
    __m512i ranks, none = _mm512_set1_epi32(-1);
    ranks = _mm512_mask_i32gather_epi32(none, there, _mm512_or_si512(_mm512_slli_epi32(a, 8), b), t->byte_rank, 4);
    _mm512_storeu_si512(symbol, _mm512_mask_i32gather_epi32(none, there, a, t->byte_token, 4));
    ranks = _mm512_or_si512(_mm512_slli_epi32(ranks, 8), _mm512_add_epi32(count, _mm512_set1_epi32(place)));
    return _mm512_mask_mov_epi32(none, there, ranks);
}
INLINE uint32_t NAME(lanes_least)(__m512i v) {
    __m256i a = _mm256_min_epu32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    __m128i b = _mm_min_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_min_epu32(b, _mm_shuffle_epi32(b, 0x4E));
    b = _mm_min_epu32(b, _mm_shuffle_epi32(b, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(b);
}
INLINE __m512i NAME(lanes_min)(__m512i a, __m512i b) { return _mm512_min_epu32(a, b); }
INLINE __m512i NAME(lanes_put)(__m512i v, uint16_t bit, uint32_t value) {
    return _mm512_mask_set1_epi32(v, bit, (int)value);
}

#elif BPETOK_KIND == 1  /* AVX2 */

typedef struct { __m256i a, b; } NAME(Lanes);
INLINE NAME(Lanes) NAME(lanes_first)(const BpetokPairs* t, const uint8_t* p, int pairs, int place, uint32_t* symbol) {
    uint32_t ranks[16];
    NAME(Lanes) v;
    bpetok_first_ranks(t, p, pairs, place, ranks, symbol);
    v.a = _mm256_loadu_si256((const __m256i*)ranks);
    v.b = _mm256_loadu_si256((const __m256i*)(ranks + 8));
    return v;
}
INLINE uint32_t NAME(lanes_least)(NAME(Lanes) v) {
    __m256i a = _mm256_min_epu32(v.a, v.b);
    __m128i b = _mm_min_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_min_epu32(b, _mm_shuffle_epi32(b, 0x4E));
    b = _mm_min_epu32(b, _mm_shuffle_epi32(b, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(b);
}
INLINE NAME(Lanes) NAME(lanes_min)(NAME(Lanes) v, NAME(Lanes) w) {
    v.a = _mm256_min_epu32(v.a, w.a);
    v.b = _mm256_min_epu32(v.b, w.b);
    return v;
}
INLINE NAME(Lanes) NAME(lanes_put)(NAME(Lanes) v, uint16_t bit, uint32_t value) {
    __m256i where = _mm256_set1_epi32(bit), what = _mm256_set1_epi32((int)value);
    __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), high = _mm256_slli_epi32(low, 8);
    v.a = _mm256_blendv_epi8(v.a, what, _mm256_cmpeq_epi32(low, _mm256_and_si256(low, where)));
    v.b = _mm256_blendv_epi8(v.b, what, _mm256_cmpeq_epi32(high, _mm256_and_si256(high, where)));
    return v;
}

#elif BPETOK_KIND == 3  /* NEON */

typedef uint32x4x4_t NAME(Lanes);
INLINE uint32x4x4_t NAME(lanes_first)(const BpetokPairs* t, const uint8_t* p, int pairs, int place,
                                      uint32_t* symbol) {
    uint32_t ranks[16];
    bpetok_first_ranks(t, p, pairs, place, ranks, symbol);
    uint32x4x4_t v = {{vld1q_u32(ranks), vld1q_u32(ranks + 4), vld1q_u32(ranks + 8), vld1q_u32(ranks + 12)}};
    return v;
}
INLINE uint32_t NAME(lanes_least)(uint32x4x4_t v) {
    return vminvq_u32(vminq_u32(vminq_u32(v.val[0], v.val[1]), vminq_u32(v.val[2], v.val[3])));
}
INLINE uint32x4x4_t NAME(lanes_min)(uint32x4x4_t v, uint32x4x4_t w) {
    for (int i = 0; i < 4; i++)
        v.val[i] = vminq_u32(v.val[i], w.val[i]);
    return v;
}
INLINE uint32x4x4_t NAME(lanes_put)(uint32x4x4_t v, uint16_t bit, uint32_t value) {
    static const uint32_t bits[4] = {1, 2, 4, 8};
    for (int i = 0; i < 4; i++) {
        uint32x4_t lane = vtstq_u32(vld1q_u32(bits), vdupq_n_u32((uint32_t)bit >> 4 * i));
        v.val[i] = vbslq_u32(lane, vdupq_n_u32(value), v.val[i]);
    }
    return v;
}

#else                   /* any processor */

typedef struct { uint32_t lane[16]; } NAME(Lanes);
INLINE NAME(Lanes) NAME(lanes_first)(const BpetokPairs* t, const uint8_t* p, int pairs, int place, uint32_t* symbol) {
    NAME(Lanes) v;
    bpetok_first_ranks(t, p, pairs, place, v.lane, symbol);
    return v;
}
INLINE uint32_t NAME(lanes_least)(NAME(Lanes) v) {
    uint32_t least = v.lane[0];
    for (int i = 1; i < 16; i++)
        least = v.lane[i] < least ? v.lane[i] : least;
    return least;
}
INLINE NAME(Lanes) NAME(lanes_min)(NAME(Lanes) v, NAME(Lanes) w) {
    for (int i = 0; i < 16; i++)
        v.lane[i] = w.lane[i] < v.lane[i] ? w.lane[i] : v.lane[i];
    return v;
}
INLINE NAME(Lanes) NAME(lanes_put)(NAME(Lanes) v, uint16_t bit, uint32_t value) {
    if (bit)
        v.lane[__builtin_ctz(bit)] = value;
    return v;
}

#endif
