"""Arms: the same words in the tokens of different tokenizers.

Every arm has the same plain characters, each a symbol of its own, in which arguments and answers are
written. A token of the arm that is one plain character *is* that symbol; any other that occurs in the
words is a symbol behind them. So all that differs between arms is how a word is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bpetok.errors import TrainingError

if TYPE_CHECKING:
    from bpetok.lm.tasks import Item
    from bpetok.protocols import TokenizerLike

__all__ = ["BEGIN", "END", "PAD", "Arm", "make_arm"]

PAD, BEGIN, END, ASK = range(4)
_CONTROLS = 4
_PLAIN = "".join(map(chr, range(32, 127)))
_SYMBOL = {char: _CONTROLS + at for at, char in enumerate(_PLAIN)}


class Arm:
    """How words become symbols.

    Args:
        name: what it is called in results.
        tokenizer: what cuts the words.
        words: every word that will ever be asked about, of all splits.

    Raises:
        TrainingError: the tokenizer cannot encode one of the words, or changes it.
    """

    def __init__(self, name: str, tokenizer: TokenizerLike, words: Iterable[str]) -> None:
        self.name = name
        self._ids: dict[str, tuple[int, ...]] = {}
        rows: dict[bytes, int] = {char.encode(): symbol for char, symbol in _SYMBOL.items()}
        for word in sorted(set(words)):
            pieces = [tokenizer.decode_single_token_bytes(token) for token in tokenizer.encode_ordinary(word)]
            if b"".join(pieces) != word.encode():
                raise TrainingError(
                    f"the arm {name!r} gives {b''.join(pieces)!r} back for the word {word!r}: "
                    "its tokenizer changes texts, so it cannot be compared with the others"
                )
            self._ids[word] = tuple(rows.setdefault(piece, _CONTROLS + len(rows)) for piece in pieces)
        self.n_symbols = _CONTROLS + len(rows)
        self._texts = {row: piece for piece, row in rows.items()}

    def word(self, word: str) -> tuple[int, ...]:
        """The symbols of a word."""
        return self._ids[word]

    def pieces(self, word: str) -> list[bytes]:
        """The bytes of a word's tokens."""
        return [self._texts[symbol] for symbol in self._ids[word]]

    def prompt(self, item: Item) -> list[int]:
        """The symbols of a question, up to where its answer begins."""
        symbols = [BEGIN]
        for text, is_word in item.prompt:
            symbols += self._ids[text] if is_word else [_SYMBOL[char] for char in text]
        return [*symbols, ASK]

    def answer(self, item: Item) -> list[int]:
        """The symbols of its answer, and the one that ends it."""
        return [*(_SYMBOL[char] for char in item.answer), END]

    def spell(self, symbols: Sequence[int]) -> str:
        """What symbols stand for; one that is no plain character shows as U+FFFD."""
        return "".join(_PLAIN[at - _CONTROLS] if 0 <= at - _CONTROLS < len(_PLAIN) else "�" for at in symbols)


class _Bytes:
    """Every byte a token."""

    n_vocab = 256

    def encode_ordinary(self, text: str) -> list[int]:
        return list(text.encode())

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        return bytes(tokens)

    def decode_single_token_bytes(self, token: int) -> bytes:
        return bytes([token])


class _Characters:
    """Every character a token."""

    n_vocab = 0x110000

    def encode_ordinary(self, text: str) -> list[int]:
        return list(map(ord, text))

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        return "".join(map(chr, tokens)).encode()

    def decode_single_token_bytes(self, token: int) -> bytes:
        return chr(token).encode()


def make_arm(spec: str, words: Sequence[str]) -> Arm:
    """The arm that a name stands for.

    Args:
        spec: "bytes", "characters", "bpe:N" for N tokens learned from the words (their letters, and
            merges), the name
            of an encoding, or the path of a tokenizer's file.
        words: every word that will be asked about. The vocabulary of "bpe:N" is learned from all of them,
            as a
            tokenizer's usually is: a model may meet tokens in the test that it was never trained on.

    Raises:
        TrainingError: there is no such arm, or it cannot be made from these words.
    """
    import bpetok

    tokenizer: TokenizerLike
    if spec == "bytes":
        tokenizer = _Bytes()
    elif spec == "characters":
        tokenizer = _Characters()
    elif spec.startswith("bpe:"):
        tokenizer = _learned(spec, words)
    elif Path(spec).exists():
        tokenizer = bpetok.Tokenizer.load(spec)
    elif spec in bpetok.list_encoding_names():
        tokenizer = bpetok.get_encoding(spec)
    else:
        raise TrainingError(
            f"there is no arm {spec!r}: use bytes, characters, bpe:N, the name of an encoding "
            f"({', '.join(bpetok.list_encoding_names())}), or the path of a tokenizer"
        )
    return Arm(spec if not Path(spec).exists() else Path(spec).stem, tokenizer, words)


def _learned(spec: str, words: Sequence[str]) -> TokenizerLike:
    import bpetok

    size = spec.removeprefix("bpe:")
    letters = len({byte for word in words for byte in word.encode()})
    if not size.isdecimal() or int(size) < letters:
        raise TrainingError(f"the arm {spec!r} needs a number of at least {letters}, the number of letters")
    # The vocabulary has all bytes; those that occur in no word are not counted.
    return bpetok.train(
        sorted(set(words)),
        vocab_size=256 + int(size) - letters,
        pattern=r"[^\n]+",
        special_tokens=[],
    )
