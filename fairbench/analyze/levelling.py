"""Who gains: errors by group at the chosen points, against the baseline's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD, PLACE, POINT, REPEAT
from fairbench.analyze.intervals import below_zero

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.intervals import Correction

__all__ = ["group_changes"]

_COLUMNS = [*METHOD, "gain_p", "worst_group", "worst_change", "worst_p"]


def group_changes(
    chosen: pd.DataFrame,
    groups: pd.DataFrame,
    baseline: str,
    corrections: Mapping[str, Correction],
    /,
) -> pd.DataFrame:
    """Whether any group's error falls, and whether that of the worst-off group rises.

    A smaller difference between groups can be had by adding errors to the better-off group:
    nobody gains. What is compared is the RMSE of each group on test rows.

    Parameters
    ----------
    chosen
        From `matched_points`.
    groups
        The groups table.
    corrections
        As in `compare`.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and method. gain_p: of no group's
        error being lower (the least one-sided p-value times the number of groups);
        worst_group: of those compared the one with the largest error under the baseline;
        worst_change: the mean difference of its error, worst_p: one-sided, of it not being
        higher.
    """
    test = groups[(groups["part"] == "test") & groups["compared"].astype(bool)]
    test = test.assign(rmse=np.sqrt(test["mse"]))[[*POINT, "group", "rmse"]]
    base = test[test["method"] == baseline].drop(columns="method")
    base = base.rename(columns={"value": "base_value", "rmse": "base_rmse"})
    points = chosen[[*POINT, "base_value"]].merge(test, on=POINT, how="inner")
    shared = [*PLACE, *REPEAT, "base_value", "group"]
    both = points.merge(base, on=shared, how="inner").dropna(subset=["rmse", "base_rmse"])
    both["change"] = both["rmse"] - both["base_rmse"]
    by_split = both.groupby([*METHOD, "group", "split"], as_index=False)[
        ["change", "base_rmse"]
    ].mean()
    rows = []
    for key, part in by_split.groupby(METHOD, sort=True):
        names = cast("tuple[str, ...]", key)
        correction = corrections[names[0]]
        by_group = {str(g): own for g, own in part.groupby("group", sort=True)}
        changes = {g: own["change"].to_numpy(dtype=np.float64) for g, own in by_group.items()}
        falls = [below_zero(change, correction) for change in changes.values()]
        worst = max(by_group, key=lambda g: float(by_group[g]["base_rmse"].mean()))
        rows.append(
            (
                *names,
                min(1.0, len(falls) * min(falls)),
                worst,
                float(changes[worst].mean()),
                below_zero(-changes[worst], correction),
            )
        )
    return pd.DataFrame(rows, columns=_COLUMNS)
