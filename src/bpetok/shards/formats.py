"""The files of a shard, format by format.

While a shard is written its ids lie in a draft, one behind another, with room for a header in front. To
finish it, "bin", "llmc", "npy" and "megatron" write the header and give the file its name, so that nothing is
copied; "parquet" and "arrow" write a file from it.
"""

import io
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import FormatError, MissingExtraError, ShardError
from bpetok.formats.atomic import write_stream

ROWS_TOKENS = 1 << 22  # ids in a row group of Parquet, a record batch of Arrow: what is in memory at a time
MOST_ROW = 2**31 - 1  # ids in a row: lengths and offsets have 32 bits
COLUMN = "input_ids"

Ids = npt.NDArray[Any]
Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a draft holds when it is finished: `ids`, a file with `n` of them behind its header; the lengths
    of the rows, if the format has rows; the sequence length, if one is set."""

    ids: Path
    n: int
    dtype: np.dtype[Any]
    lengths: Lengths
    sequence_length: int | None


@dataclass(frozen=True, slots=True)
class Format:
    """A format of shards.

    Attributes:
        suffixes: of the files of a shard, that with the ids first.
        rows: whether documents stay apart.
        header: bytes before the ids.
        finish: makes the files, whose paths are given, of a draft. It may be done again when it was cut off.
        dtype: the type of ids for a size of the vocabulary.
    """

    suffixes: tuple[str, ...]
    rows: bool
    header: int
    finish: Callable[[Contents, list[Path]], None]
    dtype: Callable[[int], str]


def _narrowest(n_vocab: int) -> str:
    return "<u2" if n_vocab <= 1 << 16 else "<u4"


def placed(path: Path) -> AbstractContextManager[IO[bytes]]:
    """A file to write to, which takes its place when the block ends; until then a dot begins its name."""
    return write_stream(path, draft=f".{path.name}.part")


def _place(contents: Contents, header: bytes, target: Path) -> None:
    """Write the header into the draft and give it its name."""
    with open(contents.ids, "r+b") as file:
        file.write(header)
        file.truncate(len(header) + contents.n * contents.dtype.itemsize)
        file.flush()
        os.fsync(file.fileno())
    os.replace(contents.ids, target)


# ---- bare integers, and those with a header ------------------------------------------------------------


def _finish_bin(contents: Contents, paths: list[Path]) -> None:
    _place(contents, b"", paths[0])


# llm.c, dev/data/data_common.py: 256 int32 of header, the first three of them magic, version, number of ids.
_LLMC_BYTES = 1024
_LLMC = {2: (20240520, 1), 4: (20240801, 7)}


def _finish_llmc(contents: Contents, paths: list[Path]) -> None:
    magic, version = _LLMC[contents.dtype.itemsize]
    if contents.n > MOST_ROW:
        raise ShardError(f"{paths[0].name}: the header of llmc counts to 2**31 - 1: set shard_tokens")
    _place(contents, struct.pack("<iii", magic, version, contents.n).ljust(_LLMC_BYTES, b"\0"), paths[0])


_NPY_BYTES = 128


def _finish_npy(contents: Contents, paths: list[Path]) -> None:
    width = contents.sequence_length
    shape = (contents.n,) if width is None else (contents.n // width, width)
    file = io.BytesIO()
    fields = {"descr": contents.dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    if file.tell() != _NPY_BYTES:
        raise FormatError(f"{paths[0].name}: numpy makes a header of {file.tell()} bytes: write .bin shards")
    _place(contents, file.getvalue(), paths[0])


# ---- Megatron-LM ---------------------------------------------------------------------------------------

# megatron/core/datasets/indexed_dataset.py: magic, version 1, code of the type, numbers of sequences and of
# document bounds; then int32 lengths, int64 byte offsets, and int64 numbers of sequences before each bound.
_MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
_MEGATRON_CODE = {"<i4": 4, "<u2": 8}


def _megatron_type(n_vocab: int) -> str:
    """The same type that Megatron-LM would choose: it has none of 32 bits without a sign."""
    return "<u2" if n_vocab < 65500 else "<i4"


def _finish_megatron(contents: Contents, paths: list[Path]) -> None:
    lengths = contents.lengths
    ends = np.cumsum(lengths * contents.dtype.itemsize, dtype="<i8")
    count = len(lengths)
    index = b"".join(
        (
            _MEGATRON_MAGIC,
            struct.pack("<QBQQ", 1, _MEGATRON_CODE[contents.dtype.str], count, count + 1),
            lengths.astype("<i4").tobytes(),
            np.concatenate((np.zeros(1, "<i8"), ends))[:count].tobytes(),
            np.arange(count + 1, dtype="<i8").tobytes(),
        )
    )
    with placed(paths[1]) as file:
        file.write(index)
    _place(contents, b"", paths[0])


# ---- Parquet and Arrow ---------------------------------------------------------------------------------


def _finish_parquet(contents: Contents, paths: list[Path]) -> None:
    pyarrow = load_pyarrow()
    from pyarrow.parquet import ParquetWriter

    schema = _schema(pyarrow, contents)
    with placed(paths[0]) as file, ParquetWriter(file, schema) as writer:
        for batch in _batches(pyarrow, contents, schema):
            writer.write_batch(batch)


def _finish_arrow(contents: Contents, paths: list[Path]) -> None:
    pyarrow = load_pyarrow()
    schema = _schema(pyarrow, contents)
    with placed(paths[0]) as file, pyarrow.ipc.new_file(file, schema) as writer:
        for batch in _batches(pyarrow, contents, schema):
            writer.write_batch(batch)


def load_pyarrow() -> Any:
    """The pyarrow package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError(
            'Parquet and Arrow shards need pyarrow: install it with pip install "bpetok[data]"'
        ) from error
    return pyarrow


def _schema(pyarrow: Any, contents: Contents) -> Any:
    return pyarrow.schema([(COLUMN, pyarrow.list_(pyarrow.from_numpy_dtype(contents.dtype)))])


def _batches(pyarrow: Any, contents: Contents, schema: Any) -> Iterator[Any]:
    """Whole rows, of about `ROWS_TOKENS` ids together."""
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(contents.lengths)))
    first = 0
    with open(contents.ids, "rb") as file:
        while first < len(contents.lengths):
            last = int(np.searchsorted(bounds, bounds[first] + ROWS_TOKENS, "right")) - 1
            last = max(last, first + 1)
            ids = read_ids(file, int(bounds[last] - bounds[first]), contents.dtype)
            offsets = pyarrow.array((bounds[first : last + 1] - bounds[first]).astype(np.int32))
            column = pyarrow.ListArray.from_arrays(offsets, pyarrow.array(ids))
            yield pyarrow.RecordBatch.from_arrays([column], schema=schema)
            first = last


def read_ids(file: IO[bytes], n: int, dtype: np.dtype[Any]) -> Ids:
    """The next `n` ids of a file."""
    return np.frombuffer(file.read(n * dtype.itemsize), dtype)


FORMATS: Mapping[str, Format] = {
    "bin": Format((".bin",), False, 0, _finish_bin, _narrowest),
    "llmc": Format((".bin",), False, _LLMC_BYTES, _finish_llmc, _narrowest),
    "npy": Format((".npy",), False, _NPY_BYTES, _finish_npy, _narrowest),
    "megatron": Format((".bin", ".idx"), True, 0, _finish_megatron, _megatron_type),
    "parquet": Format((".parquet",), True, 0, _finish_parquet, _narrowest),
    "arrow": Format((".arrow",), True, 0, _finish_arrow, _narrowest),
}
