/* 64 bytes as two halves with AVX2, and BMI2. */
#define TIER(name) name##_avx2
#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define GUESSES 0 /* there is enough to do meanwhile */
#include "tier_names.h"

typedef struct {
    __m256i a, b;
} Bytes;
typedef Bytes Lanes; /* 0xFF where true */
typedef uint64_t Narrowing;

TARGET ALWAYS_INLINE Bytes load(const uint8_t* at) {
    return (Bytes){_mm256_loadu_si256((const __m256i*)at), _mm256_loadu_si256((const __m256i*)(at + 32))};
}
TARGET ALWAYS_INLINE Lanes equal(Bytes v, int byte) {
    __m256i x = _mm256_set1_epi8((char)byte);
    return (Lanes){_mm256_cmpeq_epi8(v.a, x), _mm256_cmpeq_epi8(v.b, x)};
}
TARGET ALWAYS_INLINE Lanes within(Bytes v, Bytes first, Bytes last) {
    /* max(v, first) == v: v >= first */
    return (Lanes){_mm256_and_si256(_mm256_cmpeq_epi8(_mm256_max_epu8(v.a, first.a), v.a),
                                    _mm256_cmpeq_epi8(_mm256_min_epu8(v.a, last.a), v.a)),
                   _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_max_epu8(v.b, first.b), v.b),
                                    _mm256_cmpeq_epi8(_mm256_min_epu8(v.b, last.b), v.b))};
}
TARGET ALWAYS_INLINE Lanes between(Bytes v, int first, int last) {
    __m256i low = _mm256_set1_epi8((char)first), size = _mm256_set1_epi8((char)(last - first));
    __m256i a = _mm256_sub_epi8(v.a, low), b = _mm256_sub_epi8(v.b, low);
    return (Lanes){_mm256_cmpeq_epi8(_mm256_min_epu8(a, size), a),
                   _mm256_cmpeq_epi8(_mm256_min_epu8(b, size), b)};
}
TARGET ALWAYS_INLINE Lanes both(Lanes x, Lanes y) {
    return (Lanes){_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
TARGET ALWAYS_INLINE Lanes either(Lanes x, Lanes y) {
    return (Lanes){_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
TARGET ALWAYS_INLINE uint64_t bits(Lanes lanes) {
    return (uint32_t)_mm256_movemask_epi8(lanes.a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(lanes.b) << 32;
}
TARGET ALWAYS_INLINE uint64_t has(Bytes v, int any) {
    __m256i x = _mm256_set1_epi8((char)any), zero = _mm256_setzero_si256();
    return ~bits((Lanes){_mm256_cmpeq_epi8(_mm256_and_si256(v.a, x), zero),
                         _mm256_cmpeq_epi8(_mm256_and_si256(v.b, x), zero)});
}
TARGET ALWAYS_INLINE Bytes choose(Lanes where, Bytes then, Bytes otherwise) {
    return (Bytes){_mm256_blendv_epi8(otherwise.a, then.a, where.a),
                   _mm256_blendv_epi8(otherwise.b, then.b, where.b)};
}
TARGET ALWAYS_INLINE Bytes put(Bytes v, Lanes where, int byte) {
    __m256i x = _mm256_set1_epi8((char)byte);
    return choose(where, (Bytes){x, x}, v);
}
TARGET ALWAYS_INLINE Bytes set_bits(Bytes v, int more) {
    __m256i x = _mm256_set1_epi8((char)more);
    return (Bytes){_mm256_or_si256(v.a, x), _mm256_or_si256(v.b, x)};
}
TARGET ALWAYS_INLINE Bytes lookup16(Bytes v, const uint8_t* table) {
    __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)table));
    __m256i low = _mm256_set1_epi8(15);
    return (Bytes){_mm256_shuffle_epi8(t, _mm256_and_si256(v.a, low)),
                   _mm256_shuffle_epi8(t, _mm256_and_si256(v.b, low))};
}
TARGET ALWAYS_INLINE Bytes lookup_row(Bytes v, Lanes where, Bytes index, const uint8_t* row) {
    Bytes low = both(index, (Bytes){_mm256_set1_epi8(15), _mm256_set1_epi8(15)});
    Bytes bit4 = {_mm256_slli_epi16(index.a, 3), _mm256_slli_epi16(index.b, 3)}; /* as top bits */
    Bytes bit5 = {_mm256_slli_epi16(index.a, 2), _mm256_slli_epi16(index.b, 2)};
    Bytes part[4];
    int i;
    for (i = 0; i < 4; i++) {
        __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)(row + 16 * i)));
        part[i] = (Bytes){_mm256_shuffle_epi8(t, low.a), _mm256_shuffle_epi8(t, low.b)};
    }
    return choose(where, choose(bit5, choose(bit4, part[3], part[2]), choose(bit4, part[1], part[0])), v);
}

TARGET ALWAYS_INLINE Narrowing narrow_with(uint64_t kept) { return kept; }
TARGET ALWAYS_INLINE uint64_t narrow(uint64_t mask, const Narrowing* kept) { return _pext_u64(mask, *kept); }
TARGET ALWAYS_INLINE uint64_t widen(uint64_t mask, const Narrowing* kept) { return _pdep_u64(mask, *kept); }

/* Writes the `count` positions in `found`, counted from `base`; overwrites up to a multiple of 8. */
TARGET ALWAYS_INLINE void write_ends(size_t* ends, size_t base, uint64_t found, int count) {
    int i, k;
    for (i = 0; i < count; i += 8) {
        for (k = 0; k < 8; k++) {
            ends[i + k] = base + (size_t)_tzcnt_u64(found);
            found &= found - 1;
        }
    }
}

#include "scan_kernel.h"
#include "tier_names.h"
