"""Pretokenizer: one scanner for the whole family of patterns.

The scanner walks UTF-8 bytes from left to right and writes where each piece ends. It does what the
regular expressions of GPT-2, cl100k, o200k, Llama 3, Qwen 2 and Tekken do, in linear time and without
backtracking further than one run of characters. `bpetok.patterns` recognises these expressions and
turns them into the parameters here; `bpetok.reference.split` is the slow specification.

Bytes that are not valid UTF-8 are taken one at a time as characters of no class, like punctuation.

Here is the scalar scanner, `next_piece`, one piece at a time. Before it, `scan` asks the kernels in `_native`
(`scan_blocks.h`), which find the borders of up to 64 bytes at once and leave to it whatever is irregular.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from bpetok._cpu cimport AVX2, AVX512, NEON, tier
from bpetok._cpu import TIERS, available
from bpetok._text import as_utf8

cdef extern from "unicode_table.h" nogil:
    const char* BPETOK_UNICODE_SOURCE
    const uint16_t class_row[]
    const uint8_t class_rows[]
    enum:
        CLASS_LETTER
        CLASS_UPPER
        CLASS_LOWER
        CLASS_NUMBER
        CLASS_SPACE
        CLASS_NEWLINE
        CLASS_MARK
        CLASS_OTHER

cdef extern from "scan_blocks.h" nogil:
    size_t scan_avx2(const ScanSpec*, const uint8_t*, size_t*, size_t, size_t*, size_t, size_t)
    size_t scan_avx512(const ScanSpec*, const uint8_t*, size_t*, size_t, size_t*, size_t, size_t)
    size_t scan_neon(const ScanSpec*, const uint8_t*, size_t*, size_t, size_t*, size_t, size_t)

UNICODE_SOURCE = BPETOK_UNICODE_SOURCE.decode()


# ---- characters ----------------------------------------------------------------------------------

cdef inline int classify(const uint8_t* text, size_t pos, size_t end, size_t* after) noexcept nogil:
    """Class bits of the character at `pos`, and where the next one starts. Needs pos < end."""
    cdef uint32_t a = text[pos], b, c, d
    if a < 0x80:
        after[0] = pos + 1
        return class_rows[a]          # rows 0 and 1 of the table are ASCII
    if 0xC2 <= a < 0xE0:
        if end - pos >= 2:
            b = text[pos + 1]
            if b & 0xC0 == 0x80:
                after[0] = pos + 2
                return class_rows[class_row[a & 0x1F] * 64 + (b & 0x3F)]
    elif 0xE0 <= a < 0xF0:
        if end - pos >= 3:
            b = text[pos + 1]
            c = text[pos + 2]
            if (b & 0xC0 == 0x80 and c & 0xC0 == 0x80
                    and not (a == 0xE0 and b < 0xA0) and not (a == 0xED and b >= 0xA0)):
                after[0] = pos + 3
                return class_rows[class_row[((a & 0x0F) << 6) | (b & 0x3F)] * 64 + (c & 0x3F)]
    elif 0xF0 <= a < 0xF5:
        if end - pos >= 4:
            b = text[pos + 1]
            c = text[pos + 2]
            d = text[pos + 3]
            if (b & 0xC0 == 0x80 and c & 0xC0 == 0x80 and d & 0xC0 == 0x80
                    and not (a == 0xF0 and b < 0x90) and not (a == 0xF4 and b >= 0x90)):
                after[0] = pos + 4
                return class_rows[class_row[((a & 0x07) << 12) | ((b & 0x3F) << 6) | (c & 0x3F)] * 64
                                  + (d & 0x3F)]
    after[0] = pos + 1
    return 0


cdef size_t next_char(const uint8_t* text, size_t pos, size_t end) noexcept nogil:
    cdef size_t after
    classify(text, pos, end, &after)
    return after


cdef inline size_t skip_class(const uint8_t* text, size_t pos, size_t end, int mask) noexcept nogil:
    """End of the run of characters that have any bit of `mask`."""
    cdef size_t after
    while pos < end:
        if not classify(text, pos, end, &after) & mask:
            break
        pos = after
    return pos


# ---- parts of a pattern --------------------------------------------------------------------------

cdef inline size_t contraction(const uint8_t* text, size_t pos, size_t end, int kind) noexcept nogil:
    """End of 's 't 'd 'm 'll 've 're at `pos`, else `pos`. But for CONTRACTION_EXACT they are of either case,
    and but for CONTRACTION_ASCII also with U+017F (long s, the one character outside ASCII that folds into
    these letters)."""
    cdef int bit = 0 if kind == CONTRACTION_EXACT else 0x20
    cdef int a, b
    if end - pos < 2 or text[pos] != c"'":
        return pos
    a = text[pos + 1] | bit
    if a == c"s" or a == c"t" or a == c"d" or a == c"m":
        return pos + 2
    if end - pos < 3:
        return pos
    if bit and kind != CONTRACTION_ASCII and text[pos + 1] == 0xC5 and text[pos + 2] == 0xBF:
        return pos + 3
    b = text[pos + 2] | bit
    if (a == c"l" and b == c"l") or (a == c"v" and b == c"e") or (a == c"r" and b == c"e"):
        return pos + 3
    return pos


cdef inline bint apart_contractions(const ScanSpec* spec) noexcept nogil:
    """Whether contractions are pieces of their own."""
    return spec.contractions != CONTRACTION_NONE and spec.contractions != CONTRACTION_ATTACHED


cdef inline size_t cased_core(const uint8_t* text, size_t pos, size_t end, bint lower) noexcept nogil:
    """UPPER* LOWER+ at `pos` (with `lower`) or UPPER+ LOWER* (without); `pos` when there is none.

    The two classes share the caseless letters and marks. When no character outside UPPER follows the
    first run, UPPER* gives back until LOWER+ can match, which is at the last shared character.
    """
    cdef size_t at = pos, after, shared_end = pos
    cdef int bits = 0
    while at < end:
        bits = classify(text, at, end, &after)
        if not bits & CLASS_UPPER:
            break
        at = after
        if bits & CLASS_LOWER:
            shared_end = after
    if at < end and bits & CLASS_LOWER:
        if lower or at > pos:
            return skip_class(text, at, end, CLASS_LOWER)
        return pos
    return shared_end if lower else at


cdef inline size_t cased_word(const uint8_t* text, size_t pos, size_t end, int bits,
                              size_t after) noexcept nogil:
    """End of a word of the o200k family at `pos`, whose first character has class `bits` and ends at
    `after`; `pos` when there is none. The four attempts are in the order a regular expression makes
    them: each alternative first with the optional prefix character, then without."""
    cdef bint prefix = not bits & (CLASS_NEWLINE | CLASS_LETTER | CLASS_NUMBER)
    cdef bint inside = bits & (CLASS_UPPER | CLASS_LOWER)
    cdef size_t stop
    cdef bint lower = True
    while True:
        if prefix:
            stop = cased_core(text, after, end, lower)
            if stop > after:
                return stop
        if inside:
            stop = cased_core(text, pos, end, lower)
            if stop > pos:
                return stop
        if not lower:
            return pos
        lower = False


cdef inline size_t number_run(const ScanSpec* spec, const uint8_t* text, size_t at,
                              size_t end) noexcept nogil:
    """End of a number of at most `digits` characters, the first of which ends at `at`."""
    cdef size_t after, count = 1
    while count != spec.digits and at < end and classify(text, at, end, &after) & CLASS_NUMBER:
        at = after
        count += 1
    return at


cdef inline size_t white_space(const ScanSpec* spec, const uint8_t* text, size_t pos,
                               size_t end) noexcept nogil:
    cdef size_t at = pos, after, last = pos, newline_end = 0
    cdef int bits = 0
    while at < end:
        bits = classify(text, at, end, &after)
        if not bits & CLASS_SPACE:
            break
        last = at
        at = after
        if bits & CLASS_NEWLINE:
            newline_end = at
    if at == end and spec.end_space:      # \s++$
        return end
    if newline_end and spec.newlines:     # \s*[\r\n]
        return newline_end
    if bits & CLASS_NUMBER and spec.numbers_apart:      # \s+(?=\p{N})
        return at
    if at < end and last > pos:           # \s+(?!\S)
        return last
    return at


cdef inline bint is_chinese(const uint8_t* text, size_t pos, size_t after) noexcept nogil:
    """Whether the character text[pos:after] is from U+4E00 to U+9FA5 or from U+3040 to U+30FF."""
    cdef uint32_t code
    if after - pos != 3:
        return False
    code = (text[pos] & 0x0F) << 12 | (text[pos + 1] & 0x3F) << 6 | (text[pos + 2] & 0x3F)
    return 0x4E00 <= code <= 0x9FA5 or 0x3040 <= code <= 0x30FF


cdef inline int beside(const uint8_t* text, size_t at, size_t end, bint chinese,
                       size_t* after) noexcept nogil:
    """Class bits of the character at `at`, as seen by one before it that is Chinese or not: those of a
    number, where the text ends or is cut."""
    cdef int bits
    if at >= end:
        return CLASS_NUMBER
    bits = classify(text, at, end, after)
    return bits if is_chinese(text, at, after[0]) == chinese else CLASS_NUMBER


cdef inline bint is_letter(int byte) noexcept nogil:
    return c"a" <= byte | 0x20 <= c"z"


cdef inline size_t apart_piece(const ScanSpec* spec, const uint8_t* text, size_t pos,
                               size_t end) noexcept nogil:
    """`next_piece` where numbers and Chinese are cut apart first, and then each part by an expression."""
    cdef int letters = CLASS_LETTER | CLASS_MARK
    cdef int no_sign = letters | CLASS_NUMBER | CLASS_SPACE | CLASS_OTHER
    cdef size_t after, beyond, further, at, last = pos, newline_end = 0
    cdef int bits = classify(text, pos, end, &after), following
    cdef bint chinese
    if bits & CLASS_NUMBER:
        return number_run(spec, text, after, end)
    chinese = is_chinese(text, pos, after)
    following = beside(text, after, end, chinese, &beyond)
    if text[pos] < 0x80 and not bits & no_sign and after < end and is_letter(text[after]):
        while after < end and is_letter(text[after]):
            after += 1
        return after
    if bits & letters or (following & letters and bits & (CLASS_SPACE | CLASS_OTHER)
                          and not bits & CLASS_NEWLINE):
        while beside(text, after, end, chinese, &beyond) & letters:
            after = beyond
        return after
    if not (bits if text[pos] != c" " else following) & no_sign:
        while not beside(text, after, end, chinese, &beyond) & no_sign:
            after = beyond
        if not chinese:
            while after < end and (text[after] == c"\n" or text[after] == c"\r"):
                after += 1
        return after
    if bits & CLASS_SPACE:
        at = pos
        while bits & CLASS_SPACE:
            last = at
            at = after
            if bits & CLASS_NEWLINE:
                newline_end = at
            bits = beside(text, at, end, chinese, &after)
        if newline_end:                                     # \s*[\r\n]+
            return newline_end
        return at if bits & CLASS_NUMBER or last == pos else last       # \s+(?!\S)
    # What the expression does not match, up to what it does.
    while (following & CLASS_OTHER
           and not beside(text, beyond, end, chinese, &further) & letters):
        after = beyond
        following = beside(text, after, end, chinese, &beyond)
    return after


cdef inline size_t next_piece(const ScanSpec* spec, const uint8_t* text, size_t pos,
                              size_t end) noexcept nogil:
    """End of the piece that starts at `pos` < `end`: the alternatives of the pattern, in its order."""
    cdef size_t after, stop, at, beyond
    cdef int bits = classify(text, pos, end, &after), following = 0
    cdef int first = text[pos]
    if spec.word == WORD_APART:
        return apart_piece(spec, text, pos, end)
    if first == c"'" and apart_contractions(spec):
        stop = contraction(text, pos, end, spec.contractions)
        if stop > pos:
            return stop

    # A word.
    if spec.word == WORD_CASED:
        stop = cased_word(text, pos, end, bits, after)
        if stop > pos:
            if spec.contractions == CONTRACTION_ATTACHED:
                return contraction(text, stop, end, CONTRACTION_ATTACHED)
            return stop
    else:
        if bits & spec.word_mask:
            return skip_class(text, after, end, spec.word_mask)
        if first == c" " if spec.word == WORD_PLAIN else not bits & (
                CLASS_NEWLINE | CLASS_LETTER | CLASS_NUMBER):
            if after < end and classify(text, after, end, &beyond) & spec.word_mask:
                return skip_class(text, beyond, end, spec.word_mask)

    # A number, a run of punctuation: both may be led by a space.
    at = pos
    if first == c" ":
        if after == end:
            return after
        at = after
        following = classify(text, at, end, &beyond)
    else:
        following = bits
        beyond = after
    if following & CLASS_NUMBER and (at == pos or spec.number_space):
        return number_run(spec, text, beyond, end)
    if not following & spec.punctuation_stop:
        while beyond < end:
            if classify(text, beyond, end, &after) & spec.punctuation_stop:
                break
            beyond = after
        if spec.tail_newlines:
            while beyond < end and (text[beyond] == c"\n" or text[beyond] == c"\r"
                                    or (spec.tail_slashes and text[beyond] == c"/")):
                beyond += 1
        return beyond
    return white_space(spec, text, pos, end)


cdef bint is_word(const ScanSpec* spec, const uint8_t* text, size_t pos, size_t end) noexcept nogil:
    """Whether a piece that starts at `pos` < `end`, and is no contraction, is a word."""
    cdef int letters = CLASS_UPPER | CLASS_LOWER if spec.word == WORD_CASED else spec.word_mask
    cdef size_t after, beyond
    cdef int bits = classify(text, pos, end, &after)
    if bits & letters:
        return True
    if text[pos] == c" " if spec.word == WORD_PLAIN else not bits & (
            CLASS_NEWLINE | CLASS_LETTER | CLASS_NUMBER):
        return after < end and classify(text, after, end, &beyond) & letters
    return False


cdef bint goes_on(const ScanSpec* spec, const uint8_t* text, size_t at, size_t* stop, size_t end,
                  size_t* words) noexcept nogil:
    """Where pieces hold several words: whether a piece of `words` words so far, to which text[at:stop] is
    added, goes on behind that. A word takes with it, up to the most, those that follow behind a space each,
    and contractions behind a word; `stop` moves behind these, and `words` counts."""
    cdef bint apart = apart_contractions(spec)
    cdef int kind = spec.contractions
    if words[0] or (is_word(spec, text, at, end) and not (apart and contraction(text, at, end, kind) > at)):
        words[0] += 1
        if apart:
            stop[0] = contraction(text, stop[0], end, kind)
        if (words[0] < spec.words and stop[0] < end and text[stop[0]] == c" "
                and is_word(spec, text, stop[0], end)):
            return True
        words[0] = 0
    return False


# ---- text ----------------------------------------------------------------------------------------

cdef size_t scan_spaces(int chosen, const ScanSpec* spec, const uint8_t* text, size_t start, size_t end,
                        size_t* ends, size_t capacity) noexcept nogil:
    """`scan_with` where no words are known: at each space, or nowhere."""
    cdef size_t count = 0, at = start
    if spec.word == WORD_WHOLE:
        at = end
    elif chosen == AVX512:
        count = scan_avx512(spec, text, &at, end, ends, count, capacity)
    elif chosen == AVX2:
        count = scan_avx2(spec, text, &at, end, ends, count, capacity)
    elif chosen == NEON:
        count = scan_neon(spec, text, &at, end, ends, count, capacity)
    if count and end - at >= 64:        # there was no room for another block
        return count
    while at < end and count < capacity:
        if text[at] == c" " and at > start:
            ends[count] = at
            count += 1
        at += 1
    if at == end and count < capacity and start < end:
        ends[count] = end
        count += 1
    return count


cdef size_t scan_with(int chosen, const ScanSpec* spec, const uint8_t* text, size_t start, size_t end,
                      size_t* ends, size_t capacity) noexcept nogil:
    """`scan` with the instructions of the chosen tier, which the machine must have."""
    cdef size_t count = 0, words = 0, at
    if spec.word == WORD_SPACED or spec.word == WORD_WHOLE:
        return scan_spaces(chosen, spec, text, start, end, ends, capacity)
    while True:
        if spec.words > 1:
            pass
        elif chosen == AVX512:
            count = scan_avx512(spec, text, &start, end, ends, count, capacity)
        elif chosen == AVX2:
            count = scan_avx2(spec, text, &start, end, ends, count, capacity)
        elif chosen == NEON:
            count = scan_neon(spec, text, &start, end, ends, count, capacity)
        if count == capacity or start >= end:
            return count
        at = start
        start = next_piece(spec, text, at, end)
        if spec.words > 1 and goes_on(spec, text, at, &start, end, &words):
            continue
        ends[count] = start
        count += 1


cdef size_t scan(const ScanSpec* spec, const uint8_t* text, size_t start, size_t end,
                 size_t* ends, size_t capacity) noexcept nogil:
    return scan_with(tier(), spec, text, start, end, ends, capacity)


# ---- the Python side -----------------------------------------------------------------------------

cdef dict WORDS = {"plain": WORD_PLAIN, "prefixed": WORD_PREFIXED, "cased": WORD_CASED,
                   "spaced": WORD_SPACED, "whole": WORD_WHOLE, "apart": WORD_APART}
cdef dict CONTRACTIONS = {"none": CONTRACTION_NONE, "exact": CONTRACTION_EXACT,
                          "any-case": CONTRACTION_ANY_CASE, "ascii-case": CONTRACTION_ASCII,
                          "attached": CONTRACTION_ATTACHED}
cdef dict TAILS = {"none": (False, False), "newlines": (True, False), "newlines-slashes": (True, True)}


cdef class Scanner:
    """A native pretokenizer for one member of the GPT family of patterns, for SentencePiece's or DeepSeek's.

    `bpetok.patterns.recognise` makes the parameters from a pattern string. The object is immutable.

    Args:
        word: "plain" (an optional space, then letters), "prefixed" (any one character but a newline, a
            letter or a number, then letters) or "cased" (the same, split where lower case ends). With
            "spaced" (a piece from each space on) and "whole" (one piece) nothing else matters. With "apart"
            (DeepSeek's: numbers and Chinese are cut apart first) nothing but `digits` does.
        contractions: "none", "exact", "any-case", "ascii-case" (pieces of their own; the last without
            U+017F for an s) or "attached" (to a word).
        digits: the most numbers in one piece, 0 for any.
        number_space: whether a space may lead a number.
        numbers_apart: whether white space before a number is one piece, as if the text ended there.
        tail: what a run of punctuation takes with it: "none", "newlines" or "newlines-slashes".
        newlines: whether white space up to its last newline is one piece.
        end_space: whether white space at the end of a text is one piece, newlines or not.
        word_marks: whether combining marks count as letters of a word.
        punctuation_marks: whether combining marks continue a run of punctuation.
        words: the most words in a piece, with a space between two; see `bpetok.patterns.superwords`.

    Raises:
        ValueError: a parameter is not one of those above, the two kinds of marks leave some
            characters in no piece, or a space is to lead a number that is apart.
    """

    def __init__(self, *, str word, str contractions="none", int digits=0, bint number_space=False,
                 str tail="none", bint newlines=False, bint end_space=False, bint word_marks=False,
                 bint punctuation_marks=True, bint numbers_apart=False, int words=1):
        if (word not in WORDS or contractions not in CONTRACTIONS or tail not in TAILS or digits < 0
                or words < 1):
            raise ValueError(f"no such scanner: word={word!r}, contractions={contractions!r}, "
                             f"tail={tail!r}, digits={digits}, words={words}")
        if word == "apart" and words > 1:
            raise ValueError("pieces of several words need another kind of words than 'apart'")
        if word == "apart":
            word_marks, punctuation_marks, newlines = True, False, True
        if not (word_marks or punctuation_marks or word == "cased"):
            raise ValueError("combining marks would belong to no piece: set word_marks or punctuation_marks")
        if numbers_apart and (number_space or word == "apart"):
            raise ValueError("a space cannot lead a number that white space is apart from")
        self.parameters = dict(word=word, contractions=contractions, digits=digits,
                               number_space=bool(number_space), numbers_apart=bool(numbers_apart),
                               tail=tail, newlines=bool(newlines), end_space=bool(end_space),
                               word_marks=bool(word_marks), punctuation_marks=bool(punctuation_marks),
                               words=words)
        self.spec.word = WORDS[word]
        self.spec.contractions = CONTRACTIONS[contractions]
        self.spec.word_mask = CLASS_LETTER | (CLASS_MARK if word_marks else 0)
        self.spec.punctuation_stop = (CLASS_SPACE | CLASS_LETTER | CLASS_NUMBER
                                      | (0 if punctuation_marks else CLASS_MARK))
        self.spec.digits = <size_t>digits
        self.spec.number_space = number_space
        self.spec.numbers_apart = numbers_apart
        self.spec.tail_newlines, self.spec.tail_slashes = TAILS[tail]
        self.spec.newlines = newlines
        self.spec.end_space = end_space
        self.spec.words = <size_t>words

    def __reduce__(self):
        return _rebuild, (self.parameters,)

    def split(self, text):
        """The pieces of a str (as str, surrogates repaired) or of bytes (as bytes), in order."""
        cdef bytes data = as_utf8(text)
        cdef const uint8_t* base = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef size_t ends[256]
        cdef size_t n = <size_t>PyBytes_GET_SIZE(data), start = 0, count, i
        cdef list pieces = []
        while start < n:
            count = scan(&self.spec, base, start, n, ends, 256)
            for i in range(count):
                pieces.append(data[start:ends[i]])
                start = ends[i]
        if isinstance(text, str):
            return [piece.decode() for piece in pieces]
        return pieces

    def _split_ends(self, bytes data, str chosen):
        """Where the pieces of `data` end, by the chosen tier: for tests, which compare them."""
        if chosen not in available():
            raise ValueError(f"this machine has no {chosen!r}, only {', '.join(available())}")
        cdef const uint8_t* base = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef size_t ends[256]
        cdef size_t n = <size_t>PyBytes_GET_SIZE(data), start = 0, count, i
        cdef int number = TIERS[chosen]
        cdef list found = []
        while start < n:
            count = scan_with(number, &self.spec, base, start, n, ends, 256)
            for i in range(count):
                found.append(ends[i])
            start = ends[count - 1]
        return found


def _rebuild(dict parameters):
    return Scanner(**parameters)


def char_class(int code_point) -> int:
    """Class bits of a code point: 1 letter, 2 upper-like, 4 lower-like, 8 number, 16 white space,
    32 newline, 64 mark ("like": caseless letters and marks are both)."""
    if not 0 <= code_point < 0x110000:
        raise ValueError(f"not a code point: {code_point}")
    return class_rows[class_row[code_point >> 6] * 64 + (code_point & 63)]


# ---- cutting a text ------------------------------------------------------------------------------

cdef size_t last_cut(const uint8_t* text, size_t start, size_t last, size_t end, bint spaces) noexcept nogil:
    # A cut lies between a letter and a character X that is no letter, no mark and no apostrophe. For all
    # parameters, the pieces before it are those of the text that ends at the cut, and the last of them
    # ends there. A piece that starts before the cut is, in the order of `next_piece`,
    #
    # - a contraction: an apostrophe and letters, so X is not in it, and none begins with X; whether there
    #   is one is seen in these bytes alone;
    # - a plain or prefixed word: its run of letters, or letters and marks, ends at X as at the end of a
    #   text. A prefix is no letter, so it is not the letter before the cut;
    # - a cased word: every letter and mark is upper-like or lower-like, and X is neither. What comes out
    #   depends on the characters of the two runs, and on whether the one behind the first is lower-like:
    #   X is not, and neither is the end of a text. A contraction that is attached starts with an
    #   apostrophe, so not with X, and has only letters after it;
    # - a number, punctuation or white space: the letter before the cut ends it at the latest, together
    #   with the newlines and slashes behind punctuation and with what white space looks ahead at.
    #
    # So no piece reaches past the cut or depends on what lies there. The scanner never looks back, so
    # what follows the cut is cut as a text of its own. Only a piece of several words goes on behind a word:
    # with a space, which X is not then, or with a contraction.
    cdef size_t at = last if last < end else end - 1, before, after
    while start < at < end:
        before = at - 1
        while before > start and text[before] & 0xC0 == 0x80 and at - before < 4:
            before -= 1
        if (classify(text, before, at, &after) & CLASS_LETTER and after == at and text[at] != c"'"
                and text[at] & 0xC0 != 0x80 and not (spaces and text[at] == c" ")
                and not classify(text, at, end, &after) & (CLASS_LETTER | CLASS_MARK)
                and (text[at] < 0x80 or after > at + 1)):
            return at
        at = before
    return start


def _last_cut(bytes text not None, bint spaces=False) -> int:
    """The last position inside a text where pieces end whatever the pattern and whatever follows, or 0; with
    `spaces`, also where pieces may hold several words."""
    cdef size_t n = <size_t>PyBytes_GET_SIZE(text)
    return last_cut(<const uint8_t*>PyBytes_AS_STRING(text), 0, n, n, spaces)
