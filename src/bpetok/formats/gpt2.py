"""GPT-2's two files: `vocab.json`, token to id in the byte-level alphabet, and `merges.txt`, a pair a line.

They hold neither the split pattern nor which tokens are special. GPT-2's pattern is meant unless another is
given, or a `tokenizer_config.json` beside them says that they are another model's. An entry that no merge
makes and that is no single byte is never made from text: it is taken for a special token.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.bytelevel import BYTE_OF, spell
from bpetok.errors import FormatError, PatternError
from bpetok.formats.checks import build, parse_json, read_file, shorten
from bpetok.formats.file import File
from bpetok.formats.huggingface.model import read_model
from bpetok.formats.huggingface.vocabulary import missing_bytes
from bpetok.formats.merging import merge_list, refuse
from bpetok.patterns import GPT2, resolve
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "paths", "read"]

VOCAB = "vocab.json"
MERGES = "merges.txt"
CONFIG = "tokenizer_config.json"
ADDED = "added_tokens.json"
HEADER = "#version: 0.2"
# Those of `transformers` that read the two files with GPT-2's pattern.
CLASSES = ("GPT2Tokenizer", "GPT2TokenizerFast")


def looks_like(file: File) -> bool:
    """Whether a file is a JSON object of texts and ids, or a list of merges that says so."""
    if file.is_json:
        return bool(file.document) and set(map(type, file.document.values())) == {int}
    return file.head.startswith(b"#version")


def paths(path: str) -> list[str]:
    """The files that `dump` writes into the folder."""
    return [os.path.join(path, MERGES), os.path.join(path, VOCAB)]


def read(
    file: File,
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    name: str | None = None,
) -> Tokenizer:
    """The tokenizer in the two files, of which either is given and the other lies beside it.

    Args:
        file: the file.
        pattern: the split pattern, a name or a regular expression; GPT-2's if not given.
        special_tokens: text to id, if they are not the entries that no merge makes.
        name: how to call the tokenizer; as the folder, if not given.

    Raises:
        FormatError: a file is missing or damaged, or belongs to another kind of tokenizer.
    """
    folder = os.path.dirname(os.path.abspath(file.path))
    where, beside = (os.path.join(folder, each) for each in (VOCAB, MERGES))
    if file.is_json:
        where = file.path
    else:
        beside = file.path
    for each in (where, beside):
        if not os.path.isfile(each):
            raise FormatError(f"{file.path} needs {each} beside it: copy both files")
    vocab = file.document if file.is_json else parse_json(read_file(where), where)
    if not isinstance(vocab, dict):
        raise FormatError(f"{where} is {shorten(vocab)}; it must be an object of texts and ids")
    rows = _rows(read_file(beside), beside)
    model = read_model({"model": {"vocab": vocab, "merges": rows}}, f"{where} with {beside}")
    if pattern is None:
        _check_neighbours(folder)
    texts = {token: text for text, token in vocab.items()}
    pairs = model.merges.tolist()
    # What no entry has is refused by name when the vocabulary is built.
    made = {vocab.get(texts[left] + texts[right]) for left, right in pairs}
    if parts := {part for pair in pairs for part in pair} - made - {vocab.get(char) for char in BYTE_OF}:
        text = next(text for text, token in vocab.items() if token in parts)
        raise FormatError(
            f"{beside} merges {shorten(text)}, which is no byte and which no merge makes: files with marks "
            "for the end of a word, such as </w>, cannot be read"
        )
    tokens: dict[int, bytes] = {}
    specials: dict[str, int] = {}
    for text, token in vocab.items():
        if text in BYTE_OF or token in made:
            try:
                tokens[token] = bytes(map(BYTE_OF.__getitem__, text))
            except KeyError:
                raise FormatError(f"{where}: {shorten(text)} is not in the byte-level alphabet") from None
        else:
            specials[text] = token
    if missing := missing_bytes(tokens.values()):
        raise FormatError(
            f"{where} has no token for byte {missing[0]:#04x} and {len(missing) - 1} others: its library "
            "leaves them out of a text, and here they would have no ids"
        )
    try:
        source = GPT2 if pattern is None else resolve(pattern).source
    except PatternError as error:
        raise FormatError(f"{where}: {error}") from error

    def make() -> Vocabulary:
        wanted = specials if special_tokens is None else special_tokens
        return Vocabulary.from_merges(tokens, model.merges, wanted)

    return build(where, Path(folder).name if name is None else name, source, make)


def _rows(data: bytes, where: str) -> list[str]:
    """The merges; lines that begin with "#version" are none, wherever they are."""
    try:
        lines = data.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not valid UTF-8 at byte {error.start}: copy it again") from None
    rows = []
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if line.startswith("#version"):
            continue
        if not re.fullmatch(r"[^ ]+ [^ ]+", line):
            raise FormatError(
                f"{where}, line {number}: {shorten(line)} is not two tokens with a space between them; the "
                "file is damaged or truncated: copy or download it again"
            )
        rows.append(line)
    return rows


def _check_neighbours(folder: str) -> None:
    """See that what lies beside the files does not say that they are another model's.

    Raises:
        FormatError: it does.
    """
    where = os.path.join(folder, CONFIG)
    config: Any = parse_json(read_file(where), where) if os.path.isfile(where) else {}
    kind = config.get("tokenizer_class", CLASSES[0]) if isinstance(config, dict) else config
    if kind not in CLASSES or config.get("add_prefix_space"):
        what = "'add_prefix_space'" if kind in CLASSES else f"class {shorten(kind)}"
        raise FormatError(
            f"{where} names {what}, which reads {VOCAB} and {MERGES} in a way of its own: load a "
            "tokenizer.json of this model, or say what is meant with Tokenizer.load(path, pattern=..., "
            "special_tokens=...)"
        )
    where = os.path.join(folder, ADDED)
    if os.path.lexists(where):
        raise FormatError(
            f"{where} holds more tokens, and does not say how they are found: load a tokenizer.json of this "
            "model, or say what is meant with Tokenizer.load(path, pattern=..., special_tokens=...)"
        )


def dump(tokenizer: Tokenizer, path: str) -> dict[str, bytes]:
    """The two files of a folder, with which `tokenizers` and `transformers` give the same ids.

    A template and a chat template are no part of the format, and are left out.

    Raises:
        FormatError: the pattern is not GPT-2's, a byte has no token, a token is not made by merging, or a
            special token would be taken for another; or a file beside them would be read with them.
    """
    where = f"cannot write {path}"
    merges = merge_list(tokenizer, where, "this format")
    if tokenizer.pattern.source != GPT2:
        refuse(
            where, f"its readers use GPT-2's pattern, and this tokenizer {shorten(tokenizer.pattern.source)}"
        )
    tokens = tokenizer.vocabulary.tokens()
    if missing := missing_bytes(tokens.values()):
        refuse(where, f"there is no token for byte {missing[0]:#04x} and {len(missing) - 1} others")
    texts = {token: spell(data) for token, data in tokens.items()}
    vocab = {text: token for token, text in texts.items()}
    merged = {result for *_, result in merges}
    for token, data in tokens.items():
        if len(data) > 1 and token not in merged:
            refuse(where, f"token {token}, {shorten(data)}, is made by no merge, as special tokens are here")
    for text, token in tokenizer.vocabulary.special_tokens.items():
        if text in vocab or token in texts:
            refuse(
                where,
                f"special token {shorten(text)} with id {token} has the spelling or the id of another token",
            )
        vocab[text] = token
        texts[token] = text
    for left, right, _ in merges:
        if texts[left].startswith("#version"):
            refuse(
                where, f"the merge {shorten(f'{texts[left]} {texts[right]}')} would be taken for the header"
            )
    for name in ("tekken.json", "tokenizer.json", CONFIG, ADDED):
        if os.path.lexists(os.path.join(path, name)):
            refuse(
                where,
                f"it holds {name} of another tokenizer, which would be read with this one or in its place; "
                "remove it, or save to a new folder",
            )
    quote = json.JSONEncoder(ensure_ascii=False).encode
    entries = ",\n".join(f"{quote(texts[token])}: {token}" for token in sorted(texts))
    rows = "".join(f"{texts[left]} {texts[right]}\n" for left, right, _ in merges)
    return {
        os.path.join(path, MERGES): f"{HEADER}\n{rows}".encode(),
        os.path.join(path, VOCAB): f"{{\n{entries}\n}}\n".encode(),
    }
