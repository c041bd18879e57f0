"""The BPE model of a `tokenizer.json`: vocabulary, merges and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_ID, field, is_id, shorten

__all__ = ["Model", "read_model"]

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
        merges: int64, shape (n, 3): left id, right id and id of the joined text, in order of priority, no
            pair
            twice.
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

    def merged(self) -> set[int]:
        """The ids that a merge joins or makes."""
        return set(np.unique(self.merges).tolist())


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
        if not kinds <= {str} and not kinds <= {list}:
            raise TypeError
        columns = (
            [vocab[left] for left, _ in parts],
            [vocab[right] for _, right in parts],
            [vocab[left + right] for left, right in parts],
        )
    except (KeyError, TypeError, ValueError):
        raise _wrong_merge(parts, vocab, path) from None
    merges = np.array(columns, np.int64).T.reshape(-1, 3)
    keys = merges[::-1, 0] << 32 | merges[::-1, 1]
    _, last = np.unique(keys, return_index=True)
    return merges if len(last) == len(merges) else merges[np.sort(len(merges) - 1 - last)]


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
        for part in (*row, "".join(row)):
            if part not in vocab:
                return FormatError(
                    f"{path}: merge {at} of 'merges' needs {shorten(part)}, which is not in 'vocab'"
                )
    return FormatError(f"{path}: 'merges' are spelled in two ways; write all as pairs or all as strings")
