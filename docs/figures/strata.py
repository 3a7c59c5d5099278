"""How finely the target may be stratified: reproduces the figures on it in docs/statistics.md.

Rows are dealt into five folds within strata of the target; least squares and the mean of the
training targets are scored on each fold in turn. ``python docs/figures/strata.py`` takes a minute
on one core and prints, in Markdown, how often 95 % intervals hold the population's RMSE.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fairbench.analyze import corrected_interval, split_overlap
from fairbench.fold import Split

Floats = NDArray[np.float64]

ROWS, FOLDS, DATASETS = 300, 5, 2000


def dealt(y: Floats, strata: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of every row: `strata` equal parts by target, each dealt at random."""
    fold = np.empty(len(y), dtype=np.int64)
    for part in np.array_split(np.argsort(y), strata):
        fold[rng.permutation(part)] = np.arange(len(part)) % FOLDS
    return fold


def scores(strata: int, rng: np.random.Generator) -> tuple[Floats, Floats, list[Split]]:
    """RMSE (2, folds) of least squares and of the mean, on test rows and in the population."""
    x = rng.normal(size=(ROWS, 5))
    y = x.sum(axis=1) + np.sqrt(5) * rng.normal(size=ROWS)
    fold = dealt(y, strata, rng)
    measured, true, splits = np.empty((2, FOLDS)), np.empty((2, FOLDS)), []
    for turn in range(FOLDS):
        test, validation = fold == turn, fold == (turn + 1) % FOLDS
        train = ~(test | validation)
        parts = (train, validation, test)
        splits.append(Split(*(np.flatnonzero(part) for part in parts)))
        beta = np.linalg.lstsq(x[train], y[train])[0]
        mean = y[train].mean()
        for row, predicted in enumerate((x[test] @ beta, mean)):
            measured[row, turn] = np.sqrt(np.square(y[test] - predicted).mean())
        true[:, turn] = np.sqrt([5 + np.square(beta - 1).sum(), 10 + mean**2])
    return measured, true, splits


if __name__ == "__main__":
    print("| strata | least squares | mean of the targets |\n|---|---|---|")
    for strata in (1, 2, 5, ROWS // FOLDS):
        found = [scores(strata, np.random.default_rng([number, 3])) for number in range(DATASETS)]
        truth = np.array([true for _, true, _ in found]).mean(axis=(0, 2))
        overlap = split_overlap(found[0][2])
        cells = []
        for row in (0, 1):
            intervals = [
                corrected_interval(measured[row], overlap.ratio, df=overlap.df)
                for measured, _, _ in found
            ]
            cells.append(np.mean([each.low <= truth[row] <= each.high for each in intervals]))
        print(f"| {strata} | {cells[0]:.1%} | {cells[1]:.1%} |", flush=True)
