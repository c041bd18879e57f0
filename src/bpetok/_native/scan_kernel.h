/* The scanner of one tier, written over the tier's primitives; included once for each. */

/* Classes of the ASCII characters among 64 bytes. `quotes`: whether contractions matter; `fold`: whether in
 * either case. */
TARGET ALWAYS_INLINE Classes ascii_classes(const ScanSpec* spec, int kind, int quotes, int fold, Bytes v) {
    Classes c = {0};
    c.upper = bits(between(v, 'A', 'Z'));
    c.lower = bits(between(v, 'a', 'z'));
    c.word = c.upper | c.lower;
    c.number = bits(between(v, '0', '9'));
    c.blank = bits(equal(v, ' '));
    c.space = c.blank | bits(between(v, '\t', '\r'));
    c.newline = bits(either(equal(v, '\n'), equal(v, '\r')));
    if (kind == WORD_APART) {
        c.letter = c.word;
        c.sign = bits(between(v, '!', '~')) & ~(c.word | c.number);
        c.other = bits(between(v, 0, 0x7F)) & ~(c.word | c.number | c.sign | c.space);
        return c;
    }
    if (spec->tail_slashes) c.slash = bits(equal(v, '/'));
    if (quotes) c.quote = bits(equal(v, '\''));
    if (c.quote) {
        Bytes letters = fold ? set_bits(v, 0x20) : v;
        uint64_t l = bits(equal(letters, 'l')), e = bits(equal(letters, 'e'));
        c.one = bits(either(either(equal(letters, 's'), equal(letters, 't')),
                            either(equal(letters, 'd'), equal(letters, 'm'))));
        c.two = (l & l >> 1) | (bits(either(equal(letters, 'v'), equal(letters, 'r'))) & e >> 1);
    }
    return c;
}

/* Where whole, valid characters start among the 64 bytes v at p: those up to the first byte that is not
 * UTF-8, or a little less. `valid`: which of the bytes there are; three more than these can be read. */
TARGET ALWAYS_INLINE uint64_t whole_characters(Bytes v, Bytes second, uint64_t valid) {
    uint64_t after = bits(between(v, 0x80, 0xBF)), starts = valid & ~after;
    uint64_t lead = bits(between(v, 0xC0, 0xFF)) & valid, lead3 = bits(between(v, 0xE0, 0xFF)) & valid,
             lead4 = bits(between(v, 0xF0, 0xFF)) & valid;
    uint64_t wrong = ((lead << 1 | lead3 << 2 | lead4 << 3) ^ after) & valid;
    wrong |= bits(either(between(v, 0xC0, 0xC1), between(v, 0xF5, 0xFF))) & valid;
    /* longer than need be, surrogates, beyond the last code point */
    wrong |= bits(either(both(equal(v, 0xE0), between(second, 0x80, 0x9F)),
                         both(equal(v, 0xED), between(second, 0xA0, 0xBF)))) & valid;
    if (lead4)
        wrong |= bits(either(both(equal(v, 0xF0), between(second, 0x80, 0x8F)),
                             both(equal(v, 0xF4), between(second, 0x90, 0xBF)))) & valid;
    starts &= ~((lead & ~(valid >> 1)) | (lead3 & ~(valid >> 2)) | (lead4 & ~(valid >> 3)));
    if (wrong) {
        starts &= (wrong & -wrong) - 1;
        if (starts) starts ^= highest(starts); /* it may be the one that is wrong */
    }
    return starts;
}

/* The class bits of characters of several bytes, where they start; zero elsewhere. */
TARGET ALWAYS_INLINE Bytes other_classes(const uint8_t* p, Bytes v, Bytes second, uint64_t starts) {
    Bytes third = load(p + 2), last = second, classes = put(v, between(v, 0, 0xFF), 0);
    uint64_t left = starts & bits(between(v, 0xC0, 0xFF));
    Lanes lead3 = between(v, 0xE0, 0xFF), same;
    if (left & bits(lead3)) {
        Lanes lead4 = between(v, 0xF0, 0xFF);
        same = both(both(lead3, between(v, 0, 0xEF)),
                    within(second, lookup16(v, CASELESS_FIRST), lookup16(v, CASELESS_LAST)));
        classes = put(classes, same, CLASS_LETTER | CLASS_UPPER | CLASS_LOWER);
        left &= ~bits(same);
        last = choose(lead3, third, last);
        if (bits(lead4)) last = choose(lead4, load(p + 3), last);
    }
    /* One row of the table serves all characters that differ in their last byte only. */
    while (left) {
        const uint8_t* at = p + __builtin_ctzll(left);
        uint32_t row;
        same = equal(v, at[0]);
        if (at[0] < 0xE0) {
            row = at[0] & 0x1F;
        } else {
            same = both(same, equal(second, at[1]));
            if (at[0] < 0xF0) {
                row = (at[0] & 0x0Fu) << 6 | (at[1] & 0x3Fu);
            } else {
                same = both(same, equal(third, at[2]));
                row = (at[0] & 0x07u) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
            }
        }
        classes = lookup_row(classes, same, last, class_rows + 64 * class_row[row]);
        left &= ~bits(same);
    }
    return classes;
}

/* Where the characters of `is_chinese` (see _scan.pyx) start, if all are valid. */
TARGET ALWAYS_INLINE uint64_t chinese(Bytes v, Bytes second, Bytes third) {
    Lanes kana = both(equal(v, 0xE3), between(second, 0x81, 0x83));
    Lanes most = both(between(v, 0xE4, 0xE9), within(second, lookup16(v, CASELESS_FIRST), lookup16(v, CASELESS_LAST)));
    uint64_t behind = bits(both(equal(v, 0xE9), either(equal(second, 0xBF),
                                                       both(equal(second, 0xBE), between(third, 0xA6, 0xBF)))));
    return bits(either(kana, most)) & ~behind;
}

/* The place of the highest bit; 0 if there is none. */
TARGET ALWAYS_INLINE int last_of(uint64_t mask) { return 63 - __builtin_clzll(mask | 1); }

/* Finds pieces of text[*start:end] until `capacity` ends are written or a piece is for the scalar scanner.
 * Moves *start to where to go on: the start of that piece, or a later place in it that makes no difference.
 * Returns how many ends there are now; `kind` is spec->word.
 *
 * The next block starts at the last border of this one. To know that early, it is guessed: where the last
 * word ends, or the last white space starts, there always is a border. */
TARGET ALWAYS_INLINE size_t scan_kind(const ScanSpec* spec, int kind, const uint8_t* text, size_t* start,
                                      size_t end, size_t* ends, size_t count, size_t capacity) {
    const int quotes = spec->contractions == CONTRACTION_ATTACHED ? kind == WORD_CASED
                                                                  : spec->contractions != CONTRACTION_NONE;
    const int fold = spec->contractions != CONTRACTION_EXACT;
    const int long_s = fold && spec->contractions != CONTRACTION_ASCII;
    const int marks = kind == WORD_CASED ? CLASS_MARK : spec->word_mask & CLASS_MARK;
    const int shared_marks = spec->punctuation_stop & CLASS_MARK ? 0 : marks;
    size_t at = *start;
    uint8_t rest[64 + 3];

    while (count < capacity && end - at >= SHORTEST_BLOCK) {
        const uint8_t* p = text + at;
        const int size = end - at < 64 ? (int)(end - at) : 64;
        uint64_t borders; /* one bit a byte */
        int guess, next;
        Borders found;
        Classes c;
        Bytes v;

        if (end - at < sizeof rest) { /* whole_characters and other_classes read three bytes more */
            memset(rest, 0, sizeof rest);
            memcpy(rest, p, end - at);
            p = rest;
        }
        v = load(p);
        c = ascii_classes(spec, kind, quotes, fold, v);
        if (!bits(between(v, 0x80, 0xFF))) {
            guess = last_of(c.word << 1 & ~c.word & ~c.quote);
            found = find_borders(spec, kind, c, size);
            borders = found.borders;
            if (size < 64 && found.complete) {
                borders |= 1ull << size;
                next = size;
            } else if (GUESSES && guess >= NEAREST_GUESS && borders >> guess & 1) {
                next = guess;
            } else {
                KEEP_JUMP;
                next = borders ? last_of(borders) : skip_within(spec, kind, &found, 0, size);
            }
        } else {
            const uint64_t valid = ~0ull >> (64 - size);
            Bytes second = load(p + 1), classes;
            uint64_t starts = whole_characters(v, second, valid);
            int n = __builtin_popcountll(starts);
            Narrowing whole;
            if (n < 2) break;
            guess = last_of(c.blank & ~(c.space << 1));
            classes = other_classes(p, v, second, starts);
            /* From here on, one bit a character. */
            whole = narrow_with(starts);
            if (kind == WORD_CASED) {
                c.upper = narrow(c.upper | has(classes, CLASS_UPPER), &whole);
                c.lower = narrow(c.lower | has(classes, CLASS_LOWER), &whole);
                c.word = c.upper | c.lower;
            } else {
                c.word = narrow(c.word | has(classes, spec->word_mask), &whole);
            }
            if (shared_marks) c.mark = narrow(has(classes, CLASS_MARK), &whole);
            c.number = narrow(c.number | has(classes, CLASS_NUMBER), &whole);
            c.space = narrow(c.space | has(classes, CLASS_SPACE), &whole);
            c.newline = narrow(c.newline, &whole);
            c.blank = narrow(c.blank, &whole);
            c.slash = narrow(c.slash, &whole);
            if (c.quote) {
                if (long_s) c.one |= bits(both(equal(v, 0xC5), equal(second, 0xBF)));
                c.one = narrow(c.one, &whole);
                c.two = narrow(c.two, &whole);
                c.quote = narrow(c.quote, &whole);
            }
            if (kind == WORD_APART) {
                c.other = narrow(c.other | has(classes, CLASS_OTHER), &whole);
                c.letter = narrow(c.letter, &whole);
                c.sign = narrow(c.sign, &whole);
                c.apart = narrow(chinese(v, second, load(p + 2)), &whole);
            }
            found = find_borders(spec, kind, c, n);
            borders = widen(found.borders, &whole);
            if (size < 64 && found.complete && starts == (valid & ~bits(between(v, 0x80, 0xBF)))) {
                borders |= 1ull << size;
                next = size;
            } else if (GUESSES && guess >= NEAREST_GUESS && borders >> guess & 1) {
                next = guess;
            } else {
                int from = 0;
                KEEP_JUMP;
                if (found.borders) from = 63 - __builtin_clzll(found.borders);
                next = skip_within(spec, kind, &found, from, n);
                next = next ? __builtin_ctzll(widen(1ull << next, &whole)) : 0;
            }
        }

        if (borders) {
            int n;
            size_t room = capacity - count;
            borders &= ~0ull >> (63 - next);
            n = __builtin_popcountll(borders);
            if (room < 64 && room < (size_t)(n < 24 ? 24 : n + 7)) {
                for (; borders && count < capacity; borders &= borders - 1)
                    ends[count++] = at + (size_t)__builtin_ctzll(borders);
                at = ends[count - 1];
                continue;
            }
            write_ends(ends + count, at, borders, n);
            count += (size_t)n;
        } else if (next == 0) {
            break;
        }
        at += (size_t)next;
    }
    *start = at;
    return count;
}

/* Finds pieces that each space begins, in blocks of 64 bytes from *start on: a border before each space but one
 * at *start itself. Stops where fewer bytes are left, or `capacity` could be reached; moves *start there. */
TARGET static size_t scan_spaces(const uint8_t* text, size_t* start, size_t end, size_t* ends, size_t count,
                                 size_t capacity) {
    size_t at = *start;
    uint64_t inside = ~1ull;
    while (end - at >= 64 && capacity - count >= 72) {
        uint64_t borders = bits(equal(load(text + at), ' ')) & inside;
        int n = __builtin_popcountll(borders);
        write_ends(ends + count, at, borders, n);
        count += (size_t)n;
        at += 64;
        inside = ~0ull;
    }
    *start = at;
    return count;
}

TARGET static size_t scan_blocks(const ScanSpec* spec, const uint8_t* text, size_t* start, size_t end,
                                 size_t* ends, size_t count, size_t capacity) {
    switch (spec->word) {
    case WORD_PLAIN: return scan_kind(spec, WORD_PLAIN, text, start, end, ends, count, capacity);
    case WORD_PREFIXED: return scan_kind(spec, WORD_PREFIXED, text, start, end, ends, count, capacity);
    case WORD_APART: return scan_kind(spec, WORD_APART, text, start, end, ends, count, capacity);
    case WORD_SPACED: return scan_spaces(text, start, end, ends, count, capacity);
    default: return scan_kind(spec, WORD_CASED, text, start, end, ends, count, capacity);
    }
}
