"""What the gate says, in the words that every format shares."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairbench.gate.outcome import Comparison, Outcome, Status

__all__ = ["HEADER", "NUMBERS", "SAID", "Verdict", "cells", "clean", "sentence"]

FORMAT = 1
"""Version of the JSON document's layout."""

SAID: dict[Status, str] = {
    "regression": "regression",
    "improvement": "improvement",
    "noise": "not distinguishable from noise",
    "within tolerance": "within tolerance",
    "identical": "identical",
}
"""Each status in words, the most urgent first."""

HEADER = (
    "verdict",
    "dataset",
    "target by attribute",
    "method",
    "point",
    "metric",
    "then",
    "now",
    "worse by",
    "95 % interval",
    "tolerance",
    "found from",
)
NUMBERS = range(6, 12)
"""Columns of `HEADER` that are read as numbers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, the run that was judged, and the baseline file it was held against."""

    outcome: Outcome
    run: str
    against: str

    @property
    def update(self) -> str:
        """The command that makes this run the baseline."""
        return shlex.join(["fairbench", "baseline", self.run, "-o", self.against])

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        outcome = self.outcome
        if outcome.exit_code == 3:
            return f"Nothing comparable: {'; '.join(outcome.reasons) or 'an empty baseline'}."
        total, bad = len(outcome.comparisons), len(outcome.of("regression"))
        counts = [(len(outcome.of(status)), words) for status, words in SAID.items()]
        rest = ", ".join(f"{count} {words}" for count, words in counts[1:] if count)
        first = f"Regression in {bad} of" if bad else "No regression in"
        return f"{first} {total} comparisons{rest and f'; {rest}'}."

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know beside the numbers: what was left out, notes, how to update."""
        outcome = self.outcome
        if outcome.exit_code == 3:
            return (f"To start anew from this run: {self.update}",)
        left = [
            f"{sum(one.reason == reason for one in outcome.skipped)} not compared: {reason}"
            for reason in outcome.reasons
        ]
        said = [f"{where(one)}: {one.note}" for one in outcome.comparisons if one.note]
        update = []
        if better := outcome.of("improvement"):
            count = f"{len(better)} improvement{'s' * (len(better) > 1)}"
            update = [f"{count}. To keep them as the new baseline: {self.update}"]
        return (*left, *said, *outcome.notes, *update)

    @property
    def shown(self) -> Sequence[Comparison]:
        """Comparisons that differ beyond the tolerance, the most urgent first."""
        statuses: tuple[Status, ...] = ("regression", "improvement", "noise")
        return [one for status in statuses for one in self.outcome.of(status)]

    def document(self) -> dict[str, object]:
        """The content of the JSON format; NaN stands for what cannot be known."""
        outcome = self.outcome
        words = {0: "no regression", 1: "regression", 3: "nothing comparable"}
        return {
            "format": FORMAT,
            "outcome": words[outcome.exit_code],
            "exit_code": outcome.exit_code,
            "run": self.run,
            "against": self.against,
            "update": self.update,
            "counts": {status: len(outcome.of(status)) for status in SAID},
            "comparisons": [_plain(one) for one in outcome.comparisons],
            "not_compared": [
                {**_place(one.place), "reason": one.reason} for one in outcome.skipped
            ],
            "notes": list(outcome.notes),
        }


def _plain(one: Comparison) -> dict[str, object]:
    return {
        **_place(one.place),
        "status": one.status,
        "before": one.before,
        "now": one.now,
        "worse_by": one.worse_by,
        "low": one.low,
        "high": one.high,
        "adjusted_p": one.adjusted_p,
        "tolerance": one.tolerance,
        "detectable": one.detectable,
        "splits": one.splits,
        "paired": one.paired,
        "note": one.note,
    }


def _place(place: tuple[str, ...]) -> dict[str, object]:
    names = ("dataset", "target", "protected", "method", "point", "metric")
    return dict(zip(names, place, strict=True))


def where(one: Comparison) -> str:
    """What was compared, in a line."""
    dataset, target, protected, method, point, metric = one.place
    return f"{metric} of {method} ({point}) on {dataset}, {target} by {protected}"


def sentence(one: Comparison, /) -> str:
    """What was found for one comparison."""
    found = f"{where(one)}: {SAID[one.status]}"
    if not math.isfinite(one.worse_by):
        return f"{found}, {one.note}"
    told = (
        f"{found}, {_number(one.before)} then, {_number(one.now)} now, "
        f"worse by {_signed(one.worse_by)}, {_interval(one)}, "
        f"tolerance {_number(one.tolerance)}, {one.splits} splits"
    )
    return f"{told}; {one.note}" if one.note else told


def cells(one: Comparison, /) -> tuple[str, ...]:
    """A row below `HEADER`."""
    dataset, target, protected, method, point, metric = one.place
    return (
        SAID[one.status],
        dataset,
        f"{target} by {protected}",
        method,
        point,
        metric,
        _number(one.before),
        _number(one.now),
        _signed(one.worse_by),
        _interval(one),
        _number(one.tolerance),
        _number(one.detectable),
    )


def clean(words: str, /) -> str:
    """`words` on one line, with every character that would not be seen spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"


def _signed(value: float) -> str:
    return f"{value:+.3g}" if math.isfinite(value) else "–"


def _interval(one: Comparison) -> str:
    if not math.isfinite(one.low):
        return "no interval"
    return f"{one.low:+.3g} to {one.high:+.3g}"
