"""Disparity without what chance adds to it: the de-biased variance between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD
from fairbench.analyze.group_values import compared_labels, group_values, units_of
from fairbench.analyze.intervals import corrected_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.group_values import GroupValues
    from fairbench.analyze.held_out import Deployed, HeldOut
    from fairbench.analyze.intervals import Correction
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import RowValues
    from fairbench.store import Rows

__all__ = ["FEW_ROWS", "between_groups", "debiased_by_split", "debiased_table", "needs_debiasing"]

FEW_ROWS = 30
"""Test rows of a group, or clusters, below which a split says little of its value."""


def between_groups(found: GroupValues, /) -> float:
    """Variance of the groups' values without their sampling variance: ½ mean (d² − se²) over pairs.

    Lum, Zhang and Bower (2022, De-biasing "bias" measurement, FAccT): the variance between
    measured values is on average that between true values plus the mean sampling variance,
    which is taken off. Without clusters it is their estimator; in pairs it holds for groups that
    share clusters as well. Zero on average where groups do not differ, whatever their sizes and
    spread, and hence negative half of the time there. A largest minus smallest is never
    negative, and grows with the spread and the number of groups.

    Returns
    -------
    float
        In the square of the metric's unit; NaN with fewer than two groups of two units.
    """
    difference, error = found.differences
    pairs = np.triu(np.isfinite(error), 1)
    if not pairs.any():
        return float("nan")
    return float(0.5 * (difference[pairs] ** 2 - error[pairs] ** 2).mean())


def debiased_by_split(
    by_row: RowValues, protected: Protected, units: IntArray, splits: list[HeldOut], /
) -> FloatArray:
    """`between_groups` of every split (J,), means over its seeds; NaN where a group is missing."""
    found = np.full(len(splits), np.nan)
    for number, tested in enumerate(splits):
        seeds = []
        for prediction in tested.prediction:
            alone = type(tested)(prediction[None], tested.target, tested.rows)
            own = group_values(by_row, protected, units, [alone])
            seeds.append(np.nan if own is None else between_groups(own))
        found[number] = np.mean(seeds)
    return found


def needs_debiasing(protected: Protected, units: IntArray, splits: list[HeldOut], /) -> bool:
    """Whether a largest minus smallest is mostly chance: many groups, or small ones."""
    compared = [protected.labels.index(label) for label in compared_labels(protected)]
    if len(compared) > 2:
        return True
    for tested in splits:
        groups = protected.groups[tested.rows]
        for group in compared:
            if len(np.unique(units[tested.rows[groups == group]])) < FEW_ROWS:
                return True
    return False


def debiased_table(
    deployed: Deployed,
    rows: Mapping[str, Rows],
    by_row: RowValues | None,
    baseline: str,
    corrections: Mapping[str, Correction],
    /,
) -> pd.DataFrame:
    """De-biased variance between groups of every method, and its difference to the baseline's.

    Parameters
    ----------
    deployed
        From `held_out`.
    rows
        What a run stored of its datasets' rows.
    by_row
        Row values of the metric; without them there are no rows.
    corrections
        What correlated splits add to the variance of a mean over them, by dataset.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and method other than the baseline.
        base_variance and variance: means over splits, in the square of the metric's unit, below
        zero where groups differ less than chance gives; difference with its corrected interval
        low, high and p; splits; needed: whether the attribute has more than two groups, or one
        with fewer than `FEW_ROWS` test rows or clusters in a split, so that a claim about the
        largest minus the smallest group must hold for this variance too.
    """
    found = []
    for (dataset, target, protected, method), splits in deployed.items():
        base = deployed.get((dataset, target, protected, baseline))
        if method == baseline or base is None or by_row is None:
            continue
        facts = rows[dataset]
        attribute = next(a for a in facts.protected if a.name == protected)
        units = units_of(facts.clusters, len(attribute.groups))
        both = {}
        for name, held in (("own", splits), ("base", base)):
            values = debiased_by_split(by_row, attribute, units, held)
            both[name] = dict(zip((one.split for one in held), values, strict=True))
        shared = sorted(both["own"].keys() & both["base"].keys())
        own, other = (np.array([both[name][j] for j in shared]) for name in ("own", "base"))
        known = corrections[dataset]
        change = corrected_interval(own - other, known.ratio, df=known.free(len(shared)))
        found.append((
            *(dataset, target, protected, method),
            *(float(np.mean(other)), float(np.mean(own))),
            *(change.mean, change.low, change.high, change.p, change.n),
            needs_debiasing(attribute, units, splits),
        ))  # fmt: skip
    ends = ["base_variance", "variance", "difference", "low", "high", "p", "splits", "needed"]
    return pd.DataFrame(found, columns=[*METHOD, *ends])
