"""A component: a description with where it comes from, imported on first use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fairbench.aside import aside
from fairbench.errors import PluginError, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.plugins._options import Option
    from fairbench.plugins.descriptions import Description, Kind

__all__ = ["Component", "normalised"]

# What the target of a kind must derive from; kinds without an entry are checked by use.
_BASES: Mapping[str, tuple[str, str]] = {
    "dataset": ("fairbench.dataset", "DatasetSource"),
    "weighting": ("fairbench.weighting", "Weighting"),
    "method": ("fairbench.method", "Method"),
    "protocol": ("fairbench.protocol", "Protocol"),
    "reproduction": ("fairbench.reproduction", "Reproduction"),
}


def normalised(distribution: str, /) -> str:
    """The form in which two spellings of a distribution's name are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


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
        """Which of the nine kinds of component it is."""
        return self.description.kind

    @property
    def name(self) -> str:
        """What a user types."""
        return self.description.name

    @property
    def qualified(self) -> str:
        """What a user types where two plugins offer the same name: ``dist:name``."""
        return f"{normalised(self.distribution)}:{self.name}"

    def load(self) -> Any:
        """Import the target.

        Raises
        ------
        PluginError
            Where that fails, or where the target is not what its kind asks for.
        """
        module, _, path = self.description.target.partition(":")
        try:
            with aside():
                target: Any = import_module(module)
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
            mend=f"reinstall or upgrade {self.distribution}, or report it to its authors",
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

    def provenance(self) -> dict[str, str]:
        """Where it comes from, for the manifest; `sha256` is that of its source file."""
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "target": self.description.target,
            "sha256": _source_hash(self.load(), self.description.target.partition(":")[0]),
        }


def _source_hash(target: object, module: str) -> str:
    """SHA-256 of the file that defines `target`; empty where it has none to read."""
    import hashlib
    import inspect
    from pathlib import Path

    try:
        # Classes and functions may be defined elsewhere than where the target names them.
        defined: Any = target if inspect.isroutine(target) or inspect.isclass(target) else None
        file = inspect.getsourcefile(defined or import_module(module))
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except (OSError, TypeError):
        return ""
