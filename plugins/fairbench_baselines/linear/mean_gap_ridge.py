"""mean-gap-ridge: ridge regression with a penalty on how the groups' mean predictions vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.method import Tradeoff
from fairbench_baselines.linear.convex import solve
from fairbench_baselines.linear.problem import Linear, Problem

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["MeanGapRidge"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True)
class MeanGapRidge(Linear):
    """Minimises MSE + λ Σ_g p_g (m_g − m̄)² + ridge, with λ = t/(1 − t).

    m_g is the mean prediction of group g and p_g its share. Of a continuous attribute s the
    penalty is cov(ŷ, s)²/Var(s), the variance of the best linear fit of predictions on s. [derived:
    the squared-gap penalty of the literature, in closed form]

    The least-squares solution has λ-fold gap shrunk by 1/(1 + λR²), with R² the share of Var(z)
    that features explain linearly.
    """

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("t", GRID, 0.0, 0.999, "high")

    def coefficients(self, problem: Problem, value: float | None, /) -> FloatArray:
        if not value:
            return problem.plain
        # What s explains of predictions Xw is the projection of Xw onto the columns of s:
        # onto group means for groups.
        basis = np.linalg.qr(problem.s)[0] if problem.s.size else problem.s
        shared = basis.T @ problem.x
        penalty = value / (1 - value) * shared.T @ shared / len(problem.x)
        return solve(problem.hessian + penalty, problem.slope)
