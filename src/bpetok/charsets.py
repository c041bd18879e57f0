"""Sets of characters, as ranges of code points: those of `unicode_data`, and how `re` spells them."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from bpetok.unicode_data import RUNS

__all__ = ["LAST", "Ranges", "complement", "named", "overlap", "spell", "union"]

Ranges = tuple[tuple[int, int], ...]  # first and last code point of each, in order, with gaps between

LAST = 0x10FFFF


@functools.cache
def named(name: str) -> Ranges:
    """A class of `unicode_data`.

    >>> named("space")[:3]
    ((9, 13), (32, 32), (133, 133))
    """
    lengths = [int(length, 36) for length in RUNS[name].split()]
    ends: list[int] = []
    at = 0
    for length in lengths:
        at += length
        ends.append(at)
    if len(ends) % 2:
        ends.append(LAST + 1)
    return tuple((ends[i], ends[i + 1] - 1) for i in range(0, len(ends), 2))


def union(parts: Iterable[Ranges]) -> Ranges:
    """What is in any of some sets.

    >>> union([((1, 3), (7, 7)), ((4, 5),)])
    ((1, 5), (7, 7))
    """
    joined: list[tuple[int, int]] = []
    for first, last in sorted(one for part in parts for one in part):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def complement(ranges: Ranges) -> Ranges:
    """Every code point that is not in a set.

    >>> complement(((0, 8), (10, 0x10FFFF)))
    ((9, 9),)
    """
    gaps, at = [], 0
    for first, last in ranges:
        if first > at:
            gaps.append((at, first - 1))
        at = last + 1
    return (*gaps, (at, LAST)) if at <= LAST else tuple(gaps)


def overlap(one: Ranges, other: Ranges) -> Ranges:
    """What is in both of two sets.

    >>> overlap(((1, 5), (9, 9)), ((4, 20),))
    ((4, 5), (9, 9))
    """
    return complement(union((complement(one), complement(other))))


def spell(ranges: Ranges) -> str:
    r"""The set as Python's `re` writes it.

    >>> spell(((97, 122), (0x3042, 0x3042)))
    '[\\U00000061-\\U0000007a\\U00003042]'
    """
    if not ranges:
        return r"[^\U00000000-\U0010ffff]"
    parts = [rf"\U{first:08x}" if first == last else rf"\U{first:08x}-\U{last:08x}" for first, last in ranges]
    return f"[{''.join(parts)}]"
