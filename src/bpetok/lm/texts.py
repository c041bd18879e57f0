"""Texts for the language model: documents cut into stretches of about as many bytes, and split by
document."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from bpetok.errors import CorpusError
from bpetok.lm.words import Entry, Split, side_of

__all__ = ["WINDOW", "compressed_bits", "is_text", "load_texts"]

WINDOW = 192  # bytes of a stretch at most; most have nearly so many
_DOCUMENT = 4_096  # a file is cut into documents of so many bytes
_TEST, _VALIDATION = 0.08, 0.04


def is_text(source: str) -> bool:
    """Whether a source is a text, and not a word list."""
    return source == "docstrings" or source.startswith("text:")


@lru_cache(maxsize=2)
def load_texts(source: str) -> Split:
    """Stretches of text, split by document.

    Args:
        source: "docstrings" for those of Python's standard library, or the path of a text file in UTF-8,
            which is cut into documents of 4 KiB.

    Raises:
        CorpusError: the text cannot be read, or is too short.
    """
    documents = _docstrings() if source == "docstrings" else _file(Path(source))
    sides: tuple[list[Entry], list[Entry], list[Entry]] = ([], [], [])
    for document in documents:
        digest = hashlib.blake2b(document.encode(), digest_size=8).digest()
        share = int.from_bytes(digest) / 2**64
        sides[side_of(share, _TEST, _VALIDATION)].extend(map(Entry, _windows(document)))
    if not all(sides):
        raise CorpusError(
            f"{source!r} is too short a text to train, choose and test with: give one of a mebibyte or more"
        )
    # What is in two documents is in training only.
    seen = {entry.word for entry in sides[0]}
    return Split(
        tuple(sides[0]), *(tuple(entry for entry in side if entry.word not in seen) for side in sides[1:])
    )


def compressed_bits(windows: Sequence[str]) -> float:
    """Bits a byte when the stretches are compressed together by zlib: a figure to stand beside a model's."""
    data = "\n".join(windows).encode()
    return 8 * len(zlib.compress(data, 9)) / len(data)


def _windows(document: str) -> Iterator[str]:
    """Stretches of whole words. A word that is longer than a stretch alone is left out."""
    taken: list[str] = []
    size = 0
    for word in document.split():
        length = len(word.encode()) + 1
        if length > WINDOW:
            continue
        if size + length > WINDOW:
            yield " ".join(taken)
            taken, size = [], 0
        taken.append(word)
        size += length


def _docstrings() -> Iterator[str]:
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if {"site-packages", "dist-packages", "test", "tests", "idlelib", "__pycache__"} & set(parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        yield "\n".join(text for text in found if text)


def _file(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"the text {str(path)!r} cannot be read ({error}): give a file in UTF-8") from error
    return [text[at : at + _DOCUMENT] for at in range(0, len(text), _DOCUMENT)]
