"""Intervals: against closed forms and simulation."""

import math

import numpy as np
import pytest

from bpetok.lm.statistics import (
    bootstrap_mean,
    bootstrap_ratio,
    holm,
    paired_difference,
    seed_difference,
    wilson,
)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (10, 10), (498, 512)])
def test_wilson_bounds_solve_the_score_equation(right, n):
    interval, z = wilson(right, n), 1.959963984540054
    for bound in (interval.low, interval.high):
        if 1e-9 < bound < 1 - 1e-9:
            assert math.isclose(abs(right / n - bound), z * math.sqrt(bound * (1 - bound) / n), rel_tol=1e-9)
    assert interval.low <= interval.estimate <= interval.high


def test_nothing_says_nothing():
    assert math.isnan(wilson(0, 0).estimate)
    assert wilson(0, 0)[1:] == (0, 1)


def test_the_bootstrap_covers():
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(200):
        ability = 0.6 + 0.05 * rng.standard_normal((5, 1))
        hits += (lambda i: i.low <= 0.6 <= i.high)(
            bootstrap_mean(rng.random((5, 200)) < ability, draws=400, seed=trial)
        )
    assert 150 < hits <= 200  # five seeds are few: below the nominal 190 is expected, far below is not


def test_equal_scores_do_not_differ_and_others_do():
    rng = np.random.default_rng(6)
    table = (rng.random((5, 300)) < 0.5).astype(float)
    assert paired_difference(table, table)[:3] == (0, 0, 0)
    assert paired_difference(table, table).p == 1
    worse = table * (rng.random(table.shape) < 0.7)
    found = paired_difference(table, worse)
    assert found.low > 0
    assert found.p < 0.001
    assert paired_difference(worse, table).estimate == -found.estimate


def test_differences_of_ratios_are_those_of_their_sums():
    rng = np.random.default_rng(7)
    sizes, first = rng.integers(150, 200, 80), rng.random((3, 80)) * 300
    second = first + 20 + rng.random(first.shape)
    found = paired_difference(first, second, sizes)
    ratios = [bootstrap_ratio(table, sizes).estimate for table in (first, second)]
    assert found.estimate == pytest.approx(ratios[0] - ratios[1])
    assert found.high < 0
    alike = paired_difference(first, second, np.full(80, 4))
    assert alike.estimate == pytest.approx(paired_difference(first, second).estimate / 4)


@pytest.mark.parametrize(
    ("each", "half", "p"),
    # Quantiles of t as tables have them: 12.706, 4.303, 2.776.
    [((0, 2), 12.7062, 0.5), ((1, 2, 3), 2.4841, 0.074180), ((-1, 0, 1, 2, 3), 1.9632, 0.230200)],
)
def test_differences_of_seeds_are_the_paired_t_test(each, half, p):
    found = seed_difference(each, np.zeros(len(each)))
    assert found.estimate == pytest.approx(np.mean(each))
    assert found.high - found.estimate == pytest.approx(half, rel=1e-4)
    assert found.estimate - found.low == pytest.approx(half, rel=1e-4)
    assert found.p == pytest.approx(p, rel=1e-4)


def test_seeds_that_agree_have_no_interval_and_one_seed_says_nothing():
    assert seed_difference([3, 3], [1, 1]) == (2, 2, 2, 0)
    assert seed_difference([1, 1], [1, 1]) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="two or more"):
        seed_difference([1], [2])


def test_holm_is_monotone_and_no_smaller_than_what_it_is_given():
    p = {"a": 0.001, "b": 0.02, "c": 0.04, "d": 0.9}
    adjusted = holm(p)
    assert adjusted == pytest.approx({"a": 0.004, "b": 0.06, "c": 0.08, "d": 0.9})
