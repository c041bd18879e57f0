"""What a run of measurements found, as typed data: drawn by others, written as JSON, read back.

Every figure is found by the name of its measure in a mapping `figures`; `measures.MEASURES` has the
definition. `Report.state` puts a figure together with all that its meaning depends on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.compare import Comparison
from bpetok.diagnostics.figures import Figure, from_plain, to_plain
from bpetok.diagnostics.measures import MEASURES, Measure
from bpetok.diagnostics.morphology import MorphologyReport
from bpetok.diagnostics.reachability import ReachabilityReport
from bpetok.diagnostics.stability import ProbeReport
from bpetok.diagnostics.vocabulary import VocabularyReport
from bpetok.errors import DiagnosticsError, FormatError, MissingExtraError
from bpetok.formats.atomic import write_files

__all__ = [
    "CorpusReport",
    "Entries",
    "LanguageFigures",
    "LanguageText",
    "Report",
    "ScriptFigures",
    "Settings",
    "Stated",
    "TokenizerReport",
]

VERSION = 1


@dataclass(frozen=True)
class LanguageText:
    """A language of the corpus, and how much text there is.

    Attributes:
        code, name, script, iso639_3, latitude, longitude: as in `corpora.Language`.
        complete: whether it has every segment of the reference language. Fairness is over those that do.
        n_segments, n_bytes, n_characters, n_graphemes: of its texts.
        n_words: None where the segmenter finds no words in this script.
    """

    code: str
    name: str
    script: str
    iso639_3: str | None
    latitude: float | None
    longitude: float | None
    complete: bool
    n_segments: int
    n_bytes: int
    n_characters: int
    n_graphemes: int
    n_words: int | None


@dataclass(frozen=True)
class CorpusReport:
    """The corpus that was measured on.

    Attributes:
        name, note: of the corpus; every page that shows figures shows the note.
        sha256: of languages, segments and texts.
        segments: their names.
        languages: in the order of their codes.
    """

    name: str
    note: str
    sha256: str
    segments: tuple[str, ...]
    languages: tuple[LanguageText, ...]


@dataclass(frozen=True)
class Settings:
    """What the figures depend on besides corpus and tokenizer.

    Attributes:
        reference: code of the language that premiums are over.
        segmenter: name of what finds words.
        segmenter_described: the rules, and their version.
        context: tokens of a context window.
        prices: of a million tokens, by tokenizer.
        draws, seed: of the bootstrap.
    """

    reference: str
    segmenter: str
    segmenter_described: str
    context: int
    prices: Mapping[str, float]
    draws: int
    seed: int


@dataclass(frozen=True)
class LanguageFigures:
    """One language, by one tokenizer: tokens of all its texts, and figures by measure."""

    n_tokens: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class ScriptFigures:
    """All languages of a script, by one tokenizer; figures are means over those where they are defined."""

    n_languages: int
    n_tokens: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Entries:
    """The entries of a vocabulary, by id. Not part of the JSON.

    Attributes:
        data: the bytes; None for an id that is not in use.
        kinds: uint8, numbers in `subject.KINDS`.
        scripts: int64, numbers in `scripts.SCRIPTS`; -1 for none in particular.
        uses: int64, how often the corpus has each.
    """

    data: list[bytes | None]
    kinds: npt.NDArray[np.uint8]
    scripts: npt.NDArray[np.int64]
    uses: npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenizerReport:
    """All that was found about one tokenizer.

    Attributes:
        name: as it was given.
        sha256: of the entries in the order of ids.
        n_vocab: the largest id plus one.
        normalizer: what it does to texts before it cuts them, or None.
        languages: by code.
        scripts: by name.
        figures: over all languages: fairness, and how the vocabulary is used.
        vocabulary: what its entries are.
        morphology: by language, of the words that were given; empty without.
        reachability: which of them come of some text; None where it was not asked for.
        probes: numbers, code, white space, emoji.
        entries: of the vocabulary; None in a report that was read from a file.
    """

    name: str
    sha256: str
    n_vocab: int
    normalizer: str | None
    languages: Mapping[str, LanguageFigures]
    scripts: Mapping[str, ScriptFigures]
    figures: Mapping[str, Figure]
    vocabulary: VocabularyReport
    morphology: Mapping[str, MorphologyReport]
    reachability: ReachabilityReport | None
    probes: ProbeReport
    entries: Entries | None = field(default=None, repr=False, compare=False, metadata={"plain": False})


@dataclass(frozen=True)
class Stated:
    """A figure with all that its meaning depends on."""

    figure: Figure
    measure: Measure
    tokenizer: str
    language: str | None
    corpus: str
    corpus_sha256: str
    reference: str
    segmenter: str | None

    def __str__(self) -> str:
        of = f" of {self.language}" if self.language else ""
        words = f"; words: {self.segmenter}" if self.segmenter else ""
        return (
            f"{self.measure.title}{of} by {self.tokenizer}: {self.figure} {self.measure.unit}. "
            f"{self.measure.definition} Corpus: {self.corpus} {self.corpus_sha256[:12]}; "
            f"reference: {self.reference}{words}."
        )


@dataclass(frozen=True)
class Report:
    """A run of measurements.

    Attributes:
        version: of this form of data.
        corpus: what was measured on.
        settings: what figures depend on besides.
        tokenizers: in the order that they were given.
        comparisons: of the first tokenizer with each of the others.
    """

    version: int
    corpus: CorpusReport
    settings: Settings
    tokenizers: tuple[TokenizerReport, ...]
    comparisons: tuple[Comparison, ...]

    def tokenizer(self, name: str | None = None) -> TokenizerReport:
        """The report on a tokenizer, by its name; the only one without.

        Raises:
            DiagnosticsError: there is no such, or more than one to choose from.
        """
        found = [each for each in self.tokenizers if name is None or each.name == name]
        if len(found) != 1:
            names = ", ".join(each.name for each in self.tokenizers)
            raise DiagnosticsError(f"no single tokenizer {name or ''!r} in the report: it has {names}")
        return found[0]

    def language(self, code: str) -> LanguageText:
        """A language of the corpus, by its code, or by what stands before "_" in it.

        Raises:
            DiagnosticsError: there is no such, or more than one.
        """
        exact = [each for each in self.corpus.languages if each.code == code]
        found = exact or [each for each in self.corpus.languages if each.code.partition("_")[0] == code]
        if len(found) != 1:
            which = ", ".join(each.code for each in found) or "none"
            raise DiagnosticsError(f"{code!r} is not one language of {self.corpus.name}: it may be {which}")
        return found[0]

    def state(self, which: str, tokenizer: str | None = None) -> Stated:
        """A figure by its path, such as "premium.tha" or "gini", with all that its meaning depends on.

        Raises:
            DiagnosticsError: there is no such figure.
        """
        name, _, code = which.partition(".")
        measure = MEASURES.get(name)
        if measure is None:
            raise DiagnosticsError(f"no measure {name!r}: use one of {', '.join(MEASURES)}")
        found = self.tokenizer(tokenizer)
        if (measure.per != "tokenizer") != bool(code):
            how = f"{name} alone" if measure.per == "tokenizer" else f"{name}.CODE for a language"
            raise DiagnosticsError(f"{which!r}: write {how}")
        language = code or None
        if measure.per == "words":
            figures = found.morphology[code].figures if code in found.morphology else {}
        elif measure.per == "language":
            language = self.language(code).code
            figures = found.languages[language].figures
        else:
            figures = found.figures
        if name not in figures:
            raise DiagnosticsError(f"{found.name} has no {name} of {code or 'the corpus'}: it is not defined")
        segmenter = self.settings.segmenter_described if measure.words else None
        return Stated(
            figures[name],
            measure,
            found.name,
            language,
            self.corpus.name,
            self.corpus.sha256,
            self.settings.reference,
            segmenter,
        )

    def _repr_html_(self) -> str:
        from bpetok.page.notebook import report_html

        return report_html(self)

    def to_pandas(self) -> Any:
        """`rows` as a `pandas.DataFrame`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("a data frame needs pandas: pip install pandas") from error
        return pandas.DataFrame.from_records([*self.rows()])

    def to_altair(self) -> dict[str, Any]:
        """The charts of the report by name, as charts of Altair.

        Raises:
            MissingExtraError: altair is not installed.
        """
        try:
            import altair
        except ImportError as error:
            raise MissingExtraError("charts in a notebook need altair: pip install altair") from error
        from bpetok.page.charts import diagnostics_charts

        return {name: altair.Chart.from_dict(spec) for name, spec in diagnostics_charts(self).items()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """A flat row for each tokenizer and language: names of measures, with `_low` and `_high` beside."""
        names = [measure.name for measure in MEASURES.values() if measure.per == "language"]
        for tokenizer in self.tokenizers:
            for language in self.corpus.languages:
                found = tokenizer.languages[language.code]
                row: dict[str, Any] = {
                    "tokenizer": tokenizer.name,
                    "language": language.code,
                    "name": language.name,
                    "script": language.script,
                    "tokens": found.n_tokens,
                }
                for name in names:
                    figure = found.figures.get(name)
                    row[name] = None if figure is None else figure.value
                    row[f"{name}_low"] = None if figure is None else figure.low
                    row[f"{name}_high"] = None if figure is None else figure.high
                yield row

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with the definitions of its measures; see docs/diagnostics.md."""
        plain: dict[str, Any] = to_plain(self)
        return {**plain, "measures": to_plain(MEASURES)}

    @classmethod
    def from_dict(cls, plain: Any, where: str = "report") -> Report:
        """A report from `to_dict`.

        Raises:
            FormatError: the data is of another shape or version.
        """
        if not isinstance(plain, dict) or plain.get("version") != VERSION:
            raise FormatError(
                f"{where}: not a report of `bpetok diagnose` of version {VERSION}: make it again"
            )
        return from_plain(cls, plain, where)

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str) -> None:
        """Write the report as JSON, whole or not at all."""
        write_files({path: self.to_json().encode()})

    @classmethod
    def load(cls, path: str) -> Report:
        """Read a report that `save` wrote.

        Raises:
            FormatError: it is none.
        """
        try:
            plain = json.loads(Path(path).read_bytes())
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: not a report in JSON ({error})") from error
        return cls.from_dict(plain, path)
