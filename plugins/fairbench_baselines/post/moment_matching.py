"""moment-matching: one mean and one standard deviation of predictions for all groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.method import Tradeoff
from fairbench.wrap import Adjustment, PostProcessor, Rows, Sample
from fairbench_baselines.post.moments import moments

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["GRID", "MomentMatching"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class MomentMatching(PostProcessor):
    """(1 − t)ŷ + t(m̄ + σ̄(ŷ − m_g)/σ_g), with m̄ = Σ p_g m_g and σ̄ = Σ p_g σ_g.

    The barycenter of location-scale families [derived], from two moments of each group, which is
    what small groups allow. Of a continuous attribute the moments are linear regressions on it.
    """

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("t", GRID, 0.0, 1.0, "high")

    def learn(self, sample: Sample, value: float | None, /) -> Adjustment:
        assert value is not None
        found = moments(sample)
        centre, spread = found.common

        def apply(rows: Rows) -> FloatArray:
            mean, scale = found.of(rows)
            ratio = np.divide(spread, scale, out=np.zeros_like(scale), where=scale > 0)
            matched = centre + ratio * (rows.prediction - mean)
            return (1 - value) * rows.prediction + value * matched

        return Adjustment(apply)
