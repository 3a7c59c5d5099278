"""fair-gbm: gradient boosting of squared error and a penalty on the groups' mean predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from fairbench.facts import Facts
from fairbench.method import OneByOne, Prediction, Tradeoff, Trial, Work
from fairbench.seeds import initial_seed
from fairbench.wrap import attributes_of, sensitive

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.fold import Fold, Part
    from fairbench.training import Training

__all__ = ["FairGBM"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
MOST = 1000
"""Trees beyond which a small learning rate is not made up for by more of them."""


@dataclass(frozen=True)
class FairGBM(OneByOne):
    """Every tree is fitted to (y − F) − λ(m_g − m̄), with λ = t/(1 − t) and F the model so far.

    The idea of FairGBM (Cruz et al. 2023), which is for classes, with the variance of group
    means in place of its constraints [derived]. m_g − m̄ is what a linear regression of F on the
    attribute predicts, so that it serves continuous attributes too. The learning rate is at most
    1/(2(1 + λ)), where the penalty would overshoot, and there are more trees in return.

    Parameters
    ----------
    trees, depth
        Number of trees at the full learning rate, and their greatest depth.
    learning_rate
        Shrinkage of each tree.
    attributes
        Protected attributes; by default the dataset's first. Of several the penalties add up.
    """

    trees: Annotated[int, Ge(1)] = 100
    depth: Annotated[int, Ge(1)] = 3
    learning_rate: Annotated[float, Gt(0)] = 0.1
    attributes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("t", GRID, 0.0, 0.99, "high")

    def check(self, fold: Fold, training: Training, /) -> None:
        attributes_of(fold, self.attributes)

    def fit(self, trial: Trial, work: Work, /) -> Prediction:
        fold = work.fold
        assert trial.value is not None
        x, penalty = fold.features("train"), trial.value / (1 - trial.value)
        basis = np.linalg.qr(sensitive(fold, self.attributes)[fold.split.train])[0]
        seed = initial_seed(work.entropy, trial) % 2**32
        models = [self._boosted(x, y, basis, penalty, seed) for y in fold.targets("train").T]

        def predict(part: Part) -> FloatArray:
            here = fold.features(part)
            if not len(here):
                return np.zeros((0, len(models)))
            return fold.unscale(np.column_stack([model.predict(here) for model in models]))

        return Prediction(predict("validation"), predict("test"))

    def _boosted(
        self, x: FloatArray, y: FloatArray, basis: FloatArray, penalty: float, seed: int
    ) -> _Boosted:
        from sklearn.tree import DecisionTreeRegressor

        rate = min(self.learning_rate, 0.5 / (1 + penalty))
        rounds = math.ceil(self.trees * self.learning_rate / rate)
        rounds = max(self.trees, min(rounds, MOST))
        start, trees = float(y.mean()), []
        fitted = np.full(len(y), start)
        state = np.random.RandomState(seed)
        for _ in range(rounds):
            slope = y - fitted
            if penalty > 0:
                slope = slope - penalty * (basis @ (basis.T @ fitted))
            tree = DecisionTreeRegressor(max_depth=self.depth, random_state=state).fit(x, slope)
            fitted += rate * tree.predict(x)
            trees.append(tree)
        return _Boosted(start, rate, trees)


@dataclass(frozen=True)
class _Boosted:
    """A constant and `rate` times the sum of trees."""

    start: float
    rate: float
    trees: list[Any]

    def predict(self, x: FloatArray, /) -> FloatArray:
        total = np.full(len(x), self.start)
        for tree in self.trees:
            total += self.rate * tree.predict(x)
        return total
