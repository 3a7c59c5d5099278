"""``fairbench data inspect``: what would be made of a table, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fairbench.cli._common import print_json, print_table
from fairbench.cli._table import asked, table_options
from fairbench.errors import visible

if TYPE_CHECKING:
    from fairbench.data import ColumnFacts, Inspection

__all__ = ["command"]


@click.command("inspect")
@click.argument("file", metavar="FILE")
@table_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(*, file: str, as_json: bool, **flags: Any) -> None:
    """Show what a table's columns are taken for, what is suspicious, and the command to run.

    Name the target and a protected attribute, and groups, clusters and rows that would be lost
    are shown as well. Nothing is trained or written.
    """
    from fairbench.data import inspect_table
    from fairbench.dataset import DatasetSpec

    found = inspect_table(DatasetSpec(file, **asked(flags)))
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Inspection) -> None:
    counted = f"; values counted on {found.counted:,} rows" if found.counted < found.rows else ""
    click.echo(f"{found.rows:,} rows, {len(found.columns):,} columns{counted}\n")
    print_table(
        ("column", "role", "kind", "values", "missing", "why"),
        [
            (
                column.name,
                column.role,
                column.kind,
                f"{column.levels:,}",
                f"{column.missing:,}" if column.missing else "",
                column.why,
            )
            for column in found.columns
        ],
        {i: note for i, column in enumerate(found.columns) if (note := _note(column))},
    )
    if found.groups or found.notices:
        click.echo()
    for attribute, sizes in found.groups.items():
        listed = ", ".join(f"{label} {count:,}" for label, count in sizes.items())
        click.echo(visible(f"Groups of {attribute}: {listed}"))
    if found.clusters is not None:
        click.echo(f"Clusters: {found.clusters:,}")
    for notice in found.notices:
        click.echo(visible(f"Warning: {notice}"))
    if found.problem:
        click.echo(f"\nCannot be run like this: {visible(found.problem, keep=chr(10))}")
    click.echo(f"\nRun it with\n\n    {visible(found.command)}")


def _note(column: ColumnFacts) -> str:
    """Return what to say below a column, if anything."""
    suspicion = f"Suspicious: {column.suspicion}" if column.suspicion else ""
    proposal = f"Perhaps {column.proposal}" if column.proposal else ""
    return "; ".join(filter(None, (suspicion, proposal)))
