/* Where pieces end, from bit masks: the patterns as algebra on up to 64 characters at once.
 *
 * Bit i of each mask tells something about character i. Character 0 is where a piece starts, so that nothing
 * before it matters; of what follows the last character nothing is known. A border at i means that a piece
 * starts there. `x << 1` are the characters behind those of x, `x >> 1` those in front of them.
 *
 * Whatever the algebra cannot tell goes into `stop`: borders from its lowest bit on are not to be trusted.
 * The caller starts again at the last trusted one, and gives a piece without any to the scalar scanner.
 *
 * Everything here is inlined into the kernel of each tier and compiled with the tier's instructions.
 */
#ifndef BPETOK_SCAN_BORDERS_H
#define BPETOK_SCAN_BORDERS_H
#include <stdint.h>

#include "scan_spec.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef struct {
    uint64_t word;         /* letters, and marks where these belong to words */
    uint64_t upper, lower; /* upper-like and lower-like, both for caseless; cased words only */
    uint64_t number, space, newline, blank, quote, slash;
    uint64_t mark;         /* only where marks continue both a word and a run of punctuation */
    uint64_t one, two;     /* letters behind the quote of a contraction: s t d m; the first of ll ve re */
    uint64_t apart, other, letter, sign; /* WORD_APART only: Chinese; of no class; ASCII letters, punctuation */
} Classes;

typedef struct {
    uint64_t borders; /* trusted ones, without character 0 */
    uint64_t stop;    /* what could not be told, but for white space at the end */
    int complete;     /* if the text ends here, the last piece ends with it */
    uint64_t word, lower, upper, number, punctuation, space, newline;
} Borders;

/* The highest bit of x != 0. */
ALWAYS_INLINE uint64_t highest(uint64_t x) { return 1ull << (63 - __builtin_clzll(x)); }

/* `from`, which lies in `through`, and all that follows it within the same run of `through`. */
ALWAYS_INLINE uint64_t flood(uint64_t from, uint64_t through) {
    return (((from + through) ^ through) | from) & through;
}

/* Borders within runs of numbers that start at `starts`: one every `digits` characters. */
ALWAYS_INLINE uint64_t number_borders(uint64_t number, uint64_t starts, size_t digits) {
    uint64_t full = number, found = 0;
    size_t i;
    if (digits == 0 || digits >= 64) return 0;
    if (digits == 1) return number & (number << 1);
    for (i = 1; i <= digits; i++) full &= number << i; /* those with as many before them */
    if (full) {
        while ((starts = starts << digits & full)) found |= starts;
    }
    return found;
}

/* Borders within runs of white space where its newlines end a piece. Of those with `kept` behind them, the last
 * character stays with the others. */
ALWAYS_INLINE uint64_t newline_borders(uint64_t space, uint64_t newline, uint64_t kept) {
    uint64_t other = space & ~newline, starts = other & ~(other << 1);
    uint64_t behind = starts & (newline << 1);  /* other white space behind a newline: a border... */
    uint64_t closed = (other + starts) & newline; /* ...unless another newline follows it */
    for (; closed; closed &= closed - 1) behind &= ~highest(starts & ((closed & -closed) - 1));
    return behind | (other & ~(space >> 1) & ~(kept >> 1)); /* and the last character that is no newline */
}

/* Borders before capitals within runs of cased words. Adds to `stop` what depends on later text. */
ALWAYS_INLINE uint64_t case_borders(uint64_t upper, uint64_t lower, int n, uint64_t* stop) {
    uint64_t capitals = upper & ~lower, turns = capitals & (lower << 1), small, sure, rest, ends;
    if (!(upper & lower)) return turns;
    /* A caseless letter before a capital: a border if a small letter came before in its run... */
    small = lower & ~upper;
    sure = turns & (((small + lower) ^ lower) | small);
    rest = turns & ~sure;
    /* ...or if nothing lower-like follows the capitals. Here n < 64: no ASCII text gets here. */
    for (ends = rest ? (rest + capitals) & ~capitals & ~lower : 0; ends; ends &= ends - 1) {
        uint64_t end = ends & -ends, before = rest & (end - 1);
        if (!before) continue;
        if (end >> n) *stop |= highest(before);
        else sure |= highest(before);
    }
    return sure;
}

/* Of what was found among n characters, the borders that stand whatever follows. */
ALWAYS_INLINE Borders sure_borders(Borders found, int n) {
    /* White space at the end may go on: only its start is a border for sure. */
    const uint64_t other = ~(found.space << (64 - n));
    const int trailing = other ? __builtin_clzll(other) : 64, limit = n - trailing + (trailing > 0);
    const uint64_t stop = found.stop | 2ull << (limit - 1);
    found.complete = !found.stop && !trailing;
    found.borders &= ((stop & -stop) - 1) & ~1ull;
    return found;
}

/* As `find_borders` for WORD_APART. Where a number or Chinese text begins or ends, the text is cut, and neither
 * side sees the other: nothing that is shifted over a cut counts. */
ALWAYS_INLINE Borders find_borders_apart(const ScanSpec* spec, Classes c, int n) {
    const uint64_t all = ~0ull >> (64 - n), cuts = (c.number ^ c.number << 1) | (c.apart ^ c.apart << 1);
    uint64_t punctuation = all & ~(c.word | c.number | c.space | c.other), word = c.word, borders, stop;
    uint64_t tail = flood(punctuation << 1 & c.newline & ~cuts, c.newline);
    uint64_t space = c.space & ~tail, newline = c.newline & ~tail, fresh, leads, idle, lead;

    fresh = punctuation & (~(punctuation << 1) | cuts) & ~(c.blank << 1 & ~cuts);
    word &= ~flood((fresh & c.sign) << 1 & c.letter, c.letter); /* what a sign leads, and it alone */
    leads = c.other & word >> 1 & ~(cuts >> 1);                 /* at the end it is not known... */
    idle = c.other & ~leads;
    stop = c.other & (all ^ all >> 1); /* ...so that there may be no border */
    lead = (space & ~newline) | leads;
    borders = cuts | fresh | leads | (word & ~(word << 1) & ~(lead << 1)) | (idle & ~(idle << 1));
    borders |= number_borders(c.number, c.number & ~(c.number << 1), spec->digits);
    borders |= (space & ~(space << 1)) | newline_borders(space, newline, cuts);

    return sure_borders((Borders){.borders = borders, .stop = stop, .word = word, .number = c.number,
                                  .punctuation = punctuation, .space = space, .newline = newline}, n);
}

/* The borders among the first n characters. `word` is spec->word, known when this is compiled. */
ALWAYS_INLINE Borders find_borders(const ScanSpec* spec, int word_kind, Classes c, int n) {
    const uint64_t all = ~0ull >> (64 - n);
    uint64_t word = c.word, upper = c.upper, lower = c.lower, space = c.space, newline = c.newline;
    uint64_t punctuation = all & ~(c.word | c.number | c.space), behind_blank = c.blank << 1;
    uint64_t fresh, borders, starts, lead, kept, stop = 0;

    if (word_kind == WORD_APART) return find_borders_apart(spec, c, n);
    if (spec->tail_newlines) {
        uint64_t tail = flood((punctuation << 1) & newline, newline | (spec->tail_slashes ? c.slash : 0));
        space &= ~tail;
        newline &= ~tail;
        punctuation &= ~tail;
    }
    /* Punctuation that starts a piece: the first of its run, not led by a blank. */
    fresh = punctuation & ~(punctuation << 1) & ~behind_blank;
    borders = fresh;

    if (c.one | c.two) {
        int attached = spec->contractions == CONTRACTION_ATTACHED;
        uint64_t heads = c.quote & (attached ? word << 1 : fresh);
        uint64_t single = heads & (c.one >> 1), pair = heads & (c.two >> 1) & ~single;
        uint64_t after = single << 2 | pair << 3, taken = single | pair;
        taken |= taken << 1 | pair << 2;
        word &= ~taken;
        upper &= ~taken;
        lower &= ~taken;
        borders |= after;
        if (attached) {
            borders &= ~(single | pair);
            stop |= after & c.quote; /* "x's's": the second one does not attach */
        }
    }
    if (c.quote) { /* too near the end to tell */
        uint64_t late = c.quote & all & ~(all >> 2);
        stop |= spec->contractions == CONTRACTION_ATTACHED ? late : late << 1;
    }

    if (c.mark & (punctuation << 1)) {
        /* Marks behind punctuation belong to it, unless it is one character that may lead a word. */
        uint64_t led = word_kind == WORD_PLAIN ? 0 : fresh << 1;
        uint64_t taken = flood(c.mark & (punctuation << 1) & ~led, c.mark);
        word &= ~taken;
        upper &= ~taken;
        lower &= ~taken;
        stop |= taken << 1 & (punctuation | newline);
    }

    lead = word_kind == WORD_PLAIN ? c.blank : (space & ~newline) | fresh;
    borders |= word & ~(word << 1) & ~(lead << 1);
    if (word_kind == WORD_CASED) borders |= case_borders(upper, lower, n, &stop);

    starts = c.number & ~(c.number << 1);
    borders |= starts & ~(spec->number_space ? behind_blank : 0);
    borders |= number_borders(c.number, starts, spec->digits);

    borders |= space & ~(space << 1);
    kept = spec->numbers_apart ? c.number : 0;
    borders |= spec->newlines ? newline_borders(space, newline, kept) : space & ~(space >> 1) & ~(kept >> 1);

    return sure_borders((Borders){.borders = borders, .stop = stop, .word = word, .upper = upper, .lower = lower,
                                  .number = c.number, .punctuation = punctuation, .space = space,
                                  .newline = newline}, n);
}

/* A later character at which to start again within the piece that starts at `from` and has no border behind
 * it: one from which on the borders are the same as if a piece started there. `from` if there is none. */
ALWAYS_INLINE int skip_within(const ScanSpec* spec, int word_kind, const Borders* found, int from, int n) {
    uint64_t last = 1ull << (n - 1), here = ~0ull << from, lower = found->lower & here;
    int at = from;
    if (found->stop) return from;
    if (found->word & last) {
        /* Within a cased word it matters whether it is past its first small letter. */
        if (word_kind != WORD_CASED || (lower & ~found->upper & last) || !lower
            || ((lower & last) && !(lower & ~found->upper)))
            at = n - 1;
    } else if (found->number & last) {
        if (spec->digits == 0) at = n - 1;
    } else if (found->punctuation & found->punctuation << 1 & last) {
        at = n - 2; /* two, so that they cannot lead a word or a contraction */
    } else if (found->space & found->space << 1 & last) {
        uint64_t newline = spec->newlines ? found->newline & here : 0;
        at = newline ? 63 - __builtin_clzll(newline) : n - 2; /* never the last, which may be a border */
    }
    return at > from ? at : from;
}

#endif
