"""SentencePiece models (`.model`) of type BPE: the same ids and the same text as `sentencepiece` gives.

A model is a Protocol Buffers message: `wire` reads and writes that format, `model` the message; `reading`
makes a tokenizer of it, and `writing` a model of a tokenizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpetok.formats.file import File
from bpetok.formats.sentencepiece import model, reading
from bpetok.formats.sentencepiece.writing import dump

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]


def looks_like(file: File) -> bool:
    """Whether a file begins as a model does."""
    return model.looks_like(file.data)


def read(file: File, *, name: str | None = None, add_bos: bool = False, add_eos: bool = False) -> Tokenizer:
    """The tokenizer of a model of type BPE: see `reading.read`."""
    return reading.read(file.data, file.path, name=name, add_bos=add_bos, add_eos=add_eos)
