"""Types that files and frames store: each is a number, a date or a category, or is named."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fairbench.data.notation import Notation
from fairbench.data.reader import Reader
from fairbench.data.tables import Table, frame_table, rows_from_one
from fairbench.errors import DataError


def read(array, how="guess"):
    column = pa.chunked_array([array[:1], array[1:]])
    table = Table("t", ("x",), len(array), lambda _: column, rows_from_one)
    return Reader(table, Notation()).column("x", how)


@pytest.mark.parametrize(
    ("cells", "kind", "numbers"),
    [
        ([1, None, 3], pa.int8(), [1, np.nan, 3]),
        ([1, None, 2**64 - 1], pa.uint64(), [1, np.nan, 2.0**64]),
        ([1.5, None, float("nan")], pa.float32(), [1.5, np.nan, np.nan]),
        ([Decimal("0.1"), None, Decimal("12.30")], pa.decimal128(5, 2), [0.1, np.nan, 12.3]),
        ([True, None, False], pa.bool_(), [1, np.nan, 0]),
        ([date(1970, 1, 2), None, date(1969, 12, 31)], pa.date32(), [1, np.nan, -1]),
        ([datetime(1970, 1, 1, 12), None], pa.timestamp("ns"), [0.5, np.nan]),
        ([datetime(1970, 1, 2, tzinfo=UTC), None], pa.timestamp("s", "Europe/Paris"), [1, np.nan]),
        ([timedelta(hours=36), None], pa.duration("ms"), [1.5, np.nan]),
        ([None, None], pa.null(), [np.nan, np.nan]),
        ([" 1.50", None, "2"], pa.large_string(), [1.5, np.nan, 2]),
        (["1", None, "2"], pa.string_view(), [1, np.nan, 2]),
    ],
)
def test_stored_types(cells, kind, numbers):
    column = read(pa.array(cells, kind))
    np.testing.assert_array_equal(column.numbers, numbers)
    assert column.missing.tolist() == np.isnan(numbers).tolist()


def test_a_dictionary_is_what_its_values_are():
    assert read(pa.array([5, 5, 7]).dictionary_encode()).numbers.tolist() == [5, 5, 7]
    assert read(pa.array(["b", "a", "b"]).dictionary_encode()).levels.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([b"a", b"b"]),
    ],
    ids=["list", "struct", "binary"],
)
def test_types_that_are_none_of_these_are_named(array):
    with pytest.raises(DataError, match="neither numbers, dates nor text") as caught:
        read(array)
    assert "--drop x" in caught.value.hint


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        ([True, False], ["False", "True"]),
        ([date(2020, 5, 1), date(2020, 5, 2)], ["2020-05-01", "2020-05-02"]),
        ([datetime(2020, 5, 1, 6), datetime(2020, 5, 2)], ["2020-05-01T06:00:00", "2020-05-02"]),
    ],
)
def test_categories_are_spelt_as_in_a_text_file(cells, levels):
    assert read(pa.array(cells), "category").levels.tolist() == levels


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ([1, "2", np.int64(3), 4.5], [1, 2, 3, 4.5]),
        ([True, 2, Decimal("3.25"), None], [1, 2, 3.25, None]),
        ([10**400, -(10**5000), 1, 2], [np.inf, -np.inf, 1, 2]),
        (["a", 1, 2.0, None], ["a", "1", "2.0", ""]),
    ],
)
def test_mixed_cells_of_a_frame(cells, values):
    table = frame_table("t", pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
    column = Reader(table, Notation()).column("x")
    expected = [np.nan if value is None else value for value in values]
    np.testing.assert_array_equal(column.values, np.array(expected, dtype=column.values.dtype))


def test_cells_of_a_frame_that_are_nothing_are_named():
    frame = pd.DataFrame({"x": pd.Series([object(), 1, "a"], dtype=object)})
    with pytest.raises(DataError, match="cells of type object"):
        Reader(frame_table("t", frame), Notation()).column("x")


def test_text_of_a_plugin_is_categories_whatever_it_looks_like():
    table = frame_table("t", pd.DataFrame({"x": pd.Categorical(["2", "10", "2"])}))
    assert Reader(table, Notation(), "category").column("x").levels.tolist() == ["10", "2"]
    assert Reader(table, Notation()).column("x").numbers.tolist() == [2, 10, 2]
