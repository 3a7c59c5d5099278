"""The terminal: tables drawn by rich, plain and complete where there is no terminal."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.report import Documents, Reporter, View, gather
from fairbench_reporters import _across, _cells, _judged

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fairbench.analyze import Run
    from fairbench.report import Contents, Sheet

__all__ = ["Terminal"]

_WIDE = 240
"""Columns where there is no terminal: enough that nothing is folded in practice."""


_STYLES = {"fairer": "green", "less fair": "red", "fairer by levelling down": "red"}


@dataclass(frozen=True)
class Terminal(Reporter):
    """Verdicts, points, warnings and failures; styled where standard output is a terminal."""

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
        for sentence in contents.unfinished:
            _say(console, f"Unfinished: {sentence}", "bold yellow")
        for sheet in contents.sheets:
            _sheet(console, contents, sheet)
        if (across := _across.table(contents)).rows:
            _say(console, _across.sentence(contents))
            _table(console, "methods over datasets", across)
        _troubles(console, contents)
        _table(console, "costs", _cells.costs(contents))
        for run in contents.runs:
            _say(console, f"run folder: {run.path}")
        return {"report.txt": buffer.getvalue()}


def _sheet(console: Console, contents: Contents, sheet: Sheet) -> None:
    _say(console, f"{sheet.label}: {sheet.facts['title']}", "bold reverse")
    _say(console, f"protocol {sheet.protocol['name']}: {sheet.protocol['label']}")
    for warning in (*_cells.warnings(sheet), *_judged.doubts(contents, sheet)):
        _say(console, f"Warning: {warning}", "yellow")
    if told := _judged.primary(contents, sheet):
        _say(console, told)
    for target, protected in sheet.views:
        console.print()
        _say(console, f"{target} by {protected}", "bold")
        for verdict, sentence in _judged.verdicts(contents, sheet, target, protected):
            _say(console, f"• {sentence}", _STYLES.get(verdict, ""))
        if told := _judged.noise_sentence(contents, sheet, target, protected):
            _say(console, told)
        title = f"fronts of {target} by {protected}, mean ± sd on test rows"
        _table(console, title, _cells.points(contents, sheet, target, protected))


def _troubles(console: Console, contents: Contents) -> None:
    console.print()
    for warning in contents.judgement.disagreements["warning"]:
        _say(console, f"Warning: {warning}", "yellow")
    for level, dataset, check, finding in _judged.audits(contents).rows:
        if level == "warning":
            _say(console, f"Audit of {dataset}, {check}: {finding}", "yellow")
    if (lost := _cells.failures(contents)).rows:
        _table(console, "failed: these trials are missing above", lost, "red")
    if (lost := _cells.diverged(contents)).rows:
        _table(console, "trials without predictions", lost, "red")
    for remark in contents.remarks:
        _say(console, f"Note: {remark}", "yellow")


def _say(console: Console, words: str, style: str = "") -> None:
    """A sentence, folded where a terminal ends and nowhere else."""
    console.print(_text(words, style), soft_wrap=not console.is_terminal)


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
