"""Counts to a tokenizer: learn which pairs of tokens to merge, and lay out the ids.

`learn` is the core: counted pieces in, merges out. `train` and `train_from_counts` put counting before it
and a `Tokenizer` behind it. `docs/training.md` states every rule; `bpetok.reference.train` is the plain
specification of the merges.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Unpack, cast, get_args

from bpetok._learn import MergeLearner
from bpetok.alphabet import AlphabetOptions, CharacterOptions, Characters
from bpetok.bytelevel import BYTE_OF, spell, unspell
from bpetok.counting import (
    CountOptions,
    CountTable,
    Progress,
    ProgressCallback,
    Sources,
    Totals,
    count,
    count_in_order,
)
from bpetok.errors import CorpusError, TrainingError
from bpetok.patterns import superwords
from bpetok.tokenizer import Tokenizer
from bpetok.treatment import NOTHING, Treatment
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Learned", "learn", "train", "train_from_counts"]

TieBreak = Literal["bytes", "huggingface", "rustbpe", "minbpe"]

MAX_VOCAB_SIZE = (1 << 24) - 256  # what `Vocabulary` takes


class TrainOptions(CountOptions, CharacterOptions, total=False):
    """What `train` may be told about counting, and about characters."""


STEP = 256  # merges between two looks at the signals and the progress callback


class Merges(NamedTuple):
    """Merges in order, as native numbers. Not as arrays: training has no other need of NumPy, which takes
    14 MB, and longer to import than some corpora to count.

    Attributes:
        pairs: uint32, left and right of each.
        ids: uint32, the token that each makes.
        counts: int64, how often each pair stood in the corpus when it was merged.
    """

    pairs: bytes
    ids: bytes
    counts: bytes

    def first(self, n: int) -> "Merges":
        """The first n, or all."""
        return Merges(self.pairs[: 8 * n], self.ids[: 4 * n], self.counts[: 8 * n])

    def pair_list(self) -> list[tuple[int, int]]:
        """(left, right) of each."""
        numbers = iter(memoryview(self.pairs).cast("I"))
        return list(zip(numbers, numbers, strict=True))

    def id_list(self) -> list[int]:
        """The token that each makes."""
        return memoryview(self.ids).cast("I").tolist()


@dataclass(frozen=True)
class Learned:
    """What a training run has learned, with final ids.

    Attributes:
        merges: the merges in order.
        tokens: id to bytes of every token, single bytes included, without the special ones.
        special_tokens: text to id.
        ended_early: why there are fewer tokens than asked for, or None.
    """

    merges: Merges
    tokens: dict[int, bytes]
    special_tokens: dict[str, int]
    ended_early: str | None

    @property
    def pairs(self) -> "npt.NDArray[np.uint32]":
        """uint32, shape (n, 2): the merges in order."""
        import numpy as np

        return np.frombuffer(self.merges.pairs, np.uint32).reshape(-1, 2)

    @property
    def ids(self) -> "npt.NDArray[np.uint32]":
        """uint32, shape (n,): the token that each merge makes."""
        import numpy as np

        return np.frombuffer(self.merges.ids, np.uint32)

    @property
    def counts(self) -> "npt.NDArray[np.int64]":
        """int64, shape (n,): how often each pair stood in the corpus when it was merged."""
        import numpy as np

        return np.frombuffer(self.merges.counts, np.int64)


def train(
    sources: Sources,
    *,
    vocab_size: int,
    pattern: str | None = None,
    special_tokens: Iterable[str] = (),
    tie_break: TieBreak = "bytes",
    min_frequency: int = 2,
    max_token_length: int | None = None,
    superword_from: int | None = None,
    superword_words: int = 4,
    drop_scaffolds: float | None = None,
    byte_fallback: bool = False,
    progress: ProgressCallback | None = None,
    name: str | None = None,
    **options: Unpack[TrainOptions],
) -> Tokenizer:
    """Train a BPE tokenizer on a corpus: byte-level, or of characters with byte fallback.

    The result depends on the texts and the settings alone: not on the number of threads, nor on the order
    of the texts (but for `tie_break="minbpe"`).

    Args:
        sources: where the texts are: see `bpetok.count`.
        vocab_size: how many tokens to make, the 256 single bytes and the special tokens included.
        pattern: the split pattern: a name or a regular expression. None for "cl100k"; with `byte_fallback`
            for "metaspace", or "whole" without `split_by_whitespace`.
        special_tokens: texts that get an id of their own and take part in no merge.
        tie_break: which of equally frequent pairs is merged first, and how ids are laid out. "bytes": the
            pair that comes first by (left bytes, right bytes); a byte's id is its value, then come the
            merges, then the special tokens. "huggingface": merges and ids of `tokenizers`' `BpeTrainer`.
            "rustbpe": merges and ids of `rustbpe`: as "bytes", but the pair that comes first by (left id,
            right id). "minbpe": as "bytes", but the pair that comes first in the texts, the merges made so
            far applied. This one depends on the order of the texts, and counts in one thread.
        min_frequency: the least number of times a pair must occur to be merged.
        max_token_length: the most bytes a token may have; None for any number.
        superword_from: when the vocabulary has so many tokens, go on with pieces of several words, so that
            tokens may span spaces; None for never. The tokenizer's split pattern is then
            `patterns.superwords(pattern, superword_words)`, and `pattern` must be a named one.
        superword_words: the most words in a piece, and so in a token.
        drop_scaffolds: leave out tokens that are made almost only on the way to whole pieces: in at least
            this share of their places, as 0.9. None for no such thing. The vocabulary then has tiktoken's
            semantics, *ranks*. With the tie break "bytes" only, and not together with superwords.
        byte_fallback: make tokens of characters, as SentencePiece does, and of bytes only what is no
            character of the alphabet: see `docs/training.md` for rules and ids.
        progress: called now and then from the calling thread.
        name: what to call the tokenizer.
        options: `field`, `num_threads`, `memory`, `temp`, `executor`, `checkpoint`: see `bpetok.count`. With
            `byte_fallback` also `character_coverage` and the others of `bpetok.alphabet.Characters`.

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
    counting, characters = divide_options(options, byte_fallback)
    settings = make_settings(
        vocab_size, special_tokens, tie_break, min_frequency, max_token_length, characters
    )
    check_variants(superword_from, drop_scaffolds, settings)
    treatment = NOTHING
    if characters is not None:
        treatment = characters.treatment()
        pattern = characters.pattern() if pattern is None else pattern
    pattern = "cl100k" if pattern is None else pattern
    if superword_from is not None:
        pattern = superwords(pattern, superword_words)
    # No name for the counts here, so that `_train` can let them go.
    if tie_break == "minbpe":
        field = counting.pop("field", "text")
        others = [name for name, given in counting.items() if given is not None and name != "num_threads"]
        if others:
            raise TrainingError(
                'tie_break="minbpe" goes by the order of the texts, which are counted one after the other: '
                f"it takes no {', '.join(others)}"
            )
        counted = count_in_order(
            sources, pattern=pattern, treatment=treatment, field=field, progress=progress
        )
        return _train(*counted, settings, None, None, progress, name)
    return _train(
        count(sources, pattern=pattern, treatment=treatment, progress=progress, **counting),
        None,
        settings,
        superword_from,
        drop_scaffolds,
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
    superword_from: int | None = None,
    drop_scaffolds: float | None = None,
    byte_fallback: bool = False,
    order: list[bytes] | None = None,
    progress: ProgressCallback | None = None,
    name: str | None = None,
    **options: Unpack[AlphabetOptions],
) -> Tokenizer:
    """Train from pieces that have been counted already; equals `train` on the texts they came from.

    Args:
        counts: the pieces, with the pattern that made them.
        vocab_size: as in `train`, and so are the others.
        special_tokens: see `train`.
        tie_break: see `train`.
        min_frequency: see `train`.
        max_token_length: see `train`.
        superword_from: see `train`; the pieces must be those of `patterns.superwords`.
        drop_scaffolds: see `train`.
        byte_fallback: see `train`.
        order: for `tie_break="minbpe"`, which needs it: all pieces, in the order in which the texts first
            have them (see `bpetok.counting.count_in_order`).
        progress: see `train`.
        name: see `train`.
        options: with `byte_fallback`, those of `bpetok.alphabet.Characters` that have nothing to do with
            counting. What was done to the texts is known from the counts.

    Raises:
        TrainingError: the settings contradict each other, or the counts are too large together.
        CorpusError: there are no counts.
    """
    _, characters = divide_options(options, byte_fallback)
    if characters is not None:
        characters = characters.as_counted(counts.treatment)
    settings = make_settings(
        vocab_size, special_tokens, tie_break, min_frequency, max_token_length, characters
    )
    check_variants(superword_from, drop_scaffolds, settings)
    return _train(counts, order, settings, superword_from, drop_scaffolds, progress, name)


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
    settings = settings.for_counts(counts)
    return finish(make_learner(counts, settings), settings, progress)


def make_learner(
    counts: CountTable, settings: "Settings", *, order: list[bytes] | None = None, shared: bool = False
) -> MergeLearner:
    """A learner that has taken in the counts, and does not need them any more, before its first merge.

    Args:
        counts: the pieces.
        settings: what to make of them; checked.
        order: all pieces in the order in which the texts first have them, for `tie_break="minbpe"`.
        shared: whether merges are chosen elsewhere: see `MergeLearner`.

    Raises:
        TrainingError: the counts are too large together, or there is an order and no need of it, or the
            other way round.
        CorpusError: there are no counts.
    """
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
    layout = settings.layout()
    return MergeLearner(
        counts.table,
        byte_ids=layout.byte_ids,
        next_id=layout.next_id,
        new_tokens=settings.vocab_size - settings.least_vocab_size(),
        reserved={data: token for data, token in settings.reserved().items() if len(data) > 1},
        taken=settings.taken(),
        characters=layout.characters,
        ties_by_bytes=settings.tie_break == "bytes",
        min_frequency=settings.min_frequency,
        max_token_length=settings.max_token_length or 0,
        shared=shared,
        order=order,
    )


def finish(learner: MergeLearner, settings: "Settings", progress: ProgressCallback | None) -> Learned:
    """Make all merges that a learner has room for, and collect them."""
    advance(learner, progress)
    ended_early = settings.why_early(learner.passed_over) if learner.new_tokens else None
    return settings.collect(Merges(*learner.results()), learner.tokens_made(), ended_early)


def advance(learner: MergeLearner, progress: ProgressCallback | None) -> None:
    """Make all merges that a learner has room for."""
    total = learner.new_tokens
    more = True
    while more:
        more = learner.learn(STEP)
        if progress is not None:
            progress(Progress("learn", total - learner.new_tokens, total, "merges", "learning merges"))


class Layout(NamedTuple):
    """Ids that are given before the first merge.

    Attributes:
        byte_ids: the id of each byte.
        specials: text to id of the special tokens that come first; empty where they come last.
        next_id: the id of the first token that a merge makes.
        characters: the id and the kind of each character, where pieces begin as these; see `MergeLearner`.
    """

    byte_ids: list[int]
    specials: dict[str, int]
    next_id: int
    characters: dict[str, tuple[int, int]] | None = None


@dataclass(frozen=True)
class Settings:
    """What to make of a corpus. The attributes are those of `train`."""

    unit: ClassVar[Literal["bytes", "characters"]] = "bytes"

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
                f"vocab_size is {self.vocab_size}: it must be from {least} ({self.least_in_words()}) to "
                f"{MAX_VOCAB_SIZE}"
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

    def layout(self) -> Layout:
        """The ids that are given before the first merge."""
        if self.tie_break != "huggingface":
            return Layout(list(range(256)), {}, 256)
        specials = {text: at for at, text in enumerate(self.special_tokens)}
        byte_ids = _alphabet_ids(specials)
        return Layout(byte_ids, specials, max(*byte_ids, len(specials) - 1) + 1)

    def for_counts(self, counts: CountTable) -> "Settings":
        """The settings with all that depends on the counts."""
        return self

    def collect(self, merges: Merges, made: Iterable[bytes], ended_early: str | None) -> Learned:
        """Merges with the tokens they make, the single bytes and the special tokens.

        Raises:
            TrainingError: a special token gets in the way of a learned one.
        """
        layout = self.layout()
        tokens = {token: bytes([byte]) for byte, token in enumerate(layout.byte_ids)}
        ids = merges.id_list()
        tokens.update(zip(ids, made, strict=True))
        specials = layout.specials
        for text, token in specials.items():
            if token in tokens and tokens[token] != text.encode():
                raise _spelling_error(text, tokens[token])
        if self.tie_break != "huggingface":
            specials = {text: at for at, text in enumerate(self.special_tokens, layout.next_id + len(ids))}
        return Learned(merges, tokens, specials, ended_early)

    def vocabulary(self, learned: Learned) -> Vocabulary:
        """The vocabulary of what was learned."""
        return Vocabulary.from_merges(
            learned.tokens,
            learned.merges.pair_list(),
            learned.special_tokens,
            merge_counts=memoryview(learned.merges.counts).cast("q"),
        )

    def around(self, treatment: Treatment) -> dict[str, Any]:
        """What a tokenizer does before and after the engine, for `Tokenizer.from_vocabulary`.

        Args:
            treatment: what was done to the texts that were counted.

        Raises:
            TrainingError: the vocabulary has no such symbols.
        """
        if treatment.symbols:
            raise TrainingError(
                f"the texts were cut at symbols such as {treatment.symbols[0]!r} before they were counted, "
                "and "
                "only a vocabulary with byte_fallback has these"
            )
        return {} if treatment.normalizer is None else {"normalizer": treatment.normalizer}

    def least_vocab_size(self) -> int:
        """The number of ids that are given without a merge."""
        return 256 + len(self.special_tokens) - sum(len(data) == 1 for data in self.reserved())

    def least_in_words(self) -> str:
        """What these ids are for."""
        return "256 single bytes and the special tokens"

    def taken(self) -> list[bytes]:
        """Tokens that no merge may make."""
        return []

    def why_early(self, passed_over: bool) -> str:
        """In words, why no further merge was made."""
        times = max(self.min_frequency, 1)
        reason = f"no pair is left that occurs at least {times} time{'s' if times > 1 else ''}"
        if passed_over:
            reason += f" and makes a token of at most {self.max_token_length} bytes"
        return reason


def divide_options(options: Mapping[str, Any], byte_fallback: bool) -> tuple[CountOptions, Characters | None]:
    """The options that are for counting, and what is said about characters; None where these are no matter.

    Raises:
        TrainingError: there are options for characters, and no byte fallback.
        TypeError: an option is none.
    """
    counting: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in options.items():
        if name in CountOptions.__annotations__:
            counting[name] = value
        elif name in CharacterOptions.__annotations__:
            others[name] = value
        else:
            raise TypeError(f"unexpected keyword argument {name!r}")
    if others and not byte_fallback:
        raise TrainingError(f"{', '.join(others)}: for characters, which need byte_fallback=True")
    return cast("CountOptions", counting), Characters(**others) if byte_fallback else None


def make_settings(
    vocab_size: int,
    special_tokens: Iterable[str],
    tie_break: TieBreak,
    min_frequency: int,
    max_token_length: int | None,
    characters: Characters | None,
) -> "Settings":
    """Settings that can be met.

    Raises:
        TrainingError: they cannot.
    """
    settings: Settings
    specials = tuple(texts(special_tokens))
    if characters is None:
        settings = Settings(vocab_size, specials, tie_break, min_frequency, max_token_length)
    else:
        from bpetok.characters import CharacterSettings

        if max_token_length is not None:
            raise TrainingError("max_token_length is in bytes: with byte_fallback, give max_piece_length")
        settings = CharacterSettings.of(vocab_size, specials, tie_break, min_frequency, characters)
    settings.check()
    return settings


def check_variants(superword_from: int | None, drop_scaffolds: float | None, settings: Settings) -> None:
    """See that what `train` calls so can be done.

    Raises:
        TrainingError: it cannot.
    """
    if (
        superword_from is not None
        and not settings.least_vocab_size() <= superword_from <= settings.vocab_size
    ):
        raise TrainingError(
            f"superword_from is {superword_from}: it must be from {settings.least_vocab_size()} (256 single "
            f"bytes and the special tokens) to vocab_size, which is {settings.vocab_size}"
        )
    if superword_from is not None and settings.tie_break == "minbpe":
        raise TrainingError(
            'superword_from does not go together with tie_break="minbpe": superwords are learned from '
            "counts, which do not have the order of the texts"
        )
    if settings.unit == "characters" and not superword_from is drop_scaffolds is None:
        raise TrainingError(
            "superword_from and drop_scaffolds are for byte-level vocabularies: leave out byte_fallback"
        )
    if drop_scaffolds is None:
        return
    if not 0 < drop_scaffolds <= 1:
        raise TrainingError(f"drop_scaffolds is {drop_scaffolds}: it is a share, above 0 and at most 1")
    if superword_from is not None:
        raise TrainingError(
            "drop_scaffolds and superword_from exclude each other: few superwords are whole pieces"
        )
    if settings.tie_break != "bytes":
        raise TrainingError(
            'drop_scaffolds needs tie_break="bytes": the ids must be the ranks of the tokens, in order'
        )


def _train(
    counts: CountTable,
    order: list[bytes] | None,
    settings: Settings,
    superword_from: int | None,
    drop_scaffolds: float | None,
    progress: ProgressCallback | None,
    name: str | None,
) -> Tokenizer:
    if superword_from is not None:
        from bpetok.superwords import learn_superwords

        learned = learn_superwords(counts, superword_from, settings, progress)
        return tokenizer_of(learned, Totals.of(counts), settings, name, superword_from=superword_from)
    if drop_scaffolds is not None:
        from bpetok.scaffolds import train_without

        return train_without(counts, drop_scaffolds, settings, progress, name)
    totals = Totals.of(counts)
    settings = settings.for_counts(counts)
    learner = make_learner(counts, settings, order=order)
    del counts, order  # as large as what learning needs
    learned = finish(learner, settings, progress)
    del learner
    return tokenizer_of(learned, totals, settings, name)


def tokenizer_of(
    learned: Learned,
    totals: Totals,
    settings: Settings,
    name: str | None,
    *,
    vocabulary: Vocabulary | None = None,
    **more: Any,
) -> Tokenizer:
    """The tokenizer of what was learned.

    Args:
        learned: the merges.
        totals: what the counts hold that they were learned from.
        settings: how.
        name: what to call it; None for a name that tells the size.
        vocabulary: the vocabulary, where it is not simply that of the merges.
        more: what else its provenance shall hold.
    """
    from bpetok import __version__

    if vocabulary is None:
        vocabulary = settings.vocabulary(learned)
    provenance: dict[str, Any] = {
        "trained_by": f"bpetok {__version__}",
        "pattern": totals.pattern,
        "tie_break": settings.tie_break,
        "vocab_size_requested": settings.vocab_size,
        "vocab_size": vocabulary.n_vocab,
        "n_merges": len(learned.merges.ids) // 4,
        "min_frequency": settings.min_frequency,
        "max_token_length": settings.max_token_length,
        "corpus": {
            "n_texts": totals.n_texts,
            "n_bytes": totals.n_bytes,
            "n_pieces": totals.n_pieces,
            "n_distinct_pieces": totals.n_distinct,
        },
        "ended_early": learned.ended_early,
        **more,
    }
    name = name if name is not None else f"bpe-{settings.vocab_size}"
    return Tokenizer.from_vocabulary(
        name, totals.pattern, vocabulary, provenance=provenance, **settings.around(totals.treatment)
    )


def texts(special_tokens: Iterable[str]) -> Iterable[str]:
    """Special tokens as they were given, if that is not a single str."""
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
