"""bpetok: train, use and understand byte-pair tokenizers.

`import bpetok` can stand in for `import tiktoken`: `get_encoding`, `encoding_for_model` and `Encoding`
have the same names, results and errors. Names are resolved at first use, so the import is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpetok import errors as errors
    from bpetok.added_tokens import AddedToken as AddedToken
    from bpetok.corpus import Corpus as Corpus
    from bpetok.corpus import Document as Document
    from bpetok.counting import CountTable as CountTable
    from bpetok.counting import Progress as Progress
    from bpetok.counting import count as count
    from bpetok.encodings import encoding_for_model as encoding_for_model
    from bpetok.encodings import encoding_name_for_model as encoding_name_for_model
    from bpetok.encodings import get_encoding as get_encoding
    from bpetok.encodings import list_encoding_names as list_encoding_names
    from bpetok.errors import BpetokError as BpetokError
    from bpetok.parity import train_parity as train_parity
    from bpetok.protocols import TokenizerLike as TokenizerLike
    from bpetok.templates import Template as Template
    from bpetok.tokenizer import Encoding as Encoding
    from bpetok.tokenizer import Tokenizer as Tokenizer
    from bpetok.training import train as train
    from bpetok.training import train_from_counts as train_from_counts
    from bpetok.verification import verify as verify
    from bpetok.vocabulary import Vocabulary as Vocabulary

__version__ = "0.1.0"

_HOME = {
    "AddedToken": "added_tokens",
    "BpetokError": "errors",
    "Corpus": "corpus",
    "CountTable": "counting",
    "Document": "corpus",
    "Encoding": "tokenizer",
    "Progress": "counting",
    "Template": "templates",
    "Tokenizer": "tokenizer",
    "TokenizerLike": "protocols",
    "Vocabulary": "vocabulary",
    "count": "counting",
    "encoding_for_model": "encodings",
    "encoding_name_for_model": "encodings",
    "get_encoding": "encodings",
    "list_encoding_names": "encodings",
    "train": "training",
    "train_from_counts": "training",
    "train_parity": "parity",
    "verify": "verification",
}
_MODULES = {
    "corpus",
    "decoding",
    "diagnostics",
    "distributed",
    "encodings",
    "errors",
    "formats",
    "normalization",
    "patterns",
    "shards",
    "splits",
    "verification",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"bpetok.{_HOME[name]}"), name)
    elif name in _MODULES:
        return importlib.import_module(f"bpetok.{name}")
    else:
        raise AttributeError(f"module 'bpetok' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
