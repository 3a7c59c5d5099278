"""Functions that metrics share: rows of trials, groups, and values that may not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar
from weakref import ref

import numpy as np

from fairbench.metric import Undefined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import Metric

Table = Callable[["FloatArray", "FloatArray", "Protected"], "FloatArray"]
"""A metric written for predictions (S, n), which returns (S,)."""


class _OverTrials:
    # An object rather than a closure, so that the source of a metric, whose hash goes into the
    # manifest, is the module that names it.
    def __init__(self, metric: Table, by_row: Table | None = None) -> None:
        self.metric = metric
        self.by_row = by_row
        self.__doc__ = metric.__doc__

    def __call__(
        self, prediction: FloatArray, target: FloatArray, protected: Protected, /
    ) -> FloatArray:
        array = np.asarray(prediction, dtype=np.float64)
        # A table stays the array that it is, by which the metrics of a family know it again.
        table = _constants_exact(array if array.ndim == 2 else array.reshape(-1, array.shape[-1]))
        values = self.metric(table, np.asarray(target, dtype=np.float64), protected)
        return np.asarray(values, dtype=np.float64).reshape(array.shape[:-1])


def over_trials(metric: Table) -> Metric:
    """A metric for predictions (..., n) from one that takes exactly (S, n) and returns (S,).

    Predictions of a trial that differ by no more than `ROUNDING` of the largest are one number
    that was rounded: they reach the metric as exactly equal.
    """
    return _OverTrials(metric)


ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Largest spread, as a share of the largest number, that is rounding and no difference."""


def varies(values: FloatArray, /) -> NDArray[np.bool_]:
    """Say whether numbers (..., n) differ along the last axis by more than rounding, (...)."""
    low, high = values.min(axis=-1), values.max(axis=-1)
    found: NDArray[np.bool_] = high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))
    return found


def _constants_exact(table: FloatArray) -> FloatArray:
    """Predictions (S, n), the rows that are constant but for rounding replaced by their median."""
    rounded = ~varies(table)
    if not rounded.any():
        return table
    middle = np.median(table, axis=-1)[:, None]
    return np.where(rounded[:, None], middle, table)


def but_constants(prediction: FloatArray, /) -> FloatArray:
    """Predictions (S, n) with those of a trial that are all equal set to 0.

    The means of equal numbers over two groups differ by rounding; those of zeros do not. For
    metrics that see differences of predictions alone.
    """
    constant = prediction.min(axis=-1) == prediction.max(axis=-1)
    if not constant.any():
        return prediction
    return np.where(constant[:, None], 0.0, prediction)


P = ParamSpec("P")
T = TypeVar("T")


class _OncePerArgument(Generic[P, T]):
    def __init__(self, compute: Callable[P, T]) -> None:
        self.compute = compute
        self.last: tuple[tuple[ref[Any], ...], T] | None = None
        self.__doc__ = compute.__doc__

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> T:
        if any(isinstance(a, np.ndarray) and a.flags.writeable for a in arguments):
            return self.compute(*arguments, **named)
        last = self.last
        if last is not None and all(
            known() is a for known, a in zip(last[0], arguments, strict=True)
        ):
            return last[1]
        self.last = last = None  # so that two are never held at once
        result = self.compute(*arguments, **named)
        self.last = tuple(ref(argument, self._forget) for argument in arguments), result
        return result

    def _forget(self, _: object) -> None:
        self.last = None


def once_per_argument(compute: Callable[P, T]) -> Callable[P, T]:
    """`compute`, whose result is kept for the arguments that it was last called with.

    Trials of many rows reach a metric one after the other, all with the same attribute and the
    same targets, and metrics of one family get the same predictions one after the other. An
    array that can be written to may be another the next time: its result is not kept.
    """
    return _OncePerArgument(compute)


def comparing(by_row: Table) -> Callable[[Table], Metric]:
    """As `over_trials`, for a metric that compares the means by group of these row values."""
    return lambda metric: _OverTrials(metric, by_row)


def group_sizes(protected: Protected, /) -> FloatArray:
    """Rows of each group, (k,).

    Raises
    ------
    Undefined
        With fewer than two groups, or a group without rows.
    """
    labels = protected.labels
    if len(labels) < 2:
        raise Undefined(f"{protected.name} has a single group, so there is nothing to compare")
    counts = np.bincount(protected.groups, minlength=len(labels))
    for label, count in zip(labels, counts, strict=True):
        if count == 0:
            raise Undefined(f"group {label!r} of {protected.name} has no row")
    return counts.astype(np.float64)


def one_hot(protected: Protected, /) -> FloatArray:
    """Membership of each row in each group as 0 and 1, (n, k)."""
    member = protected.groups[:, None] == np.arange(len(protected.labels))
    table: FloatArray = member.astype(np.float64)
    return table


def group_means(values: FloatArray, protected: Protected, /) -> FloatArray:
    """Mean of `values` (S, n) over the rows of each group, (S, k)."""
    means: FloatArray = values @ one_hot(protected) / group_sizes(protected)
    return means


def spread(by_group: FloatArray, /) -> FloatArray:
    """Largest minus smallest along the last axis."""
    values: FloatArray = by_group.max(axis=-1) - by_group.min(axis=-1)
    return values


def quotient(
    numerator: FloatArray, denominator: FloatArray, defined: NDArray[np.bool_], reason: str
) -> FloatArray:
    """``numerator / denominator`` where `defined`, NaN elsewhere; all of one shape.

    Raises
    ------
    Undefined
        With `reason`, where no trial is defined.
    """
    if not defined.any():
        raise Undefined(reason)
    values = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    np.divide(numerator, denominator, out=values, where=defined)
    return values


def standardised(values: FloatArray, /) -> FloatArray:
    """`values` (..., n) minus their mean, over their standard deviation; zeros if constant."""
    varies = values.max(axis=-1, keepdims=True) > values.min(axis=-1, keepdims=True)
    centred = np.where(varies, values - values.mean(axis=-1, keepdims=True), 0.0)
    scale = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True))
    result: FloatArray = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    return result


def unit_range(target: FloatArray, /) -> tuple[float, float]:
    """Smallest target and the range of targets, for metrics stated on the unit interval.

    Raises
    ------
    Undefined
        Where every target is the same.
    """
    low, width = float(target.min()), float(np.ptp(target))
    if not varies(target):
        raise Undefined("every target is the same, so its range cannot serve as unit")
    return low, width


def quantile_bins(values: FloatArray, bins: int, /) -> IntArray:
    """Codes 0 … bins−1 of quantile bins along the last axis of `values` (..., n).

    Bin edges are observed values and ties share a bin, so that codes depend on ranks alone.
    """
    n = values.shape[-1]
    edges = np.sort(values, axis=-1)[..., [n * i // bins for i in range(1, bins)]]
    codes = np.zeros(values.shape, dtype=np.int64)
    for i in range(bins - 1):
        codes += values >= edges[..., i : i + 1]
    return codes


def counts_by_group(codes: IntArray, cells: int, protected: Protected, /) -> FloatArray:
    """Rows of each group in each cell: codes (S, n) below `cells` to counts (S, cells, k)."""
    trials, k = len(codes), len(protected.labels)
    flat = (np.arange(trials)[:, None] * cells + codes) * k + protected.groups
    counts = np.bincount(flat.ravel(), minlength=trials * cells * k)
    return counts.reshape(trials, cells, k).astype(np.float64)


BINS = 5
"""Quantile bins of targets and of predictions, wherever a metric conditions on them."""


def varying(protected: Protected, /) -> FloatArray:
    """The values of an attribute (n,).

    Raises
    ------
    Undefined
        Where they are all the same.
    """
    if not varies(protected.values):
        raise Undefined(f"{protected.name} is the same on every row")
    return protected.values
