"""Which characters of texts a tokenizer has no token for, and what tokens for them would save.

A character *falls apart* where its bytes are in more than one token, or in tokens for bytes. With a
vocabulary of characters, that is what falls back to bytes; with a byte-level one, a character that merging
leaves in several tokens at that place, and which may be whole elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bpetok.corpus.document import batches
from bpetok.errors import VocabularyError
from bpetok.tokenizer import Tokenizer
from bpetok.vocabulary import Vocabulary

__all__ = ["Apart", "Coverage", "add_characters", "coverage"]

_BATCH = 1 << 20  # characters encoded at a time


class Apart(NamedTuple):
    """A character that falls apart.

    Attributes:
        character: the character, as it is after normalization.
        times: how often it falls apart.
        saves: how many tokens fewer there would be, were it one token there: the borders inside of it. With
            byte fallback a token for the character saves just so many; in a byte-level vocabulary, at most.
    """

    character: str
    times: int
    saves: int


@dataclass(frozen=True)
class Coverage:
    """What a tokenizer makes of some texts. Of two the sum is that of all their texts.

    Attributes:
        n_characters: how many characters the texts have, as the tokenizer normalizes them.
        n_tokens: how many tokens.
        n_apart: how many characters fall apart.
        n_apart_tokens: how many tokens have bytes of these.
        characters: those that fall apart, the most frequent first, equals by code point.
    """

    n_characters: int = 0
    n_tokens: int = 0
    n_apart: int = 0
    n_apart_tokens: int = 0
    characters: tuple[Apart, ...] = ()

    def __add__(self, other: Coverage) -> Coverage:
        counts: Counter[str] = Counter()
        saves: Counter[str] = Counter()
        for char, count, saved in (*self.characters, *other.characters):
            counts[char] += count
            saves[char] += saved
        return Coverage(
            self.n_characters + other.n_characters,
            self.n_tokens + other.n_tokens,
            self.n_apart + other.n_apart,
            self.n_apart_tokens + other.n_apart_tokens,
            tuple(Apart(char, n, saves[char]) for char, n in sorted(counts.items(), key=_order)),
        )

    def saving(self, n: int) -> int:
        """How many tokens the `n` most frequent characters would save; see `Apart.saves`."""
        return sum(each.saves for each in self.characters[:n])


def _order(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def coverage(tokenizer: Tokenizer, texts: Iterable[str]) -> Coverage:
    """Find the characters of texts that fall apart. Exact: each text is encoded, special tokens as text.

    Raises:
        VocabularyError: unknown characters become one token, and do not fall apart.
        EncodeError: a text has no ids in this vocabulary.

    >>> from bpetok import get_encoding
    >>> coverage(get_encoding("gpt2"), ["caf\\u00e9 \\u1e9e"]).characters
    (Apart(character='ẞ', times=1, saves=2),)
    """
    vocabulary = tokenizer.vocabulary
    if vocabulary.unknown is not None and vocabulary.byte_tokens is None:
        raise VocabularyError(
            f"{tokenizer.name!r} has an unknown token and no byte fallback: no character falls apart, and "
            "which ones are unknown its ids do not tell"
        )
    parts = [vocabulary.token_bytes(token) or b"" for token in range(vocabulary.n_vocab)]
    lengths = np.array([len(part) for part in parts], np.int64)
    for_bytes = np.zeros(len(parts), bool)
    for_bytes[list(vocabulary.byte_tokens or ())] = True
    found = Coverage()
    for batch in batches(texts, _BATCH, len):
        ids, _ = tokenizer.encode_flat(batch, disallowed_special=())
        data = b"".join([parts[token] for token in ids.tolist()])
        found += _apart(data, lengths[ids], for_bytes[ids])
    return found


def _apart(data: bytes, lengths: npt.NDArray[np.int64], for_bytes: npt.NDArray[np.bool_]) -> Coverage:
    """The coverage of one stretch of tokens.

    Args:
        data: the bytes of all tokens: UTF-8.
        lengths: how many bytes each has, shape (n tokens,).
        for_bytes: whether it is a token for a byte, likewise.
    """
    characters = np.frombuffer(data.decode().encode("utf-32-le"), np.uint32)
    starts = np.frombuffer(data, np.uint8) & 0xC0 != 0x80
    character_of = np.cumsum(starts) - 1
    begins = np.cumsum(lengths) - lengths
    inside = ~starts[begins]  # whether a token begins inside of a character
    apart = inside | for_bytes
    apart_tokens = apart.copy()
    apart_tokens[:-1] |= inside[1:]
    places = np.unique(character_of[begins[apart]])
    codes, counts = np.unique(characters[places], return_counts=True)
    saves = np.zeros(len(codes), np.int64)
    np.add.at(saves, np.searchsorted(codes, characters[character_of[begins[inside]]]), 1)
    rows = [
        Apart(chr(code), n, k)
        for code, n, k in zip(codes.tolist(), counts.tolist(), saves.tolist(), strict=True)
    ]
    rows.sort(key=lambda row: _order(row[:2]))
    return Coverage(len(characters), len(lengths), len(places), int(apart_tokens.sum()), tuple(rows))


def add_characters(tokenizer: Tokenizer, characters: Iterable[str]) -> Tokenizer:
    """The tokenizer with tokens for more characters, from `n_vocab` on. No id moves.

    The new tokens take part in no merge, so what they save is what `Apart.saves` says. The provenance has a
    list `edits` that says what was done.

    Raises:
        VocabularyError: the vocabulary is byte-level, where a character takes merges of its bytes, for which
            there is `Tokenizer.extend`; or something is no single character, or a token already.
    """
    from bpetok import __version__

    vocabulary = tokenizer.vocabulary
    if vocabulary.alphabet != "characters":
        raise VocabularyError(
            f"{tokenizer.name!r} is byte-level, where characters are merged from bytes: use `extend`, "
            "which learns tokens from a corpus"
        )
    tokens = vocabulary.tokens()
    known = set(tokens.values())
    new: dict[int, bytes] = {}
    for char in characters:
        data = char.encode("utf-8", "surrogatepass")
        if len(char) != 1 or 0xD800 <= ord(char) < 0xE000 or data in known:
            raise VocabularyError(f"{char!r} is no single character, or is a token already")
        known.add(data)
        new[vocabulary.n_vocab + len(new)] = data
    scored = vocabulary.semantics == "scores"
    scores = vocabulary.scores() if scored else {}
    least = min(scores.values(), default=0.0)
    grown = Vocabulary.from_characters(
        tokens | new,
        merges=None if scored else vocabulary.merges(),
        scores=scores | {token: least - 1 - at for at, token in enumerate(new)} if scored else None,
        special_tokens=vocabulary.special_tokens,
        byte_tokens=vocabulary.byte_tokens,
        unknown=vocabulary.unknown,
        fuse_unknown=vocabulary.fuse_unknown or False,
        unused=vocabulary.unused,
        ignore_merges=vocabulary.ignore_merges,
    )
    note = {"what": "characters added", "by": f"bpetok {__version__}", "n": len(new)}
    return Tokenizer.from_vocabulary(
        tokenizer.name,
        tokenizer.pattern.source if tokenizer.splits is None else tokenizer.splits,
        grown,
        provenance={
            **tokenizer.provenance,
            "vocab_size": grown.n_vocab,
            "edits": [*tokenizer.provenance.get("edits", ()), note],
        },
        **tokenizer.extras(),
    )
