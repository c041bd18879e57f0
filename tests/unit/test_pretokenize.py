"""Splitting in Python: patterns that the native scanner does not know, and the errors."""

import pytest

from bpetok import reference
from bpetok.errors import PatternError
from bpetok.patterns import NAMED, resolve
from bpetok.pretokenize import compile_pattern, match_spans, split

TEXT = "I'm  AxxB's 12345!\n\n x\u0301\u00a0\u3000\ud83d\ude00 \u4e2d\u6587\r\n end  "


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_patterns_split_as_specified(name):
    assert split(TEXT, name) == reference.split(TEXT, NAMED[name])


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_regex_package_splits_as_the_scanner_does(name):
    """On characters that both Unicode versions know."""
    text = reference.utf8(TEXT).decode()
    spans = list(match_spans(NAMED[name], text))
    assert [text[start:end] for start, end in spans] == split(text, name)


def test_a_resolved_pattern_a_name_and_an_expression_are_the_same():
    assert split(TEXT, resolve("gpt2")) == split(TEXT, "gpt2") == split(TEXT, NAMED["gpt2"])


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (r"\w+|\W+", "a b, c", ["a", " ", "b", ", ", "c"]),
        (r"\w+", "a b, c", ["a", "b", "c"]),
        (r".", "a\nb", ["a", "b"]),
        (r"(?s:.)", "a\nb", ["a", "\n", "b"]),
        (r"[[a-z]&&[^aeiou]]+|[aeiou]", "banana", ["b", "a", "n", "a", "n", "a"]),
        (r"\p{Han}+|\P{Han}+", "a\u4e2d\u6587b", ["a", "\u4e2d\u6587", "b"]),
        (r"[x]", "abc", []),
        (r"a|b", "", []),
    ],
)
def test_other_patterns(source, text, expected):
    assert resolve(source).scanner is None
    assert split(text, source) == expected


def test_surrogates_are_repaired_before_a_custom_pattern_sees_them():
    assert split("a\ud83d\ude00b\ud83d", r"\w|[^\w]") == ["a", "\U0001f600", "b", "\ufffd"]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (r"a+$|a|\n", "aa\n", ["a", "a", "\n"]),
        (r"a+$|a|\n", "aa", ["aa"]),
        (r"[$]|a", "$a", ["$", "a"]),
        (r"\$|a", "$a", ["$", "a"]),
        (r"[^$\]]+$|.", "ab]", ["a", "b", "]"]),
    ],
)
def test_a_dollar_sign_is_the_very_end_of_the_text(source, text, expected):
    """Python's also matches before a final newline; the reference library's does not."""
    assert split(text, source) == expected


def test_a_multiline_dollar_sign_is_the_end_of_each_line():
    assert split("a\nb\n", r"(?m)^.+$|\n") == ["a", "\n", "b", "\n"]


@pytest.mark.parametrize("source", [r"a*", r"a?|b", r"", r"|a", r"\b|a", r"(?=a)|b"])
def test_a_pattern_that_matches_nothing_at_all_is_refused(source):
    with pytest.raises(PatternError):
        split("xa b", source)


@pytest.mark.parametrize("source", [r"(?<=a)|\w", r"$|a", r"\w|(?=!)"])
def test_an_empty_match_later_in_a_text_is_refused_there(source):
    with pytest.raises(PatternError, match="matches the empty string"):
        split("ab!", source)


@pytest.mark.parametrize("source", ["(", "[a", "a{2,1}", r"\p{NoSuchClass}", "(?P<x>a)(?P<x>b)(", "*"])
def test_a_pattern_that_does_not_compile_is_refused_with_the_reason(source):
    with pytest.raises(PatternError, match="does not compile"):
        compile_pattern(source)


def test_text_must_be_text():
    with pytest.raises(TypeError):
        split(None, "gpt2")
    with pytest.raises(TypeError):
        split(3, r"\w+|\W+")


def test_a_pattern_that_searches_backwards_is_refused():
    with pytest.raises(PatternError, match="searches backwards"):
        split("ab", r"(?r)\w|\W")
