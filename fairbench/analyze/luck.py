"""While a run trains: whether the luck of training hides a complete removal of the disparity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.intervals import smallest_detectable
from fairbench.analyze.noise import seed_deviation
from fairbench.analyze.overlap import split_overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.analyze.axes import Best
    from fairbench.dataset import Dataset
    from fairbench.fold import Split
    from fairbench.method import Trained, Trial
    from fairbench.plugins import Component

__all__ = ["Luck"]


@dataclass
class Luck:
    """What the baseline's own trainings say of what a study can find, as they come in.

    Linear models, by which `fairbench.analyze.hopeless` goes, have no luck: a network that starts
    from other weights has. Seeds of one split tell it, so that two of them are needed.

    Parameters
    ----------
    baseline
        Label of the method that others are held against.
    views
        Target and protected attribute by dataset, without those of which all is said.
    metric
        The disparity metric.
    seeds, comparisons
        Seeds per split, and how many comparisons are adjusted together.
    """

    baseline: str
    datasets: Mapping[str, Dataset]
    splits: Mapping[str, Sequence[Split]]
    views: Mapping[str, tuple[str, str]]
    metric: Component
    seeds: int
    comparisons: int
    _losses: dict[str, dict[tuple[int, int], float]] = field(default_factory=dict)

    def learned(self, trials: Sequence[Trial], trained: Trained, /) -> list[str]:
        """A sentence once all of the baseline's trainings on a dataset are in, if one is due."""
        first = trials[0]
        if self.seeds < 2 or first.method != self.baseline or first.dataset not in self.views:
            return []
        losses = self._losses.setdefault(first.dataset, {})
        for trial, loss in zip(trials, self._measured(first, trained), strict=True):
            losses.setdefault((trial.split, trial.seed), loss)
        if len(losses) < len(self.splits[first.dataset]) * self.seeds:
            return []
        return self._told(first.dataset, losses)

    def _measured(self, first: Trial, trained: Trained) -> Sequence[float]:
        """Test losses of the trials of a chunk."""
        data, split = self.datasets[first.dataset], self.splits[first.dataset][first.split]
        target, protected = self.views[first.dataset]
        column = data.target_names.index(target)
        attribute = next(a for a in data.protected if a.name == protected)
        predictions = np.stack([one.test[:, column] for one in trained.predictions])
        truth = data.targets[split.test, column]
        values, _ = evaluate(predictions, truth, attribute.rows(split.test), [self.metric])
        best: Best = getattr(self.metric.description, "best", "low")
        found: list[float] = as_loss(values[self.metric.description.name], best).tolist()
        return found

    def _told(self, dataset: str, losses: Mapping[tuple[int, int], float]) -> list[str]:
        values = np.array(list(losses.values()))
        places = np.array([split for split, _ in losses], dtype=np.float64)
        # Method and baseline each have luck of their own.
        deviation = seed_deviation(values, places) * float(np.sqrt(2 / self.seeds))
        shared = split_overlap(self.splits[dataset])
        size = smallest_detectable(
            deviation, shared.splits, shared.ratio, df=shared.df, comparisons=self.comparisons
        )
        disparity = float(values.mean())
        if not size > disparity:
            return []
        return [
            f"on {dataset} this study would usually miss even a complete removal of the "
            f"{self.metric.description.name}: by the luck of its seeds alone, {self.baseline} "
            f"differs from itself so much that differences below {size:.3g} are missed, and its "
            f"disparity is {disparity:.3g}; `fairbench plan` says what more splits or seeds would "
            "find"
        ]
