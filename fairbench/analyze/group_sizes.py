"""How many rows a comparison of groups rests on, and which groups are no part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd

from fairbench.analyze.columns import PLACE

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["group_sizes"]

_COLUMNS = [*PLACE, "smallest_group", "smallest_rows", "left_out"]


def group_sizes(groups: pd.DataFrame, /) -> pd.DataFrame:
    """The smallest group that is compared, and those that are not.

    Parameters
    ----------
    groups
        The groups table.

    Returns
    -------
    DataFrame
        One row per dataset, target and protected attribute. smallest_group and smallest_rows: of
        the groups that are compared the one with the fewest test rows, and how many these are,
        on the mean over splits; left_out: labels of the others, separated by commas.
    """
    test = groups[groups["part"] == "test"]
    sizes = test.groupby([*PLACE, "group", "compared", "split"], as_index=False)["n"].first()
    means = sizes.groupby([*PLACE, "group", "compared"], as_index=False)["n"].mean()
    rows: list[tuple[Hashable, ...]] = []
    for key, part in means.groupby(PLACE, sort=True):
        compared = part["compared"].astype(bool)
        smallest = part[compared].sort_values(["n", "group"]).iloc[0]
        left_out = ", ".join(sorted(map(str, part.loc[~compared, "group"])))
        named = cast("tuple[str, ...]", key)
        rows.append((*named, str(smallest["group"]), float(smallest["n"]), left_out))
    return pd.DataFrame(rows, columns=_COLUMNS)
