"""Post-processing: predictions of any method, adjusted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.facts import Facts
from fairbench.method import Prediction, Trained, Trial, Work, attempted
from fairbench.seeds import derive
from fairbench.wrap.calibration import Calibrated, Source, calibrate
from fairbench.wrap.draws import uniforms
from fairbench.wrap.groups import Grouping, attributes_of, grouping
from fairbench.wrap.wrapper import Wrapper

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = ["Adjustment", "PostProcessor", "Rows", "Sample"]


@dataclass(frozen=True)
class Rows:
    """Rows whose predictions are to be adjusted.

    Attributes
    ----------
    prediction : (n,)
        What the base predicts of one target, in the target's units.
    groups : (n,) int
        From 0, as `Sample.shares` counts them.
    level : (n,) or None
        The attribute in training standard deviations from its training mean, where it is a
        single continuous one.
    features : (n, d)
        As ``fold.features`` gives them.
    uniform : (n,)
        Numbers in [0, 1) that depend on the seed and the row, for rules that draw.
    """

    prediction: FloatArray
    groups: IntArray
    level: FloatArray | None
    features: FloatArray
    uniform: FloatArray


@dataclass(frozen=True)
class Sample(Rows):
    """Calibration rows, which a rule is learned from.

    Attributes
    ----------
    target : (n,)
        What was to be predicted.
    shares : (G,)
        Training shares of the groups.
    train_features : (m, d), train_groups : (m,)
        All training rows, for rules that guess the group.
    """

    target: FloatArray
    shares: FloatArray
    train_features: FloatArray
    train_groups: IntArray


@dataclass(frozen=True)
class Adjustment:
    """A rule that was learned: a function of each row by itself.

    `record` holds what a reader of the run should know of it: a slack, a reached bound.
    """

    apply: Callable[[Rows], FloatArray]
    record: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PostProcessor(Wrapper):
    """Adjusts predictions of its base by a rule learned on calibration rows.

    Subclasses write `learn`. The base is trained once for a whole sweep.

    Parameters
    ----------
    attributes
        Protected attributes that form the groups; by default the dataset's first.
    calibration
        Predictions that the rule is learned on: ``holdout`` keeps a fifth of the training rows
        from the base, ``cross`` predicts every fifth by a base trained without it (six
        trainings), ``train`` takes those of training rows themselves, fit only for a base that
        does not overfit. ``auto`` is ``holdout`` for networks and otherwise ``cross``.
    """

    attributes: tuple[str, ...] = ()
    calibration: Literal["auto", "cross", "holdout", "train"] = "auto"

    @property
    def own_facts(self) -> Facts:
        return Facts("yes", "labels")

    @abstractmethod
    def learn(self, sample: Sample, value: float | None, /) -> Adjustment:
        """The rule for one target at one trade-off value."""

    def check(self, fold: Fold, training: Training, /) -> None:
        super().check(fold, training)
        attributes_of(fold, self.attributes)

    def train(self, work: Work, /) -> Trained:
        base = self.built()
        trials = self.base_trials(base, work.trials)
        source: Source = "holdout" if self.trains_networks(base) else "cross"
        if self.calibration != "auto":
            source = self.calibration
        calibrated, steps, notes = calibrate(base, trials, work, source)
        by_seed = {trial.seed: one for trial, one in zip(trials, calibrated, strict=True)}
        groups = grouping(work.fold, self.attributes)
        predictions = [
            attempted(
                work.fold,
                partial(self._adjusted, trial, by_seed[trial.seed], groups, work),
            )
            for trial in work.trials
        ]
        return Trained(predictions, steps, [*notes, *groups.notes])

    def _adjusted(
        self, trial: Trial, found: Calibrated, groups: Grouping, work: Work
    ) -> Prediction:
        if found.held_out.status != "ok":
            return replace(found.held_out, record={})
        split, dataset = work.fold.split, work.fold.dataset
        validation, test = np.empty_like(found.held_out.validation), found.held_out.test.copy()
        record: dict[str, FloatArray] = {"calibration_rows": np.array([float(len(found.rows))])}
        for target in range(test.shape[1]):
            seed = derive(work.entropy, "draw", trial.dataset, trial.split, trial.seed, target)

            def rows_of(
                rows: IntArray, predicted: FloatArray, target: int = target, seed: int = seed
            ) -> Rows:
                return Rows(
                    predicted[:, target],
                    groups.of(rows),
                    self._level(work.fold, rows),
                    work.fold.features_of(rows),
                    uniforms(seed, rows),
                )

            train = split.train
            sample = Sample(
                **vars(rows_of(found.rows, found.calibration)),
                target=dataset.targets[found.rows, target],
                shares=groups.shares,
                train_features=work.fold.features("train"),
                train_groups=groups.of(train),
            )
            rule = self.learn(sample, trial.value)
            record |= {
                f"{name}{target or ''}": np.array([float(number)])
                for name, number in rule.record.items()
            }
            validation[:, target] = rule.apply(rows_of(split.validation, found.held_out.validation))
            test[:, target] = rule.apply(rows_of(split.test, found.held_out.test))
        return Prediction(validation, test, record)

    def _level(self, fold: Fold, rows: IntArray) -> FloatArray | None:
        attributes = attributes_of(fold, self.attributes)
        if len(attributes) > 1 or attributes[0].kind != "continuous":
            return None
        train = attributes[0].values[fold.split.train]
        level: FloatArray = (attributes[0].values[rows] - train.mean()) / (train.std() or 1.0)
        return level
