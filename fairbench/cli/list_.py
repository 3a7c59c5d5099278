"""``fairbench list``: what installed plugins offer, without importing any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fairbench.cli._common import print_json, print_table, registry_for
from fairbench.plugins import MethodDescription
from fairbench.plugins.hookspecs import OFFERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.plugins import Component, Kind, Plugin, Problem, Registry

__all__ = ["command"]

KINDS: Mapping[str, Kind] = {f"{kind.kind}s": kind.kind for kind in OFFERS.values()}


@click.command(name="list")
@click.argument("what", required=False, type=click.Choice([*KINDS, "plugins"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(ctx: click.Context, *, what: str | None, as_json: bool) -> None:
    """List what installed plugins offer: everything by name, or one kind with summaries."""
    registry = registry_for(ctx)
    if as_json:
        print_json(_document(registry, what))
    elif what is None:
        _overview(registry)
    elif what == "plugins":
        _plugins(registry)
    else:
        _components(registry.components(KINDS[what]))


def _document(registry: Registry, what: str | None) -> dict[str, object]:
    """One list per kind asked for; for plugins also their problems."""
    kinds = [what] if what else list(KINDS)
    document: dict[str, object] = {
        plural: [_described(c) for c in registry.components(KINDS[plural])]
        for plural in kinds
        if plural in KINDS
    }
    if what in (None, "plugins"):
        document["plugins"] = [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "status": plugin.status,
                "offers": plugin.counts,
            }
            for plugin in registry.plugins
        ]
        document["problems"] = registry.problems
    return document


def _described(component: Component) -> dict[str, object]:
    description = component.description
    facts = {"facts": description.facts} if isinstance(description, MethodDescription) else {}
    return {
        "name": component.name,
        "qualified": component.qualified,
        "summary": description.summary,
        "citation": description.citation,
        "warning": description.warning,
        "target": description.target,
        "plugin": component.plugin,
        "distribution": component.distribution,
        "version": component.version,
        **facts,
    }


def _overview(registry: Registry) -> None:
    rows = []
    for plural, kind in KINDS.items():
        names = _names(registry.components(kind))
        rows.append((plural, str(len(names)), ", ".join(names)))
    print_table(("kind", "count", "names"), rows)


def _components(components: Sequence[Component]) -> None:
    rows = [
        (name, component.description.summary, f"{component.plugin} ({component.distribution})")
        for name, component in zip(_names(components), components, strict=True)
    ]
    told = {index: _note(component) for index, component in enumerate(components)}
    print_table(("name", "summary", "plugin"), rows, {i: note for i, note in told.items() if note})


def _note(component: Component) -> str:
    """A warning, and of a method what it reads of the attribute at prediction, or draws."""
    description = component.description
    notes = [f"Warning: {description.warning}"] if description.warning else []
    if isinstance(description, MethodDescription):
        facts = description.facts
        if facts.at_prediction != "no" or facts.randomised:
            notes.append(f"It {facts.words}")
    return "; ".join(notes)


def _names(components: Sequence[Component]) -> list[str]:
    """Return what a user types for each: ``dist:name`` where two plugins offer the name."""
    bare = [component.name for component in components]
    return [c.name if bare.count(c.name) == 1 else c.qualified for c in components]


def _plugins(registry: Registry) -> None:
    rows = []
    notes = {}
    for index, plugin in enumerate(registry.plugins):
        offers = ", ".join(f"{n} {kind}{'s' * (n != 1)}" for kind, n in plugin.counts.items())
        rows.append((plugin.name, plugin.distribution, plugin.version, plugin.status, offers))
        if problems := [f"{p.what} ({p.hint})" for p in registry.problems if _of(p, plugin)]:
            notes[index] = "Problem: " + "; ".join(problems)
    print_table(("plugin", "distribution", "version", "status", "offers"), rows, notes)


def _of(problem: Problem, plugin: Plugin) -> bool:
    return (problem.plugin, problem.distribution) == (plugin.name, plugin.distribution)
