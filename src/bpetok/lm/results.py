"""The results of an experiment: accuracies with intervals, beside what needs no model; differences; strata.

Every table is made from the files of an experiment's folder alone: neither words nor tokenizers are needed,
and it can be made while the experiment is still running.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import ExperimentError, FormatError
from bpetok.lm.arms import parse_arm
from bpetok.lm.flops import utilisation
from bpetok.lm.folder import VERSION, cuts_name, plain_name, read
from bpetok.lm.run import serves
from bpetok.lm.statistics import (
    Difference,
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    holm,
    paired_difference,
    seed_difference,
    wilson,
)
from bpetok.lm.tasks import find_task

__all__ = [
    "Cell", "Contrast", "CurvePoint", "Results", "Shortcut", "Stratum", "TextCell", "kept_cuts", "results",
]  # fmt: skip

_VERSION = 3
Run = Mapping[str, Any]
# What is compared at the last point of both curves that cost no more than the cheaper training.
_EQUAL = {"equal flops": "flops", "equal time": "seconds"}


@dataclass(frozen=True)
class Stratum:
    """A part of the test items, of all seeds together."""

    name: str
    n: int
    accuracy: Interval


@dataclass(frozen=True)
class Shortcut:
    """What does best without a model: its accuracy, with a Wilson interval; of a text the bits a byte of a
    compressor, which has none."""

    name: str
    score: Interval


@dataclass(frozen=True)
class CurvePoint:
    """A point of a learning curve, the mean of the seeds: how much training, and the score on half of the
    test's items (accuracy, or bits a byte)."""

    step: int
    tokens: float
    flops: float
    seconds: float | None
    score: float


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """What all cells have: models of one arm, for one task, with one budget.

    Attributes:
        seeds: of the models that are there.
        per_seed: the score of each.
        best_shortcut: what does best without a model; None where nothing is known to.
        steps: of training.
        tokens: seen in training, padding included, the mean of the seeds.
        flops: of training, likewise.
        seconds: of training, likewise; None where no times were kept.
        machine: what trained the first of them; None where that was not kept.
        utilisation: operations a second, as a share of its peak; None where that is not known.
        n_symbols: that a model has an embedding of.
        parameters: of a model.
        curve: the course of training.
    """

    arm: str
    task: str
    budget: str
    seeds: tuple[int, ...]
    per_seed: tuple[float, ...]
    best_shortcut: Shortcut | None
    steps: int
    tokens: float
    flops: float
    seconds: float | None
    machine: str | None
    utilisation: float | None
    n_symbols: int
    parameters: int
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class TextCell(_Trained):
    """A language model of plain text.

    Attributes:
        bits_per_byte: summed nats over summed bytes, in bits, with an interval over seeds and stretches.
        bytes_per_token: of the test's stretches.
    """

    bits_per_byte: Interval
    bytes_per_token: float


@dataclass(frozen=True, kw_only=True)
class Cell(_Trained):
    """One arm on one task with one budget.

    Attributes:
        accuracy: over all seeds, with an interval over seeds and items.
        label: "learned" where that interval lies above the one of the best shortcut, "not learned" where it
            lies below it, "at baseline" where the two meet.
        strata: by tokens of the word, and by whether all of them were seen in training.
    """

    accuracy: Interval
    label: str
    strata: tuple[Stratum, ...]


@dataclass(frozen=True)
class Contrast:
    """What an arm is compared with, less that arm, on the same items, with p values adjusted over all
    contrasts of a budget. Every arm is compared with the first one, and an arm with changes also with the
    same one without them.

    The budgets "equal flops" and "equal time" are read from the curves of the budget "examples": each seed
    of both arms at the last point of its curve that cost no more than the cheaper of both whole trainings.
    There the learning rates of the costlier one have not come down yet, so its score is a lower bound. Of
    texts the curves keep no single items: there the interval is over seeds alone.

    Attributes:
        arm: which one.
        reference: the arm that it is compared with.
        measure: "accuracy", or "bits_per_byte", of which fewer are better.
        difference: reference less arm.
    """

    arm: str
    reference: str
    task: str
    budget: str
    measure: str
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
        contrasts: of the arms with the first one, and of those with changes with those without.
        arms: how many tokens each arm has, how many a test word takes, how many bytes a token has, and the
            share of test words with a token that no training word has.
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
        FormatError: a file is damaged, or of a later version.
    """
    folder = Path(folder)
    settings = _settings(folder)
    runs: dict[tuple[str, str, str], dict[int, Run]] = {}
    for path in sorted((folder / "runs").glob("*.json")):
        run = _run(folder, path)
        job = run["job"]
        runs.setdefault((job["arm"], job["task"], job["budget"]), {})[job["seed"]] = run
    if not runs:
        raise ExperimentError(f"{folder} has no finished run yet: go on with `bpetok lm run`")
    asked = sorted({task for _, task, _ in runs})
    baselines = {task: _baselines(folder, task) for task in asked}
    items = {task: read(_items(folder, task), "word", "prompt", "answer", many=True) for task in asked}
    cells: list[Cell] = []
    texts: list[TextCell] = []
    missing: list[str] = []
    for arm, task, budget in _planned(settings):
        here = runs.get((arm, task, budget), {})
        missing += [f"{arm} {task} {budget} {seed}" for seed in range(settings["seeds"]) if seed not in here]
        found = [here[seed] for seed in sorted(here)]
        if not found:
            continue
        for run in found:
            if len(run["nats" if "nats" in run else "right"]) != len(items[task]):
                raise FormatError(
                    f"{_items(folder, task)} has {len(items[task])} items, and a run of {arm} others: the "
                    "files are of two experiments; delete those that do not belong here"
                )
        if "nats" in found[0]:
            texts.append(_text_cell(found, baselines[task]))
        else:
            cells.append(_cell(found, kept_cuts(folder, settings, arm, task), items[task], baselines[task]))
    return Results(
        settings,
        tuple(cells),
        tuple(texts),
        baselines,
        tuple(_contrasts(settings, runs)),
        dict(
            _arm(read(path, "arm", "n_symbols", "words")) for path in sorted((folder / "arms").glob("*.json"))
        ),
        read(folder / "leakage.json") if (folder / "leakage.json").exists() else {},
        tuple(missing),
    )


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "experiment.json"
    if not path.exists():
        raise ExperimentError(f"{folder} holds no experiment: it has no experiment.json")
    settings: dict[str, Any] = read(path, "version", "arms", "tasks", "budgets", "seeds", "words")
    if settings["version"] > VERSION:
        raise FormatError(
            f"{path} is of version {settings['version']}, and this bpetok knows up to {VERSION}: use a "
            "later one"
        )
    return settings


def _planned(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Arm, task and budget of all cells that an experiment is to have."""
    for budget in settings["budgets"]:
        for task in settings["tasks"]:
            for arm in settings["arms"]:
                if (budget == "examples" or arm != settings["arms"][0]) and serves(arm, task):
                    yield arm, task, budget


def _run(folder: Path, path: Path) -> Run:
    """A run, with what it took."""
    found: dict[str, Any] = read(path, "job", "steps", "tokens", "flops", "n_symbols", "parameters", "curve")
    kept = folder / "times" / f"{path.parent.name}-{path.name}"
    found["seconds"], found["machine"], found["devices"] = None, None, 1
    if kept.exists():
        found.update(read(kept, "seconds", "machine"))
        if len(found["seconds"]) != len(found["curve"]):
            raise FormatError(f"{kept} has not as many times as {path} has points of a curve: delete it")
    return found


def _items(folder: Path, task: str) -> Path:
    return folder / "items" / f"{plain_name(task)}.json"


def kept_cuts(
    folder: Path, settings: Mapping[str, Any], arm: str, task: str
) -> dict[str, tuple[list[str], str]]:
    """The tokens of the test words of a task as an arm cuts them, each word's with a mark for each token: "1"
    if training has it, "0" if not. Nothing where that was not kept, as of texts.

    Raises:
        FormatError: the file is damaged.
    """
    source = find_task(task)[1]
    path = folder / "arms" / f"{cuts_name(arm, None if source == settings['words'] else source)}.json"
    return dict(read(path, "arm", "n_symbols", "words")["words"]) if path.exists() else {}


def _scores(runs: Sequence[Run]) -> npt.NDArray[np.float64]:
    """Right or wrong, of shape (seeds, items)."""
    return np.array([[char == "1" for char in run["right"]] for run in runs], np.float64)


def _bits(runs: Sequence[Run]) -> npt.NDArray[np.float64]:
    """Bits of the stretches of a text, of shape (seeds, stretches)."""
    return np.array([run["nats"] for run in runs], np.float64) / math.log(2)


def _cell(
    runs: Sequence[Run],
    cuts: Mapping[str, tuple[list[str], str]],
    items: Sequence[Mapping[str, Any]],
    baselines: Mapping[str, Interval],
) -> Cell:
    scores = _scores(runs)
    accuracy = bootstrap_mean(scores)
    best = max(baselines.items(), key=lambda one: one[1].estimate, default=None)
    return Cell(
        **_trained(runs, lambda point: _share(point["right"])),
        per_seed=tuple(float(one) for one in scores.mean(axis=1)),
        best_shortcut=None if best is None else Shortcut(*best),
        accuracy=accuracy,
        label=_label(accuracy, Interval(0.0, 0.0, 0.0) if best is None else best[1]),
        strata=tuple(_strata(scores, cuts, items)),
    )


def _label(accuracy: Interval, shortcut: Interval) -> str:
    if accuracy.low > shortcut.high:
        return "learned"
    return "not learned" if accuracy.high < shortcut.low else "at baseline"


def _text_cell(runs: Sequence[Run], baselines: Mapping[str, Interval]) -> TextCell:
    sizes = np.array(runs[0]["bytes"], np.float64)
    bits = _bits(runs)
    best = min(baselines.items(), key=lambda one: one[1].estimate, default=None)
    return TextCell(
        **_trained(runs, lambda point: _point_bits(point, runs[0])),
        per_seed=tuple(float(one) for one in bits.sum(axis=1) / sizes.sum()),
        best_shortcut=None if best is None else Shortcut(*best),
        bits_per_byte=bootstrap_ratio(bits, sizes),
        # The loss a symbol is a mean over as many symbols as the sum is over bytes.
        bytes_per_token=float(sizes.sum() * runs[0]["held_out_loss"] / sum(runs[0]["nats"])),
    )


def _trained(runs: Sequence[Run], score: Callable[[Mapping[str, Any]], float]) -> dict[str, Any]:
    job = runs[0]["job"]
    timed = [run for run in runs if run["seconds"]]
    seconds = [run["seconds"][-1] for run in timed]
    shares = [utilisation(run["flops"] / run["seconds"][-1], run["machine"], run["devices"]) for run in timed]
    known = [share for share in shares if share is not None]
    return {
        "arm": job["arm"],
        "task": job["task"],
        "budget": job["budget"],
        "seeds": tuple(run["job"]["seed"] for run in runs),
        "steps": runs[0]["steps"],
        "tokens": float(np.mean([run["tokens"] for run in runs])),
        "flops": float(np.mean([run["flops"] for run in runs])),
        "seconds": float(np.mean(seconds)) if seconds else None,
        "machine": runs[0]["machine"],
        "utilisation": float(np.mean(known)) if known else None,
        "n_symbols": runs[0]["n_symbols"],
        "parameters": runs[0]["parameters"],
        "curve": _curve(runs, score),
    }


def _share(right: str) -> float:
    return right.count("1") / len(right)


def _point_bits(point: Mapping[str, Any], run: Run) -> float:
    """Bits a byte at a point of a curve, which is about the first half of the stretches."""
    sizes = run["bytes"]
    return float(point["nats"] / sum(sizes[: len(sizes) // 2]) / math.log(2))


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
    settings: Mapping[str, Any], runs: Mapping[tuple[str, str, str], Mapping[int, Run]]
) -> list[Contrast]:
    out = []
    for budget in (*settings["budgets"], *_EQUAL):
        trained = "examples" if budget in _EQUAL else budget
        found: dict[tuple[str, str, str], tuple[str, Difference]] = {}
        for task in settings["tasks"]:
            for reference, arm in _compared(settings["arms"]):
                # The first arm costs what it costs with either budget.
                own = "examples" if reference == settings["arms"][0] else trained
                both = (runs.get((reference, task, own), {}), runs.get((arm, task, trained), {}))
                seeds = sorted(both[0].keys() & both[1].keys())
                difference = _difference([(both[0][seed], both[1][seed]) for seed in seeds], budget)
                if difference is not None:
                    found[arm, reference, task] = difference
        adjusted = holm({"\0".join(names): one.p for names, (_, one) in found.items()})
        out += [
            Contrast(*names, budget, measure, Interval(*one[:3]), one.p, adjusted["\0".join(names)])
            for names, (measure, one) in found.items()
        ]
    return out


def _compared(arms: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is compared with what: all arms with the first, and one with changes with the one without."""
    for arm in arms[1:]:
        yield arms[0], arm
        plain = parse_arm(arm)[0]
        if plain != arm and plain in arms[1:]:
            yield plain, arm


def _difference(pairs: Sequence[tuple[Run, Run]], budget: str) -> tuple[str, Difference] | None:
    """What pairs of runs, one for each seed, differ in, and by how much; None where that is not known."""
    if not pairs:
        return None
    is_text = "nats" in pairs[0][0]
    if budget not in _EQUAL:
        first, other = ([pair[at] for pair in pairs] for at in (0, 1))
        if is_text:
            return "bits_per_byte", paired_difference(_bits(first), _bits(other), first[0]["bytes"])
        return "accuracy", paired_difference(_scores(first), _scores(other))
    points = [point for pair in pairs if (point := _level(*pair, _EQUAL[budget])) is not None]
    if len(points) < len(pairs):
        return None
    first, other = ([point[at] for point in points] for at in (0, 1))
    if not is_text:
        return "accuracy", paired_difference(_scores(first), _scores(other))
    if len(points) == 1:
        return None
    whole = pairs[0][0]
    rows = ([_point_bits(point, whole) for point in side] for side in (first, other))
    return "bits_per_byte", seed_difference(*rows)


def _level(one: Run, other: Run, cost: str) -> tuple[Run, Run] | None:
    """The points of both curves where they had cost as much: None where that is not known."""
    costs = [
        run["seconds"] or [] if cost == "seconds" else [point[cost] for point in run["curve"]]
        for run in (one, other)
    ]
    if not all(costs):
        return None
    most = min(spent[-1] for spent in costs)
    out = []
    for run, spent in zip((one, other), costs, strict=True):
        at = [index for index, amount in enumerate(spent) if amount <= most]
        if not at:
            return None
        out.append(run["curve"][at[-1]])
    return out[0], out[1]


def _baselines(folder: Path, task: str) -> dict[str, Interval]:
    path = folder / "baselines" / f"{plain_name(task)}.json"
    out = {}
    for name, kept in read(path).items():
        found = kept if isinstance(kept, dict) else {}
        if "right" in found:
            out[name] = wilson(found["right"].count("1"), len(found["right"]))
        elif "bits_per_byte" in found:
            out[name] = Interval(*3 * (found["bits_per_byte"],))
        else:
            raise FormatError(
                f"{path} has no answers of {name!r}: delete it and the file of the same name in items"
            )
    return out


def _arm(cut: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """The name of an arm, with that of its words where they are not the experiment's, and its figures."""
    words = cut["words"]
    tokens = sum(len(pieces) for pieces, _ in words.values())
    name = cut["arm"] if cut.get("source") is None else f"{cut['arm']}@{cut['source']}"
    return name, {
        "tokens": cut["n_symbols"],
        "tokens_per_word": tokens / max(1, len(words)),
        "bytes_per_token": sum(len(word.encode()) for word in words) / max(1, tokens),
        "never_seen": sum("0" in seen for _, seen in words.values()) / max(1, len(words)),
    }
