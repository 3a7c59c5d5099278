"""Hold what a run reached against a baseline: what is worse, beyond noise and tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.analyze import (
    Correction,
    Interval,
    as_loss,
    corrected_interval,
    holm,
    smallest_detectable,
)
from fairbench.gate.intervals import unpaired_interval
from fairbench.gate.outcome import ONE_SPLIT, Comparison, Outcome, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairbench.dataset import FloatArray
    from fairbench.gate.outcome import Status
    from fairbench.gate.snapshot import Place, Record, Snapshot

__all__ = ["LEVEL", "compare"]

LEVEL = 0.05
"""Chance at most that noise alone makes any comparison of a gate pass for a change."""

NONE = Correction(0.0)
"""Of splits that share nothing."""

Run = tuple[int, int]
"""Split and seed."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """Losses of one record, ready for an interval of any confidence.

    `before` and `now` are (J,) and (K,) with one mean over seeds per split; `lost` are the
    splits and seeds that had a value before and have none any more; `left_out` counts those of
    the baseline that the run was not trained on; `corrections` are those of both sides' splits.
    """

    place: Place
    before: FloatArray
    now: FloatArray
    means: tuple[float, float]
    paired: bool
    identical: bool
    corrections: tuple[Correction, Correction]
    tolerance: float
    lost: tuple[Run, ...]
    left_out: int

    @property
    def single(self) -> bool:
        """Whether a side has values of one split only: noise cannot be told from change."""
        return not self.lost and not self.identical and 0 < min(len(self.before), len(self.now)) < 2

    def detectable(self, comparisons: int) -> float:
        """The smallest change that all three conditions of a regression let through in 80 %.

        At the spread that was seen, with the most conservative step of Holm's method among
        `comparisons`; NaN where there is no spread to go by.
        """
        splits = min(len(self.before), len(self.now))
        if splits < 2:
            return float("nan")
        if self.paired:
            deviation = float((self.now - self.before).std(ddof=1))
        else:
            deviation = float(np.sqrt(self.before.var(ddof=1) + self.now.var(ddof=1)))
        known = max(self.corrections, key=lambda one: one.ratio)
        shown = smallest_detectable(deviation, splits, known.ratio, df=known.df)
        adjusted = smallest_detectable(deviation, splits, 0.0, comparisons=comparisons)
        # A change of just the tolerance passes it in half of all cases; 0.84: in 80 %.
        beyond = self.tolerance + 0.84 * deviation / float(np.sqrt(splits))
        return max(shown, adjusted, beyond)

    def interval(self) -> Interval:
        """Of the mean difference on any rows: corrected for those that splits share."""
        return self._interval(self.corrections)

    def p(self) -> float:
        """Of the mean difference on these very splits: what training drawn anew would give.

        Its noise is each split's own, so there is nothing to correct for.
        """
        return float("nan") if self.identical else self._interval((NONE, NONE)).p

    def _interval(self, corrections: tuple[Correction, Correction]) -> Interval:
        if not (len(self.before) and len(self.now)):
            return Interval(np.nan, np.nan, np.nan, np.nan, 0)
        if self.paired:
            known = corrections[1]
            return corrected_interval(self.now - self.before, known.ratio, df=known.df)
        return unpaired_interval(self.before, self.now, corrections)


def compare(before: Snapshot, now: Snapshot, /) -> Outcome:
    """Hold `now` against `before`, record by record of `before`.

    A **regression** is a mean loss that has grown by more than the tolerance in `before`, with
    a corrected interval that excludes zero and a p-value, Holm-adjusted over all comparisons,
    of at most `LEVEL`; or a split and seed that had a usable value and has none any more.
    Differences are paired by split and seed. Where these are not the same, the means of two
    samples are compared (`unpaired_interval`); where there is a single split, nothing can be
    told from noise, and nothing is compared unless it is identical.
    """
    samples: list[_Sample] = []
    skipped: list[Skipped] = []
    for record in before.records:
        if reason := _unlike(before, now, record):
            skipped.append(Skipped(record.place, reason))
            continue
        sample = _sample(before, now, record, now.by_place[record.place])
        if sample.single:
            skipped.append(Skipped(record.place, ONE_SPLIT))
        else:
            samples.append(sample)
    # What is identical cannot be a false alarm: it does not count among the comparisons.
    adjusted = holm(np.array([sample.p() for sample in samples]))
    count = max(1, int(np.isfinite(adjusted).sum()))
    compared = [
        _judged(sample, float(p), count) for sample, p in zip(samples, adjusted, strict=True)
    ]
    notes = (*_notes(before, now), *_added(before, now), *_doubts(compared))
    return Outcome(tuple(compared), tuple(skipped), notes if compared else ())


def _unlike(before: Snapshot, now: Snapshot, record: Record) -> str:
    """Why a record of the baseline cannot be compared with this run, or nothing."""
    if before.protocol != now.protocol:
        return f"the protocol differs: {_difference(before, now)}"
    label, metric = record.dataset, record.metric
    if label not in now.datasets:
        return f"the run has no dataset {label!r}"
    then, today = before.datasets[label].digest, now.datasets[label].digest
    if then != today:
        return f"the data of {label!r} differ: digest {then[:12]} then, {today[:12]} now"
    if metric not in now.metrics:
        return f"the run has no metric {metric!r}, or its plugin is not installed here"
    if before.metrics[metric] != now.metrics[metric]:
        best = f"{before.metrics[metric]!r} then, {now.metrics[metric]!r} now"
        return f"the best value of metric {metric!r} differs: {best}"
    if all(value is None for value in record.values.values()):
        return f"the baseline has no usable value of {metric!r} for {record.method!r} on {label!r}"
    if record.place in now.by_place:
        return ""
    if not any(one.dataset == label and one.method == record.method for one in now.records):
        return f"the run has no method {record.method!r} on {label!r}"
    return (
        f"the run has no {record.point!r} point of {record.method!r} for {record.target!r} by "
        f"{record.protected!r} on {label!r}"
    )


def _difference(before: Snapshot, now: Snapshot) -> str:
    """What of the protocol differs."""
    then, today = before.protocol, now.protocol
    if then.name != today.name:
        return f"{then.name!r} then, {today.name!r} now"
    if then.selection != today.selection:
        return f"selection on {then.selection} then, on {today.selection} now"
    names = sorted(then.options.keys() | today.options.keys())
    told = [
        f"{name} = {then.options.get(name)!r} then, {today.options.get(name)!r} now"
        for name in names
        if then.options.get(name) != today.options.get(name)
    ]
    return "; ".join(told)


def _sample(before: Snapshot, now: Snapshot, then: Record, today: Record) -> _Sample:
    old, new = before.datasets[then.dataset], now.datasets[then.dataset]
    had = {run: value for run, value in then.by_run.items() if value is not None}
    has = {run: value for run, value in today.by_run.items() if value is not None}
    same = {s for s, (a, b) in enumerate(zip(old.splits, new.splits, strict=False)) if a == b}
    shared = sorted(run for run in had if run[0] in same and run in today.by_run)
    paired = len({s for s, _ in shared}) >= min(2, len({s for s, _ in had}))
    asked = shared if paired else sorted(today.by_run)
    lost = tuple(run for run in asked if run not in has) if paired or not has else ()
    left_out = len(had) - len(shared) if paired else 0
    if paired:
        had = {run: had[run] for run in shared if run in has}
        has = {run: has[run] for run in had}
    best = before.metrics[then.metric]
    mean = _mean(had)
    return _Sample(
        then.place,
        _by_split(had, best),
        _by_split(has, best),
        (mean, _mean(has)),
        paired,
        paired and bool(had) and not lost and had == has,
        (old.correction, new.correction),
        old.tolerances[then.target][then.metric].limit(mean) if had else np.nan,
        lost,
        left_out,
    )


def _by_split(values: Mapping[Run, float], best: Literal["low", "high", "one"]) -> FloatArray:
    """Mean loss over seeds of every split, in the order of splits."""
    splits = sorted({split for split, _ in values})
    losses = dict(zip(values, as_loss(np.array(list(values.values())), best), strict=True))
    return np.array([np.mean([losses[r] for r in values if r[0] == split]) for split in splits])


def _mean(values: Mapping[Run, float]) -> float:
    """Mean over splits of the means over seeds, in the metric's own unit."""
    return float(_by_split(values, "low").mean()) if values else float("nan")


def _judged(sample: _Sample, adjusted_p: float, comparisons: int) -> Comparison:
    found = sample.interval()
    status, note = _status(sample, found, adjusted_p)
    return Comparison(
        place=sample.place,
        status=status,
        before=sample.means[0],
        now=sample.means[1],
        worse_by=found.mean,
        low=found.low,
        high=found.high,
        adjusted_p=adjusted_p,
        tolerance=sample.tolerance,
        detectable=sample.detectable(comparisons),
        splits=found.n,
        paired=sample.paired,
        note=note,
    )


def _status(sample: _Sample, found: Interval, adjusted_p: float) -> tuple[Status, str]:
    """The status of a comparison, and what to know of it."""
    fewer = f"{sample.left_out} splits or seeds fewer than in the baseline"
    note = fewer if sample.left_out else ""
    if sample.lost:
        return "regression", _lost(sample.lost)
    if sample.identical:
        return "identical", note
    if abs(found.mean) <= sample.tolerance:
        return "within tolerance", note
    changed: Status = "regression" if found.mean > 0 else "improvement"
    if found.low <= 0 <= found.high:
        return "noise", note
    if adjusted_p <= LEVEL:
        return changed, note
    return "noise", "the interval excludes zero, but not after allowing for all comparisons made"


def _lost(lost: Sequence[Run]) -> str:
    told = ", ".join(f"split {split} seed {seed}" for split, seed in lost[:4])
    more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
    return f"no usable value any more on {told}{more}"


def _notes(before: Snapshot, now: Snapshot) -> Iterator[str]:
    """What differs between the two runs without making them incomparable."""
    names = sorted(before.versions.keys() | now.versions.keys())
    changed = [
        f"{name} {before.versions.get(name) or 'absent'} then, "
        f"{now.versions.get(name) or 'absent'} now"
        for name in names
        if before.versions.get(name) != now.versions.get(name)
    ]
    if changed:
        yield f"versions differ: {'; '.join(changed)}"
    elif before.study != now.study:
        yield (
            f"the study's hash differs ({before.study[:12]} then, {now.study[:12]} now): a "
            "setting, or the code of a plugin that trains, has changed"
        )


def _added(before: Snapshot, now: Snapshot) -> Iterator[str]:
    known = {(record.dataset, record.method) for record in before.records}
    new = sorted({(record.dataset, record.method) for record in now.records} - known)
    if new:
        told = ", ".join(f"{method!r} on {dataset!r}" for dataset, method in new)
        yield f"not in the baseline, and not compared: {told}"


def _doubts(compared: Sequence[Comparison]) -> Iterator[str]:
    if loose := sum(not one.paired for one in compared):
        yield (
            f"{loose} of {len(compared)} comparisons are not paired, because splits or seeds "
            "differ: they find less"
        )
    shares = [
        one.detectable / abs(one.before)
        for one in compared
        if one.before and one.status != "identical" and np.isfinite(one.detectable)
    ]
    if shares:
        yield (
            f"a change of {np.median(shares):.0%} of a value would have been found four times in "
            f"five in half of the comparisons, of {max(shares):.0%} in all of them"
        )
