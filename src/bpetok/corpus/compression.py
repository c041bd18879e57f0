"""Files as plain byte streams: as they are, decompressed, or standard input.

Damage is an error that names the file, also damage that the libraries pass over: a Zstandard frame
cut short, a compressed file of no bytes at all.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import IO, Any

from bpetok.corpus.storage import is_url, open_raw
from bpetok.errors import CorpusError, MissingExtraError

_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zstd": "zstd"}
_MAGIC = {
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zX",),
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes((n, 0x2A, 0x4D, 0x18)) for n in range(0x50, 0x60))),
}
_REFUSED = {".7z", ".br", ".lz4", ".lzma", ".rar", ".tar", ".tgz", ".z", ".zip"}
_BLOCK = 1 << 17
_LONGEST_WINDOW = 1 << 31  # what `zstd --long=31` needs; large text dumps use it
_SLICE = 1 << 13  # of Zstandard data at a time: 4 bytes of it can stand for 128 KiB
# A small file that unpacks to an enormous text was made to do so. No text of some size is packed so well.
_MOST_TIMES = 500
_ALWAYS_FINE = 1 << 28


def split_suffix(path: str) -> tuple[str, str | None]:
    """The suffix that tells a file's format, and how the file is compressed.

    >>> split_suffix("corpus/part-1.JSONL.gz")
    ('.jsonl', 'gzip')
    >>> split_suffix("README")
    ('', None)
    >>> split_suffix("https://host/data.jsonl.zst?download=1")
    ('.jsonl', 'zstd')
    """
    if is_url(path):
        path = path.partition("::")[0]  # of a chain, the file itself
        if path.startswith(("http://", "https://")):
            path = re.split("[?#]", path, maxsplit=1)[0]
    name = PurePath(path)
    compression = _SUFFIXES.get(name.suffix.lower())
    if compression is not None:
        name = name.with_suffix("")
    return name.suffix.lower(), compression


def check(path: str, *, regular: bool) -> None:
    """See before any work begins that a file can be decompressed here.

    Args:
        path: the file.
        regular: whether it is an ordinary file, whose first bytes can be looked at without taking them.

    Raises:
        CorpusError: a compression that is not known, or not the one that the name says.
        MissingExtraError: zstandard is needed and not installed.
    """
    suffix, compression = split_suffix(path)
    if suffix in _REFUSED:
        raise CorpusError(
            f"{path}: {suffix} files are not read: unpack it first, "
            "or pipe the unpacked text into standard input and name it -"
        )
    if compression == "zstd":
        _zstandard(path)
    if compression is not None and regular:
        with open(path, "rb") as file:
            start = file.read(4)
        if not start.startswith(_MAGIC[compression]):
            raise CorpusError(
                f"{path}: not {compression} data, whatever its name says: get the file again, or rename it"
            )


@contextmanager
def open_bytes(path: str, start: int = 0, end: int | None = None) -> Iterator[IO[bytes]]:
    """A stream of the decompressed bytes of a file, or of standard input for "-".

    Args:
        path: the file.
        start: where reading begins, in the bytes that are stored: 0, or another of the `places`.
        end: where it ends; None for the end of the file.

    Raises:
        CorpusError: the file cannot be opened or read, or its compressed data is damaged or cut short.
        MissingExtraError: zstandard is needed and not installed.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    compression = split_suffix(path)[1]
    damage: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
    if compression == "zstd":
        damage += (_zstandard(path).ZstdError,)
    try:
        with open_raw(path, start, end) as file:
            if compression is None:
                yield file
                return
            counted = _Counted(file)
            with _unpacked(path, compression, counted) as stream:
                yield io.BufferedReader(_Bounded(path, stream, counted), _BLOCK)
    except damage as error:
        raise _damaged(path, compression, error) from error
    except OSError as error:
        if compression == "bzip2" and error.errno is None:  # bz2 has no class of its own for damage
            raise _damaged(path, compression, error) from error
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error


def _unpacked(path: str, compression: str, file: Any) -> Any:
    """A stream of decompressed bytes, not buffered, from anything that has `read`."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)
    if compression == "bzip2":
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if compression == "xz" else _ZstdStream(file, _zstandard(path))


def places(path: str, step: int) -> list[int]:
    """Where in a file's stored bytes reading may begin: 0, and others at least `step` apart.

    A file that is not compressed may be read from anywhere, one of Zstandard from where a frame begins, all
    others from the beginning alone; and so is one behind a URL that is compressed or cannot be sought in.

    Raises:
        CorpusError: the file cannot be opened or read.
    """
    compression = split_suffix(path)[1]
    with suppress(EOFError), open_raw(path) as file:
        if compression is None and file.seekable():
            return list(range(0, file.seek(0, os.SEEK_END), step)) or [0]
        if compression == "zstd" and not is_url(path):
            found = [0]
            for place in _frames(file):
                if place >= found[-1] + step:
                    found.append(place)
            return found
    return [0]


def _frames(file: IO[bytes]) -> Iterator[int]:
    """Where Zstandard frames begin, by the sizes in the heads of their blocks (RFC 8878, 3.1.1).

    Raises:
        EOFError: the data is damaged or cut short.
    """

    def number(n: int) -> int:
        data = file.read(n)
        if len(data) < n:
            raise EOFError
        return int.from_bytes(data, "little")

    end = file.seek(0, os.SEEK_END)
    place = file.seek(0)
    while place < end:
        yield place
        magic = number(4)
        if magic >> 4 == 0x184D2A5:  # a frame to be passed over
            file.seek(number(4), os.SEEK_CUR)
        elif magic == 0xFD2FB528:
            about = number(1)
            single, checked = about >> 5 & 1, about >> 2 & 1
            content = (single, 2, 4, 8)[about >> 6]
            file.seek(1 - single + (0, 1, 2, 4)[about & 3] + content, os.SEEK_CUR)
            last = 0
            while not last:
                head = number(3)
                last, kind, size = head & 1, head >> 1 & 3, head >> 3
                file.seek(1 if kind == 1 else size, os.SEEK_CUR)  # of a run, its byte
            file.seek(4 * checked, os.SEEK_CUR)
        else:
            raise EOFError
        place = file.tell()


def _damaged(path: str, compression: str | None, error: Exception) -> CorpusError:
    return CorpusError(
        f"{path}: the {compression} data is damaged or cut short ({error}): get the file again"
    )


class _Counted:
    """A file that can be read from only, and knows how many bytes were."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.n = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.n += len(data)
        return data


class _Bounded(io.RawIOBase):
    """Decompressed bytes, as long as they are not too many for those that they come from.

    Args:
        path: the file.
        stream: the decompressed bytes.
        stored: the ones that they come from.
    """

    def __init__(self, path: str, stream: Any, stored: _Counted) -> None:
        self._path = path
        self._stream = stream
        self._stored = stored
        self._n = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n: int = self._stream.readinto(buffer)
        self._n += n
        if self._n > _ALWAYS_FINE and self._n > _MOST_TIMES * self._stored.n:
            raise CorpusError(
                f"{self._path}: unpacks to more than {_MOST_TIMES} times its size, as no text does: unpack "
                "it first, if you trust it, and name the unpacked file"
            )
        return n

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_BLOCK), b""))  # in larger blocks than `RawIOBase` takes


class _ZstdStream(io.RawIOBase):
    """Decompressed bytes of one or more Zstandard frames; the end of the file inside a frame is an error."""

    def __init__(self, file: Any, zstandard: Any) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_LONGEST_WINDOW)
        self._frame: Any = None
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._decompress():
                return 0
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _decompress(self) -> bool:
        """Take a block of the file; false at its end."""
        block = b""
        if self._frame is not None and self._frame.eof:
            block, self._frame = self._frame.unused_data, None
        block = block or self._file.read(_SLICE)
        if not block:
            if self._frame is not None:
                raise EOFError("the file ends inside a frame")
            return False
        if self._frame is None:
            self._frame = self._decompressor.decompressobj()
        self._ready = memoryview(self._frame.decompress(block))
        return True


def _zstandard(path: str) -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError(
            f'{path}: reading .zst files needs zstandard: install it with pip install "bpetok[data]"'
        ) from error
    return zstandard
