"""Intervals of the bootstrap."""

import numpy as np
import pytest

from bpetok.diagnostics.bootstrap import Resampling


def test_sums_begin_with_the_estimate_and_every_draw_has_as_many_segments():
    resampling = Resampling(3, draws=50)
    sums = resampling.sums(np.array([[1, 2, 3], [1, 1, 1]]))
    assert sums.shape == (2, 51)
    assert sums[:, 0].tolist() == [6, 3]
    assert (sums[1] == 3).all()


def test_the_interval_is_that_of_numpy_quantiles():
    resampling = Resampling(20, draws=999)
    sums = resampling.sums(np.random.default_rng(5).integers(1, 100, (4, 20)))
    low, high = resampling.interval(sums)
    assert low == pytest.approx(np.quantile(sums[:, 1:], 0.025, axis=1))
    assert high == pytest.approx(np.quantile(sums[:, 1:], 0.975, axis=1))


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(10, 2, (1, 400))
    resampling = Resampling(400, draws=4000)
    low, high = resampling.interval(resampling.sums(values) / 400)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


@pytest.mark.parametrize(("n", "draws"), [(1, 100), (5, 0)])
def test_nothing_to_draw_from(n, draws):
    resampling = Resampling(n, draws)
    low, high = resampling.interval(resampling.sums(np.ones((2, n))))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_draws_depend_on_the_seed_alone():
    assert (Resampling(9, 10, 3).weights == Resampling(9, 10, 3).weights).all()
    assert (Resampling(9, 10, 3).weights != Resampling(9, 10, 4).weights).any()
