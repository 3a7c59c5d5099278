"""The metrics of a run that are installed where it is analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.analyze.tables import METRIC_COLUMNS
from fairbench.errors import FairbenchError
from fairbench.plugins import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.plugins import Component

__all__ = ["computed_again", "usable"]


def computed_again(metric: str, /) -> str:
    """How a run comes by an installed metric that it was not asked for; empty for others."""
    try:
        load().find("metric", metric)
    except FairbenchError:
        return ""
    return (
        f"run the same `fairbench run` with `--metric {metric}` as well: it trains nothing again "
        "and computes it"
    )


def usable(names: Sequence[str], /) -> tuple[tuple[Component, ...], tuple[str, ...]]:
    """The metrics of these names that can be computed here, and a note on each other."""
    registry = load()
    found: dict[str, Component] = {}
    notes = []
    for name in names:
        try:
            component = registry.find("metric", name)
            component.load()
        except FairbenchError as error:
            notes.append(f"metric {name!r} is left out: {error.what}")
            continue
        if component.name in METRIC_COLUMNS or component.name in found:
            notes.append(f"metric {name!r} is left out: its name is taken in the table")
            continue
        found[component.name] = component
    return tuple(found.values()), tuple(notes)
