"""Build the text to measure on from Debian packages that anyone can get.

`packages.toml` names the packages and which of their files are used; nothing is installed. What comes out is
a folder with a file of JSON lines for each kind of text, a document a line, and ``manifest.json``: the
packages with their versions, and the size, hash and make-up of each file.

Documents are what a file's text is, in parts of at most 32 KiB that end with a line; none comes twice. They
are sorted into parts: by script in multilingual text, by programming language in code. A limit is chosen so
that all parts below it come whole, those above it are cut to it, and the kind gets its size; the packages
within a part are treated alike. So no script and no package dominates where there is other text. Then all are
spread evenly, so that any stretch of the file is a fair sample of it. The same packages give the same bytes.
"""

import bisect
import hashlib
import heapq
import html
import itertools
import json
import re
import tempfile
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bpetok import BpetokError
from bpetok_bench import corpus, debian

TARGET = 96_000_000  # bytes of each kind
MOST_OF_A_PART = 16_000_000  # bytes of one package in one part that are looked at: it bounds the memory
DOCUMENT = 32 << 10  # bytes of a document at most, but for a longer line
LEAST = 200  # bytes of a document: shorter ones are redirections and headings
LISTED = Path(__file__).with_name("packages.toml")
LANGUAGES = {
    "C": "c h",
    "C++": "hpp ipp",
    "CSS": "css",
    "Erlang": "erl hrl",
    "Go": "go",
    "Java": "java",
    "JavaScript": "js",
    "Lisp": "el lisp",
    "Octave": "m",
    "PHP": "php twig",
    "Pascal": "pas pp",
    "Perl": "pl pm",
    "Python": "py",
    "Ruby": "rb",
    "Rust": "rs",
    "TypeScript": "ts",
}
LANGUAGE_OF = {suffix: name for name, suffixes in LANGUAGES.items() for suffix in suffixes.split()}
# The first word of a letter's name in Unicode is its script, but for these.
SCRIPT_OF = {"CJK": "Han", "HIRAGANA": "Kana", "KATAKANA": "Kana", "KATAKANA-HIRAGANA": "Kana"}
NO_SCRIPT = {"", "COMBINING", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "MODIFIER", "VARIATION"}
ENGLISH = re.compile(r"\b(?:the|of|and|to|is|in|this|for)\b", re.IGNORECASE)


class CorporaError(BpetokError):
    """The corpora are not what their manifest says."""


class Document(NamedTuple):
    """A piece of text, where it belongs, and where it is from."""

    part: str
    source: str
    text: bytes


# ---- text ------------------------------------------------------------------------------------------


def text_of(name: str, data: bytes) -> str:
    """The text of a file without its markup; "" if it is none."""
    text = corpus.decode(data).replace("\r\n", "\n")
    if re.search(r"\.(html|page|xml)(\.gz)?$", name):
        text = re.sub(r"(?is)<(script|style|head|svg)\b.*?</\1\s*>|<!--.*?-->", "", text)
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
        text = re.sub(r"\n[^\S\n]+", "\n", text)  # what was indented was the markup
    elif name.endswith((".ftl", ".properties")):
        text = re.sub(r"(?m)^#.*$|^\s*\.?[\w.$\[\]-]+\s*=[ \t]*", "", text)
    return re.sub(r"\s*\n\s*\n\s*\n", "\n\n", text).strip("\n")


def cut(text: str) -> Iterator[bytes]:
    """A text in documents: at most `DOCUMENT` bytes each, but for a longer line."""
    lines = text.encode().splitlines(keepends=True)
    start = size = 0
    for at, line in enumerate(lines):
        if size and size + len(line) > DOCUMENT:
            yield b"".join(lines[start:at])
            start, size = at, 0
        size += len(line)
    if size:
        yield b"".join(lines[start:])


@cache
def script(char: str) -> str:
    """The script of a letter; "" if it is in none or is no letter."""
    if unicodedata.category(char)[0] not in "LM":
        return ""
    word = unicodedata.name(char, "").split(" ", 1)[0]
    return "" if word in NO_SCRIPT else SCRIPT_OF.get(word, word.capitalize())


def scripts(text: str) -> Counter[str]:
    """How many bytes of UTF-8 the letters of each script take."""
    found: Counter[str] = Counter()
    for char, times in Counter(text).items():
        found[script(char)] += times * len(char.encode("utf-8", "replace"))
    del found[""]
    return found


def part_of(kind: str, name: str, text: str) -> str | None:
    """The part of its kind that a document belongs to; None if it is not wanted."""
    if kind == "code":
        return LANGUAGE_OF.get(name.removesuffix(".gz").rpartition(".")[2])
    if kind == "english":
        return "English"
    found = scripts(text)
    if not found:
        return None
    most = max(found, key=lambda name: (found[name], name))
    # What is not translated is in English: a sixth of its words are these.
    if most == "Latin" and len(ENGLISH.findall(text)) * 16 > text.count(" "):
        return None
    return most


def documents(
    kind: str, package: debian.Package, folder: Path, patterns: Sequence[str]
) -> Iterator[Document]:
    """The documents of a package, its files ordered by a hash of their paths."""
    found = [
        (hashlib.sha256(name.encode()).digest(), name, data)
        for name, data in debian.members(folder / package.file, patterns)
    ]
    taken: Counter[str] = Counter()
    for _, name, data in sorted(found):
        for text in cut(text_of(name, data)):
            part = part_of(kind, name, text.decode()) if len(text) >= LEAST else None
            if part is not None and taken[part] < MOST_OF_A_PART:
                taken[part] += len(text)
                yield Document(part, package.name, text + b"\n" * (not text.endswith(b"\n")))


# ---- choosing and mixing ---------------------------------------------------------------------------


def level(sizes: Iterable[int], total: int) -> int:
    """The highest limit such that the sizes, each cut to it, are together at most `total`."""
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        if size * (len(ordered) - at) > total:
            return total // (len(ordered) - at)
        total -= size
    return max(ordered, default=0)


def choose(found: Iterable[Document], target: int) -> list[list[Document]]:
    """Documents of each part and package that together have about `target` bytes."""
    groups: dict[str, dict[str, list[Document]]] = {}
    for document in found:
        groups.setdefault(document.part, {}).setdefault(document.source, []).append(document)
    sizes = {
        part: {source: sum(len(each.text) for each in listed) for source, listed in sources.items()}
        for part, sources in groups.items()
    }
    of_a_part = level((sum(each.values()) for each in sizes.values()), target)
    chosen = []
    for part in sorted(groups):
        of_a_source = level(sizes[part].values(), of_a_part)
        for source in sorted(groups[part]):
            ends = list(itertools.accumulate(len(each.text) for each in groups[part][source]))
            chosen.append(groups[part][source][: bisect.bisect_right(ends, of_a_source)])
    return [each for each in chosen if each]


def mix(groups: Iterable[Sequence[Document]]) -> Iterator[Document]:
    """All groups at once, each spread evenly from the beginning to the end."""

    def placed(at: int, group: Sequence[Document]) -> Iterator[tuple[float, int, Document]]:
        total = sum(len(each.text) for each in group)
        middle = 0.0
        for each in group:
            yield (middle + len(each.text) / 2) / total, at, each
            middle += len(each.text)

    return (document for _, _, document in heapq.merge(*(placed(at, each) for at, each in enumerate(groups))))


def unique(found: Iterable[Document]) -> Iterator[Document]:
    seen: set[bytes] = set()
    for document in found:
        name = hashlib.sha256(document.text).digest()
        if name not in seen:
            seen.add(name)
            yield document


# ---- the folder ------------------------------------------------------------------------------------


def write(kind: str, chosen: Iterable[Document], folder: Path) -> dict[str, Any]:
    """Write a kind's file; returns what the manifest says of it."""
    parts: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    n_documents = 0
    path = corpus.built_file(folder, kind)
    with open(path, "w", encoding="utf-8") as file:
        for part, source, data in chosen:
            text = data.decode()
            file.write(json.dumps({"text": text, "part": part, "source": source}, ensure_ascii=False) + "\n")
            n_documents += 1
            parts[part] += len(data)
            sources[source] += len(data)
            letters += scripts(text)
    total = max(letters.total(), 1)
    return {
        "documents": n_documents,
        "bytes": parts.total(),
        "sha256": debian.file_hash(path),
        "parts": dict(parts.most_common()),
        "sources": dict(sources.most_common()),
        "script_shares": {
            name: round(size / total, 4) for name, size in letters.most_common() if size * 10_000 >= total
        },
    }


def build(
    folder: Path,
    packages: Path | None = None,
    target: int = TARGET,
    listed: Path = LISTED,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Build all kinds into a folder.

    Args:
        folder: where to; it is made.
        packages: a folder to keep the downloaded packages in, and to take them from; None for one that goes.
        target: bytes of each kind.
        listed: which packages.
        say: is told what happens.

    Returns:
        The manifest.
    """
    debian.require_tools()
    wanted = tomllib.loads(listed.read_text("utf-8"))
    names = sorted({name for kind in wanted.values() for name in kind})
    have = debian.known(names)
    missing = [name for name in names if name not in have]
    if missing:
        say(f"not known to apt here (is `apt-get update` due?), so passed over: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    manifest_file = folder / corpus.MANIFEST
    manifest_file.unlink(missing_ok=True)  # so that half of a folder is not taken for a whole one
    manifest: dict[str, Any] = {
        "packages": {name: have[name].version for name in names if name in have},
        "missing": missing,
        "corpora": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        place = packages or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        say(f"fetching {len(have)} packages")
        debian.download(have.values(), place)
        for kind, patterns in wanted.items():
            found = (
                document
                for name, fitting in patterns.items()
                if name in have
                for document in documents(kind, have[name], place, fitting)
            )
            about = write(kind, mix(choose(unique(found), target)), folder)
            manifest["corpora"][kind] = about
            short = "" if about["bytes"] >= 0.95 * target else f": less than the {target:,} that were wanted"
            say(f"{kind}: {about['bytes']:,} bytes in {about['documents']:,} documents{short}")
    manifest_file.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return manifest


def check(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, if the files are what it says.

    Raises:
        CorporaError: they are not, or there is none.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / corpus.MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CorporaError(f"{folder} holds no corpora: build them with `bpetok bench corpora`") from error
    for kind, about in manifest["corpora"].items():
        path = corpus.built_file(folder, kind)
        if debian.file_hash(path) != about["sha256"]:
            raise CorporaError(f"{path} is not what {corpus.MANIFEST} says: build the corpora anew")
    return manifest
