"""`fairbench verify`: hold every file of a run folder against its hash."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from fairbench.cli._common import print_json

__all__ = ["command"]


@click.command("verify")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="Move damage into RUN/aside, and rebuild a lost manifest from the chunks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(ctx: click.Context, *, run: Path, repairs: bool, as_json: bool) -> None:
    """Say what of a run folder is whole, damaged, missing, or not of this run.

    Exit codes: 0 all is whole and nothing missing, 1 something is damaged or missing, 2 it is no
    run folder or cannot be read. What is missing is trained by the study's own command.
    """
    from fairbench.store import RunFolder, repair, verify, writing

    done: list[str] = []
    if repairs:
        verify(run)  # before anything is written: only a run folder is locked and repaired
        with ExitStack() as stack:
            stack.enter_context(RunFolder(run).locked())
            stack.enter_context(writing(run))
            done = repair(run)
    found = verify(run)
    if as_json:
        print_json({"whole": found.whole, "done": done, "found": found})
    else:
        for sentence in done:
            click.echo(sentence)
        for name, why in found.damaged.items():
            click.echo(f"damaged  {name}: {why}")
        for name in found.missing:
            click.echo(f"missing  {name}")
        for name in found.ignored:
            click.echo(f"ignored  {name}: not of this run")
        click.echo(f"{run}: {found.standing or 'without a manifest nothing else can be told'}")
        if found.damaged:
            click.echo("`fairbench verify RUN --repair` moves damage aside.", err=True)
        elif found.missing:
            click.echo("The study's own command trains what is missing.", err=True)
    ctx.exit(0 if found.whole else 1)
