"""Text to measure on, from files that are on the machine.

    python benchmarks/corpus.py [FILES_OR_FOLDERS ...] [--megabytes 5]

Kinds of text: "code" (Python's standard library and the installed packages), "english" (documentation and
manual pages) and "multilingual" (translated manual pages and message catalogues, a file of each language in
turn). Files or folders that are named instead make the one kind "given".

The same files give the same text, in the same order: by a hash of the path below the folder, so that a part
of a corpus is a fair sample of it. A file with bytes that another one had is left out, as is one that is not
UTF-8, holds zeros or is larger than 1 MiB. The SHA-256 of a corpus and the number of its files say whether
two machines had the same.
"""

import argparse
import gzip
import hashlib
import itertools
import struct
import sysconfig
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = ("code", "english", "multilingual")
MOST_BYTES = 1 << 20  # of a file, unpacked
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
        texts: the texts of the files, in order.
        n_bytes: how many bytes of UTF-8 they have together.
        sha256: of all these bytes, joined.
    """

    kind: str
    texts: tuple[str, ...]
    n_bytes: int
    sha256: str

    def describe(self) -> dict[str, object]:
        return {"bytes": self.n_bytes, "files": len(self.texts), "sha256": self.sha256}


def build(kind: str, n_bytes: int, given: Iterable[Path] = ()) -> Corpus:
    """At least `n_bytes` of a kind of text, by at most one file; less if the machine has less."""
    digest = hashlib.sha256()
    seen: set[bytes] = set()
    texts = []
    size = 0
    for path in files(kind, given):
        if size >= n_bytes:
            break
        data = read(path)
        name = hashlib.sha256(data).digest()
        if not data or name in seen:
            continue
        seen.add(name)
        digest.update(data)
        texts.append(data.decode())
        size += len(data)
    return Corpus(kind, tuple(texts), size, digest.hexdigest())


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
    elif kind == "multilingual":
        for folder in [*MANUAL.glob("*"), *MESSAGES.glob("*")]:
            language = folder.name.split("_")[0].split("@")[0]
            if folder.is_dir() and not language.startswith(("man", "en")):
                groups.setdefault(language, []).extend(below(folder))
    else:
        raise ValueError(f"no kind of text is called {kind!r}: use {', '.join(KINDS)} or given")
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


def read(path: Path) -> bytes:
    """The text of a file, unpacked; b"" if it is of no use."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            return b""
        if data.startswith(CATALOGUE):
            data = translations(data)
        if b"\0" in data:
            return b""
        data.decode()
    except (OSError, EOFError, zlib.error, struct.error, UnicodeDecodeError):
        return b""
    return data


def translations(catalogue: bytes) -> bytes:
    """The translated messages of a compiled gettext catalogue, one a line."""
    n, _, table = struct.unpack_from("<3I", catalogue, 8)
    places = struct.iter_unpack("<2I", catalogue[table : table + 8 * n])
    # The first message is a header; a zero stands between singular and plural.
    messages = [catalogue[at : at + size] for size, at in itertools.islice(places, 1, None)]
    return b"\n".join(messages).replace(b"\0", b"\n")


def cut(text: str, size: int) -> Iterator[str]:
    """A text in parts of `size` >= 4 bytes of UTF-8, less where a character would be cut; no shorter rest."""
    data = text.encode()
    start = 0
    while start + size <= len(data):
        end = start + size
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode()
        start = end


def main() -> None:
    parser = argparse.ArgumentParser(description="Say what text the machine has to measure on.")
    parser.add_argument("files", nargs="*", type=Path, help="files and folders instead of the machine's")
    parser.add_argument("--megabytes", type=float, default=5, help="of each kind (default: 5)")
    arguments = parser.parse_args()
    for kind in ["given"] if arguments.files else KINDS:
        corpus = build(kind, int(arguments.megabytes * 1e6), arguments.files)
        print(f"{kind}: {corpus.n_bytes:,} bytes of {len(corpus.texts):,} files, sha256 {corpus.sha256}")


if __name__ == "__main__":
    main()
