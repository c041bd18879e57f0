"""Counts to a tokenizer: learn which pairs of tokens to merge, and lay out the ids.

`learn` is the core: counted pieces in, merges out. `train` and `train_from_counts` put counting before it
and a `Tokenizer` behind it. `docs/training.md` states every rule; `bpetok.reference.train` is the plain
specification of the merges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from bpetok._learn import MergeLearner
from bpetok.bytelevel import BYTE_OF, spell, unspell
from bpetok.counting import CountTable, Progress, ProgressCallback, Sources, count, count_in_order
from bpetok.errors import CorpusError, TrainingError
from bpetok.tokenizer import Tokenizer
from bpetok.vocabulary import Vocabulary

__all__ = ["Learned", "learn", "train", "train_from_counts"]

TieBreak = Literal["bytes", "huggingface", "rustbpe", "minbpe"]

MAX_VOCAB_SIZE = (1 << 24) - 256  # what `Vocabulary` takes
STEP = 256  # merges between two looks at the signals and the progress callback


@dataclass(frozen=True)
class Learned:
    """What a training run has learned, with final ids.

    Attributes:
        pairs: uint32, shape (n, 2): the merges in order.
        ids: uint32, shape (n,): the token that each makes.
        counts: int64, shape (n,): how often each pair stood in the corpus when it was merged.
        tokens: id to bytes of every token, single bytes included, without the special ones.
        special_tokens: text to id.
        ended_early: why there are fewer tokens than asked for, or None.
    """

    pairs: npt.NDArray[np.uint32]
    ids: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.int64]
    tokens: dict[int, bytes]
    special_tokens: dict[str, int]
    ended_early: str | None


def train(
    sources: Sources,
    *,
    vocab_size: int,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = (),
    tie_break: TieBreak = "bytes",
    min_frequency: int = 2,
    max_token_length: int | None = None,
    num_threads: int | None = None,
    progress: ProgressCallback | None = None,
    name: str | None = None,
) -> Tokenizer:
    """Train a byte-level BPE tokenizer on a corpus.

    The result depends on the texts and the settings alone: not on the number of threads, nor on the order
    of the texts.

    Args:
        sources: where the texts are. A str or a path on its own names a file (see `bpetok.corpus.read` for
            the formats; "-" is standard input). In an iterable, str and bytes are texts, a `pathlib.Path`
            names a file, and a `Document` is taken as it is.
        vocab_size: how many tokens to make, the 256 single bytes and the special tokens included.
        pattern: the split pattern: a name or a regular expression.
        special_tokens: texts that get an id of their own and take part in no merge.
        tie_break: which of equally frequent pairs is merged first, and how ids are laid out. "bytes": the
            pair that comes first by (left bytes, right bytes); a byte's id is its value, then come the
            merges, then the special tokens. "huggingface": merges and ids of `tokenizers`' `BpeTrainer`.
            "rustbpe": merges and ids of `rustbpe`: as "bytes", but the pair that comes first by (left id,
            right id). "minbpe": as "bytes", but the pair that comes first in the texts, the merges made so
            far applied. This one depends on the order of the texts, and counts in one thread.
        min_frequency: the least number of times a pair must occur to be merged.
        max_token_length: the most bytes a token may have; None for any number.
        num_threads: how many threads count; None for as many as there are processors.
        progress: called now and then from the calling thread.
        name: what to call the tokenizer.

    Returns:
        A tokenizer. When the corpus yields fewer tokens than asked for, `provenance["ended_early"]` says
        why; the vocabulary is never padded.

    Raises:
        TrainingError: the settings contradict each other.
        CorpusError: the corpus cannot be read or holds no text.
        PatternError: the pattern does not compile, or matches the empty string.

    >>> tokenizer = train(["low lower lowest slow slower"], vocab_size=260, pattern="gpt2")
    >>> [tokenizer.vocabulary.token_bytes(token) for token in range(256, 260)]
    [b'lo', b'low', b'lowe', b' lowe']
    """
    settings = Settings(vocab_size, tuple(_texts(special_tokens)), tie_break, min_frequency, max_token_length)
    settings.check()
    # No name for the counts here, so that `_train` can let them go.
    if tie_break == "minbpe":
        return _train(*count_in_order(sources, pattern=pattern, progress=progress), settings, progress, name)
    return _train(
        count(sources, pattern=pattern, num_threads=num_threads, progress=progress),
        None,
        settings,
        progress,
        name,
    )


def train_from_counts(
    counts: CountTable,
    *,
    vocab_size: int,
    special_tokens: Iterable[str] = (),
    tie_break: TieBreak = "bytes",
    min_frequency: int = 2,
    max_token_length: int | None = None,
    order: list[bytes] | None = None,
    progress: ProgressCallback | None = None,
    name: str | None = None,
) -> Tokenizer:
    """Train from pieces that have been counted already; equals `train` on the texts they came from.

    Args:
        counts: the pieces, with the pattern that made them.
        vocab_size: as in `train`, and so are the others.
        special_tokens: see `train`.
        tie_break: see `train`.
        min_frequency: see `train`.
        max_token_length: see `train`.
        order: for `tie_break="minbpe"`, which needs it: all pieces, in the order in which the texts first
            have them (see `bpetok.counting.count_in_order`).
        progress: see `train`.
        name: see `train`.

    Raises:
        TrainingError: the settings contradict each other, or the counts are too large together.
        CorpusError: there are no counts.
    """
    settings = Settings(vocab_size, tuple(_texts(special_tokens)), tie_break, min_frequency, max_token_length)
    settings.check()
    return _train(counts, order, settings, progress, name)


def learn(counts: CountTable, settings: "Settings", progress: ProgressCallback | None = None) -> Learned:
    """Learn merges.

    Args:
        counts: the pieces.
        settings: what to make of them; checked.
        progress: called every 256 merges.

    Raises:
        TrainingError: the counts are too large together, a special token gets in the way of a learned one
            (see `Settings.reserved`), or ties go by the order of the texts.
        CorpusError: there are no counts.
    """
    return _learned(_learner(counts, None, settings), settings, progress)


def _learner(counts: CountTable, order: list[bytes] | None, settings: "Settings") -> MergeLearner:
    """A learner that has taken in the counts, and does not need them any more."""
    if not counts:
        raise CorpusError(
            "the corpus holds no text that the split pattern matches: there is nothing to learn"
        )
    if (settings.tie_break == "minbpe") != (order is not None):
        raise TrainingError(
            'tie_break="minbpe", and no other, goes by the order of the texts, which counts do not have: '
            "train from the texts, or give `order`"
        )
    if order is not None and not len(order) == len(counts) == len(counts.keys() & order):
        raise TrainingError("order must hold each piece of the counts once")
    byte_ids, next_id = settings.byte_ids()
    return MergeLearner(
        counts.table,
        byte_ids=byte_ids,
        next_id=next_id,
        new_tokens=settings.vocab_size - settings.least_vocab_size(),
        reserved={data: token for data, token in settings.reserved().items() if len(data) > 1},
        ties_by_bytes=settings.tie_break == "bytes",
        min_frequency=settings.min_frequency,
        max_token_length=settings.max_token_length or 0,
        order=order,
    )


def _learned(learner: MergeLearner, settings: "Settings", progress: ProgressCallback | None) -> Learned:
    byte_ids, next_id = settings.byte_ids()
    specials = {text: at for at, text in enumerate(settings.special_tokens)}
    total = learner.new_tokens
    more = True
    while more:
        more = learner.learn(STEP)
        if progress is not None:
            progress(Progress("learn", total - learner.new_tokens, total, "merges", "learning merges"))

    pairs, ids, pair_counts = (
        np.frombuffer(data, kind)
        for data, kind in zip(learner.results(), (np.uint32, np.uint32, np.uint64), strict=True)
    )
    tokens = {token: bytes([byte]) for byte, token in enumerate(byte_ids)}
    tokens.update(zip(ids.tolist(), learner.tokens_made(), strict=True))
    if settings.tie_break != "huggingface":
        specials = {text: at for at, text in enumerate(settings.special_tokens, next_id + len(ids))}
    for text, token in specials.items():
        if token in tokens and tokens[token] != text.encode():
            raise _spelling_error(text, tokens[token])
    return Learned(
        pairs.reshape(-1, 2),
        ids,
        pair_counts.astype(np.int64),
        tokens,
        specials,
        settings.why_early(learner.passed_over) if learner.new_tokens else None,
    )


@dataclass(frozen=True)
class Settings:
    """What to make of a corpus. The attributes are those of `train`."""

    vocab_size: int
    special_tokens: tuple[str, ...] = ()
    tie_break: TieBreak = "bytes"
    min_frequency: int = 2
    max_token_length: int | None = None

    def check(self) -> None:
        """See that the settings can be met.

        Raises:
            TrainingError: they cannot.
        """
        if self.tie_break not in get_args(TieBreak):
            known = ", ".join(f'"{name}"' for name in get_args(TieBreak))
            raise TrainingError(f"tie_break is {self.tie_break!r}: it must be one of {known}")
        seen = set()
        for text in self.special_tokens:
            if not isinstance(text, str) or not text:
                raise TrainingError(f"a special token must be a non-empty str, got {text!r}")
            if any(0xD800 <= ord(char) < 0xE000 for char in text):
                raise TrainingError(f"special token {text!r} holds a lone surrogate, which no text can hold")
            if text in seen:
                raise TrainingError(f"special token {text!r} is given twice: give each once")
            seen.add(text)
        if self.tie_break == "huggingface":
            for data in self.reserved():
                if len(data) == 1 and (text := spell(data)) != data.decode("latin-1"):
                    raise _spelling_error(text, data)
        least = self.least_vocab_size()
        if not least <= self.vocab_size <= MAX_VOCAB_SIZE:
            raise TrainingError(
                f"vocab_size is {self.vocab_size}: it must be from {least} (256 single bytes and the special "
                f"tokens) to {MAX_VOCAB_SIZE}"
            )
        if self.min_frequency < 0:
            raise TrainingError(f"min_frequency is {self.min_frequency}: it must not be negative")
        if self.max_token_length is not None and self.max_token_length < 1:
            raise TrainingError(
                f"max_token_length is {self.max_token_length}: it must be at least 1, or None for no limit"
            )

    def reserved(self) -> dict[bytes, int]:
        """Tokens that have the id of a special token, in the order "huggingface".

        There a token is known by its byte-level spelling, so a special token whose text is that spelling
        is the same token. Its text and its bytes agree if it is plain ASCII without a space; otherwise the
        two must not meet.
        """
        if self.tie_break != "huggingface":
            return {}
        return {
            data: token
            for token, text in enumerate(self.special_tokens)
            if (data := unspell(text)) is not None
        }

    def byte_ids(self) -> tuple[list[int], int]:
        """The ids of the 256 bytes, and the first id for a merge."""
        if self.tie_break != "huggingface":
            return list(range(256)), 256
        specials = {text: at for at, text in enumerate(self.special_tokens)}
        ids = _alphabet_ids(specials)
        return ids, max(*ids, len(specials) - 1) + 1

    def least_vocab_size(self) -> int:
        """The number of ids that are given without a merge."""
        return 256 + len(self.special_tokens) - sum(len(data) == 1 for data in self.reserved())

    def why_early(self, passed_over: bool) -> str:
        """In words, why no further merge was made."""
        times = max(self.min_frequency, 1)
        reason = f"no pair is left that occurs at least {times} time{'s' if times > 1 else ''}"
        if passed_over:
            reason += f" and makes a token of at most {self.max_token_length} bytes"
        return reason


def _train(
    counts: CountTable,
    order: list[bytes] | None,
    settings: Settings,
    progress: ProgressCallback | None,
    name: str | None,
) -> Tokenizer:
    from bpetok import __version__

    pattern = counts.pattern
    corpus = {
        "n_texts": counts.n_texts,
        "n_bytes": counts.n_bytes,
        "n_pieces": counts.n_pieces,
        "n_distinct_pieces": len(counts),
    }
    learner = _learner(counts, order, settings)
    del counts, order  # as large as what learning needs
    learned = _learned(learner, settings, progress)
    del learner
    vocabulary = Vocabulary.from_merges(
        learned.tokens, learned.pairs, learned.special_tokens, merge_counts=learned.counts
    )
    provenance: dict[str, Any] = {
        "trained_by": f"bpetok {__version__}",
        "pattern": pattern,
        "tie_break": settings.tie_break,
        "vocab_size_requested": settings.vocab_size,
        "vocab_size": vocabulary.n_vocab,
        "n_merges": len(learned.ids),
        "min_frequency": settings.min_frequency,
        "max_token_length": settings.max_token_length,
        "corpus": corpus,
        "ended_early": learned.ended_early,
    }
    name = name if name is not None else f"bpe-{settings.vocab_size}"
    return Tokenizer.from_vocabulary(name, pattern, vocabulary, provenance=provenance)


def _texts(special_tokens: Iterable[str]) -> Iterable[str]:
    if isinstance(special_tokens, str):
        raise TrainingError(f"special_tokens is the str {special_tokens!r}: give a list, even of one")
    return special_tokens


# ---- byte-level spelling -------------------------------------------------------------------------------


def _alphabet_ids(specials: dict[str, int]) -> list[int]:
    """Ids of the bytes behind the special tokens, in the order of the characters that spell them; a
    character that is a special token keeps that one's id."""
    ids = [0] * 256
    next_id = len(specials)
    for char, byte in sorted(BYTE_OF.items()):
        if char in specials:
            ids[byte] = specials[char]
        else:
            ids[byte] = next_id
            next_id += 1
    return ids


def _spelling_error(text: str, data: bytes) -> TrainingError:
    return TrainingError(
        f'special token {text!r} is how tie_break="huggingface" spells the bytes {data!r}, which are a token '
        'too: name it otherwise, or use tie_break="bytes"'
    )
