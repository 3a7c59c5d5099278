"""Which dataset, which of its columns play which part, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

__all__ = ["DatasetSpec"]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Which dataset, and which of its columns play which part. Part of a study.

    Parameters
    ----------
    name
        Name of a dataset plugin (`dist:name` where two offer it), or the path of a table: CSV,
        Parquet, Feather or Excel.
    targets
        Columns to predict, the first being the main one; empty for the dataset's default.
    protected
        Protected attributes, the first being the one methods train on; empty for the default.
        ``race*sex`` is the groups that two or more attributes form together.
    features
        Edits of the default features: ``+column`` adds, ``-column`` removes; names without a
        sign replace the default by exactly these.
    cluster
        Column that marks rows belonging together; empty for the dataset's default.
    bins
        Number of quantile groups that a continuous protected attribute is cut into.
    min_group
        Rows of the table below which a group is left out of every disparity. None leaves out
        those with fewer than 50 as long as two others remain.
    merge_groups
        Whether such groups are merged into one, ``other``, which is compared if it is large
        enough, rather than left out one by one.
    label
        Tells two uses of one dataset apart in reports; defaults to the dataset's name.
    options
        Of the dataset's plugin: ``{"rows": 10000}`` for ``synthetic``.
    categorical, numeric, drop
        Columns that are categories whatever they hold, that are numbers and features whatever
        they look like, and that are no features.
    missing
        Whether a missing feature is filled in on training rows or costs the row.
    missing_target
        Whether a missing target in a user's table is an error or costs the row.
    keep_na
        Whether the text NA in a protected attribute is a group of that name.
    decimal, thousands, encoding
        How a user's file writes numbers and text, where that is not for the file to tell.
    """

    name: str
    targets: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    cluster: str = ""
    bins: Annotated[int, Ge(2), Le(1000)] = 2
    min_group: Annotated[int, Ge(1), Le(10**9)] | None = None
    merge_groups: bool = False
    label: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: Literal["impute", "drop"] = "impute"
    missing_target: Literal["error", "drop"] = "error"
    keep_na: bool = False
    decimal: Literal["", ".", ","] = ""
    thousands: Literal["", ",", ".", " ", "'"] = ""
    encoding: str = ""
