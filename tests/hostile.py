"""Damaged and hostile files of every format of the registry, for the tests of readers.

`whole(format)` gives the files of sound tokenizers, by their names below a folder; `FILE` is the one, or the
folder, to load. Formats make their own of `SAMPLES`; one that holds none of
these needs an entry in `BY_HAND`.
"""

import base64
import copy
import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from bpetok import AddedToken, Template, Tokenizer, decoding, normalization, splits, train
from bpetok.errors import BpetokError, FormatError
from bpetok.formats import load, save
from bpetok.oniguruma import Expression

FILE = "file"
Files = dict[str, bytes]


# ---- sound files ---------------------------------------------------------------------------------------


def _ranked() -> Tokenizer:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257, b" t": 258}
    specials = {"<s>": 259, "<|endoftext|>": 260}
    return Tokenizer("toy", pat_str="cl100k", mergeable_ranks=ranks, special_tokens=specials)


def _learned() -> Tokenizer:
    return train(["the cat sat, the cats sat"], vocab_size=270, special_tokens=["<s>", "<|endoftext|>"])


def _characters() -> Tokenizer:
    return train(["the cat sat, the cats sat"], vocab_size=280, byte_fallback=True)


def _furnished() -> Tokenizer:
    """With everything that a tokenizer may have beside its vocabulary."""
    plain = _learned()
    token = plain.vocabulary.special_tokens["<s>"]
    return Tokenizer.from_vocabulary(
        "furnished",
        splits.Splits((splits.Digits(True),)),
        plain.vocabulary,
        normalizer=normalization.Replace("x", "y"),
        added_tokens=[AddedToken("<s>", token, lstrip=True, special=False)],
        template=Template((token, "A")),
        chat_template="{{ messages }}",
    )


def _normalized() -> Tokenizer:
    plain = _ranked()
    return Tokenizer.from_vocabulary("nfc", "cl100k", plain.vocabulary, normalizer=normalization.NFC())


def _every_step() -> Tokenizer:
    """Characters, with all kinds of steps before and behind the vocabulary."""
    plain = _characters()
    normal = (
        normalization.NFKC(),
        normalization.Nmt(),
        normalization.Lowercase(),
        normalization.StripAccents(),
        normalization.Strip(left=True, right=False),
        normalization.Replace(Expression("x+"), "x"),
        normalization.Prepend("y"),
    )
    cuts = (
        splits.Metaspace(prepend_scheme="always"),
        splits.Split(Expression(r"\p{L}+|\s+"), "MergedWithPrevious", invert=True),
        splits.Digits(),
        splits.Punctuation("Contiguous"),
    )
    behind = (decoding.Replace("x", "y"), decoding.ByteFallback(), decoding.Fuse(), decoding.Strip(" ", 1, 0))
    return Tokenizer.from_vocabulary(
        "steps",
        splits.Splits(cuts),
        plain.vocabulary,
        normalizer=normalization.Sequence(normal),
        decoder=decoding.Steps(behind),
        template=Template((1, "A", 2), ("A", 2, "B", 2)),
    )


def _plain() -> Tokenizer:
    return train(["the cat sat on the mat ab"] * 3, vocab_size=270, pattern="gpt2", special_tokens=["<s>"])


SAMPLES = (_plain, _ranked, _learned, _characters, _furnished, _normalized, _every_step)


def _tekken() -> Files:
    vocab = [
        {"rank": at, "token_bytes": base64.b64encode(bytes([at])).decode(), "token_str": None}
        for at in range(256)
    ]
    vocab.append({"rank": 256, "token_bytes": base64.b64encode(b"ab").decode(), "token_str": "ab"})
    document = {
        "config": {
            "pattern": r"\p{L}+|\s+|[^\p{L}\s]+",
            "num_vocab_tokens": 257,
            "default_vocab_size": 260,
            "default_num_special_tokens": 3,
            "version": "v11",
        },
        "vocab": vocab,
        "special_tokens": [
            {"rank": at, "token_str": text, "is_control": True}
            for at, text in enumerate(("<unk>", "<s>", "</s>"))
        ],
    }
    return {FILE: json.dumps(document).encode()}


def _minbpe() -> Files:
    return {FILE: b"minbpe v1\n\\w+|\\W+\n1\n<end> 300\n97 98\n256 99\n32 116\n"}


BY_HAND: dict[str, Callable[[], Files]] = {"tekken": _tekken, "minbpe": _minbpe}


@functools.cache
def whole(format: str) -> tuple[Files, ...]:
    """The files of each of `SAMPLES` that the format can hold."""
    if format in BY_HAND:
        return (BY_HAND[format](),)
    found = []
    for make in SAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                save(make(), Path(folder, FILE), format)
            except FormatError:
                continue
            paths = [path for path in Path(folder).rglob("*") if path.is_file()]
            found.append({str(path.relative_to(folder)): path.read_bytes() for path in paths})
    return tuple(found)


def read(files: Files) -> Tokenizer:
    """The tokenizer in some files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return load(Path(folder, FILE))


def outcome(files: Files) -> str:
    """What becomes of files: "read", and the tokenizer works; or "refused", with an error of bpetok's."""
    try:
        tokenizer = read(files)
        ids = tokenizer.encode("the cat<s> ab\u00e9\n", allowed_special="all")
        tokenizer.decode(ids)
    except BpetokError:
        return "refused"
    return "read"


# ---- damage --------------------------------------------------------------------------------------------

HUGE = (
    b"9" * 400, b"-1", b"1e999", b"NaN", b"-Infinity", b"18446744073709551616", b"4294967296", b"1.5",
    b"\xff\xff", b"\xed\xa0\x80", b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x0f", b"\0" * 8,
    b"\x7f" + b"\xff" * 7, b"[" * 3000,
    b'{"a":' * 3000, b'"\\ud800"', b"null", b"true", b"\n\n", b"=" * 5, b"\\u0000", b"\xef\xbb\xbf",
)  # fmt: skip


def damaged(data: bytes, random: Random) -> bytes:
    """The data, cut short, with bytes changed, stretches taken out, doubled or put in."""
    content = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(content) + 1)
        end = min(len(content), at + random.choice((0, 1, 1, 2, 8, 40, 400)))
        kind = random.randrange(6)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            content[at:end] = random.randbytes(end - at)
        elif kind == 2:
            del content[at:end]
        elif kind == 3:
            content[at:at] = content[at:end] * random.choice((1, 2, 50))
        elif kind == 4:
            content[at:end] = random.choice(HUGE)
        elif at < len(content):
            content[at] ^= 1 << random.randrange(8)
    return bytes(content)


JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1 << 24, 1 << 31, 1 << 63, 10**30, "", "a", "\ud800", "\0", "<s>", "x" * 5000,
    [], {}, [[]], [0, 0], {"": 0}, {"type": "Sequence"}, [None], ["a", "a"], "(" * 500, "a{9999}{9999}",
    "(?:a+)+$", "[^",
)  # fmt: skip


def junk(document: Any, random: Random) -> Any:
    """A JSON value with values in it replaced, taken out or doubled; deep ones as often as shallow ones."""
    document = json.loads(json.dumps(document))
    for _ in range(random.choice((1, 1, 2, 3))):
        inner, depth = document, random.randrange(6)
        while isinstance(inner, dict | list) and inner:
            key = random.choice(list(inner)) if isinstance(inner, dict) else random.randrange(len(inner))
            if depth and isinstance(inner[key], dict | list) and inner[key]:
                inner, depth = inner[key], depth - 1
                continue
            kind = random.randrange(5)
            if kind == 0:
                del inner[key]
            elif kind == 1 and isinstance(inner, list):
                inner.append(inner[key])
            elif kind == 2 and isinstance(inner[key], int):
                inner[key] += random.choice((-1, 1, 256))
            else:
                inner[key] = copy.deepcopy(random.choice(JUNK))
            break
    return document


def signed(document: Any) -> Any:
    """The document with the checksum of a native file, if it has one, so that what it guards is seen."""
    if isinstance(document, dict) and "sha256" in document:
        body = {key: value for key, value in document.items() if key != "sha256"}
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        document["sha256"] = hashlib.sha256(canonical).hexdigest()
    return document


def cases(format: str, seed: int) -> Iterator[Files]:
    """Endless damaged files of a format."""
    random = Random(f"{format} {seed}")
    while True:
        files = dict(random.choice(whole(format)))
        name = random.choice(sorted(files))
        try:
            document = json.loads(files[name])
        except ValueError:
            document = None
        if document is not None and random.random() < 0.6:
            files[name] = json.dumps(signed(junk(document, random))).encode()
        else:
            files[name] = damaged(files[name], random)
        if len(files) > 1 and random.random() < 0.05:
            del files[random.choice(sorted(files.keys() - {FILE}))]
        yield files
