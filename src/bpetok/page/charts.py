"""Charts as Vega-Lite specifications, which are plain data, and their drawing.

`vl-convert-python` (the extra `report`) draws them without a browser and without a network. Pages hold the
finished SVG: no script of Vega runs in them, so that their content security policy can forbid `eval`, which
Vega's expressions need. Text is drawn in the color of the page around it ("currentColor").
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from bpetok.errors import MissingExtraError
from bpetok.formats.atomic import write_files

if TYPE_CHECKING:
    from bpetok.diagnostics.report import Report, TokenizerReport

__all__ = [
    "SAVED",
    "UTF8",
    "VOCABULARY",
    "diagnostics_charts",
    "draw",
    "label",
    "payers",
    "premiums",
    "scripts",
    "world",
]

Spec = dict[str, Any]
Form = Literal["svg", "png", "pdf"]
FORMS: tuple[Form, ...] = ("svg", "png", "pdf")

UTF8, VOCABULARY, SAVED = "#7d8ca3", "#d9622b", "#57b894"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, Noto Sans, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": "currentColor", "titleColor": "currentColor", "domainColor": "currentColor",
             "tickColor": "currentColor", "gridOpacity": 0.25, "labelLimit": 220,
             "titleFontWeight": "normal"},
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "titleFontWeight": "normal"},
    "header": {"labelColor": "currentColor", "titleColor": "currentColor"},
    "title": {"color": "currentColor", "anchor": "start", "fontWeight": "normal"},
    "text": {"color": "currentColor"},
}  # fmt: skip


def draw(spec: Mapping[str, Any], form: Form = "svg") -> bytes:
    """A chart as a picture.

    Args:
        spec: a Vega-Lite specification.
        form: "svg"; "png", at twice the size; or "pdf".

    Raises:
        MissingExtraError: `vl-convert-python` is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtraError(
            'drawing charts needs vl-convert-python: install it with pip install "bpetok[report]"'
        ) from error
    if form == "svg":
        svg: str = vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[])
        return svg.encode()
    # Pictures outside a page have no color to take over, and a ground of their own.
    plain = _replaced(spec, {"currentColor": "#1c2027"}) | {"background": "white"}
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(plain, scale=2, allowed_base_urls=[]))
    return bytes(vl_convert.vegalite_to_pdf(plain, allowed_base_urls=[]))


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(each, texts) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, texts) for each in value]
    return texts.get(value, value) if isinstance(value, str) else value


def chart(rows: Sequence[Mapping[str, Any]], **parts: Any) -> Spec:
    """A specification with its data inside and the look of all charts here."""
    return {"$schema": _SCHEMA, "data": {"values": list(rows)}, **parts, "config": _CONFIG}


def slug(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "chart"


def write_charts(
    charts: Mapping[str, Spec], folder: str, forms: Iterable[Form] = FORMS, ink: str = "currentColor"
) -> None:
    """Write charts into a folder by their names, each drawn and as `.vl.json`.

    Args:
        charts: specifications.
        folder: made where it is not there.
        forms: what is drawn.
        ink: the color of text and axes. A page does not lend its own to a picture that it links to: for that
            take one that reads on light and on dark.

    Raises:
        MissingExtraError: `vl-convert-python` is not installed.
        OSError: the folder cannot be written to.
    """
    files = {}
    for name, given in charts.items():
        spec = _replaced(given, {"currentColor": ink})
        for form in forms:
            files[os.path.join(folder, f"{name}.{form}")] = draw(spec, form)
        text = json.dumps(spec, ensure_ascii=False, indent=1) + "\n"
        files[os.path.join(folder, f"{name}.vl.json")] = text.encode()
    os.makedirs(folder, exist_ok=True)
    write_files(files)


# ---- diagnostics ---------------------------------------------------------------------------------------


def diagnostics_charts(report: Report) -> dict[str, Spec]:
    """All charts of a report by name: `payers-TOKENIZER`, `premiums`, `scripts`, and `world-TOKENIZER` where
    the corpus says where languages are spoken."""
    made = {f"payers-{slug(each.name)}": payers(report, each) for each in report.tokenizers}
    made["premiums"] = premiums(report)
    made["scripts"] = scripts(report)
    if any(language.latitude is not None for language in report.corpus.languages):
        made |= {f"world-{slug(each.name)}": world(report, each) for each in report.tokenizers}
    return made


def payers(report: Report, tokenizer: TokenizerReport, n: int = 16) -> Spec:
    """The languages that pay most, and what their premium is made of.

    Lengths are logarithms, so that those of the two factors add up to that of their product.
    """
    rows = []
    found = sorted(_with_premium(report, tokenizer), key=lambda row: -row["premium"])[:n]
    for row in found:
        name, bytes_, premium = row["label"], math.log2(row["byte_premium"]), math.log2(row["premium"])
        text = f"{row['premium']:.1f}×"
        about = (
            f"{name}: {text} = UTF-8 {row['byte_premium']:.2f}× · vocabulary {row['vocabulary_penalty']:.2f}×"
        )
        common = {"language": name, "premium": row["premium"], "about": about}
        parts = [("UTF-8", 0.0, min(bytes_, premium))]
        parts += [("vocabulary", max(0.0, bytes_), premium)] if premium > bytes_ else []
        parts += [("saved by the vocabulary", max(0.0, premium), bytes_)] if premium < bytes_ else []
        for part, start, end in parts:
            last = end == max(bytes_, premium)
            rows.append({
                **common, "part": part, "from": start, "to": max(start, end), "label": text if last else ""
            })  # fmt: skip
    order = {"field": "premium", "order": "descending", "op": "max"}
    y = {"field": "language", "type": "nominal", "sort": order, "title": None}
    x: Spec = {
        "field": "from", "type": "quantitative", "title": "times the tokens of the reference (logarithmic)",
        "axis": {"labelExpr": "format(pow(2, datum.value), '~r') + '×'", "tickMinStep": 1},
    }  # fmt: skip
    return chart(
        rows,
        width=560,
        height={"step": 19},
        layer=[
            {
                "mark": {"type": "bar", "height": 13},
                "encoding": {
                    "y": y, "x": x, "x2": {"field": "to"}, "description": {"field": "about"},
                    "color": {
                        "field": "part", "type": "nominal", "title": None,
                        "scale": {
                            "domain": ["UTF-8", "vocabulary", "saved by the vocabulary"],
                            "range": [UTF8, VOCABULARY, SAVED],
                        },
                        "legend": {"orient": "top"},
                    },
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {
                    "y": y, "x": {"field": "to", "type": "quantitative"}, "text": {"field": "label"},
                },
            },
        ],
    )  # fmt: skip


def premiums(report: Report) -> Spec:
    """How premiums are spread over languages, a strip for each tokenizer."""
    rows = [
        {
            "tokenizer": each.name, "premium": row["premium"], "script": row["script"],
            "about": f"{row['label']} by {each.name}: {row['premium']:.2f}×",
        }
        for each in report.tokenizers
        for row in _with_premium(report, each)
    ]  # fmt: skip
    y = {"field": "tokenizer", "type": "nominal", "title": None, "sort": None}
    x = {"field": "premium", "type": "quantitative", "scale": {"type": "log", "base": 2}, "title": "premium"}
    return chart(
        rows,
        width=620,
        height={"step": 46},
        layer=[
            {
                "transform": [{"calculate": "random() * 0.8 - 0.4", "as": "jitter"}],
                "mark": {"type": "circle", "opacity": 0.45, "size": 34, "color": VOCABULARY},
                "encoding": {
                    "y": y, "x": x, "description": {"field": "about"},
                    "yOffset": {"field": "jitter", "type": "quantitative", "scale": {"domain": [-0.7, 0.7]}},
                },
            },
            {
                "mark": {"type": "tick", "thickness": 2, "size": 34, "color": "currentColor"},
                "encoding": {"y": y, "x": {**x, "aggregate": "median"}},
            },
        ],
    )  # fmt: skip


def scripts(report: Report) -> Spec:
    """The mean premium of the languages of each script, by each tokenizer."""
    rows: list[Spec] = []
    for each in report.tokenizers:
        for script, found in each.scripts.items():
            figure = found.figures.get("premium")
            if figure is not None:
                rows.append({
                    "tokenizer": each.name, "script": script, "premium": figure.value,
                    "label": f"{figure.value:.1f}", "about": f"{script} by {each.name}: {figure.value:.2f}×",
                })  # fmt: skip
    ceiling = max([2.0, *(row["premium"] for row in rows)])
    order = {"field": "premium", "op": "max", "order": "descending"}
    x = {"field": "tokenizer", "type": "nominal", "title": None, "sort": None,
         "axis": {"labelAngle": 0, "orient": "top", "labelLimit": 180}}  # fmt: skip
    y = {"field": "script", "type": "nominal", "sort": order, "title": None}
    return chart(
        rows,
        width={"step": 110},
        height={"step": 21},
        layer=[
            {
                "mark": "rect",
                "encoding": {
                    "x": x, "y": y, "description": {"field": "about"},
                    "color": {
                        "field": "premium", "type": "quantitative", "title": "premium",
                        "scale": {"type": "log", "domain": [1, ceiling], "scheme": "oranges", "clamp": True},
                        "legend": None,
                    },
                },
            },
            {
                "mark": {"type": "text", "color": "#1c2027"},
                "encoding": {
                    "x": x, "y": y, "text": {"field": "label"},
                    "color": {
                        "condition": {"test": f"datum.premium > {ceiling**0.7}", "value": "#ffffff"},
                        "value": "#1c2027",
                    },
                },
            },
        ],
    )  # fmt: skip


def world(report: Report, tokenizer: TokenizerReport) -> Spec:
    """Languages where they are spoken, by longitude and latitude; large and dark ones pay most."""
    rows = [
        {**row, "about": f"{row['label']}: {row['premium']:.2f}×"}
        for row in _with_premium(report, tokenizer)
        if row["latitude"] is not None and row["longitude"] is not None
    ]
    rows.sort(key=lambda row: row["premium"])
    ceiling = max([2.0, *(row["premium"] for row in rows)])
    scale = {"type": "log", "domain": [1, ceiling], "clamp": True}
    return chart(
        rows,
        width=720,
        height=330,
        layer=[
            {
                "data": {"graticule": {"step": [30, 30]}},
                "mark": {"type": "geoshape", "filled": False, "stroke": "currentColor",
                         "strokeOpacity": 0.15},
            },
            {
                "mark": {"type": "circle", "opacity": 0.85, "stroke": "currentColor", "strokeOpacity": 0.3,
                         "strokeWidth": 0.5},
                "encoding": {
                    "longitude": {"field": "longitude", "type": "quantitative"},
                    "latitude": {"field": "latitude", "type": "quantitative"},
                    "description": {"field": "about"},
                    "size": {
                        "field": "premium", "type": "quantitative", "scale": {**scale, "range": [14, 220]},
                        "legend": None,
                    },
                    "color": {
                        "field": "premium", "type": "quantitative", "title": "premium",
                        "scale": {**scale, "scheme": "oranges"},
                        "legend": {"orient": "bottom", "gradientLength": 260, "values": [1, 2, 4, 8, 16]},
                    },
                },
            },
        ],
        projection={"type": "equalEarth"},
    )  # fmt: skip


def _with_premium(report: Report, tokenizer: TokenizerReport) -> list[dict[str, Any]]:
    """A row for each language that has a premium."""
    rows = []
    for language in report.corpus.languages:
        figures = tokenizer.languages[language.code].figures
        if "premium" in figures:
            names = ("premium", "byte_premium", "vocabulary_penalty")
            rows.append({
                "label": label(language.name, language.script), "script": language.script,
                "latitude": language.latitude, "longitude": language.longitude,
                **{name: figures[name].value for name in names},
            })  # fmt: skip
    return rows


def label(name: str, script: str) -> str:
    """A language as charts and sentences call it: with its script, where that is not Latin and not in the
    name.

    >>> label("Sanskrit", "Grantha"), label("Tibetan, Central", "Tibetan")
    ('Sanskrit (Grantha)', 'Tibetan, Central')
    """
    script = script.replace("_", " ")
    return name if script == "Latin" or script in name else f"{name} ({script})"
