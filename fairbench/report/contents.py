"""What a report shows: one or several runs gathered as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from fairbench.analyze import EDITION, Axes
from fairbench.errors import StudyError, near
from fairbench.report.across import Comparison, compared_across
from fairbench.report.judgement import Judgement, judgement
from fairbench.report.names import Names
from fairbench.report.points import averaged_fronts

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.analyze import Run, View
    from fairbench.plugins import MetricDescription
    from fairbench.report.sheet import Sheet

__all__ = ["Contents", "gather"]


@dataclass(frozen=True)
class Contents:
    """The tables of all runs together, with the labels that keep them apart.

    Attributes
    ----------
    view
        What is looked at, with names for both metrics.
    names
        The labels of the report.
    trials, measured, groups, fronts, summary, failures : DataFrame
        As `Run` gives them; `measured` is the table of metrics.
    averages : DataFrame
        See `averaged_fronts`.
    judgement
        Verdicts and what they rest on.
    unfinished
        A sentence on every run of which chunks are missing.
    across
        The methods compared with the baseline over datasets.
    remarks
        Problems and notes of every run.
    """

    runs: tuple[Run, ...]
    view: View
    names: Names
    axes: Axes
    tolerance: float
    metrics: Mapping[str, MetricDescription]
    sheets: tuple[Sheet, ...]
    trials: pd.DataFrame
    measured: pd.DataFrame
    groups: pd.DataFrame
    fronts: pd.DataFrame
    averages: pd.DataFrame
    summary: pd.DataFrame
    failures: pd.DataFrame
    judgement: Judgement
    unfinished: tuple[str, ...]
    across: Comparison
    remarks: tuple[str, ...]

    @property
    def title(self) -> str:
        """The titles of the runs."""
        return " + ".join(dict.fromkeys(str(run.manifest["title"]) for run in self.runs))

    def table(self, computed: Callable[[Run, View], pd.DataFrame], /) -> pd.DataFrame:
        """What a method of `Run` gives for this view, of all runs under the report's labels."""
        return self.names.table([computed(run, self.view) for run in self.runs])

    @property
    def diverged(self) -> pd.DataFrame:
        """Trials that have no prediction although their chunk finished."""
        lost = self.trials["chunk"].isin(self.failures["chunk"])
        return self.trials[(self.trials["status"] != "ok") & ~lost]


def gather(runs: Sequence[Run], view: View, /) -> Contents:
    """Everything a report shows of `runs`.

    Runs share a sheet where they have the same data, protocol and splits, so that their methods
    can be compared row by row; otherwise each dataset gets a sheet, named by its run. A method
    that two runs of one sheet have is named by its run likewise.

    Raises
    ------
    StudyError
        Where a run lacks the metrics of `view`, or one has the wrong role.
    """
    axes = _axes(runs, view)
    view = replace(view, error=axes.error, disparity=axes.disparity)
    names = Names(runs)
    sheets: dict[str, Sheet] = {}
    for run in runs:
        names.add(run, sheets)
    fronts = names.table([run.fronts(view) for run in runs])
    baselines = {sheet.label: sheet.baseline for sheet in sheets.values()}
    judged = judgement(runs, names.table, fronts, baselines, view)
    margin = runs[0].primary.margin if view.tolerance is None else view.tolerance
    metrics = {
        component.name: cast("MetricDescription", component.description)
        for run in runs
        for component in run.components
    }
    scales = names.table([run.scales() for run in runs])
    spread = dict(
        zip(zip(scales["dataset"], scales["target"], strict=True), scales["sd"], strict=True)
    )
    return Contents(
        runs=tuple(runs),
        view=view,
        names=names,
        axes=axes,
        tolerance=margin,
        metrics=metrics,
        sheets=tuple(sheets.values()),
        trials=names.table([run.trials() for run in runs]),
        measured=names.table([run.metrics() for run in runs]),
        groups=names.table([run.groups() for run in runs]),
        fronts=fronts,
        averages=averaged_fronts(fronts, axes),
        summary=names.table([run.summary(view) for run in runs]),
        failures=names.table([run.failures() for run in runs]),
        judgement=judged,
        unfinished=tuple(run.unfinished for run in runs if run.unfinished),
        across=compared_across(
            tuple(sheets.values()), judged, spread, metrics[axes.disparity].unit, margin
        ),
        remarks=tuple(
            dict.fromkeys(
                remark
                for run in runs
                for remark in (
                    *run.manifest["problems"],
                    *run.manifest["notes"],
                    *run.notes,
                    *_older(run),
                )
            )
        ),
    )


def _axes(runs: Sequence[Run], view: View) -> Axes:
    axes = runs[0].axes(view)
    for run in runs:
        for name, role in ((axes.error, "error"), (axes.disparity, "disparity")):
            found = run.describe(name)
            if found.role != role:
                fit = [c.name for c in run.components if _role(c.description) == role]
                raise StudyError(
                    f"{name!r} is a metric of {found.role}, not of {role}",
                    where=f"--{role}",
                    hint=near(name, fit),
                )
    return axes


def _older(run: Run) -> Iterator[str]:
    """What to know of a run whose earlier reports followed other rules."""
    edition = run.manifest.get("rules", 1)
    if edition != EDITION:
        yield (
            f"{run.manifest['title']} was judged by older rules (edition {edition}) when it was "
            f"run; this report judges it by those of today (edition {EDITION})"
            + ("" if run.primary.declared else ", and it declared no primary analysis")
        )


def _role(description: object) -> str:
    return cast("MetricDescription", description).role
