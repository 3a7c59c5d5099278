"""`fairbench run`: train methods on datasets and report their fronts."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairbench.cli._common import echo_json, registry_for
from fairbench.cli._table import table_options
from fairbench.plugins import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze import Run
    from fairbench.plugins import Registry

__all__ = ["command"]

ALL = "all"
POSITIVE = click.IntRange(min=1)


@click.command("run")
@click.option(
    "-m",
    "--method",
    "methods",
    multiple=True,
    help="Method or weighting, or all that are installed and take the dataset; repeatable.",
)
@click.option(
    "-d",
    "--dataset",
    "datasets",
    multiple=True,
    help="Dataset, or a CSV, Parquet, Feather or Excel file; repeatable.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Study in TOML; flags override it.")
@click.option("--protocol", help="honest (default), paper, or another that is installed.")
@click.option(
    "--seeds", type=POSITIVE, help="Number of seeds; without --splits each has its own split (2)."
)
@click.option(
    "--splits",
    type=POSITIVE,
    help="Train every seed on each of this many splits (5, where --seeds is not given).",
)
@click.option("--entropy", type=click.IntRange(min=0), help="Root of all randomness (0).")
@click.option(
    "--tradeoff",
    multiple=True,
    metavar="[METHOD=]GRID",
    help="Trade-off values: 0.1:5.0:0.1 or a comma list.",
)
@click.option(
    "--set",
    "assign",
    multiple=True,
    metavar="NAME.OPTION=VALUE",
    help="Option of a method or dataset, the protocol (protocol.OPTION), training "
    "(training.FIELD), the primary analysis (primary.FIELD) or the executor (executor.OPTION).",
)
@table_options
@click.option("--epochs", type=POSITIVE, help="Passes over the training rows.")
@click.option("--batch-size", type=POSITIVE, help="Rows per step.")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), help="Learning rate.")
@click.option("--metric", "metrics", multiple=True, help="Compute only these; repeatable.")
@click.option("--error", help="Error metric of the fronts (rmse).")
@click.option("--disparity", help="Disparity metric of the fronts (rmse-disparity).")
@click.option("--baseline", help="Method to compare with (single-task).")
@click.option("--no-baseline", is_flag=True, help="Add no baseline.")
@click.option("--name", help="Name of the study.")
@click.option("--jobs", type=POSITIVE, help="Chunks trained at once (one per core).")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Where networks are trained: auto takes a GPU where there is one. "
    "No GPU has been at hand: cuda was never run.",
)
@click.option("--executor", help="Where chunks are trained: local, serial, dask, or a plugin's.")
@click.option(
    "--scheduler", metavar="ADDRESS", help="Scheduler of a running Dask cluster: tcp://host:8786."
)
@click.option(
    "--chunk-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Longest time one chunk may take.",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Train trials again that failed; those that lacked memory or disk are anyway.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (runs/STUDY-HASH).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(ctx: click.Context, /, **flags: Any) -> None:
    """Train methods on datasets and report their fronts.

    Run the same command again to continue where it was stopped.
    """
    from fairbench.cli._flags import executor_options, study_keys
    from fairbench.cli._progress import Live
    from fairbench.errors import StudyError
    from fairbench.progress import Interrupted
    from fairbench.runner import failed_trials, run
    from fairbench.study import read_document, read_study

    registry = registry_for(ctx)
    config: Path | None = flags["config"]
    filed = read_document(config) if config is not None else {}
    of_executor, flags["assign"] = executor_options(flags["assign"])
    if every := ALL in flags["methods"]:
        flags["methods"] = _every_method(registry)

    def sweeps(name: str, options: Mapping[str, Any]) -> bool:
        return registry.part("method", name, options).build().tradeoff is not None

    given = study_keys(flags, filed, sweeps)
    if every:
        given.put(("unfit",), "leave-out", "--method all")
    for needed in ("methods", "datasets"):
        if not given.keys.get(needed) and not filed.get(needed):
            raise StudyError(
                f"no {needed[:-1]} was named",
                where="fairbench run",
                hint=f"add --{needed[:-1]} NAME; `fairbench list {needed}` shows them",
            )
    study = read_study(config, given.keys, given.origins)
    try:
        result = run(
            study,
            out=flags["out"],
            jobs=flags["jobs"],
            device=flags["device"],
            executor=_executor(registry, flags["executor"], flags["scheduler"], of_executor),
            chunk_seconds=flags["chunk_seconds"],
            retry_failed=flags["retry_failed"],
            command=shlex.join(["fairbench", *sys.argv[1:]]),
            progress=Live(),
            registry=registry,
        )
    except Interrupted as stop:
        click.echo(f"\nStopped: {stop}\nRun the same command again to continue.", err=True)
        ctx.exit(130)
    _show(registry, result, as_json=flags["as_json"])
    if failed := failed_trials(result):
        click.echo(f"{failed} trials failed; see the report.", err=True)
        ctx.exit(1)


def _every_method(registry: Registry) -> tuple[str, ...]:
    """All methods and weightings that need no option, as a user must name them."""
    found = [
        component
        for kind in ("method", "weighting")
        for component in registry.components(kind)
        if not any(option.default is REQUIRED for option in component.options())
    ]
    names = [component.name for component in found]
    return tuple(c.name if names.count(c.name) == 1 else c.qualified for c in found)


def _executor(
    registry: Registry, name: str | None, scheduler: str | None, options: dict[str, Any]
) -> Any:
    """Return the executor for `run`; an address alone means the one that takes addresses."""
    if scheduler is not None:
        name, options = name or "dask", {**options, "scheduler": scheduler}
    if not options:
        return name
    return registry.find("executor", name or "local").build(options)


def _show(registry: Registry, result: Run, *, as_json: bool) -> None:
    """Write the HTML report into the run folder, and the result to standard output."""
    from fairbench.report import View
    from fairbench.store import write_bytes, writing

    page = registry.find("reporter", "html").build({}).render([result], View())
    for name, content in page.items():
        text = content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
        with writing(result.path):
            write_bytes(result.path / name, text)
            result.write_tables()  # those that the report needed
    shown = registry.find("reporter", "json" if as_json else "terminal").build({})
    document = str(next(iter(shown.render([result], View()).values())))
    (echo_json if as_json else click.echo)(document)
    click.echo(f"Report: {result.path / next(iter(page))}", err=True)
