"""The BPE model of a `tokenizer.json`: vocabulary, merges and settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain, compress
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_ID, field, is_id, shorten

__all__ = ["Model", "read_model"]

_LONG = 256  # characters

# What a file may leave out, and what it is then.
_SETTINGS: dict[str, object] = {
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}


@dataclass(frozen=True)
class Model:
    """A BPE model as it stands in the file.

    Attributes:
        vocab: text to id.
        merges: int64, shape (n, 2): left and right id, in order of priority, no pair twice.
        unk_token: the text of the token for unknown characters, or None.
        fuse_unk: whether unknown characters side by side in a piece are one token.
        byte_fallback: whether a character that is no entry is spelled by tokens for its bytes.
        ignore_merges: whether a piece that is an entry is that entry.
        dropout: how likely a merge is left out, or None.
    """

    vocab: Mapping[str, int]
    merges: npt.NDArray[np.int64]
    unk_token: str | None = None
    fuse_unk: bool = False
    byte_fallback: bool = False
    ignore_merges: bool = False
    dropout: float | None = None

    def merged(self, texts: Collection[str]) -> set[str]:
        """Those of some entries that a merge joins to others, or makes.

        Those that it makes are found by their cuts in two: these are far fewer than the merges, but for long
        texts, where their number times their length would be without bound.
        """
        ids = np.fromiter(map(self.vocab.__getitem__, texts), np.int64, len(texts))
        found = set(compress(texts, np.isin(ids, self.merges).tolist()))
        keys = np.sort(self.merges[:, 0] << 32 | self.merges[:, 1])
        get = self.vocab.get
        long = set()
        for text in texts:
            if len(text) > _LONG:
                long.add(text)
                continue
            for at in range(1, len(text)):
                left, right = get(text[:at]), get(text[at:])
                if left is not None and right is not None:
                    place = np.searchsorted(keys, left << 32 | right)
                    if place < len(keys) and keys[place] == left << 32 | right:
                        found.add(text)
        if long:
            spelled = {token: text for text, token in self.vocab.items()}
            parts = (map(spelled.__getitem__, column.tolist()) for column in self.merges.T)
            found.update(filter(long.__contains__, map(add, *parts)))
        return found


def read_model(document: dict[str, Any], path: str) -> Model:
    """The model of a file.

    Raises:
        FormatError: it is no BPE model, is damaged, or has settings that cannot be reproduced.
    """
    model = field(document, "model", dict, path)
    if model.get("type", "BPE") != "BPE":
        raise FormatError(f"{path}: 'model' is {shorten(model['type'])}: only BPE models can be read")
    settings: dict[str, Any] = {
        key: neutral if model.get(key) is None else model[key] for key, neutral in _SETTINGS.items()
    }
    for key in ("fuse_unk", "byte_fallback", "ignore_merges"):
        if not isinstance(settings[key], bool):
            raise FormatError(f"{path}: {key!r} is {shorten(settings[key])}: it must be true or false")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if settings.pop(key) not in (None, ""):
            raise FormatError(
                f"{path}: {key!r} is {shorten(model[key])}: a character is then another token within a word "
                "than "
                "at its border, and bpetok's merging starts from the same ones everywhere"
            )
    dropout = settings["dropout"]
    if dropout is not None and (
        isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1
    ):
        raise FormatError(f"{path}: 'dropout' is {shorten(dropout)}: it must be a number from 0 to 1")
    unknown = settings["unk_token"]
    if unknown is not None and not isinstance(unknown, str):
        raise FormatError(f"{path}: 'unk_token' is {shorten(unknown)}: it must be a text")
    vocab = field(model, "vocab", dict, path)
    _check_vocab(vocab, path)
    settings["dropout"] = dropout or None
    return Model(vocab, _merges(field(model, "merges", list, path), vocab, path), **settings)


def _check_vocab(vocab: dict[str, Any], path: str) -> None:
    """See that ids are ids, and none is given twice."""
    ids = vocab.values()
    are_ids = set(map(type, ids)) <= {int} and len(set(ids)) == len(ids)
    if are_ids and min(ids, default=0) >= 0 and max(ids, default=0) <= MAX_ID:
        return
    seen: dict[int, str] = {}
    for text, token in vocab.items():
        if not is_id(token):
            raise FormatError(
                f"{path}: 'vocab' gives {shorten(text)} the id {shorten(token)}; ids are integers from 0 to "
                f"{MAX_ID}"
            )
        if seen.setdefault(token, text) != text:
            raise FormatError(
                f"{path}: 'vocab' gives id {token} to two tokens, {shorten(seen[token])} and {shorten(text)}"
            )


def _merges(rows: list[Any], vocab: dict[str, int], path: str) -> npt.NDArray[np.int64]:
    """The merges as ids. They are spelled "a b" or ["a", "b"], all in the same way. Of a pair that is
    given twice the later counts, as in `tokenizers`."""
    kinds = set(map(type, rows))
    parts = [row.split(" ") for row in rows if not row.startswith("#version")] if kinds == {str} else rows
    try:
        if kinds not in (set(), {str}, {list}) or not set(map(len, parts)) <= {2}:
            raise TypeError
        # With no loop in Python: there may be half a million.
        ids = np.fromiter(map(vocab.__getitem__, chain.from_iterable(parts)), np.int64, 2 * len(parts))
    except (KeyError, TypeError):
        raise _wrong_merge(parts, vocab, path) from None
    merges: npt.NDArray[np.int64] = ids.reshape(-1, 2)
    keys = merges[:, 0] << 32 | merges[:, 1]
    ordered = np.sort(keys)
    if (ordered[1:] == ordered[:-1]).any():
        _, last = np.unique(keys[::-1], return_index=True)
        merges = merges[np.sort(len(merges) - 1 - last)]
    return merges


def _wrong_merge(parts: list[Any], vocab: dict[str, int], path: str) -> FormatError:
    """What is wrong with the first merge that is."""
    for at, row in enumerate(parts):
        if not (
            isinstance(row, list) and len(row) == 2 and all(isinstance(part, str) and part for part in row)
        ):
            return FormatError(
                f"{path}: merge {at} of 'merges' is {shorten(row)}; it must be a pair of tokens, spelled "
                "like the others"
            )
        for part in row:
            if part not in vocab:
                return FormatError(
                    f"{path}: merge {at} of 'merges' needs {shorten(part)}, which is not in 'vocab'"
                )
    return FormatError(f"{path}: 'merges' are spelled in two ways; write all as pairs or all as strings")
