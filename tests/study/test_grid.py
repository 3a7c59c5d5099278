"""Grids as users write them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.errors import StudyError
from fairbench.method import Tradeoff
from fairbench.study import parse_grid
from fairbench.study.grid import check_grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("0.5, 1,2", (0.5, 1.0, 2.0)),
        ("1:1:1", (1.0,)),
        ("0:1:0.4", (0.0, 0.4, 0.8)),
        ("-1:1:1", (-1.0, 0.0, 1.0)),
        ("1e-3,1e-2", (0.001, 0.01)),
    ],
)
def test_grids(text, values):
    assert parse_grid(text) == values


def test_the_papers_grid_has_fifty_values():
    values = parse_grid("0.1:5.0:0.1")
    assert values == tuple(round(0.1 * k, 1) for k in range(1, 51))


DECIMALS = st.decimals(-100, 100, places=3)
STEPS = st.decimals("0.001", 10, places=3)


@given(DECIMALS, st.integers(0, 200), STEPS)
def test_a_span_holds_both_ends_and_every_step_between(start, count, step):
    values = parse_grid(f"{start}:{start + count * step}:{step}")
    assert values == tuple(float(start + k * step) for k in range(count + 1))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True))
def test_a_list_is_read_as_it_was_written(values):
    assert parse_grid(",".join(map(repr, values))) == tuple(values)


@given(st.text("0123456789.:,-+einfa x", max_size=20))
def test_any_text_is_a_grid_or_refused(text):
    try:
        values = parse_grid(text)
    except StudyError:
        return
    assert values
    assert all(map(math.isfinite, values))
    assert len(set(values)) == len(values)


def test_a_refusal_says_where():
    with pytest.raises(StudyError, match="no grid") as caught:
        parse_grid("x", where="here")
    assert caught.value.where == "here"
    assert "0.1:5.0:0.1" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "a", "1:2", "1:2:3:4", "1:2:0", "1:2:-1", "2:1:1", "nan", "inf", "1,,2", "1,1.0"]
)
def test_no_grids(text):
    with pytest.raises(StudyError):
        parse_grid(text)


def test_a_span_is_bounded():
    with pytest.raises(StudyError):
        parse_grid(f"0:1:{Decimal(1) / 1_000_000:f}")


@pytest.mark.parametrize("values", [(6.0,), (-0.1,), (math.nan,), (math.inf,), (1.0, 1.0)])
def test_values_a_method_cannot_take(values):
    with pytest.raises(StudyError):
        check_grid(values, Tradeoff("alpha", (1.0,), 0.0, 5.0), "static-alpha")


def test_an_infinite_value_is_refused_where_there_is_no_bound():
    with pytest.raises(StudyError):
        check_grid((math.inf,), Tradeoff("lambda", (1.0,)), "adversarial")
