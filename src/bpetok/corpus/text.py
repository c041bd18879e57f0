"""Plain text: one document a file, in the bytes that the file holds.

So line ends are kept, and a byte-order mark of UTF-8 is, too. One of UTF-16 or UTF-32 is an error: such a
file holds other bytes than those of its text.
"""

from collections.abc import Iterator

from bpetok.corpus.compression import open_bytes
from bpetok.corpus.document import Document
from bpetok.errors import CorpusError

_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def documents(path: str) -> Iterator[Document]:
    """The whole file as one document; an empty file is an empty document.

    Raises:
        CorpusError: the file cannot be read, or is UTF-16 or UTF-32.
    """
    with open_bytes(path) as stream:
        text = stream.read()
    check_start(path, text[:4])
    yield Document(text, path)


def check_start(path: str, start: bytes) -> None:
    """See that the first bytes of a text are no mark of UTF-16 or UTF-32.

    Raises:
        CorpusError: they are.
    """
    if start.startswith(_WIDE):
        raise CorpusError(
            f"{path}: begins with the byte-order mark of UTF-16 or UTF-32: convert it to UTF-8, "
            "for example with iconv"
        )
