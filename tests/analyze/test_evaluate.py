"""Guarded evaluation: every NaN has a reason, and no metric costs another its value."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from sklearn.metrics import mean_absolute_error

from fairbench.analyze import evaluate as module
from fairbench.analyze.evaluate import evaluate, group_errors
from fairbench.dataset import Protected
from fairbench.metric import Undefined
from fairbench.plugins.descriptions import MetricDescription, ModelDescription


@dataclass
class Offered:
    """A component whose target is a function of this file."""

    name: str
    metric: object
    options: dict = field(default_factory=dict)
    dist: str = "here"

    @property
    def description(self):
        return MetricDescription(
            name=self.name, summary="A metric", target="a:b", role="disparity", **self.options
        )

    @property
    def qualified(self):
        return f"{self.dist}:{self.name}"

    def load(self):
        if isinstance(self.metric, Exception):
            raise self.metric
        return self.metric


def mean_error(prediction, target, protected):
    assert np.isfinite(prediction).all()
    return np.abs(prediction - target).mean(axis=-1)


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1], [12, 8])
    protected = Protected("sex", "binary", groups.astype(float), groups, ("female", "male"))
    return rng.normal(size=(6, 20)), rng.normal(size=20), protected


def test_values_by_name(rows):
    prediction, target, protected = rows
    values, reasons = evaluate(prediction, target, protected, [Offered("mean", mean_error)])
    np.testing.assert_array_equal(values["mean"], np.abs(prediction - target).mean(axis=1))
    assert reasons == {}


def test_a_diverged_trial_does_not_disturb_the_others(rows):
    prediction, target, protected = rows
    expected = np.abs(prediction - target).mean(axis=1)
    prediction = prediction.copy()
    prediction[1] = np.nan
    prediction[4, 3] = np.inf
    expected[[1, 4]] = np.nan
    values, reasons = evaluate(prediction, target, protected, [Offered("mean", mean_error)])
    np.testing.assert_array_equal(values["mean"], expected)
    assert reasons["mean"].startswith("2 of 6 trials: predictions are missing or not finite")
    prediction[:] = np.nan
    values, reasons = evaluate(prediction, target, protected, [Offered("mean", mean_error)])
    assert np.isnan(values["mean"]).all()
    assert reasons["mean"].startswith("predictions are missing")


def test_small_and_empty_groups(rows):
    prediction, target, protected = rows
    fits = Offered("fits", mean_error, {"smallest_group": 8})
    small = Offered("small", mean_error, {"smallest_group": 9})
    values, reasons = evaluate(prediction, target, protected, [fits, small])
    assert np.isfinite(values["fits"]).all()
    assert np.isnan(values["small"]).all()
    assert reasons == {"small": "group 'male' of sex has 8 rows, fewer than 9"}
    women = protected.rows(np.arange(12))
    ungrouped = Offered("ungrouped", mean_error, {"smallest_group": 0})
    default = Offered("default", mean_error)
    values, reasons = evaluate(prediction[:, :12], target[:12], women, [ungrouped, default])
    assert np.isfinite(values["ungrouped"]).all()
    assert np.isnan(values["default"]).all()
    assert reasons == {"default": "group 'male' of sex has 0 rows, fewer than 1"}


def test_kind_that_is_not_taken(rows):
    only = Offered("only", mean_error, {"takes": ("continuous",)})
    values, reasons = evaluate(*rows, [only])
    assert np.isnan(values["only"]).all()
    assert reasons == {"only": "takes a continuous attribute, and sex is binary"}


def undefined(prediction, target, protected):
    raise Undefined("no value here")


def broken(prediction, target, protected):
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (undefined, "no value here"),
        (broken, "ZeroDivisionError: oops"),
        (ImportError("no module named x"), "ImportError: no module named x"),
        (3, "a metric must be callable, not int"),
        (lambda p, t, a: 0.5, "the metric returned shape (), not (6,)"),
        (lambda p, t, a: p, "the metric returned shape (6, 20), not (6,)"),
        (lambda p, t, a: ["a"] * 6, "ValueError: could not convert string to float"),
        (lambda p, t, a: np.full(len(p), np.nan), "the metric returned NaN"),
        (lambda p, t, a: np.full(len(p), -np.inf), "the value is infinite"),
        (lambda p, t, a: p.fill(0.0), "ValueError: assignment destination is read-only"),
        (lambda p, t, a: t.sort(), "ValueError: sort array is read-only"),
    ],
)
def test_a_faulty_metric_costs_only_itself(rows, metric, reason):
    good = Offered("mean", mean_error)
    values, reasons = evaluate(*rows, [Offered("faulty", metric), good])
    assert np.isnan(values["faulty"]).all()
    assert reasons["faulty"].startswith(reason)
    assert set(reasons) == {"faulty"}
    np.testing.assert_array_equal(values["mean"], np.abs(rows[0] - rows[1]).mean(axis=1))


def test_what_is_no_metric_is_said(rows):
    class Model(Offered):
        description = ModelDescription(name="mlp", summary="A model", target="a:b")

    values, reasons = evaluate(*rows, [Model("mlp", mean_error)])
    assert np.isnan(values["mlp"]).all()
    assert reasons == {"mlp": "mlp is a model, not a metric"}


def test_the_reason_of_single_trials_is_asked_for(rows):
    prediction, target, protected = rows

    def partly(prediction, target, protected):
        low = prediction.min(axis=-1) < 0
        if low.all():
            raise Undefined("a prediction is below 0")
        return np.where(low, np.nan, prediction.max(axis=-1))

    prediction = prediction.copy()
    prediction[:4] = np.abs(prediction[:4])
    values, reasons = evaluate(prediction, target, protected, [Offered("partly", partly)])
    np.testing.assert_array_equal(np.isnan(values["partly"]), [False] * 4 + [True] * 2)
    assert reasons == {"partly": "2 of 6 trials: a prediction is below 0"}


def test_blocks_do_not_show(rows, monkeypatch):
    prediction, target, protected = rows
    whole, _ = evaluate(prediction, target, protected, [Offered("mean", mean_error)])
    monkeypatch.setattr(module, "_BLOCK", 45)
    seen = []

    def watching(prediction, target, protected):
        seen.append(len(prediction))
        return mean_error(prediction, target, protected)

    blocks, _ = evaluate(prediction, target, protected, [Offered("mean", watching)])
    assert seen == [2, 2, 2]
    np.testing.assert_array_equal(blocks["mean"], whole["mean"])


def test_one_name_from_two_plugins_is_kept_apart(rows):
    def zero(prediction, target, protected):
        return np.zeros(len(prediction))

    metrics = [Offered("mean", mean_error, dist="one"), Offered("mean", zero, dist="two")]
    values, _ = evaluate(*rows, metrics)
    assert set(values) == {"one:mean", "two:mean"}
    assert (values["two:mean"] == 0).all()
    assert (values["one:mean"] > 0).all()


def test_inputs_stay_writable(rows):
    prediction, target, protected = rows
    evaluate(prediction, target, protected, [Offered("mean", mean_error)])
    assert prediction.flags.writeable
    assert target.flags.writeable


def test_group_errors_are_those_of_fairlearn(rows):
    prediction, target, protected = rows
    columns = group_errors(prediction, target, protected)
    assert {len(column) for column in columns.values()} == {12}
    np.testing.assert_array_equal(columns["trial"], np.repeat(np.arange(6), 2))
    assert columns["group"].tolist() == ["female", "male"] * 6
    assert columns["n"].tolist() == [12, 8] * 6
    for trial, row in enumerate(prediction):
        own = columns["trial"] == trial
        frame = MetricFrame(
            metrics=mean_absolute_error,
            y_true=target,
            y_pred=row,
            sensitive_features=protected.groups,
        )
        np.testing.assert_allclose(columns["mae"][own], frame.by_group)
    for g in range(2):
        member, own = protected.groups == g, columns["group"] == protected.labels[g]
        residual = (prediction - target)[:, member]
        np.testing.assert_allclose(columns["mse"][own], (residual**2).mean(axis=1))
        np.testing.assert_allclose(columns["residual"][own], residual.mean(axis=1))


def test_group_errors_of_empty_groups_and_lost_trials(rows):
    prediction, target, protected = rows
    prediction = prediction[:, :12].copy()
    prediction[2] = np.nan
    columns = group_errors(prediction, target[:12], protected.rows(np.arange(12)))
    lost = (columns["trial"] == 2) | (columns["group"] == "male")
    for name in ("mae", "mse", "residual"):
        np.testing.assert_array_equal(np.isnan(columns[name]), lost)
    assert columns["n"].tolist() == [12, 0] * 6
