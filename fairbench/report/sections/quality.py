"""How much of the baseline's disparity is noise, and how good whole fronts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from fairbench.analyze import LEVEL
from fairbench.report.blocks import Block, Cells, Said
from fairbench.report.section import Data, Section
from fairbench.report.sheet import rows_of
from fairbench.report.words import between, loss_name, number

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect

__all__ = ["Quality", "noise_sentence"]

_QUANTITIES = ("hypervolume", "gain", "igd_plus", "epsilon", "test_selected", "gap")


class Quality(Section):
    """The noise floor of every baseline; hypervolume and optimism of every front."""

    name: ClassVar[str] = "quality"
    title: ClassVar[str] = "Noise and optimism"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        yield Said(
            "Before a method is praised: how much does the baseline's disparity move though "
            "nothing was changed, and is it more than chance? The p-value compares it with the "
            "same predictions under group labels dealt at random. Differences below the number "
            "in the last column would usually have been missed, after allowing for all "
            "comparisons made; “fairbench plan” says what more splits, seeds or rows would find.",
            folded=True,
        )
        floor = _noise(contents)
        yield floor if floor.rows else Said("This needs a baseline, and the study has none.")
        yield Said(
            "A front as a whole is judged by its hypervolume (the share of the reachable area "
            "that it beats: more is better), by IGD⁺ and ε (how far it falls short of the best "
            "that all methods reach together: less is better), in brackets a 95 % interval over "
            "splits. What is measured on test rows was chosen on the selection rows of other "
            "trainings, point by point, so that fifty trials which do nothing are worth no more "
            "than one. Optimism is the hypervolume that choosing trade-off values on the test "
            "rows themselves would have added. It is an illusion: it would vanish on new data.",
            folded=True,
        )

    def of_aspect(self, contents: Contents, aspect: Aspect, /) -> Iterator[Block]:
        table = aspect.of(contents.judgement.quality)
        rows = []
        for method in table["method"].unique():
            own = {q.quantity: q for q in rows_of(table[table["method"] == method])}
            rows.append((method, *(_estimate(own[name]) for name in _QUANTITIES)))
        header = (
            "method",
            "hypervolume",
            "more than the baseline's",
            "IGD⁺",
            "ε",
            "hypervolume if chosen on test",
            "optimism",
        )
        yield Cells(
            header,
            tuple(rows),
            numbers=tuple(range(1, 7)),
            name="quality of fronts",
            title="Quality of whole fronts",
        )
        yield from _box(contents, aspect)

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("noise", contents.judgement.noise)
        yield Data("quality", contents.judgement.quality)
        yield Data("boxes", contents.judgement.boxes)


def noise_sentence(contents: Contents, aspect: Aspect, /) -> str:
    """What the baseline's disparity is worth; empty where there is no baseline."""
    table = aspect.of(contents.judgement.noise)
    if table.empty:
        return ""
    floor = next(rows_of(table))
    name = contents.axes.disparity
    told = (
        f"The {name} of {aspect.sheet.baseline} alone is {number(floor.disparity, 3)} on average, "
        f"from {between(floor.low, floor.high)} over {floor.splits} splits."
    )
    if floor.powerless:
        return told + f" Whether that is more than chance cannot be told: {floor.powerless}."
    if pd.notna(floor.p):
        beyond = "more than" if floor.p <= LEVEL else "not more than"
        side = {"low": "below", "high": "above", "one": "nearer to 1 than"}
        limit = f"95 % {side[contents.axes.disparity_best]} {number(floor.null_high, 3)}"
        told += (
            f" That is {beyond} chance gives: with group labels dealt at random it is "
            f"{number(floor.null_mean, 3)} ({limit}; p = {number(floor.p)})."
        )
    return told


def _noise(contents: Contents) -> Cells:
    """The baseline's disparity, and how much of it is noise."""
    header = (
        "baseline on",
        f"mean {contents.axes.disparity}",
        "sd over seeds",
        "sd over splits",
        "lowest to highest",
        "by chance (95 % better than)",
        "p",
        "would have missed below",
    )
    aspects = {
        (a.sheet.label, a.target, a.protected): a for s in contents.sheets for a in s.aspects
    }
    rows = tuple(
        (
            f"{n.dataset}: {n.target} by {n.protected}",
            number(n.disparity),
            number(n.seed_sd),
            number(n.split_sd),
            between(n.low, n.high),
            f"{number(n.null_mean)} ({number(n.null_high)})",
            number(n.p),
            _missed(contents, aspects[n.dataset, n.target, n.protected]),
        )
        for n in rows_of(contents.judgement.noise)
    )
    name = "noise floor of the baseline"
    return Cells(header, rows, numbers=tuple(range(1, 8)), name=name, title="Noise floor")


def _missed(contents: Contents, aspect: Aspect) -> str:
    """The differences that the verdicts of one aspect could not have shown, least to largest."""
    own = aspect.of(contents.judgement.verdicts)["detectable"]
    least, most = own.min(), own.max()
    return number(least) if number(least) == number(most) else between(least, most)


def _box(contents: Contents, aspect: Aspect) -> Iterator[Said]:
    """Where these fronts are measured: normalisation and reference point, in one sentence."""
    axes = contents.axes
    for own in rows_of(aspect.of(contents.judgement.boxes)):
        (error, disparity), (error_end, disparity_end) = own.ideal, own.reference
        yield Said(
            f"Measured, for all methods alike, from {loss_name(axes.error, axes.error_best)} "
            f"{number(error)} to {number(error_end)} and from "
            f"{loss_name(axes.disparity, axes.disparity_best)} {number(disparity)} to "
            f"{number(disparity_end)}, each scaled to 1: from the least of any trial to the 95th "
            "percentile, which is the reference point."
        )


def _estimate(quantity: Any) -> str:
    told = "–" if pd.isna(quantity.mean) else f"{quantity.mean:.2f}"
    if pd.isna(quantity.low):
        return told
    return f"{told} ({quantity.low:.2f} to {quantity.high:.2f})"
