"""SentencePiece models (`.model`) of type BPE: the same ids and the same text as `sentencepiece` gives.

A model is a Protocol Buffers message: `wire` reads and writes that format, `model` the message; `reading`
makes a tokenizer of it, and `writing` a model of a tokenizer.
"""

from bpetok.formats.sentencepiece.model import looks_like
from bpetok.formats.sentencepiece.reading import read
from bpetok.formats.sentencepiece.writing import dump

__all__ = ["dump", "looks_like", "read"]
