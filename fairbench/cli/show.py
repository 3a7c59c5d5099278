"""``fairbench show``: everything there is to know of one component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from fairbench.cli._common import plain, print_json, print_table, registry_for
from fairbench.plugins import REQUIRED
from fairbench.plugins.hookspecs import OFFERS

if TYPE_CHECKING:
    from fairbench.plugins import Component, Description, Kind, Option

__all__ = ["command"]

# Of a target's class attributes, those that a user of its kind needs to know.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "dataset": ("card", "roles", "files"),
    "weighting": ("needs", "tasks", "noisy"),
    "method": ("tradeoff", "facts"),
    "protocol": ("label", "selection"),
}
EMPTY: tuple[object, ...] = (None, "", [], {})
LONG = 40
"""Characters from which on an entry of a list gets a line of its own."""
# What stands in the description already, under every kind of component.
COMMON = ("name", "summary", "citation", "warning", "target", "api")


@click.command()
@click.argument("kind", type=click.Choice([each.kind for each in OFFERS.values()]))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(ctx: click.Context, *, kind: Kind, name: str, as_json: bool) -> None:
    """Show one component: its summary, options, citation, provenance and, of a dataset, its card.

    NAME is a name that `fairbench list` gives, or dist:name where two plugins offer it. The name
    of a weighting is a method, too.
    """
    registry = registry_for(ctx)
    part = registry.part(kind, name)
    component = part.component
    shown = Shown(component, component.description, component.options())
    if "weighting" in part.options:
        rule = registry.find("weighting", name)
        own = [o for o in shown.options if o.name not in ("weighting", "weighting_options")]
        short_for = {"short for": f"method {component.name} with weighting={name}"}
        shown = Shown(component, rule.description, (*rule.options(), *own), short_for)
    if as_json:
        print_json(_document(shown))
    else:
        _print(shown)


@dataclass(frozen=True, slots=True)
class Shown:
    """A component as it is shown: described by its own description, or by its weighting's.

    `short_for` says which method the weighting's name is short for, and is empty elsewhere.
    """

    component: Component
    description: Description
    options: tuple[Option, ...]
    short_for: Mapping[str, str] = field(default_factory=dict)


def _document(shown: Shown) -> dict[str, object]:
    component, description = shown.component, shown.description
    return {
        "kind": component.kind,
        "name": description.name,
        "summary": description.summary,
        "citation": description.citation,
        "warning": description.warning,
        **shown.short_for,
        **_details(component),
        "options": [_option(option) for option in shown.options],
        "provenance": component.provenance(),
    }


def _details(component: Component) -> dict[str, Any]:
    """Return what only this kind has, from its description and from the component at defaults."""
    description = component.description
    names = [name for name in description.__dataclass_fields__ if name not in (*COMMON, "kind")]
    details = {name: getattr(description, name) for name in names}
    wanted = ATTRIBUTES.get(component.kind, ())
    # An instance, because an attribute may depend on the options; without one, the class.
    required = any(option.default is REQUIRED for option in component.options())
    source = component.load() if required or not wanted else component.build({})
    for name in wanted:
        value = getattr(source, name, None)
        if not isinstance(value, property):
            details[name] = value
    return details


def _option(option: Option) -> dict[str, object]:
    required = option.default is REQUIRED
    return {
        "name": option.name,
        "type": option.type,
        "required": required,
        "default": None if required else option.default,
        "doc": option.doc,
    }


def _print(shown: Shown) -> None:
    document = _document(shown)
    options = document.pop("options")
    click.secho(f"{document.pop('kind')} {document.pop('name')}", bold=True)
    click.echo(document.pop("summary"))
    if warning := document.pop("warning"):
        click.secho(f"Warning: {warning}", fg="yellow")
    for name, value in document.items():
        _section(name, _told_once(plain(value), shown.description))
    _options(shown.options if options else ())


def _told_once(value: object, description: Description) -> object:
    """Return a data card without what stands above it, and what only loaded rows tell."""
    if not isinstance(value, Mapping):
        return value
    told = (description.warning, description.citation)
    return {
        key: item
        for key, item in value.items()
        if not (item and item in told) and (key, item) != ("rows", 0)
    }


def _options(options: tuple[Option, ...]) -> None:
    if not options:
        return
    click.secho("\noptions", bold=True)
    rows = [(o.name, o.type, _text(plain(o.default)), o.doc) for o in options]
    print_table(("name", "type", "default", "meaning"), rows)


def _section(name: str, value: object) -> None:
    """A heading with one line per entry, or a single line; nothing where there is nothing."""
    if value in EMPTY:
        return
    if not isinstance(value, Mapping):
        click.echo(f"{click.style(name, bold=True)}: {_text(value)}")
        return
    click.secho(f"\n{name}", bold=True)
    for key, item in value.items():
        if item in EMPTY:
            continue
        if isinstance(item, list) and any(len(_text(each)) > LONG for each in item):
            click.echo("\n    - ".join([f"  {key}:", *map(_text, item)]))
        else:
            click.echo(f"  {key}: {_text(item)}")


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_within(v)}" for key, v in value.items() if v not in EMPTY)
    if isinstance(value, list):
        return ", ".join(map(_within, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _within(value: object) -> str:
    return f"({_text(value)})" if isinstance(value, Mapping | list) else _text(value)
