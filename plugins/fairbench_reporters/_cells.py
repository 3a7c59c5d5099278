"""Tables of words, the same in every format that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.report import Contents, Sheet

__all__ = [
    "Cells",
    "card",
    "costs",
    "diverged",
    "failures",
    "number",
    "points",
    "spread",
    "warnings",
]


@dataclass(frozen=True)
class Cells:
    """A table of words: one header and rows of its length.

    `numbers` are the columns that are read as numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


def number(value: float, /) -> str:
    """Four significant digits, or a dash for what is not known."""
    return "–" if pd.isna(value) else f"{value:.4g}"


def spread(mean: float, deviation: float, /) -> str:
    """Mean ± standard deviation: this with two significant digits, that to the same place."""
    if pd.isna(deviation) or deviation == 0:
        return number(mean)
    places = min(8, max(0, 1 - floor(log10(deviation))))
    return f"{mean:.{places}f} ± {deviation:.{places}f}"


def points(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """Every method's averaged front on test rows, the baseline first."""
    table = contents.averages
    table = table[
        (table["dataset"] == sheet.label)
        & (table["target"] == target)
        & (table["protected"] == protected)
    ]
    rows = [
        (
            method + " (baseline)" * (method == sheet.baseline),
            sheet.tradeoff(method, point.value),
            spread(point.error, point.error_sd),
            spread(point.disparity, point.disparity_sd),
            f"{point.chosen} of {point.trials}",
        )
        for method in sheet.methods
        for point in _tuples(table[table["method"] == method])
    ]
    rows += [
        (method, "–", "no usable trial", "–", "–")
        for method in sheet.methods
        if not (table["method"] == method).any()
    ]
    axes = contents.axes
    header = ("method", "trade-off", axes.error, axes.disparity, "on its own front")
    return Cells(header, tuple(rows), numbers=(2, 3, 4))


def _tuples(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def failures(contents: Contents, /) -> Cells:
    """Chunks that produced nothing."""
    rows = tuple(
        (f.dataset, f.method, str(f.split), str(f.trials), f.reason)
        for f in _tuples(contents.failures)
    )
    return Cells(("dataset", "method", "split", "trials lost", "reason"), rows, numbers=(2, 3))


def diverged(contents: Contents, /) -> Cells:
    """Trials without a prediction in chunks that finished."""
    sheets = {sheet.label: sheet for sheet in contents.sheets}
    rows = tuple(
        (
            t.dataset,
            t.method,
            sheets[t.dataset].tradeoff(t.method, t.value),
            str(t.seed),
            str(t.split),
            t.status,
            (t.note.strip().splitlines() or [""])[-1],
        )
        for t in _tuples(contents.diverged)
    )
    header = ("dataset", "method", "trade-off", "seed", "split", "status", "note")
    return Cells(header, rows, numbers=(3, 4))


def costs(contents: Contents, /) -> Cells:
    """What each run took."""
    header = ("run", "trials", "model steps", "training", "wall clock", "jobs", "device", "machine")
    return Cells(header, tuple(_cost(run) for run in contents.runs), numbers=(1, 2, 3, 4, 5))


def _cost(run: Run) -> tuple[str, ...]:
    progress, machine = run.manifest["progress"], run.manifest["machine"]
    failed = f", {lost} failed" if (lost := progress.get("trials_failed", 0)) else ""
    return (
        str(run.manifest["title"]),
        f"{progress['trials_done']} of {progress['trials']}{failed}",
        f"{progress['model_steps']:,}",
        f"{progress['train_seconds']:.1f} s",
        f"{progress['wall_seconds']:.1f} s",
        str(progress["jobs"]),
        f"{progress['device']} ({progress['executor']})",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB",
    )


def card(sheet: Sheet, contents: Contents, /) -> Iterator[tuple[str, str]]:
    """The data card, line by line: what it is called, and what it says."""
    facts = sheet.facts
    yield "Source", facts["source"]
    yield "Licence", facts["licence"]
    yield "Citation", facts["citation"]
    dropped = "; ".join(f"{count} for {reason}" for reason, count in facts["dropped"])
    yield "Rows", f"{facts['rows']}" + (f" (dropped: {dropped})" if dropped else "")
    yield "Clusters", facts["cluster"] and f"rows of one {facts['cluster']} stay together"
    yield "Features", f"{len(facts['features'])}: {', '.join(facts['features'])}"
    yield "Targets", ", ".join(facts["targets"])
    for attribute in facts["protected"]:
        sizes = _test_sizes(contents, sheet, attribute["name"])
        groups = ", ".join(f"{label} ({sizes.get(label, '–')})" for label in attribute["labels"])
        name = f"{attribute['name']} ({attribute['kind']})"
        yield "Protected", f"{name}; groups with their rows in a test part: {groups}"
    for caveat in facts["caveats"]:
        yield "Caveat", caveat


def _test_sizes(contents: Contents, sheet: Sheet, protected: str) -> dict[str, str]:
    """By group, the fewest and the most test rows over the splits."""
    table = contents.groups
    own = table[
        (table["dataset"] == sheet.label)
        & (table["protected"] == protected)
        & (table["part"] == "test")
    ]
    sizes = own.groupby("group")["n"].agg(["min", "max"])
    return {
        str(group): f"{low}" if low == high else f"{low}–{high}"
        for group, low, high in sizes.itertuples()
    }


def warnings(sheet: Sheet, /) -> Sequence[str]:
    """What must be said of this dataset and of its methods, before any number."""
    found = [sheet.facts["warning"]]
    found += [f"{name}: {m['warning']}" for name, m in sheet.methods.items() if m["warning"]]
    return [warning for warning in found if warning]
