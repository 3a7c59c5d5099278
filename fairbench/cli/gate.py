"""``fairbench gate``: hold a run against a baseline file, for continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairbench.cli._common import print_json, print_table, registry_for

if TYPE_CHECKING:
    from fairbench.gate import Verdict

__all__ = ["command"]


@click.command("gate")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="What `fairbench baseline` wrote.",
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["terminal", "markdown", "junit", "json"]),
    default="terminal",
    show_default=True,
    help="What to write to standard output.",
)
@click.pass_context
def command(ctx: click.Context, *, folder: Path, against: Path, shape: str) -> None:
    """Hold a run against a baseline file.

    A regression is a metric that is worse by more than its tolerance, with an interval that
    excludes zero. Exit codes: 0 no regression, 1 regression, 2 usage or unreadable input,
    3 nothing comparable.
    """
    from fairbench.analyze import Run
    from fairbench.gate import Verdict, as_junit, as_markdown, compare, measure, read, readable

    registry_for(ctx)
    before = read(against)
    with readable(folder):
        run = Run(folder)
        here = {component.name for component in run.components}
        metrics = [name for name in before.metrics if name in here]
        now = measure(run, metrics, reach=before.reach)
    verdict = Verdict(compare(before, now), str(folder), str(against))
    match shape:
        case "markdown":
            click.echo(as_markdown(verdict), nl=False)
        case "junit":
            click.echo(as_junit(verdict), nl=False)
        case "json":
            print_json(verdict.document())
        case _:
            _print(verdict)
    ctx.exit(verdict.outcome.exit_code)


def _print(verdict: Verdict) -> None:
    from fairbench.gate import HEADER, cells, clean

    if verdict.shown:
        print_table(HEADER, [tuple(map(clean, cells(one))) for one in verdict.shown])
        click.echo("Above zero is worse, whichever value of a metric is best.\n")
    click.echo(clean(verdict.headline))
    for remark in verdict.remarks:
        click.echo(f"  {clean(remark)}")
