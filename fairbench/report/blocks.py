"""What sections are made of: blocks that every format has a form for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Block", "Cells", "Code", "Definitions", "Intervals", "Mark", "Said", "Verdict"]


@dataclass(frozen=True)
class Said:
    """A sentence or a few.

    Attributes
    ----------
    lead
        What kind of warning it is, such as ``Warning``; empty where it is none.
    see
        Name of the section that tells more; empty where there is none.
    folded
        Whether it explains what stands beside it, which the terminal leaves out.
    """

    kind: ClassVar[str] = "said"
    text: str
    lead: str = ""
    see: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Verdict:
    """What is found of one method, in a word or two and in a sentence."""

    kind: ClassVar[str] = "verdict"
    verdict: str
    sentence: str


@dataclass(frozen=True)
class Cells:
    """A table of words: one header and rows of its length.

    Attributes
    ----------
    numbers
        The columns that are read as numbers.
    name
        A few words that name its file where it is saved.
    title
        What stands above it.
    chips
        Whether cells but the first of a row are verdicts, one after another between ``·``.
    folded
        Whether it is a detail: behind a click on a page, left out on the terminal.
    """

    kind: ClassVar[str] = "cells"
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    name: str = ""
    title: str = ""
    chips: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Definitions:
    """What something is called, and what it is, line by line; `folded` as in `Cells`."""

    kind: ClassVar[str] = "definitions"
    pairs: tuple[tuple[str, str], ...]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Code:
    """Text that is shown character by character; `folded` as in `Cells`."""

    kind: ClassVar[str] = "code"
    text: str
    title: str
    folded: bool = False


@dataclass(frozen=True)
class Mark:
    """One row of `Intervals`: a value and the interval around it; NaN where there is none."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """A figure of intervals under one another; a table beside it holds the same numbers.

    Attributes
    ----------
    axis
        What the values are.
    zero
        Where a line stands that the values are read against, and `line`: what it says. No line
        where that is empty. `room`: how far from it counts as there; a band is drawn.
    caption
        How to read the figure.
    """

    kind: ClassVar[str] = "intervals"
    name: str
    axis: str
    marks: tuple[Mark, ...]
    caption: str
    zero: float = 0.0
    line: str = ""
    room: float = 0.0


Block = Said | Verdict | Cells | Definitions | Code | Intervals
