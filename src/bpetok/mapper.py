"""A function from batches of texts to batches of ids, for `datasets.Dataset.map` and other processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.errors import CorpusError

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["Mapper"]


class Mapper:
    """Encodes a column of a batch; see `Tokenizer.mapper`, which makes it.

    It can be pickled, sent to processes that are forked or spawned, and called by any number of threads.
    Equal ones have equal pickles, in any process, so that `datasets` finds what it has computed before.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        column: str,
        output: str,
        length: str | None,
        allowed_special: str | AbstractSet[str],
        disallowed_special: str | Collection[str],
        num_threads: int | None,
    ) -> None:
        self.tokenizer = tokenizer
        self.column = column
        self.output = output
        self.length = length
        self._special: dict[str, Any] = {
            "allowed_special": _fixed(allowed_special),
            "disallowed_special": _fixed(disallowed_special),
        }
        self._threads = num_threads
        tokenizer.count("", **self._special)  # so that what is wrong with them is said here

    def __reduce__(self) -> tuple[Any, ...]:
        # Sets have no order of their own.
        special = [each if isinstance(each, str) else sorted(each) for each in self._special.values()]
        arguments = (self.tokenizer, self.column, self.output, self.length, *special, self._threads)
        return Mapper, arguments

    def __call__(self, batch: Any) -> Any:
        """The columns for a batch.

        Args:
            batch: a mapping from the name of each column to a list of str, in which None stands for no text,
                or to one str; or a table of pyarrow.

        Returns:
            For lists, a dict of the new columns: a uint32 array of ids for each text, and its length; None
            where there is no text. For one str, its ids in a list. For a table, the table with the new
            columns.

        Raises:
            CorpusError: the batch has no such column.
            ArrowError, DisallowedSpecialError, EncodeError, TypeError: as `encode_arrow` and `encode`.
        """
        names = batch.column_names if hasattr(batch, "column_names") else list(batch)
        if self.column not in names:
            raise CorpusError(
                f"the batch has no column {self.column!r}: it has {', '.join(map(repr, names)) or 'none'}"
            )
        texts = batch[self.column]
        if texts is None or isinstance(texts, str):
            ids = None if texts is None else self.tokenizer.encode(texts, **self._special)
            return self._named(ids, None if ids is None else len(ids))
        if hasattr(batch, "append_column"):
            return self._extended(batch)
        known = [text for text in texts if text is not None]
        flat, offsets = self.tokenizer.encode_flat(known, num_threads=self._threads, **self._special)
        each = iter(np.split(flat.astype(np.uint32, copy=False), offsets[1:-1]))
        lists = [None if text is None else next(each) for text in texts]
        return self._named(lists, [None if ids is None else len(ids) for ids in lists])

    def _named(self, ids: Any, length: Any) -> dict[str, Any]:
        return {self.output: ids} | ({} if self.length is None else {self.length: length})

    def _extended(self, table: Any) -> Any:
        import pyarrow.compute

        ids = self.tokenizer.encode_arrow(table[self.column], num_threads=self._threads, **self._special)
        column = pyarrow.chunked_array(ids).cast(pyarrow.list_(pyarrow.uint32()))
        for name, values in self._named(column, pyarrow.compute.list_value_length(column)).items():
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, values)
        return table


def _fixed(special: str | Iterable[str]) -> str | frozenset[str]:
    return special if isinstance(special, str) else frozenset(special)
