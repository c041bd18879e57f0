"""Where files lie: on this machine, or behind a URL that fsspec knows (the extra `fsspec`).

A source may be a file, a folder, or a name with wildcards. Credentials and the like for URLs come from where
fsspec and its packages take them: the environment and their configuration files.
"""

import errno
import glob
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar

from bpetok.errors import CorpusError, MissingExtraError

T = TypeVar("T")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")


def is_url(path: str) -> bool:
    """Whether fsspec is needed.

    >>> is_url("s3://bucket/key"), is_url("zip://a.txt::file:///b.zip"), is_url("C:/a.txt"), is_url("a:b")
    (True, True, False, False)
    """
    return _URL.match(path) is not None


def expand(source: str, wanted: Callable[[str], bool]) -> list[str]:
    """The files that a source names: itself, those in a folder and its folders, or those that match.

    Args:
        source: a path or a URL, with wildcards or without; `**` stands for any folders, `*` and `?` for no
            name that begins with a dot.
        wanted: which files of a folder are meant, by name.

    Returns:
        Names, sorted.

    Raises:
        CorpusError: there is no such file, or none in the folder, or none that matches.
        MissingExtraError: fsspec, or the package that it needs for this URL, is not installed.
    """
    if is_url(source):
        return _expand_url(source, wanted)
    if source == "-" or os.path.isfile(source):
        return [source]
    if os.path.isdir(source):
        found = [
            os.path.join(folder, name)
            for folder, names in _walk(source)
            for name in names
            if not name.startswith(".") and wanted(name)
        ]
        return _some(found, source, folder=True)
    if not os.path.lexists(source) and glob.has_magic(source):
        found = [path for path in glob.glob(source, recursive=True) if not os.path.isdir(path)]
        return _some(found, source)
    return [source]  # a pipe, or missing, which `check` says


@contextmanager
def open_raw(path: str, start: int = 0, end: int | None = None) -> Iterator[IO[bytes]]:
    """The bytes of a file as they are stored, all or those of a range.

    Raises:
        OSError: the file cannot be opened or read.
        CorpusError: it lies behind a URL, and cannot be opened.
    """
    if not is_url(path):
        with open(path, "rb") as file:
            yield _within(file, start, end)
        return
    fs, inner = _file_system(path)
    with _asked(path, lambda: fs.open(inner, "rb")) as file:
        yield _within(io.BufferedReader(_Remote(file), 1 << 20), start, end)


def _within(file: IO[bytes], start: int, end: int | None) -> IO[bytes]:
    if start:
        file.seek(start)
    return file if end is None else io.BufferedReader(_First(file, max(end - start, 0)))


def size(path: str) -> int:
    """How many bytes a file has as it is stored; 0 where that cannot be told.

    Raises:
        CorpusError: the file cannot be looked at.
    """
    if is_url(path):
        fs, inner = _file_system(path)
        return _asked(path, lambda: fs.size(inner)) or 0
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error


def identity(path: str) -> str:
    """What tells that a file is still the one it was: its full name, size, and time of last change.

    Raises:
        CorpusError: the file cannot be looked at.
    """
    if is_url(path):
        fs, inner = _file_system(path)
        return f"{path} {_asked(path, lambda: fs.ukey(inner))}"
    try:
        found = os.stat(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    return f"{os.path.realpath(path)} {found.st_size} {found.st_mtime_ns}"


class _Remote(io.RawIOBase):
    """A file behind a URL; whatever goes wrong while it is read is an OSError."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except OSError:
            raise
        except Exception as error:  # each protocol has its own
            raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error
        buffer[: len(data)] = data
        return len(data)


class _First(io.RawIOBase):
    """Some bytes of a file, from where it stands."""

    def __init__(self, file: IO[bytes], n: int) -> None:
        self._file = file
        self._left = n

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _walk(folder: str) -> Iterator[tuple[str, list[str]]]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield where, names


def _expand_url(url: str, wanted: Callable[[str], bool]) -> list[str]:
    fs, inner = _file_system(url)
    _, chained, rest = url.partition("::")

    def names(paths: list[str]) -> list[str]:
        return [fs.unstrip_protocol(path) + chained + rest for path in paths]

    if "*" in inner or "[" in inner:
        return _some(names([path for path in _asked(url, lambda: fs.glob(inner)) if not fs.isdir(path)]), url)
    if _asked(url, lambda: fs.isfile(inner)):
        return [url]
    if _asked(url, lambda: fs.isdir(inner)):
        found = _asked(url, lambda: fs.find(inner))
        return _some(names([path for path in found if wanted(path) and "/." not in path]), url, folder=True)
    raise CorpusError(f"{url}: cannot be read: no such file")


def _some(found: list[str], source: str, *, folder: bool = False) -> list[str]:
    if found:
        return sorted(found)
    if folder:
        raise CorpusError(
            f"{source}: no file in this folder has the name of a text, JSON lines or Parquet file: "
            f"name the files, for example '{source.rstrip('/')}/**/*.py'"
        )
    raise CorpusError(f"{source}: no file matches")


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(
            f'{url}: reading URLs needs fsspec: install it with pip install "bpetok[fsspec]"'
        ) from error
    found: tuple[Any, str] = _asked(url, lambda: url_to_fs(url))
    return found


def _asked(url: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ImportError as error:
        raise MissingExtraError(f"{url}: {error}") from error
    except Exception as error:  # each protocol has its own
        raise CorpusError(f"{url}: cannot be read: {error or type(error).__name__}") from error
