/* Runs the scanner of one tier on the cases of a file, for a machine that Python need not run on.
 *
 * Usage: scan_driver TIER CASES
 *
 * A case is a record of 64-bit numbers: the ten fields of ScanSpec, the length of the text, the number of
 * pieces, where each ends; then the text, padded to a multiple of eight bytes. Where the tier leaves a piece
 * to the scalar scanner, its end is taken from the case. Each text is put right before a page that must not
 * be touched, so that reading past its end is an error. Prints how many ends there were, and how many of them
 * the tier found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "scan_blocks.h"

enum { CAPACITY = 256, MOST = 1 << 20, PAGE = 1 << 16 };

static uint64_t number(FILE* file) {
    uint64_t value = 0;
    if (fread(&value, 8, 1, file) != 1) {
        printf("a case is cut short\n");
        exit(2);
    }
    return value;
}

int main(int argc, char** argv) {
    static uint64_t expected[MOST];
    size_t ends[CAPACITY];
    uint64_t n_cases = 0, n_ends = 0, n_found = 0;
    FILE* file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    uint8_t* room = mmap(NULL, MOST + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!file || room == MAP_FAILED || mprotect(room + MOST, PAGE, PROT_NONE)) {
        printf("usage: scan_driver TIER CASES\n");
        return 2;
    }
    for (uint64_t cases = number(file); n_cases < cases; n_cases++) {
        ScanSpec spec = {0};
        size_t start = 0, done = 0, size, pieces;
        uint8_t* text;
        spec.word = (int)number(file);
        spec.contractions = (int)number(file);
        spec.word_mask = (int)number(file);
        spec.punctuation_stop = (int)number(file);
        spec.digits = (size_t)number(file);
        spec.number_space = (int)number(file);
        spec.tail_newlines = (int)number(file);
        spec.tail_slashes = (int)number(file);
        spec.newlines = (int)number(file);
        spec.end_space = (int)number(file);
        size = (size_t)number(file);
        pieces = (size_t)number(file);
        if (size > MOST || pieces > MOST) return 2;
        for (size_t i = 0; i < pieces; i++) expected[i] = number(file);
        text = room + MOST - size;
        if (fread(text, 1, size, file) != size || fseek(file, (long)(-size & 7), SEEK_CUR)) return 2;

        while (start < size) {
            size_t count;
            if (!strcmp(argv[1], "neon"))
                count = scan_neon(&spec, text, &start, size, ends, 0, CAPACITY);
            else if (!strcmp(argv[1], "avx512"))
                count = scan_avx512(&spec, text, &start, size, ends, 0, CAPACITY);
            else
                count = scan_avx2(&spec, text, &start, size, ends, 0, CAPACITY);
            for (size_t i = 0; i < count; i++, done++) {
                if (done >= pieces || ends[i] != expected[done]) {
                    printf("case %zu, piece %zu: ends at %zu, not at %zu\n", (size_t)n_cases, done, ends[i],
                           done < pieces ? (size_t)expected[done] : size);
                    return 1;
                }
            }
            n_found += count;
            if (count == CAPACITY) continue;
            if (start >= size) break;
            if (done >= pieces || start >= expected[done]) {
                printf("case %zu: stopped at %zu, past piece %zu\n", (size_t)n_cases, start, done);
                return 1;
            }
            start = expected[done++];
        }
        if (done != pieces) {
            printf("case %zu: %zu pieces, not %zu\n", (size_t)n_cases, done, pieces);
            return 1;
        }
        n_ends += pieces;
    }
    printf("%zu %zu\n", (size_t)n_ends, (size_t)n_found);
    return 0;
}
