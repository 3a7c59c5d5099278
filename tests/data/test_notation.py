"""How cells are read: as numbers, dates, booleans or categories, where there is no doubt."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairbench.data.csv_file import csv_table
from fairbench.data.notation import Notation
from fairbench.data.reader import Reader
from fairbench.data.tables import frame_table
from fairbench.errors import DataError


def read(cells, how="guess", notation=None, **others):
    """The column `x` of a table, with other columns beside it."""
    frame = pd.DataFrame({"x": cells} | others)
    table = csv_table(frame.to_csv(index=False).encode(), "t.csv")
    return Reader(table, notation or Notation()).column("x", how)


@pytest.mark.parametrize(
    ("cells", "numbers", "how"),
    [
        (["1,234", "950", "12,345,678"], [1234, 950, 12345678], "comma between thousands"),
        (["1,234.5", "-950.25", "2"], [1234.5, -950.25, 2], "comma between thousands"),
        (["1.234.567,5", "3", "7,25"], [1234567.5, 3, 7.25], "point between thousands, decimal c"),
        (["2,5", "0,75", "3"], [2.5, 0.75, 3], "decimal comma"),
        (["1 234", "12\u00a0345,5"], [1234, 12345.5], "space between thousands, decimal comma"),
        (["1'234", "1’234.5"], [1234, 1234.5], "apostrophe between thousands"),
        (["$1,234.50", "-$3", "$ 12"], [1234.5, -3, 12], "comma between thousands, in $"),
        (["12,50 €", "7 €"], [12.5, 7], "decimal comma, in €"),
        (["12 %", "7.5%"], [12, 7.5], "in per cent"),
        (["(1,200)", "300"], [-1200, 300], "negative in parentheses"),
        (["−5", "+3", "2"], [-5, 3, 2], ""),
        (["1e3", "2.5E-1", ".5", "7."], [1000, 0.25, 0.5, 7], ""),
        (["True", "FALSE", "true"], [1, 0, 1], ""),
        (["1970-01-02", "1969-12-31"], [1, -1], "dates as days since 1970"),
        (["1970-01-02 12:00", "1970-01-01T06:00:00"], [1.5, 0.25], "dates"),
        (["1970-01-02T02:00+02:00", "1970-01-02T00:00Z"], [1, 1], "dates"),
    ],
)
def test_what_is_unambiguous_over_the_whole_column_is_read(cells, numbers, how):
    column = read(cells)
    assert column.numbers.tolist() == numbers
    assert how in column.read


@pytest.mark.parametrize(
    "cells",
    [
        ["$5", "€6"],  # two currencies
        ["5%", "0.05"],  # a share beside a percentage
        ["1,234,567", "1.234.567"],  # two notations
        ["12,34", "1,234.5"],
        ["31/12/2020", "01/02/2021"],  # day or month first
        ["2020-13-01", "2020-01-01"],
        ["01234", "98765"],  # a postal code, no quantity
        ["0x10", "0x20"],
        ["1_0", "2_0"],
        ["yes", "no"],  # categories, unless it is the target
    ],
)
def test_what_is_not_stays_text(cells):
    assert read(cells).levels.tolist() == sorted(cells)


def test_a_comma_before_three_digits_beside_decimal_commas_is_refused_with_both_ways_out():
    with pytest.raises(DataError, match="'x' can be read in two ways") as caught:
        read(["1,234", "5,678"], z=["2,5", "3,75"])
    assert "decimal commas in column 'z'" in caught.value.what
    assert "--decimal , or --thousands ," in caught.value.hint
    assert read(["1,234", "5,678"], z=["2.5", "3.75"]).numbers.tolist() == [1234, 5678]
    for notation, numbers in (
        (Notation(decimal=","), [1.234, 5.678]),
        (Notation(thousands=","), [1234, 5678]),
    ):
        column = read(["1,234", "5,678"], "guess", notation, z=["2,5", "3,75"])
        assert column.numbers.tolist() == numbers


def test_the_users_notation_overrides_what_cells_look_like():
    assert read(["1.234", "5.678"], "guess", Notation(decimal=",")).numbers.tolist() == [1234, 5678]
    assert read(["1.5", "2"], "guess", Notation(decimal=",")).is_text


@pytest.mark.parametrize("words", [("yes", "no"), ("Y", "n"), ("TRUE", "false")])
def test_a_target_of_two_answers_is_a_number(words):
    column = read([words[0], words[1], words[0]], "target")
    assert column.numbers.tolist() == [1, 0, 1]
    assert column.kind == "boolean"


@pytest.mark.parametrize("gap", ["", "9"])
def test_zeros_before_make_codes_only_of_whole_numbers(gap):
    assert read(["01", "2", gap]).is_text
    assert read(["01", "2", gap], "guess", Notation(decimal=",")).is_text
    assert read(["01", "2.5", gap]).numbers.tolist()[:2] == [1, 2.5]


def test_codes_are_numbers_where_numbers_are_asked_for():
    assert read(["01", "02"], "number").numbers.tolist() == [1, 2]
    assert read(["01", "02"], "target").numbers.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        (["1", "1.0", "2"], ["1", "2"]),
        ([1.5, 2.0, 1.5], ["1.5", "2"]),
        (["b", " a", "b "], ["a", "b"]),
        ([10**18 + 1, 10**18 + 2, 5], ["1000000000000000001", "1000000000000000002", "5"]),
    ],
)
def test_categories_of_numbers_are_spelt_one_way(cells, levels):
    assert read(cells, "category").levels.tolist() == levels


@pytest.mark.parametrize("token", ["", "?", "NA", "n/a", "#N/A", "NaN", "null", "<NA>", " "])
def test_missing_tokens(token):
    assert read(["5", token, "7"]).missing.tolist() == [False, token != "5", False]
    table = frame_table("t", pd.DataFrame({"x": ["a", token, None]}))
    assert Reader(table, Notation()).column("x").missing.tolist() == [False, True, True]


def test_na_may_be_the_name_of_a_group():
    column = read(["NA", "b", ""], "group")
    assert column.levels.tolist() == ["NA", "b"]
    assert column.missing.tolist() == [False, False, True]


@pytest.mark.parametrize("start", [10**18, -(10**18), 2**63, 10**30])
@pytest.mark.parametrize("text", [True, False])
def test_whole_numbers_beyond_float64_stay_apart(start, text):
    cells = [start + i for i in (3, 1, 2, 1)]
    if text:
        column = read([str(cell) for cell in cells])
    else:
        table = frame_table("t", pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
        column = Reader(table, Notation()).column("x")
    assert column.numbers.tolist() == [2, 0, 1, 0]
    assert f"counted from {start + 1}" in column.read
    assert column.identity().tolist() == [0, 1, 2, 1]


def test_wide_spread_integers_are_told_apart_as_identifiers():
    column = read([2**60, 2**60 + 1, 5, 2**60])
    assert column.identity().tolist() == [0, 1, 2, 0]
    assert column.read == ""


def test_integers_of_any_length_are_numbers_or_infinite():
    column = read(["9" * 1_000_000, "5"])
    assert column.numbers.tolist() == [np.inf, 5]


def test_control_characters_of_a_table_reach_no_terminal():
    table = csv_table(b"a\x1b[31m,b\n\x1b]0;x\x07,1\ny,2\n", "t.csv")
    assert table.names == (r"a\x1b[31m", "b")
    column = Reader(table, Notation()).column(table.names[0])
    assert column.levels.tolist() == [r"\x1b]0;x\x07", "y"]


def separated(value, thousands, decimal):
    whole, point, rest = f"{value:,}".partition(".")
    return whole.replace(",", thousands) + (decimal + rest if point else "")


@settings(deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda i: i / 100), min_size=1, max_size=30),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), (" ", "."), ("'", ".")]),
)
def test_numbers_round_trip_in_every_notation(values, signs):
    # One cell that leaves no doubt about either sign.
    values = [*values, 1234567.5, 0.25]
    column = read([separated(value, *signs) for value in values])
    assert column.numbers.tolist() == values


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=10))
def test_any_texts_give_a_column(cells):
    table = frame_table("t", pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
    column = Reader(table, Notation()).column("x")
    assert len(column.missing) == len(cells)
    assert (column.codes >= 0).tolist() == (~column.missing).tolist() or not column.is_text
