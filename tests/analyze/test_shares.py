"""No share of what is 0 but for rounding."""

import numpy as np
import pytest

from fairbench.analyze.axes import Axes
from fairbench.analyze.shares import share
from fairbench.analyze.verdicts import sentence


def test_shares_are_quotients():
    np.testing.assert_array_equal(share(np.array([1.0, -3.0]), 2.0), [0.5, -1.5])


@pytest.mark.parametrize("base", [0.0, 5e-17, -1e-15, 1e-11, np.nan])
def test_nothing_is_a_share_of_rounding(base):
    assert np.isnan(share(0.13, base))
    assert np.isnan(share(np.array([0.13, 2.0]), np.array([base, 1.0]))).tolist() == [True, False]


def test_a_sentence_has_no_percentage_of_a_disparity_of_none():
    facts = {
        "method": "m", "splits": 5, "fairer_on": 0, "within": 5, "difference": 0.13,
        "low": 0.1, "high": 0.16, "base_disparity": 5e-17, "error_difference": 0.2,
        "error_low": 0.1, "error_high": 0.3, "base_error": 2.0, "verdict": "less fair",
        "accuracy": "less accurate", "analysis": "primary", "population_low": np.nan,
        "population_high": np.nan, "left_out": "",
    }  # fmt: skip
    told = sentence(facts, Axes("rmse", "mean-parity"), "mean")
    assert "mean-parity +0.13, 95 %" in told
    assert "less accurate by 10 % (5 to 15 %)" in told
