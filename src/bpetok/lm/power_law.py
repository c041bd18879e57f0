"""Power laws over compute: L(C) = E + A (C / C0)^-α, fitted to many samples of losses at once.

The form is that of Kaplan et al. (2020), with the floor E that Hoffmann et al. (2022) add. C0, the
geometric mean of the amounts of compute, is no parameter: it keeps A of the size of a loss.

For a given α the law is linear in E and A, so both follow by least squares, none below zero; and α is
searched, on a grid and then on finer ones around its best point. That needs no starting values and cannot
end in a local minimum that is wider than the grid's step. Errors count in the unit of the loss, and all
points alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bpetok.errors import ExperimentError

__all__ = ["LEAST_POINTS", "PowerLaws", "fit_power_laws"]

LEAST_POINTS = 4  # one more than there are parameters
_ALPHAS = np.geomspace(0.01, 4.0, 161)
_FINER = 21  # points of each finer grid
_ROUNDS = 3
_AT_ONCE = 256  # samples, so that the grid over all of them needs little memory

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaws:
    """Fitted laws, one for each sample.

    Attributes:
        floor: E, what no compute takes away, in the unit of the loss; shape (samples,).
        scale: A, what lies above the floor at C0; shape (samples,).
        alpha: the exponent, from 0.01 to 4: at these bounds the points do not tell it; shape (samples,).
        reference: C0, in operations.
    """

    floor: Floats
    scale: Floats
    alpha: Floats
    reference: float

    def at(self, compute: npt.ArrayLike) -> Floats:
        """The losses at some amounts of compute, of shape (samples, amounts)."""
        log = np.log(np.asarray(compute, np.float64) / self.reference)
        return self.floor[:, None] + self.scale[:, None] * np.exp(-self.alpha[:, None] * log)


def fit_power_laws(compute: npt.ArrayLike, losses: npt.ArrayLike) -> PowerLaws:
    """The laws that fit samples of losses best.

    Takes O(samples · points) memory for each value of α that is tried, 224 of them.

    Args:
        compute: operations, shape (points,), above zero.
        losses: shape (samples, points).

    Raises:
        ExperimentError: there are fewer than four different amounts of compute, so that three parameters
            fit whatever the losses are.
    """
    given, table = np.asarray(compute, np.float64), np.atleast_2d(np.asarray(losses, np.float64))
    different = len(np.unique(given))
    if different < LEAST_POINTS:
        raise ExperimentError(
            f"a power law with a floor has 3 parameters, and there are {different} amounts of compute: give "
            f"{LEAST_POINTS} sizes or more (--widths)"
        )
    logs = np.log(given)
    reference = float(np.exp(logs.mean()))
    logs = logs - logs.mean()
    parts = [_fit(logs, table[at : at + _AT_ONCE]) for at in range(0, len(table), _AT_ONCE)]
    floor, scale, alpha = (np.concatenate(each) for each in zip(*parts, strict=True))
    return PowerLaws(floor, scale, alpha, reference)


def _fit(logs: Floats, losses: Floats) -> tuple[Floats, Floats, Floats]:
    grid = np.broadcast_to(_ALPHAS, (len(losses), len(_ALPHAS)))
    step = np.log(_ALPHAS[1] / _ALPHAS[0])
    rows = np.arange(len(losses))
    for at in range(_ROUNDS + 1):
        floor, scale, errors = _linear(logs, losses, grid)
        best = errors.argmin(axis=1)
        alpha = grid[rows, best]
        if at < _ROUNDS:
            around = np.exp(np.linspace(-step, step, _FINER))
            grid = np.clip(alpha[:, None] * around, _ALPHAS[0], _ALPHAS[-1])
            step = 2 * step / (_FINER - 1)
    return floor[rows, best], scale[rows, best], alpha


def _linear(logs: Floats, losses: Floats, alphas: Floats) -> tuple[Floats, Floats, Floats]:
    """For each sample and α the best floor and scale, none below zero, and the sum of squared errors; each
    of shape (samples, alphas)."""
    x = np.exp(-alphas[..., None] * logs)  # (samples, alphas, points)
    y = losses[:, None, :]
    mean_x, mean_y = x.mean(axis=-1), y.mean(axis=-1)
    away = x - mean_x[..., None]
    scale = (away * y).sum(axis=-1) / (away * away).sum(axis=-1)
    floor = mean_y - scale * mean_x
    # Where one bound is met the best value lies on it, for the error is convex.
    through_zero = (x * y).sum(axis=-1) / (x * x).sum(axis=-1)
    scale = np.where(floor < 0, through_zero, scale)
    floor = np.where(floor < 0, 0.0, floor)
    floor = np.where(scale < 0, mean_y, floor)
    scale = np.maximum(scale, 0.0)
    errors = np.square(floor[..., None] + scale[..., None] * x - y).sum(axis=-1)
    return floor, scale, errors
