"""How a text becomes ids, told step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bpetok.pretokenize import split

if TYPE_CHECKING:
    from bpetok._vocab import VocabTables
    from bpetok.tokenizer import Tokenizer

__all__ = ["Explanation", "Step", "explain"]


@dataclass(frozen=True)
class Step:
    """One merge inside a piece.

    Attributes:
        left, right: the bytes of the two parts.
        rank: the merge's priority; the lowest of all possible ones is taken, the leftmost first.
        token: the id that the two become.
        count: how often the pair stood in the training corpus when it was merged; None if unknown.
        parts: the bytes of all parts of the piece after the step.
    """

    left: bytes
    right: bytes
    rank: int
    token: int
    count: int | None
    parts: list[bytes]


@dataclass(frozen=True)
class Explanation:
    """How one piece becomes ids.

    Attributes:
        piece: the bytes of the piece.
        whole: the piece is looked up whole and found. The steps then show how merging builds it, if it
            does.
        steps: the merges, in order.
        ids: the result.
    """

    piece: bytes
    whole: bool
    steps: list[Step]
    ids: list[int]


def explain(tokenizer: Tokenizer, text: str) -> list[Explanation]:
    """The pieces of a text (special tokens taken as ordinary text), and the merges of each.

    A plain Python rendering of the algorithm, O(n**2) a piece: for words, not for books.

    >>> from bpetok import get_encoding
    >>> (cat,) = explain(get_encoding("gpt2"), "cat")
    >>> [(step.left, step.right, step.rank) for step in cat.steps]
    [(b'a', b't', 265), (b'c', b'at', 9246)]
    >>> cat.ids
    [9246]
    """
    tables = tokenizer.vocabulary.tables
    counts = tokenizer.vocabulary.merge_counts
    explanations = []
    for piece in split(text, tokenizer.pattern):
        data = piece.encode()
        spelled = [data[at : at + 1] for at in range(len(data))]
        steps = []
        for rank, at, merged in merge_steps(tables, [*data]):
            left, right = spelled[at : at + 2]
            spelled[at : at + 2] = [left + right]
            count = None if counts is None else int(counts[rank])
            steps.append(Step(left, right, rank, merged, count, spelled.copy()))
        token = tables.token_of(data)
        whole = token is not None and tables.is_whole(token)
        explanations.append(Explanation(data, whole, steps, tokenizer._encode_piece(data)))
    return explanations


def merge_steps(tables: VocabTables, parts: list[int]) -> Iterator[tuple[int, int, int]]:
    """Merge byte values in place, lowest rank first and leftmost among equals, until nothing merges.

    Yields:
        The rank, the index of the left part and the merged id of each step.
    """
    parts[:] = map(tables.byte_ids().__getitem__, parts)
    while True:
        ranked = [
            (found[0], at, found[1])
            for at, (left, right) in enumerate(pairwise(parts))
            if (found := tables.pair(left, right)) is not None
        ]
        if not ranked:
            return
        rank, at, merged = min(ranked)
        parts[at : at + 2] = [merged]
        yield rank, at, merged
