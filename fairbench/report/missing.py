"""Methods that have no verdict because they, or the baseline, have no usable trial: and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect

__all__ = ["unusable"]

_COORDINATES = ["error", "disparity", "selection_error", "selection_disparity"]


def unusable(contents: Contents, aspect: Aspect, /) -> Iterator[str]:
    """A sentence for each method of one aspect without a usable trial; the baseline's first.

    A trial is usable where both axes have a value on test and on selection rows.
    """
    sheet = aspect.sheet
    usable = set(aspect.of(contents.fronts).dropna(subset=_COORDINATES)["method"])
    measured = aspect.of(contents.measured)
    trials = contents.trials[contents.trials["dataset"] == sheet.label]
    for method in sheet.methods:
        if method in usable:
            continue
        why = _why(
            trials[trials["method"] == method],
            measured[measured["method"] == method],
            (contents.axes.error, contents.axes.disparity),
        )
        if method == sheet.baseline:
            yield f"No verdict: {method}, the baseline, has no usable trial. {why}"
        else:
            yield f"{method}: no verdict, as it has no usable trial. {why}"


def _why(trials: pd.DataFrame, measured: pd.DataFrame, axes: tuple[str, ...]) -> str:
    """What became of the trials of a method, and why those that are sound have no value."""
    states = Counter(trials.loc[trials["status"] != "ok", "status"])
    told = [f"{count} of {len(trials)} trials {status}" for status, count in sorted(states.items())]
    notes = Counter(
        last
        for note in trials.loc[trials["status"] != "ok", "note"].fillna("")
        if (last := (str(note).strip().splitlines() or [""])[-1])
    )
    if notes:
        told[-1] += f" ({notes.most_common(1)[0][0]})"
    sound = measured[(measured["status"] == "ok") & (measured["reasons"] != "")]
    reasons = Counter(
        f"{name} has no value: {given[name]}"
        for given in map(json.loads, sound["reasons"])
        for name in axes
        if name in given
    )
    told += [reason for reason, _ in reasons.most_common(2)]
    if not trials.empty and not told:
        told = ["It has no rows that points are chosen on"]
    return "; ".join(told or ["None of its trials is stored"]) + "."
