"""The metadata of a GGUF file: keys, each with a value of a stated type, in front of the weights.

Only what is asked for is kept, and nothing behind the metadata is read, so a model of any size is read in
little time and memory. Every length is compared with what is left of the file before anything is made of it.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from typing import IO, Any

from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_FILE, shorten

__all__ = ["MAGIC", "read_metadata", "write_metadata"]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
MAX_KEYS = 1 << 16
# Type to the letter of `array`; a boolean is a byte.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}


def read_metadata(file: IO[bytes], path: str, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The wanted keys of a file and their values: int, float or str, a list of str, or an array of numbers.

    Raises:
        FormatError: the file is damaged, of another version or byte order, or its metadata are larger than
            any tokenizer's.
        OSError: it cannot be read.
    """
    return _Reader(file, path).metadata(wanted)


class _Reader:
    def __init__(self, file: IO[bytes], path: str) -> None:
        self.file = file
        self.path = path
        self.left = min(file.seek(0, os.SEEK_END), MAX_FILE)
        file.seek(0)

    def refuse(self, why: str) -> FormatError:
        return FormatError(f"{self.path} is truncated or damaged: {why}; copy or download it again")

    def metadata(self, wanted: Callable[[str], bool]) -> dict[str, Any]:
        if self.take(4) != MAGIC:
            raise self.refuse("it does not begin with GGUF")
        version = self.number("I")
        if version not in VERSIONS:
            turned = int.from_bytes(version.to_bytes(4, "little"), "big")
            what = "is big-endian" if turned in VERSIONS else f"is of version {version}"
            raise FormatError(f"{self.path} {what}; little-endian files of versions 2 and 3 can be read")
        self.number("Q")  # of tensors, which come behind
        n_keys = self.number("Q")
        if n_keys > MAX_KEYS:
            raise self.refuse(f"it says that it has {n_keys} keys")
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for _ in range(n_keys):
            key = self.text("keys")
            if key in seen:
                raise self.refuse(f"the key {shorten(key)} is given twice")
            seen.add(key)
            keep = wanted(key)
            value = self.value(key, keep)
            if keep:
                found[key] = value
        return found

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise self.refuse(f"a part of its metadata takes {size} bytes, and {self.left} are left")
        self.left -= size
        data = self.file.read(size)
        if len(data) < size:
            raise self.refuse("it ends too early")
        return data

    def skip(self, size: int) -> None:
        if size > self.left:
            raise self.refuse(f"a part of its metadata takes {size} bytes, and {self.left} are left")
        self.left -= size
        self.file.seek(size, os.SEEK_CUR)

    def number(self, kind: str) -> int:
        value: int = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]
        return value

    def text(self, key: str) -> str:
        data = self.take(self.number("Q"))
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.refuse(f"a text of {shorten(key)} is no UTF-8 at byte {error.start}") from None

    def value(self, key: str, keep: bool) -> Any:
        kind = self.number("I")
        if kind == STRING:
            return self.text(key) if keep else self.skip(self.number("Q"))
        if kind != ARRAY:
            return self.numbers(key, kind, 1, keep=True)[0]
        inner, count = self.number("I"), self.number("Q")
        if inner != STRING:
            return self.numbers(key, inner, count, keep)
        if 8 * count > self.left:
            raise self.refuse(f"{shorten(key)} has {count} texts, and {self.left} bytes are left")
        if keep:
            return [self.text(key) for _ in range(count)]
        for _ in range(count):
            self.skip(self.number("Q"))
        return None

    def numbers(self, key: str, kind: int, count: int, keep: bool) -> array[Any]:
        if kind not in _NUMBERS:
            what = "a list of lists" if kind == ARRAY else f"of type {kind}"
            raise self.refuse(f"{shorten(key)} is {what}, which is not known")
        made: array[Any] = array(_NUMBERS[kind])
        if keep:
            made.frombytes(self.take(made.itemsize * count))
            if sys.byteorder == "big":
                made.byteswap()
        else:
            self.skip(made.itemsize * count)
        return made


def write_metadata(values: Mapping[str, Any]) -> bytes:
    """A file of version 3 that has metadata and no weights.

    Args:
        values: key to value: a bool, an int from 0 to 2**32 - 1, a str, or a list of str, int or float,
            which take four bytes each.
    """
    out = [MAGIC, struct.pack("<IQQ", VERSIONS[-1], 0, len(values))]
    for key, value in values.items():
        out.append(_text(key))
        if isinstance(value, bool):
            out.append(struct.pack("<I?", 7, value))
        elif isinstance(value, int):
            out.append(struct.pack("<II", 4, value))
        elif isinstance(value, str):
            out += [struct.pack("<I", STRING), _text(value)]
        elif value and isinstance(value[0], str):
            out += [struct.pack("<IIQ", ARRAY, STRING, len(value)), *map(_text, value)]
        else:
            kind = 6 if value and isinstance(value[0], float) else 5
            out.append(struct.pack(f"<IIQ{len(value)}{_NUMBERS[kind]}", ARRAY, kind, len(value), *value))
    return b"".join(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
