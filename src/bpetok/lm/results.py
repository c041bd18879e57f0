"""The results of an experiment: accuracies with intervals, beside what needs no model; differences; strata.

Every table is made from the files of an experiment's folder alone: neither words nor tokenizers are needed,
and it can be made while the experiment is still running.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import ExperimentError, FormatError
from bpetok.lm.run import plain_name, serves
from bpetok.lm.statistics import Interval, bootstrap_mean, bootstrap_ratio, holm, paired_difference, wilson

__all__ = ["Cell", "Contrast", "CurvePoint", "Results", "Stratum", "TextCell", "results"]

_VERSION = 2
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Stratum:
    """A part of the test items, of all seeds together."""

    name: str
    n: int
    accuracy: Interval


@dataclass(frozen=True)
class CurvePoint:
    """A point of a learning curve, the mean of the seeds: how much training, and the score on half of the
    test's items (accuracy, or bits a byte)."""

    step: int
    tokens: float
    flops: float
    seconds: float | None
    score: float


@dataclass(frozen=True)
class TextCell:
    """One arm's language model of plain text with one budget.

    Attributes:
        bits_per_byte: summed nats over summed bytes, in bits, with an interval over seeds and stretches.
        bytes_per_token: of the test's stretches.
    """

    arm: str
    task: str
    budget: str
    bits_per_byte: Interval
    per_seed: tuple[float, ...]
    bytes_per_token: float
    steps: int
    flops: float
    seconds: float | None
    parameters: int
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Cell:
    """One arm on one task with one budget.

    Attributes:
        accuracy: over all seeds, with an interval over seeds and items.
        per_seed: the accuracy of each seed.
        learned: whether the interval lies above that of the best baseline.
        steps: of training.
        flops: of training, the mean of the seeds.
        seconds: of training, likewise; None where no times were kept.
        strata: by tokens of the word, and by whether all of them were seen in training.
        curve: the course of training.
    """

    arm: str
    task: str
    budget: str
    accuracy: Interval
    per_seed: tuple[float, ...]
    learned: bool
    steps: int
    flops: float
    seconds: float | None
    parameters: int
    strata: tuple[Stratum, ...]
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Contrast:
    """The first arm less another one, on the same items, with p values adjusted over all contrasts of a
    budget.

    The budgets "equal flops" and "equal time" are read from the curves of the budget "examples": each seed
    of both arms at the last point of its curve that cost no more than the cheaper of both whole trainings.
    There the learning rates of the costlier one have not come down yet, so its score is a lower bound.
    """

    arm: str
    task: str
    budget: str
    difference: Interval
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Results:
    """All that an experiment shows.

    Attributes:
        settings: of the experiment.
        cells: every arm on every task.
        texts: every arm's language model.
        baselines: accuracy of each baseline on the test items of a task; of a text, bits a byte.
        contrasts: of the first arm with each other one.
        arms: how many tokens each arm has, how many a test word takes, and the share of test words with a
            token that no training word has.
        leakage: what test words share with training words, see `bpetok.lm.words.leakage`.
        missing: runs that are not there yet.
    """

    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    texts: tuple[TextCell, ...]
    baselines: Mapping[str, Mapping[str, Interval]]
    contrasts: tuple[Contrast, ...]
    arms: Mapping[str, Mapping[str, float]]
    leakage: Mapping[str, float]
    missing: tuple[str, ...] = field(default=())

    def spec(self) -> dict[str, Any]:
        """As plain data: what `bpetok lm report --json` writes."""
        plain: dict[str, Any] = json.loads(json.dumps({"version": _VERSION, **asdict(self)}))
        return plain


def results(folder: str | Path) -> Results:
    """The results in an experiment's folder, as far as they are there.

    Raises:
        ExperimentError: the folder holds no experiment, or no finished run.
        FormatError: a file is damaged.
    """
    folder = Path(folder)
    if not (folder / "experiment.json").exists():
        raise ExperimentError(f"{folder} holds no experiment: it has no experiment.json")
    settings = _read(folder / "experiment.json")
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for path in sorted((folder / "runs").glob("*.json")):
        run = _read(path)
        run["seconds"] = _seconds(folder, path)
        job = run["job"]
        runs.setdefault((job["arm"], job["task"], job["budget"]), []).append(run)
    if not runs:
        raise ExperimentError(f"{folder} has no finished run yet: go on with `bpetok lm run`")
    cuts = {path.stem: _read(path) for path in sorted((folder / "arms").glob("*.json"))}
    asked = sorted({task for _, task, _ in runs})
    baselines = {task: _baselines(folder, task) for task in asked}
    items = {task: _read(folder / "items" / f"{plain_name(task)}.json") for task in asked}
    cells: list[Cell] = []
    texts: list[TextCell] = []
    missing: list[str] = []
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for budget in settings["budgets"]:
        for task in settings["tasks"]:
            for spec in settings["arms"]:
                if (budget != "examples" and spec == settings["arms"][0]) or not serves(spec, task):
                    continue
                here = sorted(runs.get((spec, task, budget), []), key=lambda run: run["job"]["seed"])
                seeds = [run["job"]["seed"] for run in here]
                missing += [
                    f"{spec} {task} {budget} {seed}" for seed in range(settings["seeds"]) if seed not in seeds
                ]
                if not here:
                    continue
                if "nats" in here[0]:
                    texts.append(_text_cell(here))
                    continue
                found[spec, task, budget] = here
                name = plain_name(spec)
                cut = cuts.get(f"{name}-{plain_name(task)}") or cuts.get(name)
                cells.append(_cell(here, cut["words"] if cut else {}, items[task], baselines[task]))
    return Results(
        settings,
        tuple(cells),
        tuple(texts),
        baselines,
        tuple(_contrasts(settings, found)),
        {cut["arm"] if name == plain_name(cut["arm"]) else name: _arm(cut) for name, cut in cuts.items()},
        _read(folder / "leakage.json") if (folder / "leakage.json").exists() else {},
        tuple(missing),
    )


def _scores(runs: Sequence[Run]) -> npt.NDArray[np.float64]:
    """Right or wrong, of shape (seeds, items)."""
    return np.array([[char == "1" for char in run["right"]] for run in runs], np.float64)


def _cell(
    runs: Sequence[Run],
    cuts: Mapping[str, tuple[list[str], str]],
    items: Sequence[Mapping[str, Any]],
    baselines: Mapping[str, Interval],
) -> Cell:
    scores = _scores(runs)
    accuracy = bootstrap_mean(scores)
    best = max((one.high for one in baselines.values()), default=0.0)
    job = runs[0]["job"]
    return Cell(
        job["arm"],
        job["task"],
        job["budget"],
        accuracy,
        tuple(float(one) for one in scores.mean(axis=1)),
        accuracy.low > best,
        runs[0]["steps"],
        float(np.mean([run["flops"] for run in runs])),
        _mean_seconds(runs),
        runs[0]["parameters"],
        tuple(_strata(scores, cuts, items)),
        _curve(runs, lambda point: _share(point["right"])),
    )


def _text_cell(runs: Sequence[Run]) -> TextCell:
    sizes = np.array(runs[0]["bytes"], np.float64)
    table = np.array([run["nats"] for run in runs], np.float64)
    half = sizes[: len(sizes) // 2].sum()
    job = runs[0]["job"]
    return TextCell(
        job["arm"],
        job["task"],
        job["budget"],
        bootstrap_ratio(table / math.log(2), sizes),
        tuple(float(one) for one in table.sum(axis=1) / sizes.sum() / math.log(2)),
        # The loss a symbol is a mean over as many symbols as the sum is over bytes.
        float(sizes.sum() * runs[0]["held_out_loss"] / table[0].sum()),
        runs[0]["steps"],
        float(np.mean([run["flops"] for run in runs])),
        _mean_seconds(runs),
        runs[0]["parameters"],
        _curve(runs, lambda point: point["nats"] / half / math.log(2)),
    )


def _mean_seconds(runs: Sequence[Run]) -> float | None:
    seconds = [run["seconds"][-1] for run in runs if run["seconds"]]
    return float(np.mean(seconds)) if seconds else None


def _share(right: str) -> float:
    return right.count("1") / len(right)


def _curve(runs: Sequence[Run], score: Callable[[Mapping[str, Any]], float]) -> tuple[CurvePoint, ...]:
    out = []
    for at, point in enumerate(runs[0]["curve"]):
        points = [run["curve"][at] for run in runs]
        seconds = [run["seconds"][at] for run in runs if run["seconds"]]
        out.append(
            CurvePoint(
                point["step"],
                float(np.mean([one["tokens"] for one in points])),
                float(np.mean([one["flops"] for one in points])),
                float(np.mean(seconds)) if seconds else None,
                float(np.mean([score(one) for one in points])),
            )
        )
    return tuple(out)


def _strata(
    scores: npt.NDArray[np.float64],
    cuts: Mapping[str, tuple[list[str], str]],
    items: Sequence[Mapping[str, Any]],
) -> list[Stratum]:
    """By how the words asked about are cut; nothing where that was not kept, as of words that were taught."""
    groups: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        words = [text for text, is_word in item["prompt"] if is_word]
        if not all(word in cuts for word in words):
            return []
        seen = all("0" not in cuts[word][1] for word in words)
        count = len(cuts[item["word"]][0])
        groups.setdefault("all tokens seen" if seen else "a token never seen", []).append(at)
        groups.setdefault(f"{count if count < 4 else '4 or more'} token{'s' * (count > 1)}", []).append(at)
    return [
        Stratum(name, scores[:, at].size, wilson(int(scores[:, at].sum()), scores[:, at].size))
        for name, at in sorted(groups.items())
    ]


def _contrasts(
    settings: Mapping[str, Any], runs: Mapping[tuple[str, str, str], Sequence[Run]]
) -> list[Contrast]:
    first = settings["arms"][0]
    out = []
    for budget in (*settings["budgets"], "equal flops", "equal time"):
        found = {}
        for task in settings["tasks"]:
            for spec in settings["arms"][1:]:
                reference = runs.get((first, task, "examples"), ())
                other = runs.get((spec, task, "examples" if budget.startswith("equal") else budget), ())
                seeds = min(len(reference), len(other))
                if not seeds:
                    continue
                if budget.startswith("equal"):
                    pairs = [_level(*pair, budget) for pair in zip(reference, other, strict=False)]
                    if any(pair is None for pair in pairs):
                        continue
                    tables = [[list(map(int, pair[at])) for pair in pairs if pair] for at in (0, 1)]
                    found[spec, task] = paired_difference(*tables)
                else:
                    found[spec, task] = paired_difference(_scores(reference[:seeds]), _scores(other[:seeds]))
        adjusted = holm({f"{spec}\0{task}": one.p for (spec, task), one in found.items()})
        out += [
            Contrast(
                spec,
                task,
                budget,
                Interval(one.estimate, one.low, one.high),
                one.p,
                adjusted[f"{spec}\0{task}"],
            )
            for (spec, task), one in found.items()
        ]
    return out


def _level(one: Run, other: Run, budget: str) -> tuple[str, str] | None:
    """What both got right when they had cost as much: None where that is not known."""
    costs = []
    for run in (one, other):
        costs.append(
            [point["flops"] for point in run["curve"]] if budget == "equal flops" else run["seconds"] or []
        )
    if not all(costs):
        return None
    most = min(cost[-1] for cost in costs)
    out = []
    for run, cost in zip((one, other), costs, strict=True):
        at = [index for index, spent in enumerate(cost) if spent <= most]
        if not at:
            return None
        out.append(run["curve"][at[-1]]["right"])
    return out[0], out[1]


def _baselines(folder: Path, task: str) -> dict[str, Interval]:
    out = {}
    for name, kept in _read(folder / "baselines" / f"{plain_name(task)}.json").items():
        if "right" in kept:
            out[name] = wilson(kept["right"].count("1"), len(kept["right"]))
        else:
            out[name] = Interval(*3 * (kept["bits_per_byte"],))
    return out


def _arm(cut: Mapping[str, Any]) -> dict[str, float]:
    words = cut["words"].values()
    return {
        "tokens": cut["n_symbols"],
        "tokens_per_word": sum(len(pieces) for pieces, _ in words) / max(1, len(words)),
        "never_seen": sum("0" in seen for _, seen in words) / max(1, len(words)),
    }


def _seconds(folder: Path, path: Path) -> list[float] | None:
    kept = folder / "times" / f"{path.parent.name}-{path.name}"
    return list(_read(kept)["seconds"]) if kept.exists() else None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path} cannot be read ({error}): delete it, and run `bpetok lm run` again"
        ) from error
