"""Intervals and tests: what the figures carry, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    "wilson",
]


class Interval(NamedTuple):
    """An estimate with the bounds of its confidence interval."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference of two shares, with the bounds of its interval and a two-sided p value."""

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


def _weights(n: int, draws: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How much each of n has in samples drawn from them with replacement, of shape (draws, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=draws) / n


def _resampled(
    scores: npt.NDArray[np.float64], draws: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Means of (seeds, items) scores, with seeds and items both drawn again, each with replacement."""
    seeds, items = scores.shape
    weight_seeds, weight_items = _weights(seeds, draws, rng), _weights(items, draws, rng)
    means: npt.NDArray[np.float64] = np.einsum(
        "ds,si,di->d", weight_seeds, scores, weight_items, optimize=True
    )
    return means


def bootstrap_mean(scores: npt.ArrayLike, *, draws: int = 2_000, seed: int = 0) -> Interval:
    """The mean of scores of shape (seeds, items), with a 95 % interval over both."""
    table = np.asarray(scores, np.float64)
    means = _resampled(table, draws, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(table.mean()), float(low), float(high))


def bootstrap_ratio(
    amounts: npt.ArrayLike, sizes: npt.ArrayLike, *, draws: int = 2_000, seed: int = 0
) -> Interval:
    """The mean over seeds of summed amounts, of shape (seeds, items), over the summed sizes of the items,
    with a 95 % interval over both."""
    table, by = np.asarray(amounts, np.float64), np.asarray(sizes, np.float64)
    rng = np.random.default_rng(seed)
    weight_seeds, weight_items = _weights(len(table), draws, rng), _weights(len(by), draws, rng)
    sums = np.einsum("ds,si,di->d", weight_seeds, table, weight_items, optimize=True)
    low, high = np.quantile(sums / (weight_items @ by), (0.025, 0.975))
    return Interval(float(table.mean(axis=0).sum() / by.sum()), float(low), float(high))


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, draws: int = 10_000, seed: int = 0
) -> Difference:
    """The mean difference of two tables of scores of shape (seeds, items), the same items in both.

    The interval is that of the bootstrap over seeds and items; p is twice the share of draws on the other
    side of zero, and not below 1 / draws.
    """
    table = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    means = _resampled(table, draws, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.025, 0.975))
    beyond = min(float(np.mean(means <= 0)), float(np.mean(means >= 0)))
    return Difference(
        float(table.mean()), float(low), float(high), float(min(1.0, max(2 * beyond, 1 / draws)))
    )


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
