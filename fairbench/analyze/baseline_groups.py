"""Who is worse off before anything is done: the baseline's errors and bias by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.columns import PLACE, POINT
from fairbench.analyze.intervals import corrected_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.intervals import Correction

__all__ = ["baseline_groups_table"]

COLUMNS = (*PLACE, "group", "compared", "n", "error", "low", "high", "bias")


def baseline_groups_table(
    points: pd.DataFrame, groups: pd.DataFrame, corrections: Mapping[str, Correction], /
) -> pd.DataFrame:
    """Mean absolute error and bias of the baseline on test rows, by group.

    Parameters
    ----------
    points
        From `baseline_points`.
    groups
        The groups table.
    corrections
        What the splits of each dataset have in common.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and group: compared, whether it is part
        of disparities; n, its rows in a test part, on average; error, its mean absolute error over
        splits (of means over seeds) with the 95 % interval low to high; bias, the mean of ŷ − y:
        above zero where its predictions are too high. In units of the target. Groups that no
        split tested have no row.
    """
    test = groups[(groups["part"] == "test") & (groups["n"] > 0)]
    own = test.merge(points[POINT], on=POINT, how="inner")
    rows = []
    for key, part in own.groupby([*PLACE, "group"], sort=False):
        by_split = part.groupby("split")[["n", "mae", "bias"]].mean()
        correction = corrections[str(key[0])]
        errors = by_split["mae"].to_numpy(dtype=np.float64)
        found = corrected_interval(errors, correction.ratio, df=correction.df)
        rows.append(
            (
                *key,
                bool(part["compared"].all()),
                float(by_split["n"].mean()),
                *(found.mean, found.low, found.high),
                float(by_split["bias"].mean()),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
