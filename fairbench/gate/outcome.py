"""What the gate finds: comparisons, what was skipped, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fairbench.gate.snapshot import Place

__all__ = ["ONE_SPLIT", "Comparison", "Outcome", "Skipped", "Status"]

Status = Literal["regression", "improvement", "noise", "within tolerance", "identical"]


ONE_SPLIT = "one split tells no change from noise: give the study more splits"
"""Why a value of a single split is not compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric at one point of one method, then and now.

    Attributes
    ----------
    before, now
        Means over splits, in the metric's own unit; NaN where there is no value.
    worse_by, low, high
        By how much the loss has grown, with its corrected 95 % interval: above zero is worse
        whichever value of the metric is best. NaN limits where there is a single split.
    adjusted_p
        That training drawn anew differs as much in any of the comparisons; NaN where identical.
    tolerance
        What `worse_by` must pass, in the metric's unit.
    detectable
        The smallest change that would have been called a regression four times in five.
    splits
        Number of splits behind the interval.
    paired
        Whether the same splits and seeds were compared.
    note
        What a reader must know of this comparison alone.
    """

    place: Place
    status: Status
    before: float
    now: float
    worse_by: float
    low: float
    high: float
    adjusted_p: float
    tolerance: float
    detectable: float
    splits: int
    paired: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record of the baseline that could not be compared, and why."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gate found.

    Attributes
    ----------
    notes
        What may explain a difference, and what was not looked at.
    """

    comparisons: tuple[Comparison, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def of(self, status: Status, /) -> tuple[Comparison, ...]:
        """Comparisons of this status."""
        return tuple(one for one in self.comparisons if one.status == status)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why records were skipped, each reason once."""
        return tuple(dict.fromkeys(one.reason for one in self.skipped))

    @property
    def exit_code(self) -> Literal[0, 1, 3]:
        """0 without a regression, 1 with one, 3 where nothing could be told.

        That is where nothing was compared, or values of single splits differ: whether that is
        noise, no one can say.
        """
        if self.of("regression"):
            return 1
        return 3 if not self.comparisons or ONE_SPLIT in self.reasons else 0
