"""Counting: a hash table from a piece's bytes to a 64-bit count, filled straight from the scanner."""

from collections.abc import Iterable
from typing import final

from bpetok._scan import Scanner

@final
class PieceCounts:
    """Pieces (non-empty bytes) with 64-bit counts. One thread at a time may use a table."""

    def __init__(self) -> None: ...
    def __len__(self) -> int:
        """The number of distinct pieces."""

    @property
    def n_pieces(self) -> int:
        """The sum of all counts."""

    def add(self, piece: bytes, n: int = 1) -> None:
        """Add n to the count of one piece.

        Raises:
            CorpusError: the piece is empty, n is not positive, or the sum of all counts would exceed
                2**63 - 1.
        """

    def count_texts(self, scanner: Scanner, texts: Iterable[str | bytes]) -> int:
        """Count the pieces of each text; returns their bytes of UTF-8.

        The texts are cut one by one: no piece spans two. The GIL is held only while they are listed.

        Raises:
            TypeError: a text is neither str nor bytes. Nothing has been counted then.
            CorpusError: the sum of all counts would exceed 2**63 - 1.
        """

    def count_span(self, scanner: Scanner, text: bytes, start: int, end: int) -> int:
        """Count the pieces of text[start:] that begin before `end`; returns how many bytes lie between.

        The whole text is in view, so spans that meet where a piece ends have the pieces of the whole.

        Raises:
            IndexError: the text has no such span.
            CorpusError: the sum of all counts would exceed 2**63 - 1.
        """

    def update(self, other: PieceCounts) -> None:
        """Add every count of another table to this one.

        Raises:
            CorpusError: the sum of all counts would exceed 2**63 - 1. Nothing has been added then.
        """

    def get(self, piece: bytes) -> int:
        """The count of a piece, 0 when it was never seen."""

    def items(self) -> list[tuple[bytes, int]]:
        """All (piece, count), sorted by piece."""

    def equals(self, other: PieceCounts) -> bool:
        """Whether both tables hold the same pieces with the same counts."""
