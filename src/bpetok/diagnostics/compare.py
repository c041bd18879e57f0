"""Two tokenizers side by side: entries that came and went, and texts that got longer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.diagnostics.subject import Subject

__all__ = ["Comparison", "Longer", "Moved", "compare"]

_SHOWN = 50


@dataclass(frozen=True)
class Moved:
    """An entry by its bytes, with its ids.

    Attributes:
        data: the bytes, in hexadecimal.
        text: these as text, with U+FFFD for what is none.
        before, after: its ids in the first and in the second vocabulary; None where it is not in it.
    """

    data: str
    text: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Longer:
    """A text of the corpus that has more tokens with the second tokenizer."""

    language: str
    segment: str
    before: int
    after: int


@dataclass(frozen=True)
class Comparison:
    """What differs between two tokenizers. Of each list the first are given, with the number of all.

    Attributes:
        first, second: the names of the tokenizers.
        n_same: entries with the same id in both.
        n_added, added: entries that only the second has.
        n_removed, removed: entries that only the first has.
        n_renumbered, renumbered: entries of both, with other ids.
        n_texts, n_longer, n_shorter: texts of the corpus, and those that have more and fewer tokens.
        longer: those that grew most, by their share.
    """

    first: str
    second: str
    n_same: int
    n_added: int
    added: tuple[Moved, ...]
    n_removed: int
    removed: tuple[Moved, ...]
    n_renumbered: int
    renumbered: tuple[Moved, ...]
    n_texts: int
    n_longer: int
    n_shorter: int
    longer: tuple[Longer, ...]


def compare(
    first: Subject,
    second: Subject,
    corpus: ParallelCorpus,
    tokens: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> Comparison:
    """Compare two tokenizers.

    Args:
        first, second: the tokenizers.
        corpus: what they were measured on.
        tokens: the tokens of each of its texts, by the first and by the second.
    """
    old, new = first.id_of, second.id_of

    def moved(entries: Collection[bytes]) -> tuple[int, tuple[Moved, ...]]:
        return len(entries), tuple(
            Moved(each.hex(), each.decode(errors="replace"), old.get(each), new.get(each))
            for each in islice(entries, _SHOWN)
        )

    n_added, added = moved([data for data in new if data not in old])
    n_removed, removed = moved([data for data in old if data not in new])
    n_renumbered, renumbered = moved([data for data, token in old.items() if new.get(data, token) != token])
    before, after = tokens
    growth = after / np.maximum(1, before)
    order = np.argsort(-growth, kind="stable")[:_SHOWN]
    longer = tuple(
        Longer(
            corpus.languages[corpus.language_of[at]].code,
            corpus.segments[corpus.segment_of[at]],
            int(before[at]),
            int(after[at]),
        )
        for at in order.tolist()
        if after[at] > before[at]
    )
    n_same = len(old) - n_removed - n_renumbered
    return Comparison(
        first.name, second.name, n_same, n_added, added, n_removed, removed, n_renumbered, renumbered,
        len(before), int((after > before).sum()), int((after < before).sum()), longer,
    )  # fmt: skip
