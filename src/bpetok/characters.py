"""Training of vocabularies that begin with characters and fall back to bytes.

`train(..., byte_fallback=True)` is the public face, and `docs/training.md` states the rules.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from bpetok.added_tokens import AddedToken
from bpetok.alphabet import Characters
from bpetok.counting import CountTable
from bpetok.decoding import SentencePiece
from bpetok.training import Layout, Learned, Merges, Settings, TieBreak
from bpetok.treatment import Treatment
from bpetok.vocabulary import Vocabulary

__all__ = ["CharacterSettings"]

MARKS = ("<unk>", "<s>", "</s>")  # ids 0, 1 and 2


@dataclass(frozen=True)
class CharacterSettings(Settings):
    """What to make of a corpus, when tokens are made of characters.

    Ids are laid out as by SentencePiece: `<unk>`, `<s>`, `</s>`, the other special tokens and the symbols
    of the user, the bytes, what merges make, in their order, and the alphabet, the most frequent
    character first.

    Attributes:
        special_tokens: all of these texts.
        max_token_length: the most characters of a token.
        characters: how characters are chosen and kept apart.
        alphabet: those that were chosen, in the order of their ids; `for_counts` fills them in.
    """

    unit: ClassVar[Literal["bytes", "characters"]] = "characters"

    characters: Characters = field(default_factory=Characters)
    alphabet: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        vocab_size: int,
        special_tokens: tuple[str, ...],
        tie_break: TieBreak,
        min_frequency: int,
        characters: Characters,
    ) -> "CharacterSettings":
        """Settings as `train` is given them."""
        characters.check()
        found = (*MARKS, *special_tokens, *characters.user_defined_symbols)
        return cls(vocab_size, found, tie_break, min_frequency, characters.max_piece_length, characters)

    def for_counts(self, counts: CountTable) -> "CharacterSettings":
        """The settings with an alphabet.

        Raises:
            TrainingError: `vocab_size` has no room for it.
        """
        alphabet = self.characters.choose(counts.table.characters())
        settings = dataclasses.replace(self, alphabet=tuple(alphabet))
        settings.check()
        return settings

    def reserved(self) -> dict[bytes, int]:
        """None: the ids of special tokens are never those of others."""
        return {}

    def taken(self) -> list[bytes]:
        """The special tokens: a format has one id for a text."""
        return [text.encode() for text in self.special_tokens]

    def layout(self) -> Layout:
        """While learning, characters come first, by their code points."""
        kinds = self.characters.kinds(self.alphabet)
        alphabet = {char: (at, kinds[char]) for at, char in enumerate(sorted(kinds))}
        return Layout([], {}, len(alphabet), alphabet)

    def collect(self, merges: Merges, made: Iterable[bytes], ended_early: str | None) -> Learned:
        """Merges with the tokens they make and the alphabet, by their final ids. The bytes are left out."""
        first = len(self.special_tokens) + 256
        ids = np.frombuffer(merges.ids, np.uint32)
        final = np.empty(len(self.alphabet) + len(ids), np.uint32)  # by the id while learning
        final[ids] = first + np.arange(len(ids))
        final[: len(self.alphabet)] = first + len(ids) + np.argsort(self.alphabet)
        tokens = dict(zip(final[ids].tolist(), made, strict=True))
        tokens |= {token: char.encode() for token, char in enumerate(self.alphabet, first + len(ids))}
        specials = {text: token for token, text in enumerate(self.special_tokens)}
        pairs = final[np.frombuffer(merges.pairs, np.uint32)]
        renamed = Merges(pairs.tobytes(), final[ids].tobytes(), merges.counts)
        return Learned(renamed, tokens, specials, ended_early)

    def vocabulary(self, learned: Learned) -> Vocabulary:
        """The vocabulary of what was learned."""
        n = len(self.special_tokens)
        return Vocabulary.from_characters(
            learned.tokens,
            merges=learned.merges.pair_list(),
            special_tokens=learned.special_tokens,
            byte_tokens=range(n, n + 256),
            unknown=0,
        )

    def around(self, treatment: Treatment) -> dict[str, Any]:
        """The normalizer, the symbols of the user, and a decoder that takes the dummy prefix off."""
        ids = {text: token for token, text in enumerate(self.special_tokens)}
        symbols = [AddedToken(text, ids[text], special=False) for text in treatment.symbols]
        return {
            "normalizer": treatment.normalizer,
            "added_tokens": symbols,
            "decoder": SentencePiece(prefix=treatment.prefix),
        }

    def least_vocab_size(self) -> int:
        """The number of ids that are given without a merge."""
        return len(self.special_tokens) + 256 + len(self.alphabet)

    def least_in_words(self) -> str:
        """What these ids are for."""
        return (
            f"{len(self.special_tokens)} special tokens, 256 bytes and {len(self.alphabet)} characters, of "
            "which a lower character_coverage takes fewer"
        )

    def why_early(self, passed_over: bool) -> str:
        """In words, why no further merge was made."""
        return super().why_early(False) + (" and may be one token" if passed_over else "")
