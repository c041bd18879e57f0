"""Where graphemes and words begin: by Unicode's rules, by white space, or by a dictionary.

All segmenters work on one array of code points that holds many texts, and give borders as a mask, so that
millions of characters take a fraction of a second. Properties of characters are those of the `regex` package
and its version of Unicode; the rules are those of Unicode Standard Annex 29, of its version 16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import regex

from bpetok.errors import DiagnosticsError, MissingExtraError

__all__ = ["NO_SPACES", "SEGMENTERS", "Segmenter", "Words", "classify", "graphemes", "segmenter"]

Points = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
Words = tuple[Indices, Indices]  # where each begins and ends, in code points

# Scripts that put no spaces between words: only a dictionary finds words in them.
NO_SPACES = frozenset(
    ("Balinese", "Han", "Hiragana", "Javanese", "Katakana", "Khmer", "Lao", "Myanmar", "New_Tai_Lue",
     "Tai_Le", "Tai_Tham", "Tai_Viet", "Thai", "Tibetan", "Yi")
)  # fmt: skip

_N_POINTS = 0x110000


def classify(points: Points, classes: Iterable[str]) -> npt.NDArray[np.uint8]:
    """The number of the first of some properties that each code point has, from 1 on; 0 for none.

    Args:
        points: code points.
        classes: expressions of `regex` that match one character, such as properties.

    >>> classify(np.array([65, 48, 32], np.uint32), [r"\\p{L}", r"\\d"]).tolist()
    [1, 2, 0]
    """
    seen = np.zeros(_N_POINTS, np.bool_)
    seen[points] = True
    text = "".join(map(chr, np.flatnonzero(seen).tolist()))
    table = np.zeros(_N_POINTS, np.uint8)
    for number, each in enumerate(classes, 1):
        members = np.array([*map(ord, regex.findall(each, text))], np.int64)
        members = members[table[members] == 0]
        table[members] = number
    return table[points]


(_CR, _LF, _CONTROL, _L, _V, _T, _LV, _LVT, _RI, _PREPEND, _SPACING, _ZWJ, _EXTEND, _PICTURE) = range(1, 15)
_GRAPHEME_CLASSES = (
    r"\r", r"\n", r"\p{GCB=Control}", r"\p{GCB=L}", r"\p{GCB=V}", r"\p{GCB=T}", r"\p{GCB=LV}",
    r"\p{GCB=LVT}", r"\p{GCB=Regional_Indicator}", r"\p{GCB=Prepend}", r"\p{GCB=SpacingMark}",
    r"\p{GCB=ZWJ}", r"\p{GCB=Extend}", r"\p{Extended_Pictographic}",
)  # fmt: skip
_CONSONANT, _LINKER, _JOINED = range(1, 4)
_CONJUNCT_CLASSES = (r"\p{InCB=Consonant}", r"\p{InCB=Linker}", r"\p{InCB=Extend}")


def graphemes(points: Points, starts: Indices) -> Mask:
    """Which code points begin an extended grapheme cluster.

    Args:
        points: the code points of some texts, one text behind the other.
        starts: where each text begins; none is empty.
    """
    begins = np.ones(len(points), np.bool_)
    if not len(points):
        return begins
    kind = classify(points, _GRAPHEME_CLASSES)
    left, right = kind[:-1], kind[1:]
    control = (kind >= _CR) & (kind <= _CONTROL)
    joins = _among(right, _EXTEND, _ZWJ, _SPACING) | (left == _PREPEND)  # GB9, 9a, 9b
    joins |= (left == _L) & _among(right, _L, _V, _LV, _LVT)  # GB6
    joins |= _among(left, _LV, _V) & _among(right, _V, _T)  # GB7
    joins |= _among(left, _LVT, _T) & (right == _T)  # GB8
    joins &= ~(control[:-1] | control[1:])  # GB4, 5
    joins |= (left == _CR) & (right == _LF)  # GB3
    begins[1:] = ~joins
    begins[starts] = True
    _join_conjuncts(points, begins, starts)
    pictures = np.flatnonzero((right == _PICTURE) & (left == _ZWJ)) + 1  # GB11
    if len(pictures):
        base = _last_not(kind == _EXTEND, pictures - 2)
        begins[pictures[(base >= _floor(starts, pictures)) & (kind[base] == _PICTURE)]] = False
    flags = kind == _RI  # GB12, 13: the second of each pair of regional indicators
    if flags.any():
        at = np.flatnonzero(flags)
        first = np.maximum(_last_not(flags, at) + 1, _floor(starts, at))
        begins[at[(at - first) % 2 == 1]] = False
    return begins


def _join_conjuncts(points: Points, begins: Mask, starts: Indices) -> None:
    """GB9c: a consonant goes on with the one before when a linker stands between them."""
    kind = classify(points, _CONJUNCT_CLASSES)
    inner = _among(kind, _LINKER, _JOINED)
    at = np.flatnonzero((kind[1:] == _CONSONANT) & inner[:-1]) + 1
    if not len(at):
        return
    base = _last_not(inner, at - 1)
    linkers = np.cumsum(kind == _LINKER)
    linked = (base >= _floor(starts, at)) & (kind[base] == _CONSONANT) & (linkers[at - 1] > linkers[base])
    begins[at[linked]] = False


def _among(kinds: npt.NDArray[np.uint8], *wanted: int) -> Mask:
    table = np.zeros(256, np.bool_)
    table[list(wanted)] = True
    return table[kinds]


def _last_not(mask: Mask, at: Indices) -> Indices:
    """For each position, the last one up to it where a mask is not set; -1 if there is none."""
    clear = np.flatnonzero(~mask)
    found = np.searchsorted(clear, at, "right") - 1
    return np.where(found >= 0, clear[found], -1) if len(clear) else np.full(len(at), -1)


def _floor(starts: Indices, at: Indices) -> Indices:
    """For each position, where its text begins."""
    return starts[np.searchsorted(starts, at, "right") - 1]


def _whitespace(points: Points, starts: Indices) -> Words:
    """Runs of what is no white space."""
    word = classify(points, [r"\s"]) == 0
    begins = word.copy()
    begins[1:] &= ~word[:-1]
    begins[starts[word[starts]]] = True
    ends = word.copy()
    ends[:-1] &= ~word[1:]
    last = starts[1:] - 1
    ends[last[word[last]]] = True
    return np.flatnonzero(begins), np.flatnonzero(ends) + 1


(_DOUBLE, _SINGLE, _HEBREW, _NEWLINE, _KATAKANA, _LETTER, _MIDLETTER, _MIDNUM, _MIDNUMLET, _NUMERIC, _JOINER,
 _FLAG, _SPACE) = range(1, 14)  # fmt: skip
_WORD_CLASSES = (
    r'"', r"'", r"\p{WB=Hebrew_Letter}", r"[\r\n\p{WB=Newline}]", r"\p{WB=Katakana}", r"\p{WB=ALetter}",
    r"\p{WB=MidLetter}", r"\p{WB=MidNum}", r"\p{WB=MidNumLet}", r"\p{WB=Numeric}",
    r"\p{WB=ExtendNumLet}", r"\p{WB=Regional_Indicator}", r"\p{WB=WSegSpace}",
)  # fmt: skip
_ZERO_WIDTH_JOINER = 0x200D


def _uax29(points: Points, starts: Indices) -> Words:
    """What stands between word boundaries and holds a letter, a numeral or a digit.

    Rules that bear only on spaces and flags (WB3d, 15, 16) are left out: they move no border of a word.
    """
    if not len(points):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    kind = classify(points, _WORD_CLASSES)
    extends = classify(points, [r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"]) == 1  # WB4: of what they follow
    extends[starts] = False
    extends[1:] &= kind[:-1] != _NEWLINE
    kept = np.flatnonzero(~extends)
    first = np.zeros(len(points), np.bool_)
    first[starts] = True
    k, first = kind[kept], first[kept]
    before = np.where(first, 0, np.roll(k, 1))
    after = np.where(np.roll(first, -1), 0, np.roll(k, -1))
    two_before = np.where(first, 0, np.roll(before, 1))
    letter, letter_before = _among(k, _LETTER, _HEBREW), _among(before, _LETTER, _HEBREW)
    pictures = np.flatnonzero(classify(points[kept], [r"\p{Extended_Pictographic}"]))
    joins = letter & letter_before  # WB5
    joins[pictures] |= (points[kept[pictures] - 1] == _ZERO_WIDTH_JOINER) & ~first[pictures]  # WB3c
    middle = (_MIDLETTER, _MIDNUMLET, _SINGLE)
    joins |= _among(k, *middle) & letter_before & _among(after, _LETTER, _HEBREW)  # WB6
    joins |= letter & _among(before, *middle) & _among(two_before, _LETTER, _HEBREW)  # WB7
    joins |= (k == _SINGLE) & (before == _HEBREW)  # WB7a
    joins |= (k == _DOUBLE) & (before == _HEBREW) & (after == _HEBREW)  # WB7b
    joins |= (k == _HEBREW) & (before == _DOUBLE) & (two_before == _HEBREW)  # WB7c
    joins |= (k == _NUMERIC) & (letter_before | (before == _NUMERIC))  # WB8, 9
    joins |= letter & (before == _NUMERIC)  # WB10
    point = (_MIDNUM, _MIDNUMLET, _SINGLE)
    joins |= (k == _NUMERIC) & _among(before, *point) & (two_before == _NUMERIC)  # WB11
    joins |= _among(k, *point) & (before == _NUMERIC) & (after == _NUMERIC)  # WB12
    joins |= (k == _KATAKANA) & (before == _KATAKANA)  # WB13
    tied = (_LETTER, _HEBREW, _NUMERIC, _KATAKANA, _JOINER)
    joins |= (k == _JOINER) & _among(before, *tied)  # WB13a
    joins |= (before == _JOINER) & _among(k, *tied[:-1])  # WB13b
    begins = kept[~joins]
    ends = np.append(begins[1:], len(points))
    return _holding_letters(points, begins, ends)


def _holding_letters(points: Points, begins: Indices, ends: Indices) -> Words:
    """Of some spans those that hold a letter, a numeral or a digit."""
    held = np.concatenate(([0], np.cumsum(classify(points, [r"[\p{L}\p{N}]"]) == 1)))
    word = held[ends] > held[begins]
    return begins[word], ends[word]


@dataclass(frozen=True)
class Segmenter:
    """What finds words.

    Attributes:
        name: as it is chosen and reported.
        described: which rules, of which version.
        words: code points of some texts, none empty, and where each begins, to words.
        dictionary: whether it finds words where no spaces are.
    """

    name: str
    described: str
    words: Callable[[Points, Indices], Words]
    dictionary: bool = False


SEGMENTERS = {
    each.name: each
    for each in (
        Segmenter(
            "uax29", f"Unicode word boundaries (UAX 29, properties of regex {regex.__version__})", _uax29
        ),
        Segmenter("whitespace", "runs of what is no white space", _whitespace),
    )
}


def _icu() -> Segmenter:
    """The breaker of ICU, with its dictionaries and models."""
    try:
        import icu4py
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise MissingExtraError(
            'the dictionary segmenter needs icu4py: install it with pip install "bpetok[icu]"'
        ) from error

    def words(points: Points, starts: Indices) -> Words:
        begins, ends = [], []
        for start, stop in pairwise(np.append(starts, len(points)).tolist()):
            at = start
            for part in WordBreaker(points[start:stop].astype("<u4").tobytes().decode("utf-32-le"), "root"):
                begins.append(at)
                at += len(part)
                ends.append(at)
        return _holding_letters(points, np.array(begins, np.int64), np.array(ends, np.int64))

    return Segmenter(
        "icu", f"word breaker of ICU {icu4py.icu_version}, with dictionaries", words, dictionary=True
    )


def segmenter(name: str) -> Segmenter:
    """The segmenter of a name: one of `SEGMENTERS`, or "icu".

    Raises:
        DiagnosticsError: there is none.
        MissingExtraError: icu4py is needed and not installed.
    """
    if name == "icu":
        return _icu()
    if name not in SEGMENTERS:
        raise DiagnosticsError(f"no segmenter {name!r}: use one of {', '.join(SEGMENTERS)}, icu")
    return SEGMENTERS[name]
