"""Training of vocabularies that begin with characters and fall back to bytes.

`train(..., byte_fallback=True)` is the public face, and `docs/training.md` states the rules.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from bpetok.alphabet import Characters
from bpetok.counting import CountTable, ProgressCallback
from bpetok.training import Layout, Learned, Settings, advance, make_learner, merges_of

__all__ = ["CharacterSettings", "learn_characters"]


@dataclass(frozen=True)
class CharacterSettings(Settings):
    """What to make of a corpus, when tokens are made of characters.

    Attributes:
        max_token_length: the most characters of a token.
        characters: how characters are chosen and kept apart.
        alphabet: those that were chosen, in the order of their ids; filled in by `learn_characters`.
    """

    characters: Characters = field(default_factory=Characters)
    alphabet: tuple[str, ...] = ()

    def check(self) -> None:
        super().check()
        self.characters.check()

    def reserved(self) -> dict[bytes, int]:
        return {}

    def taken(self) -> list[bytes]:
        return [text.encode() for text in self.special_tokens]

    def layout(self) -> Layout:
        """While learning, characters come first, by their code points."""
        kinds = self.characters.kinds(self.alphabet)
        alphabet = {char: (at, kinds[char]) for at, char in enumerate(sorted(kinds))}
        return Layout([], {}, len(alphabet), alphabet)

    def least_vocab_size(self) -> int:
        return len(self.special_tokens) + 256 + len(self.alphabet)

    def least_in_words(self) -> str:
        return (
            f"{len(self.special_tokens)} special tokens, 256 bytes and {len(self.alphabet)} characters, of "
            "which a lower character_coverage takes fewer"
        )

    def why_early(self, passed_over: bool) -> str:
        return super().why_early(False) + (" and may be one token" if passed_over else "")


def learn_characters(
    counts: CountTable,
    settings: CharacterSettings,
    order: list[bytes] | None = None,
    progress: ProgressCallback | None = None,
) -> Learned:
    """Choose an alphabet and learn merges of its characters.

    The ids are laid out as by SentencePiece: special tokens, bytes, what merges make, in their order, and the
    alphabet, the most frequent character first. The bytes are not among the tokens that come back.

    Args:
        counts: the pieces.
        settings: checked.
        order: see `training.make_learner`.
        progress: see `training.learn`.

    Raises:
        TrainingError: `vocab_size` has no room for the alphabet, or the counts are too large together.
        CorpusError: there are no counts.
    """
    alphabet = settings.characters.choose(counts.table.characters())
    settings = dataclasses.replace(settings, alphabet=tuple(alphabet))
    settings.check()
    learner = make_learner(counts, settings, order=order)
    del counts
    advance(learner, progress)
    pairs, ids, pair_counts = merges_of(learner)
    first = len(settings.special_tokens) + 256
    final = np.empty(len(alphabet) + len(ids), np.uint32)  # by the id while learning
    final[ids] = first + np.arange(len(ids))
    final[: len(alphabet)] = first + len(ids) + np.argsort(alphabet)
    tokens = dict(zip(final[ids].tolist(), learner.tokens_made(), strict=True))
    tokens |= {token: char.encode() for token, char in enumerate(alphabet, first + len(ids))}
    return Learned(
        final[pairs],
        final[ids],
        pair_counts,
        tokens,
        {text: token for token, text in enumerate(settings.special_tokens)},
        settings.why_early(learner.passed_over) if learner.new_tokens else None,
    )
