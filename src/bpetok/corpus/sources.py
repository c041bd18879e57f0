"""Sources to documents: what the caller names, checked first, then read in the order given.

The name tells the format: `.jsonl` and `.ndjson` hold an object a line, `.parquet` a table, any other
file is one text. `.gz`, `.bz2`, `.xz` or `.zst` may follow the first and the last. "-" is standard input,
read as one text.
"""

import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bpetok.corpus import compression, jsonl, parquet, text
from bpetok.corpus.document import Document
from bpetok.corpus.jsonl import Lines
from bpetok.corpus.selection import copies, fingerprint
from bpetok.corpus.storage import expand, is_url
from bpetok.errors import CorpusError

Source = str | os.PathLike[str]
Named = Source | Iterable[Source | tuple[Source, float]] | Mapping[Source, float]

LINES = {".jsonl", ".ndjson"}  # suffixes of files of JSON lines
_RECORDS = {".parquet", *LINES}  # suffixes of files that hold many texts
_IN_FOLDERS = {".txt", ".text", ".md", *_RECORDS}


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a range of it.

    Attributes:
        path: the file: a path, a URL, or "-" for standard input.
        weight: how often each of its documents is taken.
        start: where the range begins: a row group of a Parquet file, a byte of a file of JSON lines (as it is
            stored; see `compression.places`) or of one text.
        end: where the range ends; None for the end of the file.
    """

    path: str
    weight: float = 1.0
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents of files, in order, each as often as its weight says: an iterable that can be pickled.

    Made by `find`. Each iteration reads the files anew.

    Attributes:
        files: the files. Ranges of files that are one text are for `bpetok.count` alone.
        field: the field (JSON lines) or column (Parquet) that holds the text.
        seed: what the sampling depends on besides the texts.
        unique: whether a text that has come before is passed over.
    """

    files: tuple[Part, ...]
    field: str = "text"
    seed: int = 0
    unique: bool = False

    @classmethod
    def find(
        cls,
        sources: Named,
        *,
        field: str = "text",
        sample: float = 1.0,
        seed: int = 0,
        unique: bool = False,
    ) -> "Corpus":
        """See which files are meant, and that each can be read, without reading it.

        Args:
            sources: a path, or several; "-" is standard input. A path may be a folder (all files in it and
                its folders that end in .txt, .text, .md, .jsonl, .ndjson or .parquet, compressed or not;
                names that begin with a dot are left out), have wildcards (`**` stands for any folders), or
                be a URL that fsspec knows. A mapping, or pairs, give each path a weight: a document of
                weight 2 is taken twice, one of weight 0.5 with an even chance, and one of weight 2.5 two or
                three times.
            field: the field (JSON lines) or column (Parquet) that holds the text; "a.b" is field b of
                field a, unless a field has that very name.
            sample: multiplies all weights.
            seed: from 0 to 2**64 - 1. The same seed takes the same documents, in any order, on any machine.
            unique: pass over every text that has come before, in any of the sources. Texts are known by 128
                bits of a hash, and about 100 bytes of memory are needed for each.

        Raises:
            CorpusError: there is no source, or some cannot be read; all of them are named.
            MissingExtraError: a format needs a package that is not installed.
        """
        if not isinstance(seed, int) or not 0 <= seed < 2**64:
            raise CorpusError(f"seed is {seed!r}: it must be a whole number from 0 to 2**64 - 1")
        if isinstance(sources, Mapping):
            sources = sources.items()
        elif isinstance(sources, str | os.PathLike):
            sources = [sources]
        pairs = [each if isinstance(each, tuple) else (each, 1.0) for each in sources]
        given = [(os.fspath(source), weight) for source, weight in pairs]
        for source, weight in [*given, ("sample", sample)]:
            if not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise CorpusError(f"{source}: the weight is {weight!r}: it must be a number from 0")
        if not given:
            raise CorpusError("no corpus was given: name at least one file, or - for standard input")
        if sum(source == "-" for source, _ in given) > 1:
            raise CorpusError("standard input (-) can be read only once: name it once")
        files: list[Part] = []
        problems = []
        n_names = 0
        for source, weight in given:
            try:
                found = expand(source, _in_folder)
            except CorpusError as error:
                found = []
                problems.append(str(error))
            n_names += max(len(found), 1)
            for path in found:
                files.append(Part(path, weight * sample))
                try:
                    _check_one(path, field)
                except CorpusError as error:
                    problems.append(str(error))
                except OSError as error:
                    problems.append(f"{path}: cannot be read: {error.strerror or error}")
        if len(problems) == 1:
            raise CorpusError(problems[0])
        if problems:
            raise CorpusError(f"{len(problems)} of {n_names} sources cannot be read: " + "; ".join(problems))
        return cls(tuple(files), field, seed, unique)

    def __iter__(self) -> Iterator[Document]:
        seen: set[bytes] = set()
        for part in self.files:
            for document in _read(part, self.field) if part.weight else ():
                if self.unique:
                    known = len(seen)
                    seen.add(fingerprint(document.text))
                    if len(seen) == known:
                        continue
                for _ in range(copies(document.text, part.weight, self.seed)):
                    yield document

    def taken(self, lines: Lines, weight: float) -> Iterator[Document]:
        """The documents of some lines of a file of this weight, each as often as the weight says.

        Raises:
            CorpusError: a line is no JSON object, or holds no text.
        """
        for document in lines.documents(self.field):
            for _ in range(copies(document.text, weight, self.seed)):
                yield document


def read(
    sources: Named, *, field: str = "text", sample: float = 1.0, seed: int = 0, unique: bool = False
) -> Iterator[Document]:
    """Check all sources, then read them one after another.

    Args:
        sources: as in `Corpus.find`, and so are the others.
        field: see there.
        sample: see there.
        seed: see there.
        unique: see there.

    Returns:
        The documents, in order. Nothing is read before the first is asked for, but every source has
        been checked when this function returns.

    Raises:
        CorpusError: a source cannot be read; while reading: a file is damaged, or a record holds no text.
        MissingExtraError: a format needs a package that is not installed.
    """
    return iter(Corpus.find(sources, field=field, sample=sample, seed=seed, unique=unique))


def check(sources: Named, *, field: str = "text") -> list[str]:
    """See that every source exists and can be read, without reading it.

    Args:
        sources: as in `Corpus.find`.
        field: see there.

    Returns:
        The paths of the files, in order.

    Raises:
        CorpusError: there is no source, or some cannot be read; all of them are named.
        MissingExtraError: a format needs a package that is not installed.
    """
    return [part.path for part in Corpus.find(sources, field=field).files]


def _read(part: Part, field: str) -> Iterator[Document]:
    suffix = "" if part.path == "-" else compression.split_suffix(part.path)[0]
    if suffix in LINES:
        return jsonl.documents(part.path, field, part.start, part.end)
    if suffix == ".parquet":
        return parquet.documents(part.path, field, None if part.end is None else range(part.start, part.end))
    return text.documents(part.path)


def _in_folder(name: str) -> bool:
    return compression.split_suffix(name)[0] in _IN_FOLDERS


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
    suffix, compressed = compression.split_suffix(path)
    if suffix == ".parquet" and compressed:
        raise CorpusError(f"{path}: a compressed Parquet file cannot be read in place: unpack it first")
    if path == "-":
        return
    if is_url(path):  # that it exists has been seen; a look into each of many files would take long
        compression.check(path, regular=False)
        return
    mode = os.stat(path).st_mode
    if not os.access(path, os.R_OK):
        raise CorpusError(f"{path}: cannot be read: permission denied")
    # A pipe (such as a shell's process substitution) must not be opened twice: look into files only.
    regular = stat.S_ISREG(mode)
    compression.check(path, regular=regular)
    if regular and suffix == ".parquet":
        parquet.check(path, field)
    elif plain_size(path) is not None:
        with open(path, "rb") as file:
            text.check_start(path, file.read(4))
