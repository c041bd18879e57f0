"""Counts in parts: what lets a count table be larger than memory, on disk and in files.

The pieces of a table are dealt out to 64 parts by their hash. Parts can be written, read, and added up one
by one, and several at a time: the same piece is in the same part of every table.
"""

import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import IO

from bpetok._count import PieceCounts
from bpetok.errors import CorpusError, SpillError

__all__ = ["MAX_COUNT", "N_PARTS", "Records", "Runs", "check_sum", "gather", "joined"]

N_PARTS = 64
MAX_COUNT = (1 << 63) - 1  # of all pieces together

Records = tuple[bytes, int]  # as `PieceCounts.dump` makes them, and how many there are


class Runs:
    """Counts that had no room in memory, in one temporary file.

    The file has no name where the system allows that, so nothing of it is left when the process ends, in
    whatever way. Every method but `close` may be called from several threads.

    Args:
        folder: where the file is to be; None for the system's folder for temporary files.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._spans: list[list[tuple[int, int, int]]] = [[] for _ in range(N_PARTS)]  # start, size, records
        self._size = 0
        self._file: IO[bytes] | None = None
        self.n_pieces = 0

    def __bool__(self) -> bool:
        """Whether anything was written down."""
        return self._size > 0

    def __enter__(self) -> "Runs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def spill(self, table: PieceCounts) -> None:
        """Write a table down and empty it.

        Raises:
            SpillError: the disk is full, or cannot be written to.
            CorpusError: the sum of all counts would exceed 2**63 - 1.
        """
        with self._lock:
            self.n_pieces += table.n_pieces
        check_sum(self.n_pieces)
        for part in range(N_PARTS):
            records, n = table.dump(part, N_PARTS)
            with self._lock:
                self._spans[part].append((self._size, len(records), n))
                self._size += len(records)
                try:
                    file = self._opened()
                    file.seek(0, os.SEEK_END)
                    rest = memoryview(records)
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as error:
                    raise self._error("cannot be written", error) from error
        table.clear()

    def part(self, part: int) -> PieceCounts:
        """The counts of one part, from all tables that were written down.

        Raises:
            SpillError: the file cannot be read.
        """
        table = PieceCounts(N_PARTS)
        table.reserve(max((n for _, _, n in self._spans[part]), default=0))
        for start, size, _ in self._spans[part]:
            with self._lock:
                try:
                    file = self._opened()
                    file.seek(start)
                    records = file.read(size)
                except OSError as error:
                    raise self._error("cannot be read", error) from error
            table.load(records, part, N_PARTS)
        return table

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - closed by __exit__
                prefix="bpetok-", dir=self._folder, buffering=0
            )
        return self._file

    def _error(self, what: str, error: OSError) -> SpillError:
        folder = self._folder or tempfile.gettempdir()
        return SpillError(
            f"the temporary file for counts in {folder} {what}: {error.strerror or error}; name another "
            "folder (--temp, temp=), or allow more memory (--memory, memory=)"
        )


def check_sum(n_pieces: int) -> None:
    """See that a table can hold so many pieces.

    Raises:
        CorpusError: it cannot.
    """
    if n_pieces > MAX_COUNT:
        raise CorpusError(
            "the counts of all pieces together exceed 2**63 - 1: divide them by a common factor, which "
            "changes no merge"
        )


def gather(records: Callable[[int], Records], num_threads: int) -> list[Records]:
    """The records of all parts.

    Args:
        records: gives a part; called from several threads.
        num_threads: how many.
    """
    with ThreadPoolExecutor(num_threads, "bpetok-parts") as pool:
        return list(pool.map(records, range(N_PARTS)))


def joined(parts: list[Records], *, ordered: bool = False) -> PieceCounts:
    """All parts in one table.

    Args:
        parts: their records, of which nothing is left in the end.
        ordered: whether to see that the pieces of a part are in the order of their bytes.

    Raises:
        FormatError: the records of a part are damaged.
        CorpusError: the sum of all counts would exceed 2**63 - 1.
    """
    table = PieceCounts()
    table.reserve(sum(n for _, n in parts))
    for part in range(N_PARTS):
        table.load(parts[part][0], part, N_PARTS, ordered=ordered)
        parts[part] = (b"", 0)
    return table
