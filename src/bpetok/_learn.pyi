"""Training: a table that counts pieces, and the loop that learns merges from it."""

from collections.abc import Iterable, Mapping, Sequence

from bpetok._scan import Scanner

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

class MergeLearner:
    """Learns merges from counted pieces, some at a time.

    Args:
        counts: the pieces; not changed, and not needed after construction.
        byte_ids: the ids of the 256 single bytes.
        next_id: the id of the first new token; the next one gets the following id.
        new_tokens: how many new ids may be given.
        reserved: tokens of two bytes and more that have an id already, below next_id: a merge that makes
            one of them takes that id.
        ties_by_bytes: among equally frequent pairs take the first by (left bytes, right bytes); if
            false, by (left id, right id).
        min_frequency: the least count of a pair that may merge; 0 is taken for 1.
        max_token_length: the most bytes of a token; 0 for any number.

    Raises:
        TrainingError: the pieces take more than 2**32 slots, or the counts of all pairs together would
            exceed 2**63 - 1.
    """

    def __init__(
        self,
        counts: PieceCounts,
        *,
        byte_ids: Sequence[int],
        next_id: int,
        new_tokens: int,
        reserved: Mapping[bytes, int],
        ties_by_bytes: bool,
        min_frequency: int,
        max_token_length: int = 0,
    ) -> None: ...
    @property
    def n_merges(self) -> int:
        """How many merges have been learned."""

    @property
    def new_tokens(self) -> int:
        """How many new ids may still be given."""

    @property
    def passed_over(self) -> bool:
        """Whether a frequent pair was passed over because its token would have been too long."""

    @property
    def rebuilds(self) -> int:
        """How often the pairs were counted afresh; the first time included."""

    def learn(self, limit: int) -> bool:
        """Make up to `limit` more merges, without the GIL; returns whether more may follow."""

    def results(self) -> tuple[bytes, bytes, bytes]:
        """(pairs, ids, counts): native uint32 pairs and ids and uint64 counts, as bytes."""

    def tokens_made(self) -> list[bytes]:
        """The bytes of the token that each merge made, in order."""
