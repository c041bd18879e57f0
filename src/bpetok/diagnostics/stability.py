"""How much ids change when a text hardly does: normal forms, case, spaces, punctuation, typing errors.

Measured on words: of each language some different ones that are spread evenly over its texts, or where the
segmenter finds no words, runs of what is no white space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.diagnostics.layout import Layout
from bpetok.diagnostics.subject import Encoded, Subject

__all__ = ["CHANGES", "SAMPLE", "Probe", "ProbeReport", "Words", "probes", "sample_words", "stability"]

T = TypeVar("T")
Floats = npt.NDArray[np.float64]

SAMPLE = 60  # words of a language
# What stands before a word.
CONTEXTS = ("", "a ", "(")


def _typo(word: str) -> str:
    """The word with its middle two characters in the other order.

    >>> _typo("word")
    'wrod'
    """
    at = max(1, len(word) // 2)
    return word[: at - 1] + word[at : at + 1] + word[at - 1 : at] + word[at + 1 :]


# Measure: what is done to a word.
CHANGES: dict[str, Callable[[str], str]] = {
    "change_nfc": lambda word: unicodedata.normalize("NFC", word),
    "change_nfd": lambda word: unicodedata.normalize("NFD", word),
    "change_case": str.upper,
    "change_space": lambda word: " " + word,
    "change_punctuation": lambda word: word + ",",
    "change_typo": _typo,
}


@dataclass(frozen=True)
class Words:
    """The words that stability is measured on.

    Attributes:
        words: those of a language side by side.
        places: for each the number of its language and its place in the sample, shape (n, 2).
        n_languages: of the corpus.
        changed: by measure, the numbers of the words that a change leaves no longer the same, and what they
            become.
    """

    words: tuple[str, ...]
    places: npt.NDArray[np.int64]
    n_languages: int
    changed: dict[str, tuple[npt.NDArray[np.int64], tuple[str, ...]]]


def sample_words(corpus: ParallelCorpus, layout: Layout, worded: npt.NDArray[np.bool_]) -> Words:
    """The words of a corpus that stability is measured on.

    Args:
        corpus: what is measured on.
        layout: of its texts.
        worded: for each language, whether the segmenter finds words in it.
    """
    data = layout.data.tobytes()
    language = corpus.language_of[layout.text_of_word]
    starts, stops = layout.words
    bounds = np.searchsorted(language, np.arange(len(corpus.languages) + 1))
    words: list[str] = []
    places: list[tuple[int, int]] = []
    for number in range(len(corpus.languages)):
        if worded[number]:
            here = _spread(range(*bounds[number : number + 2].tolist()), 4 * SAMPLE)
            spans = zip(starts[here].tolist(), stops[here].tolist(), strict=True)
            found = [*dict.fromkeys(data[start:stop] for start, stop in spans)]
            different = [each.decode() for each in _spread(found)]
        else:
            texts = [corpus.texts[at] for at in np.flatnonzero(corpus.language_of == number)]
            different = _spread([*dict.fromkeys(run for text in texts for run in text.split())])
        words += different
        places += [(number, at) for at in range(len(different))]
    changed = {}
    for name, change in CHANGES.items():
        after = [change(word) for word in words]
        moved = [at for at, (old, new) in enumerate(zip(words, after, strict=True)) if old != new]
        changed[name] = (np.array(moved, np.int64), tuple(after[at] for at in moved))
    return Words(tuple(words), np.array(places, np.int64).reshape(-1, 2), len(corpus.languages), changed)


def _spread(found: Sequence[T], n: int = SAMPLE) -> list[T]:
    """Up to `n` of some things, as far from each other as can be."""
    return [*found] if len(found) <= n else [found[at * len(found) // n] for at in range(n)]


def stability(subject: Subject, words: Words, resampling: Resampling) -> dict[str, Floats]:
    """The measures of `CHANGES`, and `context_agreement`, of each language, shape (languages, 1 + draws).

    Args:
        subject: the tokenizer.
        words: of `sample_words`.
        resampling: of `SAMPLE` words.
    """
    before = subject.encode(words.words)
    n_words = resampling.sums(_table(words, np.ones(len(words.words))))

    def mean(values: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n_words > 0, resampling.sums(_table(words, values)) / n_words, np.nan)

    measures = {}
    for name, (which, after) in words.changed.items():
        gone = np.zeros(len(words.words))
        if len(which):
            kept = _common(subject, before, which, subject.encode(after))
            gone[which] = 1 - kept / np.maximum(1, np.diff(before.bounds)[which])
        measures[name] = mean(gone)
    measures["context_agreement"] = mean(_agreement(subject, words.words).astype(np.float64))
    return measures


def _table(words: Words, values: Floats) -> Floats:
    table = np.zeros((words.n_languages, SAMPLE))
    table[words.places[:, 0], words.places[:, 1]] = values
    return table


def _common(
    subject: Subject, before: Encoded, which: npt.NDArray[np.int64], after: Encoded
) -> npt.NDArray[np.int64]:
    """How many ids each of some words shares with its changed form, counted with repeats.

    Args:
        subject: the tokenizer.
        before: of all words.
        which: the numbers of the words that have a changed form.
        after: of the changed forms.
    """

    def keys(encoded: Encoded) -> npt.NDArray[np.int64]:
        text = np.repeat(np.arange(len(encoded.bounds) - 1), np.diff(encoded.bounds))
        return text * subject.n_vocab + encoded.ids.astype(np.int64)

    place = np.full(len(before.bounds) - 1, -1)
    place[which] = np.arange(len(which))
    text, token = np.divmod(keys(before), subject.n_vocab)
    old = (place[text] * subject.n_vocab + token)[place[text] >= 0]
    old_keys, old_counts = np.unique(old, return_counts=True)
    new_keys, new_counts = np.unique(keys(after), return_counts=True)
    shared, at_old, at_new = np.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
    n = np.minimum(old_counts[at_old], new_counts[at_new])
    return np.bincount(shared // subject.n_vocab, n, len(which)).astype(np.int64)


def _agreement(subject: Subject, words: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which words have the same borders inside at the beginning of a text, after a space, and after a
    bracket."""
    sizes = np.array([len(word.encode()) for word in words], np.int64)
    found = []
    for context in CONTEXTS:
        encoded = subject.encode([context + word for word in words])
        ends = np.concatenate(([0], np.cumsum(subject.lengths[encoded.ids])))
        text = np.repeat(np.arange(len(words)), np.diff(encoded.bounds))
        from_end = ends[encoded.bounds[1:]][text] - ends[1:]  # whatever stands before the word
        inside = (from_end > 0) & (from_end < sizes[text]) & (subject.lengths[encoded.ids] > 0)
        found.append(text[inside] * (1 << 32) + from_end[inside])
    agree = np.ones(len(words), np.bool_)
    for other in found[1:]:
        agree[np.setxor1d(found[0], other, assume_unique=True) >> 32] = False
    return agree


@dataclass(frozen=True)
class Probe:
    """A short text that shows how a tokenizer treats its kind.

    Attributes:
        group: "numbers", "code", "whitespace" or "emoji".
        text: what is encoded.
        ids: of it.
        pieces: the bytes of each, in hexadecimal.
    """

    group: str
    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class ProbeReport:
    """How a tokenizer treats numbers, code, white space and emoji.

    Attributes:
        digits: how numbers of thirteen digits are cut: "one token", "single digits", "left to right" (groups
            of one size, a shorter one last), "right to left" (a shorter one first), or "irregular".
        digit_groups: the lengths of the parts of one.
        longest_space_run: the most spaces that are one token, of up to 128.
        probes: all texts.
    """

    digits: str
    digit_groups: tuple[int, ...]
    longest_space_run: int
    probes: tuple[Probe, ...]


NUMBERS = (
    "7",
    "42",
    "365",
    "1984",
    "31415",
    "271828",
    "1234567",
    "12345678901",
    "3.14159",
    "1,234,567",
    "٣٦٥",
)
LONG_NUMBERS = ("9182736455648", "1000000000000", "2718281828459", "1234567890123", "5050505050505")
CODE = (
    "def area(r):\n    return 3.14 * r ** 2\n",
    "for i in range(10):\n        if i % 2 == 0:\n            print(i)\n",
    "\tif (x != NULL) {\n\t\treturn x->next;\n\t}\n",
    "const getUserName = (user_id) => users[user_id]?.name ?? 'none';\n",
)
WHITESPACE = (
    "  ",
    "    ",
    "        ",
    "                ",
    "\t",
    "\t\t",
    "\n",
    "\n\n",
    "\r\n",
    "\u00a0",
    "\u3000",
)
EMOJI = ("🙂", "❤️", "👍🏽", "👩‍🔬", "👨‍👩‍👧‍👦", "🇹🇭", "🏳️‍🌈", "1️⃣", "🧑🏿‍🚀")


def probes(subject: Subject) -> ProbeReport:
    """Encode texts that show how numbers, code, white space and emoji are treated."""
    groups = {"numbers": NUMBERS, "code": CODE, "whitespace": WHITESPACE, "emoji": EMOJI}
    texts = [(group, text) for group, members in groups.items() for text in members]
    runs = [" " * n for n in range(1, 129)]
    ids, bounds = subject.encode([*(text for _, text in texts), *runs, *LONG_NUMBERS])
    each = [tuple(ids[start:stop].tolist()) for start, stop in pairwise(bounds.tolist())]

    def pieces(tokens: tuple[int, ...]) -> list[bytes]:
        return [subject.entries[token] or b"" for token in tokens]

    found = tuple(
        Probe(group, text, tokens, tuple(piece.hex() for piece in pieces(tokens)))
        for (group, text), tokens in zip(texts, each, strict=False)
    )
    single = [len(run) for run, tokens in zip(runs, each[len(texts) :], strict=False) if len(tokens) == 1]
    cuts = [
        tuple(n for piece in pieces(tokens) if (n := len(piece.strip())))
        for tokens in each[-len(LONG_NUMBERS) :]
    ]
    return ProbeReport(_grouping(cuts), cuts[0], max(single, default=0), found)


def _grouping(cuts: Collection[tuple[int, ...]]) -> str:
    """How numbers of the same length are cut, by the lengths of the parts of each.

    >>> [_grouping([cut]) for cut in ((13,), (1,) * 13, (3, 3, 3, 3, 1), (1, 3, 3, 3, 3), (2, 5, 4, 2))]
    ['one token', 'single digits', 'left to right', 'right to left', 'irregular']
    """
    sizes, *others = {*cuts}
    if others:
        return "irregular"
    if len(sizes) == 1:
        return "one token"
    if {*sizes} == {1}:
        return "single digits"
    if len({*sizes[:-1]}) == 1 and sizes[-1] <= sizes[0]:
        return "left to right"
    if len({*sizes[1:]}) == 1 and sizes[0] <= sizes[-1]:
        return "right to left"
    return "irregular"
