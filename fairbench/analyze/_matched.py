"""Methods where they are matched with the baseline, and what their predictions say of groups.

The second of three files that make up a `Run`: `_tabled`, this one, `run`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from fairbench.analyze._once import once_per_view
from fairbench.analyze._tabled import Tables
from fairbench.analyze.arbitrariness import arbitrariness_table
from fairbench.analyze.debiased import debiased_table
from fairbench.analyze.described import described
from fairbench.analyze.group_evidence import group_tables
from fairbench.analyze.held_out import held_out, points_deployed
from fairbench.analyze.intervals import Correction
from fairbench.analyze.matched import baseline_points, matched_points
from fairbench.analyze.overlap import Overlap, split_overlap
from fairbench.analyze.permutation import row_values
from fairbench.analyze.population import population_table
from fairbench.analyze.primary import Primary, declared_in
from fairbench.analyze.view import DECLARED, View

if TYPE_CHECKING:
    from fairbench.analyze.axes import Axes
    from fairbench.analyze.held_out import Deployed
    from fairbench.fold import Part
    from fairbench.store import Rows

__all__ = ["Matched"]


class Matched(Tables):
    """The tables of a run, and its methods set to what one would deploy of them."""

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

    @property
    def corrections(self) -> dict[str, Correction]:
        """What tests over splits need of each dataset's `overlaps`."""
        return {
            name: Correction(overlap.ratio, overlap.df, overlap.distinct)
            for name, overlap in self.overlaps.items()
        }

    @cached_property
    def primary(self) -> Primary:
        """The analysis that was declared before the run; all others are exploratory."""
        return declared_in(self.manifest)

    @property
    def selection(self) -> str:
        """The part that trade-off values are selected on: ``validation`` or ``test``."""
        return str(self.manifest["protocol"]["selection"])

    @property
    def _on_test(self) -> tuple[str, ...]:
        """Datasets of this run that are described only, because it selects on test rows."""
        return tuple(self.manifest["datasets"]) if self.selection == "test" else ()

    @once_per_view
    def matched(self, view: View = DECLARED, /) -> pd.DataFrame:
        """The fairest trial of each method within reach of the baseline's validation error.

        One row per split and seed, see `fairbench.analyze.matched_points`; without rows where
        the study has no baseline. The tolerance is the margin of the study's primary analysis
        where the view names none.
        """
        axes = self.axes(view)
        reach = self.primary.margin if view.tolerance is None else view.tolerance
        return matched_points(self._fronts_of(axes), axes, self.baseline, tolerance=reach)

    @once_per_view
    def debiased(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Variance between groups without what chance adds: see `fairbench.analyze.debiased_table`.

        Without rows for a metric that compares no means.
        """
        by_row = row_values(self._component(self.axes(view).disparity))
        held = {} if by_row is None else self._deployed(view)
        return debiased_table(held, self._rows, by_row, self.baseline, self.corrections)

    @once_per_view
    def population(self, view: View = DECLARED, /) -> pd.DataFrame:
        """Differences to the baseline in the population: see `population_table`.

        For the views of the primary analysis; without rows under selection on test rows.
        """
        axes = self.axes(view)
        views = {(name, *place) for name, place in self.primary.views.items()}
        parts: tuple[Part, ...] = () if self._on_test else ("test", "validation")
        deployed, validated = [
            {key: held for key, held in self._deployed(view, part).items() if key[:3] in views}
            for part in parts
        ] or [{}, {}]
        return population_table(
            deployed,
            validated,
            self._rows,
            self._component(axes.disparity),
            axes.disparity_best,
            self.baseline,
            self.overlaps,
            self.manifest["study"]["entropy"],
        )

    @once_per_view
    def group_intervals(self, view: View = DECLARED, /) -> pd.DataFrame:
        """What the metric says of each group, with intervals: `fairbench.analyze.group_tables`.

        Of the baseline and of every method where it is matched with it.
        """
        return self._concluded(self._by_group(view)[0], "low", "high")

    @once_per_view
    def group_pairs(self, view: View = DECLARED, /) -> pd.DataFrame:
        """How sure it is that two groups differ: see `fairbench.analyze.group_tables`."""
        pairs = self._by_group(view)[1]
        return self._concluded(pairs, "low", "high", "p", "adjusted_p", "evidence")

    @once_per_view
    def arbitrariness(self, view: View = DECLARED, /) -> pd.DataFrame:
        """How far predictions move with the seed: see `fairbench.analyze.arbitrariness_table`."""
        table = arbitrariness_table(self._deployed(view), self._rows)
        return self._concluded(table, "low", "high")

    def _concluded(self, table: pd.DataFrame, /, *inferred: str) -> pd.DataFrame:
        """`table`, of a run that selects on test rows without the columns `inferred`."""
        return described(table, *inferred) if self._on_test else table

    def _by_group(self, view: View, /) -> tuple[pd.DataFrame, pd.DataFrame]:
        by_row = row_values(self._component(self.axes(view).disparity))
        held = {} if by_row is None else self._deployed(view)
        return group_tables(held, self._rows, by_row)

    def _deployed(self, view: View, /, part: Part = "test") -> Deployed:
        """Predictions of the baseline, and of every method where it is matched with it."""
        axes = self.axes(view)
        key = axes, view.tolerance, part
        if key not in self._held:
            base = baseline_points(self._fronts_of(axes), axes, self.baseline)
            points = points_deployed(base, self.matched(view))
            self._held[key] = held_out(self._folder, points, part=part)
        return self._held[key]

    @cached_property
    def _held(self) -> dict[tuple[Axes, float | None, Part], Deployed]:
        return {}

    def scales(self) -> pd.DataFrame:
        """Standard deviation ``sd`` of every target over all rows: dataset, target, sd."""
        rows = [
            (dataset, target, float(self._rows[dataset].targets[:, number].std()))
            for dataset, facts in self.manifest["datasets"].items()
            for number, target in enumerate(facts["targets"])
        ]
        return pd.DataFrame(rows, columns=["dataset", "target", "sd"])

    @cached_property
    def _rows(self) -> dict[str, Rows]:
        return {name: self._folder.rows(name) for name in self.manifest["datasets"]}
