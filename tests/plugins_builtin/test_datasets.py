"""The datasets that ship with fairbench, on the published files in the package."""

import json

import numpy as np
import pandas as pd
import pytest

from fairbench.data import facts, open_dataset
from fairbench.data.build import build
from fairbench.data.locate import find
from fairbench.dataset import DatasetSpec
from fairbench.errors import DataError
from fairbench.plugins import load
from fairbench_datasets.synthetic import Synthetic

NAMES = ["boston", "communities-crime", "parkinson", "student-mat", "student-por", "synthetic"]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test downloads, and none needs to."""
    monkeypatch.setenv("FAIRBENCH_OFFLINE", "1")


def opened(name, **roles):
    return open_dataset(DatasetSpec(name, **roles))


def test_all_are_offered():
    offered = {c.name for c in load().components("dataset") if c.distribution == "fairbench-mtl"}
    assert offered == {*NAMES, "acs-income"}  # which has tests of its own


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_is_sound(name):
    dataset = opened(name)
    n = dataset.rows
    assert dataset.card.rows == n
    assert dataset.features.shape == (n, len(dataset.feature_names))
    assert dataset.targets.shape == (n, len(dataset.target_names))
    for array in (dataset.features, dataset.targets):
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert np.isfinite(array).all()
    for attribute in dataset.protected:
        assert attribute.groups.dtype == np.int64
        assert set(attribute.groups.tolist()) == set(range(len(attribute.labels)))
    assert not set(dataset.feature_names) & {p.name for p in dataset.protected}
    card = dataset.card
    assert card.title
    assert card.source
    assert card.licence
    assert card.caveats
    assert opened(name).digest == dataset.digest
    json.dumps(facts(dataset))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "synthetic"])
def test_every_file_ships_with_its_licence_and_hash(name):
    source = load().find("dataset", name).load()
    (file,) = source.files
    found = find(file)
    assert found.origin == "in the package"
    told = (found.path.parent / "ATTRIBUTION.md").read_text()
    (line,) = [line for line in told.splitlines() if f"`{found.path.name}`" in line]
    assert file.sha256 in line
    licence = source.card.licence
    assert ("CC BY 4.0" if licence == "CC BY 4.0" else "no licence stated") in line
    assert licence.endswith(("CC BY 4.0", "no licence stated"))


@pytest.mark.parametrize("name", NAMES)
def test_every_declared_role_can_be_used(name):
    roles = load().find("dataset", name).load().roles
    for protected in roles.protected:
        dataset = opened(name, targets=roles.targets, protected=(protected,))
        assert dataset.target_names == roles.targets
        assert dataset.protected[0].kind == roles.protected[protected].kind


def test_parkinson():
    dataset = opened("parkinson", targets=("motor_UPDRS", "total_UPDRS"), protected=("sex", "age"))
    assert dataset.features.shape == (5875, 17)
    assert "total_UPDRS" not in dataset.feature_names
    found = facts(dataset)
    assert found["clusters"] == 42
    assert found["groups"]["sex"] == {"male": 4008, "female": 1867}
    assert found["targets"]["motor_UPDRS"]["mean"] == pytest.approx(21.296, abs=1e-3)
    assert found["dropped"] == {}
    sex, age = dataset.protected
    assert age.values.max() == 85
    for patient in range(42):
        assert len(set(sex.values[dataset.clusters == patient])) == 1


def test_parkinson_with_the_patient_as_feature():
    dataset = opened("parkinson", features=("+subject#",))
    assert dataset.feature_names[0] == "subject#"
    assert dataset.clusters is not None
    assert set(dataset.features[:, 0]) == set(range(1, 43))


def test_boston():
    dataset = opened("boston")
    assert dataset.features.shape == (506, 12)
    (b,) = dataset.protected
    assert b.kind == "continuous"
    assert b.labels == ("B ≤ 391.44", "B > 391.44")
    assert np.bincount(b.groups).tolist() == [253, 253]
    assert b.values.max() == 396.9
    medv = dataset.targets[:, 0]
    assert medv.mean() == pytest.approx(22.53, abs=5e-3)
    assert np.corrcoef(b.values, medv)[0, 1] == pytest.approx(0.333, abs=1e-3)
    assert (medv >= 50).sum() == 16
    assert opened("boston", features=("+B",)).feature_names[11] == "B"


@pytest.mark.parametrize("name", ["boston", "communities-crime"])
def test_warnings_stand_on_listing_and_card(name):
    component = load().find("dataset", name)
    assert component.description.warning
    assert component.load().card.warning == component.description.warning


def test_boston_warns_of_its_premise():
    warning = load().find("dataset", "boston").description.warning
    assert "withdrawn" in warning
    assert "racial segregation" in warning
    assert "says nothing about fairness towards people" in warning


def test_communities_crime():
    dataset = opened("communities-crime", bins=4)
    assert dataset.features.shape == (1993, 99)
    assert dataset.card.dropped == (("missing 'OtherPerCap'", 1),)
    assert facts(dataset)["clusters"] == 46
    assert len(dataset.protected[0].labels) == 4
    index = dataset.feature_names.index
    means = {"population": 0.06, "pctUrban": 0.70, "PctFam2Par": 0.61, "PopDens": 0.23}
    for name, mean in means.items():  # as its documentation gives them: the names are in place
        assert dataset.features[:, index(name)].mean() == pytest.approx(mean, abs=0.006)
    assert dataset.targets.mean() == pytest.approx(0.238, abs=1e-3)


def test_communities_crime_with_the_police():
    dataset = opened("communities-crime", features=("+PolicCars",))
    assert dataset.rows == 1994 - 1675
    assert dict(dataset.card.dropped) == {"missing 'OtherPerCap'": 1, "missing 'PolicCars'": 1674}


@pytest.mark.parametrize(
    ("name", "rows", "groups", "zeros"),
    [
        ("student-por", 649, {"female": 383, "male": 266}, 15),
        ("student-mat", 395, {"female": 208, "male": 187}, 38),
    ],
)
def test_student(name, rows, groups, zeros):
    dataset = opened(name)
    assert dataset.features.shape == (rows, 51)
    assert facts(dataset)["groups"] == {"sex": groups}
    assert (dataset.targets == 0).sum() == zeros
    assert dataset.clusters is None
    assert not {"G1", "G2", "G3"} & set(dataset.feature_names)
    assert {"Mjob=at_home", "Mjob=teacher", "absences"} <= set(dataset.feature_names)
    assert {"G1", "G2"} <= set(opened(name, features=("+G1", "+G2")).feature_names)


def test_synthetic_is_the_same_every_time():
    first, again = (Synthetic().table(None) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(Synthetic(seed=1).table(None))


@pytest.mark.parametrize(
    "source",
    [
        Synthetic(rows=400_000),
        Synthetic(400_000, 1, 0.1, -2.0, 0.2, 0.5),
        Synthetic(400_000, bias=0),
    ],
    ids=["default", "small group with less noise", "no bias"],
)
def test_synthetic_disparities_are_the_true_ones(source):
    table = source.table(None)
    group = table["group"] == 1
    assert group.sum() == source.share * source.rows
    error = table["y"] - table["noiseless"]
    rmse = [np.sqrt((error[g] ** 2).mean()) for g in (group, ~group)]
    mae = [error[g].abs().mean() for g in (group, ~group)]
    truth = source.true_disparity()
    assert abs(rmse[0] - rmse[1]) == pytest.approx(truth["rmse"], abs=0.01)
    assert abs(mae[0] - mae[1]) == pytest.approx(truth["mae"], abs=0.01)
    gap = table["y"][group].mean() - table["y"][~group].mean()
    assert gap == pytest.approx(source.bias, abs=0.06)
    assert truth["mean"] == abs(source.bias)


def test_synthetic_does_not_leak_the_truth():
    dataset = build(DatasetSpec("synthetic"), Synthetic(rows=50), None)
    assert dataset.feature_names == ("x1", "x2", "x3", "x4", "x5", "proxy")
    with pytest.raises(DataError, match="'noiseless' is not among the target columns"):
        build(DatasetSpec("synthetic", targets=("noiseless",)), Synthetic(rows=50), None)
