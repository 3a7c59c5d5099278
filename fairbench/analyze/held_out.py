"""Stored predictions of the trials that a method would be deployed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Part
    from fairbench.store import RunFolder

__all__ = ["Deployed", "HeldOut", "held_out", "points_deployed"]

Deployed = dict[tuple[str, str, str, str], list["HeldOut"]]
"""By dataset, target, protected attribute and method: one entry per split, in their order."""

_REPEAT = ["split", "seed", "value"]


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one split's test rows, or validation rows.

    Attributes
    ----------
    prediction : (S, n)
        One row per seed.
    target : (n,)
    rows : (n,) int
        Row numbers in the dataset.
    split
        Number of the split.
    """

    prediction: FloatArray
    target: FloatArray
    rows: IntArray
    split: int = 0


def points_deployed(base: pd.DataFrame, matched: pd.DataFrame, /) -> pd.DataFrame:
    """The trial that each method stands at in every split and seed, the baseline included.

    Parameters
    ----------
    base
        From `baseline_points`.
    matched
        From `matched_points`.
    """
    columns = [*METHOD, *_REPEAT]
    tables = [table[columns] for table in (base, matched) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else base[columns]


def held_out(folder: RunFolder, points: pd.DataFrame, /, *, part: Part = "test") -> Deployed:
    """Predictions of these trials, read in one pass over the run's chunks.

    Parameters
    ----------
    points
        Columns dataset, target, protected, method, split, seed and value: one trial per split
        and seed.
    """
    wanted: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    columns = [points[name].tolist() for name in (*METHOD, *_REPEAT)]
    for dataset, target, protected, method, split, seed, tried in zip(*columns, strict=True):
        value = None if np.isnan(tried) else float(tried)
        wanted.setdefault((dataset, method, split, seed, value), []).append((target, protected))
    found: dict[tuple[str, str, str, str], dict[int, list[FloatArray]]] = {}
    for chunk in folder.chunks():
        trials = [
            (place, wanted[key])
            for place, t in enumerate(chunk.trials)
            if (key := (t.dataset, t.method, t.split, t.seed, t.value)) in wanted
        ]
        if not trials:
            continue
        first, prediction = chunk.trials[0], chunk.prediction(part)
        targets = list(folder.manifest["datasets"][first.dataset]["targets"])
        for place, views in trials:
            for target, protected in views:
                splits = found.setdefault((first.dataset, target, protected, first.method), {})
                own = prediction[place, :, targets.index(target)]
                splits.setdefault(first.split, []).append(own)
    return {key: _splits(folder, key, splits, part) for key, splits in sorted(found.items())}


def _splits(
    folder: RunFolder,
    key: tuple[str, str, str, str],
    splits: dict[int, list[FloatArray]],
    part: Part,
) -> list[HeldOut]:
    dataset, target, *_ = key
    facts = folder.rows(dataset)
    column = list(folder.manifest["datasets"][dataset]["targets"]).index(target)
    several = []
    for split, predictions in sorted(splits.items()):
        index = facts.splits[split][part]
        table = np.stack(predictions)
        several.append(HeldOut(table, facts.targets[index, column], index, split))
    return several
