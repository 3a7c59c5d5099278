"""Row values of metrics that compare means: their group means, and how rows move them."""

import numpy as np
import pytest

from fairbench.dataset import Protected
from fairbench.plugins import load

LOSSES = ("mae", "mse", "rmse", "r2")
COMPARING = [f"{loss}-{how}" for loss in LOSSES for how in ("disparity", "ratio", "worst")]
COMPARING += [f"{loss}-deviation" for loss in LOSSES]
COMPARING += ["residual-gap", "bounded-group-loss", "mean-parity", "mean-parity-scaled"]


def drawn(seed=0, n=60):
    rng = np.random.default_rng(seed)
    groups = np.sort(np.arange(n) % 3).astype(np.int64)
    target = rng.normal(size=n) * (1 + groups)
    prediction = target + rng.normal(size=(4, n)) * 0.4
    return prediction, target, Protected("a", "categorical", 1.0 * groups, groups, ("x", "y", "z"))


def by_group(metric, prediction, target, protected):
    rows = metric.by_row(prediction, target, protected)
    assert rows.shape == prediction.shape
    return np.stack([rows[:, protected.groups == g].mean(axis=1) for g in range(3)], axis=1)


@pytest.mark.parametrize("name", COMPARING)
def test_the_metric_is_a_summary_of_the_group_means(name):
    metric = load().find("metric", name).load()
    prediction, target, protected = drawn()
    means = by_group(metric, prediction, target, protected)
    summary = {
        "disparity": np.ptp(means, axis=1),
        "gap": np.ptp(means, axis=1),
        "parity": np.ptp(means, axis=1),
        "scaled": np.ptp(means, axis=1),
        "ratio": means.min(axis=1) / means.max(axis=1),
        "worst": means.min(axis=1) if name == "r2-worst" else means.max(axis=1),
        "loss": means.max(axis=1),
    }
    how = name.rsplit("-", 1)[1]
    value = metric(prediction, target, protected)
    if how == "deviation":
        whole = load().find("metric", name.split("-", maxsplit=1)[0]).load()
        overall = whole(prediction, target, protected)[:, None]
        assert value == pytest.approx(np.abs(means - overall).max(axis=1))
    else:
        assert value == pytest.approx(summary[how])


@pytest.mark.parametrize("name", ["rmse-worst", "r2-worst", "mae-worst", "mse-worst"])
def test_row_values_say_how_each_row_moves_its_group(name):
    """Weights 1 + h on one row move the group's value by h times its deviation, over n."""
    metric = load().find("metric", name).load()
    prediction, target, protected = drawn()
    prediction = prediction[:1]
    rows = metric.by_row(prediction, target, protected)[0]
    own = np.flatnonzero(protected.groups == 1)
    h = 1e-5
    for row in own[:5]:
        weights = 1 + h * (own == row)
        error = (prediction[0] - target)[own]
        mean = np.average(target[own], weights=weights)
        variance = np.average((target[own] - mean) ** 2, weights=weights)
        mse = np.average(error**2, weights=weights)
        moved = {
            "mae": np.average(np.abs(error), weights=weights),
            "mse": mse,
            "rmse": np.sqrt(mse),
            "r2": 1 - mse / variance,
        }[name.split("-", maxsplit=1)[0]]
        centre = rows[own].mean()
        assert (moved - centre) / h == pytest.approx((rows[row] - centre) / len(own), rel=1e-3)


def test_a_group_without_error_has_row_values():
    _, target, protected = drawn()
    metric = load().find("metric", "rmse-disparity").load()
    assert (metric.by_row(target[None], target, protected) == 0).all()
