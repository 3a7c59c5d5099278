"""``fairbench data``: which datasets are at hand, and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import click

from fairbench.cli._common import print_json, print_table, registry_for
from fairbench.cli.inspect_ import command as inspect_command
from fairbench.errors import DataError, FairbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fairbench.dataset import File
    from fairbench.plugins import Component

__all__ = ["command"]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output."
)


@dataclass(frozen=True, slots=True)
class State:
    """The state of one file of a dataset; `file` is empty where it needs none."""

    dataset: str
    file: str
    status: Literal["built in", "available", "absent", "altered", "broken"]
    path: str = ""
    origin: str = ""
    problem: str = ""
    warning: str = ""


@click.group(name="data")
def command() -> None:
    """List, fetch, verify and locate the files of datasets, and inspect a table of your own.

    Files are looked for in the folders of FAIRBENCH_DATA_DIR, then in data_dirs of the nearest
    fairbench.toml, then in the package, then in the cache (FAIRBENCH_CACHE). Only `fetch`, and a
    run that needs a file, downloads; FAIRBENCH_OFFLINE=1 forbids it.
    """


@command.command(name="list")
@json_option
@click.pass_context
def list_(ctx: click.Context, *, as_json: bool) -> None:
    """List every dataset, whether it is available, and from where."""
    _show(_states(_components(ctx, ()), _stand), as_json)


@command.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
@click.pass_context
def fetch(ctx: click.Context, *, names: Sequence[str], as_json: bool) -> None:
    """Download datasets into the cache, unless a verified copy is at hand."""
    states = _states(_components(ctx, names), _fetch)
    _show(states, as_json)
    _fail(ctx, states, {"absent", "altered", "broken"})


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
@click.pass_context
def verify(ctx: click.Context, *, names: Sequence[str], as_json: bool) -> None:
    """Check the hashes of datasets' files: of all that are at hand, or of those named."""
    states = _states(_components(ctx, names), _stand)
    _show(states, as_json)
    _fail(ctx, states, {"absent", "altered", "broken"} if names else {"altered", "broken"})


@command.command()
@click.argument("name", required=False)
@json_option
@click.pass_context
def path(ctx: click.Context, *, name: str | None, as_json: bool) -> None:
    """Print the folders that are searched, in order, or the files of one dataset."""
    if name is None:
        _show_search_path(as_json)
        return
    states = _states(_components(ctx, [name]), _stand)
    _fail(ctx, states, {"absent", "altered", "broken"})
    paths = [state.path for state in states if state.path]
    if not paths:
        raise DataError(f"dataset {name!r} reads no file", hint="use it as it is")
    if as_json:
        print_json({"dataset": name, "paths": paths})
    else:
        click.echo("\n".join(paths))


command.add_command(inspect_command)


def _show_search_path(as_json: bool) -> None:
    from fairbench.data.locate import search_path

    places = search_path()
    if as_json:
        print_json(
            [{"folder": p.folder, "origin": p.origin, "exists": p.folder.is_dir()} for p in places]
        )
        return
    rows = [(str(p.folder), p.origin, "yes" if p.folder.is_dir() else "no") for p in places]
    print_table(("folder", "from", "exists"), rows)


def _components(ctx: click.Context, names: Sequence[str]) -> Sequence[Component]:
    registry = registry_for(ctx)
    if not names:
        return registry.components("dataset")
    return [registry.find("dataset", name) for name in dict.fromkeys(names)]


def _states(
    components: Sequence[Component], look: Callable[[str, File], State]
) -> tuple[State, ...]:
    return tuple(
        replace(state, warning=component.description.warning)
        for component in components
        for state in _files(component, look)
    )


def _files(component: Component, look: Callable[[str, File], State]) -> Iterator[State]:
    try:
        files = component.build({}).files
    except FairbenchError as error:
        yield State(component.name, "", "broken", problem=str(error))
        return
    if not files:
        yield State(component.name, "", "built in")
    for file in files:
        yield look(component.name, file)


def _stand(dataset: str, file: File) -> State:
    """Return what is at hand, without any download."""
    from fairbench.data.locate import absent, find

    try:
        found = find(file)
    except DataError as error:
        return State(dataset, file.name, "altered", path=error.where, problem=str(error))
    if found is None:
        return State(dataset, file.name, "absent", problem=str(absent(file)))
    return State(dataset, file.name, "available", str(found.path), found.origin)


def _fetch(dataset: str, file: File) -> State:
    from fairbench.data.locate import locate

    state = _stand(dataset, file)
    if state.status != "absent":
        return state
    try:
        locate(file)
    except DataError as error:
        return State(dataset, file.name, "absent", problem=str(error))
    return _stand(dataset, file)


def _show(states: Sequence[State], as_json: bool) -> None:
    if as_json:
        print_json(states)
        return
    rows = [(s.dataset, s.status, s.file, s.origin, s.path) for s in states]
    notes = {i: f"Warning: {state.warning}" for i, state in enumerate(states) if state.warning}
    print_table(("dataset", "status", "file", "from", "path"), rows, notes)


def _fail(ctx: click.Context, states: Sequence[State], failures: set[str]) -> None:
    """Say what is wrong, and leave with the exit code of a user's error."""
    problems = [state.problem for state in states if state.status in failures]
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    if problems:
        ctx.exit(FairbenchError.exit_code)
