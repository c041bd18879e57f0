"""One question and its answer, and what a task is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from bpetok.errors import TrainingError
from bpetok.lm.words import Entry

__all__ = ["Baseline", "Item", "Part", "Task", "most_common", "most_common_by"]

Counted = TypeVar("Counted", str, tuple[str, ...])


class Answered(Protocol):
    """What has a right answer."""

    @property
    def answer(self) -> str: ...


Asked = TypeVar("Asked", bound=Answered)

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
        is_text: whether the answer is a text in the tokens of the arm, of which no more is asked than how
            likely it is.
    """

    word: str
    prompt: tuple[Part, ...]
    answer: str
    accepted: tuple[str, ...] = ()
    is_text: bool = False

    def is_right(self, answer: str) -> bool:
        """Whether an answer is one of those accepted."""
        return answer == self.answer or answer in self.accepted


class Task:
    """A task: how its items are made, and what answers them without a model.

    Attributes:
        name: its name on the command line.
        question: what is asked, in words.
        form: how a question is written by hand, such as "WORD N".
        baselines: shortcuts by name.
        words: the word list that its items are made from; None for that of the experiment.
        recalled: whether it asks about the very words that were taught: the task is to remember.
        share: of a step's items, how many it takes: less than 1 where one item has many symbols to predict.
    """

    name: str
    question: str
    form: str
    baselines: Mapping[str, Baseline]
    words: str | None = None
    recalled: bool = False
    share: float = 1.0

    def step_items(self, batch: int) -> int:
        """How many of its items a step of `batch` sequences has."""
        return max(1, round(batch * self.share))

    def judge(self, entries: Sequence[Entry]) -> Callable[[Item, str], bool]:
        """What says whether an answer is right, given the whole word list."""
        return Item.is_right

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        """A function that draws an item about one of the words.

        Raises:
            CorpusError: the words do not serve, without pronunciations for example.
        """
        raise NotImplementedError

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        """The item that a line asks for, of any word. Its answer is "" where the task cannot tell.

        Args:
            line: a question as `form` says.
            entries: the whole word list, or where the task is to remember, the words that were taught.

        Raises:
            TrainingError: the line is no such question.
        """
        raise NotImplementedError

    def fields(self, line: str) -> list[str]:
        """The parts of a line between spaces, as many as the form has.

        Raises:
            TrainingError: there are more or fewer.
        """
        parts = line.split()
        if len(parts) != len(self.form.split()):
            raise self.refused(line)
        return parts

    def refused(self, line: str) -> TrainingError:
        """The error that says how a question is written."""
        return TrainingError(f"{line!r} is no question of the task {self.name!r}: write {self.form}")


def most_common(counts: Counter[Counted]) -> Counted:
    """What was counted most often; of several the first in their order.

    >>> most_common(Counter("abba"))
    'a'
    """
    return min(counts, key=lambda one: (-counts[one], one))


def most_common_by(key: Callable[[Asked], object]) -> Callable[[Sequence[Asked]], Callable[[Asked], str]]:
    """The most common answer among training items with the same key; among all, where none has it."""

    def learn(items: Sequence[Asked]) -> Callable[[Asked], str]:
        overall = most_common(Counter(item.answer for item in items))
        by_key: dict[object, Counter[str]] = {}
        for item in items:
            by_key.setdefault(key(item), Counter())[item.answer] += 1
        best = {group: most_common(answers) for group, answers in by_key.items()}
        return lambda item: best.get(key(item), overall)

    return learn
