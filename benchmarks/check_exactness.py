"""Compare ids with tiktoken's, on text that is found on the machine and on generated strings.

    python benchmarks/check_exactness.py [FILES_OR_FOLDERS ...] [--megabytes 100] [--generated 100000]

Without arguments it reads Python's standard library and installed packages, and from /usr: documentation,
manual pages, translation catalogues, C headers and Perl. Files are taken in turn from each kind and each
language, so that a limit in megabytes still holds all of them. Each text is encoded with gpt2, cl100k_base
and o200k_base by both libraries; tiktoken is given bpetok's embedded vocabularies, so nothing is downloaded.
The report counts the letters of each script. Exit code 1 at the first difference, which is shown.

A Debian machine with ordinary packages has translations in some 20 scripts. Running text in more of them is
in these packages, which `apt-get download` and `dpkg -x` unpack into a folder without installing anything:
manpages-{el,ja,ru,uk,vi,zh}, debian-reference-{ja,zh-cn}, debian-faq-{ko,ru}, aptitude-doc-ja,
libreoffice-l10n-{am,ar,bg,bn,dz,el,fa,gu,he,hi,ja,ka,kk,km,kn,ko,ml,mn,or,pa-in,si,ta,te,th,ug,zh-cn}.
With them, 120 MB hold more than 10,000 letters each of 27 scripts.
"""

import argparse
import gzip
import itertools
import multiprocessing
import os
import random
import struct
import sys
import sysconfig
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpetok

NAMES = ("gpt2", "cl100k_base", "o200k_base")
MOST_BYTES = 1 << 20  # of one file
MANY = 10_000  # letters from which a script counts as covered
BINARY = {
    ".so", ".a", ".o", ".pyc", ".bin", ".gmo", ".whl",
    ".png", ".gif", ".jpg", ".ico", ".woff", ".woff2", ".ttf",
}  # fmt: skip
DEFAULTS = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/debian-reference",
    "/usr/share/i18n",
    "/usr/share/perl",
    "/usr/include",
)


@dataclass
class Result:
    """What one or many comparisons found."""

    n_texts: int = 0
    n_bytes: int = 0
    n_tokens: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    difference: str | None = None

    def add(self, other: "Result") -> None:
        self.n_texts += other.n_texts
        self.n_bytes += other.n_bytes
        self.n_tokens += other.n_tokens
        self.characters += other.characters
        self.unread += other.unread
        self.difference = self.difference or other.difference


# ---- texts -----------------------------------------------------------------------------------------


def files_below(roots: list[str]) -> dict[str, list[Path]]:
    """Files by kind: the folder they were found under, and for translations the language."""
    groups: dict[str, list[Path]] = {}
    for root in map(Path, roots):
        found = (
            [root]
            if root.is_file()
            else (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
        )
        for path in found:
            if path.suffix not in BINARY and path.is_file() and not path.is_symlink():
                below = path.relative_to(root).parts
                language = below[0] if root.name in ("locale", "man") and len(below) > 1 else path.suffix
                groups.setdefault(f"{root}:{language}", []).append(path)
    return groups


def in_turn(groups: dict[str, list[Path]], seed: int) -> Iterator[Path]:
    """One file of each group, then the next of each: in an order that depends on the seed alone."""
    draw = random.Random(seed)
    shuffled = []
    for name in sorted(groups):
        paths = sorted(groups[name])
        draw.shuffle(paths)
        shuffled.append(paths)
    for row in itertools.zip_longest(*shuffled):
        yield from filter(None, row)


def read_text(path: Path) -> str:
    """The text of a file; of a catalogue, its translations. What is not UTF-8 is replaced."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        data = file.read(MOST_BYTES)
    if data[:4] == b"\xde\x12\x04\x95":
        return catalogue(data)
    if b"\0" in data[:4096]:
        return ""
    return data.decode("utf-8", "replace")


def catalogue(data: bytes) -> str:
    """The translations in a compiled gettext catalogue (.mo), one a line."""
    _, _, count, _, table = struct.unpack_from("<5I", data)
    lines = []
    for at in range(table, min(table + 8 * count, len(data) - 7), 8):
        size, start = struct.unpack_from("<2I", data, at)
        lines.append(data[start : start + size])
    return b"\n".join(lines).replace(b"\0", b"\n").decode("utf-8", "replace")


FRAGMENTS = (
    "'s", "'LL", "'\u017f", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "1", "12345", "\u0662",
    "a", "A", "aB", "\u0301", "\u4e2d", "\u01c5", "\u02b0", "\U00010428", "!", "/", "^", "_", "'", '"',
    "\U0001f469\u200d\U0001f467", "\ud83d", "\ude00", "\0", "\ufeff", "hello", " world",
    "<|endoftext|>", "<|fim_prefix|>", "<|endof",
)  # fmt: skip
PLANES = (
    (0x20, 0x7F),
    (0, 0x250),
    (0x250, 0x800),
    (0x800, 0x2000),
    (0x2000, 0x3100),
    (0x3100, 0xD800),
    (0xE000, 0x110000),
)


def generate(draw: random.Random, tokens: list[bytes]) -> str:
    """A string of random characters, fragments, runs and tokens."""
    parts = []
    for _ in range(draw.randint(1, 12)):
        kind = draw.random()
        if kind < 0.3:
            part = chr(draw.randrange(*draw.choice(PLANES)))
        elif kind < 0.6:
            part = draw.choice(FRAGMENTS)
        elif kind < 0.85:
            part = draw.choice(tokens).decode("utf-8", "replace")
        else:
            part = "".join(draw.choices("abcXYZ .,\n", k=draw.randint(1, 20)))
        parts.append(part * (draw.randint(2, 80) if draw.random() < 0.08 else 1))
    return "".join(parts)


# ---- comparing ---------------------------------------------------------------------------------------

pairs: dict[str, tuple[Any, Any]] = {}  # of one process: name to (ours, tiktoken's)


def prepare() -> None:
    import tiktoken

    for name in NAMES:
        ours = bpetok.get_encoding(name)
        pairs[name] = (
            ours,
            tiktoken.Encoding(
                name,
                pat_str=ours.pattern.source,
                mergeable_ranks=ours.vocabulary.ranks(),
                special_tokens=dict(ours.vocabulary.special_tokens),
            ),
        )


def compare(text: str, where: str, result: Result) -> None:
    for name, (ours, theirs) in pairs.items():
        for policy in ({"disallowed_special": ()}, {"allowed_special": "all"}):
            mine, expected = ours.encode(text, **policy), theirs.encode(text, **policy)
            if mine != expected and result.difference is None:
                result.difference = describe(f"{where} {policy}", mine, expected, theirs)
            if "<|" not in text:
                break  # the two policies are one
        result.n_tokens[name] += len(mine)


def describe(where: str, mine: list[int], expected: list[int], encoding: Any) -> str:
    """The first difference, with the text around it."""
    both = itertools.zip_longest(mine, expected)
    at = next(index for index, (left, right) in enumerate(both) if left != right)
    before = encoding.decode_bytes(expected[:at])
    around = encoding.decode_bytes(expected[max(0, at - 4) : at + 8])
    return (
        f"{encoding.name}, {where}\n  token {at}, byte {len(before)}, around it {around!r}\n"
        f"  bpetok   {mine[max(0, at - 2) : at + 6]}\n  tiktoken {expected[max(0, at - 2) : at + 6]}"
    )


def compare_file(path: Path) -> Result:
    result = Result()
    try:
        text = read_text(path)
    except (OSError, EOFError, gzip.zlib.error, struct.error):
        text = ""
    if not text:
        result.unread = 1
        return result
    compare(text, str(path), result)
    result.n_texts, result.n_bytes = 1, len(text.encode())
    result.characters.update(text)
    return result


def compare_generated(job: tuple[int, int]) -> Result:
    """`n` generated strings, from a seed of their own."""
    seed, n = job
    draw = random.Random(seed)
    result = Result()
    tokens = [token for ours, _ in pairs.values() for token in ours.token_byte_values()[::7]]
    for at in range(n):
        text = generate(draw, tokens)
        compare(text, f"generated string {at} of seed {seed}: {text!r}", result)
        result.n_texts += 1
        result.n_bytes += len(text.encode("utf-8", "replace"))
        result.characters.update(text)
    return result


# ---- reporting ---------------------------------------------------------------------------------------


ALIASES = {"CJK": "HAN", "IDEOGRAPHIC": "HAN", "COMBINING": "MARKS", "KATAKANA-HIRAGANA": "KATAKANA"}


def scripts(characters: Counter[str]) -> Counter[str]:
    """Letters and marks by script, roughly: by the first word of their Unicode names."""
    counts: Counter[str] = Counter()
    for char, n in characters.items():
        if unicodedata.category(char)[0] in "LM":
            word = unicodedata.name(char, "UNNAMED").split()[0]
            counts[ALIASES.get(word, word)] += n
    return counts


def report(what: str, result: Result, seconds: float) -> None:
    tokens = ", ".join(f"{name} {n:,}" for name, n in result.n_tokens.items())
    print(f"{what}: {result.n_texts:,} texts, {result.n_bytes / 1e6:,.1f} MB in {seconds:.0f} s")
    print(f"  tokens: {tokens}")
    by_script = scripts(result.characters)
    covered = [f"{script.title()} {n:,}" for script, n in by_script.most_common() if n >= MANY]
    print(f"  letters of {len(covered)} scripts with {MANY:,} and more: {', '.join(covered)}")
    print(f"  {'DIFFERENT' if result.difference else 'equal'}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare ids with tiktoken's.")
    parser.add_argument("roots", nargs="*", default=DEFAULTS, help="files and folders to read")
    parser.add_argument("--megabytes", type=float, default=100, help="of files' text, at most")
    parser.add_argument("--generated", type=int, default=100_000, help="how many strings to make up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()

    failed = False
    paths = in_turn(files_below(list(arguments.roots)), arguments.seed)
    with multiprocessing.get_context("spawn").Pool(arguments.processes, prepare) as pool:
        start, total = time.perf_counter(), Result()
        for result in pool.imap(compare_file, paths, chunksize=8):
            total.add(result)
            if total.difference or total.n_bytes >= arguments.megabytes * 1e6:
                break
        report("real text", total, time.perf_counter() - start)
        failed |= show_difference(total)

    with multiprocessing.get_context("spawn").Pool(arguments.processes, prepare) as pool:
        start, total = time.perf_counter(), Result()
        jobs = [
            (arguments.seed * 1_000_003 + at, min(1000, arguments.generated - at))
            for at in range(0, arguments.generated, 1000)
        ]
        for result in pool.imap_unordered(compare_generated, jobs):
            total.add(result)
        report("generated", total, time.perf_counter() - start)
        failed |= show_difference(total)
    return int(failed)


def show_difference(result: Result) -> bool:
    if result.difference:
        print(f"first difference: {result.difference}", file=sys.stderr)
    return result.difference is not None


if __name__ == "__main__":
    sys.exit(main())
