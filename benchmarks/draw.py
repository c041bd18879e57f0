"""A record as Markdown tables and as a plot.

Only `summary` and the head of a record are read; `bpetok_bench.encode` says what stands there. A page that
shows a record has it between two comments::

    <!-- benchmark-table main record/machine/2026-01-01-encode.json plot.svg -->
    <!-- /benchmark-table -->

The first names the record and its plot, seen from the page's folder, and says "main" if the page shows the
main workloads only, or "train" if its place is for a record of training. `insert` names them and writes what
belongs between; tests see that it still does.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bpetok import BpetokError
from bpetok_bench import draw_train
from bpetok_bench.draw_train import BAR, OUR_BAR, RULE, TEXT
from bpetok_bench.summary import OURS

MAIN = ("list", "numpy", "documents")  # the workloads of an overview
KINDS = ("english", "code", "multilingual")
TITLES = {"english": "English", "code": "code", "multilingual": "multilingual"}
MARKED = re.compile(r"<!-- benchmark-table(.*?) -->\n.*?<!-- /benchmark-table -->", re.DOTALL)


class DrawError(BpetokError):
    """A record or a page is not what is needed."""


def read(path: Path) -> dict[str, Any]:
    """A record of encoding or of training.

    Raises:
        DrawError: it is something else.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        rows = record["summary"]
        if is_training(record):
            draw_train.check(record)
        elif not rows or not all({"kind", "workload", "state", "mb_per_s"} <= row.keys() for row in rows):
            raise KeyError("summary")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DrawError(f"{path} is no record of `bpetok bench encode` or `train`") from error
    return record


def is_training(record: Mapping[str, Any]) -> bool:
    return record.get("benchmark") == "train"


# ---- tables ----------------------------------------------------------------------------------------


def tables(record: Mapping[str, Any], *, main: bool = False) -> str:
    """Markdown: a table for each encoding, and what was measured where.

    Args:
        main: leave out all but the main workloads, on one thread.
    """
    if is_training(record):
        return draw_train.tables(record, main=main)
    rows = [row for row in record["summary"] if not main or (row["workload"] in MAIN and row["threads"] == 1)]
    kinds = in_order((row["kind"] for row in rows), KINDS)
    lines = []
    for encoding in dict.fromkeys(row["encoding"] for row in rows):
        cells = {
            (row["workload"], row["state"], row["threads"], row["kind"]): cell(row)
            for row in rows
            if row["encoding"] == encoding
        }
        titles = " | ".join(TITLES.get(kind, kind) for kind in kinds)
        lines += [f"| {encoding} | text | {titles} |", "|---|---|" + "---|" * len(kinds)]
        for workload, state, threads in dict.fromkeys(key[:3] for key in cells):
            name = workload if threads == 1 or str(threads) in workload else f"{workload}, {threads} threads"
            shown = " | ".join(cells.get((workload, state, threads, kind), "") for kind in kinds)
            lines.append(f"| {name} | {state} | {shown} |")
        lines.append("")
    return "\n".join([*lines, caption(record), ""])


def cell(row: Mapping[str, Any]) -> str:
    """Our speed, and how many times the best other's it is."""
    ours = f"**{speed(row['mb_per_s'][OURS])}**"
    if row["best_peer"] is None:
        return ours
    best = row["best_peer"]
    return f"{ours} ({best} {speed(row['mb_per_s'][best])}: {row['ratio']:.2f}×)"


def speed(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes >= 10 else f"{megabytes:.1f}"


def caption(record: Mapping[str, Any]) -> str:
    """What the figures are, and of what."""
    machine = record["machine"]
    engines = in_order((name for row in record["summary"] for name in row["mb_per_s"]), (OURS,))
    inexact = sorted({name for row in record["summary"] for name in row["inexact"]})
    sentences = [
        "MB of UTF-8 a second, medians; in brackets the fastest other library whose ids are the same, and "
        "the median of the ratios to it",
        f"Compared: {', '.join(with_version(name, record['versions']) for name in engines)}",
    ]
    if inexact:
        sentences.append(f"Other ids, somewhere, so left out there: {', '.join(inexact)}")
    sentences.append(f"{machine['cpu']}, {machine['system']}, {record['date'][:10]}")
    return ". ".join(sentences) + "."


def with_version(name: str, versions: Mapping[str, str]) -> str:
    version = versions.get(name)
    return f"{name} {version}" if version else name


def in_order(found: Iterable[str], first: Sequence[str]) -> list[str]:
    """Each once: what is in `first` in that order, then the rest as found."""
    names = list(dict.fromkeys(found))
    return [name for name in first if name in names] + [name for name in names if name not in first]


# ---- pages -----------------------------------------------------------------------------------------


def shown(text: str) -> list[str]:
    """The records that a page's text names, seen from its folder."""
    return [word for match in MARKED.finditer(text) for word in match[1].split() if word.endswith(".json")]


def filled(page: Path, text: str) -> str:
    """A page's text with the tables of the records that it names, as they are made now."""

    def fill(match: re.Match[str]) -> str:
        words = match[1].split()
        made = [f"<!-- benchmark-table{match[1]} -->\n"]
        for word in words:
            if word.endswith(".svg"):
                made.append(f"![Speed of {OURS} and other libraries]({word})\n\n")
        for word in words:
            if word.endswith(".json"):
                made.append(tables(read(page.parent / word), main="main" in words))
        return "".join([*made, "<!-- /benchmark-table -->"]) if len(made) > 1 else match[0]

    return MARKED.sub(fill, text)


def insert(page: Path, record: Path, image: Path) -> None:
    """Make a page show a record and its plot.

    Raises:
        DrawError: there is no place for it in the page.
    """
    text = page.read_text("utf-8")
    training = is_training(read(record))
    if not any(("train" in match[1].split()) == training for match in MARKED.finditer(text)):
        place = f"<!-- benchmark-table{' train' if training else ''} -->"
        raise DrawError(f"{page} has no {place} with <!-- /benchmark-table --> behind it")
    folder = page.resolve().parent
    names = [Path(os.path.relpath(each.resolve(), folder)).as_posix() for each in (record, image)]

    def name(match: re.Match[str]) -> str:
        given = match[1].split()
        if ("train" in given) != training:
            return match[0]
        words = " ".join([*(word for word in ("train", "main") if word in given), *names])
        return f"<!-- benchmark-table {words} -->\n<!-- /benchmark-table -->"

    page.write_text(filled(page, MARKED.sub(name, text)), "utf-8")


# ---- plot ------------------------------------------------------------------------------------------


def plot(record: Mapping[str, Any], encoding: str | None = None) -> dict[str, Any]:
    """A Vega-Lite specification: bars for each engine whose ids are right; a row of panels for each of the
    main workloads, a column for each kind of text.

    Args:
        encoding: which; None for the record's first.
    """
    if is_training(record):
        return draw_train.plot(record)
    encoding = encoding or record["summary"][0]["encoding"]
    rows = {
        (row["workload"], row["kind"]): row
        for row in record["summary"]
        if row["encoding"] == encoding and row["state"] == "unseen" and row["threads"] == 1
    }
    kinds = in_order((kind for _, kind in rows), KINDS)
    workloads = [workload for workload in MAIN if any(workload == each for each, _ in rows)]
    if not workloads:
        raise DrawError(f"the record has none of {', '.join(MAIN)} for {encoding}: there is nothing to plot")
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "title": {
            "text": f"{encoding}, text not seen before, one thread, MB/s",
            "anchor": "start",
            "offset": 12,
        },
        "spacing": 14,
        "vconcat": [
            {
                "spacing": 14,
                "hconcat": [
                    panel(rows[workload, kind], f"{workload}, {TITLES.get(kind, kind)}")
                    for kind in kinds
                    if (workload, kind) in rows
                ],
            }
            for workload in workloads
        ],
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "title": {"color": TEXT, "fontSize": 12},
            "axis": {"labelColor": TEXT, "domainColor": RULE, "ticks": False, "labelFontSize": 10},
            "text": {"color": TEXT, "fontSize": 10},
        },
    }


def panel(row: Mapping[str, Any], title: str) -> dict[str, Any]:
    """The bars of one workload on one kind of text."""
    values = [
        {"engine": name, "speed": value, "label": speed(value)}
        for name, value in row["mb_per_s"].items()
        if name not in row["inexact"]
    ]
    top = max(each["speed"] for each in values)
    x = {"field": "speed", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1.15 * top]}}
    y = {"field": "engine", "type": "nominal", "sort": "-x", "title": None}
    colour = {"condition": {"test": f"datum.engine === '{OURS}'", "value": OUR_BAR}, "value": BAR}
    return {
        "title": {"text": title, "anchor": "start"},
        "width": 170,
        "height": {"step": 15},
        "data": {"values": values},
        "encoding": {"x": x, "y": y},
        "layer": [
            {"mark": {"type": "bar", "height": 11}, "encoding": {"color": colour}},
            {"mark": {"type": "text", "align": "left", "dx": 3}, "encoding": {"text": {"field": "label"}}},
        ],
    }


def fingerprint(specification: Mapping[str, Any]) -> str:
    """A hash that tells what a plot was drawn from."""
    return hashlib.sha256(json.dumps(specification, sort_keys=True).encode()).hexdigest()


def svg(specification: dict[str, Any]) -> str:
    """The plot as an image, with the fingerprint of what it was drawn from.

    Raises:
        DrawError: the library for it is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise DrawError('plots need vl-convert-python: pip install "bpetok[bench]"') from error
    image: str = vl_convert.vegalite_to_svg(specification)
    return f"{image.rstrip()}\n<!-- {fingerprint(specification)} -->\n"
