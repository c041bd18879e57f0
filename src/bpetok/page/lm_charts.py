"""Charts of an experiment with language models, of the plain data that `Results.spec` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpetok.page.charts import Spec, chart

__all__ = ["arm_color", "lm_charts"]

_COSTS = {"step": "examples (steps of equally many)", "flops": "operations (FLOPs)", "seconds": "seconds"}


def lm_charts(spec: Mapping[str, Any]) -> dict[str, Spec]:
    """All charts of results by name: `accuracy`, `dose` over vocabulary sizes where there are several, and a
    learning curve over each cost that was kept."""
    cells = [one for one in spec["cells"] if one["budget"] == "examples"]
    if not cells:
        return {}
    made = {"accuracy": _accuracy(spec, cells)}
    if len({spec["arms"][one["arm"]]["tokens"] for one in cells if one["arm"] in spec["arms"]}) > 1:
        made["dose"] = _dose(spec, cells)
    for cost, title in _COSTS.items():
        rows = [
            {"arm": one["arm"], "task": one["task"], "cost": point[cost], "score": point["score"]}
            for one in cells
            for point in one.get("curve", ())
            if point[cost]
        ]
        if rows:
            made[f"curve-{cost}"] = _curves(rows, title, [*spec["settings"]["arms"]])
    return made


def arm_color(names: list[str]) -> Spec:
    """The channel that gives each arm its colour, in the order of their names here."""
    return {"field": "arm", "type": "nominal", "title": "arm", "sort": names, "scale": {"domain": names}}


def _facets(**parts: Any) -> Spec:
    return {"facet": {"field": "task", "type": "nominal", "title": None, "sort": None}, "columns": 4, **parts}


def _accuracy(spec: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> Spec:
    names = [*spec["settings"]["arms"]]
    rows = []
    for one in cells:
        share, low, high = one["accuracy"]
        best = max((interval[0] for interval in spec["baselines"][one["task"]].values()), default=0.0)
        about = f"{one['arm']} on {one['task']}: {share:.1%} ({low:.1%} to {high:.1%}); baseline {best:.1%}"
        rows.append({"arm": one["arm"], "task": one["task"], "share": share, "low": low, "high": high,
                     "best": best, "about": about})  # fmt: skip
    x = {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None,
         "axis": {"format": "%", "tickCount": 3}}  # fmt: skip
    y = {"field": "arm", "type": "nominal", "sort": names, "title": None}
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "height": 10, "opacity": 0.75},
            "encoding": {"x": x, "y": y, "color": {**arm_color(names), "legend": None},
                         "description": {"field": "about"}},
        },
        {"mark": {"type": "rule", "color": "currentColor", "strokeWidth": 1.5},
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y}},
        {"mark": {"type": "tick", "color": "#d9622b", "thickness": 2, "size": 16},
         "encoding": {"x": {**x, "field": "best"}, "y": y}},
    ]  # fmt: skip
    return chart(rows, **_facets(spec={"layer": layers, "width": 170, "height": {"step": 18}}))


def _dose(spec: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> Spec:
    rows = [
        {"arm": one["arm"], "task": one["task"], "tokens": spec["arms"][one["arm"]]["tokens"],
         "share": one["accuracy"][0], "low": one["accuracy"][1], "high": one["accuracy"][2]}
        for one in cells
        if one["arm"] in spec["arms"]
    ]  # fmt: skip
    x = {"field": "tokens", "type": "quantitative", "scale": {"type": "log"}, "title": "tokens",
         "axis": {"tickCount": 3, "format": "~s"}}  # fmt: skip
    y = {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "right",
         "axis": {"format": "%", "tickCount": 3}}  # fmt: skip
    layers: list[Spec] = [
        {"mark": {"type": "rule", "color": "currentColor"},
         "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "point", "filled": True, "size": 50},
         "encoding": {"x": x, "y": y, "color": arm_color([*spec["settings"]["arms"]])}},
    ]  # fmt: skip
    return chart(rows, **_facets(spec={"layer": layers, "width": 170, "height": 120}))


def _curves(rows: list[dict[str, Any]], title: str, names: list[str]) -> Spec:
    encoding = {
        "x": {"field": "cost", "type": "quantitative", "scale": {"type": "log"}, "title": title,
              "axis": {"tickCount": 3, "format": "~s"}},
        "y": {"field": "score", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "right",
              "axis": {"format": "%", "tickCount": 3}},
        "color": arm_color(names),
    }  # fmt: skip
    mark = {"type": "line", "point": True}
    return chart(rows, **_facets(spec={"mark": mark, "encoding": encoding, "width": 170, "height": 120}))
