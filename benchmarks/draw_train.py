"""A record of training as Markdown tables and as a plot; `bpetok_bench.train` says what stands in it."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from bpetok_bench.summary import OURS, grouped

# Readable on white and on black; GitHub shows an image on either.
TEXT, BAR, OUR_BAR, RULE = "#7d8590", "#8b949e", "#2f81f7", "#7d859055"
Row = Mapping[str, Any]


def check(record: Row) -> None:
    """Raises KeyError where something is missing that is drawn."""
    if not record["summary"]:
        raise KeyError("summary")
    for row in record["summary"]:
        for key in ("engine", "megabytes", "vocab_size", "threads", "seconds", "peak_mb", "common"):
            row[key]


def tables(record: Row, *, main: bool = False) -> str:
    """Markdown: a table for each number of threads, and what was measured where.

    Args:
        main: only the first vocabulary, with the most threads.
    """
    first, threads = record["settings"]["vocab_sizes"][0], max(record["settings"]["threads"])
    rows = [
        row
        for row in record["summary"]
        if not main or (row["vocab_size"], row["threads"]) == (first, threads)
    ]
    lost = {(*place(row), row["engine"]): reason(row) for row in record["failures"]}
    engines = record["engines"]
    titles = " | ".join(engines)
    lines = [f"| text | tokens | threads | {titles} |", "|---|---|---|" + "---|" * len(engines)]
    shown = [row for row in record["failures"] if row["vocab_size"] and not main]
    for where in sorted({place(row) for row in [*rows, *shown]}):
        found = {row["engine"]: row for row in rows if place(row) == where}
        cells = [cell(found[name]) if name in found else lost.get((*where, name), "") for name in engines]
        megabytes, vocab_size, n = where
        lines.append(f"| {megabytes:g} MB | {vocab_size:,} | {n} | {' | '.join(cells)} |")
    lines.append("")
    if not main and record["counting"]:
        lines += ["| counting | threads | memory budget | MB/s | peak MB |", "|---|---|---|---|---|"]
        for (megabytes, n, budget), own in grouped(
            record["counting"], ("megabytes", "threads", "budget_mb")
        ).items():
            speed = median(row["mb_per_s"] for row in own)
            peaks = [row["peak_bytes"] for row in own]
            peak = f"{max(peaks) / 1e6:.0f}" if all(peaks) else ""
            limit = "none" if budget is None else f"{budget} MB"
            lines.append(f"| {megabytes:g} MB | {n} | {limit} | {speed:.0f} | {peak} |")
        lines.append("")
    return "\n".join([*lines, caption(record), ""])


def place(row: Row) -> tuple[Any, ...]:
    return row["megabytes"], row["vocab_size"], row["threads"]


def cell(row: Row) -> str:
    """Seconds, memory, and the share of tokens in common with bpetok."""
    memory = "" if row["peak_mb"] is None else f", {row['peak_mb']:.0f} MB"
    seconds = f"{row['seconds']:.2f} s" if row["seconds"] < 10 else f"{row['seconds']:.0f} s"
    if row["engine"].startswith(OURS):
        return f"**{seconds}**{memory}"
    return f"{seconds}{memory}" + ("" if row["common"] is None else f", {percent(row['common'])}")


def percent(share: float) -> str:
    return "same" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def reason(row: Row) -> str:
    text: str = row["reason"]
    if "took more than" in text:
        return f"over {text.split()[-2]} s"
    return "not asked" if text.startswith("not asked") else "none" if "whole run" in text else "failed"


def caption(record: Row) -> str:
    """What the figures are, and of what."""
    machine = record["machine"]
    versions = ", ".join(
        f"{name} {version}" for name, version in record["versions"].items() if name != "numpy"
    )
    sentences = [
        "Median of wall time, largest memory beyond what the process held before, and tokens in common with "
        "bpetok under the same or the nearest rule for ties",
        f"With {versions}",
    ]
    if f"{OURS}-hf" in record["engines"]:
        sentences.append(f"{OURS}-hf is {OURS} with the ties of tokenizers")
    if record["missing"]:
        sentences.append(f"Not installed: {', '.join(record['missing'])}")
    again = {
        size: sum(part["reordered_bytes"] for part in about["parts"].values()) / 1e6
        for size, about in record["corpora"].items()
    }
    sentences += [
        f"Of {size} MB, {share:.0f} MB are the rest with its lines and words in another order"
        for size, share in again.items()
        if share >= 0.5
    ]
    sentences.append(f"{machine['cpu']}, {machine['system']}, {record['date'][:10]}")
    return ". ".join(sentences) + "."


NAME_STEP = 1.3  # between two names, on a logarithmic axis


def plot(record: Row) -> dict[str, Any]:
    """A Vega-Lite specification: seconds by size of the text, by library, on logarithmic axes."""
    first, threads = record["settings"]["vocab_sizes"][0], max(record["settings"]["threads"])
    rows = [row for row in record["summary"] if (row["vocab_size"], row["threads"]) == (first, threads)]
    values = [{key: row[key] for key in ("engine", "megabytes", "seconds")} for row in rows]
    largest = {
        row["engine"]: max(r["megabytes"] for r in rows if r["engine"] == row["engine"]) for row in rows
    }
    # Names stand at the ends of their lines, each a little above the one below it.
    ends: list[dict[str, Any]] = []
    for each in sorted(values, key=lambda value: (value["megabytes"], value["seconds"])):
        if each["megabytes"] == largest[each["engine"]]:
            below = ends[-1] if ends and ends[-1]["megabytes"] == each["megabytes"] else None
            lowest = below["name_at"] * NAME_STEP if below else 0
            ends.append({**each, "name_at": max(each["seconds"], lowest)})
    log = {"type": "log"}
    x = {"field": "megabytes", "type": "quantitative", "scale": log, "title": "MB of text"}
    y = {"field": "seconds", "type": "quantitative", "scale": log, "title": "seconds"}
    colour = {"condition": {"test": f"datum.engine === '{OURS}'", "value": OUR_BAR}, "value": BAR}
    sizes = sorted({row["megabytes"] for row in rows})
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "title": {"text": f"Training {first:,} tokens, threads: {threads}", "anchor": "start", "offset": 12},
        "width": 460,
        "height": 300,
        "data": {"values": values},
        "encoding": {
            "x": {**x, "axis": {"values": sizes}},
            "y": y,
            "color": colour,
            "detail": {"field": "engine"},
        },
        "layer": [
            {"mark": {"type": "line", "point": True}},
            {
                "data": {"values": ends},
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"text": {"field": "engine"}, "y": {**y, "field": "name_at"}},
            },
        ],
        "padding": {"left": 5, "top": 5, "bottom": 5, "right": 80},
        "config": {
            "view": {"stroke": None},
            "title": {"color": TEXT},
            "axis": {
                "labelColor": TEXT,
                "titleColor": TEXT,
                "gridColor": RULE,
                "domainColor": RULE,
                "tickColor": RULE,
            },
        },
    }
