"""How much the prediction for a person depends on the seed of the training alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from fairbench.analyze.columns import METHOD
from fairbench.analyze.group_values import compared_labels, group_values, units_of, welch_p

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.held_out import Deployed, HeldOut
    from fairbench.dataset import FloatArray, Protected
    from fairbench.store import Rows

__all__ = ["arbitrariness_table", "seed_variance"]


def seed_variance(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Variance over seeds (1, n) of each row's prediction, from predictions (S, n)."""
    found: FloatArray = prediction.var(axis=0, ddof=1, keepdims=True)
    return found


def _square(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    found: FloatArray = np.square(prediction - target)
    return found


def arbitrariness_table(deployed: Deployed, rows: Mapping[str, Rows], /) -> pd.DataFrame:
    """How far predictions for the same person move between trainings that differ by their seed.

    For every test row of a split, the standard deviation over the seeds of that split: data,
    split, method and (unless each seed was deployed with a value of its own) trade-off value are
    the same, so that nothing but chance in training decides between the predictions. For two
    classes Cooper et al. (2024, Arbitrariness and social prediction, AAAI) ask how often two
    trainings agree; this is the like for numbers: two of them differ by √2 times as much on
    average (root mean square).

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method and group, of splits with at
        least two seeds. seeds: the fewest of a split; sd: root mean square over the group's rows
        of the standard deviation over seeds, in the target's unit, with low and high (95 %);
        relative: sd over the root mean square residual of the group, the share of its errors
        that is nobody's doing; most: standard deviation that one in twenty rows exceeds;
        groups_p: Welch's p-value of all groups having the same mean variance.
    """
    found = []
    for key, splits in deployed.items():
        several = [one for one in splits if len(one.prediction) > 1]
        if not several:
            continue
        facts = rows[key[0]]
        attribute = next(a for a in facts.protected if a.name == key[2])
        units = units_of(facts.clusters, len(attribute.groups))
        moved = group_values(seed_variance, attribute, units, several)
        error = group_values(_square, attribute, units, several)
        if moved is None or error is None:
            continue
        with np.errstate(invalid="ignore"):
            free = np.maximum(moved.members - 1.0, 1e-9)
            half = scipy.special.stdtrit(free, 0.975) * np.sqrt(np.diag(moved.covariance))
            half = np.where(moved.members > 1, half, np.nan)
        seeds = min(len(one.prediction) for one in several)
        p = welch_p(moved)
        for g, label in enumerate(compared_labels(attribute)):
            variance = moved.values[g]
            low, high = (np.sqrt(np.maximum(variance + side * half[g], 0.0)) for side in (-1, 1))
            sd, spread = np.sqrt(variance), np.sqrt(error.values[g])
            relative = sd / spread if spread > 0 else np.nan
            most = _exceeded(several, attribute, attribute.labels.index(label))
            found.append((*key, label, seeds, sd, low, high, relative, most, p))
    ends = ["group", "seeds", "sd", "low", "high", "relative", "most", "groups_p"]
    return pd.DataFrame(found, columns=[*METHOD, *ends])


def _exceeded(splits: list[HeldOut], attribute: Protected, group: int) -> float:
    """Standard deviation over seeds that one in twenty rows of a group exceeds."""
    deviations = [
        np.sqrt(seed_variance(one.prediction, one.target, attribute)[0])[
            attribute.groups[one.rows] == group
        ]
        for one in splits
    ]
    return float(np.quantile(np.concatenate(deviations), 0.95))
