"""JSON lines: one object a line, the text in one of its fields.

Blank lines are passed over, and so are objects whose text is `null`: data sets use it for "no text
here". Anything else that holds no text is an error, because training on less than was asked for
would go unseen.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bpetok.corpus.compression import open_bytes
from bpetok.corpus.document import Document
from bpetok.corpus.fields import text_of
from bpetok.errors import CorpusError

_BOM = b"\xef\xbb\xbf"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Lines:
    """Some whole lines of a file.

    Attributes:
        path: the file.
        data: the lines.
        start: where the range begins that they are of.
        n_before: how many lines of the range come before them.
    """

    path: str
    data: bytes
    start: int
    n_before: int

    def documents(self, field: str) -> Iterator[Document]:
        """One document for each line with a text.

        Raises:
            CorpusError: a line is not a JSON object in UTF-8, has no such field, or no text in it.
        """
        data = self.data if self.start or self.n_before else self.data.removeprefix(_BOM)
        for number, line in enumerate(data.split(b"\n"), self.n_before + 1):
            if line.isspace() or not line:
                continue
            try:
                text = _text(line, field, f"{self.path}:{number}")
            except CorpusError:
                if self.start:
                    _text(line, field, f"{self.path}:{self._lines_before_range() + number}")
                raise
            if text is not None:
                yield Document(text, self.path)

    def _lines_before_range(self) -> int:
        n_lines = 1  # the one that goes on into the range
        with open_bytes(self.path, 0, self.start) as stream:
            while block := stream.read(_BLOCK):
                n_lines += block.count(b"\n")
        return n_lines


def documents(path: str, field: str, start: int = 0, end: int | None = None) -> Iterator[Document]:
    """One document for each line with a text, in a file or a range of it, as `blocks` has them.

    Raises:
        CorpusError: as for `blocks`, and for `Lines.documents`.
    """
    for lines in blocks(path, start, end):
        yield from lines.documents(field)


def blocks(path: str, start: int = 0, end: int | None = None, size: int = _BLOCK) -> Iterator[Lines]:
    """The lines of a file, or of a range, some at a time.

    A range has the lines that follow a newline in it, and the first range the first line, too. So ranges that
    meet have each line once, wherever they meet.

    Args:
        path: the file.
        start: where the range begins, in the bytes that are stored: one of `compression.places`.
        end: where it ends; None for the end of the file.
        size: how many bytes to read at a time. A longer line comes as a whole.

    Raises:
        CorpusError: the file cannot be read, or its compressed data is damaged.
    """
    held: list[bytes] = []  # of a line that goes on
    n_lines = 0
    for block in _read(path, start, end, size):
        whole = block.rfind(b"\n") + 1
        if whole:
            data = b"".join((*held, block[:whole]))
            yield Lines(path, data, start, n_lines)
            n_lines += data.count(b"\n")
            held = []
        held.append(block[whole:])
    data = b"".join(held)
    if data:
        yield Lines(path, data, start, n_lines)


def _read(path: str, start: int, end: int | None, size: int) -> Iterator[bytes]:
    """The bytes of the lines of a range."""
    with open_bytes(path, start, end) as stream:
        line = b"" if start else b"\n"
        while not line.endswith(b"\n"):  # it goes on into the range
            line = stream.readline(size)
            if not line:
                return
        while block := stream.read(size):
            yield block
    if end is not None:
        with open_bytes(path, end) as stream:
            yield stream.readline()


def _text(line: bytes, field: str, where: str) -> str | bytes | None:
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{where}: not UTF-8 ({error.reason} at byte {error.start} of the line): "
            "convert the file to UTF-8, for example with iconv"
        ) from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, nesting without end
        raise CorpusError(
            f"{where}: not a line of JSON ({error}): correct or delete the line, "
            "or rename the file to .txt if it is plain text"
        ) from error
    return text_of(record, field, where)
