import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairbench.analyze import (
    Correction,
    below_zero,
    corrected_interval,
    posterior,
    scaled_interval,
    smallest_detectable,
)
from fairbench.analyze.intervals import deviation_limits

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


NONE_SHARED = Correction(0.0)


def test_shares_stay_shares_and_lean_away_from_their_bound():
    near_one = np.array([0.97, 0.99, 0.9, 0.995, 0.93])
    found = scaled_interval(near_one, Correction(0.3), "logit")
    assert found.mean == pytest.approx(near_one.mean())
    assert 0 < found.low < found.mean < found.high < 1
    assert found.mean - found.low > found.high - found.mean
    plain = corrected_interval(near_one, 0.3)
    assert plain.high > 1  # what the other scale is for
    turned = scaled_interval(1 - near_one, Correction(0.3), "logit")
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_distances_stay_positive():
    found = scaled_interval(np.array([0.01, 0.2, 0.02]), NONE_SHARED, "log")
    assert 0 < found.low < found.mean < found.high
    same = scaled_interval(np.zeros(4), NONE_SHARED, "log")
    assert (same.low, same.mean, same.high) == (0, 0, 0)
    assert np.isnan(scaled_interval(np.array([0.4]), NONE_SHARED, "logit").low)


@pytest.mark.parametrize("splits", [3, 5, 10, 20])
def test_hypervolumes_are_covered(splits):
    """Shares as skewed as hypervolumes are, from splits that share a quarter of what varies."""
    rng = np.random.default_rng(splits)
    noise = np.sqrt(0.2) * rng.normal(size=(1500, 1)) + np.sqrt(0.8) * rng.normal(
        size=(1500, splits)
    )
    values = 1 / (1 + np.exp(-(1.5 + 0.6 * noise)))
    truth = float((1 / (1 + np.exp(-(1.5 + 0.6 * rng.normal(size=200_000))))).mean())
    found = [scaled_interval(row, Correction(0.25), "logit") for row in values]
    assert 0.93 <= np.mean([i.low <= truth <= i.high for i in found]) <= 0.975


def test_one_sided_is_half_of_two_sided():
    values = np.array([-0.3, -0.1, -0.4, 0.1, -0.2])
    shared = Correction(0.2, df=3.5)
    two = corrected_interval(values, 0.2, df=3.5).p
    assert below_zero(values, shared) == pytest.approx(two / 2)
    assert below_zero(-values, shared) == pytest.approx(1 - two / 2)
    assert below_zero(np.full(3, -1.0), shared) == 0.0
    assert below_zero(np.zeros(3), shared) == 1.0
    assert np.isnan(below_zero(np.array([-1.0]), shared))
    assert np.isnan(below_zero(values, Correction(float("inf"), df=0.0)))


def test_posterior_is_the_t_distribution_about_the_mean():
    """Benavoli et al. 2017, eq. 3, by integrating its density."""
    values, ratio = np.array([-0.3, -0.1, -0.4, 0.1, -0.2]), 0.25
    scale = values.std(ddof=1) * np.sqrt(1 / 5 + ratio)
    density = stats.t(4, values.mean(), scale)
    below, within = posterior(values, Correction(ratio), 0.05)
    assert below == pytest.approx(density.cdf(-0.05))
    assert within == pytest.approx(density.cdf(0.05) - density.cdf(-0.05))
    assert posterior(np.full(4, 0.01), Correction(ratio), 0.05) == (0.0, 1.0)
    assert np.isnan(posterior(np.array([1.0]), Correction(ratio), 0.1)).all()


def test_more_comparisons_and_unknown_spread_ask_for_more():
    alone = smallest_detectable(1.0, 8, 0.2)
    assert smallest_detectable(1.0, 8, 0.2, comparisons=10) > 1.3 * alone
    assert smallest_detectable(1.0, 8, 0.2, estimated=True) > alone
    assert smallest_detectable(1.0, 8, 0.2, df=4.0) > alone
    low, high = deviation_limits(7)
    assert low < 1 < high
