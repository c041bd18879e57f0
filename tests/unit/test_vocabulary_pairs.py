"""The table of merges: what went in comes out, what did not is not there, however its keys fall.

A pair's key is left << 24 | right, times an odd number modulo 2^48. Its low 40 bits are kept; the
highest of these choose a group (of 2,048 in a small table). The tests below invert that, for pairs that
get in each other's way.
"""

import random

import numpy as np
import pytest

from bpetok._merge import link_merges
from bpetok._vocab import VocabTables
from bpetok.errors import VocabularyError

MULTIPLIER = 0x9E3779B97F4A7C15
KEYS = 1 << 48
INVERSE = pow(MULTIPLIER, -1, KEYS)
MOST = (1 << 24) - 257  # ids


def key_of(left: int, right: int) -> int:
    return (left << 24 | right) * MULTIPLIER % KEYS


def pair_of(key: int) -> tuple[int, int]:
    pair = key * INVERSE % KEYS
    return pair >> 24, pair & 0xFFFFFF


def tables_of(pairs: list[tuple[int, int]]) -> VocabTables:
    """Tables with these merges. Tokens are spelled by their ids, so that every pair gives one of its own."""
    used = {token for pair in pairs for token in pair}
    tokens = {token: token.to_bytes(3, "big") for token in used}
    free = (token for token in range(MOST) if token not in used)
    for left, right in dict.fromkeys(pairs):
        tokens[next(free)] = tokens[left] + tokens[right]
    tables = VocabTables.from_tokens(tokens, {}, len(pairs), False)
    link_merges(tables, np.array(pairs, np.int64).reshape(-1), False)
    return tables


def holds(tables: VocabTables, pairs: list[tuple[int, int]], absent: list[tuple[int, int]]) -> None:
    assert [(left, right) for _, left, right, _ in tables.merges()] == pairs
    assert [rank for rank, *_ in tables.merges()] == list(range(len(pairs)))
    for rank, (left, right) in enumerate(pairs):
        found, token = tables.pair(left, right) or (None, None)
        assert found == rank, (left, right)
        assert tables.token_bytes(token) == tables.token_bytes(left) + tables.token_bytes(right)
    there = set(pairs)
    for pair in absent:
        if pair not in there:
            assert tables.pair(*pair) is None, pair


def near(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs one step away: the other way round, the next ids, and the next keys of the same low bits."""
    found = []
    for left, right in pairs:
        found += [(right, left), (left + 1, right), (left, right + 1), (left, left), (right, right)]
        key = key_of(left, right)
        found += [pair_of((key + step) % KEYS) for step in (1, 1 << 24, 1 << 36, 1 << 40, -(1 << 40) % KEYS)]
    return found


@pytest.mark.parametrize(
    ("count", "ids"), [(0, 10), (1, 10), (300, 20), (5_000, 300), (20_000, 100_000), (300_000, 20_000)]
)
def test_random_and_clustered_pairs(count, ids):
    draw = random.Random(count)
    pairs = list(dict.fromkeys((draw.randrange(ids), draw.randrange(ids)) for _ in range(count)))
    absent = [(draw.randrange(ids), draw.randrange(ids)) for _ in range(20_000)]
    holds(tables_of(pairs), pairs, absent + near(pairs[:5_000]))


def test_the_largest_ids():
    draw = random.Random(1)
    ids = [0, 1, MOST - 2, MOST - 1, *(draw.randrange(MOST) for _ in range(300))]
    pairs = list(dict.fromkeys((draw.choice(ids), draw.choice(ids)) for _ in range(2000)))
    holds(tables_of(pairs), pairs, near(pairs))


def test_rows_and_columns():
    pairs = [(7, right) for right in range(3000)] + [(left, 9) for left in range(3000) if left != 7]
    holds(tables_of(pairs), pairs, near(pairs))


@pytest.fixture(scope="module")
def many():
    """Random pairs of small ids: two arrays."""
    return np.random.default_rng(5).integers(0, 1 << 16, (2, 1 << 23), dtype=np.uint64)


def of_group(many, group: int, bits: int, most: int, multiplier: int = MULTIPLIER) -> list[tuple[int, int]]:
    """Pairs that fall into one group of a table of 2^bits slots."""
    left, right = many
    with np.errstate(over="ignore"):
        key = (left << np.uint64(24) | right) * np.uint64(multiplier)
    at = np.flatnonzero(key >> np.uint64(41 - bits) & np.uint64((1 << bits - 1) - 1) == np.uint64(group))
    return list(dict.fromkeys(zip(left[at].tolist(), right[at].tolist(), strict=True)))[:most]


@pytest.mark.parametrize("count", [2, 9, 64, 65, 400])
@pytest.mark.parametrize("group", [0, 77, 2047])
def test_many_pairs_of_one_group(many, group, count):
    pairs = of_group(many, group, 12, count)
    assert len(pairs) == count
    holds(tables_of(pairs), pairs, near(pairs))


@pytest.mark.parametrize("count", [1, 5, 40, 60])
def test_pairs_that_differ_only_in_what_their_slot_tells(count):
    """The low 40 bits of these keys are the same, and so are groups and entries, but for the rank."""
    for low in (0, 1, 0x123456789A, (1 << 40) - 1):
        rest = [pair_of(low + (high << 40)) for high in range(256)]
        pairs = [pair for pair in rest if max(pair) < MOST][:count]
        largest = (max(token for pair in rest for token in pair if token < MOST),) * 2
        holds(tables_of([*pairs, largest]), [*pairs, largest], rest + near(pairs))


def test_more_pairs_of_one_place_than_any_table_can_hold(many):
    """They are refused, whatever multiplier is tried; the table does not grow until memory is gone."""
    # Left ids that differ by multiples of 65,536 have keys of the same low 40 bits, whatever the multiplier.
    with pytest.raises(VocabularyError, match="too many merges of this vocabulary fall into one place"):
        tables_of([(left << 16, 7) for left in range(100)])
    multipliers = MULTIPLIER, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0xA0761D6478BD642F
    pairs = [pair for odd in multipliers for pair in of_group(many, 5, 14, 65, odd)]
    pairs += [pair for odd in multipliers for pair in of_group(many, 1, 12, 65, odd)]
    with pytest.raises(VocabularyError, match="too many merges of this vocabulary fall into one place"):
        tables_of(list(dict.fromkeys(pairs)))


def test_a_pair_twice_is_refused_wherever_it_lies(many):
    pairs = of_group(many, 77, 12, 100)
    for again in (0, 50, 99):
        with pytest.raises(VocabularyError, match="merged twice"):
            tables_of([*pairs, pairs[again]])
