"""Figures 1 to 7, redrawn from the data and the runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairbench_paper.reproduction.printed import PAPER
from fairbench_paper.reproduction.results import Curve, DatasetResult, Histogram, Pictures, Unit
from fairbench_paper.reproduction.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Bands,
    Bars,
    Dots,
    Line,
    Mark,
    Panel,
    draw,
)

__all__ = ["Figure", "figures"]

COLOURS = (GREY, BLUE, ORANGE, GREEN)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the paper; `number` is the paper's own."""

    number: int
    title: str
    caption: str
    svg: str


def figures(dataset: DatasetResult, /) -> Iterator[Figure]:
    """Yield the figures of one dataset, in the paper's order."""
    if dataset.name == "boston":
        yield from _boston_data(dataset.pictures)
    else:
        yield _parkinson_data(dataset.pictures)
    first = 4 if dataset.name == "boston" else 6
    yield _curves(dataset, first)
    yield _fronts(dataset, first + 1)


def _histogram(histogram: Histogram, x: str, colour: str = BLUE) -> Panel:
    bars = Bars("", histogram.edges, histogram.counts, colour)
    return Panel(histogram.title, x, "rows", [bars])


def _boston_data(data: Pictures) -> Iterator[Figure]:
    b, medv = data.histograms
    title = "Distribution of B in Boston"
    yield Figure(
        1,
        title,
        "B is 1000(Bk − 0.63)², at most 396.9; most tracts lie near that maximum.",
        draw(title, "Histogram of B.", [_histogram(b, "B")]),
    )
    title = "MEDV, and B against MEDV"
    assert data.correlation is not None
    scatter = Panel(
        f"B and MEDV: r = {data.correlation:+.3f}",
        "B",
        "MEDV, 1,000 dollars",
        [Dots("", data.scatter, BLUE, 2.0, faint=True)],
    )
    panels = [_histogram(medv, "MEDV, 1,000 dollars"), scatter]
    caption = f"B rises with MEDV: Pearson's correlation is {data.correlation:+.3f}."
    yield Figure(
        2, title, caption, draw(title, "Histogram of MEDV; scatter of B and MEDV.", panels)
    )


def _parkinson_data(data: Pictures) -> Figure:
    title = "motor_UPDRS, and the sexes"
    bars: list[Mark] = []
    for at, (label, rows, people) in enumerate(data.members):
        words = f"{label}: {people} people, {rows:,} recordings"
        bars.append(Bars(words, (at - 0.4, at + 0.4), (people,), COLOURS[at + 1]))
    ticks = [(at, label) for at, (label, _, _) in enumerate(data.members)]
    panels = [
        _histogram(data.histograms[0], "motor_UPDRS, points"),
        Panel("People by sex", "", "people", bars, ticks),
    ]
    caption = "The 5,875 recordings come from 42 people; errors of a sex rest on that many."
    words = "Histogram of motor_UPDRS; people by sex."
    return Figure(3, title, caption, draw(title, words, panels))


def _curves(dataset: DatasetResult, number: int) -> Figure:
    title = f"Errors on {dataset.name} against α"
    groups = list(dict.fromkeys(curve.rows for curve in dataset.pictures.curves))
    panels = []
    for metric in dict.fromkeys(curve.metric for curve in dataset.pictures.curves):
        marks: list[Mark] = []
        for curve in dataset.pictures.curves:
            if curve.metric == metric:
                marks += _curve(curve, COLOURS[groups.index(curve.rows)])
        panels.append(Panel(metric.upper(), "α", metric.upper(), marks))
    caption = (
        f"Lines are medians over {dataset.centre.seeds} splits, bands run from the 5th to the "
        "95th percentile. The paper shows one line, of one split."
    )
    return Figure(number, title, caption, draw(title, "Errors of all rows and groups.", panels))


def _curve(curve: Curve, colour: str) -> tuple[Mark, Mark]:
    band = list(zip(curve.alpha, curve.low, curve.high, strict=True))
    line = list(zip(curve.alpha, curve.median, strict=True))
    return Bands(curve.rows, band, colour), Line(curve.rows, line, colour)


def _fronts(dataset: DatasetResult, number: int) -> Figure:
    table, unit = PAPER[dataset.name], dataset.unit
    title = f"Fronts on {dataset.name}, picked on test rows"
    marks: list[Mark] = []
    for front in dataset.pictures.fronts:
        line = [(disparity, error) for _, disparity, error in front.points]
        words = [
            f"split {front.split}, α = {alpha:g}: disparity {disparity:.3g}, error {error:.3g}"
            for alpha, disparity, error in front.points
        ]
        marks.append(Line("", line, BLUE, 0.7))
        marks.append(Dots("ours, one front per split", line, BLUE, 2.5, titles=words))
    baselines = [front.baseline for front in dataset.pictures.fronts]
    marks.append(Dots("our baseline, one per split", baselines, GREY, 3.0))
    printed = [(point.disparity, point.error) for point in table.front]
    names = [f"paper, α = {point.alpha:g}" for point in table.front]
    marks.append(Line("", printed, ORANGE, 1.5, dashed=True))
    marks.append(Dots("the paper's front", printed, ORANGE, 4.0, titles=names))
    marks.append(Dots("the paper's baseline", [(table.disparity, table.error)], GREEN, 5.0))
    panel = Panel(
        title,
        f"disparity in {unit.upper()}",
        f"{unit.upper()}",
        marks,
        top=_top(dataset, unit),
    )
    caption = (
        "Each blue line is what the paper's procedure would have printed on one split. Where "
        "fronts of different splits lie further apart than the front is long, its shape is luck."
    )
    return Figure(number, title, caption, draw(title, "Error against disparity.", [panel]))


def _top(dataset: DatasetResult, unit: Unit) -> float:
    """Return the end of the error axis: well above the paper's own points, outliers cut off."""
    table = PAPER[dataset.name]
    ours = dataset.centre.unit(unit).front[1].ours.high
    return max(1.5 * max(point.error for point in table.front), min(ours, 3 * table.error))
