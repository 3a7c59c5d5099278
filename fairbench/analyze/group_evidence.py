"""Intervals by group, and how sure it is that two groups differ."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from fairbench.analyze.columns import METHOD
from fairbench.analyze.comparisons import holm
from fairbench.analyze.group_values import compared_labels, group_values, units_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.group_values import GroupValues
    from fairbench.analyze.held_out import Deployed
    from fairbench.metric import RowValues
    from fairbench.store import Rows

__all__ = ["EVIDENCE", "group_tables", "pairs_of"]

EVIDENCE = ((0.01, "strong"), (0.05, "beyond chance"), (1.0, "within chance"))
"""What the adjusted p-value of a pair of groups is called, up to each limit."""

_LIMIT = 0.975


def group_tables(
    deployed: Deployed, rows: Mapping[str, Rows], by_row: RowValues | None, /
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a metric says of every group, with its interval, and of every pair of groups.

    Values are means over splits and seeds on test rows. A row that is tested in several splits
    is one observation, and so are the rows of a cluster. The intervals are about these trained
    models on further rows like these; they say nothing of other trainings.

    Returns
    -------
    groups
        One row per dataset, target, protected attribute, method and group: units (rows, or
        clusters, that are tested), value, low and high (95 %, Student's t).
    pairs
        One row per pair of groups: first and second, difference (first minus second), low and
        high, p (Welch's t), adjusted_p (Holm, over the pairs of one attribute and method) and
        evidence, see `EVIDENCE`.
    """
    groups: list[tuple[object, ...]] = []
    pairs: list[tuple[object, ...]] = []
    for key, splits in deployed.items():
        facts = rows[key[0]]
        attribute = next(a for a in facts.protected if a.name == key[2])
        units = units_of(facts.clusters, len(attribute.groups))
        found = None if by_row is None else group_values(by_row, attribute, units, splits)
        if found is None:
            continue
        labels = compared_labels(attribute)
        half = _half(np.sqrt(np.diag(found.covariance)), found.members - 1.0)
        for label, count, value, reach in zip(
            labels, found.members, found.values, half, strict=True
        ):
            groups.append((*key, label, int(count), value, value - reach, value + reach))
        pairs += [
            (*key, labels[g], labels[h], *numbers)
            for (g, h), numbers in zip(
                combinations(range(len(labels)), 2), pairs_of(found), strict=True
            )
        ]
    first = ["group", "units", "value", "low", "high"]
    second = ["first", "second", "difference", "low", "high", "p", "adjusted_p", "evidence"]
    return (
        pd.DataFrame(groups, columns=[*METHOD, *first]),
        pd.DataFrame(pairs, columns=[*METHOD, *second]),
    )


def pairs_of(found: GroupValues, /) -> list[tuple[float, float, float, float, float, str]]:
    """Difference, interval, p, adjusted p and evidence of each pair of groups (g, h), g < h.

    Degrees of freedom are Welch's and Satterthwaite's; one less than the smaller group's units
    where the two share clusters.
    """
    difference, error = found.differences
    own, members = found.covariance, found.members
    places = list(combinations(range(len(members)), 2))
    free = np.array([_freedom(own, members, g, h) for g, h in places])
    gap = np.array([difference[place] for place in places])
    se = np.array([error[place] for place in places])
    half = _half(se, free)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(gap == 0, 0.0, np.abs(gap) / se)
        p = np.where(np.isfinite(half), 2 * scipy.special.stdtr(np.maximum(free, 1e-9), -t), np.nan)
    adjusted = holm(p)
    return [
        (*map(float, numbers), _word(numbers[-1]))  # type: ignore[misc]
        for numbers in zip(gap, gap - half, gap + half, p, adjusted, strict=True)
    ]


def _freedom(own: np.ndarray, members: np.ndarray, g: int, h: int) -> float:
    first, second = own[g, g], own[h, h]
    if own[g, h] != 0 or not first + second > 0:
        return float(min(members[g], members[h]) - 1)
    parts = first**2 / (members[g] - 1) + second**2 / (members[h] - 1)
    return float((first + second) ** 2 / parts)


def _half(error: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Half the width of a 95 % interval; NaN where a standard error is not known."""
    with np.errstate(invalid="ignore"):
        return np.where(
            free > 0, scipy.special.stdtrit(np.maximum(free, 1e-9), _LIMIT) * error, np.nan
        )


def _word(adjusted: float) -> str:
    return next((word for limit, word in EVIDENCE if adjusted <= limit), "unknown")
