"""Tokenizer files: bpetok's own format, and those of other libraries.

A file's format is recognised by its content, never by its name. Reading is strict: what is damaged, or
cannot be reproduced exactly, is a `FormatError` that says what, where and what to do. Writing is atomic.

Each format is a module, or a package, with three functions:

- `looks_like(file: File) -> bool`: whether a file is of this format, or was meant to be;
- `read(file: File) -> Tokenizer`, with those arguments of `load` that the format `takes`;
- `dump(tokenizer, path) -> bytes | dict[str, bytes]`: what to write, if it is several files by path, in the
  order in which they are put into place.

A format of several files, or one that is written to other paths than the given one, also has
`paths(path) -> list[str]`: the files that `dump` writes. None of them is `path` when that is a folder.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bpetok.errors import FormatError

if TYPE_CHECKING:
    from bpetok.formats.file import File
    from bpetok.tokenizer import Tokenizer

__all__ = ["FORMATS", "Format", "load", "paths", "recognise", "save"]


class Format(NamedTuple):
    """A format in the registry.

    Attributes:
        module: where it is, below `bpetok.formats`; imported when it is first used.
        what: what its files are called, for messages.
        names: what a file of this format is called in a folder.
        takes: the arguments of `load` that say what a file does not hold.
    """

    module: str
    what: str
    names: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    def load(self) -> Any:
        """The module."""
        return importlib.import_module(f"bpetok.formats.{self.module}")


# A file is of the first format that it looks like; in a folder, the first whose file is there is read.
FORMATS: dict[str, Format] = {
    "native": Format("native", "a native file"),
    "tekken": Format("tekken", "a tekken.json", ("tekken.json",)),
    "transformers": Format("huggingface.folder", "part of a folder of transformers", ("tokenizer.json",)),
    "huggingface": Format("huggingface", "a tokenizer.json"),
    "gpt2": Format(
        "gpt2",
        "a vocab.json or merges.txt",
        ("vocab.json", "merges.txt"),
        ("pattern", "special_tokens", "name"),
    ),
    "minbpe": Format("minbpe", "a minbpe model"),
    "gguf": Format("gguf", "a GGUF file", takes=("name",)),
    "tiktoken": Format(
        "tiktoken", "a .tiktoken file", ("tokenizer.model",), ("pattern", "special_tokens", "name")
    ),
    "sentencepiece": Format(
        "sentencepiece", "a SentencePiece model", ("tokenizer.model",), ("name", "add_bos", "add_eos")
    ),
}

_PICKLE = (
    "which is a program and is never run here: where you trust it, load it yourself, and if that gives a "
    "tiktoken.Encoding, as nanochat's tokenizer.pkl does, hand it to Tokenizer.from_tiktoken"
)
_FOREIGN = {
    b"\x1f\x8b": "it is compressed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstandard: unpack it first",
    b"PK": "it is a zip archive: unpack it first",
    b"\xef\xbb\xbf": "it starts with a byte-order mark: save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
    **{bytes([0x80, protocol]): f"it is a pickle, {_PICKLE}" for protocol in range(2, 6)},
    b"version https://git-lfs": "it is a Git LFS pointer: fetch the file itself with `git lfs pull`",
}


def save(tokenizer: Tokenizer, path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write a tokenizer to a file, whole or not at all.

    Args:
        tokenizer: what to write.
        path: where to. An existing file is replaced once the new one is complete, and keeps its permissions.
        format: one of `FORMATS`. "native" (the default) keeps everything; the others what their own
            libraries know. "tiktoken" is two files, the ranks, and beside them PATH.json with the rest;
            "transformers" makes a folder that `AutoTokenizer` loads, and "gpt2" one of vocab.json and
            merges.txt; "sentencepiece" is for vocabularies that
            merge characters. "gguf" has a vocabulary and no weights.

    Raises:
        FormatError: the format cannot hold this tokenizer exactly, or is not known.
        OSError: the file cannot be written.

    >>> import bpetok, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(bpetok.get_encoding("gpt2"), f"{folder}/gpt2.json", "huggingface")
    ...     load(f"{folder}/gpt2.json").encode("hello world")
    [31373, 995]
    """
    from bpetok.formats.atomic import folders, write_files
    from bpetok.formats.checks import check_size

    target = os.fsdecode(path)
    content = _format(format).load().dump(tokenizer, target)
    files = {target: content} if isinstance(content, bytes) else content
    for name, data in files.items():
        check_size(data, f"cannot write {name}: it")
    with contextlib.nullcontext() if target in files else folders(files):
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
        path: the file, or a folder that has one under the name that its library gives it, such as
            `transformers` saves.
        pattern: the split pattern, a name or a regular expression: for a file of a format that does not
            hold one, such as tiktoken's.
        special_tokens: text to id, for the same reason.
        name: how to call the tokenizer, for the same reason, or for a SentencePiece model or GGUF file.
        add_bos, add_eos: for a SentencePiece model, which does not say: whether the template puts the token
            for the beginning before a text, and that for the end behind it.

    Raises:
        FormatError: the file is damaged, of no known format, or has parts that cannot be reproduced
            exactly.
        OSError: the file does not exist or cannot be read.
    """
    options = {
        "pattern": pattern,
        "special_tokens": special_tokens,
        "name": name,
        "add_bos": add_bos or None,
        "add_eos": add_eos or None,
    }
    given = {option: value for option, value in options.items() if value is not None}
    with _no_cycles_sought():
        return _load(os.fsdecode(path), given)


@contextlib.contextmanager
def _no_cycles_sought() -> Iterator[None]:
    """Garbage collection put off. A file makes a million lists and dicts, none of them in a cycle, and
    looking through them again and again takes longer than reading it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _load(where: str, given: dict[str, Any]) -> Tokenizer:
    from bpetok.formats.file import File

    file = File(_in_folder(where), folder=where) if os.path.isdir(where) else File(where)
    format = FORMATS[recognise(file)]
    if needless := [option for option in given if option not in format.takes]:
        raise FormatError(
            f"{file.path} is {format.what}, which needs no {' or '.join(needless)}: load it without these "
            "arguments"
        )
    tokenizer: Tokenizer = format.load().read(file, **given)
    return tokenizer


def recognise(file: File) -> str:
    """The name of a file's format.

    Raises:
        FormatError: it is of none that is known.
    """
    for name, format in FORMATS.items():
        if format.load().looks_like(file):
            return name
    raise _unknown(file)


def paths(path: str, format: str | None = None) -> list[str]:
    """The files that `save` would write."""
    module = _format(format).load()
    found: list[str] = module.paths(path) if hasattr(module, "paths") else [path]
    return found


def _format(name: str | None) -> Format:
    format = FORMATS.get("native" if name is None else name)
    if format is None:
        raise FormatError(f"unknown format {name!r} to write: use one of {', '.join(FORMATS)}")
    return format


def _in_folder(folder: str) -> str:
    """The file of a folder that the first format finds there under its own name."""
    names = list(dict.fromkeys(name for format in FORMATS.values() for name in format.names))
    for name in names:
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise FormatError(
        f"{folder} is not a regular file, but a folder with none of {', '.join(names)} in it: name the file "
        "that the tokenizer was saved to"
    )


def _unknown(file: File) -> FormatError:
    if not file.head.strip() and not file.data.strip():
        return FormatError(f"{file.path} is empty: save the tokenizer anew")
    for start, what in _FOREIGN.items():
        if file.head.startswith(start):
            return FormatError(f"{file.path} is not a tokenizer: {what}")
    kinds = [format.what for format in FORMATS.values()]
    known = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    if file.is_json:
        return FormatError(
            f"{file.path} is JSON, and no tokenizer that bpetok knows: it has neither 'format' nor 'model', "
            f"and is not {known}"
        )
    return FormatError(f"{file.path} is not a tokenizer that bpetok knows: it must be {known}")
