"""Corpus to counts: how often each piece (pre-token) occurs.

Counting does not depend on order, so texts are dealt out to threads with a table each, and the tables are
added up. Counts of one part of a corpus can be added to those of another: see `CountTable.merge`.
"""

import functools
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal

from bpetok._count import PieceCounts
from bpetok._scan import Scanner, char_class
from bpetok._text import as_utf8
from bpetok.corpus import Document, check, read
from bpetok.errors import CorpusError
from bpetok.patterns import Pattern, resolve
from bpetok.pretokenize import compile_pattern, match_spans, split

__all__ = ["CountTable", "Progress", "ProgressCallback", "Sources", "count", "count_in_order"]

CHUNK = 1 << 20  # bytes (characters, for str) that a thread counts at a time

Sources = str | os.PathLike[str] | Iterable[str | bytes | os.PathLike[str] | Document]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        stage: "count" or "learn".
        done: how much is done.
        total: how much there is to do, or None when that is not known beforehand.
        unit: what is counted: "bytes" or "merges".
        text: what is going on, in words.
    """

    stage: Literal["count", "learn"]
    done: int
    total: int | None
    unit: Literal["bytes", "merges"]
    text: str


ProgressCallback = Callable[[Progress], object]


class CountTable(Mapping[bytes, int]):
    """How often each piece of a corpus occurs: an immutable mapping of bytes to count.

    Made by `count`, `from_mapping` or `merge`. Iteration is in the order of the pieces' bytes. Two tables
    are equal when their patterns, pieces and counts are; how many texts they came from does not matter.

    Attributes:
        pattern: the source of the split pattern that made the pieces.
        n_texts: how many texts were counted; 0 in a table made from a mapping.
        n_bytes: how many bytes of UTF-8 they had; in a table made from a mapping, the pieces' own.
    """

    def __init__(self, table: PieceCounts, pattern: str, *, n_texts: int, n_bytes: int) -> None:
        self.table = table
        self.pattern = pattern
        self.n_texts = n_texts
        self.n_bytes = n_bytes

    @classmethod
    def from_mapping(cls, mapping: Mapping[bytes, int], pattern: str) -> "CountTable":
        """A table of counts that were made elsewhere.

        Args:
            mapping: pieces to counts.
            pattern: a name or a regular expression: what cuts texts into such pieces. It is not checked
                against them.

        Raises:
            CorpusError: a piece is not non-empty bytes, or a count not from 1 to 2**63 - 1.
            PatternError: the pattern is not one.

        >>> counts = CountTable.from_mapping({b"ab": 3, b"a": 2}, "gpt2")
        >>> dict(counts), counts.n_pieces
        ({b'a': 2, b'ab': 3}, 5)
        """
        table, n_bytes = PieceCounts(), 0
        for piece, n in mapping.items():
            if not isinstance(piece, bytes) or not isinstance(n, int):
                raise CorpusError(f"a count table maps bytes to int, got {piece!r}: {n!r}")
            table.add(piece, n)
            n_bytes += len(piece) * n
        return cls(table, resolve(pattern).source, n_texts=0, n_bytes=n_bytes)

    @staticmethod
    def merge(a: "CountTable", b: "CountTable") -> "CountTable":
        """The counts of two corpora together. The order and grouping of several merges do not matter.

        Raises:
            CorpusError: the tables were made with different patterns, or the sum of all counts would
                exceed 2**63 - 1.

        >>> one = CountTable.from_mapping({b"ab": 3}, "gpt2")
        >>> dict(CountTable.merge(one, one))
        {b'ab': 6}
        """
        if a.pattern != b.pattern:
            raise CorpusError(
                f"counts made with different patterns cannot be added up: {a.pattern!r} and {b.pattern!r}; "
                "count both corpora with the same pattern"
            )
        table = PieceCounts()
        table.update(a.table)
        table.update(b.table)
        return CountTable(table, a.pattern, n_texts=a.n_texts + b.n_texts, n_bytes=a.n_bytes + b.n_bytes)

    @property
    def n_pieces(self) -> int:
        """How many pieces were counted: the sum of all counts."""
        return self.table.n_pieces

    def __len__(self) -> int:
        """The number of distinct pieces."""
        return len(self.table)

    def __getitem__(self, piece: bytes) -> int:
        n = self.table.get(piece) if isinstance(piece, bytes) else 0
        if not n:
            raise KeyError(piece)
        return n

    def __iter__(self) -> Iterator[bytes]:
        return (piece for piece, _ in self.table.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CountTable):
            return NotImplemented
        return self.pattern == other.pattern and self.table.equals(other.table)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<CountTable of {len(self)} distinct pieces, {self.n_pieces} in all>"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.table.items(), self.pattern, self.n_texts, self.n_bytes)


def count(
    sources: Sources,
    *,
    pattern: str = "cl100k",
    num_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> CountTable:
    """Cut a corpus into pieces and count them.

    Each text is cut on its own. The result depends on neither the number of threads nor the order of the
    texts.

    Args:
        sources: where the texts are. A str or a path on its own names a file (see `bpetok.corpus.read` for
            the formats; "-" is standard input). In an iterable, str and bytes are texts, a `pathlib.Path`
            names a file, and a `Document` is taken as it is.
        pattern: the split pattern: a name or a regular expression.
        num_threads: how many threads to use; None for as many as there are processors.
        progress: called now and then from the calling thread.

    Raises:
        CorpusError: a source cannot be read or is none, or bytes are not UTF-8 where the pattern is not
            served natively (native patterns take a byte that is not UTF-8 as a character of its own).
        PatternError: the pattern does not compile, or matches the empty string.

    >>> dict(count(["low lower", "lower"], pattern="gpt2"))
    {b' lower': 1, b'low': 1, b'lower': 1}
    """
    resolved = resolve(pattern)
    if resolved.scanner is None:
        compile_pattern(resolved.source)
    if num_threads is not None and num_threads < 1:
        raise CorpusError(f"num_threads is {num_threads}: it must be at least 1, or None for all processors")
    n_texts = n_bytes = 0

    def jobs() -> Iterator[Job]:
        nonlocal n_texts
        for n_new, job in _jobs(_documents(sources), resolved):
            n_texts += n_new
            yield job

    def done(size: int) -> None:
        nonlocal n_bytes
        n_bytes += size
        if progress is not None:
            progress(Progress("count", n_bytes, None, "bytes", "counting pieces"))

    table = _run(jobs(), num_threads or _processors(), done)
    return CountTable(table, resolved.source, n_texts=n_texts, n_bytes=n_bytes)


def count_in_order(
    sources: Sources, *, pattern: str, progress: ProgressCallback | None = None
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
    for document in _documents(sources):
        data = as_utf8(document.text)
        try:
            pieces = split(data.decode(), resolved)
        except UnicodeDecodeError as error:
            raise CorpusError(f"{document.source}: byte {error.start} is not UTF-8: {error.reason}") from None
        counts.update(piece.encode() for piece in pieces)
        n_texts += 1
        n_bytes += len(data)
        if progress is not None:
            progress(Progress("count", n_bytes, None, "bytes", "counting pieces"))
    table = PieceCounts()
    for piece, n in counts.items():
        table.add(piece, n)
    return CountTable(table, resolved.source, n_texts=n_texts, n_bytes=n_bytes), list(counts)


def _rebuild(items: list[tuple[bytes, int]], pattern: str, n_texts: int, n_bytes: int) -> CountTable:
    table = PieceCounts()
    for piece, n in items:
        table.add(piece, n)
    return CountTable(table, pattern, n_texts=n_texts, n_bytes=n_bytes)


# ---- sources to documents -----------------------------------------------------------------------------


def _documents(sources: Sources) -> Iterator[Document]:
    """The documents of whatever the caller gave."""
    if isinstance(sources, str | os.PathLike):
        return read(sources)
    if isinstance(sources, bytes | bytearray | memoryview) or not isinstance(sources, Iterable):
        raise CorpusError(
            f"a corpus is a path or an iterable of texts, got {type(sources).__name__}: "
            "put a single text into a list"
        )
    if isinstance(sources, Sequence):
        # All at once, so that a file that is missing is found before the others have been counted.
        paths = [source for source in sources if isinstance(source, os.PathLike)]
        if paths:
            check(paths)
    return _each(sources)


def _each(sources: Iterable[object]) -> Iterator[Document]:
    for number, source in enumerate(sources, 1):
        if isinstance(source, str | bytes):
            yield Document(source, f"text {number}")
        elif isinstance(source, Document):
            yield source
        elif isinstance(source, os.PathLike):
            yield from read(source)
        else:
            raise CorpusError(
                f"item {number} of the corpus is of type {type(source).__name__}: expected str or bytes "
                "(a text), pathlib.Path (a file) or Document"
            )


# ---- documents to jobs ---------------------------------------------------------------------------------

# What a thread does with a table at a time; returns how many bytes of text that was.
Job = Callable[[PieceCounts], int]


def _jobs(documents: Iterable[Document], pattern: Pattern) -> Iterator[tuple[int, Job]]:
    """Jobs of about one chunk each, with how many texts each begins."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        if pattern.scanner is not None and len(document.text) > 2 * CHUNK:
            yield from _long(document, pattern.scanner)
            continue
        batch.append(document)
        size += len(document.text)
        if size >= CHUNK or len(batch) >= CHUNK // 16:
            yield len(batch), _short(batch, pattern)
            batch, size = [], 0
    if batch:
        yield len(batch), _short(batch, pattern)


def _short(batch: list[Document], pattern: Pattern) -> Job:
    if pattern.scanner is None:
        return functools.partial(_count_matches, batch=batch, source=pattern.source)
    texts = [document.text for document in batch]
    return functools.partial(_count_texts, scanner=pattern.scanner, texts=texts)


def _long(document: Document, scanner: Scanner) -> Iterator[tuple[int, Job]]:
    """A long text in parts, cut only between pieces."""
    data = as_utf8(document.text)
    start = 0
    while start < len(data):
        end = safe_cut(data, start + CHUNK) if start + CHUNK < len(data) else len(data)
        yield (
            int(start == 0),
            functools.partial(_count_span, scanner=scanner, data=data, start=start, end=end),
        )
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


def _count_texts(table: PieceCounts, scanner: Scanner, texts: list[str | bytes]) -> int:
    return table.count_texts(scanner, texts)


def _count_span(table: PieceCounts, scanner: Scanner, data: bytes, start: int, end: int) -> int:
    return table.count_span(scanner, data, start, end)


def _count_matches(table: PieceCounts, batch: list[Document], source: str) -> int:
    """Count with the `regex` package, which needs text."""
    counts: Counter[str] = Counter()
    size = 0
    for document in batch:
        data = as_utf8(document.text)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{document.source}: the bytes at offset {error.start} are not UTF-8 ({error.reason}): "
                "convert the text to UTF-8, or use one of the named patterns, which take any bytes"
            ) from error
        counts.update(text[start:end] for start, end in match_spans(source, text))
        size += len(data)
    for piece, n in counts.items():
        table.add(piece.encode(), n)
    return size


# ---- jobs to a table -----------------------------------------------------------------------------------


def _run(jobs: Iterator[Job], num_threads: int, done: Callable[[int], None]) -> PieceCounts:
    """Do all jobs, a table a thread, and add the tables up."""
    if num_threads == 1:
        table = PieceCounts()
        for job in jobs:
            done(job(table))
        return table

    tables = [PieceCounts() for _ in range(num_threads)]
    idle: SimpleQueue[PieceCounts] = SimpleQueue()
    for table in tables:
        idle.put(table)

    def work(job: Job) -> int:
        table = idle.get()
        try:
            return job(table)
        finally:
            idle.put(table)

    with ThreadPoolExecutor(num_threads, "bpetok-count") as pool:
        waiting: deque[Future[int]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > 3 * num_threads:  # no further ahead: texts wait in memory
                    done(waiting.popleft().result())
            while waiting:
                done(waiting.popleft().result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    tables.sort(key=len)
    result = tables.pop()
    for table in tables:
        result.update(table)
    return result


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
