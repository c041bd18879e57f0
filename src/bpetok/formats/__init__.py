"""Tokenizer files: bpetok's own format, and those of other libraries.

A file's format is recognised by its content, never by its name. Reading is strict: what is damaged, or
cannot be reproduced exactly, is a `FormatError` that says what, where and what to do. Writing is atomic.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpetok.errors import FormatError
from bpetok.formats import huggingface, native, sentencepiece, tiktoken
from bpetok.formats.atomic import folders, write_files
from bpetok.formats.checks import check_size, parse_json, read_file

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["FORMATS", "load", "save"]

FORMATS = ("native", "tiktoken", "huggingface", "transformers", "sentencepiece")

_FOREIGN = {
    b"\x1f\x8b": "it is compressed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstandard: unpack it first",
    b"PK": "it is a zip archive: unpack it first",
    b"\xef\xbb\xbf": "it starts with a byte-order mark: save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
    b"#version": "it is a merges.txt: use the tokenizer.json that belongs to it",
    b"version https://git-lfs": "it is a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"GGUF": "it is a GGUF model, which cannot be read",
}


def save(tokenizer: Tokenizer, path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write a tokenizer to a file, whole or not at all.

    Args:
        tokenizer: what to write.
        path: where to. An existing file is replaced once the new one is complete, and keeps its permissions.
        format: "native" (the default) keeps everything; "huggingface" keeps ids, special tokens and
            pattern; "tiktoken" too, in two files: the ranks, and beside them PATH.json with the rest;
            "transformers" makes a folder that `AutoTokenizer` loads; "sentencepiece" is for vocabularies that
            merge characters.

    Raises:
        FormatError: the format cannot hold this tokenizer exactly, or is not known.
        OSError: the file cannot be written.

    >>> import bpetok, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(bpetok.get_encoding("gpt2"), f"{folder}/gpt2.json", "huggingface")
    ...     load(f"{folder}/gpt2.json").encode("hello world")
    [31373, 995]
    """
    target = os.fsdecode(path)
    if format is None or format == "native":
        files = {target: native.dump(tokenizer, target)}
    elif format == "tiktoken":
        files = tiktoken.dump(tokenizer, target)
    elif format == "huggingface":
        files = {target: huggingface.dump(tokenizer, target)}
    elif format == "transformers":
        files = huggingface.dump_folder(tokenizer, target)
    elif format == "sentencepiece":
        files = {target: sentencepiece.dump(tokenizer, target)}
    else:
        raise FormatError(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")
    for name, data in files.items():
        check_size(data, f"cannot write {name}: it")
    with folders(files) if format == "transformers" else contextlib.nullcontext():
        write_files(files)


def load(
    path: str | os.PathLike[str],
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    name: str | None = None,
    add_bos: bool = False,
    add_eos: bool = False,
) -> Tokenizer:
    """Read a tokenizer from a file in any of the formats.

    Args:
        path: the file; or a folder in which `transformers` saved a tokenizer.
        pattern: the split pattern, a name or a regular expression: for a file in tiktoken's format, which
            does not hold one.
        special_tokens: text to id, for the same reason.
        name: how to call the tokenizer, for the same reason, or for a SentencePiece model.
        add_bos, add_eos: for a SentencePiece model, which does not say: whether the template puts the token
            for the beginning before a text, and that for the end behind it.

    Raises:
        FormatError: the file is damaged, of no known format, or has parts that cannot be reproduced
            exactly.
        OSError: the file does not exist or cannot be read.
    """
    where = os.fsdecode(path)
    if os.path.isdir(where):
        _no_arguments(where, pattern, special_tokens, name)
        return huggingface.read_folder(where)
    data = read_file(where)
    if sentencepiece.looks_like(data):
        if pattern is not None or special_tokens is not None:
            raise FormatError(f"{where} is a SentencePiece model, which needs no pattern or special tokens")
        return sentencepiece.read(data, where, name=name, add_bos=add_bos, add_eos=add_eos)
    if add_bos or add_eos:
        raise FormatError(f"{where} is no SentencePiece model: load it without add_bos and add_eos")
    if not re.match(rb"\s*\{", data):
        if tiktoken.looks_like(data):
            return tiktoken.read(data, where, pattern=pattern, special_tokens=special_tokens, name=name)
        raise _unknown(data, where)
    _no_arguments(where, pattern, special_tokens, name)
    document = parse_json(data, where)
    if document.get("format") == native.FORMAT:
        return native.read(document, where)
    if document.get("format") == tiktoken.SIDECAR:
        raise FormatError(
            f"{where} is what belongs to a file of ranks beside it: load that one, "
            f"{where.removesuffix('.json')}"
        )
    if "model" in document:
        return huggingface.read(document, where)
    raise FormatError(
        f"{where} is JSON, and no tokenizer that bpetok knows: it has neither 'format' nor 'model'"
    )


def _no_arguments(where: str, *arguments: object) -> None:
    if arguments != (None, None, None):
        raise FormatError(
            f"{where} is no file in tiktoken's format, and holds its own pattern, special tokens and name: "
            "load it without these arguments"
        )


def _unknown(data: bytes, where: str) -> FormatError:
    if not data.strip():
        return FormatError(f"{where} is empty: save the tokenizer anew")
    for start, what in _FOREIGN.items():
        if data.startswith(start):
            return FormatError(f"{where} is not a tokenizer: {what}")
    return FormatError(
        f"{where} is not a tokenizer that bpetok knows: it must be a native file, a .tiktoken file, a "
        "tokenizer.json or a SentencePiece model"
    )
