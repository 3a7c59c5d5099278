"""The command line: one file per verb, imported when that verb is used and not before."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from traceback import print_exc
from typing import TYPE_CHECKING, Any

import click

from fairbench._version import __version__
from fairbench.cli._common import Shared
from fairbench.errors import FairbenchError, near, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

# Help lines stand here, so that `fairbench --help` imports no verb and no package behind it.
VERBS: Mapping[str, tuple[str, str]] = {
    "run": ("fairbench.cli.run:command", "Train methods on datasets and report their fronts."),
    "plan": ("fairbench.cli.plan:command", "Say what splits and seeds will find, beforehand."),
    "list": ("fairbench.cli.list_:command", "List what installed plugins offer."),
    "show": ("fairbench.cli.show:command", "Show one component: options, citation, data card."),
    "data": ("fairbench.cli.data:command", "List, fetch, verify and locate datasets."),
    "reproduce": ("fairbench.cli.reproduce:command", "Rerun a publication and say what holds."),
    "report": ("fairbench.cli.report:command", "Render finished runs in one of many formats."),
    "verify": ("fairbench.cli.verify:command", "Say what of a run folder is whole."),
    "baseline": ("fairbench.cli.baseline:command", "Keep what a run reached, for the gate."),
    "gate": ("fairbench.cli.gate:command", "Hold a run against a baseline, for CI."),
}


EX_SOFTWARE = 70
"""Exit code of a defect, as sysexits.h numbers it: none that a result has."""

DEFECT = (
    "Error: this is a defect of fairbench, or of what it is built on; please report it, "
    "with the lines above"
)

LINES = "\n"


def _refuse_empty(ctx: click.Context, args: list[str]) -> None:
    """Refuse an empty value: it is what an unset variable of a script leaves behind.

    Taken for "not given", an empty --cluster would let the rows of a person straddle a split.
    """
    before = ""
    for arg in args:
        flag, assigned, value = arg.partition("=")
        inline = bool(assigned) and flag.startswith("--")
        if not (value if inline else arg).strip():
            given = flag if inline else before
            of = f" of {given}" if given.startswith("-") else ""
            ctx.fail(f"the value{of} is empty: give one, or leave the flag out")
        before = arg


def _write_anything() -> None:
    """Let the standard streams write characters that their encoding lacks, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


class _Verbs(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute = VERBS[name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}: {near(args[0], VERBS)}")
        _refuse_empty(ctx, args)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except (click.ClickException, click.Abort):  # for who asked click not to exit
            raise
        except Exception:
            print_exc()
            click.echo(DEFECT, err=True)
            sys.exit(EX_SOFTWARE)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FairbenchError as error:
            # What a file or a path brings into a message must not steer the terminal.
            click.echo(f"Error: {visible(str(error), keep=LINES)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            # Raised inside `exec`, as dataclasses use it while a module is imported, it would make
            # `python -m` end by the signal whatever the exit code is. Another `exec` clears that.
            exec("")  # noqa: S102
            click.echo("\nStopped.", err=True)
            ctx.exit(130)  # 128 + SIGINT, what shells expect
        except BrokenPipeError:  # whoever read standard output has heard enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(141)  # 128 + SIGPIPE


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--strict-plugins",
    is_flag=True,
    envvar="FAIRBENCH_STRICT_PLUGINS",
    help="Fail on any problem with any plugin.",
)
@click.version_option(__version__, prog_name="fairbench", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, *, strict_plugins: bool) -> None:
    """Benchmark fairness methods for regression.

    Does a method really make predictions fairer, at what cost in accuracy, and is the
    difference larger than the noise?
    """
    _write_anything()
    ctx.obj = Shared(strict_plugins=strict_plugins)
