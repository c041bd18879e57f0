"""Text to measure on: built corpora, or else files that are on the machine.

Kinds of text: "code", "english" and "multilingual". `corpora.py` builds files of them from Debian packages,
the same on every machine with the same packages. Where there are none, the machine's own files stand in:
Python's standard library and the installed packages as code, documentation and manual pages as English,
translated manual pages and message catalogues, a file of each language in turn, as multilingual text. Files
or folders that are named instead make the one kind "given".

The same files give the same text, in the same order: by a hash of the path below the folder, so that a part
of a corpus is a fair sample of it. A file with bytes that another one had is left out, as is one that is not
UTF-8, holds zeros or, unless it is named itself, is larger than 1 MiB. The SHA-256 of a corpus and the number
of its texts say whether two machines had the same.
"""

import gzip
import hashlib
import itertools
import json
import os
import struct
import sysconfig
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

KINDS = ("code", "english", "multilingual")
MANIFEST = "manifest.json"  # of a folder of built corpora
MOST_BYTES = 1 << 20  # of a file, unpacked
GZIP = b"\x1f\x8b"
CATALOGUE = b"\xde\x12\x04\x95"
MANUAL = Path("/usr/share/man")
MESSAGES = Path("/usr/share/locale")
DOCUMENTATION = Path("/usr/share/doc")
NO_TEXT = {".so", ".pyc", ".png", ".jpg", ".gif", ".svg", ".pdf", ".woff2", ".js", ".css"}


@dataclass(frozen=True)
class Corpus:
    """Text of one kind.

    Attributes:
        kind: which.
        texts: the texts of the files or documents, in order.
        n_bytes: how many bytes of UTF-8 they have together.
        sha256: of all these bytes, joined.
        source: where they are from.
        manifest: the SHA-256 of the built corpora's manifest; "" for other text.
    """

    kind: str
    texts: tuple[str, ...]
    n_bytes: int
    sha256: str
    source: Literal["built", "machine", "given"]
    manifest: str = ""

    def describe(self) -> dict[str, object]:
        about: dict[str, object] = {"source": self.source}
        if self.manifest:
            about["manifest_sha256"] = self.manifest
        return {**about, "bytes": self.n_bytes, "texts": len(self.texts), "sha256": self.sha256}


def build(kind: str, n_bytes: int, given: Iterable[Path] = (), folder: Path | None = None) -> Corpus:
    """At least `n_bytes` of a kind of text, by at most one text; less if there is less.

    Args:
        kind: one of `KINDS`, or "given".
        n_bytes: of UTF-8.
        given: files and folders, for that kind.
        folder: of built corpora; None for the one that `built_folder` finds, or the machine's files.

    Raises:
        ValueError: there is no such kind, or nothing was built in the folder.
    """
    if kind not in (*KINDS, "given"):
        raise ValueError(f"no kind of text is called {kind!r}: use {', '.join(KINDS)} or given")
    folder = None if kind == "given" else folder or built_folder()
    named = tuple(given)
    found: Iterator[bytes]
    if folder is None:
        found = (read(path, limited=path not in named) for path in files(kind, named))
    else:
        found = documents(kind, folder)
    digest = hashlib.sha256()
    seen: set[bytes] = set()
    texts = []
    size = 0
    for data in found:
        name = hashlib.sha256(data).digest()
        if not data or name in seen:
            continue
        seen.add(name)
        digest.update(data)
        texts.append(data.decode())
        size += len(data)
        if size >= n_bytes:
            break
    if folder is None:
        source: Literal["machine", "given"] = "given" if kind == "given" else "machine"
        return Corpus(kind, tuple(texts), size, digest.hexdigest(), source)
    manifest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return Corpus(kind, tuple(texts), size, digest.hexdigest(), "built", manifest)


# ---- built corpora ---------------------------------------------------------------------------------


def default_folder() -> Path:
    """Where corpora are built if nothing else is said: ``BPETOK_BENCH_CORPORA``, or a folder for caches."""
    named = os.environ.get("BPETOK_BENCH_CORPORA")
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path(cache or Path.home() / ".cache") / "bpetok" / "corpora"


def built_folder() -> Path | None:
    """The default folder, if corpora were built there."""
    folder = default_folder()
    return folder if (folder / MANIFEST).is_file() else None


def built_file(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.jsonl"


def documents(kind: str, folder: Path) -> Iterator[bytes]:
    """The texts of a built corpus, in order."""
    path = built_file(folder, kind)
    if not (folder / MANIFEST).is_file() or not path.is_file():
        raise ValueError(f"{folder} holds no corpora: build them with `bpetok bench corpora --to {folder}`")
    with open(path, "rb") as file:
        for line in file:
            yield json.loads(line)["text"].encode()


# ---- files of the machine --------------------------------------------------------------------------


def files(kind: str, given: Iterable[Path] = ()) -> Iterator[Path]:
    """The files of a kind, one of each group in turn."""
    groups: dict[str, list[Path]] = {}
    if kind == "given":
        for root in given:
            groups.setdefault("", []).extend(below(root))
    elif kind == "code":
        for place in ("stdlib", "purelib", "platlib"):
            groups.setdefault("", []).extend(below(Path(sysconfig.get_path(place)), "*.py"))
    elif kind == "english":
        groups["documentation"] = below(DOCUMENTATION)
        groups["manual"] = [path for folder in sorted(MANUAL.glob("man*")) for path in below(folder)]
    else:
        for folder in [*MANUAL.glob("*"), *MESSAGES.glob("*")]:
            language = folder.name.split("_")[0].split("@")[0]
            if folder.is_dir() and not language.startswith(("man", "en")):
                groups.setdefault(language, []).extend(below(folder))
    rows = itertools.zip_longest(*(groups[name] for name in sorted(groups)))
    return (path for row in rows for path in row if path is not None)


def below(root: Path, pattern: str = "*") -> list[Path]:
    """The files of a folder, or the file itself, by a hash of where they lie in it."""
    if root.is_file():
        return [root]
    found = (path for path in root.rglob(pattern) if path.suffix not in NO_TEXT)
    return sorted(
        (path for path in found if path.is_file() and not path.is_symlink()),
        key=lambda path: hashlib.sha256(path.relative_to(root).as_posix().encode()).digest(),
    )


def read(path: Path, *, limited: bool = True) -> bytes:
    """The text of a file, unpacked; b"" if it is of no use, or too large and limited."""
    try:
        if limited and path.stat().st_size > MOST_BYTES:
            return b""
        text = decode(path.read_bytes()).encode()
    except OSError:
        return b""
    return b"" if limited and len(text) > MOST_BYTES else text


# ---- files -----------------------------------------------------------------------------------------


def decode(data: bytes) -> str:
    """The text of a file's bytes: unpacked, of a catalogue the translations; "" if it is none."""
    try:
        if data.startswith(GZIP):
            data = gzip.decompress(data)
        if data.startswith(CATALOGUE):
            data = translations(data)
        return "" if b"\0" in data else data.decode()
    except (OSError, EOFError, zlib.error, struct.error, UnicodeDecodeError):
        return ""


def translations(catalogue: bytes) -> bytes:
    """The translated messages of a compiled gettext catalogue, one a line."""
    n, _, table = struct.unpack_from("<3I", catalogue, 8)
    places = struct.iter_unpack("<2I", catalogue[table : table + 8 * n])
    # The first message is a header; a zero stands between singular and plural.
    messages = [catalogue[at : at + size] for size, at in itertools.islice(places, 1, None)]
    return b"\n".join(messages).replace(b"\0", b"\n")
