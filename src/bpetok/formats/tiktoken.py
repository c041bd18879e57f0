"""tiktoken's format: a line a token, its bytes in base64 and its rank.

Such a file holds neither the split pattern nor the special tokens. Published files are known by their
content. Beside any other, `save` writes a small JSON file, with ".json" behind the name, that holds the
rest: `format` ("bpetok-tiktoken"), `version` (1), `name`, `pattern`, `special_tokens`, and the SHA-256 of
the file that it belongs to.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError, MissingExtraError, PatternError, VocabularyError
from bpetok.formats.checks import (
    MAX_ID,
    MAX_TOKEN,
    build,
    field,
    parse_json,
    read_file,
    shorten,
    special_tokens_of,
)
from bpetok.formats.file import File
from bpetok.formats.merging import check_plain
from bpetok.formats.published import Published, published
from bpetok.normalization import NFC
from bpetok.patterns import resolve
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "from_encoding", "from_rustbpe", "looks_like", "parts", "paths", "read", "to_encoding"]

SIDECAR = "bpetok-tiktoken"
VERSION = 1
_LINE = re.compile(rb"([A-Za-z0-9+/]+={0,2}) ([0-9]{1,9})")


def looks_like(file: File) -> bool:
    """Whether a file starts with a line of base64 and a rank, or belongs to one that does."""
    if file.is_json:
        return file.document.get("format") == SIDECAR
    return re.match(rb"\s*[A-Za-z0-9+/]+={0,2} [0-9]+\s", file.data) is not None


def paths(path: str) -> list[str]:
    """The files that `dump` writes."""
    return [path + ".json", path]


def dump(tokenizer: Tokenizer, path: str) -> dict[str, bytes]:
    """The two files of a tokenizer, path to content: what goes beside the ranks comes first.

    A template, a chat template and dropout are no part of the format, and are left out.

    Raises:
        FormatError: no ranks are equivalent to its merges, texts are prepared or cut in ways that tiktoken
            does not know, or another file is in the way.
    """
    where = f"cannot write {path}"
    ranks = _ranks(tokenizer, where)
    for data in ranks:
        if len(data) > MAX_TOKEN:
            raise FormatError(f"{where}: a token has {len(data)} bytes; at most {MAX_TOKEN} can be stored")
    lines = _lines(ranks)
    beside = {
        "format": SIDECAR,
        "version": VERSION,
        "name": tokenizer.name,
        "pattern": tokenizer.pattern.source,
        "special_tokens": dict(tokenizer.vocabulary.special_tokens),
        "ranks_sha256": hashlib.sha256(lines).hexdigest(),
    }
    _keep_other_files(path + ".json")
    return {path + ".json": (json.dumps(beside, indent=1) + "\n").encode("ascii"), path: lines}


def _ranks(tokenizer: Tokenizer, where: str) -> dict[bytes, int]:
    """The ranks with which tiktoken gives the same ids.

    Raises:
        FormatError: there are none, or texts are prepared or cut in ways that tiktoken does not know.
    """
    check_plain(tokenizer, where, "tiktoken")
    try:
        ranks = tokenizer.vocabulary.ranks()
    except VocabularyError as error:
        raise FormatError(f"{where}: {error}") from error
    if not ranks:
        raise FormatError(f"{where}: the vocabulary has no tokens")
    return ranks


def read(
    file: File,
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    name: str | None = None,
) -> Tokenizer:
    """The tokenizer in a file of ranks.

    What the file does not hold comes from the arguments; else from the file that `save` wrote beside it;
    else, for a published file, it is known (see `published`).

    Args:
        file: the file.
        pattern: the split pattern, a name or a regular expression. When given, no other source is used.
        special_tokens: text to id.
        name: how to call the tokenizer.

    Raises:
        FormatError: a line is damaged, or nothing says which pattern belongs to the ranks.
    """
    from bpetok.encodings import SHA256, get_encoding

    path, data = file.path, file.data
    if file.is_json:
        raise FormatError(
            f"{path} is what belongs to a file of ranks beside it: load that one, "
            f"{path.removesuffix('.json')}"
        )
    ranks = _parse(data, path)
    if pattern is not None:
        found = Published(Path(path).stem, _source(pattern, path), {})
    elif os.path.lexists(path + ".json"):
        found = _read_beside(path + ".json", hashlib.sha256(data).hexdigest())
    else:
        known = published(hashlib.sha256(_lines(ranks)).hexdigest())
        if known is None:
            raise FormatError(
                f"{path} holds ranks only, is no published vocabulary, and has no {Path(path).name}.json "
                "beside it: say what belongs to it with Tokenizer.load(path, pattern=..., "
                "special_tokens=...)"
            )
        if known.name in SHA256 and special_tokens is None and name is None:
            return get_encoding(known.name)
        found = known
    specials = found.special_tokens if special_tokens is None else special_tokens
    more: dict[str, Any] = {}
    if found.composes:
        added = [AddedToken(text, token, normalized=True) for text, token in specials.items()]
        more = {"normalizer": NFC(), "added_tokens": added}
    make = functools.partial(Vocabulary.from_ranks, ranks, specials)
    return build(path, found.name if name is None else name, found.pattern, make, **more)


def _lines(ranks: dict[bytes, int]) -> bytes:
    """The file's content: in the order of ranks, as the published files are."""
    return b"".join(
        b"%s %d\n" % (base64.b64encode(data), rank)
        for data, rank in sorted(ranks.items(), key=lambda item: item[1])
    )


def _parse(data: bytes, where: str) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    seen: set[int] = set()
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        match = _LINE.fullmatch(line)
        try:
            token = base64.b64decode(match[1], validate=True) if match else b""
        except binascii.Error:
            token = b""
        if match is None or not token:
            raise FormatError(
                f"{where}, line {number}: {shorten(line)} is not a token in base64, a space and a rank; the "
                "file is damaged or truncated: copy or download it again"
            )
        rank = int(match[2])
        if rank > MAX_ID or len(token) > MAX_TOKEN:
            raise FormatError(
                f"{where}, line {number}: a token of {len(token)} bytes with rank {rank}; at most "
                f"{MAX_TOKEN} and {MAX_ID} are allowed"
            )
        if token in ranks or rank in seen:
            what = f"rank {rank}" if rank in seen else f"the token {shorten(token)}"
            raise FormatError(f"{where}, line {number}: {what} is given a second time; both must be unique")
        ranks[token] = rank
        seen.add(rank)
    return ranks


def _source(pattern: str, where: str) -> str:
    try:
        return resolve(pattern).source
    except PatternError as error:
        raise FormatError(f"{where}: {error}") from error


def _read_beside(path: str, digest: str) -> Published:
    """Name, pattern and special tokens from the file beside the ranks."""
    document = _sidecar(path)
    if document is None:
        raise FormatError(
            f"{path} does not belong to the ranks that it is beside: rename it, or say what belongs to them "
            "with Tokenizer.load(path, pattern=..., special_tokens=...)"
        )
    version = field(document, "version", int, path)
    if version != VERSION:
        raise FormatError(
            f"{path} is of version {version}, and this release reads version {VERSION}: update bpetok"
        )
    if field(document, "ranks_sha256", str, path) != digest:
        raise FormatError(
            f"{path} was written for other ranks than those beside it, or they are damaged: copy both files "
            "again"
        )
    return Published(
        field(document, "name", str, path),
        field(document, "pattern", str, path),
        special_tokens_of(document, path),
    )


def _sidecar(path: str) -> dict[str, Any] | None:
    """The JSON object in a file that `save` wrote beside ranks; None if it is some other file."""
    document = parse_json(read_file(path), path)
    return document if isinstance(document, dict) and document.get("format") == SIDECAR else None


def _keep_other_files(path: str) -> None:
    """Refuse to overwrite a file that was not written for this purpose."""
    if not os.path.lexists(path):
        return
    try:
        known = _sidecar(path) is not None
    except FormatError:
        known = False
    if not known:
        raise FormatError(
            f"{path} is in the way: pattern and special tokens go there, and it is another file; choose "
            "another name"
        )


# ---- objects of other libraries ------------------------------------------------------------------------


def from_encoding(encoding: Any) -> Tokenizer:
    """The tokenizer of a `tiktoken.Encoding`: see `Tokenizer.from_tiktoken`."""
    try:
        name, pattern = encoding.name, encoding._pat_str
        ranks, specials = dict(encoding._mergeable_ranks), dict(encoding._special_tokens)
    except AttributeError:
        raise TypeError(f"expected a tiktoken.Encoding, got {type(encoding).__name__}") from None
    make = functools.partial(Vocabulary.from_ranks, ranks, specials)
    return build(f"the encoding {shorten(name)}", name, pattern, make)


def from_rustbpe(trained: Any, special_tokens: Mapping[str, int] | None, name: str) -> Tokenizer:
    """The tokenizer of a `rustbpe.Tokenizer`: see `Tokenizer.from_rustbpe`."""
    try:
        pattern, rows = trained.get_pattern(), trained.get_mergeable_ranks()
    except AttributeError:
        raise TypeError(f"expected a rustbpe.Tokenizer, got {type(trained).__name__}") from None
    ranks = {bytes(data): rank for data, rank in rows}
    if len(ranks) < len(rows):
        raise FormatError(
            "the tokenizer of rustbpe merges two pairs to the same bytes, and these would have two ids"
        )
    make = functools.partial(Vocabulary.from_ranks, ranks, special_tokens or {})
    return build("the tokenizer of rustbpe", name, pattern, make)


def parts(tokenizer: Tokenizer, where: str) -> dict[str, Any]:
    """The arguments of a `tiktoken.Encoding` that gives the same ids.

    Raises:
        FormatError: tiktoken cannot give the same ids on every text, or its engine of regular expressions
            may not find the same pieces.
    """
    ranks = _ranks(tokenizer, where)
    if tokenizer.pattern.scanner is None:
        raise FormatError(
            f"{where}: the split pattern {shorten(tokenizer.pattern.source)} is run by the `regex` package "
            "here, and tiktoken's engine may read it differently: use a named pattern"
        )
    return {
        "name": tokenizer.name,
        "pat_str": tokenizer.pattern.source,
        "mergeable_ranks": ranks,
        "special_tokens": dict(tokenizer.vocabulary.special_tokens),
    }


def to_encoding(tokenizer: Tokenizer) -> Any:
    """A `tiktoken.Encoding`: see `Tokenizer.to_tiktoken`."""
    try:
        import tiktoken
    except ImportError as error:
        raise MissingExtraError(
            "an encoding of tiktoken needs that package: pip install 'bpetok[tiktoken]'"
        ) from error
    return tiktoken.Encoding(**parts(tokenizer, "cannot make an encoding of tiktoken"))
