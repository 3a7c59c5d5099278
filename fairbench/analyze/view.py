"""Which two metrics a run is read by, and how much more error counts as the same."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DECLARED", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """What to look at.

    Parameters
    ----------
    error, disparity
        Names of two metrics; None for the axes of the run's study (in a report of several runs,
        of the first one's).
    tolerance
        Share by which the error of a method may exceed the baseline's where the two are
        compared; None for the margin that the study declared.
    """

    error: str | None = None
    disparity: str | None = None
    tolerance: float | None = None


DECLARED = View()
"""What a study declared."""
