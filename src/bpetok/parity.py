"""Parity-aware training: each merge is chosen for the language that is compressed worst so far.

Foroutan, Meister et al. 2025, "Parity-aware byte-pair encoding". `bpetok.reference.train_parity` is the plain
specification; `docs/training.md` states the rules.
"""

import functools
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Unpack

import numpy as np

from bpetok.corpus import Document
from bpetok.counting import (
    CountOptions,
    CountTable,
    Progress,
    ProgressCallback,
    Sources,
    Totals,
    count,
    counts_of,
    documents,
)
from bpetok.errors import CorpusError, TrainingError
from bpetok.tokenizer import Tokenizer
from bpetok.training import (
    STEP,
    Learned,
    Merges,
    Settings,
    TieBreak,
    learn,
    make_learner,
    texts,
    tokenizer_of,
)

__all__ = ["Balance", "gini", "train_parity"]


@dataclass(frozen=True)
class Balance:
    """How evenly a tokenizer treats languages: tokens for texts of the same content.

    Attributes:
        tokens: language to tokens.
        premiums: language to tokens over the fewest tokens of any language.
        gini: the Gini coefficient of the tokens: 0 when all are equal.
        total: tokens of all languages together.
    """

    tokens: dict[str, int]
    premiums: dict[str, float]
    gini: float
    total: int

    @classmethod
    def of(cls, tokens: Mapping[str, int]) -> "Balance":
        """The balance of the tokens per language.

        >>> Balance.of({"eng": 100, "tha": 150}).premiums
        {'eng': 1.0, 'tha': 1.5}
        """
        fewest = min(tokens.values())
        premiums = {language: round(n / fewest, 4) for language, n in tokens.items()}
        return cls(dict(tokens), premiums, round(gini(list(tokens.values())), 4), sum(tokens.values()))


def gini(values: Sequence[float]) -> float:
    """The Gini coefficient: half the mean difference of two values, over the mean.

    >>> gini([5, 5, 5]), gini([0, 0, 0, 4])
    (0.0, 0.75)
    """
    ordered = sorted(values)
    n = len(ordered)
    return sum((2 * at - n + 1) * value for at, value in enumerate(ordered)) / (n * sum(ordered))


def train_parity(
    sources: Mapping[str, Sources | CountTable],
    *,
    dev: Mapping[str, Sources | CountTable],
    vocab_size: int,
    global_merges: int = 0,
    window: int = 0,
    alpha: float = 2.0,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = (),
    tie_break: TieBreak = "bytes",
    min_frequency: int = 2,
    max_token_length: int | None = None,
    progress: ProgressCallback | None = None,
    name: str | None = None,
    **options: Unpack[CountOptions],
) -> Tokenizer:
    """Train a tokenizer that needs about as many tokens in each of several languages.

    At each step, the language whose development text has the most tokens is served: the pair that is most
    frequent in its corpus is merged, and merged in all languages. Development texts have the same content in
    every language, so that the tokens are those of a unit of content, whatever the unit.

    Args:
        sources: per language, where its texts are, as in `bpetok.train`, or its pieces, counted already with
            the same pattern. How much text a language has matters to `global_merges` only.
        dev: per language, its development texts: translations of each other, in the same order. They must
            be as many in each language; where they are one each (a file), they must have as many lines.
        vocab_size: how many tokens to make, the 256 single bytes and the special tokens included.
        global_merges: learn so many merges first, the classical way, on all corpora together (the paper's
            hybrid variant).
        window: a language that was served more than alpha * window / (number of languages) times in the last
            `window` steps is passed over as long as any other has a pair left (the paper's moving window,
            there of 100 steps); 0 for no such limit. It keeps a language that cannot be compressed further
            from taking all merges.
        alpha: see `window`; at least 1.
        pattern: see `bpetok.train`, and so are the others.
        special_tokens: see `bpetok.train`.
        tie_break: see `bpetok.train`.
        min_frequency: the least number of times a pair must occur in the corpus of the language it is
            chosen for. A language without such a pair is passed over.
        max_token_length: see `bpetok.train`.
        progress: see `bpetok.train`.
        name: see `bpetok.train`.
        options: see `bpetok.train`. Development texts are counted here, whatever the executor and the memory.

    Returns:
        A tokenizer like any other. `provenance["parity"]` has the merges chosen for each language, and the
        `Balance` of the development texts, beside that of a classical tokenizer of the same size and corpora.

    Raises:
        TrainingError: the settings contradict each other.
        CorpusError: the languages of `sources` and `dev` differ, development texts are not parallel, or a
            corpus cannot be read or holds no text.
        PatternError: the pattern does not compile, or matches the empty string.

    >>> corpora = {"one": ["low lower lowest"] * 9, "two": ["slow slower"]}
    >>> tokenizer = train_parity(corpora, dev=corpora | {"one": ["low"], "two": ["slower"]}, vocab_size=259)
    >>> [tokenizer.vocabulary.token_bytes(token) for token in range(256, 259)]
    [b'lo', b'low', b'slow']
    """
    settings = Settings(vocab_size, tuple(texts(special_tokens)), tie_break, min_frequency, max_token_length)
    settings.check()
    _check(sources, dev, settings, global_merges, window, alpha)
    corpora = {
        language: counts_of(each, pattern=pattern, progress=progress, options=options)
        for language, each in sources.items()
    }
    parallel = {
        language: each
        if isinstance(each, CountTable)
        else list(documents(each, field=options.get("field", "text")))
        for language, each in dev.items()
    }
    _check_parallel({language: each for language, each in parallel.items() if isinstance(each, list)})
    dev_counts = {
        language: each
        if isinstance(each, CountTable)
        else count(each, pattern=pattern, num_threads=options.get("num_threads"))
        for language, each in parallel.items()
    }
    patterns = {counts.pattern for counts in (*corpora.values(), *dev_counts.values())}
    if len(patterns) > 1:
        raise CorpusError(
            f"pieces of different patterns, {' and '.join(sorted(patterns))}: count with the same"
        )
    empty = [language for language in sources if not corpora[language] or not dev_counts[language]]
    if empty:
        raise CorpusError(f"{empty[0]}: the corpus or its development text holds no text")
    together = functools.reduce(CountTable.merge, corpora.values())
    totals = Totals.of(together)
    classical = learn(together, settings, progress)
    languages = _Languages(corpora, dev_counts, settings)
    learned = _learn(languages, classical, settings, global_merges, window, alpha, progress)
    balances = {}
    for variant, result in (("classical", classical), ("parity", learned)):
        encode = tokenizer_of(result, totals, settings, variant)._encode_single_piece
        balances[variant] = Balance.of(
            {
                language: sum(n * len(encode(piece)) for piece, n in counts.items())
                for language, counts in dev_counts.items()
            }
        )
    parity = {
        "global_merges": min(global_merges, len(learned.ids)),
        "window": window,
        "alpha": alpha,
        "served": languages.served,
        "corpora": {language: counts.n_bytes for language, counts in corpora.items()},
        "dev": {variant: asdict(balance) for variant, balance in balances.items()},
    }
    return tokenizer_of(learned, totals, settings, name, parity=parity)


def _check(
    sources: Mapping[str, object],
    dev: Mapping[str, object],
    settings: Settings,
    global_merges: int,
    window: int,
    alpha: float,
) -> None:
    if not sources:
        raise CorpusError("parity needs the corpus of at least one language, better of two and more")
    for given, missing in ((sources, dev), (dev, sources)):
        for language in given:
            if language not in missing:
                raise CorpusError(
                    f"language {language!r} has no {'development text' if missing is dev else 'corpus'}: "
                    "give one of each for every language"
                )
    if settings.tie_break == "minbpe":
        raise TrainingError(
            'tie_break="minbpe" does not go together with parity: it goes by the order of the texts, and the '
            "corpora of several languages have none"
        )
    if global_merges < 0 or window < 0:
        raise TrainingError("global_merges and window must not be negative")
    if not alpha >= 1:
        raise TrainingError(f"alpha is {alpha}: below 1, all languages together would be served too often")


def _check_parallel(texts: Mapping[str, list[Document]]) -> None:
    """See that the development texts have equally many parts in each language.

    A text may be cut short or shifted by mistake, and then parity would be sought between different contents.
    """
    unit, sizes = "text", {language: len(each) for language, each in texts.items()}
    if set(sizes.values()) == {1}:
        unit, sizes = "line", {language: _n_lines(each[0].text) for language, each in texts.items()}
    if len(set(sizes.values())) > 1:
        fewest, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        raise CorpusError(
            f"the development texts are not parallel: {fewest!r} has {sizes[fewest]} {unit}s, {most!r} has "
            f"{sizes[most]}; they must be translations of each other, {unit} by {unit}"
        )


def _n_lines(text: str | bytes) -> int:
    newline = "\n" if isinstance(text, str) else b"\n"
    return text.count(newline) + (not text.endswith(newline))  # type: ignore[arg-type]


class _Languages:
    """The corpora and development texts of all languages, under one list of merges.

    Attributes:
        pairs: the merges so far.
        ids: the tokens they make.
        tokens: language to tokens of its development text.
        served: language to the number of merges that were chosen for it.
    """

    def __init__(
        self, corpora: Mapping[str, CountTable], dev: Mapping[str, CountTable], settings: Settings
    ) -> None:
        self.corpora = {
            language: make_learner(counts, settings, shared=True) for language, counts in corpora.items()
        }
        self.dev = {language: make_learner(counts, settings, shared=True) for language, counts in dev.items()}
        self.tokens = {
            language: sum(len(piece) * n for piece, n in dev[language].items()) for language in corpora
        }
        self.served = dict.fromkeys(corpora, 0)
        self.pairs: list[tuple[int, int]] = []
        self.ids: list[int] = []
        layout = settings.layout()
        self.data = {token: bytes([byte]) for byte, token in enumerate(layout.byte_ids)}
        self.next_id = layout.next_id
        self.reserved = settings.reserved()

    def join(self, left: int, right: int) -> None:
        """Make a merge in all languages."""
        data = self.data[left] + self.data[right]
        token = self.reserved.get(data, self.next_id)
        self.next_id += token == self.next_id
        self.data[token] = data
        self.pairs.append((left, right))
        self.ids.append(token)
        for learner in self.corpora.values():
            learner.apply(left, right, token)
        for language, learner in self.dev.items():
            self.tokens[language] -= learner.apply(left, right, token)

    def serve(self, last: deque[str], often: float) -> bool:
        """Make the best merge for the language that comes first; returns whether any has one.

        Args:
            last: the languages served before; changed.
            often: a language that is in `last` more often than that comes after all others.
        """
        counts = Counter(last)
        for language in sorted(self.corpora, key=lambda each: (counts[each] > often, -self.tokens[each])):
            best = self.corpora[language].best()
            if best is not None:
                self.join(*best[:2])
                self.served[language] += 1
                last.append(language)
                return True
        return False


def _learn(
    languages: _Languages,
    classical: Learned,
    settings: Settings,
    global_merges: int,
    window: int,
    alpha: float,
    progress: ProgressCallback | None,
) -> Learned:
    total = settings.vocab_size - settings.least_vocab_size()
    end = languages.next_id + total
    for left, right in classical.merges.first(global_merges).pair_list():
        languages.join(left, right)
    last: deque[str] = deque(maxlen=window)
    often = alpha * window / len(languages.corpora)
    while languages.next_id < end and languages.serve(last, often):
        if progress is not None and len(languages.ids) % STEP == 0:
            done = total - (end - languages.next_id)
            progress(Progress("learn", done, total, "merges", "learning merges"))
    ids = np.array(languages.ids, dtype=np.uint32)
    counts = np.zeros(languages.next_id, dtype=np.int64)
    for learner in languages.corpora.values():
        _, joined, here = learner.results()
        counts[np.frombuffer(joined, np.uint32)] += np.frombuffer(here, np.int64)
    why = None
    if languages.next_id < end:
        passed_over = any(learner.passed_over for learner in languages.corpora.values())
        why = f"in no language's corpus: {settings.why_early(passed_over)}"
    return settings.collect(
        Merges(np.array(languages.pairs, np.uint32).tobytes(), ids.tobytes(), counts[ids].tobytes()),
        [languages.data[token] for token in languages.ids],
        why,
    )
