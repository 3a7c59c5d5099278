"""The interface of a report's section: what it says, in blocks, and the tables behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.report.blocks import Block
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect, Sheet

__all__ = ["Data", "Section"]


@dataclass(frozen=True)
class Data:
    """A table for programs, under a name in lower case with hyphens.

    Attributes
    ----------
    brief
        What a format that is one document holds of it: the whole table where it is None.
    bulky
        Whether it has a row or more per trial, so that one document leaves it out.
    """

    name: str
    table: pd.DataFrame
    brief: pd.DataFrame | None = None
    bulky: bool = False


class Section:
    """One section of every report: override what it has.

    A page is walked section by section. Formats of text tell of the report as a whole what the
    first section says, then dataset by dataset and aspect by aspect what all sections say, and
    last of the report as a whole what the others say.

    Attributes
    ----------
    name
        Its address on a page, where a figure of the same name may stand in it.
    title
        Its heading.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        """Yield what it says of all datasets together."""
        yield from ()

    def of_sheet(self, contents: Contents, sheet: Sheet, /) -> Iterator[Block]:
        """Yield what it says of one dataset."""
        yield from ()

    def of_aspect(self, contents: Contents, aspect: Aspect, /) -> Iterator[Block]:
        """Yield what it says of one target by one protected attribute."""
        yield from ()

    def data(self, contents: Contents, /) -> Iterator[Data]:
        """Yield the tables that its blocks are made of."""
        yield from ()
