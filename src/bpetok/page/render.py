"""From a report to its page: one HTML file that holds all it needs."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import bpetok
from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.diagnostics.report import Report, TokenizerReport
from bpetok.diagnostics.scripts import SCRIPTS
from bpetok.diagnostics.subject import KINDS, Subject
from bpetok.errors import DiagnosticsError, MissingExtraError
from bpetok.page.charts import diagnostics_charts, draw, label, slug
from bpetok.page.embed import blob, classes, embed
from bpetok.protocols import TokenizerLike

__all__ = [
    "ASSETS",
    "diagnostics_page",
    "samples_of",
    "script",
    "self_contained",
    "style",
    "template",
]

_HERE = Path(__file__).parent
ASSETS = _HERE / "assets"
# In the order in which they build on each other.
_SCRIPTS = (
    "dom.js", "encoder.js", "tokens.js", "merges.js", "table.js", "languages.js", "vocabulary.js",
    "viewer.js", "embedded.js", "live.js", "page.js",
)  # fmt: skip


@functools.cache
def script() -> str:
    """The page's JavaScript, all files behind one another in a scope of their own."""
    parts = [(ASSETS / name).read_text("utf-8") for name in _SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


@functools.cache
def style() -> str:
    """The page's style sheet."""
    return (ASSETS / "page.css").read_text("utf-8")


@functools.cache
def template(name: str) -> Any:
    """A template of this folder; whatever is put into one is escaped unless it is markup.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError('pages need jinja2: install it with pip install "bpetok[report]"') from error
    loader = jinja2.FileSystemLoader(_HERE)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)


def self_contained(name: str, title: str, data: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """A page in one file. Its policy lets nothing be loaded and no script run but the page's own."""
    from markupsafe import Markup

    # "<" could end the element that the data stands in.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )
    code = script()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    made: str = template(name).render(
        title=title,
        policy=policy,
        style=Markup(style()),
        script=Markup(code),
        data=Markup(text),
        version=bpetok.__version__,
        **parts,
    )
    return made


def diagnostics_page(report: Report, corpus: ParallelCorpus, tokenizers: Mapping[str, TokenizerLike]) -> str:
    """The page of a report.

    Args:
        report: what `diagnose` found, with the entries of the vocabularies: not one that was read from a
            file.
        corpus: what was measured on, of which the viewer offers samples.
        tokenizers: what was measured, by the names in the report; the page encodes with those that it can.

    Raises:
        DiagnosticsError: the report has no entries.
        MissingExtraError: jinja2 or vl-convert-python is not installed.
    """
    from markupsafe import Markup

    charts = {name: Markup(draw(spec).decode()) for name, spec in diagnostics_charts(report).items()}
    findings = [
        {"name": each.name, "lines": sentences(report, each), "chart": charts[f"payers-{slug(each.name)}"]}
        for each in report.tokenizers
    ]
    used = {name for each in report.tokenizers for found in each.languages.values() for name in found.figures}
    used |= {name for each in report.tokenizers for name in each.figures}
    plain = report.to_dict()
    parts = {
        "corpus": report.corpus,
        "reference": report.language(report.settings.reference).name,
        "lead": lead(report),
        "findings": findings,
        "tokenizers": report.tokenizers,
        "comparisons": report.comparisons,
        "shown": _shown,
        "charts": charts,
        "worlds": [
            (each.name, charts[f"world-{slug(each.name)}"])
            for each in report.tokenizers
            if f"world-{slug(each.name)}" in charts
        ],
        "measures": [measure for name, measure in plain["measures"].items() if name in used],
        "segmenter": report.settings.segmenter_described,
        "intervals": (
            f"Intervals: 95 %, bootstrap over segments, {report.settings.draws} draws."
            if report.settings.draws
            else "Without intervals."
        ),
    }
    data = {
        "report": plain,
        "tokenizers": [_tokenizer(tokenizers[each.name], each) for each in report.tokenizers],
        "samples": _samples(corpus, tokenizers),
        "classes": classes(),
        "kinds": list(KINDS),
        "scripts": list(SCRIPTS),
    }
    names = " and ".join(each.name for each in report.tokenizers)
    return self_contained("diagnostics.html.jinja", f"Who pays for {names}?", data, parts)


MIXED = "Tokenizers see pieces, not letters: naïve façade, 東京, नमस्ते, Ελληνικά, 12345 👩‍👩‍👧."


def samples_of(corpus: ParallelCorpus) -> list[tuple[str, str]]:
    """What the viewer offers: something mixed, and for each script of a corpus its first text, by the name of
    the language."""
    found: dict[str, tuple[str, str]] = {}
    for text, number in zip(corpus.texts, corpus.language_of, strict=True):
        language = corpus.languages[number]
        if language.script not in found:
            found[language.script] = f"{language.name} ({language.script})", text
    return [("Mixed", MIXED), *sorted(found.values())]


def _tokenizer(tokenizer: TokenizerLike, report: TokenizerReport) -> dict[str, Any]:
    entries = report.entries
    if entries is None:
        raise DiagnosticsError(f"the report on {report.name} has no entries to show: measure it again")
    return {
        **embed(tokenizer, report.name, entries.data),
        "kinds": blob(entries.kinds),
        "scripts": blob(entries.scripts.astype(np.int16)),
        "uses": blob(entries.uses.astype(np.float64)),
    }


def _samples(corpus: ParallelCorpus, tokenizers: Mapping[str, TokenizerLike]) -> list[dict[str, Any]]:
    """What the viewer offers, with the ids by each tokenizer."""
    samples = samples_of(corpus)
    encoded = {
        name: Subject(tokenizer, name).encode([text for _, text in samples])
        for name, tokenizer in tokenizers.items()
    }
    return [
        {
            "name": title,
            "text": text,
            "ids": {
                name: ids[bounds[at] : bounds[at + 1]].tolist() for name, (ids, bounds) in encoded.items()
            },
        }
        for at, (title, text) in enumerate(samples)
    ]


def _shown(data: str) -> str:
    """Bytes in hexadecimal as their text, or spelled out where that cannot be seen."""
    raw = bytes.fromhex(data)
    text = raw.decode(errors="ignore")
    return text if text.encode() == raw and text.isprintable() else raw.hex(" ").upper()


# ---- what the figures say ------------------------------------------------------------------------------


def lead(report: Report) -> str:
    """What a premium is, in a sentence, for who never heard of it."""
    reference = report.language(report.settings.reference).name
    return (
        "Text is cut into tokens before a language model reads it, and tokens are what one pays and waits "
        f"for. For the same content as in {reference}, other languages need more of them: that is their "
        "premium."
    )


def sentences(report: Report, tokenizer: TokenizerReport) -> list[str]:
    """The findings about one tokenizer in words."""
    figures = tokenizer.figures
    paying = [
        (language, tokenizer.languages[language.code].figures)
        for language in report.corpus.languages
        if language.complete and "premium" in tokenizer.languages[language.code].figures
    ]
    paying.sort(key=lambda row: -row[1]["premium"].value)
    if len(paying) < 2 or "median_premium" not in figures:
        return ["There are too few languages here to compare."]
    (worst, found), best = paying[0], paying[-1][0]
    premium, by_bytes, penalty = (
        found[name].value for name in ("premium", "byte_premium", "vocabulary_penalty")
    )
    why = (
        f"its text has {by_bytes:.1f} times the bytes in UTF-8, and the vocabulary spends {penalty:.1f} "
        "times the tokens on each"
        if by_bytes > 1.05
        else f"not for its bytes in UTF-8 ({by_bytes:.1f} times), but for the vocabulary, which spends "
        f"{penalty:.1f} times the tokens on each"
    )
    lines = [
        f"The median language needs {figures['median_premium'].value:.1f} times the tokens of "
        f"{report.language(report.settings.reference).name}. {label(worst.name, worst.script)} pays most, "
        f"{premium:.1f} times: {why}. {label(best.name, best.script)} pays least.",
    ]
    mine = figures["median_vocabulary_penalty"].value
    theirs = figures["median_byte_premium"].value
    lines.append(
        f"In the median, UTF-8 costs {theirs:.2f} times, and the vocabulary {mine:.2f} times on top, which "
        f"another one could lower. Gini {figures['gini'].value:.2f}; worst tenth "
        f"{figures['worst_decile'].value:.1f} times."
    )
    return lines
