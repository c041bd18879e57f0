/* 64 bytes as four quarters with NEON on AArch64, which has neither byte masks nor pext and pdep. */
#define TIER(name) name##_neon
#define TARGET
#define GUESSES 0 /* not measured */
#include "tier_names.h"

typedef uint8x16x4_t Bytes;
typedef uint8x16x4_t Lanes; /* 0xFF where true */

/* `kept` one bit a byte, and what it takes to move those bits together and apart again: in round i, the
 * bits of `moves[i]` go 2^i places (Hacker's Delight, 7-4). */
typedef struct {
    uint64_t kept, moves[6];
} Narrowing;

#define EACH_QUARTER(i) for (i = 0; i < 4; i++)

TARGET ALWAYS_INLINE Bytes load(const uint8_t* at) {
    return (Bytes){{vld1q_u8(at), vld1q_u8(at + 16), vld1q_u8(at + 32), vld1q_u8(at + 48)}};
}
TARGET ALWAYS_INLINE Lanes equal(Bytes v, int byte) {
    uint8x16_t x = vdupq_n_u8((uint8_t)byte);
    int i;
    EACH_QUARTER(i) v.val[i] = vceqq_u8(v.val[i], x);
    return v;
}
TARGET ALWAYS_INLINE Lanes within(Bytes v, Bytes first, Bytes last) {
    int i;
    EACH_QUARTER(i) v.val[i] = vandq_u8(vcgeq_u8(v.val[i], first.val[i]), vcleq_u8(v.val[i], last.val[i]));
    return v;
}
TARGET ALWAYS_INLINE Lanes between(Bytes v, int first, int last) {
    uint8x16_t low = vdupq_n_u8((uint8_t)first), size = vdupq_n_u8((uint8_t)(last - first));
    int i;
    EACH_QUARTER(i) v.val[i] = vcleq_u8(vsubq_u8(v.val[i], low), size);
    return v;
}
TARGET ALWAYS_INLINE Lanes both(Lanes x, Lanes y) {
    int i;
    EACH_QUARTER(i) x.val[i] = vandq_u8(x.val[i], y.val[i]);
    return x;
}
TARGET ALWAYS_INLINE Lanes either(Lanes x, Lanes y) {
    int i;
    EACH_QUARTER(i) x.val[i] = vorrq_u8(x.val[i], y.val[i]);
    return x;
}
TARGET ALWAYS_INLINE uint64_t bits(Lanes lanes) {
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t w = vld1q_u8(weights);
    uint8x16_t ab = vpaddq_u8(vandq_u8(lanes.val[0], w), vandq_u8(lanes.val[1], w));
    uint8x16_t cd = vpaddq_u8(vandq_u8(lanes.val[2], w), vandq_u8(lanes.val[3], w));
    ab = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(ab, ab)), 0);
}
TARGET ALWAYS_INLINE uint64_t has(Bytes v, int any) {
    uint8x16_t x = vdupq_n_u8((uint8_t)any);
    int i;
    EACH_QUARTER(i) v.val[i] = vtstq_u8(v.val[i], x);
    return bits(v);
}
TARGET ALWAYS_INLINE Bytes choose(Lanes where, Bytes then, Bytes otherwise) {
    int i;
    EACH_QUARTER(i) otherwise.val[i] = vbslq_u8(where.val[i], then.val[i], otherwise.val[i]);
    return otherwise;
}
TARGET ALWAYS_INLINE Bytes put(Bytes v, Lanes where, int byte) {
    uint8x16_t x = vdupq_n_u8((uint8_t)byte);
    return choose(where, (Bytes){{x, x, x, x}}, v);
}
TARGET ALWAYS_INLINE Bytes set_bits(Bytes v, int more) {
    uint8x16_t x = vdupq_n_u8((uint8_t)more);
    int i;
    EACH_QUARTER(i) v.val[i] = vorrq_u8(v.val[i], x);
    return v;
}
TARGET ALWAYS_INLINE Bytes lookup16(Bytes v, const uint8_t* table) {
    uint8x16_t t = vld1q_u8(table), low = vdupq_n_u8(15);
    int i;
    EACH_QUARTER(i) v.val[i] = vqtbl1q_u8(t, vandq_u8(v.val[i], low));
    return v;
}
TARGET ALWAYS_INLINE Bytes lookup_row(Bytes v, Lanes where, Bytes index, const uint8_t* row) {
    uint8x16x4_t t = load(row);
    uint8x16_t low = vdupq_n_u8(63);
    int i;
    EACH_QUARTER(i) v.val[i] = vbslq_u8(where.val[i], vqtbl4q_u8(t, vandq_u8(index.val[i], low)), v.val[i]);
    return v;
}

TARGET ALWAYS_INLINE Narrowing narrow_with(uint64_t kept) {
    Narrowing plan = {kept, {0}};
    uint64_t left = kept, gaps = ~kept << 1;
    int i, k;
    for (i = 0; i < 6; i++) {
        uint64_t odd = gaps, move;
        for (k = 1; k < 64; k <<= 1) odd ^= odd << k; /* where an odd number of gaps lies below */
        move = odd & left;
        plan.moves[i] = move;
        left = (left ^ move) | move >> (1 << i);
        gaps &= ~odd;
    }
    return plan;
}
TARGET ALWAYS_INLINE uint64_t narrow(uint64_t mask, const Narrowing* plan) {
    int i;
    mask &= plan->kept;
    for (i = 0; i < 6; i++) {
        uint64_t moved = mask & plan->moves[i];
        mask = (mask ^ moved) | moved >> (1 << i);
    }
    return mask;
}
TARGET ALWAYS_INLINE uint64_t widen(uint64_t mask, const Narrowing* plan) {
    int i;
    for (i = 5; i >= 0; i--) {
        uint64_t moved = (mask << (1 << i)) & plan->moves[i];
        mask = (mask & ~plan->moves[i]) | moved;
    }
    return mask & plan->kept;
}

/* Writes the `count` positions in `found`, counted from `base`; overwrites up to a multiple of 4. */
TARGET ALWAYS_INLINE void write_ends(size_t* ends, size_t base, uint64_t found, int count) {
    int i, k;
    for (i = 0; i < count; i += 4) {
        for (k = 0; k < 4; k++) {
            ends[i + k] = base + (size_t)(found ? __builtin_ctzll(found) : 64);
            found &= found - 1;
        }
    }
}

#include "scan_kernel.h"
#undef EACH_QUARTER
#include "tier_names.h"
