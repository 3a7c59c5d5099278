"""Metrics: pure functions of predictions, targets and a protected attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fairbench.errors import FairbenchError
from fairbench.neighbours import Neighbours

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

__all__ = ["ComparesMeans", "Metric", "Neighbours", "RowValues", "Undefined"]

RowValues = Callable[["FloatArray", "FloatArray", "Protected"], "FloatArray"]
"""From predictions (S, n), targets (n,) and the attribute to one value per trial and row (S, n)."""


class Metric(Protocol):
    """What a metric plugin's target is: a function, vectorised over trials.

    Direction, role, the protected attributes it takes and the smallest group it accepts stand
    in its `MetricDescription`, so that listing needs no import. The core checks group sizes
    before the call and records NaN with the reason.
    """

    def __call__(
        self, prediction: FloatArray, target: FloatArray, protected: Protected, /
    ) -> FloatArray:
        """Values (...) for predictions (..., n), targets (n,), both in the target's units.

        The third argument is the protected attribute on the same rows, or their `Neighbours`
        for a metric that takes ``individual``.

        Raises
        ------
        Undefined
            Where no trial has a value on these rows, with the reason. Where some have, the
            others are NaN; the core asks for the reason by calling with one of these alone.
        """
        ...


class ComparesMeans(Metric, Protocol):
    """A metric of how one mean differs between groups, which offers what it takes the mean of.

    With `by_row` the analysis knows how precise each group's value is: it tests the disparity
    without assuming that groups are equally spread, gives intervals by group, and takes off what
    a disparity owes to small groups. A metric without it is tested by dealing labels alone.
    """

    def by_row(
        self, prediction: FloatArray, target: FloatArray, protected: Protected, /
    ) -> FloatArray:
        """Row values (S, n), in the metric's unit, of predictions (S, n) and targets (n,).

        Their mean over the rows of a group is what the metric says of that group (its MAE, say)
        and their deviations from it say to first order how each row moves it: for a smooth
        function of means, such as RMSE, that value plus the influence of each row.
        """
        ...


class Undefined(FairbenchError):  # noqa: N818 - a state of the data, not a fault
    """A metric has no value on these rows; recorded as NaN with this reason."""
