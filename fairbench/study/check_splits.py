"""Check what every split must have, whichever protocol drew it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import StudyError
from fairbench.study.deal import judged_groups

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.fold import Split

__all__ = ["check_groups"]


def check_groups(dataset: Dataset, split: Split, number: int, /) -> None:
    """Refuse a split in which a judged group has no row in a part."""
    attribute = dataset.protected[0]
    for part in ("train", "validation", "test"):
        rows = split[part]
        if not rows.size and part == "validation":
            continue
        present = np.unique(attribute.groups[rows])
        if absent := [code for code in judged_groups(dataset) if code not in present]:
            raise StudyError(
                f"group {attribute.labels[absent[0]]!r} has no {part} row in split {number}",
                where=f"dataset {dataset.name!r}, protected attribute {attribute.name!r}",
                hint="let the disparity leave out small groups with --min-group, merge groups "
                "with --merge-groups, or try another --entropy",
            )
