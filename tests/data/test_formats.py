"""One table in every kind of file gives the same dataset."""

import contextlib
import gzip
import io
import lzma
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairbench.data import open_dataset
from fairbench.data.build import build
from fairbench.dataset import Card, DatasetSource, DatasetSpec, ProtectedColumn, Roles
from fairbench.errors import DataError

ROLES = {"targets": ("y",), "protected": ("sex",), "cluster": "person"}


def as_csv(frame, path, **how):
    frame.to_csv(path, index=False, **how)


def packed(pack):
    return lambda frame, path: path.write_bytes(pack(frame.to_csv(index=False).encode()))


def as_zip(frame, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside/table.csv", frame.to_csv(index=False))


FORMATS = {
    "t.csv": as_csv,
    "t.tsv": lambda frame, path: as_csv(frame, path, sep="\t"),
    "semicolon.csv": lambda frame, path: as_csv(frame, path, sep=";"),
    "quoted.csv": lambda frame, path: as_csv(frame, path, quoting=1),
    "utf16.csv": lambda frame, path: as_csv(frame, path, encoding="utf-16"),
    "t.csv.gz": packed(gzip.compress),
    "t.csv.xz": packed(lzma.compress),
    "t.zip": as_zip,
    "t.parquet": lambda frame, path: frame.to_parquet(path, index=False),
    "t.feather": lambda frame, path: frame.to_feather(path),
    "t.xlsx": lambda frame, path: frame.to_excel(path, index=False),
}


def opened(path, **roles):
    return open_dataset(DatasetSpec(str(path), **ROLES | roles))


def every_kind(rows=40):
    """A table with what real ones hold: gaps, blanks, formatted numbers, dates, truth, codes."""
    rng = np.random.default_rng(3)
    number = rng.normal(size=rows).round(3)
    return pd.DataFrame(
        {
            "person": [f"P{i // 4}" + " " * (i % 3 == 1) for i in range(rows)],
            "sex": rng.choice(["F", "M"], rows),
            "count": rng.integers(0, 9, rows),
            "float": np.where(rng.random(rows) < 0.2, np.nan, number),
            "text number": [["12.5", " 3", "NA", "", "?"][i % 5] for i in range(rows)],
            "price": [f"{x:,}" for x in rng.integers(500, 90_000, rows)],
            "job": [["cook", "smith ", "n/a", "nurse"][i % 4] for i in range(rows)],
            "works": rng.random(rows) < 0.5,
            "born": pd.date_range("1970-01-01", periods=rows, freq="36h"),
            "code": [["01", "02", "10"][i % 3] for i in range(rows)],
            "y": (number * 2 + rng.normal(size=rows)).round(3),
        }
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_one_dataset(tmp_path, name):
    frame = every_kind()
    FORMATS["t.csv"](frame, tmp_path / "first.csv")
    first = opened(tmp_path / "first.csv")
    FORMATS[name](frame, tmp_path / name)
    assert opened(tmp_path / name).digest == first.digest
    assert len(set(first.clusters.tolist())) == 10
    assert first.feature_names[:4] == ("count", "float", "float is missing", "text number")
    assert {"price", "works", "born", "code=01", "job=smith"} <= set(first.feature_names)


def test_a_plugins_frame_of_typed_columns_gives_it_too(tmp_path):
    frame = every_kind()[["person", "sex", "count", "float", "works", "born", "y"]]

    class Source(DatasetSource):
        card = Card("t", "made up", "none")
        roles = Roles(("y",), {"sex": ProtectedColumn("binary")}, cluster="person")

        def table(self, locate):
            return frame

    as_csv(frame, tmp_path / "t.csv")
    assert build(DatasetSpec("t"), Source(), None).digest == opened(tmp_path / "t.csv").digest


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.xlsx"])
def test_an_index_of_pandas_is_left_out_in_every_format(tmp_path, name):
    frame = pd.DataFrame({"x": [0.5, 1.5] * 20, "sex": ["F", "M"] * 20, "y": range(40)})
    frame["y"] = frame["y"] % 7
    kept = frame.iloc[::-1].sort_index()
    kept.index = range(100, 180, 2)
    kept.to_csv(tmp_path / "t.csv")
    if name == "t.xlsx":
        kept.to_excel(tmp_path / name)
    elif name == "t.parquet":
        kept.set_index(pd.Index(list(kept.index))).to_parquet(tmp_path / name)
    else:
        kept.reset_index(names="rownames").to_feather(tmp_path / name)
    datasets = [opened(tmp_path / n, cluster="") for n in ("t.csv", name)]
    assert [d.feature_names for d in datasets] == [("x",), ("x",)]
    assert "Unnamed: 0" in datasets[0].card.notices[0]


# openpyxl writes 16 digits of a number, and takes a text that begins with = for a formula.
CELL = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: float(f"{x:.15g}")),
    st.integers(-(2**49), 2**49),
)
WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="="), max_size=5
)


@given(
    st.lists(st.tuples(CELL, WORD, CELL), min_size=4, max_size=12),
    st.sampled_from(sorted(set(FORMATS) - {"t.csv"})),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_table_is_the_same_in_csv_and_elsewhere(tmp_path, rows, name):
    frame = pd.DataFrame(rows, columns=["x", "word", "y"])
    frame[["x", "y"]] = frame[["x", "y"]].astype(float)
    frame["sex"] = [["F", "M"][i % 2] for i in range(len(frame))]
    frame["word"] = frame["word"].str.replace("\r", "")
    said = []
    for one in ("t.csv", name):
        FORMATS[one](frame, tmp_path / one)
        try:
            said.append(opened(tmp_path / one, cluster="").digest)
        except DataError as error:
            said.append(error.what)
    assert said[0] == said[1]


@given(
    st.one_of(
        st.binary(),
        *(
            st.tuples(st.just(start), st.binary()).map(b"".join)
            for start in (
                b"\x1f\x8b\x08",
                b"\xfd7zXZ\x00",
                b"BZh9",
                b"PK\x03\x04",
                b"ARROW1\x00\x00",
                b"FEA1",
                b"\xff\xfe",
                b"\xd0\xcf\x11\xe0",
                b"x,sex,y\n",
            )
        ),
    ),
    st.sampled_from(["t.csv", "t.parquet", "t.feather", "t.xlsx", "t.csv.gz", "t.zip"]),
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_never_give_anything_but_a_message(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    with contextlib.suppress(DataError):
        opened(tmp_path / name)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.xz", "t.zip", "t.parquet", "t.xlsx"])
def test_a_file_cut_short_gives_a_message(tmp_path, name):
    FORMATS[name](every_kind(), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        opened(tmp_path / name)
    assert caught.value.hint
    assert name in caught.value.where


def test_rows_of_a_sheet_are_numbered_as_excel_does(tmp_path):
    frame = pd.DataFrame({"x": [1, 2, 3], "sex": list("FMF"), "y": [1.0, 2.0, None]})
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        frame.to_excel(book, sheet_name="first", index=False, startrow=2)
        frame.to_excel(book, sheet_name="second", index=False)
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "t.xlsx", cluster="")
    assert "row 6" in caught.value.where
    dataset = opened(tmp_path / "t.xlsx", cluster="", missing_target="drop")
    assert dataset.card.notices[0] == "only the first sheet is read, not 'second'"


def test_excel_without_openpyxl_names_the_extra(tmp_path, monkeypatch):
    FORMATS["t.xlsx"](every_kind(), tmp_path / "t.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # which importing it then raises upon
    with pytest.raises(DataError, match="openpyxl, which is not installed") as caught:
        opened(tmp_path / "t.xlsx")
    assert "fairbench-mtl[excel]" in caught.value.hint


def test_a_zip_of_several_files_is_refused_by_name(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "x\n")
        archive.writestr("b.csv", "x\n")
    (tmp_path / "t.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"the archive holds 2 files: a\.csv, b\.csv"):
        opened(tmp_path / "t.zip")
