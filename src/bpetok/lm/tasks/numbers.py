"""Arithmetic: what the grouping of digits does to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bpetok.errors import CorpusError
from bpetok.lm.tasks.item import Baseline, Item, Part, Task, most_common_by
from bpetok.lm.words import Entry

__all__ = ["NUMBER_TASKS"]


class Sum(Task):
    """Add two numbers. The sum is written from its last digit, as one adds; both numbers are on the side of
    the split that is asked about."""

    name = "add"
    question = "What is the sum, from its last digit to its first?"
    form = "NUMBER+NUMBER"
    words = "numbers"
    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "digit by digit, without carry": lambda items: _without_carry,
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        numbers = [entry.word for entry in entries if entry.word.isascii() and entry.word.isdecimal()]
        if not numbers:
            raise CorpusError(f"the task {self.name!r} needs numbers: use it with the word list 'numbers'")

        def draw(rng: np.random.Generator) -> Item:
            one, other = (numbers[int(at)] for at in rng.integers(len(numbers), size=2))
            return _sum(one, other)

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        found = re.fullmatch(r"\s*([0-9]+)\s*\+\s*([0-9]+)\s*", line)
        if found is None:
            raise self.refused(line)
        return _sum(*found.groups())


def _sum(one: str, other: str) -> Item:
    prompt = (Part(one, True), Part("+", False), Part(other, True))
    return Item(one, prompt, str(int(one) + int(other))[::-1])


def _without_carry(item: Item) -> str:
    one, other = (part.text[::-1] for part in item.prompt if part.is_word)
    length = max(len(one), len(other))
    pairs = zip(one.ljust(length, "0"), other.ljust(length, "0"), strict=True)
    return "".join(str((int(first) + int(second)) % 10) for first, second in pairs)


NUMBER_TASKS = (Sum(),)
