"""The interface of a reporter: analysed runs in, documents out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fairbench.analyze import Run, View

__all__ = ["Documents", "Reporter"]

Documents = Mapping[str, str | bytes]
"""Contents by file name, the main one first."""


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
