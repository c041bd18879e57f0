"""Vocabularies: which bytes each id stands for, and which pairs merge in which order.

Two semantics are in use and both are kept exactly:

- *ranks* (tiktoken): a vocabulary is a mapping of bytes to rank, which is also the id. A piece that is
  an entry is that id. Otherwise the two neighbouring parts whose joined bytes have the lowest rank are
  merged, the leftmost first, until no joined bytes are an entry.
- *merges* (`tokenizers`): a list of pairs of ids, in order of priority; only listed pairs merge. A
  piece that is an entry is looked up whole only with `ignore_merges`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from bpetok._merge import link_merges, link_ranks
from bpetok._vocab import VocabTables
from bpetok.errors import VocabularyError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Vocabulary"]

Semantics = Literal["ranks", "merges", "scores"]
Alphabet = Literal["bytes", "characters"]


class Vocabulary:
    """An immutable vocabulary. Made by `from_ranks`, `from_merges` or `from_binary`.

    Attributes:
        tables: the native tables.
        semantics: "ranks" or "merges".
        ignore_merges: for "merges", whether a piece that is a token is that token without merging.
        special_tokens: text to id of the special tokens; a read-only mapping.
    """

    def __init__(
        self,
        tables: VocabTables,
        semantics: Semantics,
        special_tokens: Mapping[str, int],
        *,
        ignore_merges: bool = False,
        merge_counts: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.tables = tables
        self.semantics: Semantics = semantics
        self.ignore_merges = ignore_merges
        self.special_tokens: Mapping[str, int] = MappingProxyType(dict(special_tokens))
        self._merge_counts = merge_counts

    @classmethod
    def from_ranks(cls, ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> Vocabulary:
        """A vocabulary with tiktoken's semantics.

        Args:
            ranks: bytes to rank; ranks are ids, may have gaps, and lie below 2**24 - 256.
            special_tokens: text to id. An id that is also a rank decodes to the rank's bytes.

        Raises:
            VocabularyError: an id is out of range or given twice, or a token is empty. A byte that is
                missing is no error until a text holds it.
        """
        tokens = {rank: data for data, rank in ranks.items()}
        if len(tokens) != len(ranks):
            seen: dict[int, bytes] = {}
            for data, rank in ranks.items():
                if rank in seen:
                    raise VocabularyError(
                        f"rank {rank} is given to both {seen[rank]!r} and {data!r}; ranks must be unique"
                    )
                seen[rank] = data
        tables = VocabTables.from_tokens(tokens, dict(special_tokens), len(tokens), ranks_are_ids=True)
        link_ranks(tables)
        return cls(tables, "ranks", special_tokens)

    @classmethod
    def from_merges(
        cls,
        tokens: Mapping[int, bytes] | Sequence[bytes],
        merges: Iterable[tuple[int, int]] | npt.NDArray[Any],
        special_tokens: Mapping[str, int],
        *,
        ignore_merges: bool = False,
        merge_counts: npt.NDArray[np.int64] | None = None,
    ) -> Vocabulary:
        """A vocabulary with the semantics of a merge list.

        Args:
            tokens: id to bytes of every token but the special ones, single bytes included.
            merges: pairs of ids in order of priority, or an integer array of shape (n, 2). A pair gives
                the token of its joined bytes, and two pairs may give the same one.
            special_tokens: text to id.
            ignore_merges: whether a piece that is a token is that token without merging.
            merge_counts: int64, shape (n,): how often each pair stood in the training corpus when it
                was merged. Shown by `Tokenizer.explain`.

        Raises:
            VocabularyError: an id is out of range or given twice, a token is empty, a merge is given
                twice, or its result or one of its parts is no token.
        """
        by_id = dict(tokens) if isinstance(tokens, Mapping) else dict(enumerate(tokens))
        pairs = merges.tolist() if hasattr(merges, "tolist") else list(merges)
        if merge_counts is not None and len(merge_counts) != len(pairs):
            raise VocabularyError(f"{len(merge_counts)} merge counts were given for {len(pairs)} merges")
        tables = VocabTables.from_tokens(by_id, dict(special_tokens), len(pairs), ranks_are_ids=False)
        link_merges(tables, pairs, ignore_merges)
        return cls(tables, "merges", special_tokens, ignore_merges=ignore_merges, merge_counts=merge_counts)

    @classmethod
    def from_characters(
        cls,
        tokens: Mapping[int, bytes],
        *,
        merges: Iterable[tuple[int, int]] | npt.NDArray[Any] | None = None,
        scores: Mapping[int, float] | None = None,
        special_tokens: Mapping[str, int],
        byte_tokens: Sequence[int] | None,
        unknown: int | None = None,
        fuse_unknown: bool | Literal["piece", "text"] = False,
        unused: Collection[int] = (),
        ignore_merges: bool = False,
    ) -> Vocabulary:
        """A vocabulary whose merging starts from characters."""
        raise NotImplementedError

    @property
    def alphabet(self) -> Alphabet:
        """What merging starts from."""
        return "bytes"

    @property
    def byte_tokens(self) -> tuple[int, ...] | None:
        """The ids of the tokens `<0x00>` to `<0xFF>`; None where there are none."""
        return None

    @property
    def unknown(self) -> int | None:
        """The id for a character that is in no token; None where there is none."""
        return None

    @property
    def fuse_unknown(self) -> Literal["piece", "text"] | None:
        """Whether unknown characters side by side in a piece, or in a text, are one id."""
        return None

    @property
    def unused(self) -> frozenset[int]:
        """Ids that are merged through, and then taken apart again."""
        return frozenset()

    def scores(self) -> dict[int, float]:
        """Id to score of every token."""
        raise NotImplementedError

    @classmethod
    def from_binary(cls, blob: bytes, special_tokens: Mapping[str, int], where: str) -> Vocabulary:
        """An embedded encoding, from the compact form of `VocabTables.to_binary`.

        Raises:
            FormatError: the data is damaged; `where` names its source in the message.
        """
        return cls(VocabTables.from_binary(blob, dict(special_tokens), where), "ranks", special_tokens)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} tokens and {len(self.special_tokens)} special tokens>"

    def __len__(self) -> int:
        """Number of tokens, without the special ones."""
        return self.tables.n_tokens

    def __reduce__(self) -> tuple[Any, ...]:
        if self.semantics == "ranks":
            return (Vocabulary.from_ranks, (self.ranks(), dict(self.special_tokens)))
        return (
            _rebuild_merges,
            (
                self.tokens(),
                self.merges(),
                dict(self.special_tokens),
                self.ignore_merges,
                self._merge_counts,
            ),
        )

    @property
    def n_vocab(self) -> int:
        """The largest id, special or not, plus one."""
        return self.tables.n_ids

    @property
    def merge_counts(self) -> npt.NDArray[np.int64] | None:
        """int64, shape (n merges,): the training counts, in the order of `merges`; None if unknown."""
        return self._merge_counts

    def token_bytes(self, token: int) -> bytes | None:
        """The bytes of an id, special or not; None for an id that is not in use."""
        return self.tables.token_bytes(token)

    def tokens(self) -> dict[int, bytes]:
        """Id to bytes of every token but the special ones, in the order of ids."""
        return self.tables.tokens()

    def merges(self) -> npt.NDArray[np.uint32]:
        """The pairs of ids that merge, in order of priority: uint32, shape (n, 2).

        With *ranks* semantics these are the only pairs that any text ever merges.
        """
        import numpy as np

        pairs = [(left, right) for _, left, right, _ in self.tables.merges()]
        return np.array(pairs, dtype=np.uint32).reshape(-1, 2)

    def ranks(self) -> dict[bytes, int]:
        """Bytes to rank, for a library with tiktoken's semantics, giving equal ids on every text.

        Raises:
            VocabularyError: a merge list has no equivalent ranks: its ids are not in the order of its
                merges, or a token is not built by the pair that the ranks would build it from.
        """
        ranks = {data: token for token, data in self.tables.tokens().items()}
        if self.semantics == "merges":
            merges = self.tables.merges()
            ordered = [result for _, _, _, result in merges]
            if ordered != sorted(set(ordered)):
                raise VocabularyError(
                    "this merge list has no equivalent ranks: the ids of its tokens do not rise in the "
                    "order of its merges; save it as 'native' or 'huggingface'"
                )
            by_ranks = Vocabulary.from_ranks(ranks, {})
            for (_, left, right, result), (_, *pair, token) in zip(
                merges, by_ranks.tables.merges(), strict=False
            ):
                if [left, right] != pair or result != token:
                    break
            else:
                whole = self.ignore_merges or all(self.tables.is_whole(token) for token in ranks.values())
                if whole and len(merges) == len(by_ranks.tables.merges()):
                    return ranks
            raise VocabularyError(
                "this merge list has no equivalent ranks: some token would be built by another pair; save "
                "it as 'native' or 'huggingface'"
            )
        return ranks


def _rebuild_merges(
    tokens: dict[int, bytes],
    merges: npt.NDArray[np.uint32],
    special_tokens: dict[str, int],
    ignore_merges: bool,
    merge_counts: npt.NDArray[np.int64] | None,
) -> Vocabulary:
    return Vocabulary.from_merges(
        tokens, merges, special_tokens, ignore_merges=ignore_merges, merge_counts=merge_counts
    )
