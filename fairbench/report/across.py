"""Methods compared with the baseline over the datasets of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze import FEWEST_DATASETS, across_datasets

if TYPE_CHECKING:
    from fairbench.analyze import Across
    from fairbench.report.judgement import Judgement
    from fairbench.report.sheet import Sheet

__all__ = ["UNITS", "Comparison", "compared_across"]

UNITS = {
    "target": "standard deviations of the target",
    "target²": "variances of the target",
    "none": "its own unit",
}
"""What makes changes of a metric comparable between datasets, by the metric's unit."""

_UNJUDGED = ("no verdict", "described only")


@dataclass(frozen=True)
class Comparison:
    """What can be said of each method over datasets.

    Attributes
    ----------
    methods
        See `fairbench.analyze.across_datasets`; empty where nothing can be said.
    changes
        What was tested: one row per dataset, one column per method.
    unit
        Of the changes, in words.
    margin
        How much more error, as a share of the baseline's, counts as the same.
    missing
        Why there is no comparison; empty where there is one.
    """

    methods: tuple[Across, ...]
    changes: pd.DataFrame
    unit: str
    margin: float
    missing: str


def compared_across(
    sheets: Sequence[Sheet],
    judged: Judgement,
    scales: Mapping[tuple[str, str], float],
    unit: str,
    margin: float,
    /,
) -> Comparison:
    """Compare the methods on the first target and attribute of each dataset.

    Every method stands at the point that its verdict is about. A dataset counts once, though
    several protocols may have been run on it. Where the verdict describes only, or has too few
    splits, the method is not compared on that dataset.

    Parameters
    ----------
    scales
        Standard deviation of a target, by label of the dataset and name of the target.
    unit
        Of the disparity metric: ``target``, ``target²`` or ``none``.
    """
    firsts: dict[str, Sheet] = {}
    for sheet in sheets:
        firsts.setdefault(sheet.facts["digest"], sheet)
    changes, errors = (
        pd.DataFrame.from_dict(
            {sheet.label: _changes(sheet, judged, scales, unit)[axis] for sheet in firsts.values()},
            orient="index",
        )
        for axis in (0, 1)
    )
    found = across_datasets(changes, errors, margin=margin)
    missing = "" if found else _missing(len(firsts), changes)
    return Comparison(found, changes, UNITS[unit], margin, missing)


def _changes(
    sheet: Sheet, judged: Judgement, scales: Mapping[tuple[str, str], float], unit: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Change of disparity in comparable units, and of the error as a share, by method."""
    aspect = next(sheet.aspects)
    own = aspect.of(judged.verdicts)
    own = own[~own["verdict"].isin(_UNJUDGED)]
    scale = scales[sheet.label, aspect.target] ** {"target": 1, "target²": 2, "none": 0}[unit]
    change = own["difference"].to_numpy(dtype=np.float64) / scale
    base = own["base_error"].abs().to_numpy(dtype=np.float64)
    share = np.divide(
        own["error_difference"].to_numpy(dtype=np.float64),
        base,
        out=np.full(len(own), np.nan),
        where=base > 0,
    )
    methods = own["method"].tolist()
    return (
        dict(zip(methods, change.tolist(), strict=True)),
        dict(zip(methods, share.tolist(), strict=True)),
    )


def _missing(datasets: int, changes: pd.DataFrame) -> str:
    if datasets < FEWEST_DATASETS:
        have = "one" if datasets == 1 else str(datasets)
        return f"that takes at least {FEWEST_DATASETS} datasets, and this report has {have}"
    most = int(changes.notna().sum().max()) if changes.size else 0
    return (
        f"that takes at least {FEWEST_DATASETS} datasets on which a method is compared with a "
        f"baseline, and this report has {most or 'none'}"
    )
