"""The analysis that was declared before a run; all others are exploratory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairbench.analyze.axes import Axes

__all__ = ["DISPARITY_MARGIN", "MARGIN", "Primary", "declared_in"]

MARGIN = 0.05
"""How far the error may exceed the baseline's, as a share of it, and still count as no more."""

DISPARITY_MARGIN = 0.2
"""How far disparities may differ, as a share of the baseline's, and still count as the same."""


@dataclass(frozen=True, slots=True)
class Primary:
    """What a study set out to show.

    Attributes
    ----------
    error, disparity
        Names of two metrics.
    margin, disparity_margin
        See `MARGIN` and `DISPARITY_MARGIN`.
    views
        Target and protected attribute, by dataset.
    declared
        False for a run made before analyses were declared: its first target and attribute
        stand in, and its earlier reports were judged by older rules.
    """

    error: str
    disparity: str
    margin: float = MARGIN
    disparity_margin: float = DISPARITY_MARGIN
    views: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    declared: bool = True

    def covers(self, axes: Axes, margin: float, /) -> bool:
        """Whether a table for `axes`, judged with this margin of error, holds this analysis."""
        return (axes.error, axes.disparity, margin) == (self.error, self.disparity, self.margin)

    def seen_as(self, views: Mapping[str, tuple[str, str]], /) -> Primary:
        """The same analysis under other labels of datasets."""
        return replace(self, views=views)


def declared_in(manifest: Mapping[str, Any], /) -> Primary:
    """The primary analysis of a run; for an old one its axes and the first view of each dataset."""
    stated = manifest.get("primary")
    axes = manifest["axes"]
    if stated is None:
        views = {
            name: (facts["targets"][0], facts["protected"][0]["name"])
            for name, facts in manifest["datasets"].items()
        }
        return Primary(axes["error"], axes["disparity"], views=views, declared=False)
    return Primary(
        stated["error"],
        stated["disparity"],
        float(stated["margin"]),
        float(stated["disparity_margin"]),
        {name: (target, protected) for name, (target, protected) in stated["views"].items()},
    )
