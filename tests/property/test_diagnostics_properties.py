"""Counts in arrays are those of a plain loop over tokens, characters, graphemes and words."""

import regex
from hypothesis import given
from hypothesis import strategies as st

from bpetok.diagnostics.counts import count_texts
from bpetok.diagnostics.layout import Layout
from bpetok.diagnostics.segmenters import SEGMENTERS
from bpetok.diagnostics.subject import KINDS, Subject, inside_text, kind_of
from toys import toy

TOKENIZER = toy(
    "ab", " a", " ab", "é", "\u0301"[:1], b"\xe4\xb8", "中文", b"\xad a", "  ", "b.", "🙂".encode()[:3]
)
TEXTS = st.lists(st.text("ab. é\u0301中文🙂\n"), min_size=1, max_size=5)


def plain_counts(text):
    """The counts of one text, token by token."""
    ids = TOKENIZER.encode_ordinary(text)
    data = text.encode()
    tokens = [TOKENIZER.decode_single_token_bytes(token) for token in ids]
    ends, at = [], 0
    for token in tokens:
        at += len(token)
        ends.append(at)
    borders = set(ends[:-1])

    def spans(pattern):
        found = [match.span() for match in regex.finditer(pattern, text, regex.DOTALL)]
        return [(len(text[:start].encode()), len(text[:end].encode())) for start, end in found]

    characters, graphemes, words = spans("."), spans(r"\X"), spans(r"\S+")
    inner = [sum(start < border < end for border in borders) for start, end in words]

    def alone(start, end):
        for token_end, token in zip(ends, tokens, strict=True):
            token_start = token_end - len(token)
            if token_start <= start and end <= token_end:
                return token.strip() == data[start:end]
        return False

    def split(units):
        return sum(any(start < border < end for border in borders) for start, end in units)

    def within(units):
        return sum(any(start < border < end for start, end in units) for border in borders)

    return {
        "tokens": len(tokens),
        "byte_tokens": sum(KINDS[kind_of(token)] == "byte" for token in tokens),
        "partial_tokens": sum(token.decode(errors="ignore").encode() != token for token in tokens),
        "borders": len(borders),
        "borders_in_characters": within(characters),
        "borders_in_graphemes": within(graphemes),
        "encoded_characters": len(characters),
        "encoded_graphemes": len(graphemes),
        "split_characters": split(characters),
        "split_graphemes": split(graphemes),
        "encoded_words": len(words),
        "word_tokens": sum(n + 1 for n in inner),
        "continued_words": sum(n > 0 for n in inner),
        "single_token_words": sum(n == 0 and alone(*word) for n, word in zip(inner, words, strict=True)),
    }


@given(TEXTS)
def test_counts_of_texts(texts):
    subject = Subject(TOKENIZER)
    encoded = subject.encode(texts)
    layout = Layout.of(texts, SEGMENTERS["whitespace"])
    found = vars(count_texts(subject, encoded, subject.layout(encoded, layout)))
    for at, text in enumerate(texts):
        assert {name: int(counts[at]) for name, counts in found.items()} == plain_counts(text)


@given(st.text(min_size=1), st.data())
def test_any_part_of_a_text_is_inside_a_text(text, data):
    encoded = text.encode("utf-8", "replace")
    start = data.draw(st.integers(0, len(encoded)))
    end = data.draw(st.integers(start, len(encoded)))
    assert inside_text(encoded[start:end])


@given(st.binary(max_size=5))
def test_bytes_inside_a_text_are_those_that_can_be_completed(data):
    begins = [b"", b"\xc3", b"\xe1", b"\xf1", b"\xe1\x80", b"\xf1\x80", b"\xf1\x80\x80"]
    ends = [b"", *(bytes([a, *rest]) for a in (0x80, 0x90, 0xA0) for rest in ((), (0x80,), (0x80, 0x80)))]

    def is_text(whole):
        try:
            whole.decode()
        except UnicodeDecodeError:
            return False
        return True

    assert inside_text(data) == any(is_text(begin + data + end) for begin in begins for end in ends)
