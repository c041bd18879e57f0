"""Learning: the loop that joins the most frequent pair of neighbouring tokens, again and again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import final

from bpetok._count import PieceCounts

# Kinds of characters; any other number is a kind, too.
ANY: int  # stands beside each kind
FIRST: int  # is not added to what is before it
ALONE: int  # is joined to nothing

@final
class MergeLearner:
    """Learns merges from counted pieces, some at a time. One thread at a time may use a learner.

    Args:
        counts: the pieces; not changed, and not needed after construction.
        byte_ids: the ids of the 256 single bytes; or of none, with characters.
        next_id: the id of the first new token; the next one gets the following id.
        new_tokens: how many new ids may be given.
        reserved: tokens of two bytes and more that have an id already, below next_id: a merge that makes
            one of them takes that id.
        ties_by_bytes: among equally frequent pairs take the first by (left bytes, right bytes); if
            false, by (left id, right id).
        order: all pieces, in the order in which the corpus first has them. Given that, take of equally
            frequent pairs the one that comes first in the pieces so ordered, whatever `ties_by_bytes`.
        min_frequency: the least count of a pair that may merge; 0 is taken for 1.
        max_token_length: the most bytes of a token, or characters where pieces begin as these; 0 for any
            number.
        shared: pairs chosen elsewhere will be joined too, by `apply`, so that each is kept, however rare.
            `learn` must wait for `own`.
        characters: pieces begin as these, with their ids and kinds, and not as single bytes; what is no such
            character stays between tokens. Tokens of two kinds are not joined, unless one of them is ANY; a
            FIRST one only on the left, where it takes any kind; an ALONE one never.
        taken: tokens that no merge may make.

    Raises:
        ValueError: the ids of bytes, characters and reserved tokens are not all distinct and below next_id,
            or `shared` and `order` are given together.
        TrainingError: the pieces take more than 2**32 slots, the counts of all pairs together would exceed
            2**63 - 1, or ids would exceed 32 bits.
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
        shared: bool = False,
        order: list[bytes] | None = None,
        characters: Mapping[str, tuple[int, int]] | None = None,
        taken: Collection[bytes] = (),
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

    def begin_with(self, tokens: dict[bytes, int], encode: Callable[[bytes], Sequence[int]]) -> None:
        """Take the pieces as a tokenizer encodes them, in place of single bytes. Before `learn`.

        Args:
            tokens: the bytes of every token to its id, below the `next_id` given before. No merge makes one
                of them again.
            encode: a piece to its ids, which are among these.

        Raises:
            ValueError: the ids of a piece do not have its bytes, or an id is not below the first new one.
        """

    def learn(self, limit: int) -> bool:
        """Make up to `limit` more merges, without the GIL; returns whether more may follow.

        Raises:
            ValueError: the learner is shared.
            MemoryError: memory is short. The learner is of no use any more, and says so again.
        """

    def results(self) -> tuple[bytes, bytes, bytes]:
        """(pairs, ids, counts): native uint32 pairs and ids and uint64 counts, as bytes."""

    def tokens_made(self) -> list[bytes]:
        """The bytes of the token that each merge made, in order."""

    def best(self) -> tuple[int, int, int] | None:
        """(left id, right id, count) of the pair to be joined next, or None when there is none.

        Raises:
            ValueError: the learner is not shared.
        """

    def apply(self, left: int, right: int, token: int) -> int:
        """Join a pair wherever it occurs, be it nowhere, as a token whose id was chosen elsewhere.

        Args:
            left: the id of the left token.
            right: the id of the right one.
            token: the id of the two together: the next one, or a reserved one.

        Returns:
            How many tokens fewer the counted pieces have.

        Raises:
            ValueError: the learner is not shared, or has no room for the token.
            MemoryError: memory is short. The learner is of no use any more, and says so again.
        """

    def own(self) -> None:
        """End the sharing: rare pairs are let go, and `learn` may follow.

        Raises:
            MemoryError: memory is short.
        """
