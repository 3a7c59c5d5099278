"""What the linear methods share: moments of training rows, and predictions of coefficients."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from fairbench.facts import Facts
from fairbench.method import OneByOne, Prediction, Trial, Work
from fairbench.wrap import attributes_of, sensitive
from fairbench_baselines.linear.convex import solve

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.fold import Fold, Part
    from fairbench.training import Training

__all__ = ["Linear", "Problem"]

RIDGE = 1e-8
"""The least penalty, as a share of the mean variance of features: features may be collinear."""


@dataclass(frozen=True)
class Problem:
    """Ridge regression of one target on training rows, everything centred.

    Attributes
    ----------
    x : (n, d)
        Scaled features.
    y : (n,)
        The scaled target.
    s : (n, k)
        Columns of the protected attributes: see `fairbench.wrap.sensitive`.
    penalty
        γ: factor of the squared coefficients beside the *mean* squared error.
    """

    x: FloatArray
    y: FloatArray
    s: FloatArray
    penalty: float

    @cached_property
    def hessian(self) -> FloatArray:
        """XᵀX/n + γI, (d, d), positive definite."""
        gram = self.x.T @ self.x / len(self.x)
        least = RIDGE * max(float(np.trace(gram)) / len(gram), RIDGE)
        matrix: FloatArray = gram + max(self.penalty, least) * np.eye(len(gram))
        return matrix

    @cached_property
    def slope(self) -> FloatArray:
        """Xᵀy/n, (d,)."""
        slope: FloatArray = self.x.T @ self.y / len(self.x)
        return slope

    @cached_property
    def plain(self) -> FloatArray:
        """The coefficients (d,) of ridge regression."""
        return solve(self.hessian, self.slope)


@dataclass(frozen=True)
class Linear(OneByOne):
    """A linear model of scaled features, whose coefficients subclasses write down.

    Parameters
    ----------
    penalty
        Factor of the squared Euclidean norm of the coefficients, as in `ridge`.
    attributes
        Protected attributes; by default the dataset's first. What is asked for holds for each
        of several, and not for the groups that they form together.
    """

    penalty: Annotated[float, Ge(0)] = 1.0
    attributes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @abstractmethod
    def coefficients(self, problem: Problem, value: float | None, /) -> FloatArray:
        """Coefficients (d,) of scaled features."""

    def check(self, fold: Fold, training: Training, /) -> None:
        attributes_of(fold, self.attributes)

    def fit(self, trial: Trial, work: Work, /) -> Prediction:
        fold = work.fold
        problems, mean_x, mean_y = self.problems(fold)
        weights = np.column_stack([self.coefficients(one, trial.value) for one in problems])

        def predict(part: Part) -> FloatArray:
            return fold.unscale((fold.features(part) - mean_x) @ weights + mean_y)

        return Prediction(predict("validation"), predict("test"))

    def problems(self, fold: Fold, /) -> tuple[list[Problem], FloatArray, FloatArray]:
        """The problem of every target, and the means of features (d,) and of targets (t,)."""
        x, y = fold.features("train"), fold.targets("train")
        mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
        s = sensitive(fold, self.attributes)[fold.split.train]
        penalty = self.penalty / len(x)
        return (
            [Problem(x - mean_x, column, s, penalty) for column in (y - mean_y).T],
            mean_x,
            mean_y,
        )
