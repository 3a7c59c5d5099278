import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairbench.analyze import across_datasets, holm, wilcoxon


def test_holm_by_hand():
    # Sorted 0.01 0.02 0.03 0.04 times 4 3 2 1, made monotone.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_leaves_nan_out_of_the_count():
    found = holm(np.array([0.02, np.nan, 0.5]))
    assert found[[0, 2]] == pytest.approx([0.04, 0.5])
    assert np.isnan(found[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_between_the_p_value_and_bonferroni(values):
    p = np.array(values)
    found = holm(p)
    assert (found >= p).all()
    assert (found <= np.minimum(p * len(p), 1) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_wilcoxon_exact_by_hand():
    # All five differences negative: both tails together 2 / 2⁵.
    assert wilcoxon(-np.arange(1.0, 6.0)) == pytest.approx(2 / 32)
    assert wilcoxon(np.zeros(4)) == 1.0
    assert np.isnan(wilcoxon(np.array([np.nan])))


@pytest.mark.parametrize("n", [1, 2, 5, 9, 20, 40])
def test_wilcoxon_without_ties_is_the_exact_one_of_scipy(n):
    values = np.random.default_rng(n).normal(0.3, 1.0, n)
    expected = stats.wilcoxon(values, method="exact").pvalue
    assert wilcoxon(values) == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_with_ties_is_that_of_scipy():
    values = np.array([1.0, 1.0, -1.0, 2.0, 3.0, 0.0])
    expected = stats.wilcoxon(values[values != 0], method="asymptotic").pvalue
    assert wilcoxon(values) == pytest.approx(expected)


def over(changes, errors=None, margin=0.05):
    table = pd.DataFrame(changes)
    own = table * 0 if errors is None else pd.DataFrame(errors)
    return {one.method: one for one in across_datasets(table, own, margin=margin)}


def test_over_datasets_it_is_students_t_adjusted_by_holm():
    rng = np.random.default_rng(0)
    changes = {"a": rng.normal(-1, 1, 8), "b": rng.normal(0, 1, 8), "c": rng.normal(-2, 1, 8)}
    errors = {name: rng.normal(0.01, 0.02, 8) for name in changes}
    found = over(changes, errors)
    p = {name: stats.ttest_1samp(values, 0).pvalue for name, values in changes.items()}
    adjusted = dict(zip(p, holm(np.array(list(p.values()))), strict=True))
    for name, one in found.items():
        assert one.p == pytest.approx(p[name])
        assert one.adjusted_p == pytest.approx(adjusted[name])
        test = stats.ttest_1samp(errors[name], 0.05, alternative="less")
        assert one.error_p == pytest.approx(test.pvalue)
        assert one.error_high == pytest.approx(
            stats.ttest_1samp(errors[name], 0, alternative="less").confidence_interval(0.95).high
        )
    assert list(found) == sorted(p, key=p.get)


def test_a_method_needs_datasets_and_misses_some():
    few = {"a": [1.0, 2.0, 3.0, 4.0, np.nan, np.nan], "b": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]}
    found = over(few)
    assert list(found) == ["b"]
    assert found["b"].datasets == 5
    assert found["b"].adjusted_p == found["b"].p


def test_a_method_that_is_the_baseline_changes_nothing():
    (one,) = over({"copy": np.zeros(6)}).values()
    assert (one.change, one.low, one.high, one.p, one.lower_on) == (0, 0, 0, 1.0, 0)
    assert one.error_p == 0.0


def test_over_datasets_inert_methods_are_seldom_told_apart():
    """Eight datasets whose precision differs tenfold, six methods that do nothing."""
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(400):
        sd = np.exp(rng.normal(size=(8, 1)))
        common = 0.3 * rng.normal(size=(8, 1))  # the baseline's own luck, shared by all methods
        changes = sd * (common + rng.normal(size=(8, 6)))
        found = over({f"m{k}": changes[:, k] for k in range(6)})
        told += min(one.adjusted_p for one in found.values()) <= 0.05
    assert told <= 32  # 20 expected at most, 99 % limit
