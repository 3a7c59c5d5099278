"""Missing values: filled in on training rows, or dropped where asked; counted by group."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairbench.data import facts, open_dataset
from fairbench.dataset import Card, Dataset, DatasetSpec, Protected
from fairbench.errors import DataError
from fairbench.fold import Fold, Split

TABLE = """hours,job,flag,sex,y
1,cook,1,F,1
2,cook,,F,2
,smith,1,M,3
4,,1,M,4
inf,smith,,F,5
60,smith,1,,6
5,cook,1,M,7
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return str(tmp_path / "t.csv")


def opened(path, **spec) -> Dataset:
    return open_dataset(DatasetSpec(str(path), **{"targets": ("y",), "protected": ("sex",)} | spec))


def test_missing_features_stay_missing_until_a_fold_fills_them_in(path):
    dataset = opened(path)
    assert dataset.rows == 6  # the row without a group is gone
    assert dataset.feature_names == (
        "hours", "hours is missing", "job=cook", "job=smith", "flag is missing"
    )  # fmt: skip
    assert dataset.imputed == ((0,), (2, 3))
    assert np.isnan(dataset.features[[2, 4], 0]).all()
    assert dataset.features[:, 1].tolist() == [0, 0, 1, 0, 1, 0]
    assert dataset.features[:, 4].tolist() == [0, 1, 0, 0, 1, 0]  # one value, or none
    rows = np.array([0, 1, 3])
    fill = dataset.fill(rows)
    assert fill.tolist() == [2, 0, 1, 0, 0]  # the median of 1, 2 and 4; cook twice of two
    filled = dataset.filled(np.arange(6), fill)
    assert filled[:, 0].tolist() == [1, 2, 2, 4, 2, 5]
    assert filled[3, 2:4].tolist() == [1, 0]
    assert dict(dataset.card.imputed) == {"hours": 2, "job": 1}
    assert facts(dataset)["imputed"] == {"hours": 2, "job": 1}


def test_what_is_lost_and_filled_in_is_counted_by_group(path):
    lost, filled = opened(path).card.notices
    assert lost == (
        "1 of 7 rows are left out: missing 'sex' 1; by sex: F 0 of 3 (0%), M 0 of 3 (0%), "
        "without a group 1"
    )
    assert filled == (
        "missing features are filled in on training rows in 3 of 6 rows: hours 2, job 1; by sex: "
        "F 1 of 3 (33%), M 2 of 3 (67%)"
    )


def test_missing_drop_is_the_old_way(path):
    dataset = opened(path, missing="drop", drop=("flag",))
    assert dataset.features.tolist() == [[1], [2], [5]]  # all three are cooks
    assert dataset.imputed == ()
    assert dict(dataset.card.dropped) == {
        "missing 'hours'": 1,
        "infinite 'hours'": 1,
        "missing 'job'": 1,
        "missing 'sex'": 1,
    }
    assert "F 1 of 3 (33%), M 2 of 3 (67%), without a group 1" in dataset.card.notices[0]


def test_a_missing_target_is_an_error_or_a_dropped_row(path):
    with pytest.raises(DataError, match="target 'hours' has missing values: 1 of 7") as caught:
        opened(path, targets=("hours",))
    assert "--missing-target drop" in caught.value.hint
    dataset = opened(path, targets=("hours",), missing_target="drop")
    assert dataset.targets[:, 0].tolist() == [1, 2, 4, 5]
    assert dict(dataset.card.dropped)["missing 'hours'"] == 1
    assert "M 1 of 3 (33%)" in dataset.card.notices[0]


def test_a_group_called_na(tmp_path):
    frame = pd.DataFrame({"x": np.arange(12) / 7, "region": ["NA", "EU", "AS"] * 4, "y": range(12)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    path = str(tmp_path / "t.csv")
    assert opened(path, protected=("region",)).protected[0].labels == ("AS", "EU")
    kept = opened(path, protected=("region",), keep_na=True)
    assert kept.protected[0].labels == ("AS", "EU", "NA")
    assert (kept.rows, kept.card.notices) == (12, ())
    frame["region"] = ["NA", "2", "1"] * 4
    frame.to_csv(tmp_path / "t.csv", index=False)
    for more in ({}, {"categorical": ("region",)}):
        coded = opened(path, protected=("region",), keep_na=True, **more)
        assert coded.protected[0].labels == ("1", "2", "NA")


def test_losses_of_an_intersection_are_counted_for_its_groups(tmp_path):
    rows = [f"{'' if i == 5 else i / 7},{'ab'[i % 2]},{'FM'[i // 2 % 2]},{i}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["x,job,sex,y", *rows]))
    dataset = opened(tmp_path / "t.csv", protected=("job*sex",), missing="drop")
    assert (
        "by job*sex: a, F 0 of 3 (0%), a, M 0 of 3 (0%), b, F 1 of 3 (33%)"
        in (dataset.card.notices[0])
    )


def test_digests_differ_by_what_is_filled_in(path):
    assert opened(path).digest != opened(path, missing="drop").digest


def made(features, imputed):
    rows = len(features)
    groups = np.arange(rows) % 2
    attribute = Protected("a", "binary", groups * 1.0, groups, ("x", "y"))
    names = tuple(f"f{i}" for i in range(features.shape[1]))
    targets = np.arange(rows, dtype=float)[:, None]
    card = Card("t", "made up", "none")
    return Dataset("t", features, names, targets, ("y",), (attribute,), None, "", card, imputed)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
@settings(max_examples=30, deadline=None)
def test_a_fold_fills_in_from_training_rows_alone(seed, share):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 4))
    x[:, 2] = rng.random(40) < 0.5
    x[:, 3] = 1 - x[:, 2]
    gone = rng.random((40, 2)) < share
    x[gone[:, 0], 0] = np.nan
    x[np.ix_(gone[:, 1], [2, 3])] = np.nan
    split = Split(*np.split(rng.permutation(40), [20, 30]))
    fold = Fold(made(x, ((0,), (2, 3))), split)
    changed = x.copy()
    held_out = np.concatenate([split.validation, split.test])
    changed[held_out, 0] *= 100
    changed[np.ix_(held_out, [2, 3])] = changed[np.ix_(held_out, [3, 2])]
    other = Fold(made(changed, ((0,), (2, 3))), split)
    np.testing.assert_array_equal(fold.features("train"), other.features("train"))
    for part in ("train", "validation", "test"):
        features = fold.features(part)
        assert np.isfinite(features).all()
        missing = np.isnan(x[split[part], 0])
        assert len(np.unique(features[missing, 0])) <= 1  # one value for all
        present = x[split[part], 0][~missing]
        np.testing.assert_array_equal(np.argsort(features[~missing, 0]), np.argsort(present))
    train = x[split.train, 0]
    if (~np.isnan(train)).any():
        assert fold._fill[0] == np.nanmedian(train)
    assert sorted(fold._fill[2:]) in ([0, 1], [0, 0])


def test_a_fold_of_whole_features_is_as_it_was():
    x = np.random.default_rng(0).normal(size=(30, 3))
    split = Split(*np.split(np.arange(30), [20, 25]))
    fold = Fold(made(x, ()), split)
    train = x[:20]
    expected = (x[25:] - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_array_equal(fold.features("test"), expected)
