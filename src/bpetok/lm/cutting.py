"""Cuts of a word that are drawn anew each time: remedies for what a fixed cut hides from a model."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

__all__ = ["bpe_dropout", "stochastok"]


def bpe_dropout(
    word: bytes, ranks: Mapping[bytes, int], rate: float, rng: np.random.Generator
) -> list[bytes]:
    """The tokens of a word where each possible merge is passed over with a probability (Provilkov et al.
    2020): at each step every adjacent pair that has a token is dropped with probability `rate`, and of the
    others the one of the lowest rank is merged, until none is left.

    Takes O(n²) for a word of n bytes.

    >>> ranks = {b"a": 0, b"b": 1, b"ab": 2, b"abab": 3}
    >>> bpe_dropout(b"abab", ranks, 0.0, np.random.default_rng(0))
    [b'abab']
    >>> bpe_dropout(b"abab", ranks, 1.0, np.random.default_rng(0))
    [b'a', b'b', b'a', b'b']
    """
    pieces = [word[at : at + 1] for at in range(len(word))]
    while True:
        kept = [
            (ranks[pair], at)
            for at, pair in enumerate(map(bytes.__add__, pieces, pieces[1:]))
            if pair in ranks and (rate == 0 or rng.random() >= rate)
        ]
        if not kept:
            return pieces
        at = min(kept)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


def stochastok(
    pieces: list[bytes], vocabulary: Container[bytes], rate: float, rng: np.random.Generator
) -> list[bytes]:
    """The tokens with some split in two, as StochasTok does (Sims et al. 2025): `rate` times as many draws
    as there are tokens, each of a token, which is split into two of the vocabulary where that can be.

    >>> stochastok([b"abc"], {b"a", b"ab", b"bc", b"c", b"abc"}, 1.0, np.random.default_rng(0))
    [b'ab', b'c']
    """
    pieces = list(pieces)
    # What is left over of a whole number of draws is a probability, so that short words are split, too.
    draws = int(len(pieces) * rate + rng.random())
    for _ in range(draws):
        at = int(rng.integers(len(pieces)))
        piece = pieces[at]
        halves = [
            (piece[:cut], piece[cut:])
            for cut in range(1, len(piece))
            if piece[:cut] in vocabulary and piece[cut:] in vocabulary
        ]
        if halves:
            pieces[at : at + 1] = halves[int(rng.integers(len(halves)))]
    return pieces
