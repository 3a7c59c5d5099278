"""Verdicts and what they rest on, in words: the same in every format that people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from fairbench.analyze import in_words
from fairbench_reporters._cells import Cells, number

if TYPE_CHECKING:
    from fairbench.analyze import Best
    from fairbench.report import Contents, Sheet

__all__ = [
    "audits",
    "box",
    "comparison",
    "doubts",
    "noise",
    "noise_sentence",
    "primary",
    "quality",
    "rules",
    "verdicts",
]

_LEVEL = 0.05


def verdicts(
    contents: Contents, sheet: Sheet, target: str, protected: str, /
) -> list[tuple[str, str]]:
    """Verdict and sentence of every method but the baseline."""
    rows = _own(contents.judgement.verdicts, sheet, target, protected)
    return list(zip(rows["verdict"], rows["sentence"], strict=True))


def primary(contents: Contents, sheet: Sheet, /) -> str:
    """The analysis that was declared; empty where this sheet is not part of it."""
    stated = contents.judgement.primary
    if sheet.label not in stated.views or sheet.baseline is None:
        return ""
    target, protected = stated.views[sheet.label]
    whose = "Primary analysis" if stated.declared else "Primary analysis (none was declared)"
    told = (
        f"{whose}: {target} by {protected}, error {stated.error} with a margin of "
        f"{100 * stated.margin:.3g} %, disparity {stated.disparity} with a margin of "
        f"{100 * stated.disparity_margin:.3g} %. All else is exploratory."
    )
    axes = contents.axes
    if stated.covers(axes, contents.tolerance):
        return told
    return f"{told} This report looks at another: nothing in it is the primary analysis."


def doubts(contents: Contents, sheet: Sheet, /) -> list[str]:
    """What takes the ground from under every comparison with the baseline."""
    skill = contents.judgement.skill
    own = skill[(skill["dataset"] == sheet.label) & ~skill["better"].astype(bool)]
    name = contents.axes.error
    return [
        f"{sheet.baseline} is not shown to predict {s.target} better than its mean does: {name} "
        f"{_plain(s.error, contents.axes.error_best)} against "
        f"{_plain(s.mean_error, contents.axes.error_best)}. What is compared with it says little."
        for s in _tuples(own)
    ]


def comparison(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """The numbers behind the verdicts."""
    axes = contents.axes
    disparity = _loss(axes.disparity, axes.disparity_best)
    error = _loss(axes.error, axes.error_best)
    header = (
        "method",
        "verdict",
        f"change in {disparity}{_unit(contents, axes.disparity, target)}",
        "95 % interval",
        "in the population",
        "in sd over seeds",
        f"change in {error}{_unit(contents, axes.error, target)}",
        "95 % interval",
        "accuracy",
        "fairer on",
        "adjusted p",
        "p of error within margin",
        "would have missed below",
        "probability fairer",
    )
    rows = tuple(
        (
            v.method,
            v.verdict,
            _signed(v.difference),
            _interval(v.low, v.high),
            _interval(v.population_low, v.population_high),
            _signed(v.effect_size),
            _signed(v.error_difference),
            _interval(v.error_low, v.error_high),
            v.accuracy or "–",
            f"{v.fairer_on} of {v.splits} splits",
            number(v.adjusted_p),
            number(v.adjusted_margin_p),
            number(v.detectable),
            number(v.p_fairer),
        )
        for v in _tuples(_own(contents.judgement.verdicts, sheet, target, protected))
    )
    return Cells(header, rows, numbers=(2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13))


def noise_sentence(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> str:
    """What the baseline's disparity is worth; empty where there is no baseline."""
    table = _own(contents.judgement.noise, sheet, target, protected)
    if table.empty:
        return ""
    floor = next(_tuples(table))
    name = contents.axes.disparity
    told = (
        f"The {name} of {sheet.baseline} alone is {floor.disparity:.3g} on average, from "
        f"{floor.low:.3g} to {floor.high:.3g} over {floor.splits} splits."
    )
    if floor.powerless:
        return told + f" Whether that is more than chance cannot be told: {floor.powerless}."
    if pd.notna(floor.p):
        beyond = "more than" if floor.p <= _LEVEL else "not more than"
        side = {"low": "below", "high": "above", "one": "nearer to 1 than"}
        limit = f"95 % {side[contents.axes.disparity_best]} {floor.null_high:.3g}"
        told += (
            f" That is {beyond} chance gives: with group labels dealt at random it is "
            f"{floor.null_mean:.3g} ({limit}; p = {number(floor.p)})."
        )
    return told


def noise(contents: Contents, /) -> Cells:
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
    rows = tuple(
        (
            f"{n.dataset}: {n.target} by {n.protected}",
            number(n.disparity),
            number(n.seed_sd),
            number(n.split_sd),
            _interval(n.low, n.high),
            f"{number(n.null_mean)} ({number(n.null_high)})",
            number(n.p),
            _missed(contents, n.dataset, n.target, n.protected),
        )
        for n in _tuples(contents.judgement.noise)
    )
    return Cells(header, rows, numbers=tuple(range(1, 8)))


def _missed(contents: Contents, dataset: str, target: str, protected: str) -> str:
    """The differences that the verdicts of one view could not have shown, least to largest."""
    table = contents.judgement.verdicts
    own = table[
        (table["dataset"] == dataset)
        & (table["target"] == target)
        & (table["protected"] == protected)
    ]
    least, most = own["detectable"].min(), own["detectable"].max()
    return number(least) if number(least) == number(most) else _interval(least, most)


def quality(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """Quality of whole fronts, and what choosing on test rows would have pretended."""
    table = _own(contents.judgement.quality, sheet, target, protected)
    header = (
        "method",
        "hypervolume",
        "more than the baseline's",
        "IGD⁺",
        "ε",
        "hypervolume if chosen on test",
        "optimism",
    )
    names = ("hypervolume", "gain", "igd_plus", "epsilon", "test_selected", "gap")
    rows = []
    for method in sheet.methods:
        own = {q.quantity: q for q in _tuples(table[table["method"] == method])}
        if own:
            rows.append((method, *(_estimate(own[name]) for name in names)))
    return Cells(header, tuple(rows), numbers=tuple(range(1, 7)))


def box(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> str:
    """Where these fronts are measured: normalisation and reference point, in one sentence."""
    axes = contents.axes
    for own in _tuples(_own(contents.judgement.boxes, sheet, target, protected)):
        (error, disparity), (error_end, disparity_end) = own.ideal, own.reference
        return (
            f"Measured, for all methods alike, from {_loss(axes.error, axes.error_best)} "
            f"{number(error)} to {number(error_end)} and from "
            f"{_loss(axes.disparity, axes.disparity_best)} {number(disparity)} to "
            f"{number(disparity_end)}, each scaled to 1: from the least of any trial to the 95th "
            "percentile, which is the reference point."
        )
    return ""


def audits(contents: Contents, /) -> Cells:
    """What every audit found, warnings first."""
    table = contents.judgement.audits.sort_values("level", ascending=False, kind="stable")
    rows = tuple((a.level, a.dataset, a.check, a.text) for a in _tuples(table))
    return Cells(("level", "dataset", "audit", "finding"), rows)


def rules(judged: str) -> Iterator[tuple[str, str]]:
    """Every verdict on ``fairness`` or ``accuracy``, and when it is given; the first wins."""
    for what, verdict, when in in_words():
        if what == judged:
            yield verdict, when


def _own(table: pd.DataFrame, sheet: Sheet, target: str, protected: str) -> pd.DataFrame:
    """Rows of one view, in the order of the sheet's methods where they name one."""
    own = table[
        (table["dataset"] == sheet.label)
        & (table["target"] == target)
        & (table["protected"] == protected)
    ]
    if "method" not in own:
        return own
    order = {method: place for place, method in enumerate(sheet.methods)}
    return own.sort_values("method", key=lambda names: names.map(order), kind="stable")


def _tuples(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def _loss(name: str, best: Best) -> str:
    """What less of is better."""
    return {"low": name, "high": f"−{name}", "one": f"distance of {name} from 1"}[best]


def _unit(contents: Contents, metric: str, target: str) -> str:
    """The unit of a metric in brackets; nothing for a metric without one."""
    units = {"target": f" (in units of {target})", "target²": f" (in squared units of {target})"}
    return units.get(contents.metrics[metric].unit, "")


def _plain(loss: float, best: Best) -> str:
    """A loss in the metric's own direction."""
    return number(-loss if best == "high" else loss)


def _signed(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:+.3g}"


def _interval(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{low:.3g} to {high:.3g}"


def _estimate(quantity: Any) -> str:
    told = "–" if pd.isna(quantity.mean) else f"{quantity.mean:.2f}"
    if pd.isna(quantity.low):
        return told
    return f"{told} ({quantity.low:.2f} to {quantity.high:.2f})"
