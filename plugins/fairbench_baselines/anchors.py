"""The anchors of every front: a constant, a line and trees."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from fairbench.method import OneByOne, Prediction, Trial, Work
from fairbench.seeds import initial_seed

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["GradientBoosting", "Mean", "RandomForest", "Ridge"]


class _Anchor(OneByOne):
    """A scikit-learn style regressor on scaled features, per target."""

    takes_weights: ClassVar[bool] = True

    @abstractmethod
    def estimator(self, seed: int, /) -> Any:
        """An unfitted regressor of one target."""

    def fit(self, trial: Trial, work: Work, /) -> Prediction:
        fold = work.fold
        features, targets = fold.features("train"), fold.targets("train")
        seed = initial_seed(work.entropy, trial) % 2**32
        fitted = [
            self.estimator(seed).fit(features, column, sample_weight=fold.weights)
            for column in targets.T
        ]

        def predict(rows: FloatArray) -> FloatArray:
            if not len(rows):
                return np.zeros((0, len(fitted)))
            return fold.unscale(np.column_stack([one.predict(rows) for one in fitted]))

        return Prediction(predict(fold.features("validation")), predict(fold.features("test")))


@dataclass(frozen=True)
class Mean(_Anchor):
    """The mean of the training targets: perfectly equal predictions, and useless ones."""

    def estimator(self, seed: int, /) -> Any:
        from sklearn.dummy import DummyRegressor

        return DummyRegressor()


@dataclass(frozen=True)
class Ridge(_Anchor):
    """Linear regression, penalised.

    Parameters
    ----------
    penalty
        Factor of the squared Euclidean norm of the coefficients, on scaled features.
    """

    penalty: Annotated[float, Ge(0)] = 1.0

    def estimator(self, seed: int, /) -> Any:
        from sklearn.linear_model import Ridge as Regressor

        return Regressor(alpha=self.penalty)


@dataclass(frozen=True)
class GradientBoosting(_Anchor):
    """Boosted regression trees (Friedman 2001).

    Parameters
    ----------
    trees, depth
        Number and greatest depth of the trees.
    learning_rate
        Shrinkage of each tree.
    """

    trees: Annotated[int, Ge(1)] = 100
    depth: Annotated[int, Ge(1)] = 3
    learning_rate: Annotated[float, Gt(0)] = 0.1

    def estimator(self, seed: int, /) -> Any:
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(
            n_estimators=self.trees,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            random_state=seed,
        )


@dataclass(frozen=True)
class RandomForest(_Anchor):
    """The mean of regression trees, each grown on rows drawn with replacement (Breiman 2001).

    Parameters
    ----------
    trees
        Number of trees.
    leaf
        Fewest rows of a leaf.
    features
        Share of the features that each cut of a tree chooses from.
    """

    trees: Annotated[int, Ge(1)] = 200
    leaf: Annotated[int, Ge(1)] = 3
    features: Annotated[float, Gt(0), Le(1)] = 1 / 3

    def estimator(self, seed: int, /) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(
            n_estimators=self.trees,
            min_samples_leaf=self.leaf,
            max_features=self.features,
            random_state=seed,
        )
