"""unaware-post: parity without the attribute at prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.wrap import Adjustment, PostProcessor, Rows, Sample

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["Policy", "UnawarePost", "policy"]

GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
MOST = 5000
"""Calibration rows that multipliers are learned on."""
CAP = 1e3
"""The largest multiplier: they are of the size of squared errors of standardised targets."""


@dataclass(frozen=True)
class UnawarePost(PostProcessor):
    """Draws predictions on a grid so that every group's distribution is ε-near that of all.

    Taturyan, Chzhen and Hebiri (2024) [code]: a row's chances of the levels follow from what the
    base predicts and from the guessed chances τ_g(x) of its groups, by a logistic regression on
    the features. ε bounds the Kolmogorov distance of each group to all rows [derived]; theirs
    bounds the difference of the chances of each level. It holds for groups as τ guesses them.
    Group shares are means of τ over calibration rows: others make the problem unbounded.

    Parameters
    ----------
    levels
        Levels of the grid on each side of zero.
    form
        ``threshold`` for ours, ``level`` for theirs.
    draw
        ``sample`` draws a level; ``mean`` takes the expectation, which errs less and has no
        guarantee.
    """

    levels: Annotated[int, Ge(2), Le(200)] = 15
    form: Literal["threshold", "level"] = "threshold"
    draw: Literal["sample", "mean"] = "sample"

    @property
    def own_facts(self) -> Facts:
        return Facts("predicted", "labels", randomised=self.draw == "sample")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("epsilon", GRID, 0.0, 1.0, "low")

    def learn(self, sample: Sample, value: float | None, /) -> Adjustment:
        from sklearn.linear_model import LogisticRegression

        assert value is not None
        groups = len(sample.shares)
        guess = LogisticRegression(max_iter=1000).fit(sample.train_features, sample.train_groups)

        def chances(features: FloatArray) -> FloatArray:
            tau = np.zeros((len(features), groups))
            if len(features):
                tau[:, guess.classes_] = guess.predict_proba(features)
            return tau

        centre, spread = float(sample.target.mean()), float(sample.target.std()) or 1.0
        scaled = (sample.target - centre) / spread
        reach = 1.1 * float(np.abs(np.quantile(scaled, (0.005, 0.995))).max())
        grid = np.linspace(-reach, reach, 2 * self.levels + 1)
        some = np.linspace(0, len(scaled) - 1, min(MOST, len(scaled))).astype(int)
        predicted = (sample.prediction[some] - centre) / spread
        found = policy(predicted, chances(sample.features[some]), grid, value, self.form)

        def apply(rows: Rows) -> FloatArray:
            base = (rows.prediction - centre) / spread
            probability = found.of(base, chances(rows.features))
            if self.draw == "mean":
                level = probability @ grid
            else:
                upto = probability.cumsum(axis=1)
                chosen = (upto <= rows.uniform[:, None]).sum(axis=1).clip(max=len(grid) - 1)
                level = grid[chosen]
            return np.asarray(level * spread + centre, dtype=np.float64)

        return Adjustment(apply)


@dataclass(frozen=True)
class Policy:
    """Chances of the levels of `grid` (Q,), given predictions and chances of the groups.

    Attributes
    ----------
    shares : (G,)
        Means of the chances over calibration rows.
    tilt : (G, Q)
        What a level gains of a row for each group it is unlikely to belong to.
    beta
        Inverse temperature.
    """

    grid: FloatArray
    shares: FloatArray
    tilt: FloatArray
    beta: float

    def of(self, predicted: FloatArray, chances: FloatArray, /) -> FloatArray:
        """(n, Q) for predictions (n,) and chances (n, G)."""
        gain = (1 - chances / self.shares) @ self.tilt
        return np.asarray(
            softmax(self.beta * (gain - (predicted[:, None] - self.grid) ** 2), axis=1)
        )


def policy(
    predicted: FloatArray,
    chances: FloatArray,
    grid: FloatArray,
    epsilon: float,
    form: Literal["threshold", "level"] = "threshold",
    /,
) -> Policy:
    """The policy of least squared error to `predicted`, but for its entropy, within `epsilon`.

    Its multipliers minimise a smooth convex dual, by L-BFGS-B.
    """
    beta = 3 / float(grid[1] - grid[0]) ** 2
    shares = np.maximum(chances.mean(axis=0), 1e-12)
    apart = 1 - chances / shares
    loss = (predicted[:, None] - grid) ** 2
    groups, size = chances.shape[1], len(grid)
    if epsilon >= 1:
        return Policy(grid, shares, np.zeros((groups, size)), beta)

    def tilted(d: FloatArray) -> FloatArray:
        if form == "level":
            return d
        return np.asarray(d[:, ::-1].cumsum(axis=1)[:, ::-1])

    def dual(both: FloatArray) -> tuple[float, FloatArray]:
        up, down = both.reshape(2, groups, size)
        scores = beta * (apart @ tilted(up - down) - loss)
        value = logsumexp(scores, axis=1).mean() / beta + epsilon * both.sum()
        slope = apart.T @ softmax(scores, axis=1) / len(loss)
        if form == "threshold":
            slope = slope.cumsum(axis=1)
        return float(value), np.concatenate([(slope + epsilon).ravel(), (epsilon - slope).ravel()])

    found = minimize(
        dual,
        np.zeros(2 * groups * size),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, CAP)] * (2 * groups * size),
        options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-12, "gtol": 1e-7},
    )
    up, down = found.x.reshape(2, groups, size)
    return Policy(grid, shares, tilted(up - down), beta)
