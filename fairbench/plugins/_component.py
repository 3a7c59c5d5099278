"""A component: a description with where it comes from, imported on first use."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fairbench.aside import aside
from fairbench.errors import PluginError, told
from fairbench.plugins._names import OWN, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairbench.plugins._code import Code
    from fairbench.plugins._options import Option
    from fairbench.plugins.descriptions import Description, Kind

__all__ = ["Component", "Part", "recorded"]

# What the target of a kind must derive from; kinds without an entry are checked by use.
_BASES: Mapping[str, tuple[str, str]] = {
    "dataset": ("fairbench.dataset", "DatasetSource"),
    "weighting": ("fairbench.weighting", "Weighting"),
    "method": ("fairbench.method", "Method"),
    "protocol": ("fairbench.protocol", "Protocol"),
    "reproduction": ("fairbench.reproduction", "Reproduction"),
}


_NOTHING = SimpleNamespace()

_loaded: ContextVar[list[Component] | None] = ContextVar("loaded", default=None)


@contextmanager
def recorded() -> Iterator[list[Component]]:
    """Collect the components that are loaded within the block, in this thread."""
    loaded: list[Component] = []
    token = _loaded.set(loaded)
    try:
        yield loaded
    finally:
        _loaded.reset(token)


@dataclass(frozen=True, slots=True)
class Component:
    """Something a plugin offers.

    Attributes
    ----------
    plugin
        Name of the entry point that offers it.
    distribution, version
        The installed distribution that the plugin belongs to.
    """

    description: Description
    plugin: str
    distribution: str
    version: str

    @property
    def kind(self) -> Kind:
        """The kind of component, one of nine."""
        return self.description.kind

    @property
    def name(self) -> str:
        """The name that a user types."""
        return self.description.name

    @property
    def qualified(self) -> str:
        """The name that a user types where two plugins offer the same one: ``dist:name``."""
        return f"{normalised(self.distribution)}:{self.name}"

    def load(self) -> Any:
        """Import the target.

        Raises
        ------
        PluginError
            Where that fails, or where the target is not what its kind asks for.
        """
        if (loaded := _loaded.get()) is not None:
            loaded.append(self)
        module, _, path = self.description.target.partition(":")
        try:
            # What is there already runs no code of a stranger that could print.
            target: Any = vars(sys.modules.get(module, _NOTHING)).get(path)
            if target is None:
                with aside():
                    target = import_module(module)
                    for attribute in path.split("."):
                        target = getattr(target, attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._broken(f"cannot be imported: {told(error)}") from error
        if (base := _BASES.get(self.kind)) is not None:
            expected = getattr(import_module(base[0]), base[1])
            if not (isinstance(target, type) and issubclass(target, expected)):
                raise self._broken(f"is no subclass of {'.'.join(base)}")
        return target

    def _broken(self, what: str) -> PluginError:
        return PluginError(
            f"the target {self.description.target!r} of {self.kind} {self.name!r} {what}",
            where=f"plugin {self.plugin!r} of {self.distribution} {self.version}".rstrip(),
            hint=f"reinstall or upgrade {self.distribution}, or report it to its authors",
        )

    def options(self) -> tuple[Option, ...]:
        """Its options with types, defaults and documentation; imports the target."""
        from fairbench.plugins._options import options

        return options(self.load())

    def build(self, given: Mapping[str, object], /) -> Any:
        """The object itself, with the options `given` validated and the others at default.

        Raises
        ------
        StudyError
            Where an option is unknown, missing or has a value that is not allowed.
        PluginError
            Where the target cannot be imported or instantiated.
        """
        from fairbench.plugins._options import instantiate

        return instantiate(self.load(), given, of=f"{self.kind} {self.name!r}")

    def origin(self) -> tuple[str, str, tuple[str, ...]]:
        """Return what `code_of` finds its code by; imports the target.

        Its distribution, the module of its target, and those that the target was made in, its
        base classes among them.
        """
        target: Any = self.load()
        module = self.description.target.partition(":")[0]
        if normalised(self.distribution) == OWN:
            return self.distribution, module.partition(".")[0], ()
        made = target.__mro__ if isinstance(target, type) else (target,)
        modules = {str(getattr(each, "__module__", "")) for each in made} - {"", module}
        return self.distribution, module, tuple(sorted(modules))

    def provenance(self, code: Code | None = None) -> dict[str, str]:
        """Return where it comes from, for the manifest; `sha256` is that of all its code."""
        from fairbench.plugins._code import code_of

        code = code or code_of(*self.origin())
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "target": self.description.target,
            "code": code.name,
            "sha256": code.sha256,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """A component that takes part in a method, and the options it is built with."""

    component: Component
    options: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.component.kind} {self.component.name!r}"

    def build(self) -> Any:
        """Return the object itself, see `Component.build`."""
        return self.component.build(self.options)
