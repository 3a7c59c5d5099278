"""Groups of rows for methods that need them, whatever the attribute is made of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import DataError, StudyError, near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.fold import Fold

__all__ = ["Grouping", "attributes_of", "grouping", "sensitive", "target_bins"]

BINS = 5
"""Training quantiles that a continuous attribute is cut at; 2 below `FEW` training rows."""
FEW = 500
FEWEST = 30
"""Training rows below which a cell of several attributes is merged into another."""


@dataclass(frozen=True)
class Grouping:
    """The group of every row of a dataset, fixed by training rows.

    Attributes
    ----------
    codes : (n,) int
        Of all rows of the dataset; −1 for a group that has no training row.
    labels
        Names of the groups.
    counts : (G,) int
        Their training rows.
    notes
        How groups were made that are not the attribute's own.
    """

    codes: IntArray
    labels: tuple[str, ...]
    counts: IntArray
    notes: tuple[str, ...] = ()

    @property
    def shares(self) -> FloatArray:
        """Training shares (G,)."""
        shares: FloatArray = self.counts / self.counts.sum()
        return shares

    def of(self, rows: IntArray, /) -> IntArray:
        """Groups of `rows`.

        Raises
        ------
        DataError
            Where one belongs to a group that no training row belongs to.
        """
        codes = self.codes[rows]
        if strangers := int((codes < 0).sum()):
            raise DataError(
                f"{strangers} rows belong to a group without a training row",
                where="a method that predicts by group",
                hint="merge small groups with --merge-groups, or take another split",
            )
        return codes


def attributes_of(fold: Fold, names: Sequence[str], /) -> tuple[Protected, ...]:
    """The protected attributes of these names; the first of the dataset where none is named.

    Raises
    ------
    StudyError
        For a name that the dataset has no attribute of.
    """
    known = {attribute.name: attribute for attribute in fold.dataset.protected}
    for name in names:
        if name not in known:
            raise StudyError(
                f"dataset {fold.dataset.name!r} has no protected attribute {name!r}",
                where="option 'attributes' of a method",
                hint=near(name, known),
            )
    return tuple(known[name] for name in names) or fold.dataset.protected[:1]


def grouping(fold: Fold, names: Sequence[str] = (), /) -> Grouping:
    """The groups that the attributes of these `names` form together.

    A continuous attribute is cut at its training quantiles. Cells of several attributes with
    fewer than 30 training rows are merged into the nearest that shares the first attribute.
    """
    attributes, train = attributes_of(fold, names), fold.split.train
    columns, labels, notes = [], [], []
    for attribute in attributes:
        if attribute.kind != "continuous":
            columns.append(attribute.groups)
            labels.append(attribute.labels)
            continue
        edges = _edges(attribute.values[train], 2 if len(train) < FEW else BINS)
        columns.append(np.searchsorted(edges, attribute.values, side="right"))
        labels.append(_intervals(edges))
        notes.append(f"{attribute.name} is cut into {len(edges) + 1} groups at training quantiles")
    cells = np.stack(columns, axis=1)
    kept, counts = np.unique(cells[train], axis=0, return_counts=True)
    several = len(attributes) > 1
    enough = kept[counts >= FEWEST] if several and (counts >= FEWEST).any() else kept
    codes = _coded(cells, enough, merge=several)
    if merged := len(kept) - len(enough):
        notes.append(f"{merged} cells of fewer than {FEWEST} training rows are merged into others")
    names_of = tuple(
        ", ".join(names[i] for names, i in zip(labels, cell, strict=True))
        for cell in enough.tolist()
    )
    inside = codes[train]
    return Grouping(
        codes, names_of, np.bincount(inside[inside >= 0], minlength=len(enough)), tuple(notes)
    )


def _coded(cells: IntArray, kept: IntArray, *, merge: bool) -> IntArray:
    """The place (n,) in `kept` (G, a) of every row's cell (n, a); merged, or −1, where in none.

    The nearest cell is that whose codes differ least in sum, of those as near the first.
    """
    present, back = np.unique(cells, axis=0, return_inverse=True)
    places = np.full(len(present), -1, dtype=np.int64)
    for i, cell in enumerate(present):
        equal = (kept == cell).all(axis=1)
        if equal.any():
            places[i] = int(equal.argmax())
        elif merge:
            distance = np.abs(kept - cell).sum(axis=1).astype(np.float64)
            distance[kept[:, 0] != cell[0]] = np.inf
            places[i] = int(distance.argmin()) if np.isfinite(distance).any() else -1
    codes: IntArray = places[back.reshape(-1)]
    return codes


def _edges(values: FloatArray, bins: int) -> FloatArray:
    """Unique interior quantiles that leave no bin of `values` empty."""
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    inside: FloatArray = edges[edges > values.min()]
    return inside


def _intervals(edges: FloatArray) -> tuple[str, ...]:
    if not len(edges):
        return ("all",)
    told = [f"{edge:.4g}" for edge in edges]
    inner = [f"{low} to {high}" for low, high in pairwise(told)]
    return (f"below {told[0]}", *inner, f"{told[-1]} and more")


def target_bins(
    targets: FloatArray, groups: IntArray | None = None, /, bins: int = 5, fewest: int = 10
) -> FloatArray:
    """Interior edges of bins of training `targets` (n,), at their quantiles.

    There are fewer than `bins` of them where a bin would have fewer than `fewest` rows of a
    group; one bin, hence no edge, always remains. The bin of a target is
    ``np.searchsorted(edges, target, side="right")``: those beyond the training range fall in the
    outer ones.
    """
    for count in range(bins, 1, -1):
        edges = _edges(targets, count)
        if groups is None:
            return edges
        place = np.searchsorted(edges, targets, side="right")
        table = np.zeros((groups.max() + 1, len(edges) + 1))
        np.add.at(table, (groups, place), 1)
        if table.min() >= fewest:
            return edges
    return np.zeros(0)


def sensitive(fold: Fold, names: Sequence[str] = (), /) -> FloatArray:
    """The attributes as columns (n, k) of all rows of the dataset, centred on training rows.

    A continuous attribute is one column, in training standard deviations; of another every group
    that has training rows but the first is one column. Several attributes stand side by side:
    what holds for the columns holds for each attribute, not for the groups they form together.

    Raises
    ------
    DataError
        Where a row belongs to a group without a training row.
    """
    columns, train = [], fold.split.train
    for attribute in attributes_of(fold, names):
        if attribute.kind == "continuous":
            columns.append(attribute.values[:, None] / (attribute.values[train].std() or 1.0))
        else:
            found = grouping(fold, (attribute.name,))
            used = np.concatenate([fold.split.validation, fold.split.test])
            found.of(used)
            columns.append((found.codes[:, None] == np.arange(1, len(found.labels))).astype(float))
    together = np.concatenate(columns, axis=1)
    centred: FloatArray = together - together[train].mean(axis=0)
    return centred
