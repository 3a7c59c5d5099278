"""What a report says first: who is worse off, and what every method changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairbench.analyze import Run
from fairbench.report.blocks import Cells, Intervals, Mark
from fairbench.report.sheet import rows_of
from fairbench.report.words import between, loss_name, number

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect, Sheet

__all__ = ["changes", "verdict_table", "worse_off"]


def worse_off(contents: Contents, aspect: Aspect, /) -> str:
    """Which group the baseline errs most for, and which least; empty without a baseline."""
    found = aspect.of(contents.table(Run.baseline_groups))
    found = found[found["compared"].astype(bool)].dropna(subset=["error"])
    if len(found) < 2:
        return ""
    ordered = found.sort_values("error", ascending=False, kind="stable")
    worst, *_, best = rows_of(ordered)
    more = f" {len(found) - 2} more groups lie between them." if len(found) > 2 else ""
    side = "high" if worst.bias > 0 else "low"
    intervals = "" if found["low"].isna().all() else ", with 95 % intervals over splits"
    return (
        f"{aspect.sheet.baseline} errs by {_error(worst)} and by {_error(best)}: mean absolute "
        f"errors in {aspect.target} on test rows{intervals}.{more} "
        f"Predictions for {worst.group} are {number(abs(worst.bias), 3)} too {side} on average."
    )


def _error(one: Any) -> str:
    limits = between(one.low, one.high)
    known = f"{limits}; " if limits != "–" else ""
    return f"{number(one.error, 3)} for {one.group} ({known}n = {one.n:,.0f} a split)"


def verdict_table(contents: Contents, /) -> Cells:
    """Methods by datasets: verdicts of the primary analysis, or of the first aspect."""
    aspects = [_main(contents, sheet) for sheet in contents.sheets]
    own = [aspect.of(contents.judgement.verdicts).set_index("method") for aspect in aspects]
    methods = dict.fromkeys(
        method for s in contents.sheets for method in s.methods if method != s.baseline
    )

    def cell(method: str, position: int) -> str:
        if method not in own[position].index:
            return "no verdict" if method in aspects[position].sheet.methods else "–"
        found = own[position].loc[method]
        return f"{found['verdict']} · {found['accuracy'] or 'no verdict on accuracy'}"

    return Cells(
        ("method", *(f"{a.sheet.label}: {a.name}" for a in aspects)),
        tuple((m, *(cell(m, position) for position in range(len(aspects)))) for m in methods),
        name="verdicts by dataset",
        title="Fairness · accuracy of every method against the baseline",
        chips=True,
    )


def _main(contents: Contents, sheet: Sheet) -> Aspect:
    """The aspect of a dataset that the primary analysis is about, or its first."""
    first = next(sheet.aspects)
    declared = contents.judgement.primary.views.get(sheet.label)
    return next((a for a in sheet.aspects if (a.target, a.protected) == declared), first)


def changes(contents: Contents, aspect: Aspect, /) -> Intervals:
    """Every method's change in disparity with its interval, and what counts as none."""
    name = loss_name(contents.axes.disparity, contents.axes.disparity_best)
    own = aspect.of(contents.judgement.verdicts)
    base = own["base_disparity"].abs().mean() if len(own) else np.nan
    margin = contents.judgement.primary.disparity_margin * base
    return Intervals(
        name="changes",
        axis=f"change in {name} against {aspect.sheet.baseline}",
        marks=tuple(Mark(v.method, v.difference, v.low, v.high) for v in rows_of(own)),
        line="no change",
        room=float(margin) if np.isfinite(margin) else 0.0,
        caption=(
            f"Dots are mean changes in {name} on test rows, left of the line is fairer; bars are "
            "95 % intervals over splits, before p-values allow for the number of comparisons. A "
            "bar that crosses the line tells nothing; one that lies whole inside the band is as "
            "fair as the baseline."
        ),
    )
