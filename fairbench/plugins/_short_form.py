"""Short forms: the name of a weighting, where a study names a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairbench.errors import StudyError, near
from fairbench.plugins._component import Part
from fairbench.plugins._names import OWN

if TYPE_CHECKING:
    from fairbench.plugins._component import Component

__all__ = ["WEIGHTED", "in_full"]

WEIGHTED = f"{OWN}:weighted"
"""The method whose options `weighting` and `weighting_options` say what combines its losses."""


def in_full(
    name: str, options: Mapping[str, object], weighted: Component, weighting: Component, /
) -> Part:
    """Return the method `weighted` for which the `name` of a `weighting` is short.

    Its `options` are those of the method and of the weighting side by side. One that both have
    is the method's.

    Raises
    ------
    StudyError
        Where an option is neither's.
    """
    own = {option.name for option in weighted.options()} - {"weighting"}
    rule = {option.name for option in weighting.options()}
    for option in options:
        if option not in own | rule:
            raise StudyError(
                f"method {name!r} has no option {option!r}", hint=near(option, own | rule)
            )
    given: dict[str, object] = {"weighting": name}
    given |= {key: value for key, value in options.items() if key in own}
    nested = given.get("weighting_options", {})
    flat = {key: value for key, value in options.items() if key not in own}
    if flat and isinstance(nested, Mapping):  # anything else is refused where it is built
        given["weighting_options"] = {**nested, **flat}
    return Part(weighted, given)
