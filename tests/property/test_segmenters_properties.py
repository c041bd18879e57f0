"""Graphemes and words in arrays are those that `regex` finds text by text."""

import numpy as np
import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from bpetok.diagnostics.segmenters import SEGMENTERS, graphemes

# Signs of every class that the rules know, and a few of each.
SIGNS = (
    "aeZ éß١٢12_.,:;'’\"·\r\n\u0085\u200d\u200c\u0301\u0308\u00ad\u0600\u06dd"
    "한각가각각काक्षी्নির্ড়തമിழ்สวัสดีကျွန်ုပ်漢字かなカタカナﾞー"
    "שלוםא״׳🇩🇪🇫👩🏽❤\ufe0f👨‍👩‍👧🏳️‍🌈ℹ©\u0bcd\u1039\u094d\u0995\u09cd\u09b7"
)
# An extended grapheme cluster as table 1c of Unicode Standard Annex 29 writes it. `\\X` of `regex`
# differs: it joins a consonant to a linker that has no consonant before it.
CLUSTER = regex.compile(
    r"""(?x) \r\n | [\p{GCB=Control}\r\n] |
    \p{GCB=Prepend}*
    (?: \p{GCB=L}* (?: \p{GCB=V}+ | \p{GCB=LV} \p{GCB=V}* | \p{GCB=LVT} ) \p{GCB=T}*
      | \p{GCB=L}+ | \p{GCB=T}+
      | \p{RI}\p{RI}
      | \p{Extended_Pictographic} (?: \p{GCB=Extend}* \p{GCB=ZWJ} \p{Extended_Pictographic} )*
      | \p{InCB=Consonant}
        (?: [\p{InCB=Extend}\p{InCB=Linker}]* \p{InCB=Linker} [\p{InCB=Extend}\p{InCB=Linker}]*
            \p{InCB=Consonant} )+
      | [^\p{GCB=Control}\r\n] )
    [\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*"""
)
TEXTS = st.lists(st.text(st.sampled_from(SIGNS), min_size=1, max_size=12), min_size=1, max_size=5)


def joined(texts):
    points = np.array([ord(char) for text in texts for char in text], np.uint32)
    sizes = [len(text) for text in texts]
    return points, np.cumsum([0, *sizes[:-1]])


@given(TEXTS)
@example(["🇩🇪🇫", "🇩🇪"])
@example(["a\u200d", "❤"])
def test_graphemes(texts):
    points, starts = joined(texts)
    found = np.flatnonzero(graphemes(points, starts)).tolist()
    expected, at = [], 0
    for text in texts:
        for match in CLUSTER.finditer(text):
            expected.append(at + match.start())
        at += len(text)
    assert found == expected


def words_of(text):
    """The parts between `regex`'s default word boundaries that hold a letter or a number."""
    parts = regex.split(r"(?w)\b", text, flags=regex.V1)
    at = 0
    for part in parts:
        if regex.search(r"[\p{L}\p{N}]", part):
            yield at, at + len(part)
        at += len(part)


@given(TEXTS)
@example(["\n\u0301a"])
@example(["a", "'b"])
@example(["a\u200d❤"])
@example(['א"א', "א'"])
def test_unicode_words(texts):
    points, starts = joined(texts)
    begins, ends = SEGMENTERS["uax29"].words(points, starts)
    expected, at = [], 0
    for text in texts:
        expected += [(at + first, at + last) for first, last in words_of(text)]
        at += len(text)
    assert list(zip(begins.tolist(), ends.tolist(), strict=True)) == expected


@given(TEXTS)
def test_words_between_white_space(texts):
    points, starts = joined(texts)
    begins, ends = SEGMENTERS["whitespace"].words(points, starts)
    expected, at = [], 0
    for text in texts:
        expected += [(at + match.start(), at + match.end()) for match in regex.finditer(r"\S+", text)]
        at += len(text)
    assert list(zip(begins.tolist(), ends.tolist(), strict=True)) == expected


@pytest.mark.parametrize("name", ["uax29", "whitespace"])
def test_no_text_has_no_words(name):
    begins, ends = SEGMENTERS[name].words(np.empty(0, np.uint32), np.empty(0, np.int64))
    assert begins.tolist() == ends.tolist() == []
