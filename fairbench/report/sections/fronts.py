"""Every method's front: what accuracy costs in fairness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.report.blocks import Block, Cells
from fairbench.report.section import Data, Section
from fairbench.report.sheet import rows_of
from fairbench.report.words import spread

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect

__all__ = ["Fronts"]


class Fronts(Section):
    """Averaged fronts on test rows, the baseline's first."""

    name: ClassVar[str] = "fronts"
    title: ClassVar[str] = "Fronts: what accuracy costs in fairness"

    def of_aspect(self, contents: Contents, aspect: Aspect, /) -> Iterator[Block]:
        sheet, axes = aspect.sheet, contents.axes
        table = aspect.of(contents.averages)
        rows = [
            (
                point.method + " (baseline)" * (point.method == sheet.baseline),
                sheet.tradeoff(point.method, point.value),
                spread(point.error, point.error_sd),
                spread(point.disparity, point.disparity_sd),
                f"{point.chosen} of {point.trials}",
            )
            for point in rows_of(table)
        ]
        rows += [
            (method, "–", "no usable trial", "–", "–")
            for method in sheet.methods
            if not (table["method"] == method).any()
        ]
        yield Cells(
            ("method", "trade-off", axes.error, axes.disparity, "on its own front"),
            tuple(rows),
            numbers=(2, 3, 4),
            name="fronts",
            title="Fronts chosen on selection rows; means (sd) over splits and seeds on test rows",
        )

    def data(self, contents: Contents, /) -> Iterator[Data]:
        fronts = contents.fronts
        yield Data("fronts", fronts, brief=fronts[fronts["front"]].drop(columns="front"))
        yield Data("averaged-fronts", contents.averages)
        yield Data("summary", contents.summary)
        yield Data("metrics", contents.measured, bulky=True)
        yield Data("trials", contents.trials, bulky=True)
