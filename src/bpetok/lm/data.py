"""Batches: items as arrays, the same for a seed and a step whatever was drawn before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bpetok.lm.arms import PAD, Arm
from bpetok.lm.tasks import Item, Part, Task
from bpetok.lm.words import Entry

__all__ = ["Batch", "batch_of", "draw_items", "longest_sequence", "share_of", "shortcut_answers", "taught"]

# Training items from which baselines learn: a seed of their own, and how many.
_SHOWN, _N_SHOWN = 1 << 43, 20_000
_BUCKET = 8  # lengths are rounded up to this, so that few shapes occur
_SPARE = 24  # symbols that an item may have more than those that were looked at


@dataclass(frozen=True)
class Batch:
    """Items side by side.

    Attributes:
        tokens: int64, shape (items, length): prompt, answer and padding.
        where: bool, shape (items, length): the places whose next token is a part of the answer, or ends it.
        targets: int64, shape (places,): that next token, row by row.
    """

    tokens: npt.NDArray[np.int64]
    where: npt.NDArray[np.bool_]
    targets: npt.NDArray[np.int64]


def batch_of(arm: Arm, items: Sequence[Item], rng: np.random.Generator | None = None) -> Batch:
    """The items of a batch, in the symbols of an arm; with `rng` cut as in training."""
    rows = [(arm.prompt(item, rng), arm.answer(item)) for item in items]
    length = _bucket(max(len(prompt) + len(answer) - 1 for prompt, answer in rows))
    tokens = np.full((len(rows), length), PAD, np.int64)
    where = np.zeros((len(rows), length), np.bool_)
    for at, (prompt, answer) in enumerate(rows):
        row = [*prompt, *answer[:-1]]
        tokens[at, : len(row)] = row
        where[at, len(prompt) - 1 : len(row)] = True
    targets = np.array([symbol for _, answer in rows for symbol in answer], np.int64)
    return Batch(tokens, where, targets)


def share_of(batch: Batch, rank: int, processes: int) -> Batch:
    """The rows of a batch that one of several processes takes, of the length of the whole."""
    rows = np.arange(len(batch.tokens)) % processes == rank
    of_row = np.nonzero(batch.where)[0]
    return Batch(batch.tokens[rows], batch.where[rows], batch.targets[rows[of_row]])


def taught(items: Sequence[Item], spelled: Sequence[Item]) -> list[Item]:
    """The items with every second one replaced by one that has a word spelled, marked as such."""
    mark = Part("#", False)
    return [
        replace(other, prompt=(mark, *other.prompt)) if at % 2 else item
        for at, (item, other) in enumerate(zip(items, spelled, strict=True))
    ]


def draw_items(draw: Callable[[np.random.Generator], Item], count: int, *seed: int) -> list[Item]:
    """Items that depend on the numbers of the seed alone."""
    rng = np.random.default_rng(seed)
    return [draw(rng) for _ in range(count)]


def shortcut_answers(task: Task, train: Sequence[Entry], items: Sequence[Item]) -> dict[str, list[str]]:
    """What each baseline of a task, which learns from items about training words, answers to some items."""
    shown = draw_items(task.prepare(train), _N_SHOWN, _SHOWN)
    return {name: list(map(learn(shown), items)) for name, learn in task.baselines.items()}


def longest_sequence(arm: Arm, items: Sequence[Item]) -> int:
    """A length that has room for these items and some longer ones."""
    return _bucket(max(len(arm.prompt(item)) + len(arm.answer(item)) for item in items) + _SPARE)


def _bucket(length: int) -> int:
    return -(-length // _BUCKET) * _BUCKET
