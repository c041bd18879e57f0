"""From tokenizers and a corpus to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.compare import compare
from bpetok.diagnostics.corpora import ParallelCorpus, load_corpus
from bpetok.diagnostics.counts import TextCounts, count_texts
from bpetok.diagnostics.fairness import MOST_UNKNOWN, premiums, spread
from bpetok.diagnostics.figures import Figure
from bpetok.diagnostics.languages import figures, has_words, means, ratios, read
from bpetok.diagnostics.layout import Layout
from bpetok.diagnostics.morphology import Segmented, morphology
from bpetok.diagnostics.reachability import find_witnesses
from bpetok.diagnostics.report import (
    VERSION,
    CorpusReport,
    Entries,
    LanguageFigures,
    LanguageText,
    Report,
    ScriptFigures,
    Settings,
    TokenizerReport,
)
from bpetok.diagnostics.segmenters import segmenter as segmenter_of
from bpetok.diagnostics.stability import SAMPLE, probes, sample_words, stability
from bpetok.diagnostics.subject import UNUSED, Encoded, Subject
from bpetok.diagnostics.vocabulary import (
    describe_vocabulary,
    entry_scripts,
    renyi_efficiency,
    utilisation,
)
from bpetok.errors import DiagnosticsError
from bpetok.protocols import TokenizerLike

__all__ = ["diagnose"]


Floats = npt.NDArray[np.float64]
Families = Sequence[tuple[Mapping[str, Floats], Resampling]]  # measures, and what resampled them

FEW_DRAWS = 100


class _Run:
    """What is the same for every tokenizer of a run."""

    def __init__(self, corpus: ParallelCorpus, reference: str, segmenter: str, draws: int, seed: int) -> None:
        self.corpus = corpus
        self.layout = Layout.of(corpus.texts, segmenter_of(segmenter))
        self.reference = corpus.number(reference)
        self.resampling = Resampling(len(corpus.segments), draws, seed)
        self.complete = (corpus.present >= corpus.present[self.reference]).all(1)
        self.words = sample_words(corpus, self.layout, has_words(corpus, self.layout))
        self.word_resampling = Resampling(SAMPLE, draws, seed)
        # What is drawn of thousands of entries at once is drawn less often.
        self.few_draws = Resampling(len(corpus.segments), min(draws, FEW_DRAWS), seed)
        self.tokens: list[npt.NDArray[np.int64]] = []  # of each text, by each tokenizer

    def corpus_report(self) -> CorpusReport:
        corpus, layout = self.corpus, self.layout
        sizes = {
            name: corpus.table(getattr(layout, name)).sum(1).astype(int).tolist()
            for name in ("n_bytes", "n_characters", "n_graphemes", "n_words")
        }
        worded = has_words(corpus, layout)
        languages = tuple(
            LanguageText(
                **vars(language),
                complete=bool(self.complete[number]),
                n_segments=int(corpus.present[number].sum()),
                n_bytes=sizes["n_bytes"][number],
                n_characters=sizes["n_characters"][number],
                n_graphemes=sizes["n_graphemes"][number],
                n_words=sizes["n_words"][number] if worded[number] else None,
            )
            for number, language in enumerate(corpus.languages)
        )
        return CorpusReport(corpus.name, corpus.note, corpus.sha256, corpus.segments, languages)

    def uses_by_segment(self, encoded: Encoded, uses: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How often each segment has each of the entries that are used at all, shape (n, segments)."""
        n_segments = len(self.corpus.segments)
        segment = np.repeat(self.corpus.segment_of, np.diff(encoded.bounds))
        row = np.cumsum(uses > 0) - 1
        keys = row[encoded.ids] * n_segments + segment
        return np.bincount(keys, minlength=int((uses > 0).sum()) * n_segments).reshape(-1, n_segments)

    def estimates(self, counts: TextCounts, context: int, price: float | None) -> dict[str, Floats]:
        """The measures of languages but those of stability, shape (languages, 1 + draws) each."""
        corpus, layout, resampling = self.corpus, self.layout, self.resampling
        found = premiums(corpus, counts.tokens, layout.n_bytes, self.reference, resampling)
        found["context_window"] = context / found["premium"]
        if price is not None:
            found["cost"] = price * found["premium"]
        own, first = (resampling.sums(corpus.table(tokens)) for tokens in (counts.tokens, self.tokens[0]))
        with np.errstate(divide="ignore", invalid="ignore"):  # a draw may have no segment of a language
            found["relative_length"] = own / first
        return found | ratios(corpus, layout, counts, resampling)

    def measure(
        self,
        subject: Subject,
        context: int,
        price: float | None,
        words: Sequence[Segmented],
        reachability: bool,
    ) -> TokenizerReport:
        encoded = subject.encode(self.corpus.texts)
        counts = count_texts(subject, encoded, subject.layout(encoded, self.layout))
        self.tokens.append(counts.tokens)
        estimates = self.estimates(counts, context, price)
        known = estimates["unknown_tokens"][:, 0] <= MOST_UNKNOWN
        fairness = spread(estimates, self.complete & known)
        families = (
            (estimates, self.resampling),
            (stability(subject, self.words, self.word_resampling), self.word_resampling),
        )
        uses = np.bincount(encoded.ids, minlength=subject.n_vocab)
        n_entries = int((subject.kinds != UNUSED).sum()) - len(subject.special)
        efficiency = renyi_efficiency(self.few_draws.sums(self.uses_by_segment(encoded, uses)), n_entries)
        whole = figures(
            read(fairness, self.resampling)
            | read({"renyi_efficiency": efficiency[np.newaxis]}, self.few_draws)
            | {"utilisation": [Figure(utilisation(uses, subject.kinds))]},
            0,
        )
        scripts = entry_scripts(subject)
        n_tokens = self.corpus.table(counts.tokens).sum(1).astype(int).tolist()
        return TokenizerReport(
            name=subject.name,
            sha256=subject.sha256,
            n_vocab=subject.n_vocab,
            normalizer=subject.normalizer,
            languages=self.languages(families, n_tokens),
            scripts=self.scripts(families, n_tokens),
            figures=whole,
            vocabulary=describe_vocabulary(subject, uses, scripts),
            morphology=morphology(subject, words, self.resampling.draws, self.resampling.seed)
            if words
            else {},
            reachability=find_witnesses(subject, uses) if reachability else None,
            probes=probes(subject),
            entries=Entries(subject.entries, subject.kinds, scripts, uses),
        )

    def languages(self, families: Families, n_tokens: list[int]) -> dict[str, LanguageFigures]:
        found: dict[str, list[Figure | None]] = {}
        for estimates, resampling in families:
            found |= read(estimates, resampling)
        return {
            language.code: LanguageFigures(n_tokens[number], figures(found, number))
            for number, language in enumerate(self.corpus.languages)
        }

    def scripts(self, families: Families, n_tokens: list[int]) -> dict[str, ScriptFigures]:
        members: dict[str, list[int]] = {}
        for number, language in enumerate(self.corpus.languages):
            members.setdefault(language.script, []).append(number)
        found: dict[str, list[Figure | None]] = {}
        for estimates, resampling in families:
            found |= read(means(estimates, members.values()), resampling)
        return {
            script: ScriptFigures(len(numbers), sum(map(n_tokens.__getitem__, numbers)), figures(found, at))
            for at, (script, numbers) in enumerate(members.items())
        }


def diagnose(
    tokenizers: Iterable[TokenizerLike] | Mapping[str, TokenizerLike],
    corpus: ParallelCorpus | str | PathLike[str] = "phrasebook",
    *,
    reference: str = "eng",
    segmenter: str = "uax29",
    context: int = 8192,
    prices: Mapping[str, float] | None = None,
    morphology_words: Iterable[Segmented] = (),
    reachability: bool = True,
    draws: int = 1000,
    seed: int = 0,
) -> Report:
    """Measure tokenizers on a parallel corpus.

    Args:
        tokenizers: any that satisfy `TokenizerLike`; a mapping names them.
        corpus: "phrasebook", "udhr", a file's path, or a corpus.
        reference: code of the language that premiums are over.
        segmenter: what finds words: "uax29", "whitespace", or "icu" (the extra `icu`).
        context: tokens of a context window.
        prices: of a million tokens, by the names of tokenizers.
        morphology_words: words with their parts, as of `load_morphology`.
        reachability: whether to look for a text that becomes each entry of the vocabularies.
        draws: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        DiagnosticsError: a tokenizer cannot be measured, two have one name, or a price names none.
        CorpusError: the corpus cannot be read, or lacks the reference language.
        MissingExtraError: a package is needed and not installed.

    >>> from bpetok import get_encoding
    >>> report = diagnose([get_encoding("o200k_base")], draws=0)
    >>> print(report.state("premium.mya").figure)
    2.38
    """
    named = tokenizers.items() if isinstance(tokenizers, Mapping) else ((None, each) for each in tokenizers)
    subjects = [Subject(tokenizer, name) for name, tokenizer in named]
    names = [subject.name for subject in subjects]
    if not names or len({*names}) < len(names):
        raise DiagnosticsError("give at least one tokenizer, and each a name of its own: use a mapping")
    prices, words = dict(prices or {}), [*morphology_words]
    if unknown := prices.keys() - {*names}:
        raise DiagnosticsError(f"a price is given for {', '.join(sorted(unknown))}, which is not measured")
    if context < 1 or draws < 0:
        raise DiagnosticsError("a context window has at least one token, and draws are not fewer than none")
    if not isinstance(corpus, ParallelCorpus):
        corpus = load_corpus(corpus)
    run = _Run(corpus, reference, segmenter, draws, seed)
    settings = Settings(
        corpus.languages[run.reference].code,
        run.layout.segmenter.name,
        run.layout.segmenter.described,
        context,
        prices,
        draws,
        seed,
    )
    reports = tuple(
        run.measure(subject, context, prices.get(subject.name), words, reachability) for subject in subjects
    )
    comparisons = tuple(
        compare(subjects[0], subject, corpus, (run.tokens[0], tokens))
        for subject, tokens in zip(subjects[1:], run.tokens[1:], strict=True)
    )
    return Report(VERSION, run.corpus_report(), settings, reports, comparisons)
