"""From an experiment with language models to its page, of the plain data that `Results.spec` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bpetok.lm.folder import plain_name, read
from bpetok.lm.results import kept_cuts
from bpetok.lm.tasks import find_task
from bpetok.page.charts import draw
from bpetok.page.lm_charts import lm_charts
from bpetok.page.render import self_contained

__all__ = ["lm_examples", "lm_findings", "lm_page", "lm_tables"]

_EXAMPLES = 2  # of each kind, for each task


def lm_findings(spec: Mapping[str, Any]) -> list[str]:
    """What was found, in words: first which arm does better at what, each task with its largest difference,
    then what no arm or not every arm has learned.

    Only a difference whose interval is on one side of zero, and whose p value is below 0.05 after Holm's
    adjustment, is named; the others are counted.
    """
    first = spec["settings"]["arms"][0]
    found = [one for one in spec["contrasts"] if one["budget"] == "examples" and one["reference"] == first]
    told = [one for one in found if _is_told(one)]
    lines = []
    for is_first, who in ((True, first), (False, "Another arm")):
        largest: dict[str, Mapping[str, Any]] = {}
        for one in sorted(told, key=lambda one: -abs(one["difference"][0])):
            if _is_better(one["difference"][0], one["measure"]) == is_first:
                largest.setdefault(one["task"], one)
        if largest:
            lines.append(f"{who} does better at " + "; ".join(map(_said, largest.values())) + ".")
    lines += _learned(spec)
    if len(found) > len(told):
        lines.append(
            f"{len(found) - len(told)} of {len(found)} differences from {first} are not told apart from none."
        )
    if not found:
        lines.append("Nothing can be compared yet: there is no task that two arms were tested on.")
    if spec["settings"]["seeds"] == 1:
        lines.append("There is one seed: no interval here says how much another would differ.")
    return lines


def _is_told(contrast: Mapping[str, Any]) -> bool:
    _, low, high = contrast["difference"]
    return bool(contrast["p_adjusted"] < 0.05 and not low <= 0 <= high)


def _is_better(difference: float, measure: str) -> bool:
    """Whether the one that is subtracted from is better."""
    return difference < 0 if measure == "bits_per_byte" else difference > 0


def _said(contrast: Mapping[str, Any]) -> str:
    share, low, high = map(abs, contrast["difference"])
    low, high = sorted((low, high))
    if contrast["measure"] == "bits_per_byte":
        by = f"{share:.2f} bits a byte fewer ({low:.2f} to {high:.2f})"
    else:
        by = f"{100 * share:.0f} points ({100 * low:.0f} to {100 * high:.0f})"
    better_first = _is_better(contrast["difference"][0], contrast["measure"])
    return f"{contrast['task']}, {by} {'over' if better_first else 'with'} {contrast['arm']}"


def _learned(spec: Mapping[str, Any]) -> Iterator[str]:
    """Which tasks no arm answers better than the best shortcut, and which only some do."""
    by_task: dict[str, dict[str, str]] = {}
    for cell in spec["cells"]:
        if cell["budget"] == "examples":
            by_task.setdefault(cell["task"], {})[cell["arm"]] = cell["label"]
    none = [task for task, labels in by_task.items() if "learned" not in labels.values()]
    if none:
        yield f"At {', '.join(none)} no arm lies above the best shortcut: none was seen to learn it."
    some = []
    for task, labels in by_task.items():
        without = [arm for arm, label in labels.items() if label != "learned"]
        if without and task not in none:
            some.append(f"{task} by {', '.join(without)}")
    if some:
        yield f"Learned by others, but not {'; '.join(some)}."


def lm_tables(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each budget its cells, tasks by arms: a row has a `task`, the `question` that it asks, the best
    `shortcut`, and `cells` by arm; rows of texts stand behind the others. Below them `costs` has titles, each
    with what stands there for an arm. The first arm costs with any budget what it costs in the budget
    "examples", and stands in all of them."""
    arms = spec["settings"]["arms"]
    out = []
    for budget in spec["settings"]["budgets"]:
        rows: dict[str, dict[str, Any]] = {}
        for cell in (*spec["cells"], *spec["texts"]):
            if cell["budget"] == ("examples" if cell["arm"] == arms[0] else budget):
                asked = find_task(cell["task"])[0].question
                row = rows.setdefault(
                    cell["task"],
                    {"task": cell["task"], "question": asked, "shortcut": cell["best_shortcut"], "cells": {}},
                )
                row["cells"][cell["arm"]] = cell
        shown = [arm for arm in arms if any(arm in row["cells"] for row in rows.values())]
        if rows:
            costs = {
                arm: _costs(spec, arm, [row["cells"][arm] for row in rows.values() if arm in row["cells"]])
                for arm in shown
            }
            titles = dict.fromkeys(title for one in costs.values() for title in one)
            out.append({
                "budget": budget, "arms": shown, "rows": list(rows.values()),
                "costs": {title: {arm: one[title] for arm, one in costs.items() if title in one}
                          for title in titles},
            })  # fmt: skip
    return out


def _costs(spec: Mapping[str, Any], arm: str, cells: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What an arm costs: by title, those of a training from the cheapest task to the costliest."""
    out = {}
    if arm in spec["arms"]:
        words = spec["arms"][arm]
        out["Tokens a word, bytes a token"] = (
            f"{words['tokens_per_word']:.2f}, {words['bytes_per_token']:.2f}"
        )
    context = [f"{1000 * cell['bytes_per_token']:,.0f}" for cell in cells if "bytes_per_token" in cell]
    if context:
        out["Bytes of text in a context of 1,000 tokens"] = ", ".join(context)
    for title, key, scale, form in (
        ("10¹² operations of a training", "flops", 1e12, "{:.2f}"),
        ("Seconds of a training", "seconds", 1, "{:.0f}"),
        ("Share of the device's peak, %", "utilisation", 1e-2, "{:.0f}"),
        ("Thousand parameters", "parameters", 1e3, "{:,.0f}"),
    ):
        found = [cell[key] / scale for cell in cells if cell[key] is not None]
        if found:
            ends = dict.fromkeys(form.format(each) for each in (min(found), max(found)))
            out[title] = "–".join(ends)
    return out


def lm_examples(folder: Path, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Real questions with the answers of all arms side by side, those of the models with seed 0.

    Of each task a few that the first arm alone has right, that it alone has wrong, that every arm has right,
    and that every arm has wrong, as far as there are any: a row has the `task`, the `prompt` in words, the
    `expected` answer, and for each arm `pieces` (None where the cut was not kept), the `answer` and whether
    it is `right`.

    Raises:
        FormatError: a file is damaged.
    """
    settings = spec["settings"]
    out = []
    for task in dict.fromkeys(cell["task"] for cell in spec["cells"]):
        runs = {}
        for arm in settings["arms"]:
            path = folder / "runs" / f"{plain_name(arm)}-{plain_name(task)}-examples-0.json"
            if path.exists():
                runs[arm] = read(path, "right", "answers")
        if not runs:
            continue
        items = read(folder / "items" / f"{plain_name(task)}.json", "word", "prompt", "answer", many=True)
        cuts = {arm: kept_cuts(folder, settings, arm, task) for arm in runs}
        for at in _telling([run["right"] for run in runs.values()]):
            item = items[at]
            out.append({
                "task": task,
                "prompt": " ".join(text for text, _ in item["prompt"]),
                "expected": item["answer"],
                "answers": {
                    arm: {
                        "pieces": cuts[arm][item["word"]][0] if item["word"] in cuts[arm] else None,
                        "answer": run["answers"][at],
                        "right": run["right"][at] == "1",
                    }
                    for arm, run in runs.items()
                },
            })  # fmt: skip
    return out


def _telling(marks: Sequence[str]) -> list[int]:
    """The first items on which the first arm differs from all others, or on which all agree, a few of each
    kind."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for at, given in enumerate(zip(*marks, strict=True)):
        others = set(given[1:]) or {given[0]}
        if len(others) == 1:
            kinds.setdefault((given[0], others.pop()), []).append(at)
    wanted = (("1", "0"), ("0", "1"), ("1", "1"), ("0", "0"))
    return [at for kind in wanted for at in kinds.get(kind, [])[:_EXAMPLES]]


def lm_page(folder: Path, spec: Mapping[str, Any]) -> str:
    """The page of an experiment's results: one file that needs nothing from elsewhere.

    Raises:
        FormatError: a file is damaged.
        MissingExtraError: jinja2 or vl-convert-python is not installed.
    """
    from markupsafe import Markup

    environment = folder / "environment.json"
    parts = {
        "spec": spec,
        "findings": lm_findings(spec),
        "tables": lm_tables(spec),
        "contrasts": [{**one, "turned": _turned(one)} for one in spec["contrasts"]],
        "examples": lm_examples(folder, spec),
        "charts": {name: Markup(draw(one).decode()) for name, one in lm_charts(spec).items()},
        "environment": read(environment) if environment.exists() else {},
    }
    return self_contained("lm.html.jinja", "What a tokenizer changes in a language model", {}, parts)


def _turned(contrast: Mapping[str, Any]) -> tuple[float, float, float]:
    """The difference of the arm from its reference, which is how sentences put it."""
    share, low, high = contrast["difference"]
    return -share, -high, -low
