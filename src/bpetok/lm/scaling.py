"""What a ladder shows: bits per byte against operations, and which arm is the best buy for how many.

To each arm's points, the mean of the seeds of each size, the law L(C) = E + A (C / C0)^-α is fitted
(`bpetok.lm.power_law`), over all points. On a ladder every size has one amount of compute, so there is no
envelope to take. That larger vocabularies pay from some amount of compute on is the finding of Tao et al.
(2024, "Scaling laws with vocabulary", arXiv:2407.13623), who vary models and data apart from each other.

Intervals are bootstraps over the test's stretches, the same for all arms, and over seeds, of each size by
itself. A mean of n seeds that are drawn again varies too little by the factor (n - 1) / n, which is made up
for. What intervals do not hold is whether the law is right: nothing is said of amounts of compute that some
arm was not measured around.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpetok.errors import ExperimentError
from bpetok.lm.folder import read
from bpetok.lm.ladder import Ladder
from bpetok.lm.power_law import Floats, PowerLaws, fit_power_laws
from bpetok.lm.run import Job
from bpetok.lm.statistics import Interval, resampling_weights

__all__ = ["Buy", "CurvePoint", "Fit", "Point", "Scaling", "best_buys", "draw_losses", "fit_of", "scaling"]

_VERSION = 1
_DRAWS = 2_000
_GRID = 25  # amounts of compute
_SURE = 0.95


@dataclass(frozen=True)
class Point:
    """One size of one arm.

    Attributes:
        trunk_parameters: without the embedding.
        parameters: with it.
        tokens: how many there are.
        bytes_per_token: of the test's stretches.
        rate_factor: of the learning rates that were taken.
        flops: of training, the mean of the seeds.
        bits_per_byte: of the test's stretches, the mean of the seeds.
    """

    arm: str
    width: int
    trunk_parameters: int
    parameters: int
    tokens: int
    bytes_per_token: float
    rate_factor: float
    steps: int
    flops: float
    bits_per_byte: Interval
    per_seed: tuple[float, ...]


@dataclass(frozen=True)
class CurvePoint:
    """The fitted law of an arm at an amount of compute, in bits per byte."""

    flops: float
    bits_per_byte: Interval


@dataclass(frozen=True)
class Fit:
    """The law of an arm.

    Attributes:
        floor: E, in bits per byte.
        scale: A, in bits per byte.
        alpha: α; where the interval ends at 0.01 or at 4, the points do not tell it.
        reference: C0, in operations.
        error: the root mean square of what lies between points and law, in bits per byte.
        curve: the law between the smallest and the largest amount of compute.
    """

    arm: str
    floor: Interval
    scale: Interval
    alpha: Interval
    reference: float
    error: float
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Buy:
    """Which arm is the best for an amount of compute.

    Attributes:
        lowest: the arm whose law is lowest.
        shares: of the draws, in how many each arm is lowest.
        candidates: the fewest arms that are lowest in 95 % of the draws, together: more than one are not
            told apart.
    """

    flops: float
    lowest: str
    shares: dict[str, float]
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Scaling:
    """All that a ladder shows.

    Attributes:
        settings: of the ladder.
        points: every size of every arm.
        fits: the law of every arm.
        buys: at amounts of compute between the sizes of all arms; none where their ranges do not meet.
        passes: how often the largest size reads the text.
    """

    settings: dict[str, Any]
    points: tuple[Point, ...]
    fits: tuple[Fit, ...]
    buys: tuple[Buy, ...]
    passes: float

    def spec(self) -> dict[str, Any]:
        """As plain data."""
        return {"version": _VERSION, **asdict(self)}


def scaling(folder: Path) -> Scaling:
    """What the ladder in a folder shows. It needs neither PyTorch nor the text.

    Raises:
        ExperimentError: there is no ladder, or models of it are missing; there are too few sizes; the loss of
            an arm does not fall as models grow.
        FormatError: a file is damaged.
    """
    path = folder / "ladder.json"
    if not path.exists():
        raise ExperimentError(f"{folder} holds no ladder: make one with `bpetok lm scale -o {folder}`")
    settings = read(path)
    text_bytes = settings.pop("text_bytes")
    fields: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in settings.items()
    }
    fields.pop("version")
    ladder = Ladder(**fields)
    cells = _cells(ladder, folder)
    nats = {cell: np.array([run["nats"] for run in runs], np.float64) for cell, runs in cells.items()}
    # The stretches are the same for all.
    sizes = np.array(next(iter(cells.values()))[0]["bytes"], np.float64)
    drawn = draw_losses(nats, sizes, draws=_DRAWS)
    points = [_point(ladder, *cell, runs, drawn[cell]) for cell, runs in cells.items()]
    fits, laws = [], {}
    for arm in ladder.arms:
        here = [point for point in points if point.arm == arm]
        table = np.stack([drawn[arm, point.width] for point in here], axis=1)
        fit, laws[arm] = fit_of(
            arm, [point.flops for point in here], [point.bits_per_byte.estimate for point in here], table
        )
        fits.append(fit)
    most = ladder.bytes_per_parameter * ladder.trunk_parameters(max(ladder.widths))
    return Scaling(settings, tuple(points), tuple(fits), tuple(best_buys(fits, laws)), most / text_bytes)


def _cells(ladder: Ladder, folder: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The files of each arm and width, a model's each."""
    files = {
        (arm, width): [
            folder / ladder.name(width) / Job(arm, ladder.rung(width).tasks[0], "examples", seed).file
            for seed in range(ladder.seeds)
        ]
        for arm in ladder.arms
        for width in sorted(ladder.widths)
    }
    there = [path.exists() for paths in files.values() for path in paths]
    if not all(there):
        raise ExperimentError(
            f"{folder} lacks {there.count(False)} of {len(there)} models: give the same `bpetok lm scale` "
            "again, it goes on with them"
        )
    return {cell: list(map(read, paths)) for cell, paths in files.items()}


def draw_losses(
    nats: Mapping[tuple[str, int], Floats], sizes: Floats, *, draws: int, seed: int = 0
) -> dict[tuple[str, int], Floats]:
    """Bits per byte of each arm and size in samples of seeds and stretches.

    Args:
        nats: the loss on each stretch, of shape (seeds, stretches).
        sizes: of the stretches, in bytes.

    Returns:
        for each arm and size an array of shape (draws,). In one draw the stretches are the same for all, and
        the seeds the same for all arms of a size.
    """
    rng = np.random.default_rng(seed)
    of_stretches = resampling_weights(len(sizes), draws, rng)
    of_stretches /= (of_stretches @ sizes)[:, None] * math.log(2)
    of_seeds: dict[int, Floats] = {}
    out = {}
    for (arm, width), table in nats.items():
        n = len(table)
        if width not in of_seeds:
            of_seeds[width] = resampling_weights(n, draws, rng)
        each = of_stretches @ table.T  # (draws, seeds)
        mean = each.mean(axis=1)
        wider = math.sqrt(n / (n - 1))
        out[arm, width] = mean + wider * ((of_seeds[width] * each).sum(axis=1) - mean)
    return out


def fit_of(arm: str, flops: Sequence[float], losses: Sequence[float], drawn: Floats) -> tuple[Fit, PowerLaws]:
    """The law of an arm with its intervals, and all laws behind it: the first is that of the losses, the
    others are those of the draws.

    Args:
        flops: of each size.
        losses: of each size, in bits per byte.
        drawn: the same in each draw, of shape (draws, sizes).

    Raises:
        ExperimentError: there are fewer than four sizes, or the loss does not fall as they grow.
    """
    laws = fit_power_laws(flops, np.vstack([losses, drawn]))
    if laws.scale[0] == 0:
        raise ExperimentError(
            f"the bits per byte of {arm} do not fall as models grow, so no power law can be fitted: give "
            "sizes further apart, or train longer (--bytes-per-parameter)"
        )
    grid = np.geomspace(min(flops), max(flops), _GRID)
    curve = [CurvePoint(float(at), _interval(found)) for at, found in zip(grid, laws.at(grid).T, strict=True)]
    error = float(np.sqrt(np.mean((laws.at(flops)[0] - np.asarray(losses)) ** 2)))
    floor, scale, alpha = map(_interval, (laws.floor, laws.scale, laws.alpha))
    return Fit(arm, floor, scale, alpha, laws.reference, error, tuple(curve)), laws


def best_buys(fits: Sequence[Fit], laws: Mapping[str, PowerLaws]) -> list[Buy]:
    """Which arm is best at amounts of compute that lie between the sizes of all of them.

    Args:
        fits: the law of each arm.
        laws: all laws of each arm, as `fit_of` gives them, of the same draws.
    """
    low = max(fit.curve[0].flops for fit in fits)
    high = min(fit.curve[-1].flops for fit in fits)
    if low >= high:
        return []
    names = [fit.arm for fit in fits]
    grid = np.geomspace(low, high, _GRID)
    lowest = np.stack([laws[arm].at(grid) for arm in names]).argmin(axis=0)  # (laws, amounts)
    out = []
    for flops, found in zip(grid, lowest.T, strict=True):
        shares = np.bincount(found[1:], minlength=len(names)) / len(found[1:])
        order = np.argsort(-shares, kind="stable")
        fewest = int(np.searchsorted(shares[order].cumsum(), _SURE - 1e-9)) + 1
        out.append(
            Buy(
                float(flops),
                names[found[0]],
                dict(zip(names, shares.tolist(), strict=True)),
                tuple(names[at] for at in sorted(order[:fewest])),
            )
        )
    return out


def _point(ladder: Ladder, arm: str, width: int, runs: Sequence[Mapping[str, Any]], drawn: Floats) -> Point:
    first = runs[0]
    per_seed = tuple(float(run["bits_per_byte"]) for run in runs)
    # The loss a symbol is a mean over as many symbols as the sum is over bytes.
    bytes_per_token = sum(first["bytes"]) * first["held_out_loss"] / sum(first["nats"])
    return Point(
        arm,
        width,
        ladder.trunk_parameters(width),
        first["parameters"],
        first["n_symbols"],
        bytes_per_token,
        first["rate_factor"],
        first["steps"],
        float(np.mean([run["flops"] for run in runs])),
        _interval(np.array([np.mean(per_seed), *drawn])),
        per_seed,
    )


def _interval(found: Floats) -> Interval:
    """The first of some figures with the middle 95 % of the others, which are drawn; widened to where it lies
    outside of them."""
    estimate = float(found[0])
    low, high = np.quantile(found[1:], (0.025, 0.975))
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))
