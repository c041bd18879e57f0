"""The experiment behind `bpetok demo`: a tokenizer trained on Python's own library against published ones.

The corpus is what every machine with Python has. Files are taken in an order that depends on nothing but
their paths, up to a fixed size; each tenth is held out and used for measuring only.
"""

import platform
import re
import statistics
import sysconfig
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpetok.errors import CorpusError

if TYPE_CHECKING:
    from bpetok.counting import ProgressCallback
    from bpetok.tokenizer import Tokenizer

VOCAB_SIZE = 16_384
PUBLISHED = ("gpt2", "cl100k_base", "o200k_base")
MOST_BYTES = 15_000_000
_HELD_OUT = 10  # each so many-th file
_LEAST_FILES = 20
_PARTS = 7  # of the held-out files, timed apart
_WARM_UP = 1_000_000  # characters encoded before the clock starts

# What the library's source is not: prose in several languages, written for this comparison.
PROSE = (
    "The ferry leaves at seven, and whoever misses it waits for the tide.",
    "Die Fähre legt um sieben ab, und wer sie verpasst, wartet auf die Flut.",
    "El transbordador sale a las siete, y quien lo pierde espera la marea.",
    "Паром отходит в семь, а кто опоздает, тот ждёт прилива.",
    "フェリーは七時に出る。乗り遅れた人は潮を待つしかない。",
    "नाव सात बजे चलती है, और जो छूट जाए वह ज्वार की राह देखता है।",
)


@dataclass(frozen=True)
class Corpus:
    """The texts: path within the library to content."""

    python: str
    train: dict[str, str]
    held_out: dict[str, str]

    @property
    def train_bytes(self) -> int:
        """Size of the texts to train on."""
        return _size(self.train.values())

    @property
    def held_out_bytes(self) -> int:
        """Size of the texts to measure on."""
        return _size(self.held_out.values())


@dataclass(frozen=True)
class Measured:
    """One tokenizer on the held-out files.

    Attributes:
        name: the tokenizer's.
        n_vocab: size of its vocabulary.
        tokens: how many it makes of the held-out files.
        bytes_per_token: bytes of the held-out files over `tokens`.
        blank_tokens: how many of these are nothing but white space.
        megabytes_per_second: encoding speed, one thread, into lists, files not seen before; the
            median of several parts of them, since a machine has other things to do as well.
        prose_tokens: how many tokens it makes of `PROSE`.
        exact: every file came back byte for byte when decoded.
    """

    name: str
    n_vocab: int
    tokens: int
    bytes_per_token: float
    blank_tokens: int
    megabytes_per_second: float
    prose_tokens: int
    exact: bool


@dataclass(frozen=True)
class Gain:
    """A token that the new vocabulary has and another cuts into parts.

    Attributes:
        token: its bytes.
        times: how often it occurs in the held-out files.
        parts: how many tokens the other makes of it.
    """

    token: bytes
    times: int
    parts: int


def gather(library: Path | None = None) -> Corpus:
    """Read the library's sources.

    Args:
        library: folder to take; None for the running Python's standard library.

    Raises:
        CorpusError: there are hardly any sources (some systems ship the library without them).
    """
    root = library or Path(sysconfig.get_path("stdlib"))
    paths = {
        path.relative_to(root).as_posix(): path
        for path in root.rglob("*.py")
        if not {"site-packages", "dist-packages"} & set(path.relative_to(root).parts)
    }
    # In the order of a checksum of the path, so that a limit takes a sample of all parts of the library.
    order = sorted(paths, key=lambda name: (zlib.crc32(name.encode()), name))
    texts: dict[str, str] = {}
    size = 0
    for name in order:
        try:
            data = paths[name].read_bytes()
            text = data.decode()
        except (OSError, UnicodeDecodeError):
            continue  # some of Python's test files are in other encodings, on purpose
        if text and size + len(data) <= MOST_BYTES:
            texts[name] = text
            size += len(data)
    if len(texts) < _LEAST_FILES:
        raise CorpusError(
            f"{root} holds {len(texts)} Python sources, too few to learn from: this Python comes without its "
            "library's sources; run the demo with another, or use bpetok train on files of your own"
        )
    held_out = dict(list(texts.items())[::_HELD_OUT])
    train = {name: text for name, text in texts.items() if name not in held_out}
    return Corpus(f"Python {platform.python_version()}", train, held_out)


def fit(corpus: Corpus, progress: "ProgressCallback | None") -> "tuple[Tokenizer, float]":
    """Train on the corpus; returns the tokenizer and the seconds it took."""
    from bpetok import train

    began = time.perf_counter()
    tokenizer = train(
        list(corpus.train.values()), vocab_size=VOCAB_SIZE, pattern="cl100k", progress=progress, name="demo"
    )
    return tokenizer, time.perf_counter() - began


def measure(tokenizer: "Tokenizer", corpus: Corpus) -> Measured:
    """Encode the held-out files, timed, and look at the result."""
    warm = 0
    for text in corpus.train.values():
        tokenizer.encode_ordinary(text)
        warm += len(text)
        if warm > _WARM_UP:
            break
    texts = list(corpus.held_out.values())
    encoded: list[tuple[str, list[int]]] = []
    speeds = []
    for start in range(_PARTS):
        part = texts[start::_PARTS]
        began = time.perf_counter()
        ids = [tokenizer.encode_ordinary(text) for text in part]
        speeds.append(_size(part) / 1e6 / (time.perf_counter() - began))
        encoded += zip(part, ids, strict=True)
    counts = Counter(token for _, ids in encoded for token in ids)
    tokens = counts.total()
    blank = sum(n for token, n in counts.items() if tokenizer.decode_single_token_bytes(token).isspace())
    return Measured(
        name=tokenizer.name,
        n_vocab=tokenizer.n_vocab,
        tokens=tokens,
        bytes_per_token=corpus.held_out_bytes / tokens,
        blank_tokens=blank,
        megabytes_per_second=statistics.median(speeds),
        prose_tokens=sum(len(tokenizer.encode_ordinary(line)) for line in PROSE),
        exact=all(tokenizer.decode_bytes(ids) == text.encode() for text, ids in encoded),
    )


def gains(new: "Tokenizer", other: "Tokenizer", corpus: Corpus) -> list[Gain]:
    """Tokens of the held-out files that save the most against another vocabulary, the best first."""
    counts = Counter(token for text in corpus.held_out.values() for token in new.encode_ordinary(text))
    found = []
    for token, times in counts.items():
        data = new.decode_single_token_bytes(token)
        try:
            parts = len(other.encode_ordinary(data.decode()))
        except UnicodeDecodeError:
            continue  # part of a character
        if parts > 1:
            found.append(Gain(data, times, parts))
    return sorted(found, key=lambda gain: (-gain.times * (gain.parts - 1), gain.token))


def sample(corpus: Corpus) -> str:
    """A short method of a held-out file, to look at."""
    method = re.compile(r"^    def \w+\(self.*\n(?:        .{1,60}\n){2,3}(?=\n)", re.MULTILINE)
    for text in corpus.held_out.values():
        if found := method.search(text):
            return found.group()
    return "".join(next(iter(corpus.held_out.values())).splitlines(keepends=True)[:4])


def _size(texts: Iterable[str] | Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)
