"""Reproductions: rerun what a publication reports and say what holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from fairbench.progress import Progress

__all__ = ["Order", "Reproduced", "Reproduction"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a reproduction.

    Parameters
    ----------
    out
        Folder for its run folders; what is finished there is not trained again.
    datasets
        Those to reproduce, of the reproduction's own.
    seeds
        Number of seeds of its main runs; None for its own choice.
    quick
        Whether a first look of a minute or two is enough.
    jobs
        Chunks trained at once; None for one per core.
    progress
        Makes the follower of the run of that name.
    """

    out: Path
    datasets: Sequence[str]
    seeds: int | None = None
    quick: bool = False
    jobs: int | None = None
    progress: Callable[[str], Progress] | None = None


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came of it.

    Attributes
    ----------
    text
        For the terminal.
    documents
        Contents by file name, the page to open first.
    results
        Every number, in the types of JSON.
    """

    text: str
    documents: Mapping[str, str]
    results: Mapping[str, object]


class Reproduction(ABC):
    """Subclasses are frozen dataclasses without required options.

    Attributes
    ----------
    datasets
        Names of the datasets it can reproduce.
    """

    datasets: ClassVar[tuple[str, ...]]

    @abstractmethod
    def run(self, order: Order, /) -> Reproduced:
        """Train what is missing in ``order.out`` and put it beside what was published.

        Raises
        ------
        FairbenchError
            For something that cannot be run.
        Interrupted
            On Ctrl-C; everything finished is saved.
        """
