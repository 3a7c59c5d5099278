"""Groups: too small to be compared, merged, and formed by several attributes together."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fairbench.analyze.evaluate import evaluate
from fairbench.data import open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.errors import DataError
from fairbench.plugins import load

TABLE = SimpleNamespace(where="table.csv")


def table_with(tmp_path, **sizes):
    """A CSV file with as many rows of each group as `sizes` says, in columns race and sex."""
    race = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"race": race, "x": rng.normal(size=len(race))})
    frame["sex"] = np.where(np.arange(len(race)) % 2, "m", "f")
    frame["age"] = rng.integers(20, 80, len(race)) + rng.random(len(race))
    frame["y"] = frame["x"] + rng.normal(size=len(race))
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return str(path)


def attribute(path, name="race", **spec):
    return open_dataset(DatasetSpec(path, ("y",), (name,), **spec)).protected[0]


def disparity(race, prediction, target):
    (metric,) = [load().find("metric", "rmse-disparity")]
    values, reasons = evaluate(prediction[None], target, race, [metric])
    assert not reasons
    return values["rmse-disparity"][0]


def test_a_dozen_rows_of_a_third_group_do_not_hide_the_gap_of_two_others(tmp_path):
    path = table_with(tmp_path, a=600, b=504, c=12)
    dataset = open_dataset(DatasetSpec(path, ("y",), ("race",)))
    (race,) = dataset.protected
    assert race.small == ("c",)
    target = dataset.targets[:, 0]
    off = np.where(race.groups == 0, 1.0, np.where(race.groups == 1, 3.0, 40.0))
    assert disparity(race, target + off, target) == pytest.approx(2.0)
    # the error still counts every row
    values, _ = evaluate((target + off)[None], target, race, [load().find("metric", "rmse")])
    assert values["rmse"][0] == pytest.approx(np.sqrt(np.mean(off**2)))


@pytest.mark.parametrize(
    ("sizes", "spec", "labels", "small"),
    [
        ({"a": 60, "b": 60, "c": 49}, {}, "a b c", "c"),
        ({"a": 60, "b": 60, "c": 50}, {}, "a b c", ""),
        ({"a": 60, "b": 20, "c": 10}, {}, "a b c", ""),  # nothing to compare would remain
        ({"a": 60, "b": 60, "c": 49}, {"min_group": 10}, "a b c", ""),
        ({"a": 90, "b": 80, "c": 70}, {"min_group": 75}, "a b c", "c"),
        (
            {"a": 60, "b": 60, "c": 30, "d": 25},
            {"merge_groups": True},
            "a|b|other (2 groups)",
            "",
        ),
        (
            {"a": 60, "b": 60, "c": 9, "d": 8},
            {"merge_groups": True},
            "a|b|other (2 groups)",
            "other (2 groups)",
        ),
        ({"a": 60, "b": 60, "c": 9}, {"merge_groups": True}, "a b c", "c"),
        ({"a": 60, "b": 9, "c": 9}, {"merge_groups": True}, "a|other (2 groups)", ""),
    ],
)
def test_which_groups_are_compared(tmp_path, sizes, spec, labels, small):
    race = attribute(table_with(tmp_path, **sizes), **spec)
    assert race.labels == tuple(labels.split("|") if "|" in labels else labels.split())
    assert race.small == ((small,) if small else ())
    kept = race.compared()
    assert set(kept.labels) == set(race.labels) - set(race.small)
    counts = dict(zip(kept.labels, np.bincount(kept.groups), strict=True))
    for label, count in counts.items():
        assert count == (race.groups == race.labels.index(label)).sum()
    assert len(kept.values) == race.is_compared.sum()


def test_too_few_large_groups_are_an_error_where_the_size_was_asked_for(tmp_path):
    path = table_with(tmp_path, a=60, b=20)
    with pytest.raises(DataError, match="fewer than two groups of 'race' have 50 rows: 60 a, 20 b"):
        attribute(path, min_group=50)


def test_bins_below_the_size_asked_for_are_an_error(tmp_path):
    path = table_with(tmp_path, a=60, b=60)
    assert len(attribute(path, "age", bins=4).labels) == 4
    with pytest.raises(DataError, match="have 70 rows"):
        attribute(path, "age", min_group=70)


def test_an_intersection_is_the_groups_that_occur(tmp_path):
    path = table_with(tmp_path, a=100, b=80)
    both = attribute(path, "race * sex")
    assert (both.name, both.kind) == ("race*sex", "categorical")
    assert both.labels == ("a, f", "a, m", "b, f", "b, m")
    assert np.bincount(both.groups).tolist() == [50, 50, 40, 40]
    dataset = open_dataset(DatasetSpec(path, ("y",), ("race*sex", "sex")))
    assert dataset.feature_names == ("x", "age")
    assert [p.name for p in dataset.protected] == ["race*sex", "sex"]
    sex = dataset.protected[1]
    joint = np.array([label[-1] for label in both.labels])[both.groups]
    assert (joint == np.array(sex.labels)[sex.groups]).all()


def test_intersections_follow_the_same_rules(tmp_path):
    path = table_with(tmp_path, a=120, b=110, c=30)
    assert attribute(path, "race*sex").small == ("c, f", "c, m")
    merged = attribute(path, "race*sex", merge_groups=True)
    assert merged.labels[-1] == "other (2 groups)"
    assert np.bincount(merged.groups)[-1] == 30
    older = attribute(path, "sex*age")
    assert older.labels[0].startswith("f, age ≤ ")
    assert len(older.labels) == 4


def test_a_combination_without_a_row_is_no_group(tmp_path):
    path = tmp_path / "table.csv"
    rows = [
        (g, s, i, i * i % 7) for i in range(60) for g, s in [("a", "f"), ("a", "m"), ("b", "m")]
    ]
    pd.DataFrame(rows, columns=["g", "s", "x", "y"]).to_csv(path, index=False)
    assert attribute(str(path), "g*s").labels == ("a, f", "a, m", "b, m")


@pytest.mark.parametrize(
    ("protected", "said"),
    [
        (("race*sx",), "no column 'sx'"),
        (("race*race",), r"'race\*race' stands twice"),
        (("race*sex", "race * sex"), r"'race\*sex' stands twice"),
        (("race*y",), "'y' is asked for as more than one of"),
        (("race*",), "no column ''"),
    ],
)
def test_intersections_that_are_none(tmp_path, protected, said):
    path = table_with(tmp_path, a=60, b=60)
    with pytest.raises(DataError, match=said):
        open_dataset(DatasetSpec(path, ("y",), protected))


def test_a_column_with_an_asterisk_in_its_name_is_itself(tmp_path):
    path = tmp_path / "table.csv"
    rows = [("ab"[i % 2], i % 5, i * i % 7) for i in range(100)]
    pd.DataFrame(rows, columns=["g*h", "x", "y"]).to_csv(path, index=False)
    assert attribute(str(path), "g*h").labels == ("a", "b")


def test_small_groups_are_part_of_the_identity(tmp_path):
    path = table_with(tmp_path, a=60, b=60, c=30)
    digests = {
        open_dataset(DatasetSpec(path, ("y",), ("race",), min_group=n)).digest for n in (10, 40)
    }
    assert len(digests) == 2
