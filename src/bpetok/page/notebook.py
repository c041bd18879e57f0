"""What notebooks show of tokenizers, texts and reports: markup that needs no script and no style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from bpetok.errors import MissingExtraError

if TYPE_CHECKING:
    from bpetok.diagnostics.report import Report
    from bpetok.tokenizer import Tokenizer

__all__ = ["View", "report_html", "tokenizer_html"]

_SHAPES = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"})
_TOP = 12


@dataclass(frozen=True)
class View:
    """A text as its tokens, for notebooks and terminals.

    Attributes:
        tokenizer: what cut it.
        text: what was cut; special tokens in it are special.
        ids: of the tokens.
    """

    tokenizer: Tokenizer
    text: str
    ids: tuple[int, ...]

    def __str__(self) -> str:
        return "│".join(_visible(self.tokenizer.decode_single_token_bytes(token)) for token in self.ids)

    def _repr_html_(self) -> str:
        cells = []
        for token in self.ids:
            data = self.tokenizer.decode_single_token_bytes(token)
            hue = round(token * 137.508) % 360
            style = f"background:hsl({hue} 75% 86%);color:#1c2027;border-radius:.2em;padding:.1em .05em"
            title = f"id {token} · {data.hex(' ').upper()}"
            cells.append(f'<span style="{style}" title="{title}">{escape(_visible(data))}</span>')
            if data.endswith(b"\n"):
                cells.append("<br>")
        about = f"{len(self.ids)} tokens of {escape(self.tokenizer.name)}"
        return f'<div dir="auto" style="line-height:1.9">{"".join(cells)}</div><small>{about}</small>'


def _visible(data: bytes) -> str:
    """A token with white space made visible, and bytes that are no text in hexadecimal.

    >>> _visible(b" a\\n"), _visible(b"\\xe4\\xba")
    ('·a⏎', '⟨E4 BA⟩')
    """
    try:
        return data.decode().translate(_SHAPES)
    except UnicodeDecodeError:
        return f"⟨{data.hex(' ').upper()}⟩"


def tokenizer_html(tokenizer: Tokenizer) -> str:
    """A table of what a tokenizer is."""
    vocabulary = tokenizer.vocabulary
    pattern = tokenizer.pattern.name or tokenizer.pattern.source
    if tokenizer.splits is not None:
        pattern = "several steps"
    rows = {
        "ids": f"{vocabulary.n_vocab:,}",
        "vocabulary": f"{vocabulary.alphabet}, by {vocabulary.semantics}",
        "split pattern": pattern if len(pattern) <= 80 else pattern[:79] + "…",
        "special tokens": ", ".join([*vocabulary.special_tokens][:8])
        + (" …" if len(vocabulary.special_tokens) > 8 else ""),
        "normalizer": "" if tokenizer.normalizer is None else type(tokenizer.normalizer).__name__,
    }
    lines = [
        f'<tr><th style="text-align:start">{name}</th><td style="text-align:start">{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    ]
    caption = f'<caption style="text-align:start"><b>{escape(tokenizer.name)}</b></caption>'
    return f"<table>{caption}{''.join(lines)}</table>"


def report_html(report: Report) -> str:
    """What the languages pay that pay most, by each tokenizer; with the charts, where they can be drawn."""
    from bpetok.diagnostics.tables import by_premium
    from bpetok.page.charts import draw, payers

    heads = "".join(f"<th>{escape(each.name)}</th>" for each in report.tokenizers)
    lines = []
    for language in by_premium(report)[:_TOP]:
        figures = [each.languages[language.code].figures.get("premium") for each in report.tokenizers]
        cells = "".join(f"<td>{'–' if figure is None else f'{figure.value:.2f}×'}</td>" for figure in figures)
        lines.append(f"<tr><td>{escape(language.name)}</td><td>{escape(language.script)}</td>{cells}</tr>")
    corpus, reference = report.corpus, report.language(report.settings.reference)
    made = (
        f"<p>Premiums over {escape(reference.name)} on {escape(corpus.name)}, "
        f"SHA-256 {corpus.sha256[:12]}. {escape(corpus.note)}</p>"
        f"<table><tr><th>Language</th><th>Script</th>{heads}</tr>{''.join(lines)}</table>"
    )
    try:
        charts = [draw(payers(report, each)).decode() for each in report.tokenizers]
    except MissingExtraError:
        return made
    return made + "".join(
        f"<h4>{escape(each.name)}</h4>{chart}" for each, chart in zip(report.tokenizers, charts, strict=True)
    )
