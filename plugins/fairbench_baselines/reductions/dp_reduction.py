"""dp-reduction: demographic parity by a sequence of regressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.optimize import linprog

from fairbench.errors import DataError
from fairbench.facts import Facts
from fairbench.fold import Split
from fairbench.method import Method, Prediction, Tradeoff, Trained, Trial, Work, attempted
from fairbench.seeds import derive
from fairbench.wrap import Wrapper, attributes_of, grouping, uniforms

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = ["DPReduction", "Reduction", "best_mixture", "costs"]

GRID = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
DEAR = 100.0
"""Price of exceeding ε in the mixture, beside squared errors of targets in [0, 1]."""


@dataclass(frozen=True)
class DPReduction(Wrapper):
    """|P(ŷ ≥ θ | g) − P(ŷ ≥ θ)| ≤ ε for all groups and thresholds, by exponentiated gradient.

    Agarwal, Dudík and Wu (2019), Algorithm 1 [code]: targets in [0, 1], `levels` levels, and a
    multiplier for each group and threshold between them. Every round the base is fitted to the
    cheapest level of each row under the multipliers, which rise where the bound is broken. A
    linear programme then mixes the models found; a row's prediction is that of one drawn by the
    mixture. The rounds begin with the base itself, and end there where it meets the bound.

    Least squares need not pick the cheapest levels, so that the bound is not guaranteed:
    ``disparity`` records what the mixture reaches on training rows.

    Parameters
    ----------
    attributes
        Protected attributes that form the groups; by default the dataset's first.
    levels
        Levels of predictions.
    rounds
        Models fitted at most.
    bound
        Largest sum of multipliers. They are of the size of squared errors of targets in [0, 1].
    step
        Step size of the multipliers' logarithms.
    draw
        ``sample`` draws a model per row; ``mean`` averages them, which errs less and has no
        guarantee.
    """

    attributes: tuple[str, ...] = ()
    levels: Annotated[int, Ge(2), Le(1000)] = 40
    rounds: Annotated[int, Ge(1)] = 100
    bound: Annotated[float, Gt(0)] = 1.0
    step: Annotated[float, Gt(0)] = 1.0
    draw: Literal["sample", "mean"] = "sample"

    @property
    def own_facts(self) -> Facts:
        return Facts("no", "labels", randomised=self.draw == "sample")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("epsilon", GRID, 0.0, 1.0, "low")

    def check(self, fold: Fold, training: Training, /) -> None:
        super().check(fold, training)
        attributes_of(fold, self.attributes)

    def train(self, work: Work, /) -> Trained:
        base, steps, notes = self.built(), [0], list[str]()
        found = grouping(work.fold, self.attributes)
        groups = found.of(work.fold.split.train)

        def fit(trial: Trial) -> Prediction:
            columns = [
                self._column(base, trial, work, groups, target, steps, notes)
                for target in range(work.fold.dataset.targets.shape[1])
            ]
            whole = np.stack([column for column, _ in columns], axis=1)
            split = work.fold.split
            cut = len(split.validation)
            record = {
                f"{name}{target or ''}": np.array([number])
                for target, (_, told) in enumerate(columns)
                for name, number in told.items()
            }
            return Prediction(whole[:cut], whole[cut:], record)

        predictions = [attempted(work.fold, partial(fit, trial)) for trial in work.trials]
        return Trained(predictions, steps[0], [*dict.fromkeys(notes), *found.notes])

    def _column(
        self,
        base: Method,
        trial: Trial,
        work: Work,
        groups: IntArray,
        target: int,
        steps: list[int],
        notes: list[str],
    ) -> tuple[FloatArray, dict[str, float]]:
        """Predictions (validation + test,) of one target, and what is recorded of them."""
        assert trial.value is not None
        fold, split = work.fold, work.fold.split
        own = fold.dataset.targets[:, target]
        low, high = float(own[split.train].min()), float(own[split.train].max())
        span = (high - low) or 1.0
        (inner,) = self.base_trials(base, [trial])
        rows = np.union1d(split.train, split.test)
        on_train, on_test = (np.searchsorted(rows, part) for part in (split.train, split.test))

        def learn(levels: FloatArray) -> tuple[FloatArray, FloatArray]:
            """Fit the base to `levels` in [0, 1]; its predictions of training, and other rows."""
            targets = fold.dataset.targets.copy()
            targets[split.train, target] = low + span * levels
            bent = replace(
                fold,
                dataset=replace(fold.dataset, targets=targets),
                split=Split(split.train, split.validation, rows),
            )
            trained = base.train(replace(work, trials=[inner], fold=bent))
            steps[0] += trained.model_steps
            notes.extend(trained.notes)
            (found,) = trained.predictions
            if found.status != "ok":
                raise DataError(f"a round of {self.base!r} {found.status}: {found.note[-300:]}")
            held_out = np.concatenate([found.validation[:, target], found.test[on_test, target]])
            return (found.test[on_train, target] - low) / span, (held_out - low) / span

        scaled = (own[split.train] - low) / span
        reduction = Reduction(self.levels, self.rounds, self.bound, self.step)
        mixture, others, told = reduction.solve(scaled, groups, learn, trial.value)
        values = low + span * others
        if self.draw == "mean":
            return np.asarray(mixture @ values, dtype=np.float64), told
        seed = derive(work.entropy, "draw", trial.dataset, trial.split, trial.seed, target)
        drawn = uniforms(seed, np.concatenate([split.validation, split.test]))
        upto = mixture.cumsum()
        chosen = np.searchsorted(upto, drawn, side="right").clip(max=len(mixture) - 1)
        return values[chosen, np.arange(values.shape[1])], told


@dataclass(frozen=True)
class Reduction:
    """The game between the base and the multipliers, for targets in [0, 1]."""

    levels: int
    rounds: int
    bound: float
    step: float

    def level(self, predicted: FloatArray, /) -> IntArray:
        """Which level a prediction is rounded to."""
        return np.clip(np.floor(predicted * self.levels), 0, self.levels - 1).astype(np.int64)

    def solve(
        self,
        y: FloatArray,
        groups: IntArray,
        learn: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
        epsilon: float,
        /,
    ) -> tuple[FloatArray, FloatArray, dict[str, float]]:
        """Weights (T,) of the models, their rounded predictions (T, m) of other rows, a record."""
        shares = np.bincount(groups) / len(groups)
        theta = np.zeros((2, len(shares), self.levels - 1))
        errors, gaps, others = [], [], []
        target = y
        for _ in range(self.rounds):
            fitted, held_out = learn(target)
            level = self.level(fitted)
            errors.append(float(np.mean(((level + 0.5) / self.levels - y) ** 2)))
            gaps.append(_gaps(level, groups, shares, self.levels))
            others.append((self.level(held_out) + 0.5) / self.levels)
            if len(gaps) == 1 and np.abs(gaps[0]).max() <= epsilon:
                break
            theta += self.step * np.stack([gaps[-1] - epsilon, -gaps[-1] - epsilon])
            grown = np.exp(theta - max(float(theta.max()), 0.0))
            rest = np.exp(-max(float(theta.max()), 0.0))
            multipliers = self.bound * grown / (rest + grown.sum())
            priced = costs(y, groups, shares, multipliers[0] - multipliers[1], self.levels)
            upto = np.concatenate([np.zeros((len(y), 1)), priced.cumsum(axis=1)], axis=1)
            target = (upto.argmin(axis=1) + 0.5) / self.levels
        mixture, slack = best_mixture(np.array(errors), np.stack(gaps), epsilon)
        reached = float(np.abs(np.tensordot(mixture, np.stack(gaps), 1)).max())
        told = {"disparity": reached, "slack": slack, "rounds": float(len(errors))}
        return mixture, np.stack(others), told


def costs(
    y: FloatArray, groups: IntArray, shares: FloatArray, multipliers: FloatArray, levels: int, /
) -> FloatArray:
    """What it costs each row (n,) to be predicted above each threshold, (n, levels − 1).

    Squared error rises by 4α(θ − y) with α half of a level's width; `multipliers` (G, levels − 1)
    of the groups' disparities, divided by the groups' `shares`, are added.
    """
    thresholds = np.arange(1, levels) / levels
    error = 2 / levels * (thresholds - y[:, None])
    fairness = multipliers / shares[:, None] - multipliers.sum(axis=0)
    return np.asarray(error + fairness[groups], dtype=np.float64)


def _gaps(level: IntArray, groups: IntArray, shares: FloatArray, levels: int) -> FloatArray:
    """P(ŷ ≥ θ | g) − P(ŷ ≥ θ), (G, levels − 1)."""
    counts = np.zeros((len(shares), levels))
    np.add.at(counts, (groups, level), 1)
    above = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    sizes = counts.sum(axis=1)
    by_group = above / np.maximum(sizes, 1)[:, None]
    return np.asarray(by_group - above.sum(axis=0) / sizes.sum(), dtype=np.float64)


def best_mixture(
    errors: FloatArray, gaps: FloatArray, epsilon: float, /
) -> tuple[FloatArray, float]:
    """Weights (T,) of least error whose mean gaps (T, …) are at most ε, and by how much not."""
    flat = gaps.reshape(len(gaps), -1).T
    one = np.ones((len(flat), 1))
    found = linprog(
        np.append(errors, DEAR),
        A_ub=np.vstack([np.hstack([flat, -one]), np.hstack([-flat, -one])]),
        b_ub=np.full(2 * len(flat), epsilon),
        A_eq=np.append(np.ones(len(errors)), 0.0)[None],
        b_eq=np.ones(1),
        bounds=(0, None),
    )
    if found.x is None:
        raise DataError(f"the linear programme failed: {found.message}", where="dp-reduction")
    weights = np.clip(found.x[:-1], 0, None)
    return np.asarray(weights / weights.sum(), dtype=np.float64), float(found.x[-1])
