"""Is the baseline worth comparing with? Its error against that of predicting the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.intervals import below_zero
from fairbench.analyze.rules import FEWEST_SPLITS, LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.analyze.intervals import Correction
    from fairbench.dataset import FloatArray
    from fairbench.plugins import Component
    from fairbench.store import Rows

__all__ = ["SKILL_COLUMNS", "baseline_skill"]

SKILL_COLUMNS = ("dataset", "target", "splits", "error", "mean_error", "p", "better")
"""Columns of `baseline_skill`."""


def baseline_skill(
    points: pd.DataFrame,
    rows: Mapping[str, Rows],
    targets: Mapping[str, list[str]],
    axes: Axes,
    metric: Component,
    corrections: Mapping[str, Correction],
    /,
) -> pd.DataFrame:
    """The baseline's error on test rows, and that of the mean of the training rows.

    Parameters
    ----------
    points
        From `baseline_points`.
    rows, targets, corrections
        By dataset: stored rows, names of targets, and what splits have in common.
    metric
        The error metric of `axes`.

    Returns
    -------
    DataFrame
        One row per dataset and target: error and mean_error are mean losses over splits; p is
        one-sided, of the baseline not being better; better says whether it is shown to be, or
        with fewer than three splits whether it seems so. Metrics without a value for constant
        predictions have no row.
    """
    found = []
    for (dataset, target), own in points.groupby(["dataset", "target"], sort=True):
        first = own[own["protected"] == own["protected"].iloc[0]]
        base = first.groupby("split")["error_loss"].mean()
        facts, column = rows[str(dataset)], targets[str(dataset)].index(str(target))
        constant = np.array([_constant(facts, int(split), column, metric) for split in base.index])
        loss = as_loss(constant, axes.error_best)
        if not np.isfinite(loss).all():
            continue
        difference = base.to_numpy(dtype=np.float64) - loss
        p = below_zero(difference, corrections[str(dataset)])
        better = p <= LEVEL if len(loss) >= FEWEST_SPLITS else difference.mean() < 0
        found.append(
            (dataset, target, len(loss), float(base.mean()), float(loss.mean()), p, bool(better))
        )
    return pd.DataFrame(found, columns=list(SKILL_COLUMNS))


def _constant(facts: Rows, number: int, column: int, metric: Component) -> float:
    """The metric of the training rows' mean, on the test rows of a split."""
    split = facts.splits[number]
    target: FloatArray = facts.targets[split.test, column]
    mean = np.full((1, len(target)), facts.targets[split.train, column].mean())
    values, _ = evaluate(mean, target, facts.protected[0].rows(split.test), [metric])
    return float(values[metric.description.name][0])
