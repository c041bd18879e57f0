"""A ladder of language models in charts and words, of the plain data that `Scaling.spec` gives."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from bpetok.page.charts import Spec, chart
from bpetok.page.lm_charts import arm_color

__all__ = ["scale_buys", "scale_charts", "scale_findings"]


def scale_charts(spec: Mapping[str, Any]) -> dict[str, Spec]:
    """All charts by name: `scale`, bits per byte against operations; and `best-buy`, in what share of the
    draws each arm is lowest, where there is an amount of compute that all arms were measured around."""
    made = {"scale": _laws(spec)}
    if spec["buys"]:
        made["best-buy"] = _shares(spec)
    return made


def scale_buys(spec: Mapping[str, Any]) -> list[tuple[float, float, tuple[str, ...]]]:
    """Stretches of compute with the same candidates for the best buy: from, to, and the arms."""
    out = []
    for arms, run in itertools.groupby(spec["buys"], key=lambda buy: tuple(buy["candidates"])):
        amounts = [buy["flops"] for buy in run]
        out.append((amounts[0], amounts[-1], arms))
    return out


def scale_findings(spec: Mapping[str, Any]) -> list[str]:
    """What the ladder shows, in sentences; and what it cannot show."""
    lines = []
    for low, high, arms in scale_buys(spec):
        where = f"From {low:.2g} to {high:.2g} FLOPs" if high > low else f"At {low:.2g} FLOPs"
        *others, last = arms
        lines.append(
            f"{where} {', '.join(others)} and {last} are not told apart as the best buy."
            if others
            else f"{where} {last} is the best buy."
        )
    if not spec["buys"]:
        lines.append(
            "No amount of compute lies between the sizes of all arms, so none is compared: add widths."
        )
    for fit in spec["fits"]:
        _, low, high = fit["alpha"]
        if low <= 0.0101 or high >= 3.99:
            lines.append(f"These sizes do not tell the exponent of {fit['arm']}: add widths further apart.")
    if spec["passes"] > 1:
        lines.append(f"The largest size reads the text {spec['passes']:.1f} times, not new text all along.")
    return lines


def _x() -> Spec:
    return {"field": "flops", "type": "quantitative", "scale": {"type": "log", "nice": False},
            "title": "operations of training (FLOPs)", "axis": {"format": ".0e", "tickCount": 5}}  # fmt: skip


def _laws(spec: Mapping[str, Any]) -> Spec:
    color = arm_color([*spec["settings"]["arms"]])
    rows: list[dict[str, Any]] = [
        {"arm": fit["arm"], "flops": at["flops"], "law": estimate, "low": low, "high": high}
        for fit in spec["fits"]
        for at in fit["curve"]
        for estimate, low, high in (at["bits_per_byte"],)
    ]
    for point in spec["points"]:
        about = f"{point['arm']}, width {point['width']}: {point['bits_per_byte'][0]:.3f} bits per byte"
        rows += [
            {"arm": point["arm"], "flops": point["flops"], "bits": bits, "about": about}
            for bits in point["per_seed"]
        ]
    y = {"type": "quantitative", "scale": {"zero": False}, "title": "bits per byte"}

    def of(field: str) -> list[Spec]:
        return [{"filter": f"isValid(datum.{field})"}]

    layers: list[Spec] = [
        {"transform": of("low"), "mark": {"type": "area", "opacity": 0.2},
         "encoding": {"x": _x(), "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": color}},
        {"transform": of("law"), "mark": {"type": "line", "strokeWidth": 1.5},
         "encoding": {"x": _x(), "y": {**y, "field": "law"}, "color": color}},
        {"transform": of("bits"), "mark": {"type": "point", "filled": True, "size": 26},
         "encoding": {"x": _x(), "y": {**y, "field": "bits"}, "color": color,
                      "description": {"field": "about"}}},
    ]  # fmt: skip
    return chart(rows, width=480, height=300, layer=layers)


def _shares(spec: Mapping[str, Any]) -> Spec:
    rows = [
        {"arm": arm, "flops": buy["flops"], "share": share}
        for buy in spec["buys"]
        for arm, share in buy["shares"].items()
    ]
    y = {"field": "share", "type": "quantitative", "stack": True, "scale": {"domain": [0, 1]},
         "title": "draws in which it is lowest", "axis": {"format": "%", "tickCount": 3}}  # fmt: skip
    encoding = {"x": _x(), "y": y, "color": arm_color([*spec["settings"]["arms"]])}
    return chart(rows, width=480, height=150, mark={"type": "area", "opacity": 0.8}, encoding=encoding)
