"""Word counts made elsewhere: a word and how often it occurs, a line (TSV) or a row (Parquet).

A line of TSV has the word, a tab, and the count. The word is what stands before the last tab, as it is: there
are no quotes and no escapes, so a word with a newline needs Parquet. A Parquet file has the columns "word"
(text or bytes) and "count" (integers).
"""

from collections.abc import Iterator

from bpetok.corpus.compression import check, open_bytes, split_suffix
from bpetok.errors import CorpusError, MissingExtraError

__all__ = ["word_counts"]

_ROWS = 1 << 14  # in memory at a time
_BOM = b"\xef\xbb\xbf"


def word_counts(path: str) -> Iterator[tuple[bytes, int]]:
    """The words of a file with their counts; a word may come several times.

    Args:
        path: a `.parquet` file, or any other as TSV, which may be compressed; "-" is standard input.

    Raises:
        CorpusError: the file cannot be read, or a line or row is no word with a count from 1 to 2**63 - 1.
        MissingExtraError: pyarrow or zstandard is needed and not installed.
    """
    if split_suffix(path)[0] == ".parquet":
        yield from _parquet(path)
    else:
        yield from _tsv(path)


def _tsv(path: str) -> Iterator[tuple[bytes, int]]:
    if path != "-":
        check(path, regular=False)
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                line = line.removeprefix(_BOM)
            word, tab, count = line.rstrip(b"\r\n").rpartition(b"\t")
            if not tab:
                raise CorpusError(
                    f"{path}:{number}: no tab: a line must be a word, a tab, and how often the word occurs"
                )
            digits = count.strip(b" ")
            if not digits.isdigit() or len(digits) > 19:
                shown = count[:40].decode("utf-8", "replace")
                hint = "; delete the line if it is a heading" if number == 1 else ""
                raise CorpusError(
                    f"{path}:{number}: the count is {shown!r}: it must be a whole number from 1 to 2**63 - 1"
                    + hint
                )
            yield word, _checked(word, int(digits), f"{path}:{number}")


def _parquet(path: str) -> Iterator[tuple[bytes, int]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f'{path}: reading Parquet needs pyarrow: install it with pip install "bpetok[data]"'
        ) from error
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            for column in ("word", "count"):
                if column not in schema.names:
                    raise CorpusError(
                        f"{path}: no column {column!r} (columns here: {', '.join(map(repr, schema.names))}): "
                        'word counts are in columns "word" and "count"'
                    )
            for batch in file.iter_batches(batch_size=_ROWS, columns=["word", "count"]):
                for word, count in zip(batch["word"].to_pylist(), batch["count"].to_pylist(), strict=True):
                    number += 1
                    where = f"{path}: row {number}"
                    if not isinstance(word, str | bytes) or type(count) is not int:
                        raise CorpusError(
                            f"{where}: {word!r}, {count!r}: a row must be text and a whole number"
                        )
                    data = word.encode() if isinstance(word, str) else word
                    yield data, _checked(data, count, where)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CorpusError(f"{path}: not a whole Parquet file ({reason}): get the file again") from error


def _checked(word: bytes, count: int, where: str) -> int:
    if not word:
        raise CorpusError(f"{where}: the word is empty: delete the line or row")
    if not 0 < count < 1 << 63:
        raise CorpusError(f"{where}: the count of {word[:40]!r} is {count}: it must be from 1 to 2**63 - 1")
    return count
