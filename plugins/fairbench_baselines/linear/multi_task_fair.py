"""multi-task-fair-linear: groups as tasks of one convex linear problem."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from fairbench.method import Facts, Method, Prediction, Tradeoff, Trained, Trial, Work, attempted
from fairbench.seeds import initial_seed
from fairbench.wrap import Grouping, attributes_of, grouping, target_bins
from fairbench_baselines.linear.convex import definite, minimum, solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold, Part
    from fairbench.training import Training

__all__ = ["MultiTaskFair", "solved"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class _Guesser:
    """Groups (n,) of training rows, guessed out of bag, and what guesses those of others."""

    train: IntArray
    guess: Callable[[FloatArray], IntArray]


@dataclass(frozen=True)
class MultiTaskFair(Method):
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
        Of the random forest.
    attributes
        Protected attributes that form the groups; by default the dataset's first.
    """

    attribute: Literal["predicted", "true", "shared"] = "predicted"
    bins: Annotated[int, Ge(1)] = 1
    theta: Annotated[float, Ge(0), Le(1)] = 0.5
    lam: Annotated[float, Ge(0), Le(1)] = 0.5
    rho: Annotated[float, Gt(0)] = 0.01
    trees: Annotated[int, Ge(1)] = 200
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

    def train(self, work: Work, /) -> Trained:
        found = grouping(work.fold, self.attributes)
        guessers: dict[int, _Guesser] = {}

        def fit(trial: Trial) -> Prediction:
            if self.attribute == "predicted" and trial.seed not in guessers:
                seed = initial_seed(work.entropy, trial) % 2**32
                guessers[trial.seed] = self._guesser(work.fold, found, seed)
            return self._fitted(trial, work.fold, found, guessers.get(trial.seed))

        predictions = [
            attempted(work.fold, lambda trial=trial: fit(trial))  # type: ignore[misc]
            for trial in work.trials
        ]
        return Trained(predictions, notes=found.notes)

    def _fitted(
        self, trial: Trial, fold: Fold, found: Grouping, guesser: _Guesser | None
    ) -> Prediction:
        train = found.of(fold.split.train)
        record = {}
        if guesser is not None:
            record["group_accuracy"] = np.array([float(np.mean(guesser.train == train))])
            train = guesser.train
        y, groups = fold.targets("train"), len(found.labels)
        x = _with_one(fold.features("train"))
        models = [self._models(x, column, train, groups, trial.value) for column in y.T]

        def predict(part: Part) -> FloatArray:
            here = _with_one(fold.features(part))
            if self.attribute == "shared":
                columns = [here @ w[0] for w in models]
            else:
                rows = fold.split[part]
                of = found.of(rows) if guesser is None else guesser.guess(here[:, :-1])
                columns = [((w[0] + w[1:])[of] * here).sum(axis=1) for w in models]
            return fold.unscale(np.column_stack(columns))

        return Prediction(predict("validation"), predict("test"), record)

    def _guesser(self, fold: Fold, found: Grouping, seed: int) -> _Guesser:
        from sklearn.ensemble import RandomForestClassifier

        groups = found.of(fold.split.train)
        forest = RandomForestClassifier(
            self.trees, oob_score=True, min_samples_leaf=2, random_state=seed
        ).fit(fold.features("train"), groups)
        votes = np.nan_to_num(forest.oob_decision_function_)
        return _Guesser(
            forest.classes_[votes.argmax(axis=1)],
            lambda x: forest.predict(x) if len(x) else np.zeros(0, dtype=np.int64),
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
