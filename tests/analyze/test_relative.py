"""ARFG, ARE and Δm against hand computation."""

import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Axes, Run, relative_table
from fairbench.errors import StudyError

AXES = Axes("rmse", "gap")


def table(*rows):
    columns = ["method", "value", "split", "target", "rmse", "gap"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(dataset="d", protected="sex", seed=frame["split"], part="test")


def chance(p=0.01, powerless="", targets="ab"):
    frame = pd.DataFrame({"target": list(targets), "dataset": "d", "protected": "sex"})
    return frame.assign(p=p, powerless=powerless)


def relative(*rows, axes=AXES, **known):
    found = relative_table(table(*rows), axes, "base", chance(**known))
    return found.set_index("method")


BASE = [("base", np.nan, 0, "a", 2.0, 1.0), ("base", np.nan, 0, "b", 10.0, 4.0)]


def test_means_over_targets():
    found = relative(*BASE, ("m", 0.5, 0, "a", 1.0, 0.5), ("m", 0.5, 0, "b", 15.0, 1.0))
    assert found.loc["m", "are"] == pytest.approx((0.5 + 1.5) / 2)
    assert found.loc["m", "arfg"] == pytest.approx((0.5 + 0.25) / 2)
    assert found.loc["m", "delta_m"] == pytest.approx((0.5 - 0.5 + 0.5 + 0.75) / 4)
    assert found.loc["base", ["arfg", "are", "delta_m"]].tolist() == [1, 1, 0]
    assert found.loc["m", "reason"] == ""


def test_means_are_divided_rather_than_trials():
    rows = [("base", np.nan, 0, "a", 2.0, 0.01), ("base", np.nan, 1, "a", 2.0, 1.99)]
    rows += [("m", 0.5, 0, "a", 2.0, 1.99), ("m", 0.5, 1, "a", 2.0, 0.01)]
    found = relative(*rows)
    assert found.loc["m", "arfg"] == pytest.approx(1.0)  # the mean of the quotients is 99.5
    assert found.loc["m", "delta_m"] == pytest.approx(0.0)
    assert found.loc["m", "repeats"] == 2


def test_only_repeats_that_both_have_count():
    rows = [("base", np.nan, 0, "a", 2.0, 1.0), ("base", np.nan, 1, "a", 4.0, 9.0)]
    found = relative(*rows, ("m", 0.5, 0, "a", 1.0, 0.5), ("m", 0.5, 1, "a", 1.0, np.nan))
    assert found.loc["m", ["repeats", "arfg", "are"]].tolist() == [1, 0.5, 0.5]


def test_a_disparity_within_chance_is_nothing_to_be_relative_to():
    rows = (*BASE, ("m", 0.5, 0, "a", 1.0, 0.5), ("m", 0.5, 0, "b", 15.0, 1.0))
    found = relative(*rows, p=[0.01, 0.3]).loc["m"]
    assert np.isnan(found[["arfg", "delta_m"]].astype(float)).all()
    assert found["are"] == pytest.approx(1.0)  # errors have nothing to do with it
    assert found["reason"] == "b: the baseline's disparity is within chance (p = 0.3)"
    told = relative(*rows, powerless="with 4 clusters").loc["m", "reason"]
    assert told == "a: with 4 clusters"
    assert "within chance" in relative(*rows, p=np.nan).loc["m", "reason"]


def test_no_value_where_the_baseline_has_none_or_zero():
    rows = [*BASE[:1], ("base", np.nan, 0, "b", np.nan, 2.0)]
    rows += [("m", 0.5, 0, target, 1.0, 1.0) for target in "ab"]
    found = relative(*rows)
    assert found.loc["m", ["arfg", "are", "delta_m"]].isna().all()
    assert found.loc["m", "reason"] == "b: no split and seed with a value of both"
    zero = relative(("base", np.nan, 0, "a", 2.0, 0.0), ("m", 0.5, 0, "a", 1.0, 1.0))
    assert zero.loc["m", "reason"] == "a: the baseline has a mean of 0"


def test_only_test_rows_count():
    frame = table(*BASE, ("m", 0.5, 0, "a", 1.0, 0.5))
    other = frame.assign(part="validation", rmse=99.0)
    found = relative_table(pd.concat([frame, other]), AXES, "base", chance()).set_index("method")
    assert found.loc["m", "are"] == 0.5


def test_a_metric_that_is_best_high_has_no_quotient():
    with pytest.raises(StudyError, match="better the higher"):
        relative(*BASE, axes=Axes("rmse", "gap", "high"))


def test_of_runs_an_identical_method_changes_nothing(make_run, metrics):
    def unfair(trial, y, groups, rng):
        own = np.random.default_rng([trial.split, trial.seed])
        return y + own.normal(size=y.shape) * (0.3 + groups[:, None])

    def fair(trial, y, groups, rng):
        return y + rng.normal(size=y.shape)

    methods = {"base": (None,), "copy": (None,)}
    found = Run(make_run(methods=methods, predict=unfair, rows=300).path).relative()
    assert found[["arfg", "are", "delta_m"]].to_numpy() == pytest.approx(np.array([[1, 1, 0]] * 2))
    nothing = Run(make_run("fair", methods=methods, predict=fair, rows=300).path).relative()
    assert nothing["arfg"].isna().all()
    assert nothing["reason"].str.contains("within chance").all()
