"""Metrics over stored predictions: guarded, block by block, never a number that hides a gap."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import FairbenchError
from fairbench.metric import Neighbours
from fairbench.plugins.descriptions import MetricDescription, is_individual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, Protected
    from fairbench.plugins import Component
    from fairbench.plugins.descriptions import Description

    Third = Protected | Neighbours

__all__ = ["evaluate", "group_errors"]

_BLOCK = 2**17
"""Predictions that a metric sees at once: one megabyte, so that its work stays in cache."""


def evaluate(
    prediction: FloatArray,
    target: FloatArray,
    protected: Protected,
    metrics: Sequence[Component],
    /,
    neighbours: Neighbours | None = None,
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Every metric of every trial on one set of rows, with the reason for every NaN.

    Parameters
    ----------
    prediction : (S, n) float
        One row per trial, in the target's units. A trial with a prediction that is not finite
        has no value, and the other trials are not affected.
    target : (n,) float
    protected
        The attribute on the same n rows. Disparities leave the rows of its `small` groups out.
    metrics
        Components whose description is a `MetricDescription`.
    neighbours
        Of the same rows, for metrics that take ``individual``.

    Returns
    -------
    values
        (S,) by metric name; by ``dist:name`` where two of `metrics` have the same name.
    reasons
        By metric name, for each metric with a NaN: why. It begins with ``3 of 500 trials:``
        where other trials do have a value.

    Notes
    -----
    A metric that raises, or returns something of the wrong shape or infinite, has NaN with that
    as its reason: a faulty plugin must not cost the run its other metrics.
    """
    table = np.array(prediction, dtype=np.float64, ndmin=2)
    rows = compared = _ReadOnly(table, target, protected, neighbours)
    if protected.small:
        kept = protected.is_compared
        compared = _ReadOnly(table[:, kept], target[kept], protected.compared(), neighbours)
    values: dict[str, FloatArray] = {}
    reasons: dict[str, str] = {}
    offers = Counter(component.description.name for component in metrics)
    for component in metrics:
        name = component.description.name
        if offers[name] > 1:
            name = component.qualified
        between_groups = getattr(component.description, "role", "") == "disparity"
        judged = compared if between_groups and not is_individual(component.description) else rows
        values[name], reason = judged.measure(component)
        if reason:
            reasons[name] = reason
    return values, reasons


class _ReadOnly:
    """Predictions and targets that a metric can read but not alter under the next one."""

    def __init__(
        self,
        prediction: FloatArray,
        target: FloatArray,
        protected: Protected,
        neighbours: Neighbours | None,
    ) -> None:
        self.finite: NDArray[np.bool_] = np.all(np.isfinite(prediction), axis=-1)
        self.prediction = prediction[self.finite]
        self.target = np.array(target, dtype=np.float64)
        self.protected = protected
        self.neighbours = neighbours
        for array in (self.prediction, self.target):
            array.flags.writeable = False
        step = max(1, _BLOCK // max(1, len(self.target)))
        # The same arrays for every metric: those of one family share work on them.
        self.blocks = [
            self.prediction[start : start + step] for start in range(0, len(self.prediction), step)
        ]

    def measure(self, component: Component) -> tuple[FloatArray, str]:
        """Values (S,) of one metric, and the reason for its NaN values, if any."""
        values = np.full(len(self.finite), np.nan)
        third = self.neighbours if is_individual(component.description) else self.protected
        reason = _unfit(component.description, third)
        if third is not None and not reason and self.finite.any():
            values[self.finite], reason = self._finite(component, third)
        if not reason:
            reason = "predictions are missing or not finite: the trial failed or diverged"
        missing = int(np.isnan(values).sum())
        if 0 < missing < len(values):
            reason = f"{missing} of {len(values)} trials: {reason}"
        return values, reason if missing else ""

    def _finite(self, component: Component, third: Third) -> tuple[FloatArray, str]:
        try:
            metric = component.load()
        except Exception as error:
            return np.full(len(self.prediction), np.nan), _told(error)
        values, reason = [np.empty(0)], ""
        for block in self.blocks:
            of_block, found = self._block(metric, block, third)
            values.append(of_block)
            reason = reason or found
        return np.concatenate(values), reason

    def _block(self, metric: object, block: FloatArray, third: Third) -> tuple[FloatArray, str]:
        """Values of a few trials; where a single one is NaN, its own call tells the reason."""
        values, reason = self._call(metric, block, third)
        missing = np.flatnonzero(np.isnan(values))
        if missing.size and not reason:
            first = missing[0]
            _, reason = self._call(metric, block[first : first + 1], third)
        return values, reason or ("the metric returned NaN" if missing.size else "")

    def _call(self, metric: object, block: FloatArray, third: Third) -> tuple[FloatArray, str]:
        nothing = np.full(len(block), np.nan)
        try:
            if not callable(metric):
                return nothing, f"a metric must be callable, not {type(metric).__name__}"
            values = np.asarray(metric(block, self.target, third), dtype=np.float64)
        except Exception as error:
            return nothing, _told(error)
        if values.shape != nothing.shape:
            return nothing, f"the metric returned shape {values.shape}, not {nothing.shape}"
        infinite = np.isinf(values)
        return np.where(infinite, np.nan, values), "the value is infinite" if infinite.any() else ""


def _told(error: Exception) -> str:
    return error.what if isinstance(error, FairbenchError) else f"{type(error).__name__}: {error}"


def _unfit(description: Description, protected: Third | None) -> str:
    """Why this metric cannot be computed with this attribute on these rows, or nothing."""
    if not isinstance(description, MetricDescription):
        return f"{description.name} is a {description.kind}, not a metric"
    if protected is None:
        return (
            "this run stored no neighbours of its rows, as none of its metrics asked for them; "
            f"the same `fairbench run` with `--metric {description.name}` stores them and trains "
            "nothing again"
        )
    if isinstance(protected, Neighbours):
        return ""
    if protected.kind not in description.takes:
        takes = " or ".join(description.takes)
        return f"takes a {takes} attribute, and {protected.name} is {protected.kind}"
    counts = np.bincount(protected.groups, minlength=len(protected.labels))
    for label, count in zip(protected.labels, counts, strict=True):
        if count < description.smallest_group:
            return (
                f"group {label!r} of {protected.name} has {count} rows, "
                f"fewer than {description.smallest_group}"
            )
    return ""


def group_errors(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> dict[str, NDArray[np.generic]]:
    """Errors by group, one entry per trial and group, trials outermost.

    Parameters
    ----------
    prediction : (S, n) float
    target : (n,) float
    protected
        The attribute on the same n rows, k groups.

    Returns
    -------
    dict of (S·k,) arrays
        ``trial`` (row of `prediction`), ``group`` (label), ``n`` (rows), ``mae``, ``mse`` and
        ``residual`` (mean ŷ − y); NaN for a group without rows and a trial without predictions.
    """
    table = np.array(prediction, dtype=np.float64, ndmin=2)
    trials, k = len(table), len(protected.labels)
    counts = np.bincount(protected.groups, minlength=k)
    residual = table - target
    columns = {"mae": np.abs(residual), "mse": np.square(residual), "residual": residual}
    result: dict[str, NDArray[np.generic]] = {
        "trial": np.repeat(np.arange(trials), k),
        "group": np.tile(np.array(protected.labels, dtype=object), trials),
        "n": np.tile(counts, trials),
    }
    for name, column in columns.items():
        means = np.full((trials, k), np.nan)
        for g in np.flatnonzero(counts):
            means[:, g] = column[:, protected.groups == g].mean(axis=-1)
        means[~np.isfinite(table).all(axis=-1)] = np.nan
        result[name] = means.ravel()
    return result
