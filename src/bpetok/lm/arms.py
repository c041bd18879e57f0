"""Arms: the same words in the tokens of different tokenizers.

Every arm has the same plain characters, each a symbol of its own, in which arguments and answers are
written. A token of the arm that is one plain character *is* that symbol; any other that occurs in the
words is a symbol behind them. So all that differs between arms is how a word is cut.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bpetok.errors import BpetokError, EncodeError, TokenError, TrainingError
from bpetok.lm.cutting import bpe_dropout, stochastok

if TYPE_CHECKING:
    from bpetok.lm.tasks import Item
    from bpetok.lm.words import Split
    from bpetok.protocols import TokenizerLike

__all__ = ["BEGIN", "END", "PAD", "Arm", "Changes", "make_arm", "parse_arm"]

PAD, BEGIN, END, ASK = range(4)
_CONTROLS = 4
_ASCII = "".join(map(chr, range(32, 127)))


@dataclass(frozen=True)
class Changes:
    """What is done about the tokens of an arm.

    Attributes:
        dropout: the probability with which training passes over a merge (BPE-dropout).
        stochastok: how many tokens training splits in two, as a share of a word's.
        spelled: whether the characters of a word stand behind its tokens.
        taught: whether every second item of training has a word, any of all splits, spelled.
        like: the arm whose number of parameters, all told, the model has.
    """

    dropout: float = 0.0
    stochastok: float = 0.0
    spelled: bool = False
    taught: bool = False
    like: str | None = None

    def __post_init__(self) -> None:
        for name in ("dropout", "stochastok"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingError(f"{name} is {getattr(self, name)}: it is a share, from 0 to 1")


class Arm:
    """How words become symbols.

    Args:
        name: what it is called in results.
        tokenizer: what cuts the words.
        words: the words that are asked about, of all splits: their tokens are the arm's vocabulary.
        changes: what is done about its tokens.
        alphabet: plain characters beside those of ASCII; None for all that occur in the words.

    Raises:
        TrainingError: the tokenizer cannot encode one of the words, or changes it.
    """

    def __init__(
        self,
        name: str,
        tokenizer: TokenizerLike,
        words: Iterable[str],
        changes: Changes = Changes(),
        alphabet: str | None = None,
    ) -> None:
        self.name = name
        self.changes = changes
        self._tokenizer = tokenizer
        self.like: int | None = None
        words = sorted(set(words))
        if alphabet is None:
            alphabet = "".join(sorted(set().union(*words) - set(_ASCII)))
        self._plain = _ASCII + alphabet
        self._symbols = {char: _CONTROLS + at for at, char in enumerate(self._plain)}
        rows: dict[bytes, int] = {char.encode(): symbol for char, symbol in self._symbols.items()}
        cuts = {word: _cut(name, tokenizer, word) for word in words}
        self._ids = {
            word: tuple(rows.setdefault(piece, _CONTROLS + len(rows)) for piece in pieces)
            for word, pieces in cuts.items()
        }
        if changes.dropout or changes.stochastok:
            self._ranks = _vocabulary(tokenizer, words)
            for piece in self._ranks:
                rows.setdefault(piece, _CONTROLS + len(rows))
        if changes.dropout:
            calm = np.random.default_rng(0)
            for word, pieces in cuts.items():
                if bpe_dropout(word.encode(), self._ranks, 0.0, calm) != pieces:
                    raise TrainingError(
                        f"the arm {name!r} cannot drop merges: its tokenizer cuts {word!r} otherwise than "
                        "by merges in the order of its ids; use bpe:N, or +stochastok"
                    )
        self.n_symbols = _CONTROLS + len(rows)
        self._rows = rows
        self._texts = {row: piece for piece, row in rows.items()}

    def word(self, word: str) -> tuple[int, ...]:
        """The symbols of a word, or of a text.

        Raises:
            EncodeError: it is none of the arm's words, and has a token that none of them has.
            TrainingError: the tokenizer cannot encode it.
        """
        known = self._ids.get(word)
        if known is not None:
            return known
        pieces = _cut(self.name, self._tokenizer, word)
        for piece in pieces:
            if piece not in self._rows:
                raise EncodeError(
                    f"the arm {self.name!r} never had the token '{_shown(piece)}' of {word!r}: it has those "
                    "of the words that it was made with, so ask about another word"
                )
        return tuple(self._rows[piece] for piece in pieces)

    def pieces(self, word: str) -> list[bytes]:
        """The bytes of a word's tokens."""
        return self.bytes_of(self.word(word))

    def bytes_of(self, symbols: Iterable[int]) -> list[bytes]:
        """The bytes of each symbol that stands for some: not of those that begin, ask and end."""
        return [self._texts[symbol] for symbol in symbols if symbol in self._texts]

    def seen(self, split: Split) -> set[int]:
        """The symbols of words that training shows, or with cuts that are drawn may show. Whoever is taught
        to spell sees the words of all splits."""
        parts = (split.train, split.validation, split.test) if self.changes.taught else (split.train,)
        words = [entry.word for part in parts for entry in part]
        shown = {symbol for word in words for symbol in self._ids[word]}
        if self.changes.dropout or self.changes.stochastok:
            data = _joined(words)
            shown |= {self._rows[piece] for piece in self._ranks if piece in data}
        return shown

    def prompt(self, item: Item, rng: np.random.Generator | None = None) -> list[int]:
        """The symbols of a question, up to where its answer begins.

        Args:
            item: the question.
            rng: what draws the cuts of an arm that has them drawn: given in training, not in a test.
        """
        symbols = [BEGIN]
        for text, is_word in item.prompt:
            if not is_word:
                symbols += self._spelled(text)
                continue
            symbols += self.word(text) if rng is None else self._drawn(text, rng)
            if self.changes.spelled:
                symbols += self._spelled(text)
        return [*symbols, ASK]

    def _spelled(self, text: str) -> list[int]:
        for char in text:
            if char not in self._symbols:
                raise EncodeError(
                    f"the arm {self.name!r} has no character {char!r}: it has those of ASCII and of the "
                    "words that it was made with"
                )
        return [self._symbols[char] for char in text]

    def _drawn(self, word: str, rng: np.random.Generator) -> Sequence[int]:
        changes = self.changes
        if not (changes.dropout or changes.stochastok):
            return self._ids[word]
        pieces = self.pieces(word)
        if changes.dropout:
            pieces = bpe_dropout(word.encode(), self._ranks, changes.dropout, rng)
        if changes.stochastok:
            pieces = stochastok(pieces, self._ranks, changes.stochastok, rng)
        return [self._rows[piece] for piece in pieces]

    def answer(self, item: Item) -> list[int]:
        """The symbols of its answer: plain characters and the one that ends it, or those of a text."""
        if item.is_text:
            return list(self.word(item.answer))
        return [*self._spelled(item.answer), END]

    def spell(self, symbols: Sequence[int]) -> str:
        """What symbols stand for; one that is no plain character shows as U+FFFD."""
        plain = self._plain
        return "".join(plain[at - _CONTROLS] if 0 <= at - _CONTROLS < len(plain) else "�" for at in symbols)


def _cut(name: str, tokenizer: TokenizerLike, word: str) -> list[bytes]:
    try:
        pieces = [tokenizer.decode_single_token_bytes(token) for token in tokenizer.encode_ordinary(word)]
    except BpetokError as error:
        raise TrainingError(
            f"the arm {name!r} cannot encode {word!r} ({error}): use a tokenizer that has every letter of "
            "the words, or other words"
        ) from error
    if b"".join(pieces) != word.encode():
        raise TrainingError(
            f"the arm {name!r} gives {b''.join(pieces)!r} back for the word {word!r}: "
            "its tokenizer changes texts, so it cannot be compared with the others"
        )
    return pieces


def _joined(words: Sequence[str]) -> bytes:
    return b"\xff".join(map(str.encode, words))  # a byte that is in no UTF-8


def _shown(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace")


def _vocabulary(tokenizer: TokenizerLike, words: Sequence[str]) -> dict[bytes, int]:
    """The tokens that occur anywhere in the words, with their ids."""
    data = _joined(words)
    found = {}
    for token in range(tokenizer.n_vocab):
        try:
            piece = tokenizer.decode_single_token_bytes(token)
        except TokenError:  # a gap between ids
            continue
        if piece != b"\xff" and piece in data:
            found[piece] = token
    return found


class _Rule:
    """A tokenizer that cuts by a rule. Its vocabulary is what that makes of some words, in order.

    Args:
        cut: from a text to its pieces.
        words: which it can encode, and no others.
    """

    def __init__(self, cut: Callable[[str], Iterable[bytes]], words: Iterable[str]) -> None:
        self._cut = cut
        self._pieces = sorted({piece for word in words for piece in cut(word)})
        self._ids = {piece: at for at, piece in enumerate(self._pieces)}
        self.n_vocab = len(self._pieces)

    def encode_ordinary(self, text: str) -> list[int]:
        pieces = list(self._cut(text))
        for piece in pieces:
            if piece not in self._ids:
                raise EncodeError(f"none of its words has {_shown(piece)!r}")
        return [self._ids[piece] for piece in pieces]

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        return b"".join(map(self.decode_single_token_bytes, tokens))

    def decode_single_token_bytes(self, token: int) -> bytes:
        return self._pieces[token]


def _bytes(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]


def _characters(text: str) -> list[bytes]:
    return [char.encode() for char in text]


def _groups(text: str, from_end: bool) -> list[bytes]:
    """Runs of ASCII digits in groups of up to three, and every other character alone."""
    pieces: list[bytes] = []
    for run in re.findall(r"[0-9]+|[^0-9]", text):
        first = len(run) % 3 if from_end else 0
        cuts = sorted({0, len(run), *range(first, len(run), 3)})
        pieces += [run[i:j].encode() for i, j in itertools.pairwise(cuts)]
    return pieces


_RULES: Mapping[str, Callable[[str], list[bytes]]] = {
    "bytes": _bytes,
    "characters": _characters,
    "groups": partial(_groups, from_end=False),
    "groups-from-end": partial(_groups, from_end=True),
}


def parse_arm(spec: str) -> tuple[str, Changes]:
    """The tokenizer that the name of an arm begins with, and what is done about its tokens.

    >>> parse_arm("bpe:1024+dropout:0.1")
    ('bpe:1024', Changes(dropout=0.1, stochastok=0.0, spelled=False, taught=False, like=None))

    Raises:
        TrainingError: there is no such change.
    """
    if Path(spec).exists():
        return spec, Changes()
    base, *parts = spec.split("+")
    given: dict[str, float | bool | str] = {}
    for part in parts:
        name, _, value = part.partition(":")
        if name in ("dropout", "stochastok"):
            try:
                given[name] = float(value or "0.1")
            except ValueError:
                raise TrainingError(f"the arm {spec!r} has {part!r}: write a share, {name}:0.1") from None
        elif name in ("spelled", "taught") and not value:
            given[name] = True
        elif name == "like" and value:
            given[name] = value
        else:
            raise TrainingError(
                f"the arm {spec!r} has {part!r}: use +dropout:P, +stochastok:P, +spelled, "
                "+taught or +like:ARM"
            )
    return base, Changes(**given)  # type: ignore[arg-type]


def make_arm(
    spec: str,
    words: Sequence[str],
    *,
    learned_from: Sequence[str] | None = None,
    pattern: str = r"[^\n]+",
    alphabet: str | None = None,
) -> Arm:
    """The arm that a name stands for.

    Args:
        spec: "bytes"; "characters"; "bpe:N" for N tokens learned from the words (their letters, and
            merges); "fallback:N" for the same of characters, with bytes for the rarest; "groups" and
            "groups-from-end" for digits in threes; the name of an encoding, or the path of a tokenizer's
            file. Behind it may stand changes, see `parse_arm`.
        words: every word that will be asked about.
        learned_from: what the vocabularies of "bpe:N" and "fallback:N" are learned from; None for all the
            words, as a tokenizer's usually is: a model may then meet tokens in the test that it was never
            trained on.
        pattern: how texts are split where a vocabulary is learned.
        alphabet: see `Arm`.

    Raises:
        TrainingError: there is no such arm, or it cannot be made from these words.
    """
    import bpetok

    base, changes = parse_arm(spec)
    tokenizer: TokenizerLike
    if base in _RULES:
        tokenizer = _Rule(_RULES[base], [*words, *_ASCII])  # plain characters can always be asked about
    elif base.startswith(("bpe:", "fallback:")):
        tokenizer = _learned(base, words if learned_from is None else learned_from, pattern)
    elif Path(base).exists():
        tokenizer = bpetok.Tokenizer.load(base)
    elif base in bpetok.list_encoding_names():
        tokenizer = bpetok.get_encoding(base)
    else:
        raise TrainingError(
            f"there is no arm {base!r}: use {', '.join(_RULES)}, bpe:N, fallback:N, "
            f"the name of an encoding ({', '.join(bpetok.list_encoding_names())}), or the path of a tokenizer"
        )
    arm = Arm(spec if not Path(spec).exists() else Path(spec).stem, tokenizer, words, changes, alphabet)
    if changes.like is not None:
        arm.like = make_arm(
            changes.like, words, learned_from=learned_from, pattern=pattern, alphabet=alphabet
        ).n_symbols
    return arm


def _learned(spec: str, words: Sequence[str], pattern: str) -> TokenizerLike:
    import bpetok

    kind, _, size = spec.partition(":")
    letters = len({byte for word in words for byte in word.encode()})
    if not size.isdecimal() or int(size) < letters:
        raise TrainingError(f"the arm {spec!r} needs a number of at least {letters}, the number of letters")
    if kind == "bpe":
        # The vocabulary has all bytes; those that occur in no word are not counted.
        return bpetok.train(
            sorted(set(words)), vocab_size=256 + int(size) - letters, pattern=pattern, special_tokens=[]
        )
    return bpetok.train(
        sorted(set(words)),
        vocab_size=256 + int(size),
        pattern=pattern,
        byte_fallback=True,
        dummy_prefix=False,
        character_coverage=0.99,
    )
