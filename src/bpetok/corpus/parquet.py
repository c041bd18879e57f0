"""Parquet: one document a row, the text in one column; needs pyarrow (the extra `data`).

Rows whose text is null are passed over, as in JSON lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpetok.corpus.document import Document
from bpetok.corpus.storage import is_url, open_raw
from bpetok.errors import CorpusError, MissingExtraError

_ROWS = 1024  # in memory at a time
_TEXT_TYPES = {"string", "large_string", "string_view", "binary", "large_binary", "binary_view"}


def documents(path: str, field: str, row_groups: range | None = None) -> Iterator[Document]:
    """One document for each row with a text.

    Args:
        path: the file, or its URL.
        field: the column; "a.b" is field b of the structures in column a, unless a column has that very name.
        row_groups: which row groups to read; None for all.

    Raises:
        CorpusError: the file is damaged, has no such column of strings, or a string that is not UTF-8.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as file:
        way = _way(file.schema_arrow, path, field)
        groups = range(file.num_row_groups) if row_groups is None else row_groups
        row = sum(file.metadata.row_group(group).num_rows for group in range(groups.start))
        for batch in file.iter_batches(batch_size=_ROWS, row_groups=list(groups), columns=[field]):
            column = batch.column(batch.schema.get_field_index(way[0]))
            for name in way[1:]:
                column = _inside(column, name)
            for text in _texts(column, path, row):
                if text is not None:
                    yield Document(text, path)
            row += batch.num_rows


def sizes(path: str) -> list[int]:
    """How many bytes each row group takes when it has been decompressed, all columns together.

    Raises:
        CorpusError: the file is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as file:
        return [file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups)]


def check(path: str, field: str) -> None:
    """Read the file's footer only, to see that it is whole and has the column.

    Raises:
        CorpusError: the file is damaged, or has no such column of strings.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as file:
        _way(file.schema_arrow, path, field)


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
        with open_raw(path) as raw, pyarrow.parquet.ParquetFile(raw if is_url(path) else path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CorpusError(f"{path}: not a whole Parquet file ({reason}): get the file again") from error


def _way(schema: Any, path: str, field: str) -> list[str]:
    """The column, and the fields inside of it, that lead to the text."""
    way = [field] if field in schema.names else field.split(".")
    kind = schema
    for name in way:
        names = [kind.field(at).name for at in range(_n_fields(kind))]
        if name not in names:
            raise CorpusError(
                f"{path}: no column {field!r} (columns here: {', '.join(map(repr, names)) or 'none'}): "
                "name the column that holds the text"
            )
        kind = kind.field(names.index(name)).type
    if str(kind).startswith("dictionary<"):
        kind = kind.value_type
    if str(kind) not in _TEXT_TYPES:
        raise CorpusError(
            f"{path}: column {field!r} is of type {kind}, not text: name the column that holds the text"
        )
    return way


def _n_fields(kind: Any) -> int:
    """Of a schema or a structure; other types have none with a name."""
    if hasattr(kind, "names"):
        return len(kind.names)
    return int(kind.num_fields) if str(kind).startswith("struct<") else 0


def _inside(column: Any, name: str) -> Any:
    import pyarrow.compute

    return pyarrow.compute.struct_field(column, name)  # null where the structure is


def _texts(column: Any, path: str, row: int) -> list[str | bytes | None]:
    """Plain Python values; `row` is how many rows of the file come before these."""
    try:
        texts: list[str | bytes | None] = column.to_pylist()
    except UnicodeDecodeError:
        for number, each in enumerate(column, row + 1):
            try:
                each.as_py()
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{path}: row {number}: not UTF-8 ({error.reason} at byte {error.start} of the text): "
                    "write the file again with the column as UTF-8, or as binary"
                ) from error
        raise
    return texts
