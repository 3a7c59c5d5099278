"""Users' files: what is read, and what is said of those that cannot be."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairbench.data import facts, is_table_file, open_dataset
from fairbench.dataset import Dataset, DatasetSpec
from fairbench.errors import DataError

GOOD = "age,sex,job,income\n30,F,cook,10.5\n41,M,nurse,20\n52,F,cook,30\n63,M,cook,45\n"


@pytest.fixture
def given_file(tmp_path):
    def write(content, name="my.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def opened(path, **roles) -> Dataset:
    roles = {"targets": ("income",), "protected": ("sex",)} | roles
    return open_dataset(DatasetSpec(str(path), **roles))


def refused(path, **roles) -> DataError:
    with pytest.raises(DataError) as caught:
        opened(path, **roles)
    assert caught.value.hint
    return caught.value


def test_a_csv_file(given_file):
    dataset = opened(given_file(GOOD))
    assert dataset.name == "my.csv"
    assert dataset.feature_names == ("age", "job=cook", "job=nurse")
    assert dataset.features.tolist() == [[30, 1, 0], [41, 0, 1], [52, 1, 0], [63, 1, 0]]
    assert dataset.targets.tolist() == [[10.5], [20], [30], [45]]
    assert dataset.features.dtype == dataset.targets.dtype == "float64"
    assert dataset.features.flags.c_contiguous
    assert dataset.targets.flags.c_contiguous
    (sex,) = dataset.protected
    assert (sex.kind, sex.labels) == ("binary", ("F", "M"))
    assert sex.groups.tolist() == [0, 1, 0, 1]
    assert sex.groups.dtype == "int64"
    assert dataset.clusters is None
    assert dataset.card.rows == 4


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_newlines_and_byte_order_mark(given_file, delimiter, newline, mark):
    text = GOOD.replace(",", delimiter).replace("\n", newline)
    assert opened(given_file(mark + text.encode())).digest == opened(given_file(GOOD)).digest


def test_the_delimiter_is_not_sought_inside_quotes(given_file):
    text = '"a;b;c;d",sex,income\n1,F,2\n2,M,4\n'
    assert opened(given_file(text)).feature_names == ("a;b;c;d",)


def test_quotes_blank_lines_and_spaces(given_file):
    text = 'age, sex ,job,income\n\n30,F ,"cook",10.5\n41, M,"nurse",20\n52,F,cook,30\n\n'
    text += "63,M,cook,45\n\n"
    assert opened(given_file(text)).digest == opened(given_file(GOOD)).digest


def test_a_parquet_file_gives_the_same_numbers(given_file, tmp_path):
    csv = given_file(GOOD)
    pd.read_csv(csv).to_parquet(tmp_path / "my.parquet")
    assert opened(tmp_path / "my.parquet").digest == opened(csv).digest


def test_parquet_types(tmp_path):
    frame = pd.DataFrame(
        {
            "person": pd.Series([2**60, 2**60 + 1, 2**60, 5], dtype="Int64"),
            "works": [True, False, True, True],
            "job": pd.Categorical(["a", "b", "a", "a"]),
            "hours": pd.Series([1, 2, None, 4], dtype="Int64"),
            "sex": ["F", "M", "F", "M"],
            "income": pd.Series([1, 2, 3, 4], dtype="float32"),
        }
    ).set_index("person")
    frame.to_parquet(tmp_path / "my.parquet")
    dataset = opened(tmp_path / "my.parquet", cluster="person")
    assert dataset.feature_names == ("works", "job=a", "job=b", "hours", "hours is missing")
    assert dataset.features[:, :4].tolist()[::3] == [[1, 1, 0, 1], [1, 1, 0, 4]]
    assert np.isnan(dataset.features[2, 3])
    assert dataset.features[:, 4].tolist() == [0, 0, 1, 0]
    assert dataset.imputed == ((3,),)
    assert len(set(dataset.clusters.tolist())) == 3  # whole numbers beyond float64 stay apart
    assert dataset.card.imputed == (("hours", 1),)


def test_parquet_columns_that_are_no_numbers(tmp_path):
    frame = pd.DataFrame({"sex": ["F", "M"], "income": [1.0, 2.0], "age": [1, 2]})
    frame["born"] = pd.to_datetime(["1970-01-03 00:00", "2002-02-02 12:00"])
    frame["list"] = [[1], [2]]
    frame.to_parquet(tmp_path / "my.parquet")
    error = refused(tmp_path / "my.parquet")
    assert "column 'list' holds list" in error.what
    assert "--drop list" in error.hint
    assert opened(tmp_path / "my.parquet", features=("age",)).rows == 2
    dates = opened(tmp_path / "my.parquet", drop=("list", "age"))
    assert dates.features.tolist() == [[2], [11720.5]]
    error = refused(tmp_path / "my.parquet", features=("age",), cluster="list")
    assert "column 'list' holds list" in error.what


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        ("", "the file is empty", ""),
        (" \n\n", "the file is empty", ""),
        ("age,sex,income\n", "a header and no rows", ""),
        ("age,sex,sex,income\n1,F,F,2\n", "'sex' stands 2 times", ""),
        (b"age,sex,income\n1,\x00,2\n", "not a table: a NUL byte at 17", ""),
        ("age,sex,income\n1,F,2\n\n2,M\n", "2 cells under a header of 3", "line 4"),
        ("age,sex,income\n1,F,2,\n", "4 cells under a header of 3", "line 2"),
        ('age,sex,income\n1,"F\nG",2\n1,"M,2\n', "not a CSV table", "line 4"),
        ('age,sex,income\n1,"F"x,2\n', "not a CSV table", "line 2"),
        (b"age,sex,income\n1,F,2\n1,\xff,2\n", "not UTF-8 text: byte 0xff", "line 3"),
        (b"PAR1 and nothing", "not a Parquet table", ""),
    ],
)
def test_files_that_are_no_table(given_file, content, what, where):
    path = given_file(content)
    error = refused(path)
    assert what in error.what
    assert error.where == (f"{path}, {where}" if where else str(path))


def test_a_parquet_suffix_on_another_file(given_file):
    assert "not a Parquet table" in refused(given_file(GOOD, "my.parquet")).what


def test_an_absent_file(tmp_path):
    error = refused(tmp_path / "absent.csv")
    assert "cannot read absent.csv: No such file" in error.what
    assert str(tmp_path) in error.where


def test_a_file_without_a_suffix_is_one_that_exists(given_file):
    path = given_file(GOOD, "income")
    assert is_table_file(str(path))
    assert opened(path).rows == 4
    assert not is_table_file("parkinson")
    assert is_table_file("absent.csv")


def test_a_file_called_like_a_dataset_does_not_shadow_it(given_file, monkeypatch):
    monkeypatch.chdir(given_file(GOOD, "synthetic").parent)
    dataset = open_dataset(DatasetSpec("synthetic"))
    assert dataset.rows == 2000
    assert "write ./synthetic for the file" in dataset.card.notices[0]
    assert opened("./synthetic").rows == 4


@pytest.mark.parametrize(
    ("roles", "what", "hint"),
    [
        ({"targets": ("incom",)}, "no column 'incom'", "did you mean 'income'?"),
        ({"targets": ("salary",)}, "no column 'salary'", "columns: age, sex, job, income"),
        ({"protected": ("Sex",)}, "no column 'Sex'", "did you mean 'sex'?"),
        ({"cluster": "person"}, "no column 'person'", "columns: age"),
        ({"features": ("+hours",)}, "no column 'hours'", "columns: age"),
        ({"targets": ()}, "no target column chosen", "--target; columns: age, sex, job, income"),
        ({"protected": ()}, "no protected column chosen", "--protected; columns: age"),
        ({"protected": ("income",)}, "'income' is asked for as more than one", ""),
        ({"cluster": "sex"}, "'sex' is asked for as more than one", ""),
        ({"targets": ("income", "income")}, "'income' is asked for as more than one", ""),
        ({"features": ("age", "+job")}, "mix signed and plain", "every feature"),
        ({"features": ("+income",)}, "'income' is the target", ""),
        ({"features": ("income", "age")}, "'income' is the target", ""),
        ({"features": ("+age", "-age")}, "both added and removed", ""),
        ({"features": ("-age", "-job")}, "no feature is left", "columns: age"),
        ({"targets": ("job",)}, "target 'job' holds text", "as 12.5"),
        ({"bins": 1}, "cut into 1 groups", "at least 2"),
    ],
)
def test_columns_that_cannot_be_used_as_asked(given_file, roles, what, hint):
    error = refused(given_file(GOOD), **roles)
    assert what in error.what
    assert hint in error.hint


MIXED = "holds numbers and, in some rows, text"


@pytest.mark.parametrize(
    ("column", "cells", "what", "where"),
    [
        ("income", "1,,3,4,5,6,7", "target 'income' has missing values: 1 of 7", "line 3"),
        ("income", "1,NA,n/a,?,5,nan,7", "4 of 7", "line 3, line 4, line 5 and 1 more"),
        ("income", "1,2,3,inf,5,6,-Infinity", "infinite values: 2 of 7", "line 5, line 8"),
        ("income", "1,2,3,12.5.,5,low,7", "'income' holds text", "line 5: '12.5.', line 7: 'low'"),
        ("income", "1_0,2,3,4,5,6,7", "target 'income' holds text", "line 2: '1_0'"),
        ("income", "2,2,2,2,2,2,2", "target 'income' is constant: 2 on every row", ""),
        ("age", "1,2,3,4,five,6,7", f"column 'age' {MIXED}", "line 6: 'five'"),
        ("sex", "0,1,0,1,x,0,1", f"column 'sex' {MIXED}", "line 6: 'x'"),
        ("sex", "F,F,F,F,F,F,F", "protected attribute 'sex' is constant: F on every row", ""),
        ("sex", "1,1,1,1,1,1,1", "protected attribute 'sex' is constant: 1.0 on every row", ""),
        ("person", "7,7,7,7,7,7,7", "cluster column 'person' has the same value", ""),
        ("person", ",,,,,,", "no row has a value in every", "missing 'person': 7 of 7 rows"),
        ("age", ",,,,,,", "every feature is constant: age", ""),
        ("age", "3,3,3,3,3,3,3", "every feature is constant: age", ""),
    ],
)
def test_cells_that_cannot_be_used(given_file, column, cells, what, where):
    table = {
        "person": list("aabbccd"),
        "age": list("1234567"),
        "sex": list("FMFMFMF"),
        "income": list("2345678"),
    } | {column: cells.split(",")}
    path = given_file(pd.DataFrame(table).to_csv(index=False))
    error = refused(path, cluster="person")
    assert what in error.what
    assert error.where.startswith(str(path))
    assert where in error.where


def test_a_target_in_two_notations(given_file):
    error = refused(given_file("age;sex;income\n1;F;2,5\n2;M;3.5\n"))
    assert "line 2: '2,5'" in error.where
    assert "--decimal" in error.hint


def test_a_bad_column_that_is_left_out_does_no_harm(given_file):
    text = "age,hours,sex,income\n1,1,F,2\n2,2,M,3\n3,x,F,4\n"
    path = given_file(text)
    assert "--drop hours" in refused(path).hint
    assert opened(path, features=("-hours",)).feature_names == ("age",)


def test_lines_are_those_of_the_file(given_file):
    text = 'note,age,sex,income\n\n"two\nlines",1,F,1\nx,2,M,oops\n'
    assert refused(given_file(text)).where.endswith("line 5: 'oops'")


def test_too_many_texts_for_categories(given_file):
    rows = [f"name{i},t{i % 280},{i % 50},{'FM'[i % 2]},{i}" for i in range(300)]
    path = given_file("\n".join(["name,town,age,sex,income", *rows]))
    error = refused(path, features=("name", "town", "age"))
    assert "'name' (300), 'town' (280)" in error.what
    assert "--drop name" in error.hint
    assert opened(path, categorical=("name", "town")).features.shape == (300, 581)


def test_a_level_that_is_called_like_a_column(given_file):
    text = "job,job=a,sex,income\na,1,F,1\nb,2,M,2\n"
    assert "two features are called 'job=a'" in refused(given_file(text)).what


def test_dropped_rows_are_counted_by_reason(given_file):
    text = "person,age,job,sex,income\n1,30,a,F,1\n1,,b,M,2\n,41,b,F,3\n2,inf,a,M,4\n"
    text += "2,50,,F,5\n3,60,b,,6\n3,70,a,M,7\n,,,,8\n"
    dataset = opened(given_file(text), cluster="person", missing="drop")
    assert dataset.targets[:, 0].tolist() == [1, 7]
    assert dict(dataset.card.dropped) == {
        "missing 'person'": 2,
        "missing 'age'": 1,
        "infinite 'age'": 1,
        "missing 'job'": 1,
        "missing 'sex'": 1,
    }
    assert dataset.card.rows == 2
    assert facts(dataset)["dropped"] == dict(dataset.card.dropped)


def test_constant_features_are_left_out_and_named(given_file):
    text = "age,unit,zero,sex,income\n1,cm,0,F,1\n2,cm,0,M,2\n"
    dataset = opened(given_file(text))
    assert dataset.feature_names == ("age",)
    assert "constant, and so no feature: unit, zero" in dataset.card.caveats


@pytest.mark.parametrize(
    ("cells", "kind", "labels"),
    [
        (["0", "1"] * 6, "binary", ("who = 0", "who = 1")),
        (["no", "yes"] * 6, "binary", ("no", "yes")),
        (["2", "1", "3"] * 4, "categorical", ("who = 1", "who = 2", "who = 3")),
        (["b", "c", "a"] * 4, "categorical", ("a", "b", "c")),
        ([str(i) for i in range(12)], "continuous", ("who ≤ 5.5", "who > 5.5")),
    ],
)
def test_kinds_of_protected_attribute_are_inferred(given_file, cells, kind, labels):
    frame = pd.DataFrame({"age": range(12), "who": cells, "income": range(12)})
    dataset = opened(given_file(frame.to_csv(index=False)), protected=("who",))
    (who,) = dataset.protected
    assert (who.kind, who.labels) == (kind, labels)
    if kind == "continuous":
        assert who.values.tolist() == [float(cell) for cell in cells]
    else:
        assert who.values.tolist() == who.groups.tolist()
        shown = [who.labels[group].removeprefix("who = ") for group in who.groups]
        assert shown == cells


def test_several_targets_and_protected_attributes(given_file):
    dataset = opened(given_file(GOOD), targets=("income", "age"), protected=("job", "sex"),
                     features=("+sex",))  # fmt: skip
    assert dataset.target_names == ("income", "age")
    assert dataset.targets.shape == (4, 2)
    assert [attribute.name for attribute in dataset.protected] == ["job", "sex"]
    assert dataset.feature_names == ("sex=F", "sex=M")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True).filter(
        lambda names: not any(name[0] in "+-" for name in names)
    ),
    rows=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20),
    delimiter=st.sampled_from(",;\t"),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_csv_file_round_trips(tmp_path, names, rows, delimiter):
    feature, target, who = names
    frame = pd.DataFrame(rows, columns=[feature, target])
    frame[who] = ["F", "M"] * (len(rows) // 2) + ["F"] * (len(rows) % 2)
    varied = (frame[[feature, target]].nunique() > 1).all()
    path = tmp_path / "my.csv"
    frame.to_csv(path, index=False, sep=delimiter, quoting=1)
    if not varied:
        refused(path, targets=(target,), protected=(who,))
        return
    dataset = opened(path, targets=(target,), protected=(who,))
    assert dataset.feature_names == (feature,)
    assert dataset.features[:, 0].tolist() == frame[feature].tolist()
    assert dataset.targets[:, 0].tolist() == frame[target].tolist()


PLAIN = ["1", "2.5", "x", "", "inf", "nan", '"', '"a,b"', "\r", "\x00", "é", "1e308", "01", "?"]
WRITTEN = ['"1,234"', '"2,5"', "5%", "$7", "(3)", "2020-01-01", "true", "9" * 30, "\x1b[31m", "−5"]
CELLS = st.sampled_from([*PLAIN, *WRITTEN])


@given(
    st.one_of(
        st.binary(),
        st.binary().map(b"PAR1".__add__),
        st.binary().map(b"age,sex,income\n".__add__),
        st.lists(st.lists(CELLS, min_size=3, max_size=3).map(",".join))
        .map(lambda rows: "\n".join(["age,sex,income", *rows]))
        .map(str.encode),
    )
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_garbage_gives_a_dataset_or_a_clear_error(tmp_path, data):
    path = tmp_path / "my.csv"
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        dataset = opened(path)
        assert dataset.rows == dataset.targets.shape[0] > 1
        gaps = np.isnan(dataset.features).any(axis=0)
        assert np.flatnonzero(gaps).tolist() == sorted(i for one in dataset.imputed for i in one)
        assert not np.isinf(dataset.features).any()
        assert np.isfinite(dataset.targets).all()


@pytest.mark.parametrize(
    ("header", "said"),
    [("1.5,2,3", True), ("0,1,2", False), ("1.5,sex,3", False)],
)
def test_a_table_without_a_header_is_said_to_be_one(given_file, header, said):
    path = given_file(f"{header}\n1,4,2\n2,5,4\n3,4,5\n")
    _, sex, income = header.split(",")
    dataset = opened(path, targets=(income,), protected=(sex,))
    assert ("the first line holds numbers only" in " ".join(dataset.card.notices)) == said
