"""Intervals: against closed forms and simulation."""

import math

import numpy as np
import pytest

from bpetok.lm.statistics import bootstrap_mean, holm, paired_difference, wilson


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


def test_holm_is_monotone_and_no_smaller_than_what_it_is_given():
    p = {"a": 0.001, "b": 0.02, "c": 0.04, "d": 0.9}
    adjusted = holm(p)
    assert adjusted == pytest.approx({"a": 0.004, "b": 0.06, "c": 0.08, "d": 0.9})
