"""ACS income, on files made up in the Census Bureau's format."""

import numpy as np
import pandas as pd
import pytest

from fairbench.data import open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.errors import DataError, StudyError
from fairbench_datasets._census import FIPS, OCCUPATIONS, PLACES, group_of
from fairbench_datasets.acs_income import ACSIncome


def person_file(folder, name="2018/1-Year/psam_p06.csv", rows=400, state=6, relation="RELP"):
    """People in households of two, in the columns of a person file and two others."""
    rng = np.random.default_rng(state)
    household = np.arange(rows) // 2
    frame = pd.DataFrame(
        {
            "RT": "P",
            "SERIALNO": [f"2018HU{state:02d}{number:06d}" for number in household],
            "ST": state,
            "PWGTP": rng.integers(1, 100, rows),
            "AGEP": rng.integers(17, 90, rows),
            "COW": rng.integers(1, 9, rows),
            "SCHL": rng.integers(1, 25, rows),
            "MAR": rng.integers(1, 6, rows),
            "OCCP": rng.choice([10, 440, 2310, 4720, 9830], rows),
            "POBP": rng.choice([6, 72, 110, 210, 303, 400, 501], rows),
            relation: rng.integers(0, 17, rows),
            "WKHP": rng.integers(1, 60, rows),
            "SEX": rng.integers(1, 3, rows),
            "RAC1P": rng.choice([1, 2, 6, 9], rows),
            "PINCP": rng.integers(101, 200_000, rows),
            "PAOC": "",
        }
    )
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRBENCH_DATA_DIR", str(tmp_path))
    return tmp_path


def opened(protected=(), **options):
    return open_dataset(DatasetSpec("acs-income", protected=protected, options=options))


def test_one_state(folder):
    frame = person_file(folder)
    dataset = opened(("SEX", "RAC1P", "AGEP"))
    assert dataset.rows == len(frame)
    np.testing.assert_array_equal(dataset.targets[:, 0], frame["PINCP"])
    sex, race, age = dataset.protected
    assert sex.labels == ("male", "female")
    assert (sex.groups == frame["SEX"] - 1).all()
    assert race.labels == ("White", "Black or African American", "Asian", "Two or more races")
    np.testing.assert_array_equal(age.values, frame["AGEP"])
    assert dataset.cluster_name == "SERIALNO"
    assert len(np.unique(dataset.clusters)) == len(frame) / 2
    names = set(dataset.feature_names)
    assert {"SCHL", "WKHP", "OCCP=management", "OCCP=education", "POBP=Europe", "MAR=1"} <= names
    assert not names & {"PWGTP", "ST", "SERIALNO", "SEX", "AGEP", "PAOC", "RT"}


def test_published_codes_as_numbers(folder):
    frame = person_file(folder)
    dataset = opened(codes=True)
    assert set(dataset.feature_names) == {"SCHL", "COW", "MAR", "OCCP", "POBP", "RELP", "WKHP"}
    at = dataset.feature_names.index("OCCP")
    np.testing.assert_array_equal(dataset.features[:, at], frame["OCCP"])


@pytest.mark.parametrize(
    ("column", "value"),
    [("AGEP", 16), ("PINCP", 100), ("WKHP", 0), ("PWGTP", 0), ("PINCP", None), ("OCCP", None)],
)
def test_who_is_no_row(folder, column, value):
    frame = person_file(folder)
    frame[column] = frame[column].astype(object)
    frame.loc[[3, 5], column] = value
    frame.to_csv(folder / "2018/1-Year/psam_p06.csv", index=False)
    assert opened().rows == len(frame) - 2


def test_several_states_and_years(folder):
    sizes = {"psam_p06.csv": (300, 6), "psam_p48.csv": (200, 48)}
    for name, (rows, state) in sizes.items():
        person_file(folder, f"2019/1-Year/{name}", rows, state, "RELSHIPP")
    dataset = opened(states="CA,tx", year=2019)
    assert dataset.rows == 500
    assert [file.name for file in ACSIncome(("ny",), 2015).files] == ["2015/1-Year/ss15pny.csv"]
    everywhere = ACSIncome(("all",)).files
    assert len(everywhere) == len(FIPS) == 52
    assert all(file.url.startswith("https://www2.census.gov/") for file in everywhere)


def test_blocks_make_no_difference(folder, monkeypatch):
    person_file(folder)
    whole = opened().digest
    monkeypatch.setattr("fairbench_datasets.acs_income.BLOCK", 7)
    assert opened().digest == whole


def test_no_file_says_where_to_get_it_and_downloads_nothing(folder, monkeypatch):
    monkeypatch.setattr("fairbench.data.download.download", lambda *_: pytest.fail("downloaded"))
    with pytest.raises(DataError) as caught:
        opened()
    assert "2018/1-Year/psam_p06.csv was not found" in caught.value.what
    assert "no hash of it is known" in caught.value.what
    assert "https://www2.census.gov/programs-surveys/acs/data/pums/2018" in caught.value.hint
    assert "SHA-256" not in caught.value.hint


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "SERIALNO,ST\n1,x\n", "RT,AGEP\nP,old\n"])
def test_other_files(folder, content):
    (folder / "2018/1-Year").mkdir(parents=True)
    (folder / "2018/1-Year/psam_p06.csv").write_text(content)
    with pytest.raises(DataError, match="not a person file of the American Community Survey"):
        opened()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"states": "XX"}, "no state 'XX'"),
        ({"year": 1990}, "year"),
        ({"state": "CA"}, "has no option 'state'"),
    ],
)
def test_options_that_are_none(options, said):
    with pytest.raises(StudyError, match=said):
        opened(**options)


def test_ranges_of_codes_are_in_order_and_named_once():
    for groups in (OCCUPATIONS, PLACES):
        starts, names = zip(*groups, strict=True)
        assert list(starts) == sorted(set(starts))
        assert len(set(names)) == len(names)
    named = group_of(pd.Series([9, 10, 4699, 9829, 9830, 9999]), OCCUPATIONS)
    expected = ["none given", "management", "personal care", "military"]
    assert named.tolist() == expected + 2 * ["unemployed or never worked"]
