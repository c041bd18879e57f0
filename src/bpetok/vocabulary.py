"""Vocabularies: which bytes each id stands for, and which pairs merge in which order.

Three semantics are in use and all are kept exactly:

- *ranks* (tiktoken): a vocabulary is a mapping of bytes to rank, which is also the id. A piece that is
  an entry is that id. Otherwise the two neighbouring parts whose joined bytes have the lowest rank are
  merged, the leftmost first, until no joined bytes are an entry.
- *merges* (`tokenizers`): a list of pairs of ids, in order of priority; only listed pairs merge. A
  piece that is an entry is looked up whole only with `ignore_merges`.
- *scores* (SentencePiece): the two neighbours whose joined text is the token of the highest score are
  merged, the leftmost first, until none joins to a token.

Merging starts from bytes, or from characters: then a character that no token has becomes the tokens of its
bytes (*byte fallback*), or one for what is unknown.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bpetok._merge import link_merges, link_ranks, link_scores
from bpetok._vocab import VocabTables
from bpetok.errors import VocabularyError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Vocabulary"]

Semantics = Literal["ranks", "merges", "scores"]
Alphabet = Literal["bytes", "characters"]


class Vocabulary:
    """An immutable vocabulary. Made by `from_ranks`, `from_merges`, `from_characters` or `from_binary`.

    Attributes:
        tables: the native tables.
        semantics: "ranks", "merges" or "scores".
        ignore_merges: for "merges", whether a piece that is a token is that token without merging.
        special_tokens: text to id of the special tokens; a read-only mapping.
        alphabet: what merging starts from, "bytes" or "characters"; the following are for these.
        byte_tokens: the 256 ids of the tokens `<0x00>` to `<0xFF>`, or None.
        unknown: the id of a character that is in no token, or None.
        fuse_unknown: whether unknown characters side by side are one id: in a "piece", in a "text", or None.
        unused: ids that are merged through, and then taken apart again.
    """

    def __init__(
        self,
        tables: VocabTables,
        semantics: Semantics,
        special_tokens: Mapping[str, int],
        *,
        ignore_merges: bool = False,
        merge_counts: npt.NDArray[np.int64] | memoryview | None = None,
        characters: _Characters | None = None,
    ) -> None:
        self.tables = tables
        self.semantics: Semantics = semantics
        self.ignore_merges = ignore_merges
        self.special_tokens: Mapping[str, int] = MappingProxyType(dict(special_tokens))
        self._merge_counts = merge_counts
        self._scores = characters and characters.scores
        self.alphabet: Alphabet = "bytes" if characters is None else "characters"
        self.byte_tokens = characters and characters.byte_tokens
        self.unknown = characters and characters.unknown
        self.fuse_unknown = characters and characters.fuse_unknown
        self.unused = characters.unused if characters else frozenset()

    @property
    def takes_whole(self) -> bool:
        """Whether a piece that is a token is that token, whatever merging makes of it."""
        return self.semantics == "ranks" or self.ignore_merges

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
        tokens = dict(zip(ranks.values(), ranks, strict=True))
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
        merge_counts: npt.NDArray[np.int64] | memoryview | None = None,
    ) -> Vocabulary:
        """A vocabulary with the semantics of a merge list.

        Args:
            tokens: id to bytes of every token but the special ones, single bytes included.
            merges: pairs of ids in order of priority, or an integer array of shape (n, 2). A pair gives
                the token of its joined bytes, and two pairs may give the same one.
            special_tokens: text to id.
            ignore_merges: whether a piece that is a token is that token without merging.
            merge_counts: int64, shape (n,), an array or a view: how often each pair stood in the training
                corpus when it was merged. Shown by `Tokenizer.explain`.

        Raises:
            VocabularyError: an id is out of range or given twice, a token is empty, a merge is given
                twice, or its result or one of its parts is no token.
        """
        by_id = dict(tokens) if isinstance(tokens, Mapping) else dict(enumerate(tokens))
        pairs = _in_turns(merges)
        n_merges = len(pairs) // 2
        if merge_counts is not None and len(merge_counts) != n_merges:
            raise VocabularyError(f"{len(merge_counts)} merge counts were given for {n_merges} merges")
        tables = VocabTables.from_tokens(by_id, dict(special_tokens), n_merges, ranks_are_ids=False)
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
        """A vocabulary whose merging starts from characters, with the semantics of a merge list or of scores.

        Args:
            tokens: id to the UTF-8 of every token that text can become, but special tokens and byte tokens.
            merges: pairs of ids in order of priority, as for `from_merges`. A character that is no token
                takes
                part in none.
            scores: instead of merges, the score of each token: the two neighbours whose joined text is the
                token
                of the highest score are merged, the leftmost first. Of equal scores, too, the leftmost is
                taken, which is exact but slower. A character needs no token to take part.
            special_tokens: text to id of the tokens that are only found by their own text.
            byte_tokens: the 256 ids of the tokens for bytes, which an unknown character becomes; None if
                there
                are none. Where a character of one byte has a token, that is taken, and the byte token is
                known to decoding only.
            unknown: the id that an unknown character becomes where there are no byte tokens. If there is
                none,
                such a text is an `EncodeError`.
            fuse_unknown: whether unknown characters side by side are one id: within a "piece"
                (`tokenizers`), or
                within a "text" (SentencePiece). True is "text" for scores, else "piece".
            unused: with scores, ids of tokens that are merged, and at the end taken apart again into what
                they
                were merged from, unless they are single characters.
            ignore_merges: whether a piece that is a token is that token without merging.

        Raises:
            VocabularyError: as `from_merges`; or a token is not UTF-8, there are not 256 byte tokens, a
            score is
                missing or no number, or `unknown` or an id of `unused` is no token.

        >>> vocabulary = Vocabulary.from_characters(
        ...     {256: b"a", 257: b"b", 258: b"ab"},
        ...     scores={256: -1, 257: -2, 258: 0},
        ...     special_tokens={},
        ...     byte_tokens=range(256),
        ... )
        >>> from bpetok import Tokenizer
        >>> Tokenizer.from_vocabulary("toy", "whole", vocabulary).encode("ab\u00e9")
        [258, 195, 169]
        """
        if (merges is None) == (scores is None):
            raise VocabularyError("a vocabulary of characters has either merges or scores")
        if scores is not None and ignore_merges:
            raise VocabularyError("scores decide by merging alone: `ignore_merges` is for merges")
        if merges is not None and unused:
            raise VocabularyError("`unused` is for scores: leave out of a merge list what it shall not make")
        by_id = dict(tokens)
        if fuse_unknown not in (False, True, "piece", "text"):
            raise VocabularyError(f"unknown characters fuse in a 'piece' or a 'text', not {fuse_unknown!r}")
        default: Literal["piece", "text"] = "piece" if scores is None else "text"
        fuse = default if fuse_unknown is True else fuse_unknown or None
        for token in unused:
            if token not in by_id:
                raise VocabularyError(f"unused id {token} is not the id of a token")
        pairs = _in_turns(() if merges is None else merges)
        if unknown is not None and unknown in by_id:
            reached = scores is not None or unknown in pairs
            if reached or len(by_id[unknown].decode(errors="replace")) == 1:
                raise VocabularyError(
                    f"the unknown token {unknown} must not be a token that text can become: it is "
                    f"{by_id[unknown]!r}"
                )
        byte_ids = None if byte_tokens is None else tuple(byte_tokens)
        tables = VocabTables.from_characters(
            by_id,
            dict(special_tokens),
            len(by_id) if merges is None else len(pairs) // 2,
            byte_ids,
            unknown,
            0 if fuse is None else 1 if fuse == "piece" else 2,
            frozenset(unused),
            merges is None,
        )
        kept = None if scores is None else _finite(by_id, scores)
        if kept is None:
            link_merges(tables, pairs, ignore_merges)
        else:
            link_scores(tables, kept)
        return cls(
            tables,
            "merges" if scores is None else "scores",
            special_tokens,
            ignore_merges=ignore_merges,
            characters=_Characters(
                None if kept is None else MappingProxyType(kept), byte_ids, unknown, fuse, frozenset(unused)
            ),
        )

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
        """Number of tokens, without the special ones; byte tokens count."""
        return self.tables.n_tokens

    def __reduce__(self) -> tuple[Any, ...]:
        from bpetok import states

        return states.load_vocabulary, (states.dump_vocabulary(self),)

    @property
    def n_vocab(self) -> int:
        """The largest id, special or not, plus one."""
        return self.tables.n_ids

    @property
    def merge_counts(self) -> npt.NDArray[np.int64] | None:
        """int64, shape (n merges,): the training counts, in the order of `merges`; None if unknown."""
        import numpy as np

        return None if self._merge_counts is None else np.asarray(self._merge_counts)

    def token_bytes(self, token: int) -> bytes | None:
        """The bytes of an id, special or not; None for an id that is not in use."""
        return self.tables.token_bytes(token)

    def tokens(self) -> dict[int, bytes]:
        """Id to bytes of every token but the special ones and `byte_tokens`, in the order of ids."""
        return self.tables.tokens()

    def merges(self) -> npt.NDArray[np.uint32]:
        """The pairs of ids that merge, in order of priority: uint32, shape (n, 2).

        With *ranks* and *scores* these are the only pairs that any text ever merges, but for those in which
        a character takes part that is no token.
        """
        return self.merge_table()[:, :2]

    def merge_table(self) -> npt.NDArray[np.uint32]:
        """The merges with what they make, as `merges` has them: uint32, shape (n, 3): left, right, result."""
        import numpy as np

        table = np.frombuffer(self.tables.merge_rows(), np.uint32).reshape(-1, 4)[:, 1:].copy()
        if self.semantics == "scores":
            for token, symbol in self.tables.unused.items():
                table[table == symbol] = token
            table = table[(table[:, :2] < self.n_vocab).all(axis=1)]
        return table

    def scores(self) -> dict[int, float]:
        """Id to score of every token.

        Raises:
            VocabularyError: the semantics are others.
        """
        if self._scores is None:
            raise VocabularyError(f"this vocabulary has {self.semantics}, not scores")
        return dict(self._scores)

    def ranks(self) -> dict[bytes, int]:
        """Bytes to rank, for a library with tiktoken's semantics, giving equal ids on every text.

        Raises:
            VocabularyError: a merge list has no equivalent ranks: its ids are not in the order of its
                merges, or a token is not built by the pair that the ranks would build it from.
        """
        if self.alphabet == "characters":
            raise VocabularyError(
                "a vocabulary of characters has no equivalent ranks, which are for bytes: save it as "
                "'native' "
                "or 'huggingface'"
            )
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


class _Characters(NamedTuple):
    """What only a vocabulary of characters has; see `Vocabulary.from_characters`."""

    scores: Mapping[int, float] | None
    byte_tokens: tuple[int, ...] | None
    unknown: int | None
    fuse_unknown: Literal["piece", "text"] | None
    unused: frozenset[int]


def _in_turns(merges: Iterable[tuple[int, int]] | npt.NDArray[Any]) -> Any:
    """The ids of pairs as int64, left and right in turns."""
    if hasattr(merges, "astype"):
        return merges.astype("int64", casting="same_kind").reshape(-1)
    pairs = list(merges)
    if set(map(len, pairs)) - {2}:
        raise VocabularyError("a merge is a pair of ids")
    try:
        return array("q", chain.from_iterable(pairs))
    except OverflowError as error:
        raise VocabularyError("a merge joins an id that is far too large to be one") from error


def _finite(tokens: Iterable[int], scores: Mapping[int, float]) -> dict[int, float]:
    """The score of each token, which must be a finite number."""
    kept = {token: float(scores.get(token, math.nan)) for token in tokens}
    if not all(map(math.isfinite, kept.values())):
        token = next(token for token, score in kept.items() if not math.isfinite(score))
        raise VocabularyError(f"token {token} has the score {scores.get(token)}, which is no finite number")
    return kept
