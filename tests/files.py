"""What tests of tokenizer files share."""

import hashlib
import json
from typing import Any

import pytest

from bpetok import Tokenizer
from bpetok.errors import FormatError
from bpetok.formats import load


def everything(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that a tokenizer is made of, as values that compare equal."""
    vocabulary = tokenizer.vocabulary
    counts = vocabulary.merge_counts
    return {
        "name": tokenizer.name,
        "pattern": tokenizer.pattern.source,
        "splits": tokenizer.splits,
        "provenance": tokenizer.provenance,
        **tokenizer.extras(),
        "semantics": vocabulary.semantics,
        "ignore_merges": vocabulary.ignore_merges,
        "alphabet": vocabulary.alphabet,
        "characters": (
            vocabulary.byte_tokens, vocabulary.unknown, vocabulary.fuse_unknown, vocabulary.unused,
        ),
        "special_tokens": list(vocabulary.special_tokens.items()),
        "tokens": vocabulary.tokens(),
        "scores": vocabulary.scores() if vocabulary.semantics == "scores" else None,
        "merges": vocabulary.tables.merges(),
        "merge_counts": None if counts is None else (counts.dtype, counts.tolist()),
    }  # fmt: skip


def refused(path, *words: str, **arguments) -> str:
    """The message with which a file is refused: it names the file and all the words."""
    with pytest.raises(FormatError) as caught:
        load(path, **arguments)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message
    return message


def signed(document: dict[str, Any]) -> bytes:
    """A native file with a fitting checksum, however wrong the rest is."""
    body = {key: value for key, value in document.items() if key != "sha256"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**body, "sha256": hashlib.sha256(canonical).hexdigest()}).encode()
