"""Protected attributes: a column turned into groups."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from fairbench.dataset import Protected, ProtectedColumn, ProtectedKind
from fairbench.errors import DataError

if TYPE_CHECKING:
    from fairbench.data.columns import Column
    from fairbench.data.tables import Table
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["infer_kind", "protected"]

MOST_CODES = 10
"""Different numbers up to which a user's protected column is taken for categories."""


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
