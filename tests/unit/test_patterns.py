"""Which patterns the native scanner serves, and which nearly equal ones it must refuse."""

import pickle
import re

import pytest

from bpetok import patterns, reference
from bpetok._scan import Scanner
from bpetok.errors import PatternError
from bpetok.patterns import (
    CL100K,
    GPT2,
    LLAMA3,
    NAMED,
    O200K,
    QWEN2,
    TEKKEN,
    recognise,
    resolve,
    superwords,
    words_of,
)

GPT2_ORIGINAL = r"""'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NANOCHAT = LLAMA3.replace("{1,3}", "{1,2}")
ASCII_CASE = LLAMA3.replace(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
)

# name: word, contractions, digits, tail, newlines, end_space
EXPECTED = {
    "gpt2": ("plain", "exact", 0, "none", False, True),
    "cl100k": ("prefixed", "any-case", 3, "newlines", True, True),
    "llama3": ("prefixed", "any-case", 3, "newlines", True, False),
    "qwen2": ("prefixed", "any-case", 1, "newlines", True, False),
    "o200k": ("cased", "attached", 3, "newlines-slashes", True, False),
    "tekken": ("cased", "none", 1, "newlines-slashes", True, False),
}


# Of words, and not of spaces or whole texts.
WITH_WORDS = sorted(set(NAMED) - {"whole", "metaspace", "deepseek"})


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_named_pattern_is_served_natively(name):
    pattern = resolve(name)
    assert pattern.source == NAMED[name]
    assert isinstance(pattern.scanner, Scanner)
    assert resolve(pattern.source) == pattern


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_parameters_follow_from_the_expression(name):
    parameters = recognise(NAMED[name]).parameters
    keys = ("word", "contractions", "digits", "tail", "newlines", "end_space")
    assert tuple(parameters[key] for key in keys) == EXPECTED[name]


@pytest.mark.parametrize(
    ("source", "differs"),
    [
        (GPT2_ORIGINAL, {"end_space": False, "contractions": "exact", "number_space": True}),
        (QWEN35, {"word_marks": True, "punctuation_marks": False, "digits": 1}),
        (NANOCHAT, {"digits": 2}),
        (ASCII_CASE, {"contractions": "ascii-case", "digits": 3}),
        (TEKKEN.replace(r"\p{N}|", r"\p{N}{1,3}|"), {"contractions": "none", "digits": 3}),
    ],
)
def test_kin_of_the_named_patterns_are_served_natively(source, differs):
    parameters = recognise(source).parameters
    assert {key: parameters[key] for key in differs} == differs


@pytest.mark.parametrize("alias", ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"])
def test_names_of_encodings_name_their_patterns(alias):
    assert resolve(alias) == resolve(alias.removesuffix("_base"))


def test_published_spellings_are_those_of_tiktoken():
    public = pytest.importorskip("tiktoken_ext.openai_public", reason="tiktoken is not installed")
    assert public.r50k_pat_str == GPT2


NEAR_MISSES = {
    # possessive quantifiers that forbid what the plain ones give back
    "possessive white space before a look-ahead": LLAMA3.replace(r"\s+(?!\S)", r"\s++(?!\S)"),
    "possessive white space before a newline": LLAMA3.replace(r"\s*[\r\n]+", r"\s*+[\r\n]+"),
    "possessive upper case": O200K.replace(r"\p{M}]*[\p{Ll}", r"\p{M}]*+[\p{Ll}"),
    "possessive prefix before cased letters and marks": O200K.replace(r"\p{N}]?", r"\p{N}]?+"),
    "possessive prefix before letters and marks": QWEN35.replace(r"\p{N}]?[", r"\p{N}]?+["),
    # white space
    "no last alternative": LLAMA3.removesuffix(r"|\s+"),
    "no look-ahead": LLAMA3.replace(r"|\s+(?!\S)", ""),
    "look-ahead for any white space": LLAMA3.replace(r"(?!\S)", r"(?=\s)"),
    "white space before words": r"\s+|" + LLAMA3,
    "newlines after the look-ahead": LLAMA3.replace(r"\s*[\r\n]+|\s+(?!\S)", r"\s+(?!\S)|\s*[\r\n]+"),
    "line feeds only": LLAMA3.replace(r"\s*[\r\n]+", r"\s*\n+"),
    "lazy white space": LLAMA3.replace(r"\s*[\r\n]+", r"\s*?[\r\n]+"),
    # words
    "two prefix characters": LLAMA3.replace(r"\p{N}]?\p{L}+", r"\p{N}]{0,2}\p{L}+"),
    "a prefix that may be a number": LLAMA3.replace(r"[^\r\n\p{L}\p{N}]?", r"[^\r\n\p{L}]?"),
    "a prefix that must be there": LLAMA3.replace(r"[^\r\n\p{L}\p{N}]?", r"[^\r\n\p{L}\p{N}]"),
    "lazy letters": LLAMA3.replace(r"?\p{L}+", r"?\p{L}+?"),
    "letters with a tail": LLAMA3.replace(r"?\p{L}+", r"?\p{L}+'?"),
    "ASCII letters": LLAMA3.replace(r"?\p{L}+", r"?[a-zA-Z]+"),
    "cased words the other way round": "|".join([O200K.split("|")[1], O200K.split("|")[0]]),
    # several words
    "one word after all": superwords("llama3", 2).replace("{0,1}", "{0,0}"),
    "any number of words": superwords("llama3", 2).replace("{0,1}", "{0,}"),
    "a first word that must have another": superwords("llama3", 2).replace("{0,1}", "{1,1}"),
    "words behind any white space": superwords("llama3", 2).replace("(?: (?:", r"(?:\s(?:"),
    "contractions of another kind in front": superwords("cl100k", 2).replace("(?i:", "(?:", 1),
    "contractions behind words only": superwords("cl100k", 2).removeprefix("'(?i:[sdmt]|ll|ve|re)|"),
    "several words with possessive upper case": superwords("o200k", 2).replace(
        r"\p{M}]*[\p{Ll}", r"\p{M}]*+[\p{Ll}"
    ),
    # contractions
    "one contraction missing": LLAMA3.replace("|'ll", ""),
    "one more contraction": LLAMA3.replace("|'ll", "|'ll|'nt"),
    "a contraction attached to one kind of word only": O200K.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "", 1),
    "attached as often as it goes": O200K.replace("'d)?", "'d)*"),
    # numbers
    "no limit from above": LLAMA3.replace("{1,3}", "{1,}"),
    "a lower limit": LLAMA3.replace("{1,3}", "{2,3}"),
    "lazy digits": LLAMA3.replace("{1,3}", "{1,3}?"),
    "digits of ASCII": LLAMA3.replace(r"|\p{N}{1,3}", r"|[0-9]{1,3}"),
    "decimal digits": LLAMA3.replace(r"|\p{N}{1,3}", r"|\p{Nd}{1,3}"),
    "digits from the right": LLAMA3.replace(r"|\p{N}{1,3}", r"|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))"),
    # punctuation
    "no space before punctuation": LLAMA3.replace(r"| ?[^\s", r"|[^\s"),
    "a tail of line feeds": LLAMA3.replace(r"]+[\r\n]*|\s*", r"]+\n*|\s*"),
    "a tail with slashes and backslashes": O200K.replace(r"[\r\n/]*", r"[\r\n/\\]*"),
    "punctuation before numbers": QWEN2.replace(
        r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|", r" ?[^\s\p{L}\p{N}]+[\r\n]*|\p{N}|"
    ),
    "marks that belong to nothing": QWEN35.replace(r"[\p{L}\p{M}]+", r"\p{L}+"),
    # all of it
    "a flag": "(?i)" + GPT2,
    "a group": f"({CL100K})",
    "an anchor": "^" + CL100K,
    "white space in the expression": GPT2 + " ",
    "one alternative more": CL100K + "|x",
    "nothing": "|" + GPT2,
}


@pytest.mark.parametrize("name", WITH_WORDS)
def test_patterns_of_several_words_are_served_natively(name):
    source = superwords(name, 5)
    assert words_of(source) == (NAMED[name], 5)
    words = recognise(NAMED[name]).parameters
    assert recognise(source).parameters == words | {"words": 5}
    # As `tokenizers` must be told: without possessive quantifiers.
    plain = re.sub(r"(\{\d+,\d+\}|[+*?])\+", r"\1", source)
    assert recognise(plain).parameters == words | {"words": 5}


@pytest.mark.parametrize("change", sorted(NEAR_MISSES))
def test_near_misses_are_refused(change):
    source = NEAR_MISSES[change]
    known = {*NAMED.values(), *(superwords(name, 2) for name in WITH_WORDS)}
    assert source not in known, "the change changes nothing"
    assert recognise(source) is None


@pytest.mark.parametrize("name", sorted(NAMED))
def test_possessive_and_plain_spellings_split_alike(name):
    """The two cl100k spellings in use: with possessive quantifiers and without."""
    source = NAMED[name]
    plain = re.sub(r"(\{\d,\d\}|[+*?])\+", r"\1", source)
    assert recognise(plain).parameters == recognise(source).parameters
    text = "I'm  AxxB 12345!\n\n x \u0301\u00a0\u3000\n end  "
    assert reference.split(text, plain) == reference.split(text, source)


@pytest.mark.parametrize("wrong", ["", None, 3, b"gpt2"])
def test_a_pattern_is_a_non_empty_string(wrong):
    with pytest.raises(PatternError, match="non-empty string"):
        resolve(wrong)


def test_a_name_that_is_not_known_lists_those_that_are():
    with pytest.raises(PatternError, match="unknown pattern name 'gpt3': use one of gpt2"):
        resolve("gpt3")


def test_scanners_pickle():
    scanner = resolve("o200k").scanner
    copy = pickle.loads(pickle.dumps(scanner))
    assert copy.parameters == scanner.parameters
    assert copy.split("HTTPServer's\n") == scanner.split("HTTPServer's\n")


@pytest.mark.parametrize("digits", range(1, 10))
def test_any_small_number_of_digits(digits):
    source = LLAMA3.replace("{1,3}", f"{{1,{digits}}}")
    assert recognise(source).split("1" * 20) == reference.split("1" * 20, source)


def test_recognition_is_remembered():
    assert patterns.recognise(QWEN2) is patterns.recognise(QWEN2)
