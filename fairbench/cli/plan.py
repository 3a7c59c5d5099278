"""``fairbench plan``: what a design of splits and seeds will find, before it is run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairbench.cli._common import print_json, print_table, registry_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.analyze import Pilot

__all__ = ["command"]

NOT_NEGATIVE = click.FloatRange(min=0)


@click.command("plan")
@click.argument("folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option("--disparity", type=NOT_NEGATIVE, help="The baseline's disparity, without a run.")
@click.option(
    "--split-sd", type=NOT_NEGATIVE, help="What differences vary by over splits, without a run."
)
@click.option(
    "--seed-sd", type=NOT_NEGATIVE, help="And over seeds within a split (left out: not known)."
)
@click.option(
    "--comparisons",
    type=click.IntRange(min=1),
    help="Methods times datasets to be compared with the baseline (1, or those of the run).",
)
@click.option("--rows", type=click.IntRange(min=1), help="Rows of the planned dataset, with RUN.")
@click.option(
    "--folds", type=click.IntRange(min=3), default=5, show_default=True, help="Of the protocol."
)
@click.option(
    "--power",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="Chance of finding the difference that is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    folder: Path | None,
    disparity: float | None,
    split_sd: float | None,
    seed_sd: float | None,
    comparisons: int | None,
    rows: int | None,
    folds: int,
    power: float,
    as_json: bool,
) -> None:
    """Say how large a difference splits and seeds will find, from a pilot run or its spreads.

    After allowing for all comparisons. A pilot is any run with at least three splits; two seeds
    per split tell what more seeds would bring.
    """
    from fairbench.analyze import Pilot, Run, Spread, pilots
    from fairbench.errors import StudyError

    registry_for(ctx)
    if folder is not None:
        found = pilots(Run(folder), rows=rows)
    elif disparity is not None and split_sd is not None:
        unknown = float("nan")
        spread = Spread(split_sd, unknown if seed_sd is None else seed_sd)
        found = [Pilot("", "", disparity, spread, 1, unknown)]
    else:
        raise StudyError(
            "there is nothing to plan from",
            where="fairbench plan",
            hint="name a run, or give --disparity and --split-sd",
        )
    if not found:
        raise StudyError(
            "this run compares nothing with a baseline on three splits or more",
            where=str(folder),
            hint="name a run with a baseline, another method and at least three splits",
        )
    if as_json:
        print_json([_document(one, comparisons, folds, power) for one in found])
        return
    for one in found:
        _print(one, comparisons, folds, power)


def _document(one: Pilot, comparisons: int | None, folds: int, power: float) -> dict[str, object]:
    from fairbench.analyze import designs

    count = comparisons or one.comparisons
    return {
        "dataset": one.dataset,
        "method": one.method,
        "disparity": one.disparity,
        "split_sd": one.spread.split_sd,
        "seed_sd": one.spread.seed_sd,
        "comparisons": count,
        "power": power,
        "designs": [
            {
                "splits": design.splits,
                "seeds": design.seeds,
                "detectable": design.detectable,
                "seconds": design.trainings * one.seconds,
            }
            for design in designs(one.spread, comparisons=count, folds=folds, power=power)
        ],
    }


def _print(one: Pilot, comparisons: int | None, folds: int, power: float) -> None:
    from fairbench.analyze import designs

    count = comparisons or one.comparisons
    found = designs(one.spread, comparisons=count, folds=folds, power=power)
    if one.method:
        click.echo(f"{one.method} on {one.dataset}")
    known = "not known" if math.isnan(one.spread.seed_sd) else f"{one.spread.seed_sd:.3g}"
    click.echo(
        f"The baseline's disparity is {one.disparity:.3g}. Differences to it vary by "
        f"{one.spread.split_sd:.3g} over splits; over seeds within a split: {known}."
    )
    best = math.inf
    rows = []
    for design in found:
        worth = design.detectable < best
        best = min(best, design.detectable)
        rows.append(
            (
                str(design.splits),
                str(design.seeds),
                f"{design.detectable:.3g}",
                f"{design.detectable / one.disparity:.0%}" if one.disparity else "–",
                "–" if math.isnan(one.seconds) else f"{design.trainings * one.seconds:.3g} s",
                "finds most for its cost" if worth else "",
            )
        )
    print_table(("splits", "seeds", "finds", "of the disparity", "training", ""), rows)
    click.echo(
        "\n".join(
            _conclusions(one.disparity, min(design.detectable for design in found), count, power)
        )
    )


def _conclusions(disparity: float, best: float, count: int, power: float) -> Iterator[str]:
    yield (
        f"Each design finds differences as large as that in {power:.0%} of studies, allowing for "
        f"{count} comparison{'s' * (count > 1)}; smaller ones are usually missed."
    )
    if best > disparity:
        yield "None would find even a complete removal of the disparity: that takes more rows."
    yield ""
