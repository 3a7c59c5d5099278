"""Methods ranked across the datasets of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze import FEWEST_DATASETS, ranking

if TYPE_CHECKING:
    from fairbench.analyze import Ranking
    from fairbench.report.contents import Sheet
    from fairbench.report.judgement import Judgement

__all__ = ["Ranks", "ranks"]

_OUT_OF_REACH = "not at this error"


@dataclass(frozen=True)
class Ranks:
    """Methods ranked by what they reach at the baseline's error, if that can be said.

    Attributes
    ----------
    losses
        Mean disparity losses on test rows that were ranked: one row per dataset, one column per
        method, infinite where a method stays out of reach of the baseline's error.
    ranking
        See `fairbench.analyze.ranking`.
    missing
        Why there is no ranking; empty where there is one.
    """

    losses: pd.DataFrame
    ranking: Ranking | None
    missing: str


def ranks(sheets: Sequence[Sheet], judged: Judgement, /) -> Ranks:
    """Rank the methods that every dataset has, on the first target and attribute of each.

    The baseline stands at its own disparity, every other method at the point that its verdict
    is about. A dataset counts once, though several protocols may have been run on it.
    """
    firsts: dict[str, Sheet] = {}
    for sheet in sheets:
        firsts.setdefault(sheet.facts["digest"], sheet)
    once = list(firsts.values())
    shared = [m for m in once[0].methods if all(m in sheet.methods for sheet in once)]
    found = {sheet.label: _losses(sheet, judged) for sheet in once}
    losses = pd.DataFrame.from_dict(found, orient="index").reindex(columns=shared)
    complete = losses.dropna()
    result = ranking(complete)
    return Ranks(complete, result, "" if result else _missing(len(once), losses, len(complete)))


def _losses(sheet: Sheet, judged: Judgement) -> dict[str, float]:
    """Mean disparity losses of a dataset, by method."""
    target, protected = next(sheet.views)
    place = {"dataset": sheet.label, "target": target, "protected": protected}
    base, others = (
        table[np.logical_and.reduce([table[name] == value for name, value in place.items()])]
        for table in (judged.noise, judged.verdicts)
    )
    means = others["base_disparity"] + others["difference"]
    losses = means.where(others["verdict"] != _OUT_OF_REACH, np.inf)
    found = dict(zip(others["method"], losses.astype(np.float64), strict=True))
    if sheet.baseline is not None and len(base):
        found[sheet.baseline] = float(base["loss"].iloc[0])
    return found


def _missing(datasets: int, losses: pd.DataFrame, complete: int) -> str:
    if datasets < FEWEST_DATASETS:
        have = "one" if datasets == 1 else str(datasets)
        return f"that takes at least {FEWEST_DATASETS} datasets, and this report has {have}"
    if losses.shape[1] < 3:
        return "that takes three methods that were run on every dataset"
    return (
        f"that takes at least {FEWEST_DATASETS} datasets on which every method is compared with "
        f"a baseline, and this report has {complete or 'none'}"
    )
