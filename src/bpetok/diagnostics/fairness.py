"""Who pays: premiums over a reference language, what they are made of, and how unequal they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.corpora import ParallelCorpus

__all__ = ["gini", "premiums", "spread"]

Floats = npt.NDArray[np.float64]


def gini(values: Floats) -> Floats:
    """The Gini coefficient of each column: half the mean absolute difference of two values, divided by the
    mean.

    Over all ordered pairs, a value with itself too: 0 when all are equal, below 1 - 1/n. O(n log n).

    >>> gini(np.array([[1.0, 1.0], [1.0, 3.0]])).tolist()
    [0.0, 0.25]
    """
    ordered = np.sort(values, axis=0)
    n = len(ordered)
    weights = 2 * np.arange(1, n + 1) - n - 1
    return np.asarray(weights @ ordered / (n * ordered.sum(0)), np.float64)


def premiums(
    corpus: ParallelCorpus,
    tokens: npt.NDArray[np.int64],
    n_bytes: npt.NDArray[np.int64],
    reference: int,
    resampling: Resampling,
) -> dict[str, Floats]:
    """Premium, byte premium and vocabulary penalty, shape (languages, 1 + draws) each.

    Each language is compared with the reference over the segments that both have; NaN where there is none.
    The first is the product of the others: tokens / tokens = bytes / bytes x (tokens per byte / tokens per
    byte).

    Args:
        corpus: what was measured on.
        tokens: of each text.
        n_bytes: of each text.
        reference: the number of a language.
        resampling: of the segments.
    """
    common = corpus.present & corpus.present[reference]

    def over_reference(counts: npt.NDArray[np.int64]) -> Floats:
        table = corpus.table(counts)
        own, other = resampling.sums(table * common), resampling.sums(table[reference] * common)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((own > 0) & (other > 0), own / other, np.nan)

    premium, byte_premium = over_reference(tokens), over_reference(n_bytes)
    return {
        "premium": premium,
        "byte_premium": byte_premium,
        "vocabulary_penalty": premium / byte_premium,
    }


def spread(found: dict[str, Floats], complete: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """How premiums differ between the languages that have every segment, shape (1, 1 + draws) each."""
    premium = found["premium"][complete]
    worst = np.sort(premium, axis=0)[-max(1, round(len(premium) / 10)) :]
    spreads = {
        "median_premium": np.median(premium, axis=0),
        "mean_premium": premium.mean(0),
        "max_min": premium.max(0) / premium.min(0),
        "worst_decile": worst.mean(0),
        "gini": gini(premium),
        "median_byte_premium": np.median(found["byte_premium"][complete], axis=0),
        "median_vocabulary_penalty": np.median(found["vocabulary_penalty"][complete], axis=0),
    }
    return {name: values[np.newaxis] for name, values in spreads.items()}
