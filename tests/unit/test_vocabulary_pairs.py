"""The table of merges: what went in comes out, what did not is not there, however its keys fall.

A pair's key is left << 24 | right, times an odd number modulo 2^48. Its top bits choose a bucket (of 4,096
in a small vocabulary), bits 24 to 30 are its tag. The tests below invert that, for pairs that get in each
other's way.
"""

import os
import random
import subprocess
import sys

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
    link_merges(tables, pairs, False)
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
    """Random pairs of small ids as (left, right, bucket, tag): arrays."""
    draw = np.random.default_rng(5)
    left, right = draw.integers(0, 1 << 16, (2, 1 << 23), dtype=np.uint64)
    with np.errstate(over="ignore"):
        key = ((left << np.uint64(24) | right) * np.uint64(MULTIPLIER)) & np.uint64(KEYS - 1)
    return left, right, key >> np.uint64(36), (key >> np.uint64(24)) & np.uint64(127)


def chosen(many, which, most) -> list[tuple[int, int]]:
    left, right, _, _ = many
    at = np.flatnonzero(which)
    return list(dict.fromkeys(zip(left[at].tolist(), right[at].tolist(), strict=True)))[:most]


@pytest.mark.parametrize("count", [9, 60, 400])
@pytest.mark.parametrize("bucket", [0, 77, 4095])
def test_many_pairs_of_one_bucket(many, bucket, count):
    pairs = chosen(many, many[2] == bucket, count)
    assert len(pairs) == count
    holds(tables_of(pairs), pairs, near(pairs))


def test_many_pairs_of_one_tag(many):
    pairs = chosen(many, (many[3] == 5) & (many[2] < 40), 300)
    assert len(pairs) == 300
    holds(tables_of(pairs), pairs, near(pairs))


@pytest.mark.parametrize("first", [100, 4090])
def test_a_row_of_buckets_that_all_moved_on(many, first):
    """Sixteen buckets on, the low 40 bits of keys come again: whoever searches so far finds another's."""
    _, _, bucket, tag = many
    pairs, absent = [], []
    for step in range(17):
        here = (first + step) % 4096
        # Two of one tag, other than the neighbours' tags: the second of them moves on.
        pairs += chosen(many, (bucket == here) & (tag == 10 + step), 2)
    assert len(pairs) == 34
    for pair in chosen(many, (bucket == (first + 16) % 4096) & (tag > 40) & (tag < 60), 8):
        pairs.append(pair)
        absent.append(pair_of((key_of(*pair) - (1 << 40)) % KEYS))
    # They must be below the largest id to be looked up at all.
    largest = max(token for pair in absent for token in pair)
    pairs.append((largest, largest))
    holds(tables_of(pairs), pairs, absent + near(pairs))


@pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="AddressSanitizer needs more than the memory allowed here",
)
def test_more_pairs_of_one_place_than_buckets_can_hold():
    """Keys that differ in their last 16 bits have one tag, and share their bucket in a table of any size.

    They may be held or refused, but not make the table grow until there is no memory left.
    """
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
import sys
sys.path.insert(0, {str(__file__).rpartition("/")[0]!r})
from test_vocabulary_pairs import holds, near, pair_of, tables_of
from bpetok.errors import VocabularyError
found = [pair_of((0x123456 << 24 | 0x5A << 16) + low) for low in range(1 << 16)]
pairs = [pair for pair in found if max(pair) < 1 << 19][:12]
assert len(pairs) == 12
try:
    tables = tables_of(pairs)
except VocabularyError:
    pass
else:
    holds(tables, pairs, near(pairs))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr[-2000:]


def test_a_pair_twice_is_refused_wherever_it_lies(many):
    pairs = chosen(many, many[2] == 77, 100)
    for again in (0, 50, 99):
        with pytest.raises(VocabularyError, match="merged twice"):
            tables_of([*pairs, pairs[again]])
