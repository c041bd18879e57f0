"""How often each piece of a corpus occurs: the table, its sums, and its files."""

import heapq
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from bpetok._count import PieceCounts
from bpetok._text import as_utf8
from bpetok.corpus.words import word_counts
from bpetok.errors import CorpusError, FormatError
from bpetok.patterns import resolve
from bpetok.spilling import N_PARTS, Records, gather, joined
from bpetok.treatment import NOTHING, Treatment

__all__ = ["CountTable", "check_same", "provenance_of", "sum_up"]

MAX_SOURCES = 1000  # that a table names


class CountTable(Mapping[bytes, int]):
    """How often each piece of a corpus occurs: an immutable mapping of bytes to count.

    Made by `count`, `load`, `merge`, `from_mapping` or `from_words`. Iteration is in the order of the pieces'
    bytes. Two tables are equal when their patterns, pieces and counts are; how many texts they came from
    does not matter.

    Attributes:
        pattern: the source of the split pattern that made the pieces.
        treatment: what was done to the texts before.
        n_texts: how many texts were counted; 0 in a table of counts made elsewhere.
        n_bytes: how many bytes of UTF-8 they had; in a table of counts made elsewhere, the pieces' own.
        provenance: which versions counted ("counted_by") which files ("sources", the first thousand of
            "n_sources" in alphabetical order). Texts that were in memory have no name.
    """

    def __init__(
        self,
        table: PieceCounts,
        pattern: str,
        treatment: Treatment = NOTHING,
        *,
        n_texts: int,
        n_bytes: int,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.table = table
        self.pattern = pattern
        self.treatment = treatment
        self.n_texts = n_texts
        self.n_bytes = n_bytes
        self.provenance = dict(provenance_of([]) if provenance is None else provenance)

    @classmethod
    def from_mapping(cls, mapping: Mapping[bytes, int] | Mapping[str, int], pattern: str) -> "CountTable":
        """A table of counts that were made elsewhere, such as a `collections.Counter`.

        Args:
            mapping: pieces to counts. A str stands for its bytes of UTF-8.
            pattern: a name or a regular expression: what cuts texts into such pieces. It is not checked
                against them.

        Raises:
            CorpusError: a piece is not non-empty bytes or str, a count not from 1 to 2**63 - 1, or all
                counts together are more than that.
            PatternError: the pattern is not one.

        >>> counts = CountTable.from_mapping({b"ab": 3, "a": 2}, "gpt2")
        >>> dict(counts), counts.n_pieces
        ({b'a': 2, b'ab': 3}, 5)
        """
        return cls._from_pairs(mapping.items(), pattern, [])

    @classmethod
    def from_words(cls, path: str | os.PathLike[str], pattern: str) -> "CountTable":
        """A table of the word counts in a file.

        Args:
            path: a Parquet file with the columns "word" and "count", or any other file as lines of a word, a
                tab, and its count; `.gz` or `.zst` may follow. Each word is taken as one piece, as it is:
                where the pattern gives a space to the word behind it, write the space.
            pattern: as in `from_mapping`.

        Raises:
            CorpusError: the file cannot be read; a line is no word with a count from 1 to 2**63 - 1; all
                counts together are more than that.
            PatternError: the pattern is not one.
            MissingExtraError: a package is needed and not installed.
        """
        name = os.fspath(path)
        return cls._from_pairs(word_counts(name), pattern, [name])

    @classmethod
    def _from_pairs(
        cls, pairs: Iterable[tuple[object, object]], pattern: str, sources: list[str]
    ) -> "CountTable":
        source = resolve(pattern).source
        table, n_bytes = PieceCounts(), 0
        for piece, n in pairs:
            if not isinstance(piece, bytes | str) or not isinstance(n, int) or isinstance(n, bool):
                raise CorpusError(f"a count table maps bytes or str to int, got {piece!r}: {n!r}")
            data = as_utf8(piece)
            table.add(data, n)
            n_bytes += len(data) * n
        return cls(table, source, n_texts=0, n_bytes=n_bytes, provenance=provenance_of(sources))

    @staticmethod
    def merge(*tables: "CountTable") -> "CountTable":
        """The counts of several corpora together. Neither order nor grouping matters.

        Raises:
            CorpusError: there is no table, they were made with different patterns, or the sum of all
                counts would exceed 2**63 - 1.

        >>> one = CountTable.from_mapping({b"ab": 3}, "gpt2")
        >>> dict(CountTable.merge(one, one, one))
        {b'ab': 9}
        """
        check_same(tables)
        table = PieceCounts()
        table.reserve(max(len(each) for each in tables))
        for each in tables:
            table.update(each.table)
        return CountTable(table, tables[0].pattern, tables[0].treatment, **sum_up(tables))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to a file, which appears when it is complete. Equal tables of equal provenance
        make equal files.

        Raises:
            FormatError: the path is something else than a file.
            OSError: the file cannot be written.
        """
        from bpetok.formats.counts import write_counts

        def records(part: int) -> Records:
            return self.table.dump(part, N_PARTS, ordered=True)

        totals = {
            "n_texts": self.n_texts,
            "n_bytes": self.n_bytes,
            "n_pieces": self.n_pieces,
            "n_distinct": len(self),
            "provenance": self.provenance,
        }
        write_counts(path, records, lambda: totals, pattern=self.pattern, treatment=self.treatment)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "CountTable":
        """Read a table that `save` or `bpetok tally` wrote.

        Raises:
            FormatError: the file is no count table, of another version, damaged, or cut short.
            OSError: it cannot be read.
        """
        from bpetok.formats.counts import CountFile

        file = CountFile(path)
        parts = gather(file.records, 1)
        try:
            table = joined(parts, ordered=True)
        except (FormatError, CorpusError) as error:
            raise FormatError(f"{file.path} is damaged: {error}; count or copy it again") from error
        if (table.n_pieces, len(table)) != (file.n_pieces, file.n_distinct):
            raise FormatError(
                f"{file.path} is damaged: its totals are not those of its pieces; count or copy it again"
            )
        return cls(
            table,
            file.pattern,
            file.treatment,
            n_texts=file.n_texts,
            n_bytes=file.n_bytes,
            provenance=file.provenance,
        )

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
        same = (self.pattern, self.treatment) == (other.pattern, other.treatment)
        return same and self.table.equals(other.table)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<CountTable of {len(self)} distinct pieces, {self.n_pieces} in all>"

    def __reduce__(self) -> tuple[object, ...]:
        about = self.pattern, self.treatment, self.n_texts, self.n_bytes, self.provenance
        return _rebuild, (*self.table.dump(), *about)


def _rebuild(
    records: bytes,
    n: int,
    pattern: str,
    treatment: Treatment,
    n_texts: int,
    n_bytes: int,
    provenance: dict[str, Any],
) -> CountTable:
    table = PieceCounts()
    table.reserve(n)
    table.load(records)
    return CountTable(table, pattern, treatment, n_texts=n_texts, n_bytes=n_bytes, provenance=provenance)


# ---- what tables and files have in common -----------------------------------------------------------------


def provenance_of(sources: Iterable[str], n_sources: int | None = None) -> dict[str, Any]:
    """That this version counted these files; see `CountTable.provenance`."""
    from bpetok import __version__

    names = sorted(sources)
    return {
        "counted_by": [f"bpetok {__version__}"],
        "sources": names[:MAX_SOURCES],
        "n_sources": len(names) if n_sources is None else n_sources,
    }


def check_same(tables: Iterable[Any]) -> None:
    """See that tables, or files of them, can be added up.

    Raises:
        CorpusError: there is none, or two of them were made with different patterns or from texts that were
            prepared differently.
    """
    tables = list(tables)
    patterns = dict.fromkeys(table.pattern for table in tables)
    if not patterns:
        raise CorpusError("no count table was given: name at least one")
    if len(patterns) > 1:
        one, other = islice(patterns, 2)
        raise CorpusError(
            f"counts made with different patterns cannot be added up: {one!r} and {other!r}; "
            "count all corpora with the same pattern"
        )
    if len({table.treatment for table in tables}) > 1:
        raise CorpusError(
            "counts of texts that went through different normalizers, or were cut at different symbols, "
            "cannot be added up: count all corpora in the same way"
        )


def sum_up(tables: Iterable[Any]) -> dict[str, Any]:
    """`n_texts`, `n_bytes` and `provenance` of several tables, or files of them, together."""
    tables = list(tables)
    given = [table.provenance for table in tables]
    return {
        "n_texts": sum(table.n_texts for table in tables),
        "n_bytes": sum(table.n_bytes for table in tables),
        "provenance": {
            "counted_by": sorted({name for each in given for name in each["counted_by"]}),
            "sources": list(islice(heapq.merge(*(each["sources"] for each in given)), MAX_SOURCES)),
            "n_sources": sum(each["n_sources"] for each in given),
        },
    }
