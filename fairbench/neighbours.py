"""Who is near whom in features: what metrics of individual fairness compare predictions over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, IntArray

__all__ = ["MOST_PLACES", "Neighbours", "nearest"]

COUNT = 5
"""Nearest rows of a row, itself included."""

MOST_PLACES = 2_000
"""Places whose neighbours are looked for; where rows lie at more, so many of them are drawn."""

_DIGITS = 9
"""Decimals of scaled features beyond which two rows are at one place."""


@dataclass(frozen=True)
class Neighbours:
    """What a metric of individual fairness gets in place of a protected attribute.

    Rows with equal features are at one *place*. A row's nearest rows are itself, the other rows
    at its place, then those at the nearest other places; where only some of the rows at a place
    are wanted, all of them count by the same share. Hence the order of rows plays no part.

    Attributes
    ----------
    places : (n,) int
        The place 0 … u−1 of each row, numbered in the order of their features.
    asked : (p,) int
        Places whose rows are measured, in ascending order: all u, or a sample of them.
    near : (p, c) int
        For each of these the nearest other places, the nearest first.
    """

    places: IntArray
    asked: IntArray
    near: IntArray

    kind: ClassVar[str] = "individual"

    @cached_property
    def of(self) -> IntArray:
        """Positions (m,) of the rows that are measured: those at a place that is asked."""
        import numpy as np

        return np.flatnonzero(np.isin(self.places, self.asked))

    @property
    def sampled(self) -> str:
        """What share of the places is measured, in words; empty where all are."""
        total = len(self._counts)
        if len(self.asked) == total:
            return ""
        return f"on {len(self.asked):,} of {total:,} places in features, drawn with seed {total}"

    @cached_property
    def _counts(self) -> IntArray:
        import numpy as np

        return np.bincount(self.places)

    @cached_property
    def _shares(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights of a row's own value, (p,), of its place's mean, (p,), and of others', (p, c)."""
        import numpy as np

        wanted = min(COUNT, len(self.places)) - 1
        others = self._counts[self.asked] - 1
        beside = np.minimum(others, wanted)
        # `beside` times the mean of the others at the place, whose sum lacks the row itself.
        each = np.divide(beside, others, out=np.zeros(len(others)), where=others > 0)
        before = np.cumsum(self._counts[self.near], axis=1)
        before = np.minimum(beside[:, None] + before, wanted)
        taken = np.diff(before, axis=1, prepend=beside[:, None])
        size = wanted + 1
        return (1 - each) / size, (beside + each) / size, taken / size

    def means(self, values: FloatArray, /) -> FloatArray:
        """Mean of `values` (..., n) over the nearest rows of each measured row, (..., m)."""
        import numpy as np

        own, beside, others = self._shares
        order = np.argsort(self.places, kind="stable")
        starts = np.cumsum(self._counts) - self._counts
        by_place = np.add.reduceat(values[..., order], starts, axis=-1) / self._counts
        around = beside * by_place[..., self.asked]
        around = around + np.einsum("...pc,pc->...p", by_place[..., self.near], others)
        slot = np.searchsorted(self.asked, self.places[self.of])
        means: FloatArray = own[slot] * values[..., self.of] + around[..., slot]
        return means

    def rows(self, order: IntArray, /) -> Neighbours:
        """The same n rows in another order."""
        return Neighbours(self.places[order], self.asked, self.near)

    def arrays(self) -> dict[str, IntArray]:
        """The attributes by name, to be stored."""
        return {"places": self.places, "asked": self.asked, "near": self.near}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], /) -> Neighbours:
        """What `arrays` gave."""
        import numpy as np

        return cls(**{name: array.astype(np.int64) for name, array in arrays.items()})


def nearest(features: FloatArray, /) -> Neighbours:
    """The nearest rows of every row of scaled `features` (n, d), by Euclidean distance.

    The search sees the distinct rows in ascending order, so that ties between places are broken
    alike whatever the order of the rows. Where rows lie at more than `MOST_PLACES` places, so
    many are drawn, with their number as the seed: the search would take a time that grows with
    the square of the rows. They are near to rows at any place.
    """
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    points, places = _distinct(features)
    asked = np.arange(len(points))
    if len(points) > MOST_PLACES:
        rng = np.random.default_rng(len(points))
        asked = np.sort(rng.choice(len(points), MOST_PLACES, replace=False))
    count = min(COUNT, len(points))
    search = NearestNeighbors(n_neighbors=count).fit(points)
    found = search.kneighbors(points[asked], return_distance=False).astype(np.int64)
    # Itself first and then left out: rounding may put a place that is very near before it.
    itself = found == asked[:, None]
    itself[~itself.any(axis=1), -1] = True
    return Neighbours(places, asked, found[~itself].reshape(len(asked), count - 1))


def _distinct(features: FloatArray) -> tuple[FloatArray, IntArray]:
    """Distinct rows (u, d) in lexical order, and which of them each row (n,) is.

    Rounded, because means and deviations that features were scaled with depend in their last
    digit on the order of rows.
    """
    import numpy as np

    rounded = np.round(features, _DIGITS) + 0.0  # -0 becomes 0
    order = np.lexsort(rounded.T[::-1])
    ordered = rounded[order]
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    places = np.empty(len(ordered), dtype=np.int64)
    places[order] = np.cumsum(new) - 1
    return ordered[new], places
