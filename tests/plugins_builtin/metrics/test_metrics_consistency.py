"""Consistency: alike rows, alike predictions."""

import numpy as np
import pytest

from fairbench.metric import Undefined
from fairbench.neighbours import nearest
from fairbench.plugins.conformance import MetricConformance
from fairbench_metrics.consistency import consistency


class TestConsistency(MetricConformance):
    component = "consistency"


def direct(prediction, target, features):
    """As aif360's consistency score, with distances of all pairs and itself always included."""
    gaps = []
    for i, row in enumerate(features):
        distance = np.square(features - row).sum(axis=1)
        distance[i] = -1
        index = np.argsort(distance)[:5]
        gaps.append(abs(prediction[i] - prediction[index].mean()))
    return 1 - np.mean(gaps) / np.ptp(target)


def test_direct_sum():
    rng = np.random.default_rng(0)
    prediction, target, features = (
        rng.normal(size=(3, 60)),
        rng.normal(size=60),
        rng.normal(size=(60, 4)),
    )
    expected = [direct(row, target, features) for row in prediction]
    found = consistency(prediction, target, nearest(features))
    np.testing.assert_allclose(found, expected)


def test_a_constant_prediction_is_wholly_consistent():
    near = nearest(np.arange(12.0)[:, None])
    assert consistency(np.full(12, 0.1), np.arange(12.0), near) == 1


def test_twins_that_differ_by_the_whole_range():
    """Two pairs of twins far apart; of four nearest rows one is the twin and two the others."""
    ends = np.array([0.0, 8.0, 0.0, 8.0])
    near = nearest(np.array([[0.0], [0.0], [9.0], [9.0]]))
    assert consistency(ends, ends, near) == pytest.approx(0.5)


def test_duplicated_rows_by_hand():
    """Six equal rows predicted 0 but for one: its neighbours are itself and four of five others."""
    prediction = np.array([6.0, 0, 0, 0, 0, 0])
    near = nearest(np.zeros((6, 2)))
    # 6 is 6/5 on average around itself; around each other row 6 is there four times in five.
    expected = 1 - (abs(6 - 6 / 5) + 5 * (4 / 5) * 6 / 5) / 6 / 6
    assert consistency(prediction, prediction, near) == pytest.approx(expected)


def test_no_value_without_a_unit():
    with pytest.raises(Undefined, match="all targets are equal"):
        consistency(np.arange(3.0), np.ones(3), nearest(np.zeros((3, 1))))
