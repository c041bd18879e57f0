"""The published encodings that come with the package, and which model uses which.

No download ever happens: the vocabularies are compact binaries beside this file, made by `build.py`
from the published ones. Names, patterns and special tokens are those of tiktoken 0.14.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from bpetok.encodings.models import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING
from bpetok.errors import TokenError, VocabularyError

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["encoding_for_model", "encoding_name_for_model", "get_encoding", "list_encoding_names"]

# Of the published `.tiktoken` files, as tiktoken's `openai_public.py` states them.
SHA256: dict[str, str] = {
    "r50k_base": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    "p50k_base": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}

_END = "<|endoftext|>"
_FILL = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_HARMONY = {
    "<|startoftext|>": 199998,
    _END: 199999,
    "<|reserved_200000|>": 200000,
    "<|reserved_200001|>": 200001,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|reserved_200004|>": 200004,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|reserved_200009|>": 200009,
    "<|reserved_200010|>": 200010,
    "<|reserved_200011|>": 200011,
    "<|call|>": 200012,
}


class _Recipe(NamedTuple):
    binary: str
    pattern: str
    special_tokens: dict[str, int]


_RECIPES = {
    "gpt2": _Recipe("r50k_base", "gpt2", {_END: 50256}),
    "r50k_base": _Recipe("r50k_base", "gpt2", {_END: 50256}),
    "p50k_base": _Recipe("p50k_base", "gpt2", {_END: 50256}),
    "p50k_edit": _Recipe(
        "p50k_base", "gpt2", {_END: 50256, **{text: 50281 + i for i, text in enumerate(_FILL)}}
    ),
    "cl100k_base": _Recipe(
        "cl100k_base",
        "cl100k",
        {_END: 100257, **{text: 100258 + i for i, text in enumerate(_FILL)}, "<|endofprompt|>": 100276},
    ),
    "o200k_base": _Recipe("o200k_base", "o200k", {_END: 199999, "<|endofprompt|>": 200018}),
    # "<|endofprompt|>" keeps 200018 beside the reserved name of the same id, as published.
    "o200k_harmony": _Recipe(
        "o200k_base",
        "o200k",
        {
            _END: 199999,
            "<|endofprompt|>": 200018,
            **_HARMONY,
            **{f"<|reserved_{i}|>": i for i in range(200013, 201088)},
        },
    ),
}
_loaded: dict[str, Tokenizer] = {}
_lock = threading.Lock()


def get_encoding(encoding_name: str) -> Tokenizer:
    """The tokenizer of a published encoding; made once, then the same object.

    Raises:
        VocabularyError: there is no encoding of that name (a `ValueError`).

    >>> get_encoding("cl100k_base").encode("hello world")
    [15339, 1917]
    """
    if not isinstance(encoding_name, str):
        raise VocabularyError(f"expected an encoding's name, got {type(encoding_name).__name__}")
    known = _loaded.get(encoding_name)
    if known is not None:
        return known
    recipe = _RECIPES.get(encoding_name)
    if recipe is None:
        raise VocabularyError(
            f"unknown encoding {encoding_name!r}: use one of {', '.join(_RECIPES)}, "
            "or Tokenizer.load for a file"
        )
    with _lock:
        if encoding_name not in _loaded:
            _loaded[encoding_name] = _make(encoding_name, recipe)
        return _loaded[encoding_name]


def _make(name: str, recipe: _Recipe) -> Tokenizer:
    from bpetok.tokenizer import Tokenizer
    from bpetok.vocabulary import Vocabulary

    # Not through `importlib.resources`: importing that takes as long as making the tables.
    file_name = f"{recipe.binary}.bin"
    with open(os.path.join(os.path.dirname(__file__), file_name), "rb") as file:
        vocabulary = Vocabulary.from_binary(file.read(), recipe.special_tokens, file_name)
    return Tokenizer.from_vocabulary(name, recipe.pattern, vocabulary)


def list_encoding_names() -> list[str]:
    """The names that `get_encoding` knows."""
    return list(_RECIPES)


def is_registered(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is the one that `get_encoding` gives for its name."""
    return _loaded.get(tokenizer.name) is tokenizer


def encoding_name_for_model(model_name: str) -> str:
    """The name of the encoding that a model uses, by its exact name or a known prefix.

    Raises:
        TokenError: the model is not known (a `KeyError`).

    >>> encoding_name_for_model("gpt-4o-mini")
    'o200k_base'
    """
    if model_name in MODEL_TO_ENCODING:
        return MODEL_TO_ENCODING[model_name]
    for prefix, encoding_name in MODEL_PREFIX_TO_ENCODING.items():
        if model_name.startswith(prefix):
            return encoding_name
    raise TokenError(
        f"Could not automatically map {model_name} to a tokeniser. "
        "Please use `get_encoding` to explicitly get the tokeniser you expect."
    )


def encoding_for_model(model_name: str) -> Tokenizer:
    """The tokenizer that a model uses.

    Raises:
        TokenError: the model is not known (a `KeyError`).
    """
    return get_encoding(encoding_name_for_model(model_name))
