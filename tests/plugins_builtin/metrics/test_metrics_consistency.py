"""Consistency: alike rows, alike predictions."""

import numpy as np
import pytest

from fairbench.metric import Neighbours, Undefined
from fairbench.plugins.conformance import MetricConformance
from fairbench_metrics.consistency import consistency


class TestConsistency(MetricConformance):
    component = "consistency"


def direct(prediction, target, index):
    span = target.max() - target.min()
    gaps = [abs(prediction[i] - prediction[index[i]].mean()) for i in range(len(prediction))]
    return 1 - np.mean(gaps) / span


def test_direct_sum():
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(3, 40)), rng.normal(size=40)
    index = rng.integers(40, size=(40, 5))
    expected = [direct(row, target, index) for row in prediction]
    np.testing.assert_allclose(consistency(prediction, target, Neighbours(index)), expected)


def test_a_constant_prediction_is_wholly_consistent():
    index = np.arange(12).reshape(-1, 1)[::-1]
    assert consistency(np.full(12, 3.0), np.arange(12.0), Neighbours(index)) == 1


def test_neighbours_that_differ_by_the_whole_range():
    """Two pairs of twins, each predicted at both ends: every gap is half the range."""
    index = np.array([[0, 1], [0, 1], [2, 3], [2, 3]])
    ends = np.array([0.0, 8.0, 0.0, 8.0])
    assert consistency(ends, ends, Neighbours(index)) == pytest.approx(0.5)


def test_no_value_without_a_unit():
    with pytest.raises(Undefined, match="all targets are equal"):
        consistency(np.arange(3.0), np.ones(3), Neighbours(np.zeros((3, 1), dtype=np.int64)))
