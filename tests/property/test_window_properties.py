"""Long texts are encoded window by window: where a window ends changes nothing."""

import contextlib
import functools
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, get_encoding, patterns
from bpetok._encode import _set_window
from bpetok._scan import Scanner, _last_cut, char_class
from bpetok.errors import DisallowedSpecialError, EncodeError

TEXTS = st.one_of(
    strategies.hostile_text(),
    strategies.surrogate_text(),
    st.lists(st.sampled_from(strategies.FRAGMENTS + strategies.TRAPS), max_size=60).map("".join),
)
WINDOWS = st.one_of(st.integers(1, 12), st.sampled_from([16, 31, 64, 100]))


@contextlib.contextmanager
def windows_of(units):
    before = _set_window(units)
    try:
        yield
    finally:
        _set_window(before)


def scanners():
    """Every combination of what a scanner can do."""
    flags = {
        "number_space": st.booleans(),
        "newlines": st.booleans(),
        "end_space": st.booleans(),
        "word_marks": st.booleans(),
        "punctuation_marks": st.booleans(),
    }
    return st.fixed_dictionaries(
        {
            "word": st.sampled_from(["plain", "prefixed", "cased"]),
            "contractions": st.sampled_from(["none", "exact", "any-case", "ascii-case", "attached"]),
            "digits": st.integers(0, 4),
            "words": st.integers(1, 3),
            "tail": st.sampled_from(["none", "newlines", "newlines-slashes"]),
            **flags,
        }
    ).filter(lambda drawn: drawn["word_marks"] or drawn["punctuation_marks"] or drawn["word"] == "cased")


@given(
    parameters=scanners(),
    data=st.one_of(TEXTS.map(lambda text: text.encode(errors="replace")), strategies.hostile_bytes()),
)
@example(
    parameters={
        "word": "cased",
        "contractions": "attached",
        "digits": 3,
        "tail": "newlines",
        "number_space": False,
        "newlines": True,
        "end_space": False,
    },
    data="A\u4e2dB can'ts \u0301a\u0301 b".encode(),
)
def test_a_text_is_cut_where_pieces_end(parameters, data):
    """Cut before every place from which there is a cut, a text has the pieces that it has as a whole."""
    scanner = Scanner(**parameters)
    ends = list(itertools.accumulate(map(len, scanner.split(data))))
    for stop in range(len(data) + 1):
        cut = _last_cut(data[:stop], parameters.get("words", 1) > 1)
        if cut and not 0x80 <= data[cut] < 0xC0:
            assert cut in ends
            assert scanner.split(data[:cut]) + scanner.split(data[cut:]) == scanner.split(data)


@given(text=strategies.hostile_text())
def test_the_last_cut_is_found(text):
    """It is the last place with a letter before and no letter, mark or apostrophe after."""
    letter, mark = 1, 64
    cuts = [
        len(text[:at].encode())
        for at in range(1, len(text))
        if char_class(ord(text[at - 1])) & letter
        and not char_class(ord(text[at])) & (letter | mark)
        and text[at] != "'"
    ]
    assert _last_cut(text.encode()) == max(cuts, default=0)
    behind_words = [cut for cut in cuts if text.encode()[cut : cut + 1] != b" "]
    assert _last_cut(text.encode(), True) == max(behind_words, default=0)


@given(text=TEXTS, units=WINDOWS)
@example(text="word\ud83d\ude00 word\ud83d", units=5)
@example(text="\u4e2d" * 50 + " 1" * 40 + "\U0001f600a b", units=3)
def test_ids_do_not_depend_on_windows(encodings, text, units):
    ours, _ = encodings
    expected = ours.encode_ordinary(text)
    with windows_of(units):
        assert ours.encode_ordinary(text) == expected
        assert ours.encode_to_numpy(text, disallowed_special=()).tolist() == expected
        assert ours.count(text, disallowed_special=()) == len(expected)
        assert ours.encode_ordinary_batch([text, "", text]) == [expected, [], expected]


@pytest.mark.parametrize(
    "pattern", ["llama3", "qwen2", "tekken", patterns.superwords("gpt2", 2), patterns.superwords("o200k", 4)]
)
@given(text=TEXTS, units=WINDOWS)
def test_ids_of_other_patterns(pattern, text, units):
    ours = Tokenizer.from_vocabulary("windows", pattern, get_encoding("gpt2").vocabulary)
    expected = ours.encode_ordinary(text)
    with windows_of(units):
        assert ours.encode_ordinary(text) == expected


SPECIALS = (
    ("<|x|>", "<|x|>y", "<|a long one with words in it|>"),
    ("<|", "a b", " ", "\u4e2d\u6587 \u4e2d", "<|a long one with words in it|>"),
    ("a", "ab", "\xe9\U0001f600 "),
)
PARTS = (
    "<",
    "|",
    "|>",
    "a",
    "b ",
    "word ",
    "<|a long one",
    " with words in it|>",
    "\u4e2d",
    "\xe9",
    "\U0001f600",
)


@functools.cache
def with_specials(specials):
    ranks = get_encoding("gpt2")._mergeable_ranks
    ids = {special: 60_000 + at for at, special in enumerate(specials)}
    return Tokenizer("t", pat_str="cl100k", mergeable_ranks=ranks, special_tokens=ids)


@pytest.mark.parametrize("specials", SPECIALS)
@given(data=st.data(), units=WINDOWS)
def test_special_tokens_across_windows(specials, data, units):
    ours = with_specials(specials)
    part = st.one_of(st.sampled_from(specials), st.sampled_from(PARTS), st.sampled_from(strategies.FRAGMENTS))
    text = "".join(data.draw(st.lists(part, max_size=30)))
    allowed = data.draw(st.sets(st.sampled_from(specials)))
    expected = ours.encode(text, allowed_special=allowed, disallowed_special=())
    named = None
    if any(special in text for special in specials):
        with pytest.raises(DisallowedSpecialError) as raised:
            ours.encode(text)
        named = str(raised.value)
    with windows_of(units):
        assert ours.encode(text, allowed_special=allowed, disallowed_special=()) == expected
        for method in (ours.encode, ours.count, ours.encode_to_numpy):
            if named is None:
                method(text)
            else:
                with pytest.raises(DisallowedSpecialError) as raised:
                    method(text)
                assert str(raised.value) == named


@given(before=st.text("a \xe9\u4e2d", max_size=60), units=WINDOWS)
def test_errors_across_windows(before, units):
    """A missing byte is named with its place in the whole text, and a special token behind it comes first."""
    ranks = {bytes([byte]): byte for byte in range(256) if byte != ord("!")}
    ours = Tokenizer("t", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={"<|e|>": 300})
    text = before + " ! and more words " * 3
    with windows_of(units):
        with pytest.raises(EncodeError, match=rf"byte 0x21 at byte {len(before.encode()) + 1} of"):
            ours.encode(text)
        with pytest.raises(DisallowedSpecialError):
            ours.encode(text + "<|e|>")
