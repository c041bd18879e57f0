"""Shards as a data set for training: windows of ids, straight from the mapped files.

Nothing here needs PyTorch: its `DataLoader` takes any object with a length and items, and makes tensors of
arrays.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import FormatError, ShardError
from bpetok.shards.formats import COLUMN, FORMATS, Ids, load_pyarrow
from bpetok.shards.manifest import Manifest, Shard

Item = tuple[npt.NDArray[np.int64], ...]


class TokenDataset:
    """The ids of a folder of shards, as pairs `(x, y)` of int64 arrays, where y is x moved on by one.

    A data set of the map style for `torch.utils.data.DataLoader`: windows of `context + 1` ids, which begin
    every `stride` ids of a shard. None reaches from one shard into the next, and what is left at a shard's
    end is in none. Without `context` the windows are the sequences that the shards were cut into.

    Each process opens a file when it first needs it, so the object can be pickled, forked, and read by any
    number of workers. Files are mapped into memory, but for Parquet, which is compressed: a process keeps the
    ids of the shards that it has read.

    Args:
        folder: what `Tokenizer.encode_to` has written, in any format.
        split: "train" or "val".
        context: ids in x.
        stride: from the beginning of a window to that of the next; by default `context`, so that each id is a
            target once, or the length of the shards' sequences.
        documents: whether items have a third array, which says for each id of x where in the window its
            document begins, 0 where that is before the window. Attention stays within documents where these
            numbers are equal. Documents are told apart by their separator, which must not stand for anything
            else, or by rows.
        verify: whether to compare the hashes of all files with the manifest, which reads them all.

    Raises:
        FormatError: the shards are not finished, or a file is not what the manifest says.
        ShardError: there is no such split, the numbers do not fit, or documents cannot be told apart.
        MissingExtraError: pyarrow is needed and not installed.

    >>> from bpetok import get_encoding
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = get_encoding("gpt2").encode_to(["a b", "c d e f"], folder)
    ...     data = TokenDataset(folder, context=3, documents=True)
    ...     [[array.tolist() for array in item] for item in data]
    [[[64, 275, 50256], [275, 50256, 66], [0, 0, 0]], [[66, 288, 304], [288, 304, 277], [0, 0, 0]]]
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        split: str = "train",
        context: int | None = None,
        stride: int | None = None,
        documents: bool = False,
        verify: bool = False,
    ) -> None:
        self.manifest = Manifest.load(folder)
        settings = self.manifest.settings
        if split not in self.manifest.totals:
            raise ShardError(f"{folder} has no split {split!r}: it has {', '.join(self.manifest.totals)}")
        width: int | None = settings["sequence_length"]
        if context is None and width is None:
            raise ShardError(f"{folder} holds no sequences: say how many ids a window has, with context")
        self._context = width - 1 if context is None and width else context or 0
        self._stride = (width if context is None and width else self._context) if stride is None else stride
        if self._context < 1 or self._stride < 1:
            raise ShardError(f"context is {self._context} and stride {self._stride}: both must be at least 1")
        self._border = _border(self.manifest, folder) if documents else None
        if settings["format"] in ("parquet", "arrow"):
            load_pyarrow()
        self._folder = Path(folder)
        self._shards = [shard for shard in self.manifest.shards if shard.split == split]
        for shard in self._shards:
            _check_sizes(self._folder, shard)
        if verify:
            self.manifest.verify(folder)
        counts = [max(0, (shard.tokens - self._context - 1) // self._stride + 1) for shard in self._shards]
        self._firsts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))
        self._opened: dict[int, _Opened] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __getitem__(self, index: int) -> Item:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no item {index}: the data set has {len(self)}")
        index %= len(self)
        which = int(np.searchsorted(self._firsts, index, "right")) - 1
        opened = self._opened.get(which)
        if opened is None:
            opened = self._opened[which] = self._open(self._shards[which])
        start = (index - int(self._firsts[which])) * self._stride
        window = opened.ids(start, start + self._context + 1)
        if self._border is None:
            return window[:-1], window[1:]
        begins = self._border(opened, start, window)[:-1]
        places = np.where(begins, np.arange(self._context), 0)
        return window[:-1], window[1:], np.maximum.accumulate(places)

    def _open(self, shard: Shard) -> "_Opened":
        settings = self.manifest.settings
        form = FORMATS[settings["format"]]
        path = self._folder / shard.files[0].name
        dtype = np.dtype(self.manifest.dtype).newbyteorder("<")
        lengths: npt.NDArray[Any] | None = None
        if settings["format"] in ("parquet", "arrow"):
            parts, lengths = _read_rows(path, settings["format"])
        else:
            parts = [np.memmap(path, dtype, "r", form.header, (shard.tokens,))] if shard.tokens else []
            if form.rows and self._border is _row_begins:
                lengths = np.fromfile(self._folder / shard.files[1].name, "<i4", shard.rows, offset=34)
        bounds = np.concatenate(
            (np.zeros(1, np.int64), np.cumsum([len(part) for part in parts], dtype=np.int64))
        )
        if bounds[-1] != shard.tokens:
            raise FormatError(f"{path} holds {bounds[-1]} ids, not {shard.tokens}: write the shards anew")
        rows = None if lengths is None else np.cumsum(lengths, dtype=np.int64)
        return _Opened(parts, bounds, rows)


@dataclass(frozen=True, slots=True)
class _Opened:
    """The ids of a shard in parts, with where each begins and the last ends; where rows end, if known."""

    parts: list[Ids]
    bounds: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None

    def ids(self, start: int, end: int) -> Ids:
        """Some ids, one behind another, as int64."""
        first = int(np.searchsorted(self.bounds, start, "right")) - 1
        last = int(np.searchsorted(self.bounds, end, "left"))
        return np.concatenate(
            [
                self.parts[at][max(start - int(self.bounds[at]), 0) : end - int(self.bounds[at])]
                for at in range(first, last)
            ],
            dtype=np.int64,
        )


Border = Callable[[_Opened, int, Ids], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class _AtSeparator:
    """Where documents begin in a window, by their separator."""

    separator: int
    before: bool

    def __call__(self, opened: _Opened, start: int, ids: Ids) -> npt.NDArray[np.bool_]:
        found = ids == self.separator
        return found if self.before else np.concatenate(([False], found[:-1]))


def _row_begins(opened: _Opened, start: int, ids: Ids) -> npt.NDArray[np.bool_]:
    """Where documents begin in a window, where each is a row."""
    assert opened.rows is not None
    begins = np.zeros(len(ids), np.bool_)
    first, last = np.searchsorted(opened.rows, (start, start + len(ids)))
    begins[opened.rows[first:last] - start] = True
    return begins


def _border(manifest: Manifest, folder: str | os.PathLike[str]) -> Border:
    settings = manifest.settings
    if FORMATS[settings["format"]].rows and settings["sequence_length"] is None:
        return _row_begins
    if settings["separator"] is None:
        raise ShardError(
            f"{folder}: the documents have no separator and cannot be told apart: write the shards with one"
        )
    return _AtSeparator(settings["separator"], settings["separator_at"] == "before")


def _check_sizes(folder: Path, shard: Shard) -> None:
    for file in shard.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise FormatError(
                f"{path} is missing, or does not have {file.bytes} bytes: write the shards anew"
            )


def _read_rows(path: Path, kind: str) -> tuple[list[Ids], npt.NDArray[Any]]:
    """The ids of a file with a column of lists, in parts, and the lengths of the lists."""
    pyarrow = load_pyarrow()
    try:
        if kind == "arrow":
            table = pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()
        else:
            from pyarrow.parquet import read_table

            table = read_table(path, columns=[COLUMN])
        chunks = table.column(COLUMN).chunks
        parts = [chunk.flatten().to_numpy() for chunk in chunks]
        lengths = [chunk.value_lengths().to_numpy() for chunk in chunks]
    except (pyarrow.ArrowException, KeyError) as error:
        raise FormatError(f"{path} is damaged ({error}): write the shards anew") from error
    return parts, np.concatenate([np.zeros(0, np.int32), *lengths])
