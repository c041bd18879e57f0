"""Charts of an experiment with language models, of the plain data that `Results.spec` gives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bpetok.lm.tasks import find_task
from bpetok.page.charts import Spec, chart

__all__ = ["arm_color", "lm_charts"]

_COSTS = {"examples": "examples", "flops": "operations (FLOPs)", "seconds": "seconds"}
_SHORTCUT = "#d9622b"
_COLUMNS = 4
Row = dict[str, Any]
# From the axis of the score, how colors stand for arms, and marks for budgets: the layers of a panel.
Layers = Callable[[Spec, Spec, Spec], list[Spec]]


def lm_charts(spec: Mapping[str, Any]) -> dict[str, Spec]:
    """All charts of results by name: `sizes`, scores by the size of the vocabulary, where arms without
    changes differ in it; `arms`, scores by arm, budget and change; a learning curve over each cost that was
    kept, `curve-examples`, `curve-flops` and `curve-seconds`; and `text-flops`, that of bits a byte alone."""
    cells = [*spec["cells"], *spec["texts"]]
    rows = [_row(cell) for cell in cells]
    batch = spec["settings"]["size"]["train"]["batch"]
    points = [point for cell in cells for point in _points(cell, batch)]
    panels = functools.partial(_panels, arms=spec["settings"]["arms"])
    made = {}
    plain = [row for row in rows if "+" not in row["arm"]]
    if len({row["vocabulary"] for row in plain}) > 1:
        made["sizes"] = panels(plain, _by_size)
    made["arms"] = panels(rows, _by_arm, height={"step": 18})
    for cost, title in _COSTS.items():
        found = [{**point, "cost": point[cost]} for point in points if point[cost]]
        if found:
            made[f"curve-{cost}"] = panels(found, functools.partial(_curve, title))
        texts = [point for point in found if point["is_text"]]
        if texts and cost == "flops":
            made["text-flops"] = panels(texts, functools.partial(_curve, title), width=520, height=260)
    return made


def arm_color(names: Sequence[str]) -> Spec:
    """The channel that gives each arm its color, in the order of their names here."""
    return {"field": "arm", "type": "nominal", "title": None, "sort": [*names], "scale": {"domain": [*names]}}


def _row(cell: Mapping[str, Any]) -> Row:
    is_text = "bits_per_byte" in cell
    score, low, high = cell["bits_per_byte" if is_text else "accuracy"]
    best = cell["best_shortcut"]
    form = "{:.2f}" if is_text else "{:.1%}"
    about = " ".join(
        (
            f"{cell['arm']} at {cell['task']}, {cell['budget']}:",
            f"{form} ({form} to {form})".format(score, low, high),
            "" if best is None else f"{best['name']} {form}".format(best["score"][0]),
        )
    )
    return {
        **{name: cell[name] for name in ("arm", "task", "budget")},
        "vocabulary": cell["n_symbols"],
        "is_text": is_text,
        "score": score,
        "low": low,
        "high": high,
        "best": None if best is None else best["score"][0],
        "about": about,
    }


def _points(cell: Mapping[str, Any], batch: int) -> list[Row]:
    items = find_task(cell["task"])[0].step_items(batch)
    best = cell["best_shortcut"]
    return [
        {
            **{name: cell[name] for name in ("arm", "task", "budget")},
            "is_text": "bits_per_byte" in cell,
            "examples": point["step"] * items,
            "flops": point["flops"],
            "seconds": point["seconds"],
            "score": point["score"],
            "best": None if best is None else best["score"][0],
        }
        for point in cell["curve"]
    ]


def _panels(
    rows: Sequence[Row], layers: Layers, *, arms: Sequence[str], width: int = 205, height: int | Spec = 135
) -> Spec:
    """A panel for each task, with a scale of its own: shares from none to all, bits a byte as they come."""
    names = [arm for arm in arms if any(row["arm"] == arm for row in rows)]
    budgets = list(dict.fromkeys(row["budget"] for row in rows))
    common: Spec = {"type": "nominal", "title": None, "legend": {"orient": "top"}}
    color = {**common, **arm_color(names)}
    mark = {**common, "field": "budget", "sort": budgets, "scale": {"domain": budgets}}
    if len(budgets) == 1:
        mark["legend"] = None
    made = []
    for task in dict.fromkeys(row["task"] for row in rows):
        here = [row for row in rows if row["task"] == task]
        score: Spec = {"field": "score", "type": "quantitative", "title": None}
        title = task
        if here[0]["is_text"]:
            score |= {"scale": {"zero": False}, "axis": {"tickCount": 4}}
            title += ": bits a byte, fewer are better"
        else:
            score |= {"scale": {"domain": [0, 1]}, "axis": {"format": "%", "tickCount": 4}}
        made.append({
            "title": {"text": title, "fontSize": 12}, "data": {"values": here}, "width": width,
            "height": height, "layer": layers(score, color, mark),
        })  # fmt: skip
    return chart([], concat=made, columns=_COLUMNS, spacing=18)


def _by_size(score: Spec, color: Spec, mark: Spec) -> list[Spec]:
    x = {"field": "vocabulary", "type": "quantitative", "title": "symbols of the model",
         "scale": {"type": "log", "nice": False, "padding": 10},
         "axis": {"tickCount": 3, "format": "~s"}}  # fmt: skip
    line = {"mark": {"type": "line", "color": "currentColor", "opacity": 0.4},
            "encoding": {"x": x, "y": score, "strokeDash": {**mark, "legend": None}}}  # fmt: skip
    return [_shortcut("y", score), line, *_intervals({"x": x, "y": score}, "y", color, mark)]


def _by_arm(score: Spec, color: Spec, mark: Spec) -> list[Spec]:
    y = {"field": "arm", "type": "nominal", "sort": color["sort"], "title": None, "axis": {"grid": True}}
    hidden = {**color, "legend": None}
    return [_shortcut("x", score), *_intervals({"x": score, "y": y}, "x", hidden, mark)]


def _curve(title: str, score: Spec, color: Spec, mark: Spec) -> list[Spec]:
    x = {"field": "cost", "type": "quantitative", "title": title, "scale": {"type": "log", "nice": False},
         "axis": {"tickCount": 3, "format": "~s"}}  # fmt: skip
    encoding = {"x": x, "y": score, "color": color, "strokeDash": mark}
    line = {"mark": {"type": "line", "point": {"size": 14}, "strokeWidth": 1.5}, "encoding": encoding}
    return [_shortcut("y", score), line]


def _shortcut(axis: str, score: Spec) -> Spec:
    """The line of the best shortcut."""
    mark = {"type": "rule", "strokeDash": [5, 3], "color": _SHORTCUT, "strokeWidth": 1.5}
    return {"mark": mark, "encoding": {axis: {**score, "field": "best", "aggregate": "mean"}}}


def _intervals(places: Spec, axis: str, color: Spec, mark: Spec) -> list[Spec]:
    """A point for each score, with its interval along an axis."""
    bounds = {axis: {**places[axis], "field": "low"}, f"{axis}2": {"field": "high"}}
    return [
        {"mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.6},
         "encoding": {**places, **bounds, "color": color}},
        {"mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
         "encoding": {**places, "color": color, "shape": mark, "description": {"field": "about"}}},
    ]  # fmt: skip
