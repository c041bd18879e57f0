"""A language model of plain text: how many bits it needs for a byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bpetok.errors import CorpusError
from bpetok.lm.tasks.item import Baseline, Item, Task
from bpetok.lm.words import Entry

__all__ = ["TEXT_TASKS"]


class Text(Task):
    """Go on with a text. An item is a stretch of it, the same bytes for every arm; the score is the sum of
    the nats of its tokens over the sum of its bytes, in bits."""

    name = "text"
    question = "How does the text go on?"
    form = "TEXT"
    words = "docstrings"
    baselines: Mapping[str, Baseline] = {}
    share = 0.25

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        windows = [entry.word for entry in entries]
        if not windows:
            raise CorpusError(f"the task {self.name!r} needs a longer text")

        def draw(rng: np.random.Generator) -> Item:
            window = windows[int(rng.integers(len(windows)))]
            return Item(window, (), window, is_text=True)

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        """A beginning to go on from, with single spaces, as the texts of training have them."""
        text = " ".join(line.split())
        return Item(text, (), text, is_text=True)


TEXT_TASKS = (Text(),)
