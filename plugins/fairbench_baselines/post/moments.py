"""Mean and standard deviation of predictions, given the attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.wrap import Rows, Sample

__all__ = ["ByGroup", "ByLevel", "Moments", "moments"]

FLOOR = 0.05
"""The least standard deviation given a continuous attribute, as a share of that of all rows."""


@dataclass(frozen=True)
class ByGroup:
    """Moments (G,) of each group, and their means over groups, weighted by training shares."""

    mean: FloatArray
    scale: FloatArray
    shares: FloatArray

    @property
    def common(self) -> tuple[float, float]:
        """m̄ and σ̄, the moments of the barycenter of location-scale families."""
        return float(self.shares @ self.mean), float(self.shares @ self.scale)

    def of(self, rows: Rows, /) -> tuple[FloatArray, FloatArray]:
        """Moments (n,) of each row's group."""
        return self.mean[rows.groups], self.scale[rows.groups]


@dataclass(frozen=True)
class ByLevel:
    """Linear regressions, of predictions and of how far they scatter, on a continuous attribute.

    `mean` and `scale` are intercepts and slopes; `levels` (m,) is where rows were seen.
    """

    mean: FloatArray
    scale: FloatArray
    floor: float
    levels: FloatArray

    @property
    def common(self) -> tuple[float, float]:
        """Means over the levels seen."""
        mean, scale = self.at(self.levels)
        return float(mean.mean()), float(scale.mean())

    def at(self, level: FloatArray, /) -> tuple[FloatArray, FloatArray]:
        """Moments (n,) at `level` (n,)."""
        scale = np.maximum(self.scale[0] + self.scale[1] * level, self.floor)
        return self.mean[0] + self.mean[1] * level, scale

    def of(self, rows: Rows, /) -> tuple[FloatArray, FloatArray]:
        """Moments (n,) at each row's level."""
        assert rows.level is not None
        return self.at(rows.level)


Moments = ByGroup | ByLevel


def moments(sample: Sample, /) -> Moments:
    """The moments of calibration predictions by group, or by level of a continuous attribute.

    The scatter is √(π/2) times the regression of absolute residuals, which is the standard
    deviation of normal ones, and at least 5 % of that of all.
    """
    if sample.level is None:
        return _by_group(sample.prediction, sample.groups, sample.shares)
    design = np.column_stack([np.ones_like(sample.level), sample.level])
    mean = np.linalg.lstsq(design, sample.prediction, rcond=None)[0]
    residual = sample.prediction - design @ mean
    scale = np.linalg.lstsq(design, np.abs(residual), rcond=None)[0] * np.sqrt(np.pi / 2)
    floor = max(FLOOR * float(sample.prediction.std()), 1e-12)
    return ByLevel(np.asarray(mean), np.asarray(scale), floor, sample.level)


def _by_group(prediction: FloatArray, groups: IntArray, shares: FloatArray) -> ByGroup:
    parts = [prediction[groups == g] for g in range(len(shares))]
    whole = prediction  # for a group without a calibration row, those of all
    return ByGroup(
        np.array([part.mean() if len(part) else whole.mean() for part in parts]),
        np.array([part.std() if len(part) else whole.std() for part in parts]),
        shares,
    )
