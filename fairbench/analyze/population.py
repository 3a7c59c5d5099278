"""What holds beyond this dataset: the difference in the population that its rows come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from fairbench.analyze.axes import as_loss
from fairbench.analyze.columns import METHOD
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.intervals import Interval
from fairbench.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.analyze.axes import Best
    from fairbench.analyze.held_out import Deployed, HeldOut
    from fairbench.analyze.overlap import Overlap
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.plugins import Component
    from fairbench.store import Rows

__all__ = ["DRAWS", "population_interval", "population_table", "resampled"]

DRAWS = 200
"""Bootstrap samples: they estimate a variance, not a tail."""

TOGETHER = 0.25
"""Correlation between what a row does as a training row and what it does as a test row."""

FEWEST_DRAWS = 50
"""Usable samples below which there is no interval."""


def population_table(
    deployed: Deployed,
    rows: Mapping[str, Rows],
    metric: Component,
    best: Best,
    baseline: str,
    overlaps: Mapping[str, Overlap],
    entropy: int,
    /,
) -> pd.DataFrame:
    """`population_interval` of every method, from stored predictions.

    Parameters
    ----------
    deployed
        Test predictions of the baseline and of the methods.
    rows, overlaps
        By dataset.
    metric, best
        The disparity metric and its direction.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and method: population_low,
        population_high and population_p.
    """
    found = []
    for key, own in deployed.items():
        dataset, target, protected, method = key
        base = {one.split: one for one in deployed.get((*key[:3], baseline), [])}
        pairs = [(one, base[one.split]) for one in own if one.split in base]
        if method == baseline or not pairs:
            continue
        facts = rows[dataset]
        attribute = next(a for a in facts.protected if a.name == protected)
        rng = np.random.default_rng(derive(entropy, "bootstrap", dataset, target, protected))
        draws, seeds = resampled(pairs, attribute, facts.clusters, metric, best, rng)
        index = np.array([one.split for one, _ in pairs])
        shared = overlaps[dataset].of(index).mean_training
        interval = population_interval(draws[0], draws[1:], shared, seeds)
        found.append((*key, interval.low, interval.high, interval.p))
    columns = [*METHOD, "population_low", "population_high", "population_p"]
    return pd.DataFrame(found, columns=columns)


def resampled(
    pairs: Sequence[tuple[HeldOut, HeldOut]],
    attribute: Protected,
    clusters: IntArray | None,
    metric: Component,
    best: Best,
    rng: np.random.Generator,
    /,
    *,
    draws: int = DRAWS,
) -> tuple[FloatArray, float]:
    """Differences (1 + draws, J) of a metric's loss, with rows drawn anew and models as they are.

    Clusters, or rows where there are none, are drawn with replacement from the whole dataset,
    once per draw for all splits: what splits share they share in truth as well. The first row
    of the result has every row once. Beside it, what seeds contribute to the variance of one
    split's difference, NaN with one seed.

    Parameters
    ----------
    pairs
        Test predictions of the method and of the baseline, one pair per split.
    attribute
        On all rows of the dataset.
    """
    size = len(attribute.groups)
    units = np.arange(size) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    values = np.full((1 + draws, len(pairs)), np.nan)
    variances = []
    for draw in range(1 + draws):
        count = int(units.max()) + 1
        drawn = rng.integers(0, count, count) if draw else np.arange(count)
        times = np.bincount(drawn, minlength=count)[units]
        for number, (method, base) in enumerate(pairs):
            place = np.repeat(np.arange(len(method.rows)), times[method.rows])
            labels = attribute.rows(method.rows[place])
            both = np.concatenate([method.prediction, base.prediction])[:, place]
            found, _ = evaluate(both, method.target[place], labels, [metric])
            losses = as_loss(found[metric.description.name], best)
            first, second = losses[: len(method.prediction)], losses[len(method.prediction) :]
            values[draw, number] = first.mean() - second.mean()
            if not draw and len(first) == len(second) > 1:
                variances.append(float((first - second).var(ddof=1)) / len(first))
    return values, float(np.mean(variances)) if variances else float("nan")


def population_interval(
    differences: FloatArray,
    draws: FloatArray,
    shared: float,
    seed_variance: float,
    /,
    *,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean difference over datasets drawn from the same population.

    Parameters
    ----------
    differences : (J,)
        Paired differences, one per split.
    draws : (B, J)
        From `resampled`.
    shared
        Part of its training rows that a split shares with another: `Overlap.mean_training`.
    seed_variance
        What seeds contribute to the variance of one entry of `differences`; NaN, with one seed
        per split, counts as nothing, which is cautious.

    Returns
    -------
    Interval
        With J − 1 degrees of freedom; without limits for fewer than two splits.

    Notes
    -----
    The mean varies from dataset to dataset for three reasons. Test rows: B, the variance of the
    mean over `draws`, in which splits share rows as they do in truth. Seeds: independent, so
    that a J-th of their variance remains. Training rows: splits that share a part r of them
    show only 1 − r of the variance that they cause. Let Q be what remains of the spread over
    splits once test rows and seeds are taken out of it, and A the variance that training rows
    cause in a mean over very many splits. A row is in training for some splits and in test for
    others, so that the two go together: with a covariance c √(A B) the same reasoning gives
    Q = A (1 − r)/r − 2 c √(A B), to be solved for A, and the variance of the mean is
    A + B + 2 c √(A B) + Q/J and the seeds' part. c is not to be had from a few splits; the
    value of `TOGETHER` is one that does well in simulations, which docs/statistics.md shows
    together with where it does not. Nadeau and Bengio (2003) take all of it for one source whose
    correlation is the test share.
    """
    known = np.isfinite(differences)
    kept, rows = differences[known], draws[:, known]
    rows = rows[np.isfinite(rows).all(axis=1)]  # a draw may leave a group without rows
    n = len(kept)
    if n < 2 or len(rows) < FEWEST_DRAWS:
        mean = float(kept.mean()) if n else np.nan
        return Interval(mean, np.nan, np.nan, np.nan, n)
    test = float(rows.mean(axis=1).var(ddof=1))
    # The spread over splits that test rows alone would give: variances less covariances.
    within = float(rows.var(axis=0, ddof=1).mean())
    apart = (within - test) * n / (n - 1)
    seeds = 0.0 if np.isnan(seed_variance) else seed_variance
    spread = max(0.0, float(kept.var(ddof=1)) - apart - seeds)
    odds = shared / (1 - shared)
    half_way = odds * TOGETHER * np.sqrt(test)
    training = (half_way + np.sqrt(half_way**2 + odds * spread)) ** 2
    both = 2 * TOGETHER * np.sqrt(training * test)
    error = float(np.sqrt(test + training + both + (spread + seeds) / n))
    mean = float(kept.mean())
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0), n)
    half = float(scipy.special.stdtrit(n - 1, 0.5 + confidence / 2)) * error
    p = 2 * float(scipy.special.stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)
