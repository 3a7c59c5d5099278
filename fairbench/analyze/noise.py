"""The noise floor: how much the baseline's disparity moves though nothing was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.matched import PLACE, baseline_points
from fairbench.analyze.permutation import HeldOut, permuted
from fairbench.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from fairbench.analyze.axes import Axes, Best
    from fairbench.dataset import FloatArray
    from fairbench.plugins import Component
    from fairbench.store import RunFolder

__all__ = ["against_chance", "beyond_noise", "noise_floor", "seed_deviation"]


def seed_deviation(values: FloatArray, splits: FloatArray, /) -> float:
    """Standard deviation of values (n,) over seeds within a split, pooled over splits.

    NaN where no split has two values.
    """
    within = [values[splits == split] for split in np.unique(splits)]
    free = sum(len(part) - 1 for part in within)
    if free <= 0:
        return float("nan")
    return float(np.sqrt(sum(((part - part.mean()) ** 2).sum() for part in within) / free))


_COLUMNS = [
    *PLACE,
    "splits",
    "seeds",
    "disparity",
    "loss",
    "seed_sd",
    "split_sd",
    "low",
    "high",
]


def noise_floor(fronts: pd.DataFrame, axes: Axes, baseline: str, /) -> pd.DataFrame:
    """Spread of the baseline's disparity on test rows.

    Parameters
    ----------
    fronts
        The fronts table for `axes`.

    Returns
    -------
    DataFrame
        One row per dataset, target and protected attribute. disparity: mean; loss: the same
        as a loss; seed_sd: over seeds within a split (NaN with one seed per split); split_sd:
        over splits of means over seeds; low, high: the smallest and largest single value. What
        a study could have found depends on the method compared: see ``detectable`` in
        `fairbench.analyze.verdicts`.
    """
    rows = []
    points = baseline_points(fronts, axes, baseline)
    for key, part in points.groupby(PLACE, sort=True):
        loss = part["disparity_loss"].to_numpy()
        means = part.groupby("split")["disparity_loss"].mean()
        seeds = float(part.groupby("split").size().mean())
        within = seed_deviation(loss, part["split"].to_numpy(dtype=np.float64))
        between = float(means.std(ddof=1)) if len(means) > 1 else np.nan
        rows.append(
            (
                *key,
                len(means),
                seeds,
                part["disparity"].mean(),
                float(means.mean()),
                within,
                between,
                part["disparity"].min(),
                part["disparity"].max(),
            )
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def beyond_noise(observed: float, null: FloatArray, /) -> tuple[float, float, float]:
    """Mean and 95th percentile of `null` (draws,), and the one-sided p-value of `observed`.

    All are losses: an unfair baseline lies above what chance alone gives. The p-value counts
    the observation itself among the draws, and is NaN where there is none.
    """
    known = null[np.isfinite(null)]
    if not known.size or not np.isfinite(observed):
        return float("nan"), float("nan"), float("nan")
    above = int((known >= observed - 1e-12 * abs(observed)).sum())
    p = (1 + above) / (1 + known.size)
    return float(known.mean()), float(np.quantile(known, 0.95)), p


def against_chance(
    folder: RunFolder, floor: pd.DataFrame, points: pd.DataFrame, metric: Component, best: Best, /
) -> pd.DataFrame:
    """`floor` with null_mean, null_high and p: the baseline against randomly dealt group labels.

    Parameters
    ----------
    floor
        From `noise_floor`.
    points
        The baseline's points, from `baseline_points`.
    metric, best
        The disparity metric and its direction.
    """
    rows = []
    observed = dict(zip(zip(*(floor[c] for c in PLACE), strict=True), floor["loss"], strict=True))
    for key, part in points.groupby(PLACE, sort=True):
        dataset, target, protected = map(str, key)
        facts = folder.rows(dataset)
        attribute = next(a for a in facts.protected if a.name == protected)
        column = list(folder.manifest["datasets"][dataset]["targets"]).index(target)
        tested = list(_tested(folder, part, column))
        seed = derive(folder.manifest["study"]["entropy"], "permutation", *key)
        null = permuted(
            metric, attribute, facts.clusters, tested, np.random.default_rng(seed), best=best
        )
        rows.append((*key, *beyond_noise(float(observed[dataset, target, protected]), null)))
    chance = pd.DataFrame(rows, columns=[*PLACE, "null_mean", "null_high", "p"])
    return floor.merge(chance, on=PLACE, how="left")


def _tested(folder: RunFolder, points: pd.DataFrame, column: int) -> Iterator[HeldOut]:
    """Test predictions of the baseline's points, one entry per split."""
    first = points.iloc[0]
    facts = folder.rows(first["dataset"])
    wanted: dict[int, set[Hashable]] = {}
    for split, seed, value in points[["split", "seed", "value"]].itertuples(index=False):
        wanted.setdefault(int(split), set()).add((int(seed), _known(value)))
    found: dict[int, list[FloatArray]] = {split: [] for split in wanted}
    for chunk in folder.chunks():
        start = chunk.trials[0]
        if (start.dataset, start.method) != (first["dataset"], first["method"]):
            continue
        chosen = [
            number
            for number, trial in enumerate(chunk.trials)
            if (trial.seed, trial.value) in wanted.get(trial.split, set())
        ]
        if chosen:
            found[start.split].append(chunk.prediction("test")[chosen, :, column])
    for split, predictions in sorted(found.items()):
        index = facts.splits[split].test
        yield HeldOut(np.concatenate(predictions), facts.targets[index, column], index)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
