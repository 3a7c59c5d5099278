"""Blocks that a report is made of, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairbench_paper.reproduction.figures import Figure

__all__ = ["Block", "Bullets", "Facts", "Section", "Text", "Warned"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    words: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A paragraph nobody may overlook."""

    words: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """A table: the first column is text, the others too unless in `numbers`."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


Block = Text | Warned | Bullets | Facts | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it.

    Parameters
    ----------
    level
        2 or 3.
    brief
        Whether a terminal shows it as well.
    """

    title: str
    level: int
    blocks: Sequence[Block]
    brief: bool = False
