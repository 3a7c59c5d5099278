"""The terminal: tables drawn by rich, plain and complete where there is no terminal."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    from rich.console import Console
    from rich.text import Text

    from fairbench.analyze import Run

__all__ = ["Terminal"]

_WIDE = 240
"""Columns where there is no terminal: enough that nothing is folded in practice."""

_STYLES = {"fairer": "green", "less fair": "red", "fairer by levelling down": "red"}
_HEADINGS = {1: "bold", 2: "bold reverse", 3: "bold"}


@dataclass(frozen=True)
class Terminal(Reporter):
    """Every section without details; styled where standard output is a terminal."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        from rich.console import Console

        seen = Console()
        buffer = io.StringIO()
        console = Console(
            file=buffer,
            width=seen.width if seen.is_terminal else _WIDE,
            force_terminal=seen.is_terminal,
            color_system=seen.color_system if seen.is_terminal else None,  # type: ignore[arg-type]
        )
        for block in in_text(gather(runs, view), details=False):
            _show(console, block)
        for run in runs:
            _say(console, f"run folder: {run.path}")
        return {"report.txt": buffer.getvalue()}


def _show(console: Console, block: Heading | Block) -> None:
    match block:
        case Heading():
            console.print()
            _say(console, block.text, _HEADINGS[block.level])
        case Said():
            lead = f"{block.lead}: " if block.lead else ""
            _say(console, f"{lead}{block.text}", "yellow" if lead else "")
        case Verdict():
            _say(console, f"• {block.sentence}", _STYLES.get(block.verdict, ""))
        case Cells():
            _table(console, block)
        case Definitions():
            _say(console, block.title, "bold")
            for name, words in block.pairs:
                _say(console, f"  {name}: {words}")
        case Code():
            _say(console, f"{block.title}: {block.text}")
        case Intervals():
            return


def _say(console: Console, words: str, style: str = "") -> None:
    """A sentence, folded where a terminal ends and nowhere else."""
    console.print(_text(words, style), soft_wrap=not console.is_terminal)


def _table(console: Console, cells: Cells) -> None:
    """A table; on a narrow terminal without the columns on its right that would break words."""
    from rich.table import Table

    widths = _widths(cells, console.width)
    table = Table(title=_text(cells.title, "bold"), title_justify="left")
    for index, (name, width) in enumerate(zip(cells.header, widths, strict=False)):
        side: Literal["left", "right"] = "right" if index in cells.numbers else "left"
        table.add_column(_text(name), justify=side, overflow="fold", width=width)
    for row in cells.rows:
        table.add_row(*map(_text, row[: len(widths)]))
    console.print(table)
    if left_out := cells.header[len(widths) :]:
        _say(console, f"Left out on {console.width} columns: {', '.join(left_out)}")


def _widths(cells: Cells, room: int) -> list[int]:
    """Widths of the columns that fit into `room` beside two signs of padding and one of line.

    None is narrower than its longest word, unless that takes a third of the room.
    """
    from rich.cells import cell_len

    columns = list(zip(cells.header, *cells.rows, strict=True))
    whole = [max(map(cell_len, column)) for column in columns]
    words = [max((cell_len(w) for text in c for w in text.split()), default=1) for c in columns]
    widths = [min(word, room // 3) for word in words]
    while len(widths) > 2 and sum(widths) + 3 * len(widths) + 1 > room:
        widths.pop()
    spare = room - sum(widths) - 3 * len(widths) - 1
    for index in reversed(range(len(widths))):  # numbers first: names may take several lines
        more = max(0, min(spare, whole[index] - widths[index]))
        widths[index] += more
        spare -= more
    return widths


def _text(words: str, style: str = "") -> Text:
    """Words as they are: neither rich's markup nor a terminal's control codes act in them."""
    from rich.text import Text

    plain = "".join(c if unicodedata.category(c) != "Cc" else " " for c in words)
    return Text(plain, style=style)
