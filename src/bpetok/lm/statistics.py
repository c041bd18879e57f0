"""Intervals and tests: what the figures carry, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "Difference",
    "Interval",
    "bootstrap_mean",
    "bootstrap_ratio",
    "holm",
    "mcnemar",
    "paired_difference",
    "resampling_weights",
    "seed_difference",
    "wilson",
]


class Interval(NamedTuple):
    """An estimate with the bounds of its confidence interval."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference of two figures, with the bounds of its interval and a two-sided p value."""

    estimate: float
    low: float
    high: float
    p: float


def wilson(right: int, n: int, z: float = 1.959963984540054) -> Interval:
    """The score interval of a share (Wilson 1927), by default of 95 %.

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.8, 0.49, 0.943]
    """
    if n == 0:
        return Interval(float("nan"), 0.0, 1.0)
    share, z2 = right / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5
    # Rounding must not leave the share itself outside, where it is 0 or 1.
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def resampling_weights(n: int, draws: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How much each of n has in samples drawn from them with replacement, of shape (draws, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=draws) / n


@lru_cache(maxsize=4)  # tables of one shape are many, and drawing takes longer than the rest
def _weights(
    seeds: int, items: int, draws: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The shares of seeds and of items in samples, of shapes (draws, seeds) and (draws, items)."""
    rng = np.random.default_rng(seed)
    return resampling_weights(seeds, draws, rng), resampling_weights(items, draws, rng)


def _resampled(
    amounts: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64], draws: int, seed: int
) -> npt.NDArray[np.float64]:
    """Ratios of (seeds, items) amounts to the sizes of the items, with seeds and items both drawn again, each
    with replacement."""
    by_seed, by_item = _weights(*amounts.shape, draws, seed)
    ratios: npt.NDArray[np.float64] = np.einsum("ds,ds->d", by_seed, by_item @ amounts.T) / (by_item @ sizes)
    return ratios


def _ratio(amounts: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> float:
    return float(amounts.mean(axis=0).sum() / sizes.sum())


def bootstrap_ratio(
    amounts: npt.ArrayLike, sizes: npt.ArrayLike, *, draws: int = 2_000, seed: int = 0
) -> Interval:
    """The mean over seeds of summed amounts, of shape (seeds, items), over the summed sizes of the items,
    with a 95 % interval over both."""
    table, by = np.asarray(amounts, np.float64), np.asarray(sizes, np.float64)
    low, high = np.quantile(_resampled(table, by, draws, seed), (0.025, 0.975))
    return Interval(_ratio(table, by), float(low), float(high))


def bootstrap_mean(scores: npt.ArrayLike, *, draws: int = 2_000, seed: int = 0) -> Interval:
    """The mean of scores of shape (seeds, items), with a 95 % interval over both."""
    table = np.asarray(scores, np.float64)
    return bootstrap_ratio(table, np.ones(table.shape[1]), draws=draws, seed=seed)


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    sizes: npt.ArrayLike | None = None,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> Difference:
    """The mean difference of two tables of scores of shape (seeds, items), the same items in both.

    The interval is that of the bootstrap over seeds and items; p is twice the share of draws on the other
    side of zero, and not below 1 / draws.

    Args:
        first: scores.
        second: what is subtracted.
        sizes: of the items; given, scores are amounts, and the difference is one of ratios to the sizes.
        draws: samples.
        seed: of the samples.
    """
    table = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    by = np.ones(table.shape[1]) if sizes is None else np.asarray(sizes, np.float64)
    ratios = _resampled(table, by, draws, seed)
    low, high = np.quantile(ratios, (0.025, 0.975))
    beyond = min(float(np.mean(ratios <= 0)), float(np.mean(ratios >= 0)))
    return Difference(_ratio(table, by), float(low), float(high), min(1.0, max(2 * beyond, 1 / draws)))


def seed_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Difference:
    """The mean difference of two rows of figures, one a seed, where those of single items are not known: with
    the interval and the p value of the paired t test (Student 1908).

    >>> [round(x, 3) for x in seed_difference([3.0, 4.0, 5.0], [2.0, 2.0, 2.0])]
    [2.0, -0.484, 4.484, 0.074]

    Raises:
        ValueError: there are fewer than two seeds.
    """
    each = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if len(each) < 2:
        raise ValueError("the difference of one seed has no interval: give two or more")
    free = len(each) - 1
    mean, error = float(each.mean()), float(each.std(ddof=1)) / len(each) ** 0.5
    # With t = tan(angle) times the root of the degrees of freedom, its density is a power of the cosine.
    angles = np.linspace(0, np.pi / 2, 100_001)
    density = np.cos(angles) ** (free - 1)
    mass = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
    mass /= mass[-1]
    half = free**0.5 * float(np.tan(np.interp(0.95, mass, angles))) * error
    p = 1 - float(np.interp(np.arctan2(abs(mean), error * free**0.5), angles, mass))
    return Difference(mean, mean - half, mean + half, p)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p value of a paired difference (McNemar 1947): how often chance alone would part
    the items that only one of two got right as unevenly as this, or more.

    >>> mcnemar(0, 5), mcnemar(4, 4)
    (0.0625, 1.0)
    """
    n = only_first + only_second
    beyond = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    # Whole numbers, as 2 ** n is beyond a float from 1,024 items on.
    return min(1.0, 2 * beyond / 2**n) if n else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p values of several tests (Holm 1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[str, float] = {}
    least = 0.0
    for at, (name, p) in enumerate(sorted(p_values.items(), key=lambda pair: pair[1])):
        least = max(least, min(1.0, p * (len(p_values) - at)))
        adjusted[name] = least
    return adjusted
