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
        start: what merging starts from: bytes or, where that is the vocabulary's alphabet, characters.
        steps: the merges, in order.
        parts: what merging ends with, each with the ids that it becomes: one where it is a token; those of
            its
            bytes for a character that is none; those of its own parts for an unused token; none for an
            unknown
            character that is one with the last.
        ids: the result.
    """

    piece: bytes
    whole: bool
    start: list[bytes]
    steps: list[Step]
    parts: list[tuple[bytes, list[int]]]
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
        symbols, spelled = start_of(tables, data)
        start = spelled.copy()
        steps = []
        for rank, at, _ in merge_steps(tables, symbols):
            left, right = spelled[at : at + 2]
            spelled[at : at + 2] = [left + right]
            count = None if counts is None else int(counts[rank])
            token = tables.token_of(left + right)
            assert token is not None  # what merges make is a token
            steps.append(Step(left, right, rank, token, count, spelled.copy()))
        ids = tokenizer._encode_piece(data)
        token = tables.token_of(data)
        whole = token is not None and tables.is_whole(token)
        parts = [(data, ids)] if whole else _become(tokenizer, symbols, spelled)
        explanations.append(Explanation(data, whole, start, steps, parts, ids))
    return explanations


def _become(
    tokenizer: Tokenizer, symbols: list[int | None], spelled: list[bytes]
) -> list[tuple[bytes, list[int]]]:
    """What each part of a piece becomes."""
    vocabulary = tokenizer.vocabulary
    parts: list[tuple[bytes, list[int]]] = []
    last = None
    for symbol, data in zip(symbols, spelled, strict=True):
        ids = None if symbol is None else vocabulary.tables.expand(symbol)
        if ids is None:
            ids = tokenizer._encode_piece(data)
        fused = vocabulary.fuse_unknown and ids == [vocabulary.unknown] == last
        last = ids
        parts.append((data, [] if fused else ids))
    return parts


def start_of(tables: VocabTables, data: bytes) -> tuple[list[int | None], list[bytes]]:
    """The symbols that merging a piece starts from, None for a character that no token has, and their
    bytes."""
    start = tables.start(data)
    return [symbol for symbol, _ in start], [part for _, part in start]


def merge_steps(tables: VocabTables, symbols: list[int | None]) -> Iterator[tuple[int, int, int]]:
    """Merge symbols in place, lowest rank first and leftmost among equals, until nothing merges.

    Yields:
        The rank, the index of the left part and the merged symbol of each step.
    """
    while True:
        ranked = [
            (tables.order(found[0]), at, *found)
            for at, (left, right) in enumerate(pairwise(symbols))
            if left is not None and right is not None and (found := tables.pair(left, right)) is not None
        ]
        if not ranked:
            return
        _, at, rank, merged = min(ranked)
        symbols[at : at + 2] = [merged]
        yield rank, at, merged
