"""Sources to documents: what the caller names, checked first, then read in the order given.

The name tells the format: `.jsonl` and `.ndjson` hold an object a line, `.parquet` a table, any other
file is one text. `.gz` or `.zst` may follow the first three. "-" is standard input, read as one text.
"""

import os
import stat
from collections.abc import Iterable, Iterator

from bpetok.corpus import compression, jsonl, parquet, text
from bpetok.corpus.document import Document
from bpetok.errors import CorpusError, MissingExtraError

Source = str | os.PathLike[str]

_RECORDS = {".jsonl", ".ndjson", ".parquet"}  # suffixes of files that hold many texts


def read(sources: Source | Iterable[Source], *, field: str = "text") -> Iterator[Document]:
    """Check all sources, then read them one after another.

    Args:
        sources: a path, or several; "-" is standard input.
        field: the field (JSON lines) or column (Parquet) that holds the text.

    Returns:
        The documents, in order. Nothing is read before the first is asked for, but every source has
        been checked when this function returns.

    Raises:
        CorpusError: a source cannot be read; while reading: a file is damaged, or a record holds no text.
        MissingExtraError: a format needs a package that is not installed.
    """
    return _documents(check(sources, field=field), field)


def check(sources: Source | Iterable[Source], *, field: str = "text") -> list[str]:
    """See that every source exists and can be read, without reading it.

    Args:
        sources: a path, or several; "-" is standard input.
        field: the field (JSON lines) or column (Parquet) that holds the text.

    Returns:
        The paths, in order.

    Raises:
        CorpusError: there is no source, or some cannot be read; all of them are named.
        MissingExtraError: a format needs a package that is not installed.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    paths = [os.fspath(source) for source in given]
    if not paths:
        raise CorpusError("no corpus was given: name at least one file, or - for standard input")
    if paths.count("-") > 1:
        raise CorpusError("standard input (-) can be read only once: name it once")
    problems = []
    for path in paths:
        try:
            _check_one(path, field)
        except MissingExtraError:
            raise
        except CorpusError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror or error}")
    if len(problems) == 1:
        raise CorpusError(problems[0])
    if problems:
        raise CorpusError(f"{len(problems)} of {len(paths)} sources cannot be read: " + "; ".join(problems))
    return paths


def plain_size(source: Source) -> int | None:
    """The size of a file that is one text as it stands; None for any other source."""
    path = os.fspath(source)
    suffix, compressed = compression.split_suffix(path)
    if path == "-" or compressed or suffix in _RECORDS:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _check_one(path: str, field: str) -> None:
    if path == "-":
        return
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise CorpusError(
            f"{path}: is a directory: name the files in it, for example {os.path.join(path, '*.txt')}"
        )
    if not os.access(path, os.R_OK):
        raise CorpusError(f"{path}: cannot be read: permission denied")
    suffix, compressed = compression.split_suffix(path)
    # A pipe (such as a shell's process substitution) must not be opened twice: look into files only.
    regular = stat.S_ISREG(mode)
    compression.check(path, regular=regular)
    if suffix == ".parquet":
        if compressed:
            raise CorpusError(f"{path}: a compressed Parquet file cannot be read in place: unpack it first")
        if regular:
            parquet.check(path, field)


def _documents(paths: list[str], field: str) -> Iterator[Document]:
    for path in paths:
        suffix = "" if path == "-" else compression.split_suffix(path)[0]
        if suffix in (".jsonl", ".ndjson"):
            yield from jsonl.documents(path, field)
        elif suffix == ".parquet":
            yield from parquet.documents(path, field)
        else:
            yield from text.documents(path)
