"""equal-means: ridge regression under constraints on the groups' mean predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.method import Tradeoff
from fairbench_baselines.linear.convex import minimum
from fairbench_baselines.linear.problem import Linear, Problem

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["EqualMeans"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STRATA = 5


@dataclass(frozen=True)
class EqualMeans(Linear):
    """Ridge regression with equal mean predictions, up to ε of what ridge leaves unequal.

    Calders et al. (2013), Section 4, for least squares [paper]; several groups, a continuous
    attribute (no covariance with it) and the relaxation by ε are ours [derived]: every
    covariance of predictions with a column of the attribute is at most ε times that of ridge.

    Parameters
    ----------
    given
        ``nothing``: equal means. ``propensity``: equal means within each of five strata of the
        chance of belonging to the group, as a logistic regression on the features guesses it, so
        that differences which features explain remain. ``residuals``: equal mean errors, which
        is fairness of accuracy and leaves the means where the targets have them.
    """

    given: Literal["nothing", "propensity", "residuals"] = "nothing"

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("epsilon", GRID, 0.0, 1.0, "low")

    def coefficients(self, problem: Problem, value: float | None, /) -> FloatArray:
        assert value is not None
        if value >= 1:
            return problem.plain
        columns = _stratified(problem) if self.given == "propensity" else problem.s
        rows = columns.T @ problem.x / len(problem.x)
        goal = np.zeros(len(rows))
        if self.given == "residuals":
            goal = columns.T @ problem.y / len(problem.y)
        gap = value * np.abs(rows @ problem.plain - goal)
        return minimum(problem.hessian, problem.slope, rows, goal - gap, goal + gap)


def _stratified(problem: Problem) -> FloatArray:
    """Columns of the attribute, one for each of its columns and strata, centred in each stratum.

    A stratum counts where both sides of it have a row; of a continuous attribute it is whether a
    row lies above the mean.
    """
    from sklearn.linear_model import LogisticRegression

    found = []
    for column in problem.s.T:
        inside = column > 0
        model = LogisticRegression(max_iter=1000).fit(problem.x, inside)
        chance = model.predict_proba(problem.x)[:, 1]
        edges = np.quantile(chance, np.arange(1, STRATA) / STRATA)
        stratum = np.searchsorted(edges, chance, side="right")
        for number in range(STRATA):
            here = stratum == number
            if 0 < inside[here].sum() < here.sum():
                found.append(np.where(here, inside - inside[here].mean(), 0.0))
    return np.column_stack(found) if found else np.zeros((len(problem.x), 0))
