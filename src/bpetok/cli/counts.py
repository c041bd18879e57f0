"""What is read with --counts: count tables, and words with their counts."""

import functools
from collections.abc import Iterable

from bpetok.count_table import CountTable
from bpetok.errors import CorpusError
from bpetok.formats.counts import CountFile, is_count_file
from bpetok.patterns import resolve

__all__ = ["are_count_files", "load"]


def are_count_files(paths: Iterable[str], pattern: str | None) -> bool:
    """Whether all files are count tables, which can be added up without loading them.

    Raises:
        CorpusError: one was made with another pattern than the one that was asked for.
        OSError: a file cannot be read.
    """
    tables = [path for path in paths if path != "-" and is_count_file(path)]
    for path in tables:
        if pattern is not None and CountFile(path).pattern != resolve(pattern).source:
            raise CorpusError(
                f"{path} was counted with the pattern {CountFile(path).pattern!r}: leave --pattern "
                "away, or count again with the pattern that you want"
            )
    return len(tables) == len(list(paths))


def load(paths: tuple[str, ...], pattern: str | None, *, words: str = "cl100k") -> CountTable:
    """The counts of all files together.

    Args:
        paths: count tables, and words with counts, in any order.
        pattern: what cuts texts into such words; None for that of the count tables.
        words: what does where there is no count table to tell.

    Raises:
        CorpusError: a file cannot be read, or does not fit the others.
        FormatError: a count table is damaged.
        PatternError: the pattern is not one.
    """
    are_count_files(paths, pattern)
    tables = [path for path in paths if path != "-" and is_count_file(path)]
    if pattern is None:
        pattern = CountFile(tables[0]).pattern if tables else words

    def one(path: str) -> CountTable:
        return CountTable.load(path) if path in tables else CountTable.from_words(path, pattern)

    return functools.reduce(CountTable.merge, map(one, paths))
