/* The parameters of a pretokenizer; _scan.pyx fills them in. */
#ifndef BPETOK_SCAN_SPEC_H
#define BPETOK_SCAN_SPEC_H
#include <stddef.h>

/* How words are matched. */
enum {
    WORD_PLAIN = 0,    /* [ ]?\p{L}+                           (gpt2) */
    WORD_PREFIXED = 1, /* [^\r\n\p{L}\p{N}]?\p{L}+             (cl100k) */
    WORD_CASED = 2,    /* prefix, upper-like run, lower-like run (o200k) */
    WORD_SPACED = 3,   /* no words: a piece from each space on  (metaspace) */
    WORD_WHOLE = 4,    /* no words: the text is one piece       (whole) */
    WORD_APART = 5     /* numbers and Chinese apart from the rest (deepseek) */
};

/* How contractions are matched. */
enum {
    CONTRACTION_NONE = 0,
    CONTRACTION_EXACT = 1,    /* their own piece, lower case only */
    CONTRACTION_ANY_CASE = 2, /* their own piece, either case */
    CONTRACTION_ATTACHED = 3, /* end of a cased word, either case */
    CONTRACTION_ASCII = 4     /* their own piece, either case, without U+017F (long s) */
};

typedef struct {
    int word;             /* WORD_* */
    int contractions;     /* CONTRACTION_* */
    int word_mask;        /* class bits of a word's characters (not for WORD_CASED) */
    int punctuation_stop; /* class bits that end a run of punctuation */
    size_t digits;        /* the most numbers in a piece; 0: any */
    int number_space;     /* a space may lead a number */
    int numbers_apart;    /* white space before a number is one piece */
    int tail_newlines;    /* punctuation takes the \r \n behind it */
    int tail_slashes;     /* and slashes among those */
    int newlines;         /* white space up to its last newline is a piece */
    int end_space;        /* white space at the end of the text is one piece */
    size_t words;         /* the most words in a piece, a space between two; 0 is 1 */
} ScanSpec;

#endif
