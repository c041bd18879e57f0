"""A report against an earlier one, and conditions that a run fails by.

Figures of two runs can be compared when they are about the same: the same texts, reference, segmenter,
settings, and for the same tokenizer the same normalizer. What is not is refused, with the reason.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bpetok.diagnostics.measures import MEASURES
from bpetok.diagnostics.report import Report, TokenizerReport
from bpetok.errors import DiagnosticsError

__all__ = ["Condition", "Verdict", "check_comparable", "gate"]


def check_comparable(report: Report, baseline: Report) -> None:
    """See that figures of two reports are about the same.

    Raises:
        DiagnosticsError: they are not; the message says in what they differ.
    """
    differences = [
        f"{what}: {ours} here, {theirs} in the baseline"
        for what, ours, theirs in (
            ("corpus", _corpus(report), _corpus(baseline)),
            ("reference language", report.settings.reference, baseline.settings.reference),
            ("segmenter", report.settings.segmenter_described, baseline.settings.segmenter_described),
            ("context window", report.settings.context, baseline.settings.context),
            ("prices", dict(report.settings.prices), dict(baseline.settings.prices)),
        )
        if ours != theirs
    ]
    earlier = {each.name: each for each in baseline.tokenizers}
    differences += [
        f"normalizer of {each.name}: {each.normalizer} here, {other.normalizer} in the baseline"
        for each in report.tokenizers
        if (other := earlier.get(each.name)) is not None and other.normalizer != each.normalizer
    ]
    if differences:
        raise DiagnosticsError(f"the baseline is of other measurements ({'; '.join(differences)}): renew it")


def _corpus(report: Report) -> str:
    return f"{report.corpus.name} {report.corpus.sha256[:12]}"


_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_CONDITION = re.compile(
    r"\s*(?P<measure>\w+)(?:\.(?P<language>\*|[\w-]+))?\s*(?P<operator>[<>]=?)\s*"
    r"(?P<number>[+-]?\d+(?:\.\d+)?)\s*(?P<percent>%)?\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class Condition:
    """When a run fails, such as "premium.tha > +5%".

    Attributes:
        text: as it was written.
        measure: a name in `MEASURES`.
        language: a code, "*" for each language, or None for a measure of a tokenizer.
        operator: ">", ">=", "<" or "<=".
        number: what is compared with.
        change: "percent" for the change over the baseline in percent, "absolute" for the difference, None for
            the figure itself.
    """

    text: str
    measure: str
    language: str | None
    operator: str
    number: float
    change: str | None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition: a measure, for those of languages "." and a code or "*", an operator, a number.

        A number with a sign is a change over the baseline, in percent with "%"; one without is the figure.

        Raises:
            DiagnosticsError: it is not of this form, or names no measure.

        >>> Condition.parse("premium.tha > +5%").change
        'percent'
        """
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise DiagnosticsError(
                f"{text!r} is no condition: write one like 'premium.tha > +5%', 'gini > +0.01' or "
                "'premium.* > 10'"
            )
        name, language, number = match["measure"], match["language"], match["number"]
        measure = MEASURES.get(name)
        if measure is None:
            raise DiagnosticsError(f"{text!r}: no measure {name!r}: use one of {', '.join(MEASURES)}")
        if (measure.per != "tokenizer") != (language is not None):
            how = f"{name} alone" if measure.per == "tokenizer" else f"{name}.CODE or {name}.*"
            raise DiagnosticsError(f"{text!r}: write {how}")
        signed = number[0] in "+-"
        if match["percent"] and not signed:
            raise DiagnosticsError(f"{text!r}: write the change in percent with a sign, such as +5%")
        change = ("percent" if match["percent"] else "absolute") if signed else None
        return cls(text, name, language, match["operator"], float(number), change)


@dataclass(frozen=True)
class Verdict:
    """What became of a condition for one figure.

    Attributes:
        condition: as it was written.
        tokenizer, language: whose figure.
        now: the figure.
        before: that of the baseline; None where it was not needed.
        failed: whether the condition holds, and so the run fails.
    """

    condition: str
    tokenizer: str
    language: str | None
    now: float
    before: float | None
    failed: bool

    def __str__(self) -> str:
        of = f" {self.language}" if self.language else ""
        over = "" if self.before is None else f", {self.before:.4g} in the baseline"
        return f"{self.condition}: {self.tokenizer}{of} has {self.now:.4g}{over}"


def gate(report: Report, baseline: Report | None, conditions: Iterable[Condition]) -> list[Verdict]:
    """Try conditions on every tokenizer of a report.

    Args:
        report: the new figures.
        baseline: the old ones, of tokenizers of the same names, or of the only one where each has one.
        conditions: to try.

    Raises:
        DiagnosticsError: the reports are not comparable, a figure is missing, or a baseline is.
    """
    conditions = [*conditions]
    if baseline is not None:
        check_comparable(report, baseline)
    verdicts = []
    for condition in conditions:
        if condition.change is not None and baseline is None:
            raise DiagnosticsError(f"{condition.text!r} is about a change: give the baseline to compare with")
        for tokenizer in report.tokenizers:
            for language in _languages(report, condition, tokenizer):
                path = f"{condition.measure}{language}"
                now = report.state(path, tokenizer.name).figure.value
                before = None
                if condition.change is not None and baseline is not None:
                    before = baseline.state(path, _earlier(report, baseline, tokenizer.name)).figure.value
                verdicts.append(_try(condition, now, before, tokenizer.name, language[1:] or None))
    return verdicts


def _earlier(report: Report, baseline: Report, name: str) -> str:
    """What a tokenizer is called in the baseline: the only one there may have had another name."""
    alone = len(report.tokenizers) == len(baseline.tokenizers) == 1
    return baseline.tokenizers[0].name if alone else name


def _languages(report: Report, condition: Condition, tokenizer: TokenizerReport) -> list[str]:
    """What follows the measure in the paths of the figures that a condition is about."""
    if condition.language is None:
        return [""]
    per = MEASURES[condition.measure].per
    found = tokenizer.morphology if per == "words" else tokenizer.languages
    if condition.language == "*":
        return [f".{code}" for code, each in found.items() if condition.measure in each.figures]
    return [f".{condition.language if per == 'words' else report.language(condition.language).code}"]


def _try(
    condition: Condition, now: float, before: float | None, tokenizer: str, language: str | None
) -> Verdict:
    compared = now
    if before is not None and condition.change == "absolute":
        compared = now - before
    elif before is not None:
        compared = 100 * (now / before - 1) if before else (float("inf") if now else 0.0)
    failed = _OPERATORS[condition.operator](compared, condition.number)
    return Verdict(condition.text, tokenizer, language, now, before, failed)
