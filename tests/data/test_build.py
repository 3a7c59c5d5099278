"""Sources: roles, kinds and groups as a plugin declares them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fairbench.data import facts, open_dataset
from fairbench.data.build import build
from fairbench.dataset import Card, DatasetSource, DatasetSpec, ProtectedColumn, Roles
from fairbench.errors import DataError, PluginError
from fairbench.plugins import DatasetDescription, added, hookimpl

SPEC = DatasetSpec("toy")


class Toy(DatasetSource):
    card = Card("Toy", "made up", "none", caveats=("a toy",))
    roles = Roles(
        targets=("y", "z"),
        protected={
            "sex": ProtectedColumn("binary", {0: "male", 1: "female"}),
            "age": ProtectedColumn("continuous"),
            "job": ProtectedColumn("categorical", {"a": "artist"}),
        },
        cluster="person",
        excluded=("code",),
    )

    def __init__(self, **columns):
        self.frame = pd.DataFrame(
            {
                "person": [7, 7, 3, 3, 9, 9],
                "y": [1.0, 2, 3, 4, 5, 6],
                "z": [2.0, 3, 4, 5, 6, 9],
                "x": [0.5, 1, 2, 3, 4, 5],
                "sex": [0, 1, 0, 1, 0, 1],
                "age": [30, 40, 50, 60, 70, 80],
                "job": ["a", "b", "a", "c", "a", "b"],
                "code": [1, 2, 3, 4, 5, 6],
            }
            | columns
        )

    def table(self, locate):
        return self.frame


class Failing(Toy):
    def table(self, locate):
        raise KeyError("no such sheet")


def made(spec=SPEC, **columns):
    return build(spec, Toy(**columns), None)


def test_defaults_are_the_first_of_each_role():
    dataset = made()
    assert dataset.target_names == ("y",)
    assert [attribute.name for attribute in dataset.protected] == ["sex"]
    assert dataset.protected[0].labels == ("male", "female")
    assert dataset.feature_names == ("x",)
    assert dataset.cluster_name == "person"
    assert dataset.clusters.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.clusters.dtype == np.int64
    assert dataset.card == replace(Toy.card, rows=6)


@pytest.mark.parametrize(
    ("features", "names"),
    [
        (("+code",), ("x", "code")),
        (("+person", "-x"), ("person",)),
        (("+z",), ("z", "x")),  # another target
        (("+sex", "+age"), ("x", "sex", "age")),
        (("code", "x"), ("x", "code")),  # in the order of the table
        (("job",), ("job=a", "job=b", "job=c")),
    ],
)
def test_features(features, names):
    assert made(replace(SPEC, features=features)).feature_names == names


def test_parts_a_source_did_not_declare():
    with pytest.raises(DataError, match="'x' is not among the target columns") as caught:
        made(replace(SPEC, targets=("x",)))
    assert "choose from: y, z" in caught.value.hint
    with pytest.raises(DataError, match="'x' is not among the protected columns") as caught:
        made(replace(SPEC, protected=("x",)))
    assert "choose from: sex, age, job" in caught.value.hint
    with pytest.raises(DataError, match="no column 'q'"):
        made(replace(SPEC, targets=("q",)))


def test_another_cluster():
    dataset = made(replace(SPEC, cluster="job"))
    assert dataset.clusters.tolist() == [0, 1, 0, 2, 0, 1]
    assert dataset.feature_names == ("x",)


def test_categorical_labels_fall_back_on_the_value():
    (job,) = made(replace(SPEC, protected=("job",))).protected
    assert (job.kind, job.labels) == ("categorical", ("artist", "b", "c"))
    assert job.groups.tolist() == [0, 1, 0, 2, 0, 1]


@pytest.mark.parametrize(
    ("bins", "groups", "labels"),
    [
        (2, [0, 0, 0, 1, 1, 1], ("age ≤ 55", "age > 55")),
        (3, [0, 0, 1, 1, 2, 2], ("age ≤ 46.6667", "46.6667 < age ≤ 63.3333", "age > 63.3333")),
        (6, [0, 1, 2, 3, 4, 5], None),
    ],
)
def test_bins_of_a_continuous_attribute(bins, groups, labels):
    (age,) = made(replace(SPEC, protected=("age",), bins=bins)).protected
    assert age.groups.tolist() == groups
    assert labels is None or age.labels == labels
    assert age.values.tolist() == [30, 40, 50, 60, 70, 80]


def test_ties_that_empty_a_bin():
    spec = replace(SPEC, protected=("age",), bins=3)
    with pytest.raises(DataError, match="leaves 1 of them empty") as caught:
        made(spec, age=[1, 2, 3, 9, 9, 9])
    assert caught.value.hint == "lower bins"
    made(replace(spec, bins=2), age=[1, 2, 3, 9, 9, 9])
    with pytest.raises(DataError, match="leaves 1 of them empty") as caught:
        made(replace(spec, bins=2), age=[1, 2, 9, 9, 9, 9])
    assert "median" in caught.value.hint


def test_labels_have_the_digits_that_make_them_true_of_every_row():
    (age,) = made(
        replace(SPEC, protected=("age",), bins=3), age=1e9 + np.array([0, 1, 2, 3, 4, 5.0])
    ).protected
    assert age.labels[0] == "age ≤ 1000000001.7"
    assert age.labels[2] == "age > 1000000003.3"


@pytest.mark.parametrize(
    ("column", "cells", "protected", "message"),
    [
        ("sex", [0, 1, 2, 0, 1, 2], "sex", "binary protected attribute 'sex' has 3 values"),
        ("age", list("abcdef"), "age", "continuous protected attribute 'age' holds text"),
        ("sex", [1] * 6, "sex", "'sex' is constant"),
        ("age", [5] * 6, "age", "'age' is constant"),
        ("y", list("abcdef"), "sex", "target 'y' holds text"),
    ],
)
def test_columns_that_are_not_as_declared(column, cells, protected, message):
    with pytest.raises(DataError, match=message) as caught:
        made(replace(SPEC, protected=(protected,)), **{column: cells})
    assert "dataset toy" in caught.value.where


def test_a_source_may_lack_targets_on_some_rows():
    dataset = made(y=[1.0, np.nan, 3, np.inf, 5, 6])
    assert dataset.targets[:, 0].tolist() == [1, 3, 5, 6]
    assert dataset.card.dropped == (("missing 'y'", 1), ("infinite 'y'", 1))
    assert dataset.clusters.tolist() == [0, 1, 2, 2]


def test_missing_cells_of_columns_not_in_use_cost_no_row():
    assert made(code=[np.nan] * 6, age=[None] * 6).rows == 6


def test_digest_sees_every_number_and_name():
    same = made().digest
    assert made().digest == same
    changes = [
        made(x=[0.5, 1, 2, 3, 4, 5.0000001]),
        made(y=[1.0, 2, 3, 4, 5, 7]),
        made(sex=[1, 1, 0, 1, 0, 1]),
        made(person=[7, 7, 3, 3, 3, 9]),
        made(replace(SPEC, targets=("z",))),
        made(replace(SPEC, protected=("age",))),
        made(replace(SPEC, features=("+code",))),
        made(replace(SPEC, targets=("y", "z"))),
        build(SPEC, _reversed(), None),
    ]
    digests = {same, *(dataset.digest for dataset in changes)}
    assert len(digests) == len(changes) + 1


def _reversed():
    source = Toy()
    source.frame = source.frame[::-1]
    return source


def test_facts():
    spec = replace(SPEC, protected=("sex", "job"), missing="drop")
    dataset = made(spec, x=[np.nan, 1, 2, 3, 4, 5])
    assert facts(dataset) == {
        "rows": 5,
        "features": 1,
        "targets": {"y": {"mean": 4.0, "std": pytest.approx(2**0.5)}},
        "groups": {"sex": {"male": 2, "female": 3}, "job": {"artist": 2, "b": 2, "c": 1}},
        "clusters": 3,
        "cluster": "person",
        "dropped": {"missing 'x'": 1},
        "imputed": {},
    }
    dataset = made(x=[np.nan, 1, 2, 3, 4, 5])
    assert facts(dataset)["imputed"] == {"x": 1}
    assert facts(dataset)["dropped"] == {}


def plugin(*sources):
    class Plugin:
        @hookimpl
        def fairbench_datasets(self):
            for source in sources:
                yield DatasetDescription(
                    name=source.__name__.lower(),
                    summary="A source of this test",
                    target=f"{__name__}:{source.__name__}",
                )

    return Plugin()


@pytest.fixture
def registry(monkeypatch):
    import sys

    module = type(sys)(__name__)
    module.__dict__.update(Toy=Toy, Failing=Failing)
    monkeypatch.setitem(sys.modules, __name__, module)
    with added(plugin(Toy, Failing), name="mine") as registry:
        yield registry


def test_a_plugins_dataset_by_name(registry):
    assert open_dataset(SPEC, registry).digest == made().digest
    assert open_dataset(DatasetSpec("mine:toy")).name == "toy"


def test_a_plugin_that_fails_is_named(registry):
    with pytest.raises(PluginError, match="dataset 'failing' failed: KeyError") as caught:
        open_dataset(DatasetSpec("failing"), registry)
    assert "mine:failing" in caught.value.where
