"""Corpus to counts: how often each piece (pre-token) occurs.

Counting does not depend on order, so texts are dealt out to threads with a table each, and the tables are
added up. Counts of one part of a corpus can be added to those of another: see `CountTable.merge`. Tables that
outgrow the memory they may have are written down and added up part by part: see `bpetok.spilling`.
"""

import dataclasses
import functools
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Literal, TypedDict, Unpack, cast

from bpetok._count import PieceCounts
from bpetok._scan import Scanner, _last_cut, char_class
from bpetok._text import as_utf8
from bpetok.corpus import Corpus, Document, Lines, jsonl
from bpetok.corpus.compression import open_bytes, split_suffix
from bpetok.corpus.fields import text_of
from bpetok.corpus.sources import LINES, plain_size
from bpetok.count_table import CountTable, check_same, provenance_of, sum_up
from bpetok.errors import CorpusError
from bpetok.patterns import METASPACE, Pattern, resolve
from bpetok.pretokenize import compile_pattern, match_spans, split
from bpetok.spilling import N_PARTS, Records, Runs, check_sum, gather, joined
from bpetok.treatment import NOTHING, Treatment

__all__ = [
    "CountOptions",
    "CountTable",
    "Progress",
    "ProgressCallback",
    "Sources",
    "Totals",
    "count",
    "count_in_order",
    "counts_of",
    "merge_files",
    "tally",
]

CHUNK = 1 << 20  # bytes (characters, for str) that a thread counts at a time
WINDOW = 64  # bytes behind a chunk in which it may end, or else four times as many, and so on
LOOKAHEAD = 16  # bytes behind a place that `safe_cut` found: where a piece ends may depend on one character
MIN_MEMORY = 128 << 20
OWN_MEMORY = 64 << 20  # what a process takes without tables: Python, the modules, the chunks

Sources = (
    str
    | os.PathLike[str]
    | Mapping[str, float]
    | Corpus
    | Iterable[str | bytes | os.PathLike[str] | Document | Mapping[str, object]]
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        stage: "count", "learn" or "encode".
        done: how much is done.
        total: how much there is to do, or None when that is not known beforehand.
        unit: what is counted: "bytes" or "merges".
        text: what is going on, in words.
    """

    stage: Literal["count", "learn", "encode"]
    done: int
    total: int | None
    unit: Literal["bytes", "merges"]
    text: str


ProgressCallback = Callable[[Progress], object]


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in a count table. The attributes are those of `CountTable`, and `n_distinct` its length."""

    pattern: str
    treatment: Treatment
    n_texts: int
    n_bytes: int
    n_pieces: int
    n_distinct: int

    @classmethod
    def of(cls, counts: CountTable) -> "Totals":
        """What is in a table."""
        return cls(
            counts.pattern, counts.treatment, counts.n_texts, counts.n_bytes, counts.n_pieces, len(counts)
        )


class CountOptions(TypedDict, total=False):
    """What all that counts may be told about it, by the names that `count` has for them."""

    field: str
    num_threads: int | None
    memory: int | None
    temp: str | os.PathLike[str] | None
    executor: Executor | Callable[[], Executor] | None
    checkpoint: str | os.PathLike[str] | None


def count(
    sources: Sources,
    *,
    pattern: str = "cl100k",
    treatment: Treatment = NOTHING,
    field: str = "text",
    num_threads: int | None = None,
    memory: int | None = None,
    temp: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> CountTable:
    """Cut a corpus into pieces and count them.

    Each text is cut on its own. The result depends on neither the number of threads, nor the memory, nor the
    order of the texts.

    Args:
        sources: where the texts are. A str or a path on its own names a file, a folder, files by wildcards,
            or a URL (see `bpetok.corpus.Corpus.find`; "-" is standard input), and a mapping names files with
            weights. In an iterable, str and bytes are texts, a `pathlib.Path` names files, a mapping is a row
            whose text is in a field, and a `Document` is taken as it is.
        pattern: the split pattern: a name or a regular expression.
        treatment: what is done to each text before it is cut.
        field: the field (JSON lines, rows) or column (Parquet) that holds the text; a `Corpus` has its own.
        num_threads: how many threads to use; None for as many as there are processors.
        memory: the bytes that the process may take while it counts; None for any number. Counts that have
            no room are kept in a temporary file. The finished table takes what it needs.
        temp: the folder for it; None for the system's folder for temporary files.
        progress: called now and then from the calling thread.
        executor: count parts of the corpus in its workers, or in those of one that this makes: see
            `bpetok.distributed.count_on`. The sources must be files.
        checkpoint: with an executor, a folder that keeps the counts of each part.

    Raises:
        CorpusError: a source cannot be read or is none, or bytes are not UTF-8 where the pattern is not
            served natively (native patterns take a byte that is not UTF-8 as a character of its own);
            `memory` is less than 128 MiB.
        PatternError: the pattern does not compile, or matches the empty string.
        SpillError: the temporary file cannot be written: the disk is full, say.
        WorkerError: the executor loses its workers.

    >>> dict(count(["low lower", "lower"], pattern="gpt2"))
    {b' lower': 1, b'low': 1, b'lower': 1}
    """
    with _counted(
        sources, pattern, treatment, field, num_threads, memory, temp, progress, executor, checkpoint
    ) as counted:
        return CountTable(counted.table(), counted.pattern, treatment, **counted.about())


def counts_of(
    sources: Sources | CountTable,
    *,
    pattern: str,
    treatment: Treatment = NOTHING,
    progress: ProgressCallback | None,
    options: CountOptions,
) -> CountTable:
    """A table as it is, and anything else counted.

    Raises:
        TypeError: an option is none.
        CorpusError, PatternError, SpillError, WorkerError: as in `count`.
    """
    check_options(options)
    if isinstance(sources, CountTable):
        return sources
    return count(sources, pattern=pattern, treatment=treatment, progress=progress, **options)


def check_options(options: CountOptions) -> None:
    """See that a call that has nothing to count, perhaps, was not given anything unknown.

    Raises:
        TypeError: it was.
    """
    for name in options:
        if name not in CountOptions.__annotations__:
            raise TypeError(f"unexpected keyword argument {name!r}")


def count_in_order(
    sources: Sources,
    *,
    pattern: str,
    treatment: Treatment = NOTHING,
    field: str = "text",
    progress: ProgressCallback | None = None,
) -> tuple[CountTable, list[bytes]]:
    """As `count`, with the distinct pieces in the order in which the texts first have them.

    `train_from_counts` needs that order for `tie_break="minbpe"`.

    Slower than `count`, on one thread, and with a Python object for each distinct piece.

    Raises:
        CorpusError: see `count`; and bytes are not UTF-8.
    """
    resolved = resolve(pattern)
    counts: Counter[bytes] = Counter()
    n_texts = n_bytes = 0
    for document in documents(sources, field=field):
        data = as_utf8(document.text)
        for stretch in treatment.stretches(decoded(document)):
            counts.update(piece.encode() for piece in split(stretch, resolved))
        n_texts += 1
        n_bytes += len(data)
        if progress is not None:
            progress(Progress("count", n_bytes, None, "bytes", "counting pieces"))
    table = PieceCounts()
    for piece, n in counts.items():
        table.add(piece, n)
    return CountTable(table, resolved.source, treatment, n_texts=n_texts, n_bytes=n_bytes), list(counts)


def tally(
    sources: Sources,
    path: str | os.PathLike[str],
    *,
    pattern: str = "cl100k",
    treatment: Treatment = NOTHING,
    progress: ProgressCallback | None = None,
    **options: Unpack[CountOptions],
) -> Totals:
    """Count a corpus into a file; equals `count(...).save(path)`, but no more than `memory` is ever needed.

    Args:
        sources: see `count`, also for all others.
        path: the file to write; it appears when it is complete.
        pattern: see `count`.
        treatment: see `count`.
        progress: see `count`.
        options: see `count`. With an executor, the whole table is in memory.

    Returns:
        What is in the file.

    Raises:
        FormatError: `path` is something else than a file.
        OSError: it cannot be written.
        CorpusError, PatternError, SpillError, WorkerError: as in `count`.
    """
    with _counted(sources, pattern, treatment, progress=progress, **options) as counted:
        kind = {"pattern": counted.pattern, "treatment": treatment}
        return _write(path, counted.records, kind, counted.n_pieces, counted.about(), counted.num_threads)


def save(counts: CountTable, path: str | os.PathLike[str]) -> Totals:
    """Write a table to a file; `CountTable.save` that tells what is in it."""
    counts.save(path)
    return Totals.of(counts)


def merge_files(
    paths: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str], *, num_threads: int | None = None
) -> Totals:
    """Add up files of counts into another, part by part: a 64th of a table is in memory for each thread.

    Args:
        paths: files that `CountTable.save`, `tally` or this function wrote.
        path: the file to write; it appears when it is complete, and may be one of `paths`.
        num_threads: how many threads to use; None for as many as there are processors.

    Returns:
        What is in the file.

    Raises:
        CorpusError: there is no file, they were counted with different patterns, or the sum of all counts
            would exceed 2**63 - 1.
        FormatError: a file is no count table, or damaged.
        OSError: a file cannot be read or written.
    """
    from bpetok.formats.counts import CountFile

    files = [CountFile(each) for each in paths]
    check_same(files)

    def records(part: int) -> Records:
        table = PieceCounts(N_PARTS)
        for file in files:
            file.load(part, table)
        return table.dump(ordered=True)

    n_pieces = sum(file.n_pieces for file in files)
    check_sum(n_pieces)
    kind = {"pattern": files[0].pattern, "treatment": files[0].treatment}
    return _write(path, records, kind, n_pieces, sum_up(files), num_threads or _processors())


def _write(
    path: str | os.PathLike[str],
    records: Callable[[int], Records],
    kind: dict[str, Any],
    n_pieces: int,
    about: dict[str, Any],
    num_threads: int,
) -> Totals:
    from bpetok.formats.counts import write_counts

    sizes = [0] * N_PARTS

    def sized(part: int) -> Records:
        found = records(part)
        sizes[part] = found[1]
        return found

    def totals() -> dict[str, Any]:
        return {**about, "n_pieces": n_pieces, "n_distinct": sum(sizes)}

    write_counts(path, sized, totals, **kind, num_threads=num_threads)
    return Totals(
        kind["pattern"], kind["treatment"], about["n_texts"], about["n_bytes"], n_pieces, sum(sizes)
    )


# ---- a run ---------------------------------------------------------------------------------------------


@dataclass
class _Counted:
    """What a run has counted: one table in memory, or runs on disk."""

    pattern: str
    num_threads: int
    runs: Runs
    in_memory: PieceCounts = dataclasses.field(default_factory=PieceCounts)
    n_texts: int = 0
    n_bytes: int = 0
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def n_pieces(self) -> int:
        return self.runs.n_pieces if self.runs else self.in_memory.n_pieces

    def about(self) -> dict[str, Any]:
        return {"n_texts": self.n_texts, "n_bytes": self.n_bytes, "provenance": self.provenance}

    def records(self, part: int) -> Records:
        """A part, in the order of the pieces' bytes."""
        if self.runs:
            return self.runs.part(part).dump(ordered=True)
        return self.in_memory.dump(part, N_PARTS, ordered=True)

    def table(self) -> PieceCounts:
        if not self.runs:
            return self.in_memory
        return joined(gather(lambda part: self.runs.part(part).dump(), self.num_threads))


@contextmanager
def _counted(
    sources: Sources,
    pattern: str,
    treatment: Treatment,
    field: str = "text",
    num_threads: int | None = None,
    memory: int | None = None,
    temp: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Iterator[_Counted]:
    """A run, with the parameters of `count`."""
    resolved = resolve(pattern)
    if resolved.scanner is None:
        compile_pattern(resolved.source)
    if num_threads is not None and num_threads < 1:
        raise CorpusError(f"num_threads is {num_threads}: it must be at least 1, or None for all processors")
    if memory is not None and memory < MIN_MEMORY:
        raise CorpusError(f"memory is {memory} bytes: it must be at least {MIN_MEMORY} (128 MiB), or None")
    if checkpoint is not None and executor is None:
        raise CorpusError("a checkpoint is kept by an executor: give one, such as ProcessPoolExecutor(4)")
    with Runs(None if temp is None else os.fspath(temp)) as runs:
        counted = _Counted(resolved.source, num_threads or _processors(), runs)
        if executor is not None:
            from bpetok.distributed import count_on

            settings = {
                "treatment": treatment,
                "num_threads": num_threads or 1,
                "memory": memory,
                "temp": temp,
            }
            table = count_on(executor, sources, pattern, field, settings, progress, checkpoint)
            counted.in_memory, counted.provenance = table.table, table.provenance
            counted.n_texts, counted.n_bytes = table.n_texts, table.n_bytes
            yield counted
            return
        files: list[str] = []
        way = Way(resolved, treatment)
        given, total = _inputs(sources, field, files, cut=way.cuttable)
        limit = None if memory is None else (memory - OWN_MEMORY) // counted.num_threads

        def relieve(table: PieceCounts) -> None:
            if limit is not None and table.outgrows(limit):
                runs.spill(table)

        def done(n_texts: int, size: int) -> None:
            counted.n_texts += n_texts
            counted.n_bytes += size
            if progress is not None:
                progress(Progress("count", counted.n_bytes, total, "bytes", "counting pieces"))

        tables = _run(_jobs(given, way), counted.num_threads, relieve, done)
        if runs:
            while tables:
                runs.spill(tables.pop())
        else:
            counted.in_memory = _sum(tables)
        counted.provenance = provenance_of(files)
        yield counted


# ---- sources to documents -----------------------------------------------------------------------------


def documents(sources: Sources, *, field: str = "text") -> Iterator[Document]:
    """The documents of whatever the caller gave.

    Raises:
        CorpusError: a source is none, or cannot be read.
    """
    given, _ = _inputs(sources, field, [], cut=False)
    for each in given:
        if isinstance(each, _Lines):
            yield from each.corpus.taken(each.lines, each.weight)
        else:
            yield cast("Document", each)  # without a scanner, no file is cut


@dataclass(frozen=True, slots=True)
class _Lines:
    """Some lines of a file of JSON lines, for a thread to parse."""

    corpus: Corpus
    weight: float
    lines: Lines


@dataclass(frozen=True, slots=True)
class _PlainFile:
    """A large file that is one text as it stands, to be read in pieces."""

    path: str
    start: int
    end: int
    size: int  # of the whole file


Input = Document | _Lines | _PlainFile


def _inputs(
    sources: Sources, field: str, files: list[str], *, cut: bool
) -> tuple[Iterator[Input], int | None]:
    """What the caller gave, and how many bytes of text that is, where files tell.

    Args:
        sources: see `count`.
        field: see `count`.
        files: takes the names of all files.
        cut: whether large files that are one text may be read in parts.
    """
    if isinstance(sources, str | os.PathLike | Mapping):
        sources = Corpus.find(sources, field=field)
    if isinstance(sources, Corpus):
        return _files(sources, files, cut), total_bytes(sources)
    if isinstance(sources, bytes | bytearray | memoryview) or not isinstance(sources, Iterable):
        raise CorpusError(
            f"a corpus is a path or an iterable of texts, got {type(sources).__name__}: "
            "put a single text into a list"
        )
    if isinstance(sources, Sequence):
        # All at once, so that a file that is missing is found before the others have been counted.
        paths = [source for source in sources if isinstance(source, os.PathLike)]
        if paths:
            corpus = Corpus.find(paths, field=field)
            if len(paths) == len(sources):
                return _files(corpus, files, cut), total_bytes(corpus)
    return _each(sources, field, files, cut), None


def _files(corpus: Corpus, files: list[str], cut: bool) -> Iterator[Input]:
    """The documents of files, and those large files that are one text to be taken whole."""
    if corpus.unique:
        files += [part.path for part in corpus.files]
        yield from corpus
        return
    for part in corpus.files:
        files.append(part.path)
        size = plain_size(part.path)
        large = part.end is not None or (size is not None and size > 2 * CHUNK)
        if cut and size is not None and large and part.weight == int(part.weight):
            file = _PlainFile(part.path, part.start, size if part.end is None else part.end, size)
            yield from [file] * int(part.weight)
        elif split_suffix(part.path)[0] in LINES and part.weight:
            for lines in jsonl.blocks(part.path, part.start, part.end, CHUNK):
                yield _Lines(corpus, part.weight, lines)
        else:
            yield from dataclasses.replace(corpus, files=(part,))


def total_bytes(corpus: Corpus) -> int | None:
    """The bytes of text in files, where their sizes tell."""
    total = 0
    for part in corpus.files:
        size = plain_size(part.path)
        if size is None or part.weight != 1 or corpus.unique:
            return None
        total += size if part.end is None else part.end - part.start
    return total


def _each(sources: Iterable[object], field: str, files: list[str], cut: bool) -> Iterator[Input]:
    for number, source in enumerate(sources, 1):
        if isinstance(source, str | bytes):
            yield Document(source, f"text {number}")
        elif isinstance(source, Document):
            yield source
        elif isinstance(source, os.PathLike):
            yield from _files(Corpus.find(source, field=field), files, cut)
        elif isinstance(source, Mapping):
            text = text_of(source, field, f"row {number}")
            if text is not None:
                yield Document(text, f"row {number}")
        else:
            raise CorpusError(
                f"item {number} of the corpus is of type {type(source).__name__}: expected str or bytes "
                "(a text), pathlib.Path (a file), Document, or a row of fields"
            )


# ---- documents to jobs ---------------------------------------------------------------------------------

# What a thread does with a table at a time; returns how many texts began, and how many bytes that was.
Job = Callable[[PieceCounts], tuple[int, int]]


@dataclass(frozen=True)
class Way:
    """How texts are counted: what is done to them, and what cuts them then."""

    pattern: Pattern
    treatment: Treatment

    @property
    def cuttable(self) -> bool:
        """Whether a text may be cut at the places of `cut`, and its parts be counted one by one."""
        if self.pattern.source == METASPACE:
            return self.treatment.local
        return self.pattern.cuttable and not self.treatment

    @property
    def scanner(self) -> Scanner:
        """The native scanner, which every pattern has whose texts may be cut."""
        return cast("Scanner", self.pattern.scanner)

    def cut(self, seen: bytes) -> int:
        """A place inside some bytes of a text where a piece is sure to end; 0 or their number for none."""
        if self.pattern.source == METASPACE:
            return max(seen.find(b" ", 1), 0)
        return _last_cut(seen) or safe_cut(seen, 0)


def _jobs(given: Iterable[Input], way: Way) -> Iterator[Job]:
    """Jobs of about one chunk each."""
    batch: list[Document] = []
    size = 0
    for each in given:
        if isinstance(each, _PlainFile):
            yield from _file(each, way)
            continue
        if isinstance(each, _Lines):
            yield functools.partial(_count_lines, given=each, way=way)
            continue
        if way.cuttable and len(each.text) > 2 * CHUNK:
            yield from _long(each, way)
            continue
        batch.append(each)
        size += len(each.text)
        if size >= CHUNK or len(batch) >= CHUNK // 16:
            yield functools.partial(_count_batch, batch=batch, way=way)
            batch, size = [], 0
    if batch:
        yield functools.partial(_count_batch, batch=batch, way=way)


def _long(document: Document, way: Way) -> Iterator[Job]:
    """A long text in parts, cut only between pieces."""
    data = as_utf8(document.text)
    for start, end in spans(lambda at, n: data[at : at + n], 0, len(data), CHUNK, way.cut):
        yield functools.partial(_count_span, way=way, document=document, data=data, start=start, end=end)


def _file(file: _PlainFile, way: Way) -> Iterator[Job]:
    """A large file in parts, which the threads read themselves."""
    with open_bytes(file.path) as stream:

        def look(at: int, n: int) -> bytes:
            stream.seek(at)
            return stream.read(n)

        for start, end in spans(look, file.start, file.end, CHUNK, way.cut):
            yield functools.partial(_count_file, way=way, file=file, start=start, end=end)


def spans(
    look: Callable[[int, int], bytes], start: int, stop: int, step: int, cut: Callable[[bytes], int]
) -> Iterator[tuple[int, int]]:
    """Spans of about `step` bytes between two places of a text, that meet where pieces end.

    Args:
        look: gives some bytes of the text: from where, and how many.
        start: where the first begins.
        stop: where the last ends.
        step: the least length of any but the last.
        cut: see `Way.cut`.
    """
    while start < stop:
        end, window = start + step, WINDOW
        while end + window < stop:
            seen = look(end, window)
            found = cut(seen)
            if 0 < found < len(seen):
                end += found
                break
            window *= 4
        else:
            end = stop
        yield start, end
        start = end


# A newline before what may be a letter or a number: what is not ASCII is looked at again.
_LINE_START = re.compile(rb"\n(?=[A-Za-z0-9\xc2-\xf4])")
_LETTER_OR_NUMBER = 1 | 8


def safe_cut(text: bytes, start: int) -> int:
    r"""The first place at or after `start` where a piece is sure to end, whatever the native pattern.

    That is behind a newline that a letter or a number follows: a newline leads no word and no number, so a
    piece ends with it, and none looks back at what comes before. Returns the length of the text when there
    is no such place.

    >>> safe_cut(b"one,\n\ntwo. \n(three)\n \n4", 6), safe_cut(b"one,\n\ntwo. \n(three)\n \n4", 7)
    (6, 22)
    """
    for match in _LINE_START.finditer(text, max(start - 1, 0)):
        at = match.end()
        char = text[at : at + 4].decode("utf-8", "replace")[0]
        if char_class(ord(char)) & _LETTER_OR_NUMBER:
            return at
    return len(text)


def _count_lines(table: PieceCounts, given: _Lines, way: Way) -> tuple[int, int]:
    return _count_batch(table, list(given.corpus.taken(given.lines, given.weight)), way)


def _count_batch(table: PieceCounts, batch: list[Document], way: Way) -> tuple[int, int]:
    scanner, treatment = way.pattern.scanner, way.treatment
    if scanner is not None and not treatment:
        return len(batch), table.count_texts(scanner, [document.text for document in batch])
    size = 0
    matches: Counter[str] = Counter()
    for document in batch:
        text = decoded(document)
        size += len(text) if text.isascii() else len(text.encode())
        stretches = treatment.stretches(text)
        if scanner is not None:
            table.count_texts(scanner, stretches)
            continue
        for stretch in stretches:
            matches.update(stretch[start:end] for start, end in match_spans(way.pattern.source, stretch))
    for piece, n in matches.items():
        table.add(piece.encode(), n)
    return len(batch), size


def _count_span(
    table: PieceCounts, way: Way, document: Document, data: bytes, start: int, end: int
) -> tuple[int, int]:
    if way.treatment:
        return _count_part(table, way, Document(data[start:end], document.source), start)
    return int(start == 0), table.count_span(way.scanner, data, start, end)


def _count_file(table: PieceCounts, way: Way, file: _PlainFile, start: int, end: int) -> tuple[int, int]:
    in_view = min(end + LOOKAHEAD, file.size)
    with open_bytes(file.path) as stream:
        stream.seek(start)
        data = stream.read(in_view - start)
    if len(data) < in_view - start:
        raise CorpusError(f"{file.path}: became shorter while it was read: try again when it is complete")
    if way.treatment:
        return _count_part(table, way, Document(data[: end - start], file.path), start)
    return int(start == 0), table.count_span(way.scanner, data, 0, end - start)


def _count_part(table: PieceCounts, way: Way, part: Document, start: int) -> tuple[int, int]:
    """Count a part of a text that begins at some byte of it."""
    table.count_texts(way.scanner, way.treatment.stretches(decoded(part, start), first=start == 0))
    return int(start == 0), len(part.text)


def decoded(document: Document, start: int = 0) -> str:
    """A text as str.

    Args:
        document: a text, or a part of one.
        start: where the part begins.

    Raises:
        CorpusError: it is not UTF-8.
    """
    try:
        return as_utf8(document.text).decode()
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{document.source}: the bytes at offset {start + error.start} are not UTF-8 ({error.reason}): "
            "convert the text to UTF-8; only the named patterns, without a normalizer, take any bytes"
        ) from error


# ---- jobs to a table -----------------------------------------------------------------------------------


def _run(
    jobs: Iterator[Job],
    num_threads: int,
    relieve: Callable[[PieceCounts], None],
    done: Callable[[int, int], None],
) -> list[PieceCounts]:
    """Do all jobs, with a table a thread.

    Args:
        jobs: what to do.
        num_threads: how many threads.
        relieve: called with a table after each job, in the thread.
        done: called with what each job returns, in order.
    """
    if num_threads == 1:
        table = PieceCounts()
        for job in jobs:
            found = job(table)
            relieve(table)
            done(*found)
        return [table]

    tables = [PieceCounts() for _ in range(num_threads)]
    idle: SimpleQueue[PieceCounts] = SimpleQueue()
    for table in tables:
        idle.put(table)

    def work(job: Job) -> tuple[int, int]:
        table = idle.get()
        try:
            found = job(table)
            relieve(table)
            return found
        finally:
            idle.put(table)

    with ThreadPoolExecutor(num_threads, "bpetok-count") as pool:
        waiting: deque[Future[tuple[int, int]]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > 3 * num_threads:  # no further ahead: texts wait in memory
                    done(*waiting.popleft().result())
            while waiting:
                done(*waiting.popleft().result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tables


def _sum(tables: list[PieceCounts]) -> PieceCounts:
    """Add up tables, which are used up: each time two by two, and all pairs at the same time."""
    while len(tables) > 1:
        tables.sort(key=len, reverse=True)
        half = (len(tables) + 1) // 2
        with ThreadPoolExecutor(half, "bpetok-sum") as pool:
            list(pool.map(PieceCounts.update, tables[: len(tables) - half], reversed(tables[half:])))
        del tables[half:]
    return tables[0]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
