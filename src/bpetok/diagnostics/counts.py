"""What a tokenizer makes of the texts of a corpus, counted for each text: the numbers behind the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.layout import Layout, per_text
from bpetok.diagnostics.subject import BYTE, ILL_FORMED, PARTIAL, Encoded, Subject

__all__ = ["TextCounts", "count_texts"]

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TextCounts:
    """Counts, int64 of shape (n texts,).

    Attributes:
        tokens: all of them.
        byte_tokens: a single byte that is no character.
        partial_tokens: these, and others whose bytes are not whole characters.
        unknown_tokens: the token for what has none.
        borders: between two tokens of the text.
        borders_in_characters, borders_in_graphemes: of these.
        encoded_characters, encoded_graphemes: of the text as it was encoded.
        split_characters, split_graphemes: of these, with a border inside.
        encoded_words: of the text as it was encoded.
        word_tokens: tokens that hold a part of a word, counted for each word.
        continued_words: with a border inside.
        single_token_words: that are a token, but for white space.
    """

    tokens: Indices
    byte_tokens: Indices
    partial_tokens: Indices
    unknown_tokens: Indices
    borders: Indices
    borders_in_characters: Indices
    borders_in_graphemes: Indices
    encoded_characters: Indices
    encoded_graphemes: Indices
    split_characters: Indices
    split_graphemes: Indices
    encoded_words: Indices
    word_tokens: Indices
    continued_words: Indices
    single_token_words: Indices


def count_texts(subject: Subject, encoded: Encoded, layout: Layout) -> TextCounts:
    """Count the tokens, borders and words of each text.

    Time and memory are linear in the bytes of the texts.

    Args:
        subject: the tokenizer.
        encoded: the ids of the texts.
        layout: the texts as they were encoded, from `Subject.layout`.
    """
    ids, bounds = encoded
    kinds = subject.kinds[ids]
    ends = np.cumsum(subject.lengths[ids])
    last = np.zeros(len(ids), np.bool_)
    last[bounds[1:][np.diff(bounds) > 0] - 1] = True
    between = ~last & (ends < len(layout.data))  # tokens without bytes may stand behind the last
    borders = ends[between]
    text = np.repeat(np.arange(layout.n_texts), np.diff(bounds))[between]

    def count(chosen: npt.NDArray[np.bool_]) -> Indices:
        return np.bincount(text[chosen], minlength=layout.n_texts)

    in_character = layout.inside_characters[borders]
    in_grapheme = layout.inside_graphemes[borders]
    starts, stops = layout.words
    token_begins = np.zeros(len(layout.data) + 1, np.bool_)
    token_begins[borders] = True
    n_before = np.cumsum(token_begins, dtype=np.int32)  # borders up to each byte; fewer than the bytes
    inner = n_before[stops - 1] - n_before[starts]
    words = layout.n_words

    def of_words(values: npt.NDArray[np.number] | npt.NDArray[np.bool_]) -> Indices:
        return np.bincount(layout.text_of_word, values, layout.n_texts).astype(np.int64)

    return TextCounts(
        tokens=np.diff(bounds),
        byte_tokens=per_text(kinds == BYTE, bounds),
        partial_tokens=per_text((kinds == BYTE) | (kinds == PARTIAL) | (kinds == ILL_FORMED), bounds),
        unknown_tokens=per_text(ids == (-1 if subject.unknown is None else subject.unknown), bounds),
        borders=np.bincount(text, minlength=layout.n_texts),
        borders_in_characters=count(in_character),
        borders_in_graphemes=count(in_grapheme),
        encoded_characters=layout.n_characters,
        encoded_graphemes=layout.n_graphemes,
        split_characters=count(_first_of_each(borders, in_character, layout.byte_of_point)),
        split_graphemes=count(_first_of_each(borders, in_grapheme, layout.grapheme_begins)),
        encoded_words=words,
        word_tokens=words + of_words(inner),
        continued_words=of_words(inner > 0),
        single_token_words=of_words((inner == 0) & _alone(layout, ends)),
    )


def _first_of_each(borders: Indices, inside: npt.NDArray[np.bool_], begins: Indices) -> npt.NDArray[np.bool_]:
    """Of the borders inside units the first in each unit."""
    at = np.flatnonzero(inside)
    unit = np.searchsorted(begins, borders[at], "right")
    first = np.zeros(len(borders), np.bool_)
    first[at[np.diff(unit, prepend=-1) > 0]] = True
    return first


def _alone(layout: Layout, ends: Indices) -> npt.NDArray[np.bool_]:
    """For each word, whether the token of its first byte holds nothing else, but for white space."""
    starts, stops = layout.words
    if not len(ends):
        return np.zeros(len(starts), np.bool_)
    token = np.searchsorted(ends, starts, "right")
    end = ends[token]
    begin = np.where(token > 0, ends[token - 1], 0)
    filled = layout.filled_before
    alone: npt.NDArray[np.bool_] = (
        (filled[starts] == filled[begin]) & (filled[end] == filled[stops]) & (end >= stops)
    )
    return alone
