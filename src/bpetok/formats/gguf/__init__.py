"""The tokenizer in the metadata of a GGUF file, as llama.cpp reads it: byte-level merges (`gpt2`) and
SentencePiece's scores (`llama`).

`container` reads and writes the metadata, and knows nothing of tokenizers; `kinds` says what their words
stand for; `reading` makes a tokenizer of them, and `writing` a file that has a vocabulary and no weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpetok.formats.file import File
from bpetok.formats.gguf import reading
from bpetok.formats.gguf.container import MAGIC
from bpetok.formats.gguf.kinds import PRE_TOKENIZERS
from bpetok.formats.gguf.writing import dump

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["PRE_TOKENIZERS", "dump", "looks_like", "read"]


def looks_like(file: File) -> bool:
    """Whether a file begins as GGUF files do."""
    return file.head.startswith(MAGIC)


def read(file: File, *, name: str | None = None) -> Tokenizer:
    """The tokenizer of a GGUF file: see `reading.read`."""
    with open(file.path, "rb") as stream:
        return reading.read(stream, file.path, name=name)
