"""Plain text: one document a file, in the bytes that the file holds."""

from collections.abc import Iterator

from bpetok.corpus.compression import open_bytes
from bpetok.corpus.document import Document


def documents(path: str) -> Iterator[Document]:
    """The whole file as one document; an empty file is an empty document."""
    with open_bytes(path) as stream:
        text = stream.read()
    yield Document(text, path)
