"""Plots as SVG text: axes, lines, bands, bars and dots; no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "Bands",
    "Bars",
    "Dots",
    "Line",
    "Mark",
    "Panel",
    "draw",
]

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#767676"
"""Okabe and Ito's colours, told apart by all kinds of colour vision."""

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 46
LINE_HEIGHT = 16


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined in order."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 2.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Bands:
    """The area between two curves over the same places: (x, low, high)."""

    label: str
    edges: Sequence[tuple[float, float, float]]
    colour: str


@dataclass(frozen=True, slots=True)
class Dots:
    """Points, each with what is shown when it is pointed at, if anything."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    size: float = 3.0
    faint: bool = False
    titles: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from zero between neighbouring edges."""

    label: str
    edges: Sequence[float]
    heights: Sequence[float]
    colour: str


Mark = Line | Bands | Dots | Bars


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot of a figure.

    Parameters
    ----------
    ticks
        Names at places along x, where these are no numbers.
    top
        Largest y shown; what lies above is cut off.
    """

    title: str
    x: str
    y: str
    marks: Sequence[Mark]
    ticks: Sequence[tuple[float, str]] = ()
    top: float | None = None


def draw(title: str, description: str, panels: Sequence[Panel], /) -> str:
    """A figure with its panels side by side, as one SVG document that can stand in a page."""
    rows = max(len(_labelled(panel.marks)) for panel in panels)
    height = HEIGHT + LINE_HEIGHT * rows + 8
    inside = "".join(_panel(panel, WIDTH * at, height) for at, panel in enumerate(panels))
    width = WIDTH * len(panels)
    name, words = escape(title), escape(description)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="#1a1a1a">'
        f"<title>{name}</title><desc>{words}</desc>"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{inside}</svg>\n'
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps values to pixels: those of x grow to the right, those of y upwards."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{self.start + share * (self.end - self.start):.1f}"


def _panel(panel: Panel, shift: int, height: int) -> str:
    xs = [x for mark in panel.marks for x in _xs(mark)]
    ys = [y for mark in panel.marks for y in _ys(mark)]
    margin = 0.03 * ((max(xs) - min(xs)) or 1.0)
    top = panel.top if panel.top is not None else max(ys)
    x = _Scale(min(xs) - margin, max(xs) + margin, LEFT, WIDTH - RIGHT)
    y = _Scale(min(0.0, min(ys)), 1.05 * top or 1.0, HEIGHT - BOTTOM, TOP)
    clip = f"c{shift}"
    area = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    marks = "".join(_mark(mark, x, y) for mark in panel.marks)
    return (
        f'<g transform="translate({shift} 0)">'
        f'<text x="{LEFT}" y="20" font-weight="600">{escape(panel.title)}</text>'
        f'{_axes(panel, x, y)}<clipPath id="{clip}"><rect {area}/></clipPath>'
        f'<g clip-path="url(#{clip})">{marks}</g>{_legend(panel.marks)}</g>'
    )


def _xs(mark: Mark) -> Iterable[float]:
    match mark:
        case Bands(edges=edges):
            return [x for x, _, _ in edges]
        case Bars(edges=bounds):
            return bounds
        case _:
            return [x for x, _ in mark.points]


def _ys(mark: Mark) -> Iterable[float]:
    match mark:
        case Bands(edges=edges):
            return [y for _, low, high in edges for y in (low, high)]
        case Bars(heights=heights):
            return heights
        case _:
            return [y for _, y in mark.points]


def _mark(mark: Mark, x: _Scale, y: _Scale) -> str:
    match mark:
        case Line():
            way = " ".join(f"{x(a)},{y(b)}" for a, b in mark.points)
            dash = ' stroke-dasharray="5 4"' if mark.dashed else ""
            return (
                f'<polyline points="{way}" fill="none" stroke="{mark.colour}" '
                f'stroke-width="{mark.width}"{dash}/>'
            )
        case Bands():
            there = [f"{x(a)},{y(high)}" for a, _, high in mark.edges]
            back = [f"{x(a)},{y(low)}" for a, low, _ in reversed(mark.edges)]
            return (
                f'<polygon points="{" ".join(there + back)}" fill="{mark.colour}" opacity="0.15"/>'
            )
        case Bars():
            return "".join(
                f'<path d="M{x(left)} {y(0)}V{y(h)}H{x(right)}V{y(0)}Z" fill="{mark.colour}" '
                'stroke="#ffffff" stroke-width="0.5"/>'
                for left, right, h in zip(mark.edges, mark.edges[1:], mark.heights, strict=False)
            )
        case Dots():
            return _dots(mark, x, y)


def _dots(mark: Dots, x: _Scale, y: _Scale) -> str:
    titles = list(mark.titles) or [""] * len(mark.points)
    faint = ' opacity="0.35"' if mark.faint else ""
    dots = []
    for (a, b), title in zip(mark.points, titles, strict=True):
        place = f'<circle cx="{x(a)}" cy="{y(b)}" r="{mark.size:g}"'
        dots.append(f"{place}><title>{escape(title)}</title></circle>" if title else f"{place}/>")
    return f'<g fill="{mark.colour}"{faint}>{"".join(dots)}</g>'


def _axes(panel: Panel, x: _Scale, y: _Scale) -> str:
    bottom, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    named = panel.ticks or [(value, f"{value:g}") for value in _nice(x.low, x.high)]
    parts = [
        f'<text x="{x(value)}" y="{bottom + 16}" text-anchor="middle">{escape(word)}</text>'
        for value, word in named
    ]
    parts += [
        f'<path d="M{LEFT} {y(value)}H{WIDTH - RIGHT}" stroke="#d9d9d4"/>'
        f'<text x="{LEFT - 6}" y="{y(value)}" dy="4" text-anchor="end">{value:g}</text>'
        for value in _nice(y.low, y.high)
    ]
    parts.append(
        f'<path d="M{LEFT} {bottom}H{WIDTH - RIGHT}" stroke="#1a1a1a"/>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{bottom + 34}" text-anchor="middle">'
        f"{escape(panel.x)}</text>"
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.y)}</text>"
    )
    return "".join(parts)


def _nice(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, about five of them."""
    step = 10.0 ** floor(log10((high - low) / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= 6)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _labelled(marks: Sequence[Mark]) -> list[Mark]:
    """One mark per label, in order; marks without a label are not in the legend."""
    return list({mark.label: mark for mark in reversed(marks) if mark.label}.values())[::-1]


def _legend(marks: Sequence[Mark]) -> str:
    parts = []
    for row, mark in enumerate(_labelled(marks)):
        y = HEIGHT + LINE_HEIGHT * row + 8
        parts.append(
            f'<rect x="{LEFT}" y="{y - 8}" width="14" height="6" fill="{mark.colour}"/>'
            f'<text x="{LEFT + 20}" y="{y}">{escape(mark.label)}</text>'
        )
    return "".join(parts)
