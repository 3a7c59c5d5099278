"""A report from top to bottom, as formats of text tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.report.blocks import Block, Cells, Code, Definitions, Said
from fairbench.report.sections import SECTIONS

if TYPE_CHECKING:
    from fairbench.report.contents import Contents

__all__ = ["Heading", "in_text"]


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 (the report), 2 or 3.

    `place` says what the blocks below it are about: a dataset, or a target by a protected
    attribute of it; it is empty where they are about the report as a whole.
    """

    level: int
    text: str
    place: str = ""


def in_text(contents: Contents, /, *, details: bool) -> Iterator[Heading | Block]:
    """Yield every heading and block: warnings, each dataset with its aspects, what is about all.

    Parameters
    ----------
    details
        Whether folded blocks are told as well; folded code is for pages alone.
    """

    def told(blocks: Iterator[Block]) -> list[Block]:
        return [block for block in blocks if not _folded(block, details)]

    first, *others = SECTIONS
    yield Heading(1, contents.title)
    yield from told(first.of_report(contents))
    for sheet in contents.sheets:
        yield Heading(2, f"{sheet.label}: {sheet.facts['title']}", sheet.label)
        yield from told(first.of_sheet(contents, sheet))
        for aspect in sheet.aspects:
            yield Heading(3, aspect.name, f"{sheet.label}, {aspect.name}")
            for section in SECTIONS:
                yield from told(section.of_aspect(contents, aspect))
        for section in others:
            if blocks := told(section.of_sheet(contents, sheet)):
                yield Heading(3, section.title, sheet.label)
                yield from blocks
    for section in others:
        if blocks := told(section.of_report(contents)):
            yield Heading(2, section.title)
            yield from blocks


def _folded(block: Block, details: bool) -> bool:
    match block:
        case Code():
            return block.folded
        case Cells() | Definitions() | Said():
            return block.folded and not details
        case _:
            return False
