"""correlation-remover: features without what is linear in the attribute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.wrap import PreProcessor, sensitive

if TYPE_CHECKING:
    from fairbench.fold import Fold

__all__ = ["CorrelationRemover"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class CorrelationRemover(PreProcessor):
    """X − τ(S − S̄)B with B the least-squares coefficients of features on the attribute.

    After fairlearn's of this name [ref]: S̄ and B are those of training rows; of a category every
    level but the first is a column of S. Least squares on what is left has predictions that are
    uncorrelated with S on training rows; what is not linear in S remains, and a network finds it.
    """

    @property
    def own_facts(self) -> Facts:
        return Facts("yes", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("tau", GRID, 0.0, 1.0, "high")

    def prepare(self, fold: Fold, value: float | None, seed: int, /) -> Fold:
        assert value is not None
        if value == 0:
            return fold
        s, x, train = sensitive(fold, self.attributes), fold.filled(), fold.split.train
        centred = x[train] - x[train].mean(axis=0)
        explained = np.linalg.lstsq(s[train], centred, rcond=None)[0]
        features = x - value * (s @ explained)
        return replace(fold, dataset=replace(fold.dataset, features=features, imputed=()))
