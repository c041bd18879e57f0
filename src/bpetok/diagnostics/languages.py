"""Figures of languages and of scripts: ratios of counts, with intervals over segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.diagnostics.counts import TextCounts
from bpetok.diagnostics.figures import Figure, figures_of
from bpetok.diagnostics.layout import Layout
from bpetok.diagnostics.segmenters import NO_SPACES

__all__ = ["figures", "has_words", "means", "ratios", "read"]

Floats = npt.NDArray[np.float64]

# Measure: what is divided by what. Names are those of `TextCounts`; "n_" counts are of the texts themselves.
_RATIOS = {
    "bytes_per_token": ("n_bytes", "tokens"),
    "characters_per_token": ("n_characters", "tokens"),
    "graphemes_per_token": ("n_graphemes", "tokens"),
    "tokens_per_word": ("tokens", "n_words"),
    "fertility": ("word_tokens", "encoded_words"),
    "continued_words": ("continued_words", "encoded_words"),
    "single_token_words": ("single_token_words", "encoded_words"),
    "byte_tokens": ("byte_tokens", "tokens"),
    "partial_tokens": ("partial_tokens", "tokens"),
    "unknown_tokens": ("unknown_tokens", "tokens"),
    "borders_in_characters": ("borders_in_characters", "borders"),
    "borders_in_graphemes": ("borders_in_graphemes", "borders"),
    "split_characters": ("split_characters", "encoded_characters"),
    "split_graphemes": ("split_graphemes", "encoded_graphemes"),
}
_OF_WORDS = {"n_words", "encoded_words"}


def has_words(corpus: ParallelCorpus, layout: Layout) -> npt.NDArray[np.bool_]:
    """For each language, whether the segmenter finds words in its script."""
    spaced = [language.script not in NO_SPACES for language in corpus.languages]
    return np.array(spaced) | layout.segmenter.dictionary


def ratios(
    corpus: ParallelCorpus, layout: Layout, counts: TextCounts, resampling: Resampling
) -> dict[str, Floats]:
    """The measures that divide a count of a language by another, shape (languages, 1 + draws) each.

    Args:
        corpus: what was measured on.
        layout: of its texts.
        counts: of its texts.
        resampling: of its segments.
    """
    needed = {name for pair in _RATIOS.values() for name in pair}
    sums = {
        name: resampling.sums(corpus.table(getattr(layout if name.startswith("n_") else counts, name)))
        for name in needed
    }
    for name in _OF_WORDS:
        sums[name][~has_words(corpus, layout)] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: np.where(sums[below] > 0, sums[above] / sums[below], np.nan)
            for name, (above, below) in _RATIOS.items()
        }


def read(estimates: Mapping[str, Floats], resampling: Resampling) -> dict[str, list[Figure | None]]:
    """Figures from estimates of shape (n, 1 + draws), by measure."""
    return {
        name: figures_of(values[:, 0], *resampling.interval(values)) for name, values in estimates.items()
    }


def figures(found: Mapping[str, Sequence[Figure | None]], number: int) -> dict[str, Figure]:
    """Of the figures of all rows those of one, without what is not defined."""
    return {name: figure for name, row in found.items() if (figure := row[number]) is not None}


def means(estimates: Mapping[str, Floats], groups: Iterable[Sequence[int]]) -> dict[str, Floats]:
    """Means over groups of languages, of those where a measure is defined, shape (groups, 1 + draws) each."""
    groups = [*groups]
    found = {}
    for name, values in estimates.items():
        defined = np.isfinite(values[:, 0])
        rows = [[number for number in group if defined[number]] for group in groups]
        nothing = np.full(values.shape[1], np.nan)
        found[name] = np.stack([values[row].mean(0) if row else nothing for row in rows])
    return found
