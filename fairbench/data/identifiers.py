"""Columns that tell which row it is rather than what it is like: no features unless asked for.

A row index or a name lets a model recognise rows, hides rows that occur twice, and says nothing
of a new row. What is left out, and on what evidence, is said in a warning.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairbench.data.columns import Column
    from fairbench.dataset import FloatArray

__all__ = ["MOST_LEVELS", "Suspect", "reason", "suspect", "warnings"]

FEWEST_ROWS = 20
"""Rows from which all-different or ordered values are taken for more than chance."""

SPARSE = 10
"""A row index may have lost rows: its numbers span at most this many times as many as there are."""

MOST_LEVELS = 256
"""Different texts that a feature may have."""

FEW_LEVELS, ROWS_PER_LEVEL = 20, 5
"""Texts beyond the first number need this many rows each on average, or are names."""

REPEATED = 10
"""Different values from which a repeated identifier is taken for one."""

ENDINGS = frozenset({"id", "ids", "uid", "uuid", "guid", "identifier"})
INDICES = frozenset(
    {"index", "idx", "row", "rows", "rowname", "rownames", "rownum", "rownumber", "unnamed"}
)
PEOPLE = frozenset({"patient", "subject", "person", "participant", "respondent", "individual"})
MEMBERS = frozenset({"pupil", "student", "customer", "client", "user", "household"})
TIMES = frozenset({"age", "year", "month", "week", "day", "date", "hour", "time", "period"})

Why = Literal["index", "identifier", "different", "levels", "cluster"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A column that is no feature, why, and what was counted."""

    name: str
    why: Why
    distinct: int
    rows: int


def suspect(column: Column) -> Suspect | None:
    """Say what `column` is if it identifies rows; None where it may be a feature."""
    rows = int((~column.missing).sum())
    if rows < FEWEST_ROWS or column.kind in {"date", "boolean"}:
        return None
    why = _text(column.name, len(column.levels), rows) if column.is_text else _number(column, rows)
    return None if why is None else Suspect(column.name, why, column.distinct(), rows)


def _text(name: str, distinct: int, rows: int) -> Why | None:
    if distinct == rows:
        return "different"
    if _names_rows(name) and distinct >= REPEATED:
        return "cluster"
    if distinct > MOST_LEVELS or (distinct > FEW_LEVELS and rows < distinct * ROWS_PER_LEVEL):
        return "levels"
    return None


def _number(column: Column, rows: int) -> Why | None:
    values = column.numbers[~column.missing]
    if not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        return None
    named = _names_rows(column.name)
    if named or _words(column.name) & INDICES:
        distinct = column.distinct()
        if distinct == rows:
            return "identifier"
        return "cluster" if named and distinct >= REPEATED else None
    return "index" if _in_row_order(values) and not _words(column.name) & TIMES else None


def _in_row_order(values: FloatArray) -> bool:
    """Say whether whole numbers rise or fall throughout, with at most a tenth of them missing."""
    steps = np.diff(values)
    ordered = bool((steps > 0).all() or (steps < 0).all())
    return ordered and abs(values[-1] - values[0]) <= SPARSE * len(values)


def _names_rows(name: str) -> bool:
    """Say whether a name tells that values are people or things: patient, subject#, customer_id."""
    words = _split(name)
    return bool(words) and (
        words[-1] in ENDINGS
        or (
            words[0] in PEOPLE | MEMBERS and set(words[1:]) <= {"no", "nr", "num", "number", "code"}
        )
    )


def _words(name: str) -> set[str]:
    return set(_split(name))


def _split(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z]+", spaced.lower()) if word]


EVIDENCE: dict[Why, str] = {
    "index": "whole numbers in row order, as a row index is",
    "identifier": "a different whole number in every row, under an identifier's name",
    "different": "a different text in every row",
    "levels": "too many different texts for categories",
    "cluster": "the same identifier on several rows",
}


def reason(found: Suspect) -> str:
    """In words, why a column is no feature."""
    return EVIDENCE[found.why]


def warnings(suspects: Sequence[Suspect]) -> Iterator[str]:
    """One sentence for each kind of evidence, naming all its columns and how to keep them."""
    for why, text in EVIDENCE.items():
        found = [one for one in suspects if one.why == why]
        if not found:
            continue
        shown = ", ".join(f"{one.name!r} ({one.distinct:,} in {one.rows:,} rows)" for one in found)
        yield f"left out of the features: {shown}, with {text}; {_mend(found[0])}"


def _mend(found: Suspect) -> str:
    name, added = shlex.quote(found.name), shlex.quote(f"+{found.name}")
    keep = f"keep it with --features={added}"
    if found.why in {"index", "identifier"}:
        return f"{keep} or --numeric {name}"
    if found.why == "levels":
        return f"keep it with --categorical {name}"
    if found.why == "cluster":
        return f"add --cluster {name} so that rows of one stay in one part of a split, or {keep}"
    return keep
