"""The results of an experiment: accuracies with intervals, beside what needs no model; differences; strata.

Every table is made from the files of an experiment's folder alone, so it can be made again, and while the
experiment is still running.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import ExperimentError, FormatError
from bpetok.lm.arms import Arm, make_arm
from bpetok.lm.data import draw_items
from bpetok.lm.statistics import Interval, bootstrap_mean, holm, paired_difference, wilson
from bpetok.lm.tasks import TASKS, Item, Part
from bpetok.lm.words import Split, leakage, load_words, split_words

__all__ = ["Cell", "Contrast", "CurvePoint", "Results", "Stratum", "results"]

# Training items from which the baselines learn; a seed of their own.
_SHOWN, _BASELINE_SEED = 20_000, 1 << 43
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
        baselines: accuracy of each baseline on the test items of a task.
        contrasts: of the first arm with each other one.
        arms: how many tokens each arm has, how many a word takes, and the share of test words with a
            token that
            no training word has.
        leakage: what test words share with training words, see `bpetok.lm.words.leakage`.
        missing: runs that are not there yet.
    """

    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
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
    entries = load_words(settings["words"], most=settings["n_words"])
    split = split_words(entries)
    words = [entry.word for entry in entries]
    arms = {spec: make_arm(spec, words) for spec in settings["arms"]}
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for path in sorted((folder / "runs").glob("*.json")):
        run = _read(path)
        run["seconds"] = _seconds(folder, path)
        job = run["job"]
        runs.setdefault((job["arm"], job["task"], job["budget"]), []).append(run)
    if not runs:
        raise ExperimentError(f"{folder} has no finished run yet: go on with `bpetok lm run`")
    items = {
        task: _items(folder, task)
        for task in settings["tasks"]
        if (folder / "items" / f"{task}.json").exists()
    }
    baselines = {task: _baselines(task, split, items[task]) for task in items}
    cells, kept, missing = [], {}, []
    for budget in settings["budgets"]:
        for task in settings["tasks"]:
            for spec in settings["arms"]:
                if budget != "examples" and spec == settings["arms"][0]:
                    continue
                found = sorted(runs.get((spec, task, budget), []), key=lambda run: run["job"]["seed"])
                seeds = [run["job"]["seed"] for run in found]
                missing += [
                    f"{spec} {task} {budget} {seed}" for seed in range(settings["seeds"]) if seed not in seeds
                ]
                if found:
                    kept[spec, task, budget] = found
                    cells.append(_cell(found, arms[spec], split, items[task], baselines[task]))
    return Results(
        settings,
        tuple(cells),
        baselines,
        tuple(_contrasts(settings, kept)),
        {spec: _arm(arm, split) for spec, arm in arms.items()},
        leakage(split),
        tuple(missing),
    )


def _scores(runs: Sequence[Run]) -> npt.NDArray[np.float64]:
    """Right or wrong, of shape (seeds, items)."""
    return np.array([[char == "1" for char in run["right"]] for run in runs], np.float64)


def _cell(
    runs: Sequence[Run],
    arm: Arm,
    split: Split,
    items: Sequence[Item],
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
        tuple(_strata(scores, arm, split, items)),
        _curve(runs, lambda point: _share(point["right"])),
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


def _strata(scores: npt.NDArray[np.float64], arm: Arm, split: Split, items: Sequence[Item]) -> list[Stratum]:
    seen = {symbol for entry in split.train for symbol in arm.word(entry.word)}
    groups: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        symbols = [symbol for part in item.prompt if part.is_word for symbol in arm.word(part.text)]
        novel = "all tokens seen" if all(symbol in seen for symbol in symbols) else "a token never seen"
        count = len(arm.word(item.word))
        groups.setdefault(novel, []).append(at)
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


def _baselines(task: str, split: Split, items: Sequence[Item]) -> dict[str, Interval]:
    known = draw_items(TASKS[task].prepare(split.train), _SHOWN, _BASELINE_SEED)
    out = {}
    for name, learn in TASKS[task].baselines.items():
        answer = learn(known)
        out[name] = wilson(sum(item.is_right(answer(item)) for item in items), len(items))
    return out


def _arm(arm: Arm, split: Split) -> dict[str, float]:
    seen = {symbol for entry in split.train for symbol in arm.word(entry.word)}
    test = [arm.word(entry.word) for entry in split.test]
    return {
        "tokens": arm.n_symbols,
        "tokens_per_word": sum(map(len, test)) / max(1, len(test)),
        "never_seen": sum(not seen.issuperset(word) for word in test) / max(1, len(test)),
    }


def _items(folder: Path, task: str) -> list[Item]:
    return [
        Item(one["word"], tuple(Part(*part) for part in one["prompt"]), one["answer"], tuple(one["accepted"]))
        for one in _read(folder / "items" / f"{task}.json")
    ]


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
