"""Errors over all rows and by group, against scikit-learn and fairlearn."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from fairlearn.reductions import SquareLoss
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from fairbench.metric import Undefined

LOSSES = {
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "rmse": root_mean_squared_error,
    "r2": r2_score,
}


def frames(loss, prediction, target, attribute):
    return [
        MetricFrame(metrics=loss, y_true=target, y_pred=row, sensitive_features=attribute.groups)
        for row in prediction
    ]


@pytest.mark.parametrize("name", LOSSES)
def test_errors_are_those_of_scikit_learn(metric, sample, name):
    prediction, target, attribute = sample
    expected = [LOSSES[name](target, row) for row in prediction]
    np.testing.assert_allclose(metric(name)(prediction, target, attribute), expected)


@pytest.mark.parametrize(("name", "alpha"), [("pinball-10", 0.1), ("pinball-90", 0.9)])
def test_pinball_is_that_of_scikit_learn(metric, sample, name, alpha):
    prediction, target, attribute = sample
    expected = [mean_pinball_loss(target, row, alpha=alpha) for row in prediction]
    np.testing.assert_allclose(metric(name)(prediction, target, attribute), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_group_errors_are_those_of_fairlearn(metric, sample, name):
    prediction, target, attribute = sample
    found = frames(LOSSES[name], prediction, target, attribute)
    worst = [f.group_min() if name == "r2" else f.group_max() for f in found]
    deviation = [np.abs(f.by_group - f.overall).max() for f in found]
    for suffix, expected in {
        "disparity": [f.difference(method="between_groups") for f in found],
        "ratio": [f.ratio(method="between_groups") for f in found],
        "worst": worst,
        "deviation": deviation,
    }.items():
        values = metric(f"{name}-{suffix}")(prediction, target, attribute)
        np.testing.assert_allclose(values, expected)


def test_residual_gap_is_that_of_fairlearn(metric, sample):
    prediction, target, attribute = sample

    def residual(y_true, y_pred):
        return np.mean(y_pred - y_true)

    expected = [f.difference() for f in frames(residual, prediction, target, attribute)]
    np.testing.assert_allclose(metric("residual-gap")(prediction, target, attribute), expected)


def test_bounded_group_loss_is_that_of_fairlearn(metric, sample):
    prediction, target, attribute = sample
    low, high = target.min(), target.max()
    loss = SquareLoss(low, high)

    def bounded(y_true, y_pred):
        return np.mean(loss.eval(y_true, y_pred)) / (high - low) ** 2

    expected = [f.group_max() for f in frames(bounded, prediction, target, attribute)]
    values = metric("bounded-group-loss")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)
    wild = metric("bounded-group-loss")(1e6 * prediction, target, attribute)
    assert (wild <= 1).all()


def test_ratio_without_error_is_undefined_for_that_trial_alone(metric, attribute):
    target = np.arange(8.0)
    groups = attribute([0, 1] * 4)
    prediction = np.stack([target, target + [1, 2] * 4])
    np.testing.assert_array_equal(metric("mae-ratio")(prediction, target, groups), [np.nan, 0.5])
    with pytest.raises(Undefined, match="not all 0"):
        metric("mae-ratio")(target, target, groups)


def test_ratio_of_negative_r2_is_undefined(metric, attribute):
    target = np.arange(8.0)
    with pytest.raises(Undefined, match="below 0"):
        metric("r2-ratio")(target[::-1], target, attribute([0, 1] * 4))


def test_r2_needs_targets_that_vary(metric, attribute):
    prediction, groups = np.arange(4.0), attribute([0, 0, 1, 1])
    with pytest.raises(Undefined, match="vary"):
        metric("r2")(prediction, np.ones(4), groups)
    with pytest.raises(Undefined, match="'g1'"):
        metric("r2-disparity")(prediction, np.array([1.0, 2, 3, 3]), groups)
    with pytest.raises(Undefined, match="range"):
        metric("bounded-group-loss")(prediction, np.ones(4), groups)
