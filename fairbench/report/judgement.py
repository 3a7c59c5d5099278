"""What a report claims, and what the claim rests on: verdicts, noise, audits, quality of fronts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fairbench.analyze import disagreements, judge

if TYPE_CHECKING:
    from fairbench.analyze import Axes, Run

__all__ = ["Judgement", "judgement"]

Renamed = Callable[[Sequence[pd.DataFrame]], pd.DataFrame]


@dataclass(frozen=True)
class Judgement:
    """Tables of several runs together.

    Attributes
    ----------
    verdicts
        See `fairbench.analyze.judge`; without rows where there is no baseline.
    disagreements
        See `fairbench.analyze.disagreements`.
    noise
        See `Run.noise`.
    quality
        See `Run.quality`.
    boxes
        Where fronts are measured, see `Run.boxes`: ideal and reference point of both losses.
    audits
        See `Run.audits`.
    """

    verdicts: pd.DataFrame
    disagreements: pd.DataFrame
    noise: pd.DataFrame
    quality: pd.DataFrame
    boxes: pd.DataFrame
    audits: pd.DataFrame


def judgement(
    runs: Sequence[Run],
    renamed: Renamed,
    fronts: pd.DataFrame,
    axes: Axes,
    baselines: Mapping[str, str | None],
    tolerance: float,
    /,
) -> Judgement:
    """Judge every method of every dataset.

    Parameters
    ----------
    renamed
        Puts one table per run together under the report's own labels.
    fronts
        Fronts of all runs under these labels.
    baselines
        Label of the baseline, by label of the dataset.
    """
    names = axes.error, axes.disparity
    found = renamed([_ratios(run) for run in runs])
    ratios = dict(zip(found["dataset"], found["ratio"], strict=True))
    judged = [
        judge(fronts[fronts["dataset"].isin(own)], axes, baseline, ratios, tolerance=tolerance)
        for baseline, own in _by_baseline(baselines).items()
    ]
    several = [run.all_verdicts(*names, tolerance=tolerance) for run in runs]
    return Judgement(
        verdicts=pd.concat(judged, ignore_index=True),
        disagreements=renamed([disagreements(table) for table in several]),
        noise=renamed([run.noise(*names) for run in runs]),
        quality=renamed([run.quality(*names) for run in runs]),
        boxes=renamed([_boxes(run, axes) for run in runs]),
        audits=renamed([run.audits() for run in runs]).drop_duplicates(ignore_index=True),
    )


def _by_baseline(baselines: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Datasets by their baseline: those that share one are judged, and corrected, together."""
    found: dict[str, list[str]] = {}
    for dataset, baseline in baselines.items():
        found.setdefault(baseline or "", []).append(dataset)
    return found


def _boxes(run: Run, axes: Axes) -> pd.DataFrame:
    found = run.boxes(axes.error, axes.disparity)
    columns = ["dataset", "target", "protected", "ideal", "reference"]
    rows = [(*place, box.ideal, box.reference) for place, box in found.items()]
    return pd.DataFrame(rows, columns=columns)


def _ratios(run: Run) -> pd.DataFrame:
    return pd.DataFrame(list(run.ratios.items()), columns=["dataset", "ratio"])
