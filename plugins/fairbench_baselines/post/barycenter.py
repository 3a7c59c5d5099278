"""barycenter: the groups' predictions moved to the distribution nearest to all of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.wrap import Adjustment, PostProcessor, Ranks, Rows, Sample
from fairbench_baselines.post.moment_matching import GRID
from fairbench_baselines.post.moments import ByLevel, moments

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["Barycenter", "by_group"]

ANCHORS = 100
"""Levels of a continuous attribute that stand for all of them."""
MOST = 2000
"""Calibration rows that a continuous attribute's distributions are made of."""
EFFECTIVE = 30
"""Fewest rows, by their weights, that the distribution given a level is made of."""


@dataclass(frozen=True)
class Barycenter(PostProcessor):
    """(1 − t)ŷ + t·Σ_h p_h Q_h(F_g(ŷ)), F and Q of calibration predictions by group.

    Chzhen et al. (2020), equation 3 [code]; the path in t is that of Chzhen and Schreuder
    (2022), whose improvement α is (1 − t)². Levels and quantiles are interpolated, beyond the
    calibration range predictions move in parallel, and shares are those of training rows, so
    that a row does not depend on those predicted with it.

    Given a continuous attribute, residuals from its moments are ranked by a kernel-weighted
    distribution [derived]: ranking predictions themselves would leave what smoothing blurs.

    Parameters
    ----------
    ties
        The level of a prediction that many calibration rows share, as of a tree: ``mean`` of
        theirs, or ``random``, one of theirs, for the full guarantee at the price of chance.
    """

    ties: Literal["mean", "random"] = "mean"

    @property
    def own_facts(self) -> Facts:
        return Facts("yes", "labels", randomised=self.ties == "random")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("t", GRID, 0.0, 1.0, "high")

    def learn(self, sample: Sample, value: float | None, /) -> Adjustment:
        assert value is not None
        move = by_group(sample, self.ties) if sample.level is None else _by_level(sample)
        return Adjustment(lambda rows: (1 - value) * rows.prediction + value * move(rows))


def by_group(
    sample: Sample, ties: Literal["mean", "random"] = "mean", /
) -> Callable[[Rows], FloatArray]:
    """The transport T_g of every group to the barycenter; the identity where it has no row."""
    present = [g for g in range(len(sample.shares)) if (sample.groups == g).any()]
    ranks = {g: Ranks.of(sample.prediction[sample.groups == g]) for g in present}
    shares = sample.shares[present] / sample.shares[present].sum()

    def move(rows: Rows) -> FloatArray:
        moved = rows.prediction.copy()
        for g, of in ranks.items():
            here = rows.groups == g
            inside = of.inside(rows.prediction[here])
            level = of.level(inside, rows.uniform[here] if ties == "random" else None)
            common = sum(p * ranks[h].quantile(level) for p, h in zip(shares, present, strict=True))
            moved[here] = common + (rows.prediction[here] - inside)
        return moved

    return move


def _by_level(sample: Sample) -> Callable[[Rows], FloatArray]:
    """The transport at each level of a continuous attribute."""
    found = moments(sample)
    assert isinstance(found, ByLevel)
    chosen = np.linspace(0, len(found.levels) - 1, min(MOST, len(found.levels))).astype(int)
    level = found.levels[chosen]
    mean, scale = found.at(level)
    residual = (sample.prediction[chosen] - mean) / scale
    order = np.argsort(residual, kind="stable")
    residual, level = residual[order], level[order]
    width = 1.06 * max(float(level.std()), 1e-12) * len(level) ** -0.2
    anchors = np.quantile(found.levels, (np.arange(ANCHORS) + 0.5) / ANCHORS)
    at_mean, at_scale = found.at(anchors)
    anchored = [_levels(level, anchor, width) for anchor in anchors]

    def move(rows: Rows) -> FloatArray:
        assert rows.level is not None
        here, spread = found.of(rows)
        own = (rows.prediction - here) / spread
        inside = np.clip(own, residual[0], residual[-1])
        u = np.array(
            [
                np.interp(r, residual, _levels(level, s, width))
                for r, s in zip(inside, rows.level, strict=True)
            ]
        )
        common = np.zeros(len(own))
        for m, sd, levels in zip(at_mean, at_scale, anchored, strict=True):
            common += (m + sd * np.interp(u, levels, residual)) / ANCHORS
        return common + found.common[1] * (own - inside)

    return move


def _levels(level: FloatArray, at: float, width: float) -> FloatArray:
    """Levels (n,) of sorted residuals, weighted by how near their rows are; strictly increasing.

    The kernel widens until `EFFECTIVE` rows, or all, count.
    """
    while True:
        weight = np.exp(-0.5 * ((level - at) / width) ** 2) + 1e-12
        effective = weight.sum() ** 2 / np.square(weight).sum()
        if effective >= min(EFFECTIVE, 0.9 * len(level)):
            break
        width *= 1.5
    total: FloatArray = weight.cumsum()
    levels: FloatArray = (total - weight / 2) / total[-1]
    return levels
