"""Texts laid out in arrays: bytes, characters, graphemes and words, counted for all texts at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.segmenters import Segmenter, graphemes

__all__ = ["Layout", "per_text"]

Indices = npt.NDArray[np.int64]


def per_text(marks: npt.NDArray[np.number] | npt.NDArray[np.bool_], bounds: Indices) -> Indices:
    """Sums of the marks of each text.

    Args:
        marks: one number for each byte, token, and so on.
        bounds: where each text begins among them, and where the last ends.
    """
    if not len(bounds):
        return np.empty(0, np.int64)
    sums = np.concatenate(([0], np.cumsum(marks, dtype=np.int64)))
    return sums[bounds[1:]] - sums[bounds[:-1]]


@dataclass(frozen=True)
class Layout:
    """Some texts, one behind the other, as UTF-8.

    Attributes:
        data: the bytes.
        points: the code points.
        point_bounds: where each text begins among these, and where the last ends.
        segmenter: what finds words.
    """

    data: npt.NDArray[np.uint8]
    points: npt.NDArray[np.uint32]
    point_bounds: Indices
    segmenter: Segmenter

    @classmethod
    def of(cls, texts: Sequence[str], segmenter: Segmenter) -> Layout:
        """Lay out some texts."""
        whole = "".join(texts)
        points = np.frombuffer(whole.encode("utf-32-le"), "<u4").astype(np.uint32, copy=False)
        point_bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        data = np.frombuffer(whole.encode(), np.uint8)
        return cls(data, points, point_bounds, segmenter)

    @functools.cached_property
    def byte_of_point(self) -> Indices:
        """Where each code point begins, and where the last ends."""
        begins = np.flatnonzero((self.data & 0xC0) != 0x80)
        return np.append(begins, len(self.data))

    @functools.cached_property
    def bounds(self) -> Indices:
        """Where each text begins among the bytes, and where the last ends."""
        return self.byte_of_point[self.point_bounds]

    @functools.cached_property
    def _starts(self) -> Indices:
        """Where texts begin that are not empty, in code points."""
        return self.point_bounds[:-1][np.diff(self.point_bounds) > 0]

    @functools.cached_property
    def inside_characters(self) -> npt.NDArray[np.bool_]:
        """For each byte, whether a border before it would cut a character."""
        inside: npt.NDArray[np.bool_] = (self.data & 0xC0) == 0x80
        return inside

    @functools.cached_property
    def grapheme_begins(self) -> Indices:
        """Where each grapheme begins, in bytes."""
        return self.byte_of_point[:-1][graphemes(self.points, self._starts)]

    @functools.cached_property
    def inside_graphemes(self) -> npt.NDArray[np.bool_]:
        """For each byte, whether a border before it would cut a grapheme."""
        inside = np.ones(len(self.data), np.bool_)
        inside[self.grapheme_begins] = False
        return inside

    @functools.cached_property
    def words(self) -> tuple[Indices, Indices]:
        """Where each word begins and ends, in bytes."""
        begins, ends = self.segmenter.words(self.points, self._starts)
        return self.byte_of_point[begins], self.byte_of_point[ends]

    @functools.cached_property
    def text_of_word(self) -> Indices:
        """The number of the text that each word is in."""
        return np.searchsorted(self.bounds, self.words[0], "right") - 1

    @functools.cached_property
    def filled_before(self) -> Indices:
        """For each byte, and behind the last, how many bytes before it are no white space of one byte."""
        blank = np.zeros(256, np.bool_)
        blank[[9, 10, 11, 12, 13, 32]] = True
        return np.concatenate(([0], np.cumsum(~blank[self.data], dtype=np.int64)))

    @property
    def n_texts(self) -> int:
        """How many texts there are."""
        return len(self.point_bounds) - 1

    @functools.cached_property
    def n_bytes(self) -> Indices:
        """Of each text."""
        return np.diff(self.bounds)

    @functools.cached_property
    def n_characters(self) -> Indices:
        """Of each text."""
        return np.diff(self.point_bounds)

    @functools.cached_property
    def n_graphemes(self) -> Indices:
        """Of each text."""
        return per_text(~self.inside_graphemes, self.bounds)

    @functools.cached_property
    def n_words(self) -> Indices:
        """Of each text."""
        return np.bincount(self.text_of_word, minlength=self.n_texts)
