"""Static figures for papers: fronts, and trade-off curves of every method that has one."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from fairbench.errors import PluginError
from fairbench.report import SECTIONS, Documents, Intervals, Reporter, View, gather

if TYPE_CHECKING:
    from fairbench.analyze import Best, Run
    from fairbench.report import Aspect, Contents

__all__ = ["Pdf", "Png", "Svg"]

# As in the HTML report: Okabe and Ito's colours, the baseline black, a symbol for each method.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B39B00")
_SYMBOLS = ("s", "D", "^", "P", "*", "v", "p", "h", "X")
_DASHES = ("-", "--", ":", "-.")
_BETTER = {"low": "lower is better", "high": "higher is better", "one": "1 is best"}


@dataclass(frozen=True)
class _Figures(Reporter):
    printed: ClassVar[bool] = False
    suffix: ClassVar[str]

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        matplotlib = _matplotlib()
        contents = gather(runs, view)
        # A fixed salt and no date: equal runs give equal bytes. Type 42: text stays text.
        style = {"svg.hashsalt": "fairbench", "pdf.fonttype": 42, "font.size": 9}
        with matplotlib.rc_context(style):
            documents: dict[str, bytes] = {}
            for name, figure in _all(contents):
                # Two labels may differ in punctuation alone.
                taken = f"{name}.{self.suffix}" in documents
                more = f"-{len(documents)}" if taken else ""
                documents[f"{name}{more}.{self.suffix}"] = self._saved(figure)
            return documents

    def _saved(self, figure: Any) -> bytes:
        buffer = io.BytesIO()
        undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
        figure.savefig(buffer, format=self.suffix, dpi=200, metadata=undated[self.suffix])
        return buffer.getvalue()


@dataclass(frozen=True)
class Svg(_Figures):
    """Scalable figures for the web."""

    suffix: ClassVar[str] = "svg"


@dataclass(frozen=True)
class Png(_Figures):
    """Figures as images, 200 dots per inch."""

    suffix: ClassVar[str] = "png"


@dataclass(frozen=True)
class Pdf(_Figures):
    """Scalable figures for LaTeX."""

    suffix: ClassVar[str] = "pdf"


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise PluginError(
            "static figures need matplotlib, which is not installed",
            hint="pip install 'fairbench-mtl[figures]'",
        ) from None
    return matplotlib


def _all(contents: Contents) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        for block in section.of_report(contents):
            if isinstance(block, Intervals):
                yield _name(block.name), _intervals(block, _unfinished(contents))
    for aspect in (aspect for sheet in contents.sheets for aspect in sheet.aspects):
        place = aspect.sheet.label, aspect.target, aspect.protected
        yield _name("fronts", *place), _fronts(contents, aspect)
        for method, facts in aspect.sheet.methods.items():
            if facts["tradeoff"] is not None:
                yield (
                    _name("curves", place[0], method, *place[1:]),
                    _curves(contents, aspect, method),
                )
        for section in SECTIONS:
            for block in section.of_aspect(contents, aspect):
                if isinstance(block, Intervals):
                    about = f"{aspect.sheet.label}: {aspect.name}{_unfinished(contents)}"
                    yield _name(block.name, *place), _intervals(block, about)


def _name(*parts: str) -> str:
    """Something to name a file by, of labels that may hold anything."""
    words = (re.sub(r"[^\w.]+", "-", part).strip("-.") or "x" for part in parts)
    return "-".join(words)[:120]


def _plain(words: str) -> str:
    """A label as it is: no mathematics, and no underscore that hides it from a legend."""
    plain = " ".join(words.split()).replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain


def _fronts(contents: Contents, aspect: Aspect) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    sheet = aspect.sheet
    trials = aspect.of(contents.fronts)
    averages = aspect.of(contents.averages)
    others = [method for method in sheet.methods if method != sheet.baseline]
    for method in sheet.methods:
        rank = others.index(method) if method in others else -1
        colour = "black" if rank < 0 else _COLOURS[rank % len(_COLOURS)]
        symbol = "o" if rank < 0 else _SYMBOLS[rank % len(_SYMBOLS)]
        single = trials[trials["method"] == method]
        axes.scatter(
            single["error"], single["disparity"], s=6, marker=symbol, color=colour, alpha=0.2,
            linewidths=0,
        )  # fmt: skip
        front = averages[averages["method"] == method]
        axes.plot(
            front["error"], front["disparity"], marker=symbol, color=colour, lw=1.2, ms=6,
            ls=_DASHES[max(rank, 0) % len(_DASHES)], mec="white", mew=0.5, label=_plain(method),
        )  # fmt: skip
    _label(axes.xaxis, contents.axes.error, contents.axes.error_best)
    _label(axes.yaxis, contents.axes.disparity, contents.axes.disparity_best)
    title = f"{sheet.label}: {aspect.name}, test rows{_unfinished(contents)}"
    axes.set_title(_plain(title), fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _unfinished(contents: Contents) -> str:
    return " (unfinished run)" * bool(contents.unfinished)


def _label(axis: Any, name: str, best: Best) -> None:
    axis.set_label_text(f"{_plain(name)} ({_BETTER[best]})")
    axis.set_inverted(best != "low")  # left and down are better, as in the HTML report


def _curves(contents: Contents, aspect: Aspect, method: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 6.0), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    sheet = aspect.sheet
    trials = aspect.of(contents.fronts)
    trials = trials[trials["method"] == method]
    groups = aspect.of(contents.groups)
    groups = groups[(groups["method"] == method) & (groups["part"] == "test")]
    groups = groups.assign(rmse=np.sqrt(groups["mse"]))
    _curve(top, trials, "error", "black", "-")
    _curve(middle, trials, "disparity", "black", "-")
    for number, label in enumerate(aspect.labels):
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
        own = groups[groups["group"] == label]
        line = _curve(bottom, own, "rmse", colour, dash)
        line.set_label(_plain(label))
    top.set_ylabel(_plain(contents.axes.error))
    middle.set_ylabel(_plain(contents.axes.disparity))
    bottom.set_ylabel("rmse by group")
    bottom.set_xlabel(_plain(sheet.methods[method]["tradeoff"]["name"]))
    bottom.legend(frameon=False, fontsize=8)
    title = f"{method} on {sheet.label}: {aspect.name}{_unfinished(contents)}"
    top.set_title(_plain(title), fontsize=9)
    return figure


def _curve(axes: Any, table: pd.DataFrame, column: str, colour: str, dash: str) -> Any:
    """A thin line per split and seed, the median bold; the bold line."""
    for _, run in table.groupby(["split", "seed"]):
        axes.plot(run["value"], run[column], color=colour, alpha=0.2, lw=0.7)
    median = table.groupby("value")[column].median()
    (line,) = axes.plot(median.index, median, color=colour, ls=dash, lw=2)
    return line


def _intervals(block: Intervals, about: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 1.2 + 0.28 * len(block.marks)), layout="constrained")
    axes = figure.subplots()
    if block.line:
        axes.axvspan(block.zero - block.room, block.zero + block.room, color="0.93", lw=0)
        axes.axvline(block.zero, color="0.6", lw=0.8)
    for row, mark in enumerate(block.marks):
        axes.plot([mark.low, mark.high], [row, row], color=_COLOURS[0], lw=2)
        axes.plot([mark.value], [row], marker="o", color="black", ms=5)
    axes.set_yticks(range(len(block.marks)), [_plain(mark.label) for mark in block.marks])
    axes.set_ylim(len(block.marks) - 0.5, -0.5)
    axes.set_xlabel(_plain(block.axis))
    axes.set_title(_plain(about), fontsize=9)
    return figure
