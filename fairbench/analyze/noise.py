"""The noise floor: how much the baseline's disparity moves though nothing was changed."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import as_loss
from fairbench.analyze.columns import PLACE
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.held_out import held_out
from fairbench.analyze.matched import baseline_points
from fairbench.analyze.permutation import DRAWS, known_means, permuted, smallest_p
from fairbench.analyze.rules import LEVEL
from fairbench.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.analyze.axes import Axes, Best
    from fairbench.analyze.held_out import HeldOut
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.plugins import Component
    from fairbench.store import RunFolder

__all__ = ["Chance", "against_chance", "beyond_noise", "chance", "noise_floor", "seed_deviation"]


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


def beyond_noise(observed: float, null: FloatArray, /) -> float:
    """One-sided p-value of `observed` among draws `null` (draws,), of which more is worse.

    The p-value counts the observation itself among the draws, and is NaN where there is none.
    """
    known = null[~np.isnan(null)]
    if not known.size or np.isnan(observed):
        return float("nan")
    above = int((known >= observed - 1e-12 * abs(observed)).sum())
    return (1 + above) / (1 + known.size)


@dataclass(frozen=True)
class Chance:
    """A disparity held against group labels dealt at random.

    Attributes
    ----------
    null_mean, null_high
        Mean of the metric under random labels, and the value that 95 % of the draws stay on the
        better side of, both in the metric's own sign and scale.
    p
        Of the true labels; NaN where it cannot be known.
    smallest_p
        The least that p could have been.
    test
        ``studentised`` where the metric compares means of groups: equal means are tested,
        whatever the groups' spread. ``exchangeable`` for any other: what is tested is that
        labels say nothing about targets and predictions at all.
    powerless
        Why this test could not have found any disparity; empty where it could.
    """

    null_mean: float
    null_high: float
    p: float
    smallest_p: float
    test: str
    powerless: str


def chance(
    metric: Component,
    attribute: Protected,
    clusters: IntArray | None,
    tested: Sequence[HeldOut],
    rng: np.random.Generator,
    /,
    *,
    best: Best = "low",
    draws: int = DRAWS,
) -> Chance:
    """Hold the disparity of predictions against chance.

    For metrics that compare means the p-value is the larger of two: that of the largest
    difference in standard errors among random deals, and Welch's. The first is exact where
    groups are exchangeable, the second keeps its level in groups of a few units as well.

    Parameters
    ----------
    metric, best
        The disparity metric and its direction.
    attribute
        The protected attribute on all rows of the dataset.
    tested
        Test rows and predictions of each split.
    """
    found = permuted(metric, attribute, clusters, tested, rng, best=best, draws=draws)
    if found.studentised is None:
        own = _loss(metric, attribute, tested, best)
        test, p = "exchangeable", beyond_noise(own, found.losses)
    else:
        test = "studentised"
        p = np.fmax(beyond_noise(found.observed, found.studentised), found.welch)
    rows = np.unique(np.concatenate([one.rows for one in tested]))
    smallest = max(1 / (1 + draws), smallest_p(attribute, clusters, rows))
    units = "rows" if clusters is None else "clusters"
    count = len(rows) if clusters is None else len(np.unique(clusters[rows]))
    powerless = ""
    if smallest > LEVEL:
        powerless = f"with {count} tested {units} no p-value can be below {smallest:.2g}"
    elif not np.isfinite(p):
        powerless = f"fewer than two groups have two tested {units} and a value"
    mean, high = _summary(found.values, best)
    return Chance(mean, high, float(p), smallest, test, powerless)


def _loss(metric: Component, attribute: Protected, tested: Sequence[HeldOut], best: Best) -> float:
    """The metric as a loss under the true labels, mean over splits."""
    name = metric.description.name
    values = [
        as_loss(evaluate(t.prediction, t.target, attribute.rows(t.rows), [metric])[0][name], best)
        for t in tested
    ]
    return float(known_means(np.array([[value.mean() for value in values]]))[0])


def _summary(null: FloatArray, best: Best) -> tuple[float, float]:
    """Mean of random draws, and the value that 95 % of them are better than."""
    known = null[np.isfinite(null)]
    if not known.size:
        return float("nan"), float("nan")
    mean, limit = float(known.mean()), float(np.quantile(as_loss(known, best), 0.95))
    match best:
        case "low":
            return mean, limit
        case "high":
            return mean, -limit
        case "one":
            return mean, 1 - limit if mean < 1 else 1 + limit


def against_chance(
    folder: RunFolder, floor: pd.DataFrame, points: pd.DataFrame, metric: Component, best: Best, /
) -> pd.DataFrame:
    """`floor` with the columns of `Chance`: the baseline against randomly dealt group labels.

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
    for key, part in points.groupby(PLACE, sort=True):
        dataset, _, protected = map(str, key)
        facts = folder.rows(dataset)
        attribute = next(a for a in facts.protected if a.name == protected)
        seed = derive(folder.manifest["study"]["entropy"], "permutation", *key)
        (tested,) = held_out(folder, part).values()
        rng = np.random.default_rng(seed)
        found = chance(metric, attribute, facts.clusters, tested, rng, best=best)
        rows.append((*key, *astuple(found)))
    columns = [*PLACE, *(field.name for field in fields(Chance))]
    return floor.merge(pd.DataFrame(rows, columns=columns), on=PLACE, how="left")
