"""One question and its answer, and what a task is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from bpetok.lm.words import Entry

__all__ = ["Baseline", "Item", "Part", "Task"]

# What answers without a model: from the training items, a function from an item to an answer.
Baseline = Callable[["Sequence[Item]"], Callable[["Item"], str]]


class Part(NamedTuple):
    """A stretch of a prompt: a word in the tokens of the arm, or plain characters, each a token of its
    own in every arm."""

    text: str
    is_word: bool


@dataclass(frozen=True)
class Item:
    """A question.

    Attributes:
        word: the word that it is about.
        prompt: what the model sees.
        answer: what it should write, in characters that are single tokens in every arm.
        accepted: further answers that are right.
    """

    word: str
    prompt: tuple[Part, ...]
    answer: str
    accepted: tuple[str, ...] = ()

    def is_right(self, answer: str) -> bool:
        """Whether an answer is one of those accepted."""
        return answer == self.answer or answer in self.accepted


class Task(Protocol):
    """A task: how its items are made, and what answers them without a model."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    @property
    def question(self) -> str:
        """What is asked, in words."""
        ...

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """Shortcuts by name."""
        ...

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        """A function that draws an item about one of the words.

        Raises:
            CorpusError: the words do not serve, without pronunciations for example.
        """
        ...
