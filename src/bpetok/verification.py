"""Whether two tokenizers give the same ids, and if not, the smallest text that shows it.

Two tokenizers are equal *by structure* when all that ids depend on is the same: tokens, merges and their
order, special and added tokens, pattern, normalizer. That is a proof. Where the parts differ, or another
library is one of the two, equal ids on many texts are evidence: every code point, alone and among letters;
every token, alone, beside another, and overlapping another; strings of every script; and a corpus.
"""

from __future__ import annotations

import base64
import functools
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unicodedata import category, name

import numpy as np
import numpy.typing as npt

from bpetok.added_tokens import AddedToken
from bpetok.corpus.document import batches
from bpetok.errors import BpetokError, EncodeError, FormatError, MissingExtraError
from bpetok.tokenizer import Tokenizer

__all__ = ["LIBRARIES", "Difference", "Reading", "Verdict", "differing_parts", "reading", "verify"]

REFUSED = -1  # in the place of the ids of a text that is refused
_BATCH = 1 << 15  # texts at a time
_SIZE = 1 << 22  # and characters
_CHECKS = 5_000  # most encodings for making a text smaller

Flat = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # ids of all texts, and where each text's begin
Encode = Callable[[Sequence[str]], Flat]


@dataclass(frozen=True)
class Reading:
    """A tokenizer as a library reads it.

    Attributes:
        name: how to call it in messages.
        modes: "tokens" (special tokens in a text are tokens) or "text" (they are ordinary text) to what
            encodes texts so; those that the library has. A text that is refused has the one id -1.
        spell: the text or bytes of an id.
        tokenizer: bpetok's own; None where another library reads.
    """

    name: str
    modes: dict[str, Encode]
    spell: Callable[[int], str | bytes]
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True)
class Difference:
    """A text that two tokenizers encode differently.

    Attributes:
        text: the text, from which no character can be taken without the difference going away.
        mode: whether special tokens in it were "tokens" or "text".
        found: in which kind of text.
        one: the (id, spelling) of each token of the first; None where it refuses the text.
        other: those of the second.
    """

    text: str
    mode: str
    found: str
    one: list[tuple[int, str | bytes]] | None
    other: list[tuple[int, str | bytes]] | None


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Attributes:
        proven: whether the two are equal by structure. Then no text was tried.
        n_texts: kind of text to how many were tried.
        difference: the first text that differs, made small; None where there is none.
        parts: parts that are not the same, by name, where both are bpetok's.
    """

    proven: bool
    n_texts: dict[str, int] = field(default_factory=dict)
    difference: Difference | None = None
    parts: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no text differs."""
        return self.difference is None


def verify(
    one: Tokenizer | Reading,
    other: Tokenizer | Reading,
    *,
    corpus: Iterable[str] = (),
    n_strings: int = 20_000,
    every: int = 1,
    seed: int = 0,
) -> Verdict:
    """See whether two tokenizers give the same ids for every text.

    Args:
        one: a tokenizer, or what `reading` gives.
        other: likewise.
        corpus: texts to try beside the generated ones.
        n_strings: how many strings to generate, of all scripts in turn.
        every: of code points, tokens and overlaps try every so many only: for a quick look.
        seed: of everything that is drawn.

    >>> from bpetok import get_encoding
    >>> verify(get_encoding("p50k_base"), get_encoding("p50k_base")).proven
    True
    >>> verify(get_encoding("gpt2"), get_encoding("p50k_base")).difference.text
    '  '
    """
    one, other = _as_reading(one), _as_reading(other)
    parts: tuple[str, ...] = ()
    if one.tokenizer is not None and other.tokenizer is not None:
        parts = tuple(differing_parts(one.tokenizer, other.tokenizer))
        if not parts:
            return Verdict(True)
    modes = [mode for mode in one.modes if mode in other.modes]
    n_texts: dict[str, int] = {}
    tokenizers = [each.tokenizer for each in (one, other) if each.tokenizer is not None]
    samples = _samples(tokenizers, n_strings, every, Random(seed))
    for kind, texts in itertools.chain(samples, [("corpus", corpus)]):
        n_texts[kind] = 0
        for batch in batches(texts, _SIZE, len, most=_BATCH):
            n_texts[kind] += len(batch)
            for mode in modes[:1] if kind in _WITHOUT_SPECIALS else modes:
                at = _first_difference(one.modes[mode](batch), other.modes[mode](batch))
                if at is not None:
                    found = _shown(one, other, _smallest(one, other, mode, batch[at]), mode, kind)
                    return Verdict(False, n_texts, found, parts)
    return Verdict(False, n_texts, None, parts)


# ---- by structure --------------------------------------------------------------------------------------


def differing_parts(one: Tokenizer, other: Tokenizer) -> list[str]:
    """The names of what ids depend on and is not the same; where there is none, all ids are equal.

    A part may be spelled in two ways and mean the same: that some part differs does not say that ids do.
    """
    first, second = _parts(one), _parts(other)
    return [name for name, part in first.items() if part != second[name]]


def _parts(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that ids depend on, in a form in which equal parts compare equal."""
    vocabulary = tokenizer.vocabulary
    scored = vocabulary.semantics == "scores"
    # Of ranks and of places in a list it is the order alone that counts. Which pairs ever merge by ranks is
    # proved in docs/architecture.md; a piece that is a token is that token.
    merges = [row if scored else row[1:] for row in vocabulary.tables.merges()]
    said = {token.text: token for token in tokenizer.added_tokens}
    specials = vocabulary.special_tokens
    scanner = tokenizer.pattern.scanner
    splits = tokenizer.splits
    return {
        "tokens": vocabulary.tokens(),
        "merges": (scored, merges, vocabulary.scores() if scored else None),
        "whole pieces": vocabulary.takes_whole,
        "characters": (
            vocabulary.alphabet,
            vocabulary.byte_tokens,
            vocabulary.unknown,
            vocabulary.fuse_unknown,
            vocabulary.unused,
        ),
        "special tokens": {text: said.get(text, AddedToken(text, token)) for text, token in specials.items()},
        "pattern": splits or (tokenizer.pattern.source if scanner is None else scanner.parameters),
        "normalizer": tokenizer.normalizer and tokenizer.normalizer.spec(),
    }


# ---- readings ------------------------------------------------------------------------------------------


def _as_reading(given: Tokenizer | Reading) -> Reading:
    if isinstance(given, Reading):
        return given

    def encode(texts: Sequence[str], **options: Any) -> Flat:
        try:
            ids, offsets = given.encode_flat(texts, disallowed_special=(), **options)
        except EncodeError:
            encode_one = functools.partial(given.encode, disallowed_special=(), **options)
            return _flat([_one(encode_one, text) for text in texts])
        return ids.astype(np.int64), offsets

    modes: dict[str, Encode] = {
        "tokens": functools.partial(encode, allowed_special="all"),
        "text": functools.partial(encode, allowed_special=set()),
    }
    return Reading(given.name, modes, given.decode_single_token_bytes, given)


def _one(encode: Callable[[str], Sequence[int]], text: str) -> Sequence[int]:
    """The ids of a text, or `REFUSED`."""
    try:
        return encode(text)
    except Exception:  # of any library
        return [REFUSED]


def _flat(ids: Sequence[Sequence[int]]) -> Flat:
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(each) for each in ids], out=offsets[1:])
    return np.fromiter(itertools.chain.from_iterable(ids), np.int64, offsets[-1]), offsets


def _each(encode: Callable[[str], Sequence[int]]) -> Encode:
    return lambda texts: _flat([_one(encode, text) for text in texts])


def reading(path: str | os.PathLike[str], library: str) -> Reading:
    """A file as the library reads it whose format it is.

    Args:
        path: a `tokenizer.json` or a folder with one ("tokenizers"), a file of ranks ("tiktoken", with the
            pattern and special tokens that bpetok knows for it), a SentencePiece model ("sentencepiece"), or
            a `tekken.json` ("mistral-common").
        library: its name.

    Raises:
        MissingExtraError: the library is not installed.
        FormatError: it refuses the file, or is not one of `LIBRARIES`.
    """
    if library not in LIBRARIES:
        known = ", ".join(LIBRARIES)
        raise FormatError(f"{library!r} is no library that can be compared with: use one of {known}")
    where = os.fsdecode(path)
    try:
        return LIBRARIES[library](where)
    except ImportError as error:
        raise MissingExtraError(
            f"reading {where} with {library} needs it installed: pip install {library}"
        ) from error
    except (BpetokError, OSError):
        raise
    except Exception as error:  # libraries raise bare exceptions for bad files
        raise FormatError(f"{where}: {library} refuses it: {error}") from error


def _tokenizers(path: str) -> Reading:
    import tokenizers

    if os.path.isdir(path):
        path = os.path.join(path, "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(path)

    def encode(texts: Sequence[str]) -> Flat:
        return _flat([each.ids for each in theirs.encode_batch(list(texts), add_special_tokens=False)])

    return Reading("tokenizers", {"tokens": encode}, lambda token: theirs.id_to_token(token) or "")


def _tiktoken(path: str) -> Reading:
    import tiktoken

    ours = Tokenizer.load(path)
    lines = [line.split() for line in Path(path).read_bytes().splitlines() if line]
    theirs = tiktoken.Encoding(
        ours.name,
        pat_str=ours.pattern.source,
        mergeable_ranks={base64.b64decode(data): int(rank) for data, rank in lines},
        special_tokens=dict(ours.vocabulary.special_tokens),
    )
    modes = {
        "tokens": _each(functools.partial(theirs.encode, allowed_special="all")),
        "text": _each(theirs.encode_ordinary),
    }
    return Reading("tiktoken", modes, theirs.decode_single_token_bytes)


def _sentencepiece(path: str) -> Reading:
    import sentencepiece

    theirs = sentencepiece.SentencePieceProcessor(model_file=path)

    def encode(texts: Sequence[str]) -> Flat:
        return _flat(theirs.encode(list(texts)))

    return Reading("sentencepiece", {"text": encode}, theirs.id_to_piece)


def _mistral_common(path: str) -> Reading:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    theirs = Tekkenizer.from_file(path)
    encode = functools.partial(theirs.encode, bos=False, eos=False)
    return Reading("mistral-common", {"text": _each(encode)}, theirs.id_to_byte_piece)


LIBRARIES: dict[str, Callable[[str], Reading]] = {
    "tokenizers": _tokenizers,
    "tiktoken": _tiktoken,
    "sentencepiece": _sentencepiece,
    "mistral-common": _mistral_common,
}


# ---- comparing -----------------------------------------------------------------------------------------


def _first_difference(one: Flat, other: Flat) -> int | None:
    """The index of the first text with other ids."""
    if np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1]):
        return None
    # Up to the first text that differs, the two are the same; there either an id differs, or the end.
    n = min(len(one[0]), len(other[0]))
    places = np.flatnonzero(one[0][:n] != other[0][:n])[:1]
    ends = np.flatnonzero(one[1] != other[1])[:1] - 1
    return int(min([*(np.searchsorted(one[1], places, "right") - 1), *ends]))


def _smallest(one: Reading, other: Reading, mode: str, text: str) -> str:
    """A part of a text that still differs, with ever shorter stretches taken out; O(log n) encodings of a
    long text where the difference is in one place."""
    left = _CHECKS

    def differs(shorter: str) -> bool:
        nonlocal left
        left -= 1
        texts = [shorter]
        return left >= 0 and _first_difference(one.modes[mode](texts), other.modes[mode](texts)) is not None

    size = len(text)
    while size:
        before = text
        at = 0
        while at < len(text):
            shorter = text[:at] + text[at + size :]
            if differs(shorter):
                text = shorter
            else:
                at += size
        if size > 1 or text == before:
            size //= 2
    return text


def _shown(one: Reading, other: Reading, text: str, mode: str, found: str) -> Difference:
    def tokens(each: Reading) -> list[tuple[int, str | bytes]] | None:
        ids = each.modes[mode]([text])[0].tolist()
        return None if ids == [REFUSED] else [(token, each.spell(token)) for token in ids]

    return Difference(text, mode, found, tokens(one), tokens(other))


# ---- texts ---------------------------------------------------------------------------------------------

_WITHOUT_SPECIALS = ("code points", "overlaps")
_CONTEXT = " a{0}b{0}{0}1 {0}'{0}\n{0} "
_BETWEEN = (
    "", "", "", " ", " ", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2581", "'", "'s",
    "'LL", ".", ",", "!?", "...", "-", "_", "/", "(", "1", "12", "1234", "\u0663", "\u0301", "\u200d",
    "\U0001f600", "\0", "\ufffd", "\ufeff", "\x85",
)  # fmt: skip


def _samples(
    tokenizers: Sequence[Tokenizer], n_strings: int, every: int, random: Random
) -> Iterator[tuple[str, Iterable[str]]]:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    # Of the code points that mean nothing there are seven times as many as of the others: a few will do.
    meant = (char for at, char in enumerate(characters) if at % 64 == 0 or category(char) not in ("Cn", "Co"))
    contexts = map(_CONTEXT.format, itertools.islice(meant, None, None, every))
    yield "code points", itertools.chain([""], characters[::every], contexts)
    tokens = _token_texts(tokenizers)
    yield "tokens", _around(tokens[::every], tokens, random)
    yield "overlaps", itertools.islice(_overlaps(tokenizers, random), None, None, every)
    yield "strings", _strings(tokens, n_strings, random)


def _token_texts(tokenizers: Sequence[Tokenizer]) -> list[str]:
    """The texts of all tokens that are whole characters, special ones among them."""
    texts: dict[str, None] = {}
    for tokenizer in tokenizers:
        texts |= dict.fromkeys(tokenizer.vocabulary.special_tokens)
        for data in tokenizer.vocabulary.tokens().values():
            text = data.decode(errors="replace")
            if "\ufffd" not in text:
                texts[text] = None
    return list(texts)


def _around(tokens: Sequence[str], others: Sequence[str], random: Random) -> Iterator[str]:
    """Each token, alone and before others."""
    for token in tokens:
        yield token
        yield f" {token}"
        yield f"{token}{random.choice(others)}"
        yield f"{token} {random.choice(others)}{token.upper()}"


def _overlaps(tokenizers: Sequence[Tokenizer], random: Random) -> Iterator[str]:
    """Texts in which two merges compete for what is between them."""
    for tokenizer in tokenizers:
        spell = tokenizer.vocabulary.tables.token_bytes
        by_left: defaultdict[int, list[int]] = defaultdict(list)
        merges = [row[1:] for row in tokenizer.vocabulary.tables.merges()]
        for left, right, _ in merges:
            by_left[left].append(right)
        for left, right, _ in merges:
            for third in random.sample(by_left[right], min(3, len(by_left[right]))):
                parts = [spell(token) for token in (left, right, third)]
                text = b"".join(part for part in parts if part).decode(errors="replace")
                if "\ufffd" not in text:
                    yield text


@functools.cache
def _scripts() -> tuple[tuple[str, ...], ...]:
    """Letters and marks by the first word of their names: LATIN, CJK, HANGUL and so on."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for char in map(chr, range(0x110000)):
        if category(char)[0] in "LM":
            found[name(char, "UNNAMED").split()[0]].append(char)
    return tuple(tuple(chars) for chars in found.values() if len(chars) >= 10)


def _strings(tokens: Sequence[str], n: int, random: Random) -> Iterator[str]:
    """Strings of words of one script after the other, with tokens and other characters between."""
    scripts = _scripts()
    for at in range(n):
        script = scripts[at % len(scripts)]
        parts = []
        for _ in range(random.choice((1, 2, 3, 5, 8, 13))):
            kind = random.random()
            if tokens and kind < 0.3:
                parts.append(random.choice(tokens))
            elif kind < 0.35:
                char = random.choice((" ", "a", "\n", "0", "=", "\u00e9", script[0]))
                parts.append(char * random.randrange(2, 40))
            else:
                parts.append("".join(random.choices(script, k=random.randrange(1, 9))))
            parts.append(random.choice(_BETWEEN))
        yield "".join(parts)
