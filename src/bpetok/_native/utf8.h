/* Code points of a str to UTF-8, once for each tier of instructions, and back.
 *
 * A function takes `n` units of one, two or four bytes, writes their UTF-8 to `out` and returns how many
 * bytes that is. It may write up to UTF8_SLACK bytes more, of no meaning. Surrogates are treated as
 * tiktoken does: a high and a low one side by side become one character, a lone one becomes U+FFFD.
 * The wide kernels see blocks without surrogates only; any other block is left to the scalar code.
 *
 * In a wide kernel each code point is one lane of 32 bits that holds its bytes right-justified, zeros
 * before them, and the bytes that count are then moved together: by one instruction with AVX-512, by a
 * shuffle from a table of the 256 combinations of four lengths with AVX2 and NEON.
 */
#ifndef BPETOK_UTF8_H
#define BPETOK_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { UTF8_SLACK = 64 };

/* ---- scalar ---------------------------------------------------------------------------------- */

static inline uint8_t *utf8_put(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xE0 | c >> 12);
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | c >> 18);
        *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return out;
}

/* One unit, which may be a surrogate; `next` is the unit after it, or 0. Returns whether it took both. */
static inline int utf8_put_any(uint8_t **out, uint32_t c, uint32_t next)
{
    int pair = 0;
    if ((c & 0xFFFFF800) == 0xD800) {
        pair = c < 0xDC00 && (next & 0xFFFFFC00) == 0xDC00;
        c = pair ? 0x10000 + ((c - 0xD800) << 10) + (next - 0xDC00) : 0xFFFD;
    }
    *out = utf8_put(*out, c);
    return pair;
}

static size_t utf8_from_1_scalar(const uint8_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (i < n) {
        uint64_t word;
        if (n - i >= 8 && (memcpy(&word, in + i, 8), !(word & UINT64_C(0x8080808080808080)))) {
            memcpy(out, in + i, 8);
            out += 8;
            i += 8;
            continue;
        }
        out = utf8_put(out, in[i++]);
    }
    return (size_t)(out - begin);
}

static inline size_t utf8_some_2(const uint16_t *in, size_t i, size_t stop, size_t n, uint8_t **out)
{
    while (i < stop)
        i += 1 + (size_t)utf8_put_any(out, in[i], i + 1 < n ? in[i + 1] : 0);
    return i;
}

static inline size_t utf8_some_4(const uint32_t *in, size_t i, size_t stop, size_t n, uint8_t **out)
{
    while (i < stop)
        i += 1 + (size_t)utf8_put_any(out, in[i], i + 1 < n ? in[i + 1] : 0);
    return i;
}

static size_t utf8_from_2_scalar(const uint16_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    utf8_some_2(in, 0, n, n, &out);
    return (size_t)(out - begin);
}

static size_t utf8_from_4_scalar(const uint32_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    utf8_some_4(in, 0, n, n, &out);
    return (size_t)(out - begin);
}

/* ---- AVX-512 --------------------------------------------------------------------------------- */

#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define UTF8_X86 1
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

/* Sixteen code points that are no surrogates. */
AVX512 static inline uint8_t *utf8_lanes_avx512(__m512i c, uint8_t *out)
{
    const __m512i six = _mm512_set1_epi32(0x3F);
    __mmask16 two = _mm512_cmpge_epu32_mask(c, _mm512_set1_epi32(0x80));
    __mmask16 three = _mm512_cmpge_epu32_mask(c, _mm512_set1_epi32(0x800));
    __mmask16 four = _mm512_cmpge_epu32_mask(c, _mm512_set1_epi32(0x10000));
    __m512i v = _mm512_or_si512(
        _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(c, six), 24),
                        _mm512_slli_epi32(_mm512_and_si512(_mm512_srli_epi32(c, 6), six), 16)),
        _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(_mm512_srli_epi32(c, 12), six), 8),
                        _mm512_srli_epi32(c, 18)));
    __m512i tag = _mm512_set1_epi32((int)0x80C00000);
    tag = _mm512_mask_mov_epi32(tag, three, _mm512_set1_epi32((int)0x8080E000));
    tag = _mm512_mask_mov_epi32(tag, four, _mm512_set1_epi32((int)0x808080F0));
    v = _mm512_mask_or_epi32(_mm512_slli_epi32(c, 24), two, v, tag);
    __mmask64 kept = _mm512_test_epi8_mask(v, v) | UINT64_C(0x8888888888888888);
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, v));
    return out + _mm_popcnt_u64(kept);
}

AVX512 static size_t utf8_from_1_avx512(const uint8_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m512i bytes = _mm512_loadu_si512(in + i);
        if (!_mm512_movepi8_mask(bytes)) {
            _mm512_storeu_si512(out, bytes);
            out += 64;
            continue;
        }
        for (int half = 0; half < 2; half++) {
            __m512i c = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(in + i + 32 * half)));
            __mmask32 two = _mm512_cmpge_epu16_mask(c, _mm512_set1_epi16(0x80));
            __m512i v = _mm512_or_si512(_mm512_slli_epi16(_mm512_and_si512(c, _mm512_set1_epi16(0x3F)), 8),
                                        _mm512_srli_epi16(c, 6));
            v = _mm512_or_si512(v, _mm512_set1_epi16((short)0x80C0));
            v = _mm512_mask_mov_epi16(_mm512_slli_epi16(c, 8), two, v);
            __mmask64 kept = _mm512_test_epi8_mask(v, v) | UINT64_C(0xAAAAAAAAAAAAAAAA);
            _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, v));
            out += _mm_popcnt_u64(kept);
        }
    }
    return (size_t)(out - begin) + utf8_from_1_scalar(in + i, n - i, out);
}

AVX512 static size_t utf8_from_2_avx512(const uint16_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 32) {
        __m512i units = _mm512_loadu_si512(in + i);
        if (!_mm512_test_epi16_mask(units, _mm512_set1_epi16((short)0xFF80))) {
            _mm256_storeu_si256((__m256i *)out, _mm512_cvtepi16_epi8(units));
            out += 32;
            i += 32;
            continue;
        }
        if (_mm512_cmpeq_epi16_mask(_mm512_and_si512(units, _mm512_set1_epi16((short)0xF800)),
                                    _mm512_set1_epi16((short)0xD800))) {
            i = utf8_some_2(in, i, i + 32, n, &out);
            continue;
        }
        out = utf8_lanes_avx512(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(units)), out);
        out = utf8_lanes_avx512(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(units, 1)), out);
        i += 32;
    }
    utf8_some_2(in, i, n, n, &out);
    return (size_t)(out - begin);
}

AVX512 static size_t utf8_from_4_avx512(const uint32_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 16) {
        __m512i units = _mm512_loadu_si512(in + i);
        if (!_mm512_test_epi32_mask(units, _mm512_set1_epi32((int)0xFFFFFF80))) {
            _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(units));
            out += 16;
            i += 16;
            continue;
        }
        if (_mm512_cmpeq_epi32_mask(_mm512_and_si512(units, _mm512_set1_epi32((int)0xFFFFF800)),
                                    _mm512_set1_epi32(0xD800))) {
            i = utf8_some_4(in, i, i + 16, n, &out);
            continue;
        }
        out = utf8_lanes_avx512(units, out);
        i += 16;
    }
    utf8_some_4(in, i, n, n, &out);
    return (size_t)(out - begin);
}
#endif

/* ---- four lengths to a shuffle --------------------------------------------------------------- */

#if defined(UTF8_X86) || (defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__)))
#define UTF8_SHUFFLES 1

/* By four lengths less one, two bits each, the first lowest: which bytes of four lanes count, and how
 * many they are. */
static uint8_t utf8_shuffle[256][16];
static uint8_t utf8_length[256];

static void utf8_prepare(void)
{
    for (int lengths = 0; lengths < 256; lengths++) {
        int at = 0;
        for (int lane = 0; lane < 4; lane++)
            for (int byte = 3 - (lengths >> (2 * lane) & 3); byte < 4; byte++)
                utf8_shuffle[lengths][at++] = (uint8_t)(4 * lane + byte);
        utf8_length[lengths] = (uint8_t)at;
        while (at < 16)
            utf8_shuffle[lengths][at++] = 0x80;
    }
}
#else
static void utf8_prepare(void) {}
#endif

/* ---- AVX2 ------------------------------------------------------------------------------------ */

#ifdef UTF8_X86
/* Eight code points that are no surrogates. */
AVX2 static inline uint8_t *utf8_lanes_avx2(__m256i c, uint8_t *out)
{
    const __m256i six = _mm256_set1_epi32(0x3F);
    __m256i two = _mm256_cmpgt_epi32(c, _mm256_set1_epi32(0x7F));
    __m256i three = _mm256_cmpgt_epi32(c, _mm256_set1_epi32(0x7FF));
    __m256i four = _mm256_cmpgt_epi32(c, _mm256_set1_epi32(0xFFFF));
    __m256i v = _mm256_or_si256(
        _mm256_or_si256(_mm256_slli_epi32(_mm256_and_si256(c, six), 24),
                        _mm256_slli_epi32(_mm256_and_si256(_mm256_srli_epi32(c, 6), six), 16)),
        _mm256_or_si256(_mm256_slli_epi32(_mm256_and_si256(_mm256_srli_epi32(c, 12), six), 8),
                        _mm256_srli_epi32(c, 18)));
    __m256i tag = _mm256_set1_epi32((int)0x80C00000);
    tag = _mm256_blendv_epi8(tag, _mm256_set1_epi32((int)0x8080E000), three);
    tag = _mm256_blendv_epi8(tag, _mm256_set1_epi32((int)0x808080F0), four);
    v = _mm256_blendv_epi8(_mm256_slli_epi32(c, 24), _mm256_or_si256(v, tag), two);
    /* A mask is -1, so that subtracting three of them counts the bytes after the first. */
    __m256i more = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_add_epi32(two, _mm256_add_epi32(three, four)));
    more = _mm256_sllv_epi32(more, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    more = _mm256_or_si256(more, _mm256_shuffle_epi32(more, 0x4E));
    more = _mm256_or_si256(more, _mm256_shuffle_epi32(more, 0xB1));
    unsigned low = (unsigned)_mm_cvtsi128_si32(_mm256_castsi256_si128(more));
    unsigned high = (unsigned)_mm_cvtsi128_si32(_mm256_extracti128_si256(more, 1));
    _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(_mm256_castsi256_si128(v),
                                                      _mm_loadu_si128((const __m128i *)utf8_shuffle[low])));
    out += utf8_length[low];
    _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(_mm256_extracti128_si256(v, 1),
                                                      _mm_loadu_si128((const __m128i *)utf8_shuffle[high])));
    return out + utf8_length[high];
}

AVX2 static size_t utf8_from_1_avx2(const uint8_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 32) {
        /* What lies before the first character of two bytes is right as it is. */
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(in + i));
        unsigned wide = (unsigned)_mm256_movemask_epi8(bytes);
        size_t run = wide ? (size_t)__builtin_ctz(wide) : 32;
        _mm256_storeu_si256((__m256i *)out, bytes);
        out += run;
        i += run;
        if (wide)
            out = utf8_put(out, in[i++]);
    }
    return (size_t)(out - begin) + utf8_from_1_scalar(in + i, n - i, out);
}

AVX2 static size_t utf8_from_2_avx2(const uint16_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 16) {
        __m256i units = _mm256_loadu_si256((const __m256i *)(in + i));
        __m256i tops = _mm256_and_si256(units, _mm256_set1_epi16((short)0xF800));
        if (_mm256_testz_si256(units, _mm256_set1_epi16((short)0xFF80))) {
            __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(units, units), 0x08);
            _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(packed));
            out += 16;
            i += 16;
        } else if (_mm256_movemask_epi8(_mm256_cmpeq_epi16(tops, _mm256_set1_epi16((short)0xD800)))) {
            i = utf8_some_2(in, i, i + 16, n, &out);
        } else {
            out = utf8_lanes_avx2(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(units)), out);
            out = utf8_lanes_avx2(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(units, 1)), out);
            i += 16;
        }
    }
    utf8_some_2(in, i, n, n, &out);
    return (size_t)(out - begin);
}

AVX2 static size_t utf8_from_4_avx2(const uint32_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 8) {
        __m256i units = _mm256_loadu_si256((const __m256i *)(in + i));
        __m256i tops = _mm256_and_si256(units, _mm256_set1_epi32((int)0xFFFFF800));
        if (_mm256_movemask_epi8(_mm256_cmpeq_epi32(tops, _mm256_set1_epi32(0xD800)))) {
            i = utf8_some_4(in, i, i + 8, n, &out);
        } else {
            out = utf8_lanes_avx2(units, out);
            i += 8;
        }
    }
    utf8_some_4(in, i, n, n, &out);
    return (size_t)(out - begin);
}
#undef AVX512
#undef AVX2

/* ---- NEON ------------------------------------------------------------------------------------ */

#elif defined(UTF8_SHUFFLES)
#include <arm_neon.h>

/* Four code points that are no surrogates. */
static inline uint8_t *utf8_lanes_neon(uint32x4_t c, uint8_t *out)
{
    static const int32_t places[4] = {0, 2, 4, 6};
    const uint32x4_t six = vdupq_n_u32(0x3F);
    uint32x4_t two = vcgeq_u32(c, vdupq_n_u32(0x80));
    uint32x4_t three = vcgeq_u32(c, vdupq_n_u32(0x800));
    uint32x4_t four = vcgeq_u32(c, vdupq_n_u32(0x10000));
    uint32x4_t v = vorrq_u32(
        vorrq_u32(vshlq_n_u32(vandq_u32(c, six), 24), vshlq_n_u32(vandq_u32(vshrq_n_u32(c, 6), six), 16)),
        vorrq_u32(vshlq_n_u32(vandq_u32(vshrq_n_u32(c, 12), six), 8), vshrq_n_u32(c, 18)));
    uint32x4_t tag = vdupq_n_u32(0x80C00000);
    tag = vbslq_u32(three, vdupq_n_u32(0x8080E000), tag);
    tag = vbslq_u32(four, vdupq_n_u32(0x808080F0), tag);
    v = vbslq_u32(two, vorrq_u32(v, tag), vshlq_n_u32(c, 24));
    /* A mask is -1, so that subtracting three of them counts the bytes after the first. */
    uint32x4_t more = vsubq_u32(vdupq_n_u32(0), vaddq_u32(two, vaddq_u32(three, four)));
    uint32_t lengths = vaddvq_u32(vshlq_u32(more, vld1q_s32(places)));
    vst1q_u8(out, vqtbl1q_u8(vreinterpretq_u8_u32(v), vld1q_u8(utf8_shuffle[lengths])));
    return out + utf8_length[lengths];
}

static size_t utf8_from_1_neon(const uint8_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 16) {
        /* What lies before the first character of two bytes is right as it is. Half a byte of the mask
         * stands for each character. */
        uint8x16_t bytes = vld1q_u8(in + i);
        uint16x8_t wide = vreinterpretq_u16_u8(vcgeq_u8(bytes, vdupq_n_u8(0x80)));
        uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(wide, 4)), 0);
        size_t run = mask ? (size_t)__builtin_ctzll(mask) / 4 : 16;
        vst1q_u8(out, bytes);
        out += run;
        i += run;
        if (mask)
            out = utf8_put(out, in[i++]);
    }
    return (size_t)(out - begin) + utf8_from_1_scalar(in + i, n - i, out);
}

static size_t utf8_from_2_neon(const uint16_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 8) {
        uint16x8_t units = vld1q_u16(in + i);
        if (vmaxvq_u16(units) < 0x80) {
            vst1_u8(out, vmovn_u16(units));
            out += 8;
            i += 8;
        } else if (vmaxvq_u16(vceqq_u16(vandq_u16(units, vdupq_n_u16(0xF800)), vdupq_n_u16(0xD800)))) {
            i = utf8_some_2(in, i, i + 8, n, &out);
        } else {
            out = utf8_lanes_neon(vmovl_u16(vget_low_u16(units)), out);
            out = utf8_lanes_neon(vmovl_high_u16(units), out);
            i += 8;
        }
    }
    utf8_some_2(in, i, n, n, &out);
    return (size_t)(out - begin);
}

static size_t utf8_from_4_neon(const uint32_t *in, size_t n, uint8_t *out)
{
    uint8_t *const begin = out;
    size_t i = 0;
    while (n - i >= 4) {
        uint32x4_t units = vld1q_u32(in + i);
        if (vmaxvq_u32(vceqq_u32(vandq_u32(units, vdupq_n_u32(0xFFFFF800)), vdupq_n_u32(0xD800)))) {
            i = utf8_some_4(in, i, i + 4, n, &out);
        } else {
            out = utf8_lanes_neon(units, out);
            i += 4;
        }
    }
    utf8_some_4(in, i, n, n, &out);
    return (size_t)(out - begin);
}
#endif

/* ---- the choice ------------------------------------------------------------------------------ */

/* `n` units of `kind` bytes each. The tier is one of `_cpu.pxd`: 0 scalar, 1 AVX2, 2 AVX-512, 3 NEON. */
static size_t utf8_from(int tier, int kind, const void *in, size_t n, uint8_t *out)
{
    const uint8_t *narrow = (const uint8_t *)in;
    const uint16_t *medium = (const uint16_t *)in;
    const uint32_t *wide = (const uint32_t *)in;
#ifdef UTF8_X86
    if (tier == 2)
        return kind == 1   ? utf8_from_1_avx512(narrow, n, out)
               : kind == 2 ? utf8_from_2_avx512(medium, n, out)
                           : utf8_from_4_avx512(wide, n, out);
    if (tier == 1)
        return kind == 1   ? utf8_from_1_avx2(narrow, n, out)
               : kind == 2 ? utf8_from_2_avx2(medium, n, out)
                           : utf8_from_4_avx2(wide, n, out);
#elif defined(UTF8_SHUFFLES)
    if (tier == 3)
        return kind == 1   ? utf8_from_1_neon(narrow, n, out)
               : kind == 2 ? utf8_from_2_neon(medium, n, out)
                           : utf8_from_4_neon(wide, n, out);
#endif
    (void)tier;
    return kind == 1   ? utf8_from_1_scalar(narrow, n, out)
           : kind == 2 ? utf8_from_2_scalar(medium, n, out)
                       : utf8_from_4_scalar(wide, n, out);
}

/* ---- back ------------------------------------------------------------------------------------ */

/* The number of characters in valid UTF-8, and its largest byte, which tells how wide they are. Plain
 * loops over many bytes without a branch, which the compiler makes into wide ones. */
static size_t utf8_measure(const uint8_t *in, size_t n, uint8_t *largest)
{
    size_t count = 0, i = 0;
    uint8_t top = 0;
    while (i < n) {
        size_t stop = n - i > 128 ? i + 128 : n;
        uint8_t here = 0;
        for (; i < stop; i++) {
            here = (uint8_t)(here + ((in[i] & 0xC0) != 0x80));
            top = in[i] > top ? in[i] : top;
        }
        count += here;
    }
    *largest = top;
    return count;
}

static inline void utf8_store(void *out, size_t at, int kind, uint32_t c)
{
    if (kind == 1)
        ((uint8_t *)out)[at] = (uint8_t)c;
    else if (kind == 2)
        ((uint16_t *)out)[at] = (uint16_t)c;
    else
        ((uint32_t *)out)[at] = c;
}

/* Code points of `n` bytes into units of `kind` bytes; false where the bytes are not valid UTF-8. No more
 * units are written than there are bytes that begin a character. */
static inline int utf8_units(const uint8_t *in, size_t n, int kind, void *out)
{
    size_t i = 0, at = 0;
    while (i < n) {
        uint64_t words[2];
        uint32_t a = in[i];
        if (a < 0x80) {
            if (n - i >= 16 && (memcpy(words, in + i, 16), !((words[0] | words[1]) & UINT64_C(0x8080808080808080)))) {
                for (int k = 0; k < 16; k++)
                    utf8_store(out, at + (size_t)k, kind, in[i + (size_t)k]);
                at += 16;
                i += 16;
            } else {
                utf8_store(out, at++, kind, a);
                i++;
            }
        } else if (a < 0xE0) {
            if (a < 0xC2 || n - i < 2 || (in[i + 1] & 0xC0) != 0x80)
                return 0;
            utf8_store(out, at++, kind, (a & 0x1F) << 6 | (in[i + 1] & 0x3F));
            i += 2;
        } else if (a < 0xF0) {
            if (n - i < 3 || (in[i + 1] & 0xC0) != 0x80 || (in[i + 2] & 0xC0) != 0x80)
                return 0;
            uint32_t c = (a & 0x0F) << 12 | (uint32_t)(in[i + 1] & 0x3F) << 6 | (in[i + 2] & 0x3F);
            if (c < 0x800 || (c & 0xFFFFF800) == 0xD800)
                return 0;
            utf8_store(out, at++, kind, c);
            i += 3;
        } else {
            if (a > 0xF4 || n - i < 4 || (in[i + 1] & 0xC0) != 0x80 || (in[i + 2] & 0xC0) != 0x80
                || (in[i + 3] & 0xC0) != 0x80)
                return 0;
            uint32_t c = (a & 0x07) << 18 | (uint32_t)(in[i + 1] & 0x3F) << 12
                       | (uint32_t)(in[i + 2] & 0x3F) << 6 | (in[i + 3] & 0x3F);
            if (c < 0x10000 || c > 0x10FFFF)
                return 0;
            utf8_store(out, at++, kind, c);
            i += 4;
        }
    }
    return 1;
}

static int utf8_to(const uint8_t *in, size_t n, int kind, void *out)
{
    return kind == 1   ? utf8_units(in, n, 1, out)
           : kind == 2 ? utf8_units(in, n, 2, out)
                       : utf8_units(in, n, 4, out);
}

/* ---- whether bytes are UTF-8 ------------------------------------------------------------------ */

/* An automaton whose states are places of bits in a word: the word of a byte holds, at the place of each
 * state, the place of the next one, so a step is a load and a shift (P. Vognsen, "Shift-based DFAs"). What
 * may follow is narrower after some lead bytes, which therefore have states of their own. */
enum {
    UTF8_BAD = 0, /* and ever after: the lowest bits of each word are 0 */
    UTF8_START = 6,
    UTF8_ONE = 12, /* so many continuation bytes to come */
    UTF8_TWO = 18,
    UTF8_THREE = 24,
    UTF8_E0 = 30,
    UTF8_ED = 36,
    UTF8_F0 = 42,
    UTF8_F4 = 48,
};

static uint64_t utf8_steps[256];

static unsigned utf8_next(unsigned state, unsigned byte)
{
    unsigned least = state == UTF8_E0 ? 0xA0 : state == UTF8_F0 ? 0x90 : 0x80;
    unsigned most = state == UTF8_ED ? 0x9F : state == UTF8_F4 ? 0x8F : 0xBF;
    if (state == UTF8_START)
        return byte < 0x80   ? UTF8_START
               : byte < 0xC2 ? UTF8_BAD
               : byte < 0xE0 ? UTF8_ONE
               : byte == 0xE0 ? UTF8_E0
               : byte == 0xED ? UTF8_ED
               : byte < 0xF0 ? UTF8_TWO
               : byte == 0xF0 ? UTF8_F0
               : byte < 0xF4 ? UTF8_THREE
               : byte == 0xF4 ? UTF8_F4
                             : UTF8_BAD;
    if (byte < least || byte > most)
        return UTF8_BAD;
    return state == UTF8_ONE                                                 ? UTF8_START
           : state == UTF8_TWO || state == UTF8_E0 || state == UTF8_ED ? UTF8_ONE
                                                                       : UTF8_TWO;
}

static void utf8_prepare_steps(void)
{
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned state = UTF8_START; state <= UTF8_F4; state += 6)
            utf8_steps[byte] |= (uint64_t)utf8_next(state, byte) << state;
}

/* From here to the start of a character, if it is no more than three bytes on. */
static inline const uint8_t *utf8_start(const uint8_t *in)
{
    for (int i = 0; i < 3 && (*in & 0xC0) == 0x80; i++)
        in++;
    return in;
}

/* A step waits for the one before it, so four parts of a longer text take turns. */
static int utf8_valid(const uint8_t *in, size_t n)
{
    const uint8_t *end = in + n, *ends[4];
    while (end - in >= 16) {
        uint64_t words[2], states[4] = {UTF8_START, UTF8_START, UTF8_START, UTF8_START};
        memcpy(words, in, 16);
        if (!((words[0] | words[1]) & UINT64_C(0x8080808080808080))) {
            in += 16;
            continue;
        }
        if (end - in < 256 + 3)
            break;
        for (int part = 0; part < 4; part++)
            ends[part] = utf8_start(in + 64 * (part + 1));
        for (int i = 0; i < 64 - 3; i++) {
            states[0] = utf8_steps[in[i]] >> (states[0] & 63);
            for (int part = 1; part < 4; part++)
                states[part] = utf8_steps[ends[part - 1][i]] >> (states[part] & 63);
        }
        for (int part = 0; part < 4; part++) {
            for (const uint8_t *p = (part ? ends[part - 1] : in) + 64 - 3; p < ends[part]; p++)
                states[part] = utf8_steps[*p] >> (states[part] & 63);
            if ((states[part] & 63) != UTF8_START)
                return 0;
        }
        in = ends[3];
    }
    uint64_t state = UTF8_START;
    for (; in < end; in++)
        state = utf8_steps[*in] >> (state & 63);
    return (state & 63) == UTF8_START;
}

#endif
