"""A run with pandas in hand: its tables, and what can be concluded from them."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from fairbench.analyze._tabled import Tables, once
from fairbench.analyze.attainment import attainment_table
from fairbench.analyze.audits import Finding, audit_rows, audit_trials
from fairbench.analyze.every_metric import points_by_metric
from fairbench.analyze.indicators import INDICATORS, indicators_table, mean_over_splits
from fairbench.analyze.matched import (
    CHOSEN,
    TOLERANCE,
    baseline_points,
    compare,
    matched_points,
    measured_among,
    paired,
)
from fairbench.analyze.noise import against_chance, noise_floor
from fairbench.analyze.overlap import Overlap, split_overlap
from fairbench.analyze.relative import relative_table
from fairbench.analyze.selection import Box, boxes, optimism
from fairbench.analyze.split_audits import audit_splits
from fairbench.analyze.verdicts import judge, verdicts

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fairbench.store import Rows

__all__ = ["Run"]


class Run(Tables):
    """What a run folder says, as pandas frames computed from its stored predictions.

    Each table is computed once; a method returns a copy that is yours to change. `error` and
    `disparity` name two metrics of the run; left out, they are the axes of its study.

    Parameters
    ----------
    path
        A run folder.

    Raises
    ------
    RunFolderError
        Where there is no readable manifest.
    """

    @property
    def baseline(self) -> str:
        """Label of the method that others are held against; empty where there is none."""
        return str(self.manifest["baseline"] or "")

    @cached_property
    def overlaps(self) -> dict[str, Overlap]:
        """What the splits of each dataset share: see `fairbench.analyze.Overlap`."""
        return {name: split_overlap(rows.splits) for name, rows in self._rows.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """`Overlap.ratio` by dataset.

        The part of the variance of a mean over splits that no number of splits takes away.
        """
        return {name: overlap.ratio for name, overlap in self.overlaps.items()}

    @once
    def matched(
        self,
        error: str | None = None,
        disparity: str | None = None,
        *,
        tolerance: float = TOLERANCE,
    ) -> pd.DataFrame:
        """The fairest trial of each method within reach of the baseline's validation error.

        One row per split and seed, see `fairbench.analyze.matched_points`; without rows where
        the study has no baseline.
        """
        axes = self.axes(error, disparity)
        return matched_points(self._fronts_of(axes), axes, self.baseline, tolerance=tolerance)

    @once
    def verdicts(
        self,
        error: str | None = None,
        disparity: str | None = None,
        *,
        tolerance: float = TOLERANCE,
    ) -> pd.DataFrame:
        """Differences to the baseline with intervals, tests, a verdict and a sentence.

        One row per dataset, target, attribute and method, see `fairbench.analyze.judge`.
        """
        axes = self.axes(error, disparity)
        return judge(self._fronts_of(axes), axes, self.baseline, self.ratios, tolerance=tolerance)

    @once
    def all_verdicts(
        self,
        error: str | None = None,
        disparity: str | None = None,
        *,
        tolerance: float = TOLERANCE,
    ) -> pd.DataFrame:
        """The same chosen trials judged by every disparity metric, named in column ``metric``.

        Trials are chosen by `disparity`; `fairbench.analyze.disagreements` of this table says
        where another metric contradicts it.
        """
        chosen_by = self.axes(error, disparity)
        chosen = self.matched(error, disparity, tolerance=tolerance)[list(CHOSEN)]
        several = [
            self.axes(chosen_by.error, component.name)
            for component in self.components
            if self.describe(component.name).role == "disparity"
        ]
        by = ["metric"]
        points = points_by_metric(self._metrics, self.manifest["protocol"]["selection"], several)
        pairs = paired(measured_among(chosen, points, self.baseline, by=by), by=by)
        compared = compare(pairs, self.ratios, by=by)
        tables = []
        for axes in several:
            own = compared[compared["metric"] == axes.disparity].drop(columns=by)
            judged = verdicts(own.reset_index(drop=True), axes, self.baseline)
            tables.append(judged.assign(metric=axes.disparity))
        return pd.concat(tables, ignore_index=True)

    @once
    def noise(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """The noise floor of the baseline, and whether its disparity is more than chance.

        The columns of `fairbench.analyze.noise_floor`, and null_mean, null_high (95th
        percentile) and p: the mean disparity loss with group labels dealt at random
        (`fairbench.analyze.permuted`).
        """
        axes = self.axes(error, disparity)
        fronts = self._fronts_of(axes)
        floor = noise_floor(fronts, axes, self.baseline, self.ratios)
        points = baseline_points(fronts, axes, self.baseline)
        metric = self._component(axes.disparity)
        return against_chance(self._folder, floor, points, metric, axes.disparity_best)

    def boxes(
        self, error: str | None = None, disparity: str | None = None
    ) -> dict[tuple[Hashable, ...], Box]:
        """Ideal and reference point per (dataset, target, attribute), fixed by this run's data."""
        axes = self.axes(error, disparity)
        return boxes(self._fronts_of(axes), axes)

    @once
    def optimism(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """Hypervolume lost by choosing honestly: see `fairbench.analyze.optimism`."""
        axes = self.axes(error, disparity)
        return optimism(self._fronts_of(axes), axes, self.boxes(error, disparity))

    @once
    def relative(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """ARFG, ARE and Δm of every trial: see `fairbench.analyze.relative_table`."""
        return relative_table(self._metrics, self.axes(error, disparity), self.baseline)

    @once
    def indicators(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """Hypervolume, IGD⁺ and ε of every front: see `fairbench.analyze.indicators_table`."""
        axes = self.axes(error, disparity)
        return indicators_table(self._fronts_of(axes), axes, self.boxes(error, disparity))

    @once
    def quality(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """Fronts as a whole, means over splits: see `fairbench.analyze.mean_over_splits`.

        The indicators of the fronts chosen on selection rows, the hypervolume ``test_selected``
        of fronts chosen on test rows instead, and the ``gap`` between the two.
        """
        honest = mean_over_splits(self.indicators(error, disparity), INDICATORS)
        optimism = mean_over_splits(self.optimism(error, disparity), ("test_selected", "gap"))
        return pd.concat([honest, optimism], ignore_index=True) if len(honest) else honest

    @once
    def attainment(self, error: str | None = None, disparity: str | None = None) -> pd.DataFrame:
        """25, 50 and 75 % attainment surfaces: see `fairbench.analyze.attainment_table`."""
        axes = self.axes(error, disparity)
        return attainment_table(self._fronts_of(axes), axes)

    @once
    def audits(self) -> pd.DataFrame:
        """Findings of all audits, those made on the features during the run included.

        Columns dataset, check, level (``fine`` or ``warning``) and text.
        """
        findings = [Finding(**finding) for finding in self.manifest.get("audits", [])]
        for name in self.manifest["datasets"]:
            aim = self.manifest["protocol"].get("test_share")
            findings += audit_splits(name, self._rows[name], aim)
            findings += audit_rows(name, self._rows[name])
        findings += audit_trials(self._trials)
        columns = ["dataset", "check", "level", "text"]
        return pd.DataFrame([asdict(finding) for finding in findings], columns=columns)

    @cached_property
    def _rows(self) -> dict[str, Rows]:
        return {name: self._folder.rows(name) for name in self.manifest["datasets"]}
