import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairbench.analyze import holm, ranking, wilcoxon


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


def test_ranking_of_demsar():
    # Demšar 2006, table 6: C4.5 variants on 14 datasets, mean ranks 3.143 2.000 2.893 1.964.
    table = [
        (0.763, 0.768, 0.771, 0.798),
        (0.599, 0.591, 0.590, 0.569),
        (0.954, 0.971, 0.968, 0.967),
        (0.628, 0.661, 0.654, 0.657),
        (0.882, 0.888, 0.886, 0.898),
        (0.936, 0.931, 0.916, 0.931),
        (0.661, 0.668, 0.609, 0.685),
        (0.583, 0.583, 0.563, 0.625),
        (0.775, 0.838, 0.866, 0.875),
        (1.000, 1.000, 1.000, 1.000),
        (0.940, 0.962, 0.965, 0.962),
        (0.619, 0.666, 0.614, 0.669),
        (0.972, 0.981, 0.9751, 0.975),
        (0.957, 0.978, 0.946, 0.970),
    ]
    losses = pd.DataFrame(-np.array(table), columns=["C4.5", "+m", "+cf", "+m+cf"])
    found = ranking(losses)
    assert found is not None
    assert found.methods == ("+m+cf", "+m", "+cf", "C4.5")
    assert found.ranks == pytest.approx((1.964, 2.0, 2.893, 3.143), abs=1e-3)
    assert found.critical_difference == pytest.approx(1.25, abs=0.01)  # his section 3.2.2
    assert found.p < 0.05


def test_ranking_needs_datasets_and_methods():
    losses = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 3)))
    assert ranking(losses) is None
    assert ranking(pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)))) is None
    holes = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 3)))
    holes.iloc[[0, 1], 0] = np.nan
    assert ranking(holes) is None


def test_ranking_of_equals():
    found = ranking(pd.DataFrame(np.ones((6, 3))))
    assert found is not None
    assert found.p == 1.0
    assert found.ranks == (2.0, 2.0, 2.0)
