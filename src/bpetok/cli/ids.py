"""Token ids in files: as text, as JSON lines, as a numpy array, or bare little-endian integers."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from bpetok.corpus import Document
from bpetok.errors import FormatError

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

Encoded = Iterable[tuple[Document, Any]]
_BLOCK = 1 << 20
_SLICE = 1 << 16
_PUNCTUATION = str.maketrans("[](),;", "      ")  # so that a printed Python or JSON list can be pasted


def id_type(tokenizer: "Tokenizer") -> Any:
    """The smallest of the two types of array that holds all ids: 16 or 32 bits, little end first."""
    return np.dtype("<u2" if tokenizer.n_vocab <= 1 << 16 else "<u4")


def writer_for(path: str, *, as_json: bool) -> Callable[[IO[bytes], Encoded, Any], object]:
    """How ids are written to a path, by its name."""
    suffix = PurePath(path).suffix.lower()
    if suffix == ".npy":
        return _write_npy
    if suffix == ".bin":
        return _write_bin
    return _write_objects if as_json and path == "-" else _write_text


def _write_text(file: IO[bytes], encoded: Encoded, dtype: Any) -> None:
    for _, ids in encoded:
        for start in range(0, len(ids), _SLICE):  # so that numbers as Python objects stay few
            block = " ".join(map(str, ids[start : start + _SLICE].tolist()))
            file.write(b" " * (start > 0) + block.encode())
        file.write(b"\n")


def _write_objects(file: IO[bytes], encoded: Encoded, dtype: Any) -> None:
    for document, ids in encoded:
        record = {"source": document.source, "ids": ids.tolist()}
        file.write(json.dumps(record).encode() + b"\n")


def _write_bin(file: IO[bytes], encoded: Encoded, dtype: Any) -> int:
    total = 0
    for _, ids in encoded:
        file.write(ids.astype(dtype, copy=False).data)
        total += len(ids)
    return total


def _write_npy(file: IO[bytes], encoded: Encoded, dtype: Any) -> None:
    def header(length: int) -> None:
        fields = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, fields)

    # numpy leaves room in the header for the array to grow, so it can be written again in place.
    header(0)
    start = file.tell()
    total = _write_bin(file, encoded, dtype)
    file.seek(0)
    header(total)
    if file.tell() != start:
        raise FormatError(f"the header of {total} ids does not fit: write to a .bin file instead")


def read_ids(path: str, file: IO[bytes], tokenizer: "Tokenizer") -> Iterator[list[int]]:
    """The ids in a file, some at a time; the format is told by the file's name.

    Raises:
        FormatError: the file does not hold ids.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix == ".npy":
        yield from _read_npy(path, file)
    elif suffix == ".bin":
        yield from _read_bin(path, file, id_type(tokenizer))
    else:
        yield from _read_text(path, file)


def _read_text(path: str, file: IO[bytes]) -> Iterator[list[int]]:
    for number, line in enumerate(file, 1):
        words = line.decode(errors="replace").translate(_PUNCTUATION).split()
        for word in words:
            if not re.fullmatch(r"[0-9]{1,20}", word):
                raise FormatError(
                    f"{path}:{number}: {word[:40]!r} is not a token id: give numbers with spaces between"
                )
        yield [int(word) for word in words]


def _read_bin(path: str, file: IO[bytes], dtype: Any) -> Iterator[list[int]]:
    while block := file.read(_BLOCK):
        if len(block) % dtype.itemsize:
            raise FormatError(
                f"{path}: the size is not a multiple of {dtype.itemsize} bytes, which an id here "
                "takes: the file is cut short, or was made with another tokenizer"
            )
        yield np.frombuffer(block, dtype).tolist()


def _read_npy(path: str, file: IO[bytes]) -> Iterator[list[int]]:
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path}: not a whole .npy file of numbers: make it again") from error
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.integer):
        raise FormatError(f"{path}: holds no array of whole numbers: token ids are needed")
    flat = array.reshape(-1)
    for start in range(0, len(flat), _BLOCK):
        yield flat[start : start + _BLOCK].tolist()
