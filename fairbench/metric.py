"""Metrics: pure functions of predictions, targets and a protected attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fairbench.errors import FairbenchError
from fairbench.neighbours import Neighbours

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

__all__ = ["Metric", "Neighbours", "Undefined"]


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


class Undefined(FairbenchError):  # noqa: N818 - a state of the data, not a fault
    """A metric has no value on these rows; recorded as NaN with this reason."""
