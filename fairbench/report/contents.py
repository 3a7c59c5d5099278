"""What a report shows: one or several runs gathered as if they were one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from fairbench.analyze import EDITION, Axes
from fairbench.errors import StudyError, near
from fairbench.report.across import Comparison, compared_across
from fairbench.report.by_group import GroupEvidence, group_evidence
from fairbench.report.judgement import Judgement, judgement
from fairbench.report.points import averaged_fronts
from fairbench.report.sheet import Sheet

if TYPE_CHECKING:
    from fairbench.analyze import Run, View
    from fairbench.plugins import MetricDescription

__all__ = ["Contents", "gather"]


@dataclass(frozen=True)
class Contents:
    """The tables of all runs together, with the labels that keep them apart.

    Attributes
    ----------
    trials, measured, groups, fronts, summary, failures : DataFrame
        As `Run` gives them; `measured` is the table of metrics.
    averages : DataFrame
        See `averaged_fronts`.
    judgement
        Verdicts and what they rest on.
    unfinished
        A sentence on every run of which chunks are missing.
    by_group
        Intervals by group, evidence by pair of groups, and how arbitrary predictions are.
    across
        The methods compared with the baseline over datasets.
    remarks
        Problems and notes of every run.
    """

    runs: tuple[Run, ...]
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
    by_group: GroupEvidence
    across: Comparison
    remarks: tuple[str, ...]

    @property
    def title(self) -> str:
        """The titles of the runs."""
        return " + ".join(dict.fromkeys(str(run.manifest["title"]) for run in self.runs))

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
    names = _Names(runs)
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
        by_group=group_evidence(runs, names.table, view),
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


class _Names:
    """Labels under which the datasets and methods of several runs stand side by side."""

    def __init__(self, runs: Sequence[Run]) -> None:
        titles = [str(run.manifest["title"]) for run in runs]
        self._tags = {
            id(run): title if titles.count(title) == 1 else f"{title} {run.manifest['id'][:8]}"
            for run, title in zip(runs, titles, strict=True)
        }
        self._identity: dict[str, str] = {}
        self._renamed: list[tuple[dict[str, str], dict[tuple[str, str], str]]] = []

    def add(self, run: Run, sheets: dict[str, Sheet]) -> None:
        """Add the datasets and methods of `run` to `sheets`."""
        datasets: dict[str, str] = {}
        methods: dict[tuple[str, str], str] = {}
        for label, facts in run.manifest["datasets"].items():
            datasets[label] = name = self._sheet_name(run, label)
            own = run.manifest["methods"][label]
            held = dict(sheets[name].methods) if name in sheets else {}
            for method, about in own.items():
                title = method if method not in held else f"{method} ({self._tags[id(run)]})"
                methods[label, method] = title
                held[title] = about
            baseline = run.manifest["baseline"]
            if name in sheets and sheets[name].baseline is not None:
                baseline = sheets[name].baseline
            elif (label, baseline) in methods:
                baseline = methods[label, baseline]
            else:
                baseline = None
            ordered = {m: held[m] for m in sorted(held, key=lambda m: m != baseline)}
            sheets[name] = Sheet(name, facts, run.manifest["protocol"], ordered, baseline)
        self._renamed.append((datasets, methods))

    def _sheet_name(self, run: Run, label: str) -> str:
        """The dataset's label; with the run's tag where the label is taken by other rows."""
        manifest = run.manifest
        decides = (
            manifest["datasets"][label]["digest"],
            manifest["protocol"]["name"],
            manifest["protocol"]["options"],
            manifest["study"]["entropy"],
        )
        identity = json.dumps(decides, sort_keys=True, default=str)
        name = label
        if self._identity.setdefault(label, identity) != identity:
            name = f"{label} ({self._tags[id(run)]})"
            self._identity[name] = identity
        return name

    def table(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """One table of all runs, renamed; `tables` are in the order the runs were added."""
        frames = []
        for table, (datasets, methods) in zip(tables, self._renamed, strict=True):
            renamed = table.assign(dataset=table["dataset"].map(datasets))
            if "method" in table:
                keys = zip(table["dataset"], table["method"], strict=True)
                # Without a dtype the column of a table without rows would be one of numbers.
                renamed["method"] = np.array([methods[key] for key in keys], dtype=object)
            frames.append(renamed)
        filled = [frame for frame in frames if len(frame)]
        return pd.concat(filled, ignore_index=True) if filled else frames[0]
