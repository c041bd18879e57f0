"""The text of a record: a JSON object, or a row of a data set that is already in memory."""

import json
from collections.abc import Iterable, Iterator, Mapping

from bpetok.corpus.document import Document
from bpetok.errors import CorpusError


def records(rows: Iterable[Mapping[str, object]], *, field: str = "text") -> Iterator[Document]:
    """One document for each row with a text, such as those of a Hugging Face data set.

    Args:
        rows: mappings of field names to values.
        field: the field that holds the text; "a.b" is field b of field a, unless a field has that very name.

    Raises:
        CorpusError: a row is no mapping, has no such field, or no text in it; the error tells its number.

    >>> [document.text for document in records([{"body": "a"}, {"body": None}, {"body": "b"}], field="body")]
    ['a', 'b']
    """
    for number, row in enumerate(rows, 1):
        text = text_of(row, field, f"row {number}")
        if text is not None:
            yield Document(text, f"row {number}")


def text_of(record: object, field: str, where: str) -> str | bytes | None:
    """The text in a field; None where that is null, or a field on the way to it.

    Raises:
        CorpusError: the record is no mapping, has no such field, or holds something else there.
    """
    if not isinstance(record, Mapping):
        raise CorpusError(
            f"{where}: a record must be an object such as {{{json.dumps(field)}: ...}}, "
            f"this one is of type {type(record).__name__}"
        )
    value: object = record
    for name in [field] if field in record else field.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping) or name not in value:
            present = ", ".join(map(repr, value)) if isinstance(value, Mapping) else ""
            raise CorpusError(
                f"{where}: no field {field!r} (fields here: {present or 'none'}): "
                "name the field that holds the text"
            )
        value = value[name]
    if value is not None and not isinstance(value, str | bytes):
        raise CorpusError(
            f"{where}: field {field!r} is of type {type(value).__name__}, not a string: "
            "name the field that holds the text"
        )
    return value
