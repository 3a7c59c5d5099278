"""Columns of a table turned into the arrays of a `Dataset`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fairbench.data import notation
from fairbench.data.identifiers import MOST_LEVELS
from fairbench.data.limits import MOST_CELLS
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fairbench.data.columns import BoolArray, Column
    from fairbench.data.tables import Table
    from fairbench.dataset import FloatArray

__all__ = ["Features", "check_mixed", "check_target", "feature_matrix", "finite", "to_numbers"]


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a dataset, before any row has trained anything.

    Attributes
    ----------
    matrix : (n, d) float
        C-contiguous; NaN where a value is missing.
    imputed
        The columns that hold NaN, as `Dataset.imputed` has them.
    constant
        Columns of the table left out because they have the same value on every row, or none.
    filled
        Columns of the table with missing cells that are filled in, and how many.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    imputed: tuple[tuple[int, ...], ...]
    constant: tuple[str, ...]
    filled: tuple[tuple[str, int], ...]


def finite(column: Column) -> Column:
    """`column` with infinity as missing."""
    if column.is_text or not np.isinf(column.numbers).any():
        return column
    missing = column.missing | np.isinf(column.numbers)
    return replace(column, missing=missing, numbers=np.where(missing, np.nan, column.numbers))


def to_numbers(column: Column, part: str, table: Table) -> FloatArray:
    """(n,) float: the values of a column that must be numbers, NaN where missing.

    Raises
    ------
    DataError
        Where it holds text; the message lists the first such rows.
    """
    if column.is_text:
        raise _text_error(
            f"{part} {column.name!r} holds text where a number is needed",
            column,
            table,
            "write numbers in one notation, as 12.5; --decimal and --thousands say which it is",
        )
    return column.numbers


def check_target(column: Column, table: Table, *, dropped: bool) -> None:
    """Refuse a user's target with missing or infinite values, unless their rows are `dropped`."""
    values = to_numbers(column, "target", table)
    for what, bad in (("missing", column.missing), ("infinite", np.isinf(values))):
        if bad.any() and not dropped:
            raise DataError(
                f"target {column.name!r} has {what} values: {int(bad.sum())} of {table.rows} rows",
                where=f"{table.where}, {table.show(np.flatnonzero(bad))}",
                hint="fill in what was measured, or leave these rows out with "
                "--missing-target drop",
            )


def check_mixed(column: Column, table: Table) -> None:
    """Refuse a user's column of mostly numbers that a few texts turn into categories."""
    if not column.is_text or not len(column.levels):
        return
    numeric = int(_numeric_levels(column)[column.codes[~column.missing]].sum())
    present = int((~column.missing).sum())
    if present / 2 < numeric < present:
        raise _text_error(
            f"column {column.name!r} holds numbers and, in some rows, text",
            column,
            table,
            f"correct these cells, take the column as it is with --categorical {column.name}, or "
            f"leave it out with --drop {column.name}",
        )


def feature_matrix(
    columns: Sequence[Column], table: Table, many_levels: Collection[str] = ()
) -> Features:
    """Numbers as they are, texts one-hot as ``column=level`` with levels sorted.

    Numbers with missing cells have a column ``column is missing`` of 0 and 1 beside them. A
    column with one value and missing cells is that second column alone.

    Parameters
    ----------
    many_levels
        Columns whose texts become features however many there are.

    Raises
    ------
    DataError
        For texts with too many levels (all such columns at once), features of the same name,
        or where no feature varies.
    """
    parts = [_part(column) for column in columns]
    _check_levels(columns, many_levels, table)
    names = [name for part in parts for name in part.names]
    constant = tuple(c.name for c, part in zip(columns, parts, strict=True) if not part.names)
    _check_names(names, constant, table)
    matrix = np.zeros((len(columns[0].missing), len(names)))
    imputed: list[tuple[int, ...]] = []
    at = 0
    for column, part in zip(columns, parts, strict=True):
        part.write(column, matrix[:, at : at + len(part.names)])
        if part.imputed:
            imputed.append(tuple(range(at, at + part.imputed)))
        at += len(part.names)
    filled = tuple(
        (column.name, int(column.missing.sum()))
        for column, part in zip(columns, parts, strict=True)
        if part.imputed
    )
    return Features(matrix, tuple(names), tuple(imputed), constant, filled)


@dataclass(frozen=True, slots=True)
class _Part:
    """The features that one column becomes; the first `imputed` of them hold NaN."""

    names: tuple[str, ...]
    imputed: int = 0

    def write(self, column: Column, block: FloatArray) -> None:
        """Fill `block` (n, features) of zeros."""
        if not self.names:
            return
        if column.is_text and len(column.levels) > 1:
            rows = np.flatnonzero(~column.missing)
            block[rows, column.codes[rows]] = 1.0
            block[column.missing] = np.nan
            return
        if len(self.names) > 1 or not column.missing.any():
            block[:, 0] = np.where(column.missing, np.nan, column.numbers)
        if column.missing.any():
            block[:, -1] = column.missing


def _part(column: Column) -> _Part:
    gaps = bool(column.missing.any())
    if not _varies(column):
        partly = gaps and not column.missing.all()
        return _Part((f"{column.name} is missing",) if partly else ())
    if column.is_text:
        names = tuple(f"{column.name}={level}" for level in column.levels)
        return _Part(names, len(names) if gaps else 0)
    return _Part((column.name, f"{column.name} is missing"), 1) if gaps else _Part((column.name,))


def _varies(column: Column) -> bool:
    if column.is_text:
        return len(column.levels) > 1
    present = column.numbers[~column.missing]
    return bool(len(present)) and bool((present != present[0]).any())


def _check_levels(columns: Sequence[Column], allowed: Collection[str], table: Table) -> None:
    many = [c for c in columns if len(c.levels) > MOST_LEVELS and c.name not in allowed]
    if many:
        listed = ", ".join(f"{column.name!r} ({len(column.levels)})" for column in many)
        raise DataError(
            f"too many different texts for categories ({MOST_LEVELS}): {listed}",
            where=table.where,
            hint=f"leave them out with --drop {many[0].name}, group their values, or insist with "
            f"--categorical {many[0].name}",
        )


def _check_names(names: Sequence[str], constant: Sequence[str], table: Table) -> None:
    if not names:
        raise DataError(
            f"every feature is constant: {', '.join(constant)}",
            where=table.where,
            hint="add a feature that varies with --features=+column",
        )
    if table.rows * len(names) > MOST_CELLS:
        raise DataError(
            f"{table.rows:,} rows with {len(names):,} features are more than {MOST_CELLS:,} cells",
            where=table.where,
            hint="leave out columns with many levels, or give a part of the rows",
        )
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(
            f"two features are called {twice[0]!r}: a column and a level of another",
            where=table.where,
            hint="rename the column",
        )


def _numeric_levels(column: Column) -> BoolArray:
    import pyarrow as pa

    return notation.plain(pa.array(column.levels, pa.string()))


def _text_error(what: str, column: Column, table: Table, hint: str) -> DataError:
    texts = ~np.append(_numeric_levels(column), True)[column.codes]
    bad = np.flatnonzero(texts) if texts.any() else np.flatnonzero(~column.missing)
    shown = table.show(bad, lambda row: repr(column.levels[column.codes[row]]))
    return DataError(what, where=f"{table.where}, {shown}", hint=hint)
