"""multi-task-fair-linear: groups as tasks of one convex linear problem."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from fairbench.facts import Facts
from fairbench.method import Prediction, Sweep, Tradeoff, Trial, Work
from fairbench.seeds import initial_seed
from fairbench.wrap import attributes_of, grouping, target_bins
from fairbench_baselines.linear.convex import definite, minimum, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold, Part
    from fairbench.training import Training

__all__ = ["MultiTaskFair", "solved"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class _Membership:
    """The groups that rows are trained and predicted by; None where the shared model predicts."""

    count: int
    train: IntArray
    validation: IntArray | None
    test: IntArray | None
    accuracy: float | None = None


@dataclass(frozen=True)
class MultiTaskFair(Sweep):
    """Group models w₀ + v_g that share w₀, their mean predictions constrained to be equal.

    Minimises θ·L(w₀) + (1 − θ)·mean_g L_g(w₀ + v_g) + ρ(λ‖w₀‖² + (1 − λ)·mean_g‖v_g‖²) with the
    groups' mean predictions, within every bin of the target, at most ε times as far apart as
    they are without a constraint. Oneto et al. (2019) [paper], carried to regression: bins of
    the target stand where they have classes [derived]. Intercepts are penalised like any other
    coefficient.

    Parameters
    ----------
    attribute
        Which group's model predicts a row: that of its ``true`` group; of the ``predicted``
        one, which a random forest guesses from the features and which then also takes the true
        group's place in training, guessed out of bag; or ``shared``, w₀ alone.
    bins
        Bins of the target within which means are equal; 1 asks for equal means overall.
    theta, lam, rho
        θ, λ and ρ above.
    trees
        Of the random forest; with fewer than 30 some rows would be in the sample of every tree.
    attributes
        Protected attributes that form the groups; by default the dataset's first.
    """

    attribute: Literal["predicted", "true", "shared"] = "predicted"
    bins: Annotated[int, Ge(1)] = 1
    theta: Annotated[float, Ge(0), Le(1)] = 0.5
    lam: Annotated[float, Ge(0), Le(1)] = 0.5
    rho: Annotated[float, Gt(0)] = 0.01
    trees: Annotated[int, Ge(30)] = 100
    attributes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        match self.attribute:
            case "true":
                return Facts("yes", "labels")
            case "predicted":
                return Facts("predicted", "labels")
            case _:
                return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("epsilon", GRID, 0.0, 1.0, "low")

    def check(self, fold: Fold, training: Training, /) -> None:
        attributes_of(fold, self.attributes)

    def notes(self, work: Work, /) -> Sequence[str]:
        return grouping(work.fold, self.attributes).notes

    def begin(self, trial: Trial, work: Work, /) -> _Membership:
        fold = work.fold
        found = grouping(fold, self.attributes)
        rows = fold.split.train, fold.split.validation, fold.split.test
        count, true = len(found.labels), found.of(rows[0])
        match self.attribute:
            case "shared":
                return _Membership(count, true, None, None)
            case "true":
                return _Membership(count, true, found.of(rows[1]), found.of(rows[2]))
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.trees,
            oob_score=True,
            min_samples_leaf=2,
            random_state=initial_seed(work.entropy, trial) % 2**32,
        ).fit(fold.features("train"), true)
        guessed = forest.classes_[np.nan_to_num(forest.oob_decision_function_).argmax(axis=1)]

        def guess(part: Part) -> IntArray:
            x = fold.features(part)
            return np.asarray(forest.predict(x) if len(x) else np.zeros(0), dtype=np.int64)

        accuracy = float(np.mean(guessed == true))
        return _Membership(count, guessed, guess("validation"), guess("test"), accuracy)

    def finish(self, begun: _Membership, trial: Trial, work: Work, /) -> Prediction:
        fold, y = work.fold, work.fold.targets("train")
        x = _with_one(fold.features("train"))
        models = [self._models(x, column, begun.train, begun.count, trial.value) for column in y.T]

        def predict(part: Part, groups: IntArray | None) -> FloatArray:
            here = _with_one(fold.features(part))
            if groups is None:
                columns = [here @ w[0] for w in models]
            else:
                columns = [((w[0] + w[1:])[groups] * here).sum(axis=1) for w in models]
            return fold.unscale(np.column_stack(columns))

        record = {}
        if begun.accuracy is not None:
            record["group_accuracy"] = np.array([begun.accuracy])
        return Prediction(
            predict("validation", begun.validation), predict("test", begun.test), record
        )

    def _models(
        self, x: FloatArray, y: FloatArray, groups: IntArray, count: int, value: float | None
    ) -> FloatArray:
        assert value is not None
        edges = target_bins(y, groups, self.bins)
        bins = np.searchsorted(edges, y, side="right")
        return solved(
            x, y, groups, count, bins, value, theta=self.theta, lam=self.lam, rho=self.rho
        )


def solved(
    x: FloatArray,
    y: FloatArray,
    groups: IntArray,
    count: int,
    bins: IntArray,
    share: float,
    /,
    *,
    theta: float,
    lam: float,
    rho: float,
    slack: float | None = None,
) -> FloatArray:
    """w₀ and every v_g as rows (G + 1, d) for features `x` (n, d) and groups from 0 to `count` − 1.

    The gaps may be `share` of those without constraint, or `slack` where that is given. A group
    without a row has v_g = 0.
    """
    n, d = x.shape
    hessian, slope = np.zeros((count + 1, d, count + 1, d)), np.zeros((count + 1, d))
    hessian[0, :, 0, :] += theta * x.T @ x / n + rho * lam * np.eye(d)
    slope[0] += theta * x.T @ y / n
    for g in range(count):
        inside = x[groups == g]
        weight = (1 - theta) / count / max(len(inside), 1)
        for one in (0, g + 1):
            slope[one] += weight * inside.T @ y[groups == g]
            for other in (0, g + 1):
                hessian[one, :, other, :] += weight * inside.T @ inside
        hessian[g + 1, :, g + 1, :] += rho * (1 - lam) / count * np.eye(d)
    size = (count + 1) * d
    matrix = definite(hessian.reshape(size, size))
    rows = []
    for b in np.unique(bins):
        cells = [x[(groups == g) & (bins == b)] for g in range(count)]
        for g, h in combinations(range(count), 2):
            if len(cells[g]) and len(cells[h]):
                row = np.zeros((count + 1, d))
                means = cells[g].mean(axis=0), cells[h].mean(axis=0)
                row[0], row[g + 1], row[h + 1] = means[0] - means[1], means[0], -means[1]
                rows.append(row.ravel())
    plain = solve(matrix, slope.ravel())
    if share >= 1 or not rows:
        return plain.reshape(count + 1, d)
    stacked = np.stack(rows)
    gap = share * np.abs(stacked @ plain) if slack is None else np.full(len(stacked), slack)
    return minimum(matrix, slope.ravel(), stacked, -gap, gap).reshape(count + 1, d)


def _with_one(x: FloatArray) -> FloatArray:
    return np.column_stack([x, np.ones(len(x))])
