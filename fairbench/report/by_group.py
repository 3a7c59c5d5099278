"""What a report says of groups: intervals, how sure it is that two differ, and arbitrariness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from fairbench.analyze import Run, View

__all__ = ["GroupEvidence", "group_evidence"]


@dataclass(frozen=True)
class GroupEvidence:
    """Tables of several runs together, of every method where it is matched with the baseline.

    Attributes
    ----------
    intervals, pairs
        See `fairbench.analyze.group_tables`.
    debiased
        See `fairbench.analyze.debiased_table`.
    arbitrariness
        See `fairbench.analyze.arbitrariness_table`.
    """

    intervals: pd.DataFrame
    pairs: pd.DataFrame
    debiased: pd.DataFrame
    arbitrariness: pd.DataFrame


def group_evidence(
    runs: Sequence[Run],
    renamed: Callable[[Sequence[pd.DataFrame]], pd.DataFrame],
    view: View,
    /,
) -> GroupEvidence:
    """Gather what `runs` say of groups; `renamed` puts one table per run together."""

    def all_of(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        return renamed(tables).reset_index(drop=True)

    return GroupEvidence(
        intervals=all_of([run.group_intervals(view) for run in runs]),
        pairs=all_of([run.group_pairs(view) for run in runs]),
        debiased=all_of([run.debiased(view) for run in runs]),
        arbitrariness=all_of([run.arbitrariness(view) for run in runs]),
    )
