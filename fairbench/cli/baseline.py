"""``fairbench baseline``: keep what a run reached, for `fairbench gate`."""

from __future__ import annotations

from pathlib import Path

import click

from fairbench.cli._common import registry_for

__all__ = ["command"]


@click.command("baseline")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Gate this metric; repeatable. Left out: those of the file that is replaced, or else "
    "the two axes of the study.",
)
@click.pass_context
def command(ctx: click.Context, *, folder: Path, out: Path, metrics: tuple[str, ...]) -> None:
    """Keep what a run reached in a file, for `fairbench gate` to hold later runs against.

    Where the file exists, its tolerances are kept.
    """
    from fairbench.analyze import MARGIN, Run
    from fairbench.gate import gated_metrics, measure, read, readable, write

    registry_for(ctx)
    before = read(out) if out.exists() else None
    with readable(folder):
        run = Run(folder)
        snapshot = measure(
            run,
            metrics or (tuple(before.metrics) if before else gated_metrics(run)),
            reach=before.reach if before else MARGIN,
            kept=before.datasets if before else None,
        )
    write(snapshot, out)
    missing = sum(value is None for record in snapshot.records for value in record.values.values())
    if missing:
        click.echo(f"Warning: {missing} values are missing: trials failed or diverged.", err=True)
    click.echo(
        f"{out}: {len(snapshot.records)} comparisons ({', '.join(snapshot.metrics)} on "
        f"{', '.join(snapshot.datasets)})" + (", tolerances kept" if before else "")
    )
