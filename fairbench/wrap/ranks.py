"""Empirical distributions as monotone maps between values and levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["Ranks"]


@dataclass(frozen=True)
class Ranks:
    """The distribution of a sample: value j of m, in order, stands at the level (j − ½)/m.

    Between these knots both maps are linear; equal values are one knot at their mean level. For
    one sample `quantile` of `level` is thus the identity between its ends.

    Attributes
    ----------
    values, levels : (k,)
        The knots, both increasing.
    below, above : (k,)
        Shares of the sample below each value, and not above it.
    """

    values: FloatArray
    levels: FloatArray
    below: FloatArray
    above: FloatArray

    @classmethod
    def of(cls, sample: FloatArray, /) -> Ranks:
        """The distribution of `sample` (m,), m ≥ 1."""
        values, counts = np.unique(sample, return_counts=True)
        above = counts.cumsum() / len(sample)
        below = above - counts / len(sample)
        return cls(values, (below + above) / 2, below, above)

    def inside(self, x: FloatArray, /) -> FloatArray:
        """`x` moved to the nearer end where it lies beyond the sample."""
        return np.clip(x, self.values[0], self.values[-1])

    def level(self, x: FloatArray, /, uniform: FloatArray | None = None) -> FloatArray:
        """Levels of `x`; with `uniform` (numbers in [0, 1)) at random within ties.

        Ties matter where a model predicts few different values, as a tree does: their levels are
        then not uniformly distributed unless they are drawn.
        """
        level = np.interp(x, self.values, self.levels)
        if uniform is None:
            return level
        place = np.searchsorted(self.values, x).clip(max=len(self.values) - 1)
        drawn = self.below[place] + uniform * (self.above[place] - self.below[place])
        return np.where(self.values[place] == x, drawn, level)

    def quantile(self, level: FloatArray, /) -> FloatArray:
        """Values at `level`; beyond the outer knots those of the ends."""
        return np.interp(level, self.levels, self.values)
