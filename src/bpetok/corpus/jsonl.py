"""JSON lines: one object a line, the text in one of its fields.

Blank lines are passed over, and so are objects whose text is `null`: data sets use it for "no text
here". Anything else that holds no text is an error, because training on less than was asked for
would go unseen.
"""

import json
from collections.abc import Iterator

from bpetok.corpus.compression import open_bytes
from bpetok.corpus.document import Document
from bpetok.corpus.fields import text_of
from bpetok.errors import CorpusError

_BOM = b"\xef\xbb\xbf"


def documents(path: str, field: str) -> Iterator[Document]:
    """One document for each line with a text.

    Raises:
        CorpusError: a line is not a JSON object in UTF-8, has no such field, or no text in it.
    """
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                line = line.removeprefix(_BOM)
            if line.isspace() or not line:
                continue
            text = _text(line, field, f"{path}:{number}")
            if text is not None:
                yield Document(text, path)


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
