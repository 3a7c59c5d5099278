"""Columns of a table turned into the arrays of a `Dataset`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from fairbench.data.tables import Column, Table, number
from fairbench.dataset import Protected, ProtectedColumn, ProtectedKind
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import FloatArray, IntArray

__all__ = ["check_mixed", "check_target", "feature_matrix", "infer_kind", "protected", "to_numbers"]

MOST_LEVELS = 256
"""Different texts a feature may have; beyond that it is an identifier or free text."""
MOST_CODES = 10
"""Different numbers up to which a user's protected column is taken for categories."""


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


def infer_kind(column: Column) -> ProtectedKind:
    """Two values are binary; texts and few numbers categorical; other numbers continuous."""
    levels = len(np.unique(column.values))
    if levels <= 2:
        return "binary"
    return "categorical" if column.is_text or levels <= MOST_CODES else "continuous"


def protected(column: Column, how: ProtectedColumn, bins: int, table: Table) -> Protected:
    """The protected attribute over (n,) rows without missing values.

    Binary and categorical values are coded in sorted order; a continuous attribute is cut at
    its quantiles over the whole table into `bins` groups.

    Raises
    ------
    DataError
        When it is constant, has not the values its kind needs, or a bin would be empty.
    """
    levels, codes = np.unique(column.values, return_inverse=True)
    if len(levels) == 1:
        raise DataError(
            f"protected attribute {column.name!r} is constant: {levels[0]!s} on every row",
            where=table.where,
            mend="choose a protected attribute with at least two values",
        )
    if how.kind == "continuous":
        values = cast("FloatArray", column.values)
        groups, labels = _quantile_groups(column.name, values, bins, table)
        return Protected(column.name, how.kind, values, groups, labels)
    if how.kind == "binary" and len(levels) != 2:
        raise DataError(
            f"binary protected attribute {column.name!r} has {len(levels)} values",
            where=table.where,
            mend="declare it categorical",
        )
    names = tuple(how.labels.get(level, _level_label(column, level)) for level in levels.tolist())
    groups = codes.astype(np.int64)
    return Protected(column.name, how.kind, groups.astype(np.float64), groups, names)


def _level_label(column: Column, level: object) -> str:
    return str(level) if column.is_text else f"{column.name} = {level:.15g}"


def _quantile_groups(
    name: str, values: FloatArray, bins: int, table: Table
) -> tuple[IntArray, tuple[str, ...]]:
    with np.errstate(over="ignore", invalid="ignore"):  # values at the end of float64's range
        edges = np.quantile(values, np.arange(1, bins) / bins)
    groups = np.searchsorted(edges, values, side="left").astype(np.int64)  # value ≤ edge: below
    if empty := bins - len(np.unique(groups)):
        raise DataError(
            f"cutting {name!r} into {bins} quantile groups leaves {empty} of them empty, because "
            "many rows share one value",
            where=table.where,
            mend="lower bins" if bins > 2 else "choose an attribute whose median splits the rows",
        )
    cuts = _shown(edges, values, groups)
    middle = [f"{low} < {name} ≤ {high}" for low, high in pairwise(cuts)]
    return groups, (f"{name} ≤ {cuts[0]}", *middle, f"{name} > {cuts[-1]}")


def _shown(edges: FloatArray, values: FloatArray, groups: IntArray) -> list[str]:
    """Edges in the fewest digits, at least 6, that still put every row into its group."""
    for digits in range(6, 17):
        shown = [f"{edge:.{digits}g}" for edge in edges]
        rounded = np.array(shown, dtype=np.float64)
        if (np.searchsorted(rounded, values, side="left") == groups).all():
            return shown
    return [repr(float(edge)) for edge in edges]


def _text_error(what: str, column: Column, table: Table, mend: str) -> DataError:
    bad = [
        index
        for index, (text, gone) in enumerate(zip(column.values, column.missing, strict=True))
        if not gone and number(text) is None
    ] or np.flatnonzero(~column.missing).tolist()
    shown = table.show(bad, lambda index: repr(column.values[index]))
    return DataError(what, where=f"{table.where}, {shown}", mend=mend)
