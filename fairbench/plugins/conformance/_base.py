"""The base of all conformance classes, which makes the component under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fairbench.plugins.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairbench.plugins.descriptions import Kind

__all__ = ["Conformance"]


class Conformance:
    """Base of the conformance classes; subclasses name the component under test.

    Attributes
    ----------
    component
        Name of an installed component, or a function (or class) that makes one when called
        without arguments.
    options
        Options for an installed component.
    """

    kind: ClassVar[Kind]
    component: ClassVar[str | Callable[[], Any]]
    options: ClassVar[Mapping[str, object]] = {}

    def make(self) -> Any:
        """A fresh component."""
        component = type(self).component  # through the class: a function stays a function
        if isinstance(component, str):
            return load().find(self.kind, component).build(self.options)
        return component()
