"""What is known of groups: intervals, pairs, and how far chance moves predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.analyze import Run
from fairbench.report.blocks import Block, Cells, Intervals, Mark, Said
from fairbench.report.section import Data, Section
from fairbench.report.sheet import rows_of
from fairbench.report.words import between, number, percent, signed

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect

__all__ = ["Groups"]

_MOST_PAIRS = 30
"""Pairs of groups that are shown of one method; the CSV and JSON hold all."""


class Groups(Section):
    """Tables of every method where it is matched with the baseline."""

    name: ClassVar[str] = "groups"
    title: ClassVar[str] = "Groups: who bears the errors"

    def of_aspect(self, contents: Contents, aspect: Aspect, /) -> Iterator[Block]:
        found = [
            cells
            for cells in (
                _intervals(contents, aspect),
                _pairs(contents, aspect),
                _arbitrariness(contents, aspect),
            )
            if cells.rows
        ]
        if found:
            yield Said(
                "How much each group's value can be trusted, how sure it is that two groups "
                "differ, and how far the prediction for one person moves when nothing but the "
                "seed of the training changes (as a share of the group's residuals, the part of "
                "its errors that chance decides). Rows of one cluster count as one observation.",
                folded=True,
            )
        if (drawn := _drawn(contents, aspect)).marks:
            yield drawn
        yield from found
        if not found:
            yield Said(
                f"Of groups of {aspect.protected} nothing more is known: this metric compares no "
                "means of groups, and there is one seed per split."
            )

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("group-intervals", contents.table(Run.group_intervals))
        yield Data("group-pairs", contents.table(Run.group_pairs))
        yield Data("debiased", contents.table(Run.debiased))
        yield Data("arbitrariness", contents.table(Run.arbitrariness))


def _intervals(contents: Contents, aspect: Aspect) -> Cells:
    """What the disparity metric says of every group of every method."""
    compared = f"compared by {contents.axes.disparity}"
    header = ("method", "group", "rows or clusters", compared, "95 % interval")
    rows = tuple(
        (r.method, r.group, str(r.units), number(r.value), between(r.low, r.high))
        for r in rows_of(aspect.of(contents.table(Run.group_intervals)))
    )
    title = "Groups, means over splits and seeds on test rows"
    return Cells(header, rows, numbers=(2, 3, 4), name="groups", title=title)


def _drawn(contents: Contents, aspect: Aspect) -> Intervals:
    own = rows_of(aspect.of(contents.table(Run.group_intervals)))
    return Intervals(
        name="groups",
        axis=f"values that {contents.axes.disparity} compares",
        marks=tuple(Mark(f"{r.method}: {r.group}", r.value, r.low, r.high) for r in own),
        caption=(
            "Dots are means over splits and seeds on test rows, bars their 95 % intervals. Groups "
            "of one method whose bars lie apart are treated differently."
        ),
    )


def _pairs(contents: Contents, aspect: Aspect) -> Cells:
    """How sure it is that two groups differ: the surest pairs of every method first."""
    own = contents.table(Run.group_pairs).sort_values("adjusted_p", kind="stable")
    surest = aspect.of(own).groupby("method", sort=False).head(_MOST_PAIRS)
    header = ("method", "groups", "difference", "95 % interval", "adjusted p", "evidence")
    rows = tuple(
        (
            r.method,
            f"{r.first} – {r.second}",
            signed(r.difference),
            between(r.low, r.high),
            number(r.adjusted_p),
            r.evidence,
        )
        for r in rows_of(surest)
    )
    title = "Pairs of groups; p adjusted by Holm"
    return Cells(header, rows, numbers=(2, 3, 4), name="pairs of groups", title=title)


def _arbitrariness(contents: Contents, aspect: Aspect) -> Cells:
    """How far the prediction for a row moves with the seed of the training alone."""
    header = (
        "method",
        "group",
        "sd over seeds",
        "95 % interval",
        "share of residuals",
        "one in twenty above",
    )
    rows = tuple(
        (
            r.method,
            r.group,
            number(r.sd),
            between(r.low, r.high),
            percent(r.relative),
            number(r.most),
        )
        for r in rows_of(aspect.of(contents.table(Run.arbitrariness)))
    )
    title = "How far predictions move with the seed alone"
    return Cells(header, rows, numbers=(2, 3, 4, 5), name="arbitrariness", title=title)
