"""Parquet: one document a row, the text in one column; needs pyarrow (the extra `data`).

Rows whose text is null are passed over, as in JSON lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpetok.corpus.document import Document
from bpetok.errors import CorpusError, MissingExtraError

_ROWS = 1024  # in memory at a time
_TEXT_TYPES = {"string", "large_string", "string_view", "binary", "large_binary", "binary_view"}


def documents(path: str, field: str) -> Iterator[Document]:
    """One document for each row with a text.

    Raises:
        CorpusError: the file is damaged, or has no such column of strings.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as file:
        _check_column(file.schema_arrow, path, field)
        for batch in file.iter_batches(batch_size=_ROWS, columns=[field]):
            for text in batch.column(0).to_pylist():
                if text is not None:
                    yield Document(text, path)


def check(path: str, field: str) -> None:
    """Read the file's footer only, to see that it is whole and has the column.

    Raises:
        CorpusError: the file is damaged, or has no such column of strings.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as file:
        _check_column(file.schema_arrow, path, field)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f'{path}: reading Parquet needs pyarrow: install it with pip install "bpetok[data]"'
        ) from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CorpusError(f"{path}: not a whole Parquet file ({reason}): get the file again") from error


def _check_column(schema: Any, path: str, field: str) -> None:
    if field not in schema.names:
        raise CorpusError(
            f"{path}: no column {field!r} (columns here: {', '.join(map(repr, schema.names)) or 'none'}): "
            "name the column that holds the text"
        )
    kind = schema.field(field).type
    if str(kind).startswith("dictionary<"):
        kind = kind.value_type
    if str(kind) not in _TEXT_TYPES:
        raise CorpusError(
            f"{path}: column {field!r} is of type {kind}, not text: name the column that holds the text"
        )
