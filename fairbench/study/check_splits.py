"""Check what every split, and every method on a dataset, must meet before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.deal import judged_groups
from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import Dataset, ProtectedKind
    from fairbench.fold import Split

__all__ = ["check_groups", "check_kind"]


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


def check_kind(takes: Sequence[ProtectedKind], dataset: Dataset, method: str, /) -> None:
    """Refuse a method that cannot be trained with an attribute of this kind."""
    attribute = dataset.protected[0]
    if attribute.kind not in takes:
        raise StudyError(
            f"method {method!r} takes no {attribute.kind} attribute such as {attribute.name!r}",
            where=f"dataset {dataset.name!r}",
            hint=f"it takes {' and '.join(takes) or 'none'}: choose such an attribute with "
            "--protected, or leave the method out",
        )
