"""What a folder of shards holds, in `manifest.json`: there only when all shards are.

It depends on tokenizer, texts and settings alone, not on when, where, or with how many threads it was made.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok import states
from bpetok.errors import FormatError, ShardError
from bpetok.formats.checks import parse_json
from bpetok.shards.settings import Settings

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

NAME = "manifest.json"
FORMAT = "bpetok-shards"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file of a shard: its name in the folder, its size in bytes, and the SHA-256 of its content."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard.

    Attributes:
        split: "train" or "val".
        tokens: how many ids it holds, separators included.
        documents: how many documents end in it.
        rows: how many rows it holds: sequences, documents, or one.
        files: its files, that with the ids first.
    """

    split: str
    tokens: int
    documents: int
    rows: int
    files: tuple[ShardFile, ...]

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Shard":
        """From plain data."""
        return cls(**{**plain, "files": tuple(ShardFile(**each) for each in plain["files"])})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder of shards holds, as JSON with the keys of these attributes.

    Attributes:
        tokenizer: its `name`, its `n_vocab`, and `sha256`, a hash of all that ids depend on.
        settings: those of `Settings`, and what was asked of special tokens and of bytes that are not UTF-8.
        dtype: numpy's name of the type of ids in the files.
        sources: `path` and `bytes` of each file; None where texts came from elsewhere.
        totals: `documents`, `bytes` (of text), `tokens`, and `dropped_tokens` (behind the last whole
            sequence) of each split.
        shards: all shards, in order.
    """

    tokenizer: dict[str, Any]
    settings: dict[str, Any]
    dtype: str
    sources: list[dict[str, Any]] | None
    totals: dict[str, dict[str, int]]
    shards: tuple[Shard, ...]

    def dump(self) -> bytes:
        """The content of `manifest.json`."""
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(document, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Manifest":
        """Read the manifest of a folder.

        Raises:
            FormatError: there is none (the shards are not finished, say), or it is damaged.
        """
        path = Path(folder, NAME)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FormatError(
                f"{path}: cannot be read ({error.strerror}): the folder holds no finished shards; run the "
                "command that writes them to its end"
            ) from error
        document = parse_json(data, str(path))
        if document.pop("format", None) != FORMAT or document.pop("version", None) != VERSION:
            raise FormatError(f"{path} is not version {VERSION} of {FORMAT}: write the shards anew")
        try:
            shards = tuple(map(Shard.of, document.pop("shards")))
            manifest = cls(**document, shards=shards)
            Settings(**{each.name: manifest.settings[each.name] for each in fields(Settings)})
            return manifest
        except (KeyError, TypeError, AttributeError, ShardError) as error:
            raise FormatError(
                f"{path} lacks a part, or has another ({error}): write the shards anew"
            ) from error

    def verify(self, folder: str | os.PathLike[str]) -> None:
        """See that each file is there, whole and unchanged; reads all of them.

        Raises:
            FormatError: one is not; it is named.
            OSError: one cannot be read.
        """
        for shard in self.shards:
            for file in shard.files:
                path = Path(folder, file.name)
                if describe(path) != file:
                    raise FormatError(f"{path} is damaged or was changed: write the shards anew")


def describe(path: Path) -> ShardFile:
    """A file as the manifest names it."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ShardFile(path.name, file.tell(), digest)


def tokenizer_entry(tokenizer: "Tokenizer") -> dict[str, Any]:
    """A tokenizer as the manifest names it. The hash is of all that ids depend on (`states.identity`)."""
    return {
        "name": tokenizer.name,
        "n_vocab": tokenizer.n_vocab,
        "sha256": hashlib.sha256(states.identity(tokenizer)).hexdigest(),
    }
