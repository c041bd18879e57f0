"""Reports as tables for other programs: CSV for spreadsheets, LaTeX for papers."""

from __future__ import annotations

import csv
import io

from bpetok.diagnostics.measures import MEASURES
from bpetok.diagnostics.report import LanguageText, Report

__all__ = ["by_premium", "to_csv", "to_latex"]

_LATEX = str.maketrans(
    {**{each: f"\\{each}" for each in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
     "\\": r"\textbackslash{}"}
)  # fmt: skip


def by_premium(report: Report) -> list[LanguageText]:
    """The languages from the highest premium by the first tokenizer to the lowest; those without one last."""
    languages = report.tokenizers[0].languages

    def premium(language: LanguageText) -> float:
        figure = languages[language.code].figures.get("premium")
        return -figure.value if figure is not None else 0.0

    return sorted(report.corpus.languages, key=premium)


def to_csv(report: Report) -> str:
    """A line for each tokenizer and language, with the bounds of intervals beside the figures."""
    rows = [*report.rows()]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def to_latex(report: Report, top: int = 20) -> str:
    """A table of the languages with the highest premiums, and what these are made of; needs `booktabs`.

    Args:
        report: what was measured.
        top: how many languages; 0 for all.
    """
    names = [tokenizer.name.translate(_LATEX) for tokenizer in report.tokenizers]
    n = len(names)
    heads = " & ".join(rf"\multicolumn{{3}}{{c}}{{{name}}}" for name in names)
    rules = " ".join(rf"\cmidrule(lr){{{3 + 3 * at}-{5 + 3 * at}}}" for at in range(n))
    lines = [
        f"% bpetok diagnose: {report.corpus.name} {report.corpus.sha256[:12]}",
        f"% Over {report.settings.reference}; 95 % intervals in brackets.",
        *(f"% {MEASURES[name].title}: {MEASURES[name].definition}" for name in _SHOWN),
        r"\begin{tabular}{ll" + "rrr" * n + "}",
        r"\toprule",
        f" & & {heads} \\\\",
        rules,
        "Language & Script & " + " & ".join(["Premium & Bytes & Vocabulary"] * n) + r" \\",
        r"\midrule",
    ]
    for language in by_premium(report)[: top or None]:
        cells = [language.name.translate(_LATEX), language.script.replace("_", " ")]
        for tokenizer in report.tokenizers:
            figures = tokenizer.languages[language.code].figures
            for name in _SHOWN:
                figure = figures.get(name)
                cell = "--" if figure is None else f"{figure.value:.2f}"
                if figure is not None and figure.low is not None and name == "premium":
                    cell += rf" {{\footnotesize [{figure.low:.2f}, {figure.high:.2f}]}}"
                cells.append(cell)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


_SHOWN = ("premium", "byte_premium", "vocabulary_penalty")
