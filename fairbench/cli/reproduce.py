"""`fairbench reproduce`: rerun what a publication reports and say what holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairbench.cli._common import print_json, registry_for

if TYPE_CHECKING:
    from fairbench.progress import Progress
    from fairbench.reproduction import Reproduced, Reproduction

__all__ = ["command"]

POSITIVE = click.IntRange(min=1)


@click.command("reproduce")
@click.argument("name")
@click.option("-d", "--dataset", "datasets", multiple=True, help="Only this one; repeatable.")
@click.option("--seeds", type=POSITIVE, help="Number of seeds of the main runs.")
@click.option("--quick", is_flag=True, help="A first look: fewer runs, fewer seeds.")
@click.option("--jobs", type=POSITIVE, help="Chunks trained at once (one per core).")
@click.option("--out", type=click.Path(path_type=Path), help="Folder (runs/reproduce-NAME).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    datasets: tuple[str, ...],
    seeds: int | None,
    quick: bool,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Rerun what a publication reports, put it side by side with ours, and say what holds.

    NAME is one that `fairbench list reproductions` gives. Run the same command again to
    continue where it was stopped.
    """
    from fairbench.progress import Interrupted
    from fairbench.reproduction import Order

    reproduction: Reproduction = registry_for(ctx).find("reproduction", name).build({})
    chosen = _chosen(reproduction, datasets)
    folder = out or Path("runs") / f"reproduce-{name.rpartition(':')[2]}{'-quick' * quick}"
    _refuse_foreign(folder)
    order = Order(folder, chosen, seeds, quick, jobs, _follow)
    try:
        found = reproduction.run(order)
    except Interrupted as stop:
        click.echo(f"\nStopped: {stop}\nRun the same command again to continue.", err=True)
        ctx.exit(130)
    page = _write(found, folder)
    if as_json:
        print_json(found.results)
    else:
        click.echo(found.text)
    click.echo(f"Report: {page}", err=True)


def _chosen(reproduction: Reproduction, datasets: tuple[str, ...]) -> tuple[str, ...]:
    from fairbench.errors import StudyError, near

    for dataset in datasets:
        if dataset not in reproduction.datasets:
            raise StudyError(
                f"this reproduction has no dataset {dataset!r}",
                where="--dataset",
                hint=near(dataset, reproduction.datasets),
            )
    return tuple(dict.fromkeys(datasets)) or reproduction.datasets


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder of somebody else: documents of a reproduction lie beside its runs."""
    from fairbench.errors import RunFolderError

    if not folder.is_dir() or any(folder.glob("*/manifest.json")):
        return
    if others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise RunFolderError(
            f"the folder is not empty and holds no reproduction: {others[0]!r}",
            where=str(folder),
            hint="choose a new or empty folder with --out",
        )


def _follow(name: str) -> Progress:
    from fairbench.cli._progress import Live

    click.echo(f"{name}:", err=True)
    return Live()


def _write(found: Reproduced, folder: Path) -> Path:
    """Write every document into `folder`; the path of the first."""
    from fairbench.cli._documents import write_document

    for document, content in found.documents.items():
        write_document(folder / document, content.encode(), force=True)
    return folder / next(iter(found.documents))
