"""Columns that identify rows are no features unless asked for; measurements like them are."""

import numpy as np
import pandas as pd
import pytest

from fairbench.data import open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.errors import DataError

N = 60


def opened(tmp_path, columns, **spec):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(columns)
    frame["x"] = rng.normal(size=len(frame))
    frame["sex"] = ["F", "M"] * (len(frame) // 2)
    frame["y"] = rng.normal(size=len(frame))
    frame.to_csv(tmp_path / "t.csv", index=False)
    return open_dataset(DatasetSpec(str(tmp_path / "t.csv"), ("y",), ("sex",), **spec))


def order(seed=1):
    return np.random.default_rng(seed).permutation(N)


OUT = {
    "rownames": range(1, N + 1),
    "": range(N),
    "position": range(N),
    "kept": [3 * i + i % 2 for i in range(N)],  # an index that lost rows
    "countdown": range(N, 0, -1),
    "id": order() + 7000,
    "customerId": order() * 100_003,
    "name": [f"N{i}" for i in range(N)],
    "email": [f"N{i}" for i in order()],
}


@pytest.mark.parametrize("name", OUT)
def test_a_different_value_in_every_row_is_left_out_and_named(tmp_path, name):
    dataset = opened(tmp_path, {name: OUT[name]})
    shown = name or "Unnamed: 0"
    assert dataset.feature_names == ("x",)
    (notice,) = dataset.card.notices
    assert f"'{shown}' (60 in 60 rows)" in notice
    assert "--features=" in notice
    kept = opened(tmp_path, {name: OUT[name]}, features=(f"+{shown}",))
    assert len(kept.feature_names) > 1
    assert kept.card.notices == ()


@pytest.mark.parametrize("name", ["rownames", "id"])
def test_numeric_keeps_it_too(tmp_path, name):
    assert opened(tmp_path, {name: OUT[name]}, numeric=(name,)).feature_names == (name, "x")


MEASURED = {
    "year": range(1960, 1960 + N),
    "test_time": range(N),
    "age": np.linspace(20, 90, N).round().astype(int),
    "population": np.cumsum(np.arange(N) * 97 + 31),  # sorted by size, few of all numbers
    "income": order() + 20_000,
    "length": np.sort(np.random.default_rng(2).random(N)),
    "idle": np.repeat(np.arange(N // 4), 4),
    "born": pd.date_range("2000-01-01", periods=N).astype(str),
    "user": [0, 1] * (N // 2),
    "room_number": order(),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_that_look_alike_stay_features(tmp_path, name):
    dataset = opened(tmp_path, {name: MEASURED[name]})
    assert dataset.feature_names == (name, "x")
    assert dataset.card.notices == ()


@pytest.mark.parametrize("name", ["patient", "subject#", "person_id", "StudentId", "customer no"])
@pytest.mark.parametrize("label", ["{}", "P{}"])
def test_a_repeated_identifier_is_proposed_as_cluster(tmp_path, name, label):
    people = {name: [label.format(i // 5 + 100) for i in range(N)]}
    dataset = opened(tmp_path, people)
    assert dataset.feature_names == ("x",)
    assert "--cluster" in dataset.card.notices[0]
    assert f"{name!r} (12 in 60 rows)" in dataset.card.notices[0]
    clustered = opened(tmp_path, people, cluster=name)
    assert clustered.card.notices == ()
    assert clustered.clusters.max() == 11


def test_columns_with_many_texts_are_named_in_one_message(tmp_path):
    towns = {f"town{k}": [f"T{(i + k) % 25}" for i in range(N)] for k in (1, 2, 3)}
    few = {"job": [f"J{i % 6}" for i in range(N)]}
    dataset = opened(tmp_path, towns | few)
    assert len(dataset.feature_names) == 7
    (notice,) = dataset.card.notices
    assert "'town1' (25 in 60 rows), 'town2' (25 in 60 rows), 'town3' (25 in 60 rows)" in notice
    assert "--categorical town1" in notice
    kept = opened(tmp_path, towns | few, categorical=("town2",))
    assert len(kept.feature_names) == 7 + 25


def test_where_nothing_is_left_the_message_says_why(tmp_path):
    with pytest.raises(DataError, match="no feature is left") as caught:
        opened(tmp_path, {"id": OUT["id"]}, drop=("x",))
    assert "'id' (60 in 60 rows)" in caught.value.hint


def test_kinds_by_flag(tmp_path):
    frame = {"code": [i % 3 for i in range(N)], "K,1,2,3": [i % 4 for i in range(N)]}
    spelt = opened(tmp_path, frame, categorical=("code",), drop=("K,1,2,3",))
    assert spelt.feature_names == ("code=0", "code=1", "code=2", "x")
    grouped = open_dataset(
        DatasetSpec(str(tmp_path / "t.csv"), ("y",), ("code",), categorical=("code",))
    )
    assert grouped.protected[0].labels == ("0", "1", "2")
    with pytest.raises(DataError, match="column 'sex' holds text") as caught:
        opened(tmp_path, frame, numeric=("sex",))
    assert "line 2: 'F'" in caught.value.where


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"categorical": ("x",), "numeric": ("x",)}, "'x' is asked for as categorical and as num"),
        ({"drop": ("x",), "features": ("+x",)}, "'x' is dropped and used at once"),
        ({"drop": ("sex",)}, "'sex' is dropped and used at once"),
        ({"drop": ("z",)}, "no column 'z'"),
    ],
)
def test_flags_that_contradict_each_other(tmp_path, spec, what):
    with pytest.raises(DataError, match=what):
        opened(tmp_path, {"job": ["a", "b"] * 30}, **spec)


@pytest.mark.parametrize(
    ("features", "names"),
    [
        (("+K", "1", "2", "3"), ("K,1,2,3", "a, b", "x")),
        (("-K", "1", "2", "3"), ("a, b", "x")),
        (("-K", "1", "2", "3", "-a", "b"), ("x",)),
        (("K", "1", "2", "3", "x"), ("K,1,2,3", "x")),
        (("-K,1,2,3",), ("a, b", "x")),
        (("a", "b"), ("a, b",)),
    ],
)
def test_names_with_commas_in_a_list_of_features(tmp_path, features, names):
    columns = {"K,1,2,3": np.random.default_rng(5).random(N), "a, b": [1.5, 2.5] * (N // 2)}
    assert opened(tmp_path, columns, features=features).feature_names == names


def test_a_name_with_commas_can_play_every_part(tmp_path):
    frame = {"K,1,2,3": [i // 6 for i in range(N)], "T,y": np.random.default_rng(1).random(N)}
    opened(tmp_path, frame)
    spec = DatasetSpec(str(tmp_path / "t.csv"), ("T,y",), ("sex",), cluster="K,1,2,3")
    dataset = open_dataset(spec)
    assert dataset.target_names == ("T,y",)
    assert dataset.cluster_name == "K,1,2,3"
    dataset = open_dataset(DatasetSpec(spec.name, ("y",), ("K,1,2,3",)))
    assert dataset.protected[0].name == "K,1,2,3"
