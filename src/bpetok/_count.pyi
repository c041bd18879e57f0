"""Counting: a hash table from a piece's bytes to a 64-bit count, filled straight from the scanner."""

from collections.abc import Iterable
from typing import final

from bpetok._scan import Scanner

@final
class PieceCounts:
    """Pieces (non-empty bytes) with 64-bit counts. One thread at a time may use a table.

    Args:
        n_parts: in how many parts pieces are dealt out by their hash when this table gets those of only one.
    """

    def __init__(self, n_parts: int = 1) -> None: ...
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

    def characters(self) -> dict[int, int]:
        """How often each character occurs, by code point. Bytes that are not UTF-8 are none.

        Raises:
            CorpusError: a character occurs more than 2**63 - 1 times.
        """

    def reserve(self, n: int) -> None:
        """See that n pieces in all have room, in no more memory than they need."""

    def outgrows(self, limit: int) -> bool:
        """Whether the table may take more than so many bytes when it grows next."""

    def clear(self) -> None:
        """Forget all counts; the memory is kept."""

    def dump(self, part: int = 0, n_parts: int = 1, *, ordered: bool = False) -> tuple[bytes, int]:
        """The pieces whose hashes lie in one of n_parts equal parts, as records; returns (records, number).

        A record is the length of the piece, its bytes, and its count; the two numbers are LEB128. They are
        in the order of their bytes with `ordered`, else about in that of their hashes.

        Raises:
            IndexError: there is no such part.
        """

    def load(self, records: bytes, part: int = 0, n_parts: int = 1, *, ordered: bool = False) -> int:
        """Add the counts of records that `dump` wrote; returns how many there were.

        Parts that are loaded in order need `reserve` first: in a table that is too small for all of them,
        those of the first parts would crowd at its beginning.

        Args:
            records: the records.
            part: the part that they belong to.
            n_parts: of how many.
            ordered: whether to see that they are in the order of their bytes.

        Raises:
            FormatError: they are not such records. Those before the first wrong one have been added.
            CorpusError: the sum of all counts would exceed 2**63 - 1.
        """

    def equals(self, other: PieceCounts) -> bool:
        """Whether both tables hold the same pieces with the same counts."""
