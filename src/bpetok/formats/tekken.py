"""Mistral's `tekken.json`: ranks in base64 behind a block of special tokens.

An id is a rank plus the number of special tokens. Of the entries in the file only as many count as the stated
size of the vocabulary has room for. What is said of images, audio and model settings is no part of the
tokenizer, and goes into the provenance.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_ID, MAX_TOKEN, build, field, is_text, shorten
from bpetok.formats.file import File
from bpetok.formats.merging import refuse
from bpetok.formats.tiktoken import parts
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]

VERSIONS = ("v1", "v2", "v3", "v7", "v11", "v13", "v15")
NEW = "v13"  # what a tokenizer is written as that was in no such file before
# Files up to v7 may leave the special tokens out; these are meant.
_OLD = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
    "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
MAX_SPECIALS = 1 << 16
_KEPT = ("image", "multimodal", "audio", "model_settings_builder", "version", "type")


def looks_like(file: File) -> bool:
    """Whether a file is a JSON object with a list "vocab" and a "config"."""
    return isinstance(file.document.get("vocab"), list) and isinstance(file.document.get("config"), dict)


def read(file: File) -> Tokenizer:
    """The tokenizer in a `tekken.json`.

    Raises:
        FormatError: a part is damaged, not known, or contradicts another.
    """
    document, where = file.document, file.path
    if unknown := document.keys() - {"config", "vocab", "special_tokens", *_KEPT}:
        raise FormatError(f"{where}: {shorten(min(unknown))} is no part of a tekken.json that is known")
    config = field(document, "config", dict, where)
    version = field(config, "version", str, where)
    if version not in VERSIONS:
        raise FormatError(f"{where} is of version {shorten(version)}; known are {', '.join(VERSIONS)}")
    n_specials = field(config, "default_num_special_tokens", int, where)
    n_vocab = field(config, "default_vocab_size", int, where)
    vocab = field(document, "vocab", list, where)
    n_tokens = n_vocab - n_specials
    if n_specials > MAX_SPECIALS:  # most are made up here, so that a small file could ask for millions
        raise FormatError(f"{where} has {n_specials} special tokens; at most {MAX_SPECIALS} are read")
    if not (n_specials >= 0 and 256 <= n_tokens <= len(vocab) and n_vocab <= MAX_ID + 1):
        raise FormatError(
            f"{where}: {n_vocab} ids with {n_specials} special tokens do not fit {len(vocab)} entries"
        )
    specials = _specials(document, version, n_specials, where)
    ranks: dict[bytes, int] = {}
    for rank, entry in enumerate(vocab[:n_tokens]):
        data = _bytes_of(entry, rank)
        if data is None or data in ranks or (rank < 256 and data != bytes([rank])):
            raise FormatError(
                f"{where}: entry {rank} of 'vocab' must have rank {rank} and bytes in base64 that no other "
                "entry has; the first 256 are the single bytes"
            )
        ranks[data] = n_specials + rank
    kept = {key: document[key] for key in _KEPT if document.get(key) is not None}
    make = functools.partial(Vocabulary.from_ranks, ranks, specials)
    provenance = {"tekken": {"config": config, **kept}}
    return build(where, Path(where).stem, field(config, "pattern", str, where), make, provenance=provenance)


def _bytes_of(entry: Any, rank: int) -> bytes | None:
    if not isinstance(entry, dict) or type(entry.get("rank")) is not int or entry["rank"] != rank:
        return None
    text = entry.get("token_bytes")
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return None
    return data if 0 < len(data) <= MAX_TOKEN else None


def _specials(document: dict[str, Any], version: str, n_specials: int, where: str) -> dict[str, int]:
    """Text to id: those of the file, or those meant, and fillers up to the number that there are."""
    given = document.get("special_tokens")
    if given is None:
        if VERSIONS.index(version) > VERSIONS.index("v7"):
            raise FormatError(f"{where} has no 'special_tokens', which it needs from version v11 on")
        texts = list(_OLD)
    else:
        texts = []
        for at, entry in enumerate(field(document, "special_tokens", list, where)):
            text = entry.get("token_str") if isinstance(entry, dict) else None
            if not text or not is_text(text) or entry.get("rank") != at:
                raise FormatError(f"{where}: entry {at} of 'special_tokens' must have a text and rank {at}")
            texts.append(text)
    if len(texts) > n_specials:
        raise FormatError(f"{where} has {len(texts)} special tokens, and room for {n_specials}")
    texts += [f"<SPECIAL_{at}>" for at in range(len(texts), n_specials)]
    specials = {text: at for at, text in enumerate(texts)}
    if len(specials) != n_specials:
        raise FormatError(f"{where}: a special token is given twice")
    return specials


def dump(tokenizer: Tokenizer, path: str) -> bytes:
    """A `tekken.json` with which `mistral-common` gives the same ids.

    A tokenizer that came from such a file keeps its version and what the file says of images, audio and
    model settings. A template and a chat template are no part of the format, and are left out.

    Raises:
        FormatError: the ids are not special tokens first, then all single bytes in their order, then the
            rest, without a gap; or tiktoken, which `mistral-common` uses, cannot give the same ids.
    """
    where = f"cannot write {path}"
    made = parts(tokenizer, where)
    specials: dict[int, str] = {}
    for text, token in made["special_tokens"].items():
        if specials.setdefault(token, text) != text:
            refuse(
                where, f"id {token} has two special tokens, {shorten(specials[token])} and {shorten(text)}"
            )
    first = len(specials)
    tokens = {token: data for data, token in made["mergeable_ranks"].items()}
    for what, ids, start in (("special tokens", specials, 0), ("the other tokens", tokens, first)):
        if sorted(ids) != list(range(start, start + len(ids))):
            refuse(where, f"the ids of {what} must be {start} to {start + len(ids) - 1} in this format")
    if any(tokens.get(first + byte) != bytes([byte]) for byte in range(256)):
        refuse(where, f"ids {first} to {first + 255} must be the single bytes in their order in this format")
    stored = tokenizer.provenance.get("tekken")
    stored = stored if isinstance(stored, dict) else {}
    kept = {key: stored[key] for key in _KEPT if key in stored}
    config = stored.get("config")
    config = config if isinstance(config, dict) and config.get("version") in VERSIONS else {"version": NEW}
    config = config | {
        "pattern": made["pat_str"],
        "num_vocab_tokens": len(tokens),
        "default_vocab_size": first + len(tokens),
        "default_num_special_tokens": first,
    }
    rows = [_row(token - first, tokens[token]) for token in sorted(tokens)]
    marks = [{"rank": at, "token_str": specials[at], "is_control": True} for at in range(first)]
    lists = [("vocab", rows), ("special_tokens", marks)]
    body = "".join(f',\n "{key}": [\n{_lines(entries)}\n ]' for key, entries in lists)
    head = json.dumps({"config": config, **kept}, indent=1)
    return f"{head[:-2]}{body}\n}}\n".encode()


def _row(rank: int, data: bytes) -> dict[str, Any]:
    """An entry of 'vocab', with the text of a token that is one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    return {"rank": rank, "token_bytes": base64.b64encode(data).decode(), "token_str": text}


def _lines(entries: list[dict[str, Any]]) -> str:
    return ",\n".join(f"  {json.dumps(entry)}" for entry in entries)
