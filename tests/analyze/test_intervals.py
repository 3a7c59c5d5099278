import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairbench.analyze import bca_interval, corrected_interval, smallest_detectable

VALUES = np.array([0.3, -0.1, 0.4, 0.2, 0.05])


def test_without_correction_it_is_the_t_interval_of_scipy():
    found = corrected_interval(VALUES, 0.0)
    expected = stats.ttest_1samp(VALUES, 0.0)
    limits = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-12)


def test_correction_by_hand():
    # Nadeau and Bengio: variance of the mean is s² (1/J + n_test/n_train).
    found = corrected_interval(VALUES, 0.25)
    error = VALUES.std(ddof=1) * np.sqrt(1 / 5 + 0.25)
    assert found.high - found.mean == pytest.approx(2.7764451051977987 * error, rel=1e-9)
    assert found.mean == pytest.approx(0.17)


@given(st.floats(0.0, 2.0), st.integers(2, 50), st.floats(0.1, 10.0))
def test_interval_scales_and_never_shrinks_below_the_shared_rows(ratio, n, scale):
    values = np.random.default_rng(n).normal(size=n)
    one, other = corrected_interval(values, ratio), corrected_interval(values * scale, ratio)
    assert other.high == pytest.approx(one.high * scale, rel=1e-9, abs=1e-12)
    assert one.p == pytest.approx(other.p, rel=1e-6)
    half = (one.high - one.low) / 2
    assert half >= 1.95 * values.std(ddof=1) * np.sqrt(ratio)


def test_p_is_below_level_exactly_where_the_interval_excludes_zero():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = corrected_interval(rng.normal(0.5, 1.0, 6), 1 / 3)
        assert (found.p <= 0.05) == (found.low > 0 or found.high < 0)


def test_too_few_values_have_no_limits():
    assert corrected_interval(np.array([]), 0.3).n == 0
    one = corrected_interval(np.array([2.0, np.nan]), 0.3)
    assert (one.mean, one.n) == (2.0, 1)
    assert np.isnan([one.low, one.high, one.p]).all()


def test_values_without_spread():
    same = corrected_interval(np.zeros(4), 0.3)
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)
    assert corrected_interval(np.ones(4), 0.3).p == 0.0


def test_smallest_detectable_is_found_four_times_in_five():
    size = smallest_detectable(1.0, 8, 0.2)
    # Correlated normals for which the correction is exact: ρ / (1 − ρ) = ratio.
    rho = 0.2 / 1.2
    rng = np.random.default_rng(0)
    studies = 4000
    scale = 1 / np.sqrt(1 - rho)
    shared = rng.normal(size=(studies, 1)) * np.sqrt(rho)
    values = size + scale * (shared + rng.normal(size=(studies, 8)) * np.sqrt(1 - rho))
    found = np.mean([corrected_interval(row, 0.2).low > 0 for row in values])
    assert 0.78 < found < 0.82


def test_smallest_detectable_needs_two_splits():
    assert np.isnan(smallest_detectable(1.0, 1, 0.3))
    assert np.isnan(smallest_detectable(np.nan, 5, 0.3))


def test_bca_is_that_of_scipy_and_the_same_every_time():
    values = np.random.default_rng(3).exponential(size=12)
    found = bca_interval(values)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found == bca_interval(values) or np.isnan(found.p)
    assert found.low < values.mean() < found.high
    assert found.high - values.mean() > values.mean() - found.low  # leans with the skew


def test_bca_at_the_edge():
    assert np.isnan(bca_interval(np.array([1.0, 2.0])).low)
    same = bca_interval(np.ones(5))
    assert (same.low, same.high) == (1.0, 1.0)
