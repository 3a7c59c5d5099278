"""Finding installed plugins and loading them one by one, each guarded from the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from fairbench.aside import aside
from fairbench.errors import PluginError, told
from fairbench.plugins._check import manage, offered
from fairbench.plugins._component import Component
from fairbench.plugins._names import OWN, normalised
from fairbench.plugins.hookspecs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    import pluggy

__all__ = ["Loaded", "Plugin", "Problem", "disabled", "discover", "load_plugin"]

Status = Literal["loaded", "broken", "switched off"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a plugin, and how to mend it."""

    plugin: str
    distribution: str
    version: str
    what: str
    hint: str

    def __str__(self) -> str:
        of = f"{self.distribution} {self.version}".rstrip()
        hint = f" ({self.hint})" if self.hint else ""
        return " ".join(f"plugin {self.plugin!r} of {of}: {self.what}{hint}".split())


@dataclass(frozen=True)
class Plugin:
    """One entry point of group ``fairbench``, whether or not it could be loaded."""

    name: str
    distribution: str
    version: str
    status: Status
    components: tuple[Component, ...] = ()

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of components it offers, by kind; kinds it has none of are left out."""
        counts: dict[str, int] = {}
        for component in self.components:
            counts[component.kind] = counts.get(component.kind, 0) + 1
        return counts

    @property
    def key(self) -> str:
        """A name that is unique among installed plugins."""
        return f"{normalised(self.distribution)}:{self.name}"

    def problem(self, what: str, hint: str) -> Problem:
        """Something that is wrong with this plugin."""
        return Problem(self.name, self.distribution, self.version, what, hint)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin, with its hooks where it could be loaded and its problem where not."""

    plugin: Plugin
    manager: pluggy.PluginManager | None = None
    problem: Problem | None = None


def load_plugin(name: str, distribution: str, version: str, get: Callable[[], object], /) -> Loaded:
    """Load one plugin by `get` and collect what it offers; whatever it does, nothing is raised."""
    broken = Plugin(name, distribution, version, "broken")
    try:
        # A plugin that prints must not garble what a command writes for a program to read.
        with aside():
            manager = manage(_imported(get))
            descriptions = offered(manager)
    except PluginError as error:
        return Loaded(broken, problem=broken.problem(error.what, error.hint))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = f"checking it raises {told(error)}"
        return Loaded(broken, problem=broken.problem(what, "report it to its authors"))
    components = tuple(Component(d, name, distribution, version) for d in descriptions)
    return Loaded(Plugin(name, distribution, version, "loaded", components), manager)


def _imported(get: Callable[[], object]) -> object:
    try:
        return get()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"it cannot be imported: {told(error)}",
            hint="reinstall or upgrade it, or report it to its authors",
        ) from error


def discover(switched_off: Collection[str], /) -> Iterator[Loaded]:
    """Every installed plugin, in order of distribution and name.

    Parameters
    ----------
    switched_off
        Names of plugins or distributions that are not to be imported; ``*`` for all but
        those of `OWN`.
    """
    taken: set[tuple[str, str, str]] = set()
    for entry in sorted(_entry_points(), key=_origin):
        distribution, name, version = _origin(entry)
        if disabled(name, distribution, switched_off):
            yield Loaded(Plugin(name, distribution, version, "switched off"))
            continue
        loaded = load_plugin(name, distribution, version, entry.load)
        yield _unless_taken(loaded, taken)


def disabled(name: str, distribution: str, switched_off: Collection[str], /) -> bool:
    """Say whether `switched_off` names this plugin, and may switch it off."""
    if normalised(distribution) == OWN:
        return False
    return bool({"*", normalised(name), normalised(distribution)} & set(switched_off))


def _unless_taken(loaded: Loaded, taken: set[tuple[str, str, str]]) -> Loaded:
    """`loaded`, or broken where another plugin of its distribution offers the same name.

    Between distributions ``dist:name`` picks one; within a distribution nothing could.
    """
    plugin = loaded.plugin
    keys = {(normalised(c.distribution), c.kind, c.name) for c in plugin.components}
    if clash := sorted(keys & taken):
        broken = Plugin(plugin.name, plugin.distribution, plugin.version, "broken")
        what = (
            f"another plugin of {plugin.distribution} already offers {clash[0][1]} {clash[0][2]!r}"
        )
        return Loaded(broken, problem=broken.problem(what, "rename one"))
    taken |= keys
    return loaded


def _origin(entry: metadata.EntryPoint) -> tuple[str, str, str]:
    """Distribution, name and version; the first and last as far as its metadata can be read."""
    try:
        distribution = entry.dist
        assert distribution is not None
        return distribution.name or "unknown", entry.name, distribution.version or ""
    except Exception:
        return "unknown", entry.name, ""


def _entry_points() -> Iterable[metadata.EntryPoint]:
    try:
        return metadata.entry_points(group=PROJECT)
    except Exception:  # one distribution's unreadable metadata must not hide all others
        return _one_by_one()


def _one_by_one() -> Iterator[metadata.EntryPoint]:
    seen: set[str] = set()
    for distribution in metadata.distributions():
        try:
            name = normalised(distribution.name)
            entries = list(distribution.entry_points)
        except Exception:  # noqa: S112  (it offers nothing that could be read, to anyone)
            continue
        if name not in seen:
            seen.add(name)
            yield from (entry for entry in entries if entry.group == PROJECT)
