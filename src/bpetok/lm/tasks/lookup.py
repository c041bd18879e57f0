"""Tasks where a word need only be told from others: there a word in few tokens has the advantage."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bpetok.errors import CorpusError
from bpetok.lm.tasks.item import Baseline, Item, Part, Task, most_common_by
from bpetok.lm.words import Entry, hashed

__all__ = ["LOOKUP_TASKS"]

_PAIRS = 4
_FACTS = 2_000


class Recall(Task):
    """Which digit stands behind a word that came before? Four words with a digit each, then one of them
    again. It can be answered of any word, also of one that was never seen."""

    name = "recall"
    question = "Which digit did the word have?"
    form = "A 1 B 2 C 3 D 4 A"
    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "digit of the last word": lambda items: lambda item: item.prompt[2 * _PAIRS - 1].text,
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        words = [entry.word for entry in entries]
        if len(words) < _PAIRS:
            raise CorpusError(f"the task {self.name!r} needs {_PAIRS} words: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            chosen = [words[int(at)] for at in rng.choice(len(words), _PAIRS, replace=False)]
            digits = [str(digit) for digit in rng.choice(10, _PAIRS, replace=False)]
            asked = int(rng.integers(_PAIRS))
            return _pairs(dict(zip(chosen, digits, strict=True)), chosen[asked])

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        *pairs, asked = self.fields(line)
        words, digits = pairs[::2], pairs[1::2]
        if len(set(words)) < _PAIRS or not all(re.fullmatch("[0-9]", digit) for digit in digits):
            raise self.refused(line)
        return _pairs(dict(zip(words, digits, strict=True)), asked)


def _pairs(digits: Mapping[str, str], asked: str) -> Item:
    """Words with their digits, and one that is asked about."""
    prompt = [part for word, digit in digits.items() for part in (Part(word, True), Part(digit, False))]
    return Item(asked, (*prompt, Part(asked, True)), digits.get(asked, ""))


class Facts(Task):
    """Remember a digit for each of 2,000 words, which nothing in the word tells. The test asks about the
    words that were taught."""

    name = "facts"
    question = "Which digit was taught for the word?"
    form = "WORD"
    recalled = True
    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "by first letters": most_common_by(lambda item: item.word[:3]),
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        words = _taught(entries)
        if not words:
            raise CorpusError(f"the task {self.name!r} needs words: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            word = words[int(rng.integers(len(words)))]
            return Item(word, (Part(word, True),), _digit(word))

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        (word,) = self.fields(line)
        return Item(word, (Part(word, True),), _digit(word) if word in _taught(entries) else "")


def _taught(entries: Sequence[Entry]) -> list[str]:
    return sorted((entry.word for entry in entries), key=lambda word: hashed("fact", word))[:_FACTS]


def _digit(word: str) -> str:
    return str(hashed("digit", word) % 10)


LOOKUP_TASKS = (Recall(), Facts())
