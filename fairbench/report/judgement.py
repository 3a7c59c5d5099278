"""What a report claims, and what the claim rests on: verdicts, noise, audits, quality of fronts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fairbench.analyze import METHOD, PLACE, disagreements, judge

if TYPE_CHECKING:
    from fairbench.analyze import Primary, Run, View

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
    skill
        See `Run.skill`.
    primary
        The analysis that the first run declared, under the report's labels.
    """

    verdicts: pd.DataFrame
    disagreements: pd.DataFrame
    noise: pd.DataFrame
    quality: pd.DataFrame
    boxes: pd.DataFrame
    audits: pd.DataFrame
    skill: pd.DataFrame
    primary: Primary


def judgement(
    runs: Sequence[Run],
    renamed: Renamed,
    fronts: pd.DataFrame,
    baselines: Mapping[str, str | None],
    view: View,
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
    axes = runs[0].axes(view)
    found = renamed([_corrections(run) for run in runs])
    corrections = dict(zip(found["dataset"], found["correction"], strict=True))
    views = renamed([_views(run) for run in runs])
    primary = runs[0].primary.seen_as(
        {name: (target, attribute) for name, target, attribute in views.to_numpy().tolist()}
    )
    noise = renamed([run.noise(view) for run in runs])
    population = None
    if view.tolerance is None:  # it is about the points of the declared margin
        population = renamed([run.population(view) for run in runs])
        population = population.drop_duplicates(METHOD)
    groups = renamed([run.groups() for run in runs])
    debiased = renamed([run.debiased(view) for run in runs])
    on_test = renamed([_selected_on(run) for run in runs]).query("selection == 'test'")["dataset"]
    other = pd.concat([run.other_p(view)["p"] for run in runs])
    kept = [run.verdicts(view) for run in runs if len(runs) == 1 and view.tolerance is None]
    judged = [renamed([table]) for table in kept] or [
        judge(
            fronts[fronts["dataset"].isin(own)],
            axes,
            baseline,
            corrections,
            primary=primary,
            tolerance=view.tolerance,
            groups=groups,
            population=population,
            chance=noise.drop_duplicates(PLACE),
            debiased=debiased.drop_duplicates(METHOD),
            on_test=list(on_test),
            others=other.to_numpy(),
        )
        for baseline, own in _by_baseline(baselines).items()
    ]
    several = [run.all_verdicts(view) for run in runs]
    return Judgement(
        verdicts=pd.concat(judged, ignore_index=True),
        disagreements=renamed([disagreements(table) for table in several]),
        noise=noise,
        quality=renamed([run.quality(view) for run in runs]),
        boxes=renamed([_boxes(run, view) for run in runs]),
        audits=renamed([run.audits() for run in runs]).drop_duplicates(ignore_index=True),
        skill=renamed([run.skill(view) for run in runs]).drop_duplicates(
            ["dataset", "target"], ignore_index=True
        ),
        primary=primary,
    )


def _selected_on(run: Run) -> pd.DataFrame:
    return pd.DataFrame({"dataset": list(run.manifest["datasets"]), "selection": run.selection})


def _views(run: Run) -> pd.DataFrame:
    rows = [(name, *view) for name, view in run.primary.views.items()]
    return pd.DataFrame(rows, columns=PLACE)


def _by_baseline(baselines: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Datasets by their baseline: those that share one are judged, and corrected, together."""
    found: dict[str, list[str]] = {}
    for dataset, baseline in baselines.items():
        found.setdefault(baseline or "", []).append(dataset)
    return found


def _boxes(run: Run, view: View) -> pd.DataFrame:
    found = run.boxes(view)
    columns = [*PLACE, "ideal", "reference"]
    rows = [(*place, box.ideal, box.reference) for place, box in found.items()]
    return pd.DataFrame(rows, columns=columns)


def _corrections(run: Run) -> pd.DataFrame:
    rows = list(run.corrections.items())
    return pd.DataFrame(rows, columns=["dataset", "correction"])
