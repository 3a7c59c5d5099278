"""reweighing: training rows weighted so that group and target are independent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Le

from fairbench.errors import StudyError
from fairbench.method import Tradeoff
from fairbench.wrap import PreProcessor, attributes_of, grouping, target_bins

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = ["Reweighing", "table_weights"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CLIP = 20.0
"""How far a weight of the continuous form may be from 1, as a factor."""
MOST = 2000
"""Training rows that the densities of the continuous form are made of."""


@dataclass(frozen=True)
class Reweighing(PreProcessor):
    """Weights (p_g p_b / p_gb)^τ with b the bin of the row's target, renormalised to mean 1.

    Kamiran and Calders (2012), Section 4.2, for classes [paper]; bins of the target, and τ,
    [derived]. Given a continuous attribute the weights are p(s)p(y)/p(s, y) by Gaussian kernels.

    Parameters
    ----------
    bins
        Bins of the target, at its quantiles; fewer where one would hold under ten rows of a
        group.
    """

    bins: Annotated[int, Ge(2), Le(50)] = 5

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("tau", GRID, 0.0, 1.0, "high")

    def check(self, fold: Fold, training: Training, /) -> None:
        super().check(fold, training)
        if not self.built().takes_weights:
            raise StudyError(
                f"method {self.base!r} takes no weights of rows",
                where="option 'base' of reweighing",
                hint="take one that does, such as ridge, random-forest or gradient-boosting",
            )

    def prepare(self, fold: Fold, value: float | None, seed: int, /) -> Fold:
        assert value is not None
        if value == 0:
            return fold
        attributes, target = attributes_of(fold, self.attributes), fold.targets("train")[:, 0]
        if len(attributes) == 1 and attributes[0].kind == "continuous":
            weights = _density_weights(attributes[0].values[fold.split.train], target)
        else:
            groups = grouping(fold, self.attributes).of(fold.split.train)
            edges = target_bins(target, groups, self.bins)
            weights = table_weights(groups, np.searchsorted(edges, target, side="right"))
        tempered = weights**value
        return replace(fold, weights=tempered / tempered.mean())


def table_weights(groups: IntArray, bins: IntArray, /) -> FloatArray:
    """p_g p_b / p_gb of every row (n,)."""
    table = np.zeros((groups.max() + 1, bins.max() + 1))
    np.add.at(table, (groups, bins), 1 / len(groups))
    independent = table.sum(axis=1)[:, None] * table.sum(axis=0)
    weights: FloatArray = (independent / np.where(table > 0, table, 1.0))[groups, bins]
    return weights


def _density_weights(s: FloatArray, y: FloatArray) -> FloatArray:
    """p(s)p(y)/p(s, y) of every row (n,), with Silverman's width for two dimensions."""
    chosen = np.linspace(0, len(s) - 1, min(MOST, len(s))).astype(int)
    width = len(chosen) ** (-1 / 6)

    def kernels(x: FloatArray) -> FloatArray:
        apart = (x[:, None] - x[chosen]) / (width * (x.std() or 1.0))
        return np.asarray(np.exp(-0.5 * apart**2), dtype=np.float64)

    on_s, on_y = kernels(s), kernels(y)
    joint = (on_s * on_y).mean(axis=1)
    weights = on_s.mean(axis=1) * on_y.mean(axis=1) / np.maximum(joint, 1e-300)
    return np.asarray(np.clip(weights, 1 / CLIP, CLIP), dtype=np.float64)
