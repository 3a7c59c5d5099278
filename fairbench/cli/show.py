"""``fairbench show``: everything there is to know of one component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from fairbench.cli._common import plain, print_json, print_table, registry_for
from fairbench.plugins import REQUIRED
from fairbench.plugins.hookspecs import OFFERS

if TYPE_CHECKING:
    from fairbench.plugins import Component, Kind, Option

__all__ = ["command"]

# Of a target's class attributes, those that a user of its kind needs to know.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "dataset": ("card", "roles", "files"),
    "weighting": ("needs", "noisy"),
    "method": ("tradeoff",),
    "protocol": ("label", "selection"),
}
# What stands in the description already, under every kind of component.
COMMON = ("name", "summary", "citation", "warning", "target", "api")


@click.command()
@click.argument("kind", type=click.Choice([each.kind for each in OFFERS.values()]))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(ctx: click.Context, *, kind: Kind, name: str, as_json: bool) -> None:
    """Show one component: its summary, options, citation, provenance and, of a dataset, its card.

    NAME is a name that `fairbench list` gives, or dist:name where two plugins offer it.
    """
    component = registry_for(ctx).find(kind, name)
    if as_json:
        print_json(_document(component))
    else:
        _print(component)


def _document(component: Component) -> dict[str, object]:
    description = component.description
    return {
        "kind": component.kind,
        "name": component.name,
        "summary": description.summary,
        "citation": description.citation,
        "warning": description.warning,
        **_details(component),
        "options": [_option(option) for option in component.options()],
        "provenance": component.provenance(),
    }


def _details(component: Component) -> dict[str, Any]:
    """What only this kind has: from its description, then from the target."""
    description = component.description
    names = [name for name in description.__dataclass_fields__ if name not in (*COMMON, "kind")]
    target = component.load()
    return {name: getattr(description, name) for name in names} | {
        name: getattr(target, name)
        for name in ATTRIBUTES.get(component.kind, ())
        if hasattr(target, name)
    }


def _option(option: Option) -> dict[str, object]:
    required = option.default is REQUIRED
    return {
        "name": option.name,
        "type": option.type,
        "required": required,
        "default": None if required else option.default,
        "doc": option.doc,
    }


def _print(component: Component) -> None:
    document = _document(component)
    options = document.pop("options")
    click.secho(f"{document.pop('kind')} {document.pop('name')}", bold=True)
    click.echo(document.pop("summary"))
    if warning := document.pop("warning"):
        click.secho(f"Warning: {warning}", fg="yellow")
    for name, value in document.items():
        _section(name, plain(value))
    _options(component.options() if options else ())


def _options(options: tuple[Option, ...]) -> None:
    if not options:
        return
    click.secho("\noptions", bold=True)
    rows = [(o.name, o.type, _text(plain(o.default)), o.doc) for o in options]
    print_table(("name", "type", "default", "meaning"), rows)


def _section(name: str, value: object) -> None:
    """A heading with one line per entry, or a single line; nothing where there is nothing."""
    if value in (None, "", [], {}):
        return
    if not isinstance(value, Mapping):
        click.echo(f"{click.style(name, bold=True)}: {_text(value)}")
        return
    click.secho(f"\n{name}", bold=True)
    for key, item in value.items():
        if item not in (None, "", [], {}):
            click.echo(f"  {key}: {_text(item)}")


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_text(item)})" if _nested(item) else _text(item) for item in value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _nested(value: object) -> bool:
    return isinstance(value, Mapping | list)
