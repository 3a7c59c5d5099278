"""The interface of a reporter: analysed runs in, documents out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fairbench.analyze import Run

__all__ = ["Documents", "Reporter", "View"]

Documents = Mapping[str, str | bytes]
"""Contents by file name, the main one first."""


@dataclass(frozen=True, slots=True)
class View:
    """What to look at.

    Parameters
    ----------
    error, disparity
        Names of two metrics; None for the axes of the first run's study.
    tolerance
        Share by which the error of a method may exceed the baseline's where the two are
        compared; None for the margin that the first run's study declared.
    """

    error: str | None = None
    disparity: str | None = None
    tolerance: float | None = None


class Reporter(ABC):
    """Renders runs in one format. Subclasses are frozen dataclasses without required options.

    Attributes
    ----------
    printed
        Whether the main document goes to standard output where no path is asked for; the
        others are written into the first run's folder.
    """

    printed: ClassVar[bool] = True

    @abstractmethod
    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        """Everything this format writes of `runs` (at least one).

        Names, labels and messages in a run come from strangers: escape them.

        Raises
        ------
        FairbenchError
            Where a run lacks what `view` asks for.
        """
