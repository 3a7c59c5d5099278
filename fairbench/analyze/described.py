"""Numbers that describe, without what would be concluded from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["described"]


def described(table: pd.DataFrame, /, *inferred: str) -> pd.DataFrame:
    """`table` with the columns `inferred` emptied: intervals, p-values and what they are called.

    For runs whose trade-off values, or stopping, were selected on the test rows themselves. What
    is seen on these rows is no evidence of what other rows would show.
    """
    emptied = table.copy()
    for name in inferred:
        emptied[name] = np.nan if table[name].dtype.kind == "f" else ""
    return emptied
