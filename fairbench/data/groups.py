"""Protected attributes: a column turned into groups."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from fairbench.dataset import Protected, ProtectedColumn, ProtectedKind
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.data.columns import Column
    from fairbench.data.tables import Table
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["columns_of", "infer_kind", "intersection", "protected", "sized"]

JOINED = "*"
"""Stands between the columns of an intersection, in its name."""
FEWEST_ROWS = 50
"""Rows of a table below which a group leaves the disparity, unless the user says otherwise: a test
set of a fifth of them has ten, and an error of ten rows is mostly noise."""

MOST_CODES = 10
"""Different numbers up to which a user's protected column is taken for categories."""


def columns_of(attribute: str, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that a protected attribute is made of: one, or those of an intersection."""
    if attribute in names or JOINED not in attribute:
        return (attribute,)
    return tuple(part.strip() for part in attribute.split(JOINED))


def infer_kind(column: Column) -> ProtectedKind:
    """Two values are binary; texts and few numbers categorical; other numbers continuous."""
    levels = column.distinct()
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
    levels, codes = column.sorted()
    if len(levels) == 1:
        raise DataError(
            f"protected attribute {column.name!r} is constant: {levels[0]!s} on every row",
            where=table.where,
            hint="choose a protected attribute with at least two values",
        )
    if how.kind == "continuous":
        values = cast("FloatArray", column.values)
        groups, labels = _quantile_groups(column.name, values, bins, table)
        return Protected(column.name, how.kind, values, groups, labels)
    if how.kind == "binary" and len(levels) != 2:
        raise DataError(
            f"binary protected attribute {column.name!r} has {len(levels)} values",
            where=table.where,
            hint="declare it categorical",
        )
    names = tuple(how.labels.get(level, _level_label(column, level)) for level in levels.tolist())
    groups = codes.astype(np.int64)
    return Protected(column.name, how.kind, groups.astype(np.float64), groups, names)


def intersection(attributes: Sequence[Protected]) -> Protected:
    """The groups that several attributes form together; those without a row are none."""
    if len(attributes) == 1:
        return attributes[0]
    combined = np.stack([attribute.groups for attribute in attributes], axis=1)
    present, codes = np.unique(combined, axis=0, return_inverse=True)
    labels = tuple(
        ", ".join(a.labels[code] for a, code in zip(attributes, codes_of, strict=True))
        for codes_of in present.tolist()
    )
    groups = codes.reshape(-1).astype(np.int64)
    return Protected(
        JOINED.join(attribute.name for attribute in attributes),
        "binary" if len(labels) == 2 else "categorical",
        groups.astype(np.float64),
        groups,
        labels,
    )


def sized(attribute: Protected, min_group: int | None, merge: bool, table: Table) -> Protected:
    """`attribute` with the groups named that are too small to be compared.

    Parameters
    ----------
    min_group
        Fewest rows of a group that is compared. None stands for `FEWEST_ROWS`, as long as two
        groups remain, and for nothing where they do not.
    merge
        Whether too small groups become one first.

    Raises
    ------
    DataError
        Where fewer than two groups have the rows that the user asked for.
    """
    limit = FEWEST_ROWS if min_group is None else min_group
    if merge:
        attribute = _merged(attribute, limit)
    counts = np.bincount(attribute.groups, minlength=len(attribute.labels))
    large = counts >= limit
    if large.sum() >= 2:
        small = [label for label, kept in zip(attribute.labels, large, strict=True) if not kept]
        return replace(attribute, small=tuple(small))
    if min_group is None:
        return attribute
    sizes = ", ".join(f"{n} {label}" for label, n in zip(attribute.labels, counts, strict=True))
    raise DataError(
        f"fewer than two groups of {attribute.name!r} have {limit} rows: {sizes}",
        where=table.where,
        hint="lower --min-group, merge small groups with --merge-groups, or choose another "
        "attribute",
    )


def _merged(attribute: Protected, limit: int) -> Protected:
    """Groups below `limit` rows made one, the last; fewer than two such groups stay as they are."""
    counts = np.bincount(attribute.groups, minlength=len(attribute.labels))
    small = counts < limit
    if small.sum() < 2 or attribute.kind == "continuous":
        return attribute
    kept = np.flatnonzero(~small)
    place = np.full(len(counts), len(kept))
    place[kept] = np.arange(len(kept))
    groups = place[attribute.groups]
    return Protected(
        attribute.name,
        "categorical",
        groups.astype(np.float64),
        groups,
        (*(attribute.labels[i] for i in kept), f"other ({small.sum()} groups)"),
    )


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
            hint="lower bins" if bins > 2 else "choose an attribute whose median splits the rows",
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
