"""A tokenizer as it is measured: its entries, what they are, and texts to ids, many at a time.

Anything that satisfies `TokenizerLike` can be measured. What else a tokenizer may offer is used where it is
there, by the names that bpetok and tiktoken give it: `name`, batches (`encode_flat`,
`encode_ordinary_batch`), `special_tokens_set`, `normalizer`, and `vocabulary` with its merges and byte
tokens.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.layout import Layout
from bpetok.errors import DiagnosticsError
from bpetok.protocols import TokenizerLike

__all__ = ["KINDS", "Encoded", "Subject", "inside_text", "kind_of"]

Indices = npt.NDArray[np.int64]

KINDS = ("well-formed", "partial", "ill-formed", "byte", "special", "unused")
WELL_FORMED, PARTIAL, ILL_FORMED, BYTE, SPECIAL, UNUSED = range(len(KINDS))


def kind_of(data: bytes) -> int:
    r"""The number in `KINDS` of the bytes of an entry that is not special.

    >>> [KINDS[kind_of(data)] for data in (b"a", b" \xe4\xba", b"\xc3", b"\xff\xfe")]
    ['well-formed', 'partial', 'byte', 'ill-formed']
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        if len(data) == 1:
            return BYTE
        return PARTIAL if inside_text(data) else ILL_FORMED
    return WELL_FORMED


def inside_text(data: bytes) -> bool:
    r"""Whether some text has these bytes in its UTF-8.

    >>> inside_text(b"\xa4a\xe4"), inside_text(b"\xf8")
    (True, False)
    """
    first = next((at for at, byte in enumerate(data) if byte & 0xC0 != 0x80), len(data))
    if first > 3:
        return False  # up to three continuation bytes end a character, whichever they are
    try:
        data[first:].decode()
    except UnicodeDecodeError as error:
        # Said only of what may go on: Python knows which second bytes a first one allows.
        return error.reason == "unexpected end of data"
    return True


class Encoded(NamedTuple):
    """The ids of some texts.

    Attributes:
        ids: of all texts, one text behind the other.
        bounds: where each text begins among them, and where the last ends.
    """

    ids: npt.NDArray[Any]
    bounds: Indices


class Subject:
    """A tokenizer that is measured.

    Args:
        tokenizer: any `TokenizerLike`.
        name: how it is called in reports; its own name where it has one.

    Raises:
        DiagnosticsError: it is no `TokenizerLike`, or has no entry.
    """

    def __init__(self, tokenizer: TokenizerLike, name: str | None = None) -> None:
        if not isinstance(tokenizer, TokenizerLike):
            raise DiagnosticsError(
                f"{type(tokenizer).__name__} is no tokenizer that can be measured: it needs n_vocab, "
                "encode_ordinary, decode_bytes and decode_single_token_bytes"
            )
        self.tokenizer: Any = tokenizer
        self.name = name or getattr(tokenizer, "name", None) or type(tokenizer).__name__
        self.n_vocab = int(tokenizer.n_vocab)
        if self.n_vocab < 1:
            raise DiagnosticsError(f"{self.name} has no entry to measure")

    @functools.cached_property
    def entries(self) -> list[bytes | None]:
        """The bytes of each id; None for an id that is not in use."""
        found: list[bytes | None] = []
        for token in range(self.n_vocab):
            try:
                found.append(self.tokenizer.decode_single_token_bytes(token))
            except (KeyError, IndexError):
                found.append(None)
        return found

    @functools.cached_property
    def texts(self) -> dict[int, str]:
        """The texts of the entries that are whole characters, but special ones, by id."""
        entries = self.entries
        return {
            token: (entries[token] or b"").decode()
            for token in np.flatnonzero(self.kinds == WELL_FORMED).tolist()
        }

    @functools.cached_property
    def lengths(self) -> Indices:
        """How many bytes each entry has; 0 for an id that is not in use."""
        return np.array([len(data) if data is not None else 0 for data in self.entries], np.int64)

    @functools.cached_property
    def kinds(self) -> npt.NDArray[np.uint8]:
        """The number in `KINDS` of each entry."""
        kinds = np.array([UNUSED if data is None else kind_of(data) for data in self.entries], np.uint8)
        byte_tokens = getattr(self.vocabulary, "byte_tokens", None)
        if byte_tokens is not None:
            kinds[list(byte_tokens)] = BYTE
        kinds[sorted(self.special)] = SPECIAL
        return kinds

    @functools.cached_property
    def special(self) -> frozenset[int]:
        """The ids of special tokens, as far as the tokenizer tells."""
        names = getattr(self.tokenizer, "special_tokens_set", ())
        special = {self.tokenizer.encode_single_token(name) for name in names}
        unknown = getattr(self.vocabulary, "unknown", None)
        return frozenset(special if unknown is None else special | {unknown})

    @property
    def vocabulary(self) -> Any:
        """The tokenizer's own account of its merges and byte tokens, or None."""
        return getattr(self.tokenizer, "vocabulary", None)

    @functools.cached_property
    def merges(self) -> npt.NDArray[np.int64] | None:
        """The pairs of ids that merge, shape (n, 2); None where the tokenizer does not tell."""
        merges = getattr(self.vocabulary, "merges", None)
        return None if merges is None else np.asarray(merges(), np.int64).reshape(-1, 2)

    @functools.cached_property
    def id_of(self) -> dict[bytes, int]:
        """The id of the bytes of each entry but special ones; the lowest of several."""
        found: dict[bytes, int] = {}
        for token, data in enumerate(self.entries):
            if data is not None and token not in self.special:
                found.setdefault(data, token)
        return found

    @functools.cached_property
    def normalizer(self) -> str | None:
        """What the tokenizer does to a text before it cuts it, or None."""
        normalizer = getattr(self.tokenizer, "normalizer", None)
        return None if normalizer is None else repr(normalizer)

    @functools.cached_property
    def sha256(self) -> str:
        """Of the entries in the order of ids, which tells two vocabularies apart."""
        parts = [b"-" if data is None else b"%d:%b" % (len(data), data) for data in self.entries]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The ids of some texts, special tokens in them taken as ordinary text."""
        if hasattr(self.tokenizer, "encode_flat"):
            ids, bounds = self.tokenizer.encode_flat(texts, disallowed_special=())
            return Encoded(np.asarray(ids), np.asarray(bounds, np.int64))
        if hasattr(self.tokenizer, "encode_ordinary_batch"):
            lists = self.tokenizer.encode_ordinary_batch(list(texts))
        else:
            lists = [self.tokenizer.encode_ordinary(text) for text in texts]
        bounds = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        ids = np.fromiter((token for ids in lists for token in ids), np.int64, int(bounds[-1]))
        return Encoded(ids, bounds)

    def layout(self, encoded: Encoded, original: Layout) -> Layout:
        """The texts as they were encoded: what the tokens join to.

        Where a tokenizer normalizes or puts spaces in, this differs from the texts themselves, and borders
        of tokens are borders in this.

        Raises:
            DiagnosticsError: the tokens of a text do not join to UTF-8.
        """
        entries = [data or b"" for data in self.entries]
        data = b"".join(map(entries.__getitem__, encoded.ids.tolist()))
        bounds = np.concatenate(([0], np.cumsum(self.lengths[encoded.ids])))[encoded.bounds]
        if np.array_equal(bounds, original.bounds) and data == original.data.tobytes():
            return original
        try:
            texts = [data[start:stop].decode() for start, stop in pairwise(bounds.tolist())]
        except UnicodeDecodeError as error:
            raise DiagnosticsError(
                f"{self.name}: the tokens of a text join to {error.object[:40]!r}..., which is not UTF-8: "
                "borders in it are not known"
            ) from error
        return Layout.of(texts, original.segmenter)
