"""ARFG, ARE and Δm against hand computation."""

import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Axes, relative_table
from fairbench.errors import StudyError

AXES = Axes("rmse", "gap")


def table(*rows):
    columns = ["method", "value", "split", "target", "rmse", "gap"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(dataset="d", protected="sex", seed=frame["split"], part="test")


BASE = [("base", np.nan, 0, "a", 2.0, 1.0), ("base", np.nan, 0, "b", 10.0, 4.0)]


def test_means_over_targets():
    found = relative_table(
        table(*BASE, ("m", 0.5, 0, "a", 1.0, 0.5), ("m", 0.5, 0, "b", 15.0, 1.0)), AXES, "base"
    ).set_index("method")
    assert found.loc["m", "are"] == pytest.approx((0.5 + 1.5) / 2)
    assert found.loc["m", "arfg"] == pytest.approx((0.5 + 0.25) / 2)
    assert found.loc["m", "delta_m"] == pytest.approx((0.5 - 0.5 + 0.5 + 0.75) / 4)
    assert found.loc["base", ["arfg", "are", "delta_m"]].tolist() == [1, 1, 0]


def test_each_split_has_its_own_baseline():
    rows = [*BASE[:1], ("base", np.nan, 1, "a", 4.0, 2.0)]
    rows += [("m", 0.5, split, "a", 2.0, 2.0) for split in (0, 1)]
    found = relative_table(table(*rows), AXES, "base")
    found = found[found["method"] == "m"].set_index("split")
    assert found["are"].tolist() == [1.0, 0.5]
    assert found["arfg"].tolist() == [2.0, 1.0]


def test_no_value_where_the_baseline_has_none_or_zero():
    rows = [*BASE[:1], ("base", np.nan, 0, "b", np.nan, 0.0)]
    rows += [("m", 0.5, 0, target, 1.0, 1.0) for target in "ab"]
    found = relative_table(table(*rows), AXES, "base").set_index("method")
    assert found.loc["m", ["arfg", "are", "delta_m"]].isna().all()


def test_only_test_rows_count():
    frame = table(*BASE, ("m", 0.5, 0, "a", 1.0, 0.5))
    other = frame.assign(part="validation", rmse=99.0)
    found = relative_table(pd.concat([frame, other]), AXES, "base").set_index("method")
    assert found.loc["m", "are"] == 0.5


def test_a_metric_that_is_best_high_has_no_quotient():
    with pytest.raises(StudyError, match="better the higher"):
        relative_table(table(*BASE), Axes("rmse", "gap", "high"), "base")
