"""The facts of a dataset's rows that analysis needs, and their form on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fairbench.dataset import Protected
from fairbench.fold import Split
from fairbench.metric import Neighbours

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Part

__all__ = ["Rows", "from_arrays", "to_arrays"]

_PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Rows:
    """The facts of a dataset's rows that analysis needs: everything but the features.

    `neighbours` holds, by split and part, what `fairbench.metric.Neighbours` holds of its rows.
    """

    targets: FloatArray
    protected: tuple[Protected, ...]
    clusters: IntArray | None
    splits: tuple[Split, ...]
    neighbours: Mapping[tuple[int, Part], Neighbours] = field(default_factory=dict)


def to_arrays(rows: Rows, /) -> dict[str, np.ndarray]:
    """`rows` as arrays by name; kinds and labels of attributes stand in the manifest."""
    arrays: dict[str, np.ndarray] = {"targets": rows.targets}
    for number, attribute in enumerate(rows.protected):
        arrays[f"values.{number}"] = attribute.values
        arrays[f"groups.{number}"] = attribute.groups
    if rows.clusters is not None:
        arrays["clusters"] = rows.clusters
    arrays["splits"] = np.stack([_codes(split, len(rows.targets)) for split in rows.splits])
    for (split, part), neighbours in rows.neighbours.items():
        for name, array in neighbours.arrays().items():
            arrays[f"neighbours.{split}.{part}.{name}"] = array
    return arrays


def from_arrays(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], /) -> Rows:
    """The rows in `arrays`, of the dataset of which the manifest says `facts`."""
    protected = tuple(
        Protected(
            attribute["name"],
            attribute["kind"],
            arrays[f"values.{number}"],
            arrays[f"groups.{number}"],
            tuple(attribute["labels"]),
            tuple(attribute["small"]),
        )
        for number, attribute in enumerate(facts["protected"])
    )
    splits = tuple(_split(codes) for codes in arrays["splits"])
    neighbours = {
        (number, part): Neighbours.from_arrays(found)
        for number in range(len(splits))
        for part in _PARTS
        if (found := _under(f"neighbours.{number}.{part}.", arrays))
    }
    return Rows(arrays["targets"], protected, arrays.get("clusters"), splits, neighbours)


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose name begins with `prefix`, by the rest of their name."""
    return {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}


def _codes(split: Split, rows: int) -> np.ndarray:
    codes = np.full(rows, -1, dtype=np.int8)
    for code, part in enumerate(_PARTS):
        codes[split[part]] = code
    return codes


def _split(codes: np.ndarray) -> Split:
    return Split(*(np.flatnonzero(codes == code) for code in range(len(_PARTS))))
