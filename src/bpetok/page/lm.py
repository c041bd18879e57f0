"""From an experiment with language models to its page, of the plain data that `Results.spec` gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpetok.lm.run import plain_name
from bpetok.page.charts import draw
from bpetok.page.lm_charts import lm_charts
from bpetok.page.render import self_contained

__all__ = ["lm_examples", "lm_findings", "lm_label", "lm_page"]

_EXAMPLES = 3  # right, and as many wrong, of each cell


def lm_label(spec: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    """What a cell's interval says beside that of its best baseline: "learned" where it lies above,
    "not learned" where it lies below, "at baseline" where the two meet."""
    if cell["learned"]:
        return "learned"
    best = max((one[1] for one in spec["baselines"].get(cell["task"], {}).values()), default=0.0)
    return "not learned" if cell["accuracy"][2] < best else "at baseline"


def lm_findings(spec: Mapping[str, Any]) -> list[str]:
    """The differences in words: only those whose interval is on one side of zero, and whose p value is
    below 0.05 after Holm's adjustment; the others are counted."""
    first, lines = spec["settings"]["arms"][0], []
    found = [one for one in spec["contrasts"] if one["budget"] == "examples"]
    open_ = 0
    for one in sorted(found, key=lambda one: -abs(one["difference"][0])):
        share, low, high = (100 * bound for bound in one["difference"])
        if one["p_adjusted"] >= 0.05 or low <= 0 <= high:
            open_ += 1
            continue
        less = "fewer" if share > 0 else "more"
        low, high = sorted((abs(low), abs(high)))
        lines.append(
            f"{one['task']}: {one['arm']} has {abs(share):.0f} points {less} right than {first} "
            f"({low:.0f} to {high:.0f})."
        )
    if open_:
        lines.append(f"{open_} of {len(found)} differences from {first} are not told apart from none.")
    if not found:
        lines.append("Nothing can be compared yet: there is no task that two arms were tested on.")
    if spec["settings"]["seeds"] == 1:
        lines.append("There is one seed: no interval here says how much another would differ.")
    return lines


def lm_examples(folder: Path) -> list[dict[str, Any]]:
    """Answers of the models with seed 0, right and wrong, with the word as its tokens."""
    out = []
    for path in sorted((folder / "runs").glob("*-examples-0.json")):
        run = _read(path)
        if "right" not in run:
            continue
        arm, task = plain_name(run["job"]["arm"]), plain_name(run["job"]["task"])
        items = _read(folder / "items" / f"{task}.json")
        cut = next((each for name in (f"{arm}-{task}", arm)
                    if (each := folder / "arms" / f"{name}.json").exists()), None)  # fmt: skip
        cuts = _read(cut)["words"] if cut else {}
        for mark in "10":
            at = [index for index, one in enumerate(run["right"]) if one == mark][:_EXAMPLES]
            out += [
                {
                    "arm": run["job"]["arm"],
                    "task": run["job"]["task"],
                    "right": mark == "1",
                    "prompt": [
                        {"pieces": cuts.get(text, [[text]])[0] if is_word else [text], "is_word": is_word}
                        for text, is_word in items[index]["prompt"]
                    ],
                    "expected": items[index]["answer"],
                    "answer": run["answers"][index],
                }
                for index in at
            ]
    return out


def lm_page(folder: Path, spec: Mapping[str, Any]) -> str:
    """The page of an experiment's results: one file that needs nothing from elsewhere.

    Raises:
        MissingExtraError: jinja2 or vl-convert-python is not installed.
    """
    from markupsafe import Markup

    environment = folder / "environment.json"
    parts = {
        "spec": spec,
        "findings": lm_findings(spec),
        "label": lambda cell: lm_label(spec, cell),
        "examples": lm_examples(folder),
        "charts": {name: Markup(draw(one).decode()) for name, one in lm_charts(spec).items()},
        "environment": _read(environment) if environment.exists() else {},
    }
    return self_contained("lm.html.jinja", "What the tokenizer took away, and what it gave", {}, parts)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
