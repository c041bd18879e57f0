"""Hypothesis strategies for text that tokenizers get wrong."""

import functools

from hypothesis import strategies as st

from bpetok._scan import char_class


@functools.cache
def code_points_by_class() -> dict[int, list[int]]:
    """Class bits to the code points that have exactly these. Surrogates are in none."""
    classes: dict[int, list[int]] = {}
    for code_point in range(0x110000):
        if not 0xD800 <= code_point < 0xE000:
            classes.setdefault(char_class(code_point), []).append(code_point)
    return classes


# One character or more, each of which has been somebody's bug.
TRAPS = (
    "\u017f",  # long s, which (?i:s) matches
    "\u212a",  # the Kelvin sign folds to k, in no contraction
    "\u0130",
    "\u00a0",  # white space of two and three bytes
    "\u1680",
    "\u2003",
    "\u2028",
    "\u3000",
    "\u0085",
    "\u200b",  # no white space, whatever it is called
    "\ufeff",
    "\u0301",  # marks: one on top, one enclosing, one spacing
    "\u20dd",
    "\u0903",
    "\u02b0",  # Lm
    "\u30fc",
    "\u00aa",  # Lo
    "\u4e2d",
    "\u05d0",
    "\u0e01",
    "\u01c5",  # Lt
    "\u0662",  # numbers of two and three bytes, and of other kinds than digits
    "\u00b2",
    "\u2163",
    "\u0967",
    "\u3007",
    "\U0001d7ce",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family joined by zero-width joiners
    "\U0001f44b\U0001f3fd",
    "\U0001f1eb\U0001f1ee",
    "\U00010400\U00010428",  # cased letters of four bytes
    "\U0010ffff",
    "\ufffd",
    "\ufffe",
    "\u0378",  # never assigned
    "\ue000",
    "\0",
    "\x1c",  # white space to Python, not to Unicode
    "\x7f",
)

FRAGMENTS = (
    # contractions, whole and nearly
    "'s", "'S", "'\u017f", "'T", "'re", "'Re", "'vE", "'m", "'LL", "'l", "'D", "''s", "can'ts", "I'LL'd",
    # white space
    "\r", "\n", "\r\n", "\n\r", " \r\n ", "\n\n", " \n", "\n ", "\t", "  ", "   ",
    " \u00a0", "\u3000 ", " \u3000x",
    # numbers
    "123", "1234567", " 12", "12 ", "\u0662123", "1\u0662\u0663\u0664",
    # case and marks
    "AxxB", "HTTPServer", "aB", "Ab", "A\u4e2d", "\u4e2dA", "a\u0301", "A\u0301B", "\u0301", "!\u0301",
    " \u0301a",
    # punctuation and what may follow it
    "^^", "...", "!?\n", "/\n/", "//", "-/\r\n", " /", "_a", "(x",
    # special tokens
    "<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>", "<|", "|>", "endoftext",
    # ordinary text
    " a", "a ", "a", "hello world", "def f(x):\n    return x\n",
    "\u0434\u0430", "\u0928\u092e\u0938\u094d\u0924\u0947",
)  # fmt: skip

BROKEN_UTF8 = (
    b"\x80", b"\xbf\xbf", b"\xc2", b"\xe2\x82", b"\xe4\xb8", b"\xf0\x9f\x98",  # tails and truncated
    b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xf0\x80\x80\x80",  # longer than they need be
    b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\x80",  # surrogates as three bytes
    b"\xf4\x90\x80\x80", b"\xf5", b"\xff\xfe",  # past the last code point
)  # fmt: skip

LONE_SURROGATES = ("\ud800", "\udbff", "\udc00", "\udfff", "\ud83d", "\ude00")


def characters() -> st.SearchStrategy[str]:
    """One character; every class of the native table is as likely as any other."""
    classes = [st.sampled_from(members) for _, members in sorted(code_points_by_class().items())]
    return st.one_of(classes).map(chr)


def runs() -> st.SearchStrategy[str]:
    """One character or fragment, repeated past the edges of any block."""
    return st.tuples(
        st.one_of(st.sampled_from(TRAPS + FRAGMENTS), characters()),
        st.one_of(st.integers(2, 5), st.integers(60, 70)),
    ).map(lambda drawn: drawn[0] * drawn[1])


def hostile_text() -> st.SearchStrategy[str]:
    """Text of everything above, without surrogates."""
    parts = st.one_of(
        st.sampled_from(FRAGMENTS),
        st.sampled_from(TRAPS),
        characters(),
        runs(),
        st.text("aA1 '\n\r!/.\u00e9\u4e2d", max_size=8),
        st.text(max_size=5),
    )
    return st.lists(parts, max_size=12).map("".join)


def surrogate_text() -> st.SearchStrategy[str]:
    """Text with surrogates, paired and lone."""
    parts = st.one_of(
        st.sampled_from(LONE_SURROGATES), st.just("\ud83d\ude00"), st.sampled_from(TRAPS + FRAGMENTS)
    )
    return st.lists(parts, min_size=1, max_size=12).map("".join)


def vocabulary_text(tokens: list[bytes]) -> st.SearchStrategy[str]:
    """Tokens of a vocabulary side by side, so that merges meet across their borders."""
    return st.lists(st.sampled_from(tokens), max_size=8).map(
        lambda drawn: b"".join(drawn).decode("utf-8", "replace")
    )


def hostile_bytes() -> st.SearchStrategy[bytes]:
    """Bytes that are often not UTF-8: cut, overlong, encoded surrogates, bytes that lead nothing."""
    part = st.one_of(st.sampled_from(BROKEN_UTF8), st.binary(max_size=6), hostile_text().map(str.encode))
    return st.lists(part, max_size=8).map(b"".join)
