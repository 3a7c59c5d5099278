"""The terminal: tables drawn by rich, plain and complete where there is no terminal."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.report import Documents, Reporter, View, gather
from fairbench_reporters import _cells

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fairbench.analyze import Run
    from fairbench.report import Contents, Sheet

__all__ = ["Terminal"]

_WIDE = 240
"""Columns where there is no terminal: enough that nothing is folded in practice."""


@dataclass(frozen=True)
class Terminal(Reporter):
    """Each dataset's points, warnings and failures; styled where standard output is a terminal."""

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
        contents = gather(runs, view)
        for sheet in contents.sheets:
            _sheet(console, contents, sheet)
        _troubles(console, contents)
        _table(console, "costs", _cells.costs(contents))
        for run in contents.runs:
            console.print(_text(f"run folder: {run.path}"))
        return {"report.txt": buffer.getvalue()}


def _sheet(console: Console, contents: Contents, sheet: Sheet) -> None:
    console.print(_text(f"{sheet.label}: {sheet.facts['title']}", "bold reverse"))
    console.print(_text(f"protocol {sheet.protocol['name']}: {sheet.protocol['label']}"))
    for warning in _cells.warnings(sheet):
        console.print(_text(f"Warning: {warning}", "yellow"))
    for target, protected in sheet.views:
        title = f"{target} by {protected}: fronts, mean ± sd on test rows"
        _table(console, title, _cells.points(contents, sheet, target, protected))


def _troubles(console: Console, contents: Contents) -> None:
    if (lost := _cells.failures(contents)).rows:
        _table(console, "failed: these trials are missing above", lost, "red")
    if (lost := _cells.diverged(contents)).rows:
        _table(console, "trials without predictions", lost, "red")
    for remark in contents.remarks:
        console.print(_text(f"Note: {remark}", "yellow"))


def _table(console: Console, title: str, cells: _cells.Cells, style: str = "bold") -> None:
    from rich.table import Table

    table = Table(title=_text(title, style), title_justify="left")
    for index, name in enumerate(cells.header):
        right = index in cells.numbers
        table.add_column(_text(name), justify="right" if right else "left", overflow="fold")
    for row in cells.rows:
        table.add_row(*map(_text, row))
    console.print(table)


def _text(words: str, style: str = "") -> Text:
    """Words as they are: neither rich's markup nor a terminal's control codes act in them."""
    from rich.text import Text

    plain = "".join(c if unicodedata.category(c) != "Cc" else " " for c in words)
    return Text(plain, style=style)
