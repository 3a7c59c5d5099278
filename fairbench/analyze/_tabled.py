"""The tables of a run, each computed once: the first of three files that make up a `Run`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from fairbench.analyze._installed import computed_again, usable
from fairbench.analyze._keeping import Kept
from fairbench.analyze._once import once, once_per_axes
from fairbench.analyze.axes import Axes
from fairbench.analyze.summary import summary_table
from fairbench.analyze.tables import (
    fronts_table,
    groups_table,
    metrics_table,
    trials_table,
)
from fairbench.analyze.view import DECLARED, View
from fairbench.errors import StudyError, near
from fairbench.plugins import is_individual
from fairbench.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from fairbench.analyze.ahead import Ahead
    from fairbench.plugins import Component, MetricDescription

__all__ = ["Tables"]


class Tables:
    """The tables of what is stored in a run folder: see `fairbench.analyze.Run`."""

    def __init__(self, path: str | Path, /, *, ahead: Ahead | None = None) -> None:
        self._folder = RunFolder(Path(path))
        self._ahead = ahead
        self.manifest: Mapping[str, Any] = self._folder.manifest

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know of these tables: what was left out or sampled, and why."""
        return (*self._metrics_found[1], *self._sampled, *self._ignored)

    @property
    def unfinished(self) -> str:
        """A sentence that says so where chunks of this run are missing, or nothing."""
        standing = self._folder.standing()
        if not standing.missing:
            return ""
        return (
            f"{standing}, are in the run folder of {self.manifest['title']}. "
            "Running its command again goes on with what is missing."
        )

    @property
    def components(self) -> tuple[Component, ...]:
        """The metrics of this run that are installed here."""
        return self._metrics_found[0]

    def trials(self) -> pd.DataFrame:
        """One row per trial: its key, status, note, chunk and epochs."""
        return self._trials.copy()

    def metrics(self) -> pd.DataFrame:
        """One row per trial, part, target and protected attribute; one column per metric."""
        return self._metrics.copy()

    def groups(self) -> pd.DataFrame:
        """Size and errors of every group: one row per trial, part, target, attribute, group."""
        return self._groups.copy()

    def fronts(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Every trial as a point on test rows; `front` marks those chosen on selection rows."""
        return self._fronts_of(self.axes(view)).copy()

    @once
    def failures(self) -> pd.DataFrame:
        """One row per chunk that produced nothing: chunk, trials, reason, traceback."""
        columns = ["chunk", "dataset", "method", "split", "trials", "reason", "traceback"]
        rows = []
        for failure in self._folder.failures():
            trials = failure["trials"]
            place = (trials[0]["dataset"], trials[0]["method"], trials[0]["split"], len(trials))
            rows.append((failure["key"], *place, failure["reason"], failure["traceback"]))
        return pd.DataFrame(rows, columns=columns)

    @once_per_axes
    def summary(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Per dataset, target, attribute and method: the most accurate and the fairest point.

        See `fairbench.analyze.summary_table`.
        """
        axes = self.axes(view)
        return summary_table(self._fronts_of(axes), axes)

    def axes(self, view: View = DECLARED, /) -> Axes:
        """The two metrics with their directions; the study's own where the view names none.

        Raises
        ------
        StudyError
            Where this run has no such metric.
        """
        own = self.manifest["axes"]
        first = view.error or cast("str", own["error"])
        second = view.disparity or cast("str", own["disparity"])
        return Axes(first, second, self.describe(first).best, self.describe(second).best)

    def describe(self, metric: str, /) -> MetricDescription:
        """What the plugin of a metric of this run says of it.

        Raises
        ------
        StudyError
            Where this run has no such metric, or its plugin is not installed here.
        """
        return cast("MetricDescription", self._component(metric).description)

    def _component(self, metric: str) -> Component:
        known = {component.name: component for component in self.components}
        if metric not in known:
            gone = next((note for note in self.notes if repr(metric) in note), "")
            raise StudyError(
                f"this run has no metric {metric!r}" + (f": {gone}" if gone else ""),
                where=str(self.path),
                hint=computed_again(metric) or near(metric, known),
            )
        return known[metric]

    @cached_property
    def _ignored(self) -> tuple[str, ...]:
        names = self._folder.strangers()
        listed = ", ".join(names[:3]) + ", …" * (len(names) > 3)
        one = "a file that is" if len(names) == 1 else f"{len(names)} files that are"
        return (f"{self.path} holds {one} not of this run, and ignored: {listed}",) if names else ()

    def write_tables(self) -> None:
        """Write the four tables beside the manifest, and keep all that was computed so far.

        What is up to date is not written again. Equal runs give equal bytes.
        """
        four = {
            "trials": self._trials,
            "metrics": self._metrics,
            "groups": self._groups,
            "fronts": self._fronts_of(self.axes()),
        }
        self._stored.write({**four, **self._tables})

    def _own(self, name: str, compute: Callable[[], pd.DataFrame], /) -> pd.DataFrame:
        """A table of what the study declared: in memory, in the folder, or computed."""
        if name not in self._tables:
            known = self._stored.read(name)
            self._tables[name] = compute() if known is None else known
        return self._tables[name]

    @cached_property
    def _stored(self) -> Kept:
        return Kept(self._folder, self.components)

    @property
    def _trials(self) -> pd.DataFrame:
        return self._own("trials", lambda: trials_table(self._folder))

    @property
    def _metrics(self) -> pd.DataFrame:
        known = (self._ahead.of,) if self._ahead else ()
        return self._own("metrics", lambda: metrics_table(self._folder, self.components, *known))

    @property
    def _groups(self) -> pd.DataFrame:
        return self._own("groups", lambda: groups_table(self._folder))

    @cached_property
    def _sampled(self) -> tuple[str, ...]:
        """A note on each dataset of which individual metrics measure a sample of the rows."""
        names = [c.name for c in self.components if is_individual(c.description)]
        if not names:
            return ()
        return tuple(
            f"{', '.join(names)} of {dataset} is measured {told}, {part} rows of split {split}"
            for dataset in self.manifest["datasets"]
            for (split, part), near in sorted(self._folder.rows(dataset).neighbours.items())
            if (told := near.sampled)
        )

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        """Tables of what the study declared, by name."""
        return {}

    @cached_property
    def _others(self) -> dict[Hashable, pd.DataFrame]:
        """Tables of other views."""
        return {}

    def _fronts_of(self, axes: Axes) -> pd.DataFrame:
        def table() -> pd.DataFrame:
            return fronts_table(self._metrics, self.manifest["protocol"]["selection"], axes)

        if {"error": axes.error, "disparity": axes.disparity} == self.manifest["axes"]:
            return self._own("fronts", table)
        if axes not in self._others:
            self._others[axes] = table()
        return self._others[axes]

    @cached_property
    def _metrics_found(self) -> tuple[tuple[Component, ...], tuple[str, ...]]:
        return usable(self.manifest["metrics"])
