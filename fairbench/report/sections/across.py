"""Methods compared with the baseline over datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.analyze import LEVEL
from fairbench.report.blocks import Block, Cells, Intervals, Mark, Said
from fairbench.report.section import Section
from fairbench.report.words import loss_name, number

if TYPE_CHECKING:
    from fairbench.analyze import Across
    from fairbench.report.contents import Contents

__all__ = ["AcrossDatasets", "finding"]


class AcrossDatasets(Section):
    """A sentence, the intervals drawn, and a table; nothing where there is no comparison."""

    name: ClassVar[str] = "across"
    title: ClassVar[str] = "Methods over datasets"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        if not contents.across.methods:
            return
        yield Said(_sentence(contents))
        yield _drawn(contents)
        yield _table(contents)


def finding(one: Across, /) -> str:
    """What can be said of one method over datasets."""
    if not one.adjusted_p <= LEVEL:
        return "not distinguishable"
    if one.change > 0:
        return "less fair"
    return "fairer" if one.error_p <= LEVEL else "fairer, at more error"


def _sentence(contents: Contents) -> str:
    found = contents.across
    most = max(one.datasets for one in found.methods)
    return (
        f"Over {most} datasets, each of which counts once, every method's change in "
        f"{_disparity(contents)} against the baseline, in {found.unit}; Student's t, adjusted for "
        f"{len(found.methods)} methods (Holm). “Fairer” also needs an error that is shown to "
        f"exceed the baseline's by less than {100 * found.margin:.3g} % on average; “at most” "
        "is its upper 95 % limit."
    )


def _drawn(contents: Contents) -> Intervals:
    name = contents.axes.disparity
    return Intervals(
        name="across",
        axis=f"mean change in {_disparity(contents)}",
        marks=tuple(Mark(o.method, o.change, o.low, o.high) for o in contents.across.methods),
        line="no change",
        caption=(
            f"Dots are mean changes in {name} against the baseline over all datasets, for the "
            "first target and protected attribute of each; left of the line is fairer. Bars are "
            "95 % intervals, before the p-values of the table allow for the number of methods. A "
            "bar that crosses the line says that these datasets do not tell the method from the "
            "baseline."
        ),
    )


def _table(contents: Contents) -> Cells:
    header = (
        "method",
        f"mean change in {_disparity(contents)}",
        "95 % interval",
        "adjusted p",
        "lower on",
        f"change in {contents.axes.error}",
        "at most",
        "finding",
    )
    rows = tuple(
        (
            one.method,
            f"{one.change:+.3g}",
            f"{one.low:+.3g} to {one.high:+.3g}",
            number(one.adjusted_p),
            f"{one.lower_on} of {one.datasets} datasets",
            f"{one.error_change:+.1%}",
            f"{one.error_high:+.1%}",
            finding(one),
        )
        for one in contents.across.methods
    )
    name = "methods over datasets"
    return Cells(header, rows, numbers=(1, 2, 3, 4, 5, 6), name=name, title="Methods over datasets")


def _disparity(contents: Contents) -> str:
    return loss_name(contents.axes.disparity, contents.axes.disparity_best)
