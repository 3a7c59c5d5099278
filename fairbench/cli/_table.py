"""The flags that say how a dataset is read and which part its columns play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FLAGS", "asked", "table_options"]

_COLUMNS = (
    click.option("--target", "targets", multiple=True, help="Column to predict; repeatable."),
    click.option(
        "--protected",
        multiple=True,
        help="Protected attribute, or 'race*sex' for the groups two form together; repeatable.",
    ),
    click.option(
        "--features", metavar="LIST", help="+column adds, -column removes, bare names replace."
    ),
    click.option("--cluster", help="Column whose equal values belong together."),
    click.option(
        "--categorical", multiple=True, metavar="COL", help="Column of categories; repeatable."
    ),
    click.option(
        "--numeric",
        multiple=True,
        metavar="COL",
        help="Column of numbers and a feature, whatever it looks like; repeatable.",
    ),
    click.option("--drop", multiple=True, metavar="COL", help="Column to ignore; repeatable."),
)
_GROUPS = (
    click.option(
        "--bins", type=click.IntRange(min=2), help="Groups of a continuous attribute (2)."
    ),
    click.option(
        "--min-group",
        type=click.IntRange(min=1),
        help="Rows below which a group leaves the disparity (50, while two groups remain).",
    ),
    click.option("--merge-groups", is_flag=True, help="Make one group of those too small."),
    click.option("--keep-na", is_flag=True, help="NA in a protected attribute is a group."),
)
_READING = (
    click.option(
        "--missing",
        type=click.Choice(["impute", "drop"]),
        help="Fill missing features in on training rows (impute), or drop their rows.",
    ),
    click.option(
        "--missing-target",
        type=click.Choice(["error", "drop"]),
        help="What a missing target is: an error, or a row to drop.",
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of a file."),
    click.option(
        "--thousands",
        type=click.Choice([",", ".", " ", "'"]),
        help="Separator of thousands in a file.",
    ),
    click.option("--encoding", help="Encoding of a text file (utf-8), as cp1252."),
)

_FIELDS = (
    *("targets", "protected", "features", "cluster", "categorical", "numeric", "drop"),
    *("bins", "min_group", "merge_groups", "keep_na"),
    *("missing", "missing_target", "decimal", "thousands", "encoding"),
)
FLAGS: Mapping[str, str] = {
    name: "--target" if name == "targets" else f"--{name.replace('_', '-')}" for name in _FIELDS
}
"""The flag behind each field of a `DatasetSpec`."""


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these flags, in this order."""
    for option in reversed((*_COLUMNS, *_GROUPS, *_READING)):
        command = option(command)
    return command


def asked(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `DatasetSpec` that were given, the list of features split.

    Raises
    ------
    StudyError
        For a flag with an empty value, which a variable that is not set leaves behind.
    """
    found: dict[str, Any] = {}
    for name, flag in FLAGS.items():
        value = flags.get(name)
        if value is None or value is False or value == ():
            continue
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise StudyError(
                f"{flag} is empty", where=flag, mend="give a value, or leave the flag out"
            )
        found[name] = value
    if "features" in found:
        found["features"] = tuple(part.strip() for part in found["features"].split(","))
    return found
