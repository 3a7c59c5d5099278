"""Linear models of the attribute, and of what features hold beside it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.facts import Facts
from fairbench.method import Prediction, Tradeoff, Trial, Work
from fairbench.wrap import sensitive
from fairbench_baselines.linear.convex import least_squares
from fairbench_baselines.linear.problem import Linear, Problem

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.fold import Part

__all__ = ["Decomposed", "Parts"]

GRID = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Parts:
    """The two regressions that predictions Sα + Ûβ begin from, on training rows.

    Attributes
    ----------
    s : (n, k), u : (n, d)
        The attribute, and the residuals Û of features on it.
    y : (n,)
        The target, centred.
    alpha : (k,), beta : (d,)
        Least squares of y on S, and ridge of y on Û.
    """

    s: FloatArray
    u: FloatArray
    y: FloatArray
    alpha: FloatArray
    beta: FloatArray

    @property
    def variances(self) -> tuple[float, float]:
        """Var(Sα) and Var(Ûβ)."""
        return float(np.var(self.s @ self.alpha)), float(np.var(self.u @ self.beta))

    def factor(self, share: float, /) -> float:
        """K with Var(Sαk) the `share` of all variance of Sαk + Ûβ, or infinite."""
        of_s, of_u = self.variances
        if share >= 1 or of_s == 0:
            return np.inf
        return float(np.sqrt(share * of_u / ((1 - share) * of_s)))


@dataclass(frozen=True)
class Decomposed(Linear):
    """ŷ = Sα + Ûβ, the attribute's part and one that is uncorrelated with it on training rows.

    Unfairness is Var(Sα)/(Var(Sα) + Var(Ûβ)), and at most the trade-off value r.
    """

    @property
    def facts(self) -> Facts:
        return Facts("yes", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("r", GRID, 0.0, 1.0, "low")

    @abstractmethod
    def shrunk(self, parts: Parts, share: float, /) -> tuple[FloatArray, FloatArray]:
        """α (k,) and β (d,) for r < 1."""

    def coefficients(self, problem: Problem, value: float | None, /) -> FloatArray:
        """α and β one after the other, (k + d,)."""
        assert value is not None
        onto = least_squares(problem.s, problem.x)
        u = problem.x - problem.s @ onto
        alpha = least_squares(problem.s, problem.y)
        own = Problem(u, problem.y, problem.s, problem.penalty)
        parts = Parts(problem.s, u, problem.y, alpha, own.plain)
        pair = (parts.alpha, parts.beta) if value >= 1 else self.shrunk(parts, value)
        return np.concatenate([*pair, onto.ravel()])

    def fit(self, trial: Trial, work: Work, /) -> Prediction:
        fold = work.fold
        problems, mean_x, mean_y = self.problems(fold)
        s = sensitive(fold, self.attributes)
        k, d = s.shape[1], len(mean_x)
        found = [self.coefficients(one, trial.value) for one in problems]

        def predict(part: Part) -> FloatArray:
            here, x = s[fold.split[part]], fold.features(part) - mean_x
            columns = [
                here @ w[:k] + (x - here @ w[k + d :].reshape(k, d)) @ w[k : k + d] for w in found
            ]
            return fold.unscale(np.column_stack(columns) + mean_y)

        return Prediction(predict("validation"), predict("test"))
