"""Arrow columns: texts out of them and ids into them, by the Arrow C data interface and its capsules."""

from typing import Protocol

from bpetok._batch import Batch
from bpetok._encode import Encoder

class _Array(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class _Stream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

ArrowColumn = _Array | _Stream

class ColumnBatch(Batch):
    """A batch of the texts of a column. `errors` says what to do with bytes that are no UTF-8.

    Raises:
        ArrowError: the object shows no Arrow data, or it is no column of texts, or damaged.
    """

    def __init__(self, encoder: Encoder, column: ArrowColumn, errors: str) -> None: ...
    def arrow(self) -> ArrowIds:
        """The ids; after `end`, of the form "flat"."""

class ArrowIds:
    """A column of lists of ids, from `Tokenizer.encode_arrow`, in the order of the texts; null where a text
    was null. Libraries that know Arrow take it as it is, without a copy: `pyarrow.array(ids)`,
    `pyarrow.chunked_array(ids)`, `polars.Series(ids)`."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object:
        """The type, list or large_list of uint32, in a capsule."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """The type and the column in capsules. Another type that is asked for is not made."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A stream of one array in a capsule. Another type that is asked for is not made."""

def _stores() -> int:
    """How many columns of ids there are in memory, for tests."""

def _set_most_ids(most: int) -> int:
    """Set how many ids a column with offsets of 32 bits may have, for tests; returns what it was."""
