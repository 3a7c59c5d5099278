"""Numbers far from zero, and features that do not vary, are scaled and stored rightly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fairbench
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split


def fold(columns) -> Fold:
    features = np.column_stack(columns)
    rows = len(features)
    groups = np.arange(rows) % 2
    data = Dataset(
        "toy",
        features,
        tuple(f"x{k}" for k in range(features.shape[1])),
        np.arange(rows, dtype=float)[:, None],
        ("y",),
        (Protected("g", "binary", groups.astype(float), groups, ("a", "b")),),
        None,
        "",
        Card("Toy", "made here", "CC0"),
    )
    cuts = np.split(np.arange(rows), [int(0.6 * rows), int(0.8 * rows)])
    return Fold(data, Split(*cuts))


@pytest.mark.parametrize("value", [0.1, 1e12 + 0.1, -3e-9, 0.0])
def test_what_does_not_vary_is_not_divided_by_rounding(value):
    odd = np.full(600, value)
    odd[-1] = 2 * value + 1
    rounded = np.where(np.arange(600) % 2, 0.1 + 0.2, 0.3)
    found = fold([odd, rounded, np.arange(600.0)])
    assert found.constant_features().tolist() == [True, True, False]
    assert (found.features("train")[:, 0] == 0).all()
    assert np.abs(found.features("test")[:, 0]).max() == pytest.approx(abs(value + 1))
    assert np.abs(found.features("train")[:, 1]).max() < 1e-15


@pytest.mark.parametrize(("far", "spread"), [(1e12, 1.0), (1e12, 0.01), (1.7e9, 1e-3), (-1e8, 2)])
def test_what_varies_little_far_from_zero_is_scaled(far, spread):
    column = far + spread * np.random.default_rng(0).normal(size=5000)
    train = fold([column]).features("train")
    resolution = np.spacing(abs(far)) / spread  # of the mean, which is one double
    assert abs(train.mean()) <= resolution
    assert train.std() == pytest.approx(1, rel=1e-9)


def test_ordinary_columns_are_scaled_as_ever():
    column = np.random.default_rng(0).normal(3, 2, size=(500, 1))
    train = column[:300]
    expected = (train - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_array_equal(fold([column]).features("train"), expected)


@pytest.fixture
def table(tmp_path):
    def write(offset=0.0, **columns):
        draw = np.random.default_rng(0)
        x = draw.normal(size=600)
        y = offset + 2 * x + draw.normal(size=600)
        frame = pd.DataFrame({"x": x, **columns, "g": np.arange(600) % 2, "y": y})
        frame.to_csv(tmp_path / "table.csv", index=False)
        return str(tmp_path / "table.csv")

    return write


def study(path, seeds):
    return fairbench.Study(
        methods=["ridge"],
        datasets=[{"name": path, "targets": ["y"], "protected": ["g"]}],
        baseline=None,
        seeds=seeds,
        metrics=["rmse"],
        disparity="rmse-disparity",
    )


def test_one_odd_value_does_not_ruin_a_run(table, tmp_path):
    rate = np.full(600, 0.1)
    rate[0] = 0.2
    run = fairbench.run(study(table(rate=rate), 5), out=tmp_path / "run", executor="serial")
    assert run.metrics()["rmse"].max() < 2
    (told,) = run.audits().query("check == 'constant'").to_dict("records")
    assert told["level"] == "warning"
    assert "rate (" in told["text"]
    assert "of 5 splits" in told["text"]


@pytest.mark.parametrize("offset", [1e8, 1.7e9, 2_460_000.5])
def test_errors_do_not_depend_on_where_targets_lie(offset, table, tmp_path):
    near, far = (
        fairbench.run(study(table(at), 1), out=tmp_path / f"{at}", executor="serial")
        for at in (0.0, offset)
    )
    assert far.metrics()["rmse"].to_numpy() == pytest.approx(near.metrics()["rmse"], rel=1e-5)
