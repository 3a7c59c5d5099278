"""The methods of a study: short forms written out, labels given, the baseline among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairbench.errors import StudyError
from fairbench.plugins import REQUIRED, WEIGHTED
from fairbench.study.study import MethodSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.plugins import Component, Part, Registry
    from fairbench.study.study import Study

__all__ = ["Methods", "methods_of"]


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods of a study, each with its component.

    Attributes
    ----------
    named
        Those that the study names, in its order.
    baseline
        What reports call the baseline, or None where there is none.
    added
        The baseline, where the study does not name it.
    """

    named: Sequence[tuple[MethodSpec, Component]]
    baseline: str | None
    added: tuple[MethodSpec, Component] | None = None

    @property
    def all(self) -> tuple[tuple[MethodSpec, Component], ...]:
        """The methods that are trained, a baseline that was added first."""
        return (*(() if self.added is None else (self.added,)), *self.named)

    @property
    def specs(self) -> tuple[MethodSpec, ...]:
        """The study's own entries of the methods that it names."""
        return tuple(spec for spec, _ in self.named)


def methods_of(study: Study, registry: Registry, /) -> Methods:
    """Find the methods of `study`; the name of a weighting becomes `weighted`, labelled by it.

    The baseline is the first method of its name, or of a weighting's name that is given as one.

    Raises
    ------
    StudyError
        Where there is no such method, or a weighting lacks an option that it needs.
    """
    named = [_in_full(spec, registry) for spec in study.methods]
    if study.baseline is None:
        return Methods(named, None)
    added = _in_full(MethodSpec(study.baseline), registry)
    for spec, component in named:
        if component == added[1] and _includes(spec.options, added[0].options):
            return Methods(named, spec.title)
    return Methods(named, added[0].title, added)


def _includes(options: Mapping[str, object], fewer: Mapping[str, object]) -> bool:
    return all(name in options and options[name] == value for name, value in fewer.items())


def _in_full(spec: MethodSpec, registry: Registry) -> tuple[MethodSpec, Component]:
    part = registry.part("method", spec.name, spec.options)
    weighting = part.options.get("weighting")
    if part.component.qualified != WEIGHTED or not isinstance(weighting, str):
        return spec, part.component
    _check_options(spec, part, registry.find("weighting", weighting))
    full = replace(spec, name=part.component.name, label=spec.label or weighting)
    return replace(full, options=dict(part.options)), part.component


def _check_options(spec: MethodSpec, part: Part, weighting: Component) -> None:
    given = part.options.get("weighting_options") or {}
    missing = (o for o in weighting.options() if o.default is REQUIRED and o.name not in given)  # type: ignore[operator]
    if (option := next(missing, None)) is None:
        return
    path = "" if spec.name == weighting.name else "weighting_options."
    raise StudyError(
        f"weighting {weighting.name!r} needs its option {option.name!r}",
        where=f"method {spec.title!r}",
        hint=f"give it, for example by --set {spec.name}.{path}{option.name}=VALUE: {option.type}",
    )
