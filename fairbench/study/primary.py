"""The analysis that a study declares before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from fairbench.errors import StudyError, near

if TYPE_CHECKING:
    from fairbench.dataset import Dataset

__all__ = ["PrimarySpec", "primary_views"]


@dataclass(frozen=True, slots=True)
class PrimarySpec:
    """The analysis declared before the run, in the metrics of the axes; all else is exploratory.

    Parameters
    ----------
    target, protected
        Names, for the datasets that have them; elsewhere, and where left empty, the first.
    margin
        How far the error of a method may exceed the baseline's, as a share of it, and still
        count as no more.
    disparity_margin
        How far disparities may differ, as a share of the baseline's, and still count as equal.
    """

    target: str = ""
    protected: str = ""
    margin: Annotated[float, Ge(0)] = 0.05
    disparity_margin: Annotated[float, Ge(0)] = 0.2


def primary_views(
    spec: PrimarySpec, datasets: Mapping[str, Dataset], /
) -> dict[str, tuple[str, str]]:
    """Target and protected attribute of the primary analysis, by dataset.

    Raises
    ------
    StudyError
        Where no dataset has what is named.
    """
    offered = {
        "target": {name: list(d.target_names) for name, d in datasets.items()},
        "protected": {name: [a.name for a in d.protected] for name, d in datasets.items()},
    }
    chosen: dict[str, dict[str, str]] = {}
    for key, wanted in (("target", spec.target), ("protected", spec.protected)):
        known = {name for names in offered[key].values() for name in names}
        if wanted and wanted not in known:
            raise StudyError(
                f"no dataset of this study has {wanted!r}",
                where=f"primary.{key}",
                hint=near(wanted, known),
            )
        chosen[key] = {d: wanted if wanted in n else n[0] for d, n in offered[key].items()}
    return {name: (chosen["target"][name], chosen["protected"][name]) for name in datasets}
