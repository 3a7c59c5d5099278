"""A run with pandas in hand: its tables, and what can be concluded from them.

A `Run` is read in three files: `_tabled` (tables of what is stored), `_matched` (methods where one
would deploy them) and this one (conclusions).
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze._matched import Matched
from fairbench.analyze._once import once, once_per_axes, once_per_view
from fairbench.analyze.attainment import attainment_table
from fairbench.analyze.audits import Finding, audit_rows, audit_trials
from fairbench.analyze.baseline_groups import baseline_groups_table
from fairbench.analyze.box import Box, boxes
from fairbench.analyze.columns import METHOD
from fairbench.analyze.contrasts import compare, paired
from fairbench.analyze.every_metric import points_by_metric
from fairbench.analyze.indicators import INDICATORS, indicators_table, mean_over_splits
from fairbench.analyze.levelling import group_changes
from fairbench.analyze.matched import CHOSEN, baseline_points, measured_among
from fairbench.analyze.noise import Chance, against_chance, noise_floor
from fairbench.analyze.relative import relative_table
from fairbench.analyze.selection import optimism
from fairbench.analyze.skill import baseline_skill
from fairbench.analyze.split_audits import audit_splits
from fairbench.analyze.verdicts import judge, verdicts, with_chance, with_debiased, with_population
from fairbench.analyze.view import DECLARED, View

if TYPE_CHECKING:
    from collections.abc import Hashable


__all__ = ["Run"]


class Run(Matched):
    """What a run folder says, as pandas frames computed from its stored predictions.

    Each table is computed once; a method returns a copy that is yours to change. It reads the run
    by what its study declared, or by the metrics and the tolerance of the `View` that it is given;
    where the run has no such metric it raises `StudyError`.

    Parameters
    ----------
    path
        A run folder.
    ahead
        What was measured of its chunks while others were trained, if anything was.

    Raises
    ------
    RunFolderError
        Where there is no readable manifest.
    """

    @once_per_view
    def verdicts(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Differences to the baseline with intervals, tests, a verdict and a sentence.

        One row per dataset, target, attribute and method, see `fairbench.analyze.judge`.
        """
        axes = self.axes(view)
        return judge(
            self._fronts_of(axes),
            axes,
            self.baseline,
            self.corrections,
            primary=self.primary,
            tolerance=view.tolerance,
            groups=self._groups,
            chance=self.noise(view),
            population=self.population(view),
            debiased=self.debiased(view),
            on_test=self._on_test,
            others=self.other_p(view)["p"].to_numpy(),
        )

    @once_per_view
    def other_p(self, view: View = DECLARED, /) -> pd.DataFrame:
        """p-values of the comparisons that every other disparity metric makes: column ``p``."""
        compared = self._every_metric(view)
        name = self.axes(view).disparity
        other = ~compared["primary"] & (compared["metric"] != name)
        return compared.loc[other, ["p"]].reset_index(drop=True)

    @once_per_view
    def all_verdicts(self, view: View = DECLARED, /) -> pd.DataFrame:
        """The same chosen trials judged by every disparity metric, named in column ``metric``.

        Trials are chosen by `disparity`; `fairbench.analyze.disagreements` of this table says
        where another metric contradicts it. All but the primary analysis are corrected as one
        family of exploratory comparisons.
        """
        compared = self._every_metric(view)
        chosen_by = self.axes(view)
        tables = []
        for name in dict.fromkeys(compared["metric"]):
            own = (compared["metric"] == name).to_numpy()
            table = compared[own].drop(columns=["metric", "primary"]).reset_index(drop=True)
            table = with_chance(table, self.noise(view))
            if name != chosen_by.disparity:  # labels were dealt for that metric alone
                table["chance_p"] = np.nan
            else:
                debiased = self.debiased(view)
                table = with_debiased(table, debiased)
                beyond = self.population(view)
                table = with_population(table, beyond)
            judged = verdicts(
                table,
                self.axes(View(chosen_by.error, name)),
                self.baseline,
                primary=self.primary,
                on_test=self._on_test,
                others=compared.loc[~own & ~compared["primary"], "p"].to_numpy(),
            )
            tables.append(judged.assign(metric=name))
        if not tables:
            return self.verdicts(view).assign(metric="")
        return pd.concat(tables, ignore_index=True)

    @once_per_view
    def _every_metric(self, view: View, /) -> pd.DataFrame:
        """Comparisons by every disparity metric, and which of them are the primary analysis."""
        chosen_by = self.axes(view)
        stated = self.primary
        margin = stated.margin if view.tolerance is None else view.tolerance
        points = self.matched(view)
        chosen = points[list(CHOSEN)]
        several = [
            self.axes(View(chosen_by.error, component.name))
            for component in self.components
            if self.describe(component.name).role == "disparity"
        ]
        by = ["metric"]
        measured = points_by_metric(self._metrics, self.selection, several)
        pairs = paired(measured_among(chosen, measured, self.baseline, by=by), by=by)
        room = stated.disparity_margin
        compared = compare(pairs, self.corrections, margin=margin, disparity_margin=room, by=by)
        compared = compared.assign(margin=margin, disparity_margin=room)
        changes = group_changes(points, self._groups, self.baseline, self.corrections)
        compared = compared.merge(changes, on=METHOD, how="left")
        covered = {a.disparity for a in several if stated.covers(a, margin)}
        views = zip(compared["target"], compared["protected"], strict=True)
        first = [stated.views.get(d) == v for d, v in zip(compared["dataset"], views, strict=True)]
        return compared.assign(
            primary=compared["metric"].isin(covered) & np.array(first, dtype=bool)
        )

    @once_per_axes
    def noise(self, view: View = DECLARED, /) -> pd.DataFrame:
        """The noise floor of the baseline, and whether its disparity is more than chance.

        The columns of `fairbench.analyze.noise_floor` and of `fairbench.analyze.Chance`: the
        metric with group labels dealt at random, the p-value of the true ones, and why a p-value
        could not have been small. None of the latter where the run selects on test rows.
        """
        inferred = (field.name for field in fields(Chance))
        return self._concluded(self._against_chance(view), *inferred)

    @once_per_axes
    def _against_chance(self, view: View, /) -> pd.DataFrame:
        axes = self.axes(view)
        fronts = self._fronts_of(axes)
        floor = noise_floor(fronts, axes, self.baseline)
        points = baseline_points(fronts, axes, self.baseline)
        metric = self._component(axes.disparity)
        return against_chance(self._folder, floor, points, metric, axes.disparity_best)

    @once_per_axes
    def baseline_groups(self, view: View = DECLARED, /) -> pd.DataFrame:
        """The baseline's errors and bias by group: see `baseline_groups_table`."""
        axes = self.axes(view)
        points = baseline_points(self._fronts_of(axes), axes, self.baseline)
        table = baseline_groups_table(points, self._groups, self.corrections)
        return self._concluded(table, "low", "high")

    @once_per_axes
    def skill(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Whether the baseline is better than predicting the mean: see `baseline_skill`."""
        axes = self.axes(view)
        return baseline_skill(
            baseline_points(self._fronts_of(axes), axes, self.baseline),
            self._rows,
            {name: list(facts["targets"]) for name, facts in self.manifest["datasets"].items()},
            axes,
            self._component(axes.error),
            self.corrections,
        )

    def boxes(self, view: View = DECLARED, /) -> dict[tuple[Hashable, ...], Box]:
        """Ideal and reference point per (dataset, target, attribute), fixed by this run's data."""
        axes = self.axes(view)
        return boxes(self._fronts_of(axes), axes)

    @once_per_axes
    def optimism(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Hypervolume lost by choosing honestly: see `fairbench.analyze.optimism`."""
        axes = self.axes(view)
        return optimism(self._fronts_of(axes), axes, self.boxes(view))

    @once_per_axes
    def relative(self, view: View = DECLARED, /) -> pd.DataFrame:
        """ARFG, ARE and Δm of every method: see `fairbench.analyze.relative_table`."""
        axes, chance = self.axes(view), self._against_chance(view)
        return relative_table(self._metrics, axes, self.baseline, chance)

    @once_per_axes
    def indicators(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Hypervolume, IGD⁺ and ε of every front: see `fairbench.analyze.indicators_table`."""
        axes = self.axes(view)
        return indicators_table(self._fronts_of(axes), axes, self.boxes(view))

    @once_per_axes
    def quality(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Fronts as a whole, means over splits: see `fairbench.analyze.mean_over_splits`.

        The indicators of the fronts chosen on selection rows, the ``gain`` in hypervolume over
        the baseline's on the same split and seed, the hypervolume ``test_selected`` of fronts
        chosen on test rows instead, and the ``gap`` between the two.
        """
        table = self.indicators(view)
        repeat = [*METHOD[:3], "split", "seed"]
        base = table[table["method"] == self.baseline].set_index(repeat)["hypervolume"]
        paired_with = table[repeat].merge(base.rename("base").reset_index(), on=repeat, how="left")
        table["gain"] = table["hypervolume"] - paired_with["base"].to_numpy(dtype=np.float64)
        table.loc[table["method"] == self.baseline, "gain"] = np.nan
        corrections = self.corrections
        honest = mean_over_splits(table, (*INDICATORS, "gain"), corrections)
        lost = self.optimism(view)
        optimism = mean_over_splits(lost, ("test_selected", "gap"), corrections)
        both = pd.concat([honest, optimism], ignore_index=True) if len(honest) else honest
        return self._concluded(both, "low", "high")

    @once_per_axes
    def attainment(self, view: View = DECLARED, /) -> pd.DataFrame:
        """25, 50 and 75 % attainment surfaces: see `fairbench.analyze.attainment_table`."""
        axes = self.axes(view)
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
