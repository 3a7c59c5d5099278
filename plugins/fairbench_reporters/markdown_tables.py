"""Markdown: tables for a pull request or a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.errors import visible
from fairbench.report import (
    Block,
    Cells,
    Code,
    Definitions,
    Documents,
    Heading,
    Intervals,
    Reporter,
    Said,
    Verdict,
    View,
    gather,
    in_text,
)

if TYPE_CHECKING:
    from fairbench.analyze import Run

__all__ = ["Markdown"]


@dataclass(frozen=True)
class Markdown(Reporter):
    """All sections, with everything but what is code."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        blocks = in_text(gather(runs, view), details=True)
        shown = (block for block in blocks if not isinstance(block, Intervals))
        lines = [line for block in shown for line in (*_lines(block), "")]
        return {"report.md": "\n".join(lines)}


def _lines(block: Heading | Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {_escaped(block.text)}"
        case Said():
            yield (f"**{_escaped(block.lead)}:** " if block.lead else "") + _escaped(block.text)
        case Verdict():
            yield f"- **{_escaped(block.verdict)}** – {_escaped(block.sentence)}"
        case Cells():
            yield from (f"{_escaped(block.title)}.", "")
            yield from _table(block)
        case Definitions():
            yield from (f"{_escaped(block.title)}:", "")
            yield from (f"- {_escaped(name)}: {_escaped(words)}" for name, words in block.pairs)
        case Code():
            # A code block shows every character as it is; indented, nothing in it can end it.
            yield from (f"{_escaped(block.title)}:", "")
            yield f"    {visible(' '.join(block.text.splitlines()))}"


def _table(cells: Cells) -> Iterator[str]:
    yield _row(map(_escaped, cells.header))
    yield _row("---:" if k in cells.numbers else "---" for k in range(len(cells.header)))
    for row in cells.rows:
        yield _row(map(_escaped, row))


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(words: str) -> str:
    """Words as they are: neither Markdown nor HTML in them takes effect."""
    line = html.escape(" ".join(visible(words, keep="\n\t").split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#|~!])", r"\\\1", line)
