"""The registry: what all installed plugins offer, and what is wrong with those that do not."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairbench.errors import PluginError, StudyError, near
from fairbench.plugins._component import Component, Part
from fairbench.plugins._discover import Loaded, Plugin, Problem, discover, load_plugin
from fairbench.plugins._names import OWN, normalised
from fairbench.plugins._observers import Observers
from fairbench.plugins._short_form import WEIGHTED, in_full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairbench.method import Use
    from fairbench.plugins.descriptions import Kind

__all__ = ["DISABLE", "Registry", "added", "load"]

DISABLE = "FAIRBENCH_DISABLE_PLUGINS"
"""Environment variable: plugins or distributions not to be imported, or ``*``."""

EMPTY: Mapping[str, object] = MappingProxyType({})


class Registry:
    """Components by kind and name, from plugins that were loaded one by one.

    Attributes
    ----------
    plugins
        Every plugin found, also those that are broken or switched off.
    observers
        Passes what happens in a run on to every plugin that observes it.
    """

    def __init__(self, loaded: Sequence[Loaded], notes: Sequence[Problem] = (), /) -> None:
        self._loaded = tuple(loaded)
        self._notes = tuple(notes)
        self.plugins: tuple[Plugin, ...] = tuple(each.plugin for each in loaded)
        self.observers = Observers(loaded)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems with plugins, including observers that have failed by now."""
        broken = [each.problem for each in self._loaded if each.problem]
        return (*self._notes, *broken, *self.observers.problems)

    def components(self, kind: Kind, /) -> tuple[Component, ...]:
        """All components of one kind, sorted by name and then by distribution."""
        found = (c for plugin in self.plugins for c in plugin.components if c.kind == kind)
        return tuple(sorted(found, key=lambda c: (c.name, c.qualified)))

    def find(self, kind: Kind, name: str, /) -> Component:
        """The component called `name`, or ``dist:name`` where two plugins offer that name.

        Raises
        ------
        StudyError
            Where there is none, naming the nearest, or more than one, naming each.
        """
        found = self._called(kind, name)
        if len(found) > 1:
            offers = " or ".join(c.qualified for c in found)
            raise StudyError(f"{len(found)} plugins offer {kind} {name!r}", hint=f"write {offers}")
        if not found:
            raise self._unknown(kind, name, self.components(kind))
        return found[0]

    def part(self, kind: Kind, name: str, options: Mapping[str, object] = EMPTY, /) -> Part:
        """Return the component called `name` with its `options`.

        The name of a weighting that is no method's is short for the method `weighted` with that
        weighting; the options of both then stand side by side.

        Raises
        ------
        StudyError
            Where `find` raises it, or an option belongs to neither.
        """
        if kind != "method" or self._called("method", name):
            return Part(self.find(kind, name), dict(options))
        if not self._called("weighting", name):
            known = (*self.components("method"), *self.components("weighting"))
            raise self._unknown(kind, name, known)
        weighted, weighting = self.find("method", WEIGHTED), self.find("weighting", name)
        return in_full(name, options, weighted, weighting)

    def build(self, use: Use, /) -> Any:
        """Return the component that a method declares in its `uses`.

        Raises
        ------
        StudyError
            Where there is none of this name, or it does not take these options.
        """
        return self.part(use.kind, use.name, use.options).build()

    def _called(self, kind: Kind, name: str) -> list[Component]:
        distribution, _, bare = name.rpartition(":")
        qualified = f"{normalised(distribution)}:{bare}"
        return [c for c in self.components(kind) if name == c.name or qualified == c.qualified]

    def _unknown(self, kind: Kind, name: str, known: Sequence[Component]) -> StudyError:
        names = (c.qualified if ":" in name else c.name for c in known)
        return StudyError(f"unknown {kind} {name!r}", hint=near(name, names) + self._missing())

    def _missing(self) -> str:
        """A reminder of plugins that may have offered what was not found."""
        missing = [f"{p.key} is {p.status}" for p in self.plugins if p.status != "loaded"]
        return f" (plugin {', '.join(missing)}: see fairbench list plugins)" if missing else ""

    def require_sound(self) -> None:
        """Raise `PluginError` listing all problems, if there are any."""
        if problems := self.problems:
            raise PluginError(
                "\n".join(map(str, problems)),
                hint="mend or uninstall these plugins, switch them off with "
                f"{DISABLE}, or do without --strict-plugins",
            )

    def _with(self, loaded: Loaded) -> Registry:
        return Registry((*self._loaded, loaded), self._notes)


def load(*, strict: bool = False) -> Registry:
    """The registry of this process: found once, then kept.

    Parameters
    ----------
    strict
        Turn any problem with any plugin into a failure.

    Raises
    ------
    PluginError
        Where `strict` and there is any problem, listing all.
    """
    registry = _added[-1] if _added else _installed(os.environ.get(DISABLE, ""))
    if strict:
        registry.require_sound()
    return registry


@cache
def _installed(disable: str) -> Registry:
    names = {
        word if word == "*" else normalised(word) for word in disable.replace(",", " ").split()
    }
    loaded = list(discover(names))
    return Registry(loaded, list(_not_switched_off(names, [each.plugin for each in loaded])))


def _not_switched_off(names: set[str], plugins: Iterable[Plugin]) -> Iterator[Problem]:
    """Say so where the environment names a plugin of fairbench itself."""
    plugins = list(plugins)
    off = [p for p in plugins if p.status == "switched off"]
    others = {normalised(word) for p in off for word in (p.name, p.distribution)}
    for plugin in plugins:
        own = normalised(plugin.distribution) == OWN
        if own and {normalised(plugin.name), OWN} & (names - others):
            what = "it is part of fairbench and cannot be switched off"
            yield plugin.problem(what, f"take it out of {DISABLE}")


_added: list[Registry] = []


@contextmanager
def added(plugin: object, /, *, name: str = "added") -> Iterator[Registry]:
    """Use `plugin`, a module or an object with hooks, as if it were installed.

    For tests and notebooks: within the block `load` returns the registry that is yielded
    here, in this process only. Components are called ``name:component`` in full.

    Raises
    ------
    PluginError
        Where the plugin breaks its contract.
    """
    loaded = load_plugin(name, name, "", lambda: plugin)
    if loaded.problem is not None:
        raise PluginError(loaded.problem.what, where=f"plugin {name!r}", hint=loaded.problem.hint)
    _added.append(load()._with(loaded))
    try:
        yield _added[-1]
    finally:
        _added.pop()
