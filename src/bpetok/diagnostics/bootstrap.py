"""Intervals: what the figures would be had other segments of the same kind been drawn.

The percentile bootstrap (Efron 1979) over the segments of a parallel text. All languages and all tokenizers
share the same draws, so that differences between them carry no noise of the drawing.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

__all__ = ["LEVEL", "Resampling"]

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


class Resampling:
    """Draws of segments with replacement.

    Args:
        n_segments: of the parallel text.
        draws: how many times as many segments are drawn.
        seed: of the generator.
    """

    def __init__(self, n_segments: int, draws: int = 1000, seed: int = 0) -> None:
        self.n_segments = n_segments
        self.draws = draws
        self.seed = seed

    @functools.cached_property
    def weights(self) -> Floats:
        """How often each segment is drawn, shape (n_segments, draws)."""
        rng = np.random.default_rng(self.seed)
        share = np.full(self.n_segments, 1 / self.n_segments)
        return rng.multinomial(self.n_segments, share, size=self.draws).T.astype(np.float64)

    def sums(self, counts: npt.NDArray[np.number]) -> Floats:
        """Sums over segments, shape (n, 1 + draws): over all of them, then over those of each draw.

        Args:
            counts: shape (n, n_segments).
        """
        counts = counts.astype(np.float64)
        return np.concatenate((counts.sum(1, keepdims=True), counts @ self.weights), axis=1)

    def interval(self, estimates: Floats) -> tuple[Floats, Floats]:
        """The bounds that `LEVEL` of the draws lie between, for each row of shape (n, 1 + draws).

        NaN where there is nothing to draw from: fewer than two segments, or a draw without a value.
        """
        nothing = np.full(len(estimates), np.nan)
        if self.n_segments < 2 or not self.draws or not len(estimates):
            return nothing, nothing
        drawn = np.sort(estimates[:, 1:], axis=1)  # NaN goes last
        at = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]) * (self.draws - 1)
        below = np.floor(at).astype(int)
        above = np.minimum(below + 1, self.draws - 1)
        low, high = (drawn[:, below] + (drawn[:, above] - drawn[:, below]) * (at - below)).T
        undefined = np.isnan(drawn[:, -1])
        return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
