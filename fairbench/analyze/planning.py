"""Before a run: how large a difference a design of splits and seeds will find."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.intervals import Correction, smallest_detectable
from fairbench.analyze.overlap import split_overlap
from fairbench.fold import Split

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Design", "Spread", "designs", "rotation", "spread_of"]

SPLITS = (5, 10, 15, 20, 30)
SEEDS = (1, 2, 3, 5)


@dataclass(frozen=True, slots=True)
class Spread:
    """What differences to the baseline vary by.

    Attributes
    ----------
    split_sd
        Standard deviation over splits, if every split had very many seeds.
    seed_sd
        Standard deviation over seeds within a split; NaN where it is not known, and then all
        of the spread is in `split_sd`.
    """

    split_sd: float
    seed_sd: float

    def deviation(self, seeds: int, /) -> float:
        """Standard deviation over splits of means over `seeds`."""
        seed_sd = 0.0 if np.isnan(self.seed_sd) else self.seed_sd
        return float(np.sqrt(self.split_sd**2 + seed_sd**2 / seeds))

    def with_rows(self, factor: float, /) -> Spread:
        """The same with `factor` times as many rows: what splits vary by is noise of rows."""
        return Spread(self.split_sd / float(np.sqrt(factor)), self.seed_sd)


@dataclass(frozen=True, slots=True)
class Design:
    """A number of splits and of seeds, and the smallest difference it finds."""

    splits: int
    seeds: int
    detectable: float

    @property
    def trainings(self) -> int:
        """Trainings of each trade-off value of each method."""
        return self.splits * self.seeds


def spread_of(pairs: pd.DataFrame, /) -> Spread:
    """The spread of one method's differences, from its rows of `fairbench.analyze.paired`."""
    total = float(pairs["disparity_difference"].var(ddof=1))
    counted = float(pairs["seed_variance"].mean())  # of a mean over the seeds there are
    if np.isnan(counted):
        return Spread(float(np.sqrt(total)), float("nan"))
    single = float((pairs["seed_variance"] * pairs["seeds"]).mean())
    return Spread(float(np.sqrt(max(0.0, total - counted))), float(np.sqrt(single)))


@cache
def rotation(splits: int, folds: int, /) -> Correction:
    """What `splits` splits share where `folds` folds take turns and are dealt anew after each."""
    rng = np.random.default_rng(0)
    rows = 100 * folds
    parts = []
    for split in range(splits):
        if split % folds == 0:
            fold = np.repeat(np.arange(folds), 100)[rng.permutation(rows)]
        test, validation = split % folds, (split + 1) % folds
        held_out = (fold == test) | (fold == validation)
        named = (~held_out, fold == validation, fold == test)
        parts.append(Split(*(np.flatnonzero(part) for part in named)))
    shared = split_overlap(parts)
    return Correction(shared.ratio, shared.df, shared.distinct)


def designs(
    spread: Spread, /, *, comparisons: int = 1, folds: int = 5, power: float = 0.8
) -> list[Design]:
    """Designs by the number of trainings they take, with what each of them finds.

    Parameters
    ----------
    comparisons
        Methods times datasets that are compared with the baseline, all adjusted together.
    power
        Chance of finding a difference as large as `Design.detectable`.
    """
    found = [
        Design(
            splits,
            seeds,
            _detectable(spread.deviation(seeds), splits, folds, comparisons, power),
        )
        for splits in SPLITS
        for seeds in SEEDS
    ]
    return sorted(found, key=lambda design: (design.trainings, design.splits))


def _detectable(deviation: float, splits: int, folds: int, comparisons: int, power: float) -> float:
    shared = rotation(splits, folds)
    return smallest_detectable(
        deviation, splits, shared.ratio, df=shared.df, comparisons=comparisons, power=power
    )
