"""The components that a method is made of: those it declares, and those it builds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from fairbench.errors import PluginError
from fairbench.plugins._code import code_of, core_code
from fairbench.plugins._component import Part, recorded

if TYPE_CHECKING:
    from fairbench.plugins._component import Component
    from fairbench.plugins.registry import Registry

__all__ = ["digest_of_parts", "made_declared", "parts_of", "trains_networks"]

DEEPEST = 20
"""Components within one another before that counts as endless."""

WATCHED = ("model", "weighting", "method", "metric")
"""Kinds of components that a method may be made of."""


def parts_of(
    registry: Registry, component: Component, options: Mapping[str, object], instance: object, /
) -> tuple[Part, ...]:
    """A component and all that it uses, directly or through others; itself first.

    Raises
    ------
    StudyError
        Where there is no component of a name, or it does not take these options.
    PluginError
        Where a component is made of itself, or `uses` returns anything but `Use`.
    """
    return tuple(_walk(registry, Part(component, options), instance, ()))


def trains_networks(parts: Iterable[Part], /) -> bool:
    """Whether any part of a method is a network, so that ``training.kernel`` matters to it."""
    return any(part.component.kind == "model" for part in parts)


def _walk(
    registry: Registry, part: Part, instance: object, above: tuple[Part, ...]
) -> Iterator[Part]:
    path = (*above, part)
    if _key(part) in map(_key, above) or len(path) > DEEPEST:
        chain = " → ".join(each.component.name for each in path[:6])
        more = " → …" if len(path) > 6 else ""
        raise PluginError(
            f"{path[0]} is made of itself: {chain}{more}",
            where=f"`uses` of {above[-1].component.qualified}",
            hint="let it use another component, or the same with other options",
        )
    yield part
    for use in _uses(part, instance):
        inner = registry.part(use.kind, use.name, use.options)
        yield from _walk(registry, inner, inner.build(), path)


def _uses(part: Part, instance: object) -> tuple[Any, ...]:
    declared = getattr(instance, "uses", None)
    if not callable(declared):
        return ()
    uses = tuple(declared())
    for use in uses:
        if getattr(use, "kind", None) not in WATCHED or not isinstance(use.name, str):
            raise PluginError(
                f"`uses` of {part} holds {use!r}",
                where=part.component.qualified,
                hint="return fairbench.method.Use(kind, name, options) for each component",
            )
    return uses


def _key(part: Part) -> tuple[str, str, str]:
    options = json.dumps(part.options, sort_keys=True, default=repr)
    return part.component.kind, part.component.qualified, options


def digest_of_parts(parts: Iterable[Part], /) -> str:
    """SHA-256 of all code that trains with `parts`, that of fairbench included."""
    origins = {part.component.origin() for part in parts}
    codes = [core_code(), *(code_of(*origin) for origin in origins)]
    told = sorted((c.name, c.version, c.sha256, *sorted(c.requires.items())) for c in codes)
    return sha256(repr(told).encode()).hexdigest()


@contextmanager
def made_declared(parts: tuple[Part, ...], /) -> Iterator[None]:
    """Refuse what is imported by name within the block and is none of `parts`.

    Raises
    ------
    PluginError
        At the end of the block, naming the component that was not declared.
    """
    declared = {(part.component.kind, part.component.qualified) for part in parts}
    with recorded() as loaded:
        yield
    for component in loaded:
        if component.kind in WATCHED and (component.kind, component.qualified) not in declared:
            raise PluginError(
                f"{parts[0]} builds {component.kind} {component.name!r} without declaring it",
                where=parts[0].component.qualified,
                hint=f"return Use({component.kind!r}, {component.name!r}) from its `uses`: "
                "what a method is made of is part of the run's identity",
            )
