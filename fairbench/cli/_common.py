"""Functions that the verbs share: the registry with its warnings, and plain or rich output."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.plugins import Registry

__all__ = ["Shared", "echo_json", "plain", "print_json", "print_table", "registry_for"]


@dataclass(frozen=True, slots=True)
class Shared:
    """The settings that every verb finds in ``ctx.obj``."""

    strict_plugins: bool = False


def registry_for(ctx: click.Context, /) -> Registry:
    """The registry; a problem with a plugin is a warning, or a failure under --strict-plugins.

    Raises
    ------
    PluginError
        Where plugins must be sound and one is not.
    """
    from fairbench.plugins import load

    strict = ctx.obj.strict_plugins if isinstance(ctx.obj, Shared) else False
    registry = load(strict=strict)
    for problem in registry.problems:
        click.echo(f"Warning: {problem}", err=True)
    return registry


def print_json(document: object, /) -> None:
    """Write `document`, with whatever frozen dataclasses are in it, as JSON."""
    echo_json(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def echo_json(text: str, /) -> None:
    """Write a JSON document; what standard output cannot encode as JSON's own escapes."""
    document = text.rstrip("\n")
    encoding = sys.stdout.encoding or "utf-8"
    if encoding.lower().replace("-", "") != "utf8":
        document = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in document)
    click.echo(document)


def plain(value: object, /) -> object:
    """`value` in the types of JSON: infinity and NaN become None, what has no form its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Mapping[int, str] | None = None
) -> None:
    """Write a table: drawn by rich on a terminal, else as aligned text that cuts nothing off.

    Parameters
    ----------
    notes
        What to say below a row, by its index; it belongs to the row's second column.
    """
    notes = notes or {}
    if sys.stdout.isatty():
        _draw(columns, rows, notes)
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for index, row in enumerate([columns, *rows]):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
        if note := notes.get(index - 1):
            click.echo(f"  {' '.join(note.split())}")


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Mapping[int, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table()
    # Names are for typing: where they fit in half the width they are kept in one piece.
    whole = all(len(row[0]) <= console.width // 2 for row in rows)
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=whole and index == 0)
    for index, row in enumerate(rows):
        cells = [Text(cell) for cell in row]  # Text: brackets in a cell are no markup
        if note := notes.get(index):
            cells[1].append(f"\n{note}", style="yellow")
        table.add_row(*cells)
    console.print(table)
