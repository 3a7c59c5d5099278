"""``fairbench report``: render finished or unfinished runs in one of many formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairbench.cli._common import echo_json, registry_for

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.report import Documents

__all__ = ["command"]


@click.command("report")
@click.argument(
    "folders", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--format",
    "form",
    default="terminal",
    show_default=True,
    help="One of those that `fairbench list reporters` names.",
)
@click.option("--error", metavar="METRIC", help="Error metric; the study's own if left out.")
@click.option("--disparity", metavar="METRIC", help="Disparity metric; likewise.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    default=0.05,
    show_default=True,
    help="How far above the baseline's a method's error may be where the two are compared.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, or folder for a format of several files.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    folders: tuple[Path, ...],
    form: str,
    error: str | None,
    disparity: str | None,
    tolerance: float,
    out: Path | None,
) -> None:
    """Render runs in one of many formats, and rebuild the tables in their folders.

    Several runs make one report; methods stand side by side where data, protocol and splits
    are the same. An HTML report goes into the first run's folder unless --out says otherwise;
    other formats go to standard output.
    """
    from fairbench.analyze import Run
    from fairbench.report import View

    reporter = registry_for(ctx).find("reporter", form).build({})
    runs = [Run(folder) for folder in dict.fromkeys(folder.resolve() for folder in folders)]
    documents = reporter.render(runs, View(error, disparity, tolerance))
    _rebuild_tables(runs)
    if out is None and reporter.printed:
        name, document = next(iter(documents.items()))
        if name.endswith(".json"):
            echo_json(str(document))
        else:
            click.echo(document, nl=False)
    else:
        _write(documents, runs[0].path if out is None else out, folder=out is None)


def _rebuild_tables(runs: list[Run]) -> None:
    for run in runs:
        try:
            run.write_tables()
        except OSError as error:  # a folder one may only read can still be reported on
            click.echo(f"Note: the tables in {run.path} stay as they are: {error}", err=True)


def _write(documents: Documents, out: Path, *, folder: bool) -> None:
    """Write one document to `out` itself unless that is a folder, several into it."""
    from fairbench.errors import RunFolderError
    from fairbench.store import write_bytes

    inside = folder or len(documents) > 1 or out.is_dir()
    for name, content in documents.items():
        path = out / name if inside else out
        if isinstance(content, str):
            content = click.unstyle(content).encode(errors="backslashreplace")
        try:
            write_bytes(path, content)
        except OSError as error:
            raise RunFolderError(
                f"the report cannot be written: {error.strerror}",
                where=str(path),
                mend="choose another place with --out",
            ) from error
        click.echo(path)
