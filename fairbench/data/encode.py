"""Columns of a table turned into the arrays of a `Dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from fairbench.data.tables import Column, Table, number
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import FloatArray

__all__ = ["check_mixed", "check_target", "feature_matrix", "to_numbers"]

MOST_LEVELS = 256
"""Different texts a feature may have; beyond that it is an identifier or free text."""


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
            "write numbers with a decimal point, as 12.5",
        )
    return cast("FloatArray", column.values)


def check_target(column: Column, table: Table) -> None:
    """Refuse a user's target with a missing or infinite value: it is what is predicted."""
    values = to_numbers(column, "target", table)
    for what, bad in (("missing", column.missing), ("infinite", np.isinf(values))):
        if bad.any():
            raise DataError(
                f"target {column.name!r} has {what} values: {int(bad.sum())} of {table.rows} rows",
                where=f"{table.where}, {table.show(np.flatnonzero(bad))}",
                mend="remove these rows or fill in what was measured",
            )


def check_mixed(column: Column, table: Table) -> None:
    """Refuse a user's column of mostly numbers that a few texts turn into categories."""
    if not column.is_text:
        return
    numeric = sum(number(text) is not None for text in column.values[~column.missing])
    present = int((~column.missing).sum())
    if present / 2 < numeric < present:
        raise _text_error(
            f"column {column.name!r} holds numbers and, in some rows, text",
            column,
            table,
            f"correct these cells, or leave the column out with --features=-{column.name}",
        )


def feature_matrix(
    columns: Sequence[Column], table: Table
) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Numbers as they are, texts one-hot as ``column=level`` with levels sorted.

    Returns
    -------
    matrix : (n, d) float
        C-contiguous.
    names
        Of its d columns.
    constant
        Columns left out because they have the same value on every row.
    """
    arrays: list[FloatArray] = []
    names: list[str] = []
    constant: list[str] = []
    for column in columns:
        levels = np.unique(column.values)
        if len(levels) == 1:
            constant.append(column.name)
        elif not column.is_text:
            arrays.append(cast("FloatArray", column.values))
            names.append(column.name)
        elif len(levels) > MOST_LEVELS:
            raise DataError(
                f"column {column.name!r} holds {len(levels)} different texts, too many for "
                f"categories ({MOST_LEVELS})",
                where=table.where,
                mend=f"leave it out with --features=-{column.name}, or group its values",
            )
        else:
            arrays += [(column.values == level).astype(np.float64) for level in levels]
            names += [f"{column.name}={level}" for level in levels]
    if not arrays:
        raise DataError(
            f"every feature is constant: {', '.join(constant)}",
            where=table.where,
            mend="add a feature that varies with --features=+column",
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"two features are called {twice[0]!r}: a column and a level of another",
            where=table.where,
            mend="rename the column",
        )
    return np.ascontiguousarray(np.column_stack(arrays)), tuple(names), tuple(constant)


def _text_error(what: str, column: Column, table: Table, mend: str) -> DataError:
    bad = [
        index
        for index, (text, gone) in enumerate(zip(column.values, column.missing, strict=True))
        if not gone and number(text) is None
    ] or np.flatnonzero(~column.missing).tolist()
    shown = table.show(bad, lambda index: repr(column.values[index]))
    return DataError(what, where=f"{table.where}, {shown}", mend=mend)
