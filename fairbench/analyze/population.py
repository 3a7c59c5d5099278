"""What holds beyond this dataset: the difference in the population that its rows come from."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["DRAWS", "Moved", "moved", "population_interval", "population_table", "resampled"]

DRAWS = 200
"""Bootstrap samples: they estimate a variance, not a tail."""

FEWEST_DRAWS = 50
"""Usable samples below which there is no interval."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What other training rows do to a difference, read off rows that two models have predicted.

    Attributes
    ----------
    by : (P,)
        Difference on test rows of a split minus that on the same rows where another split, with
        other training rows, has them for validation.
    shared
        Mean part of their training rows that the two splits have in common.
    """

    by: FloatArray
    shared: float


def population_table(
    deployed: Deployed,
    validated: Deployed,
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
    deployed, validated
        Test and validation predictions of the baseline and of the methods.
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
        view = (*key[:3], baseline)
        pairs = _paired(own, deployed.get(view, []))
        if method == baseline or not pairs:
            continue
        facts, overlap = rows[dataset], overlaps[dataset]
        attribute = next(a for a in facts.protected if a.name == protected)
        rng = np.random.default_rng(derive(entropy, "bootstrap", dataset, target, protected))
        draws, seeds = resampled(pairs, attribute, facts.clusters, metric, best, rng)
        again = _paired(validated.get(key, []), validated.get(view, []))
        units = len(attribute.groups)
        if facts.clusters is not None:
            units = len(np.unique(facts.clusters))
        change = moved(pairs, again, overlap, attribute, metric, best)
        shared = overlap.of(np.array([one.split for one, _ in pairs])).mean_training
        interval = population_interval(draws[0], draws[1:], change, shared, seeds, units)
        found.append((*key, interval.low, interval.high, interval.p))
    columns = [*METHOD, "population_low", "population_high", "population_p"]
    return pd.DataFrame(found, columns=columns)


def _paired(own: Sequence[HeldOut], base: Sequence[HeldOut]) -> list[tuple[HeldOut, HeldOut]]:
    """Predictions of a method beside those of the baseline, on splits that both have."""
    other = {one.split: one for one in base}
    return [(one, other[one.split]) for one in own if one.split in other]


def moved(
    tested: Sequence[tuple[HeldOut, HeldOut]],
    validated: Sequence[tuple[HeldOut, HeldOut]],
    overlap: Overlap,
    attribute: Protected,
    metric: Component,
    best: Best,
    /,
) -> Moved:
    """`Moved` of a method, from rows that are test rows here and validation rows there.

    Each split is held against the one whose validation rows are most of its test rows: all of
    them where folds take turns. Less than half of them say too little.

    Parameters
    ----------
    tested, validated
        Predictions of the method and of the baseline, one pair per split.
    """
    by, shared = [], []
    for pair in tested:
        rows = pair[0].rows
        counts = [np.isin(rows, other[0].rows).sum() for other in validated]
        if not counts or max(counts) < len(rows) / 2:
            continue
        other = validated[int(np.argmax(counts))]
        both = np.intersect1d(rows, other[0].rows)
        (own, base), (again, base_again) = (
            _losses(one, np.searchsorted(one[0].rows, both), attribute, metric, best)
            for one in (pair, other)
        )
        by.append(own.mean() - base.mean() - again.mean() + base_again.mean())
        shared.append(overlap.training[pair[0].split, other[0].split])
    known = np.isfinite(by)
    mean = float(np.mean(shared)) if shared else np.nan
    return Moved(np.array(by, dtype=np.float64)[known], mean)


def _losses(
    pair: tuple[HeldOut, HeldOut],
    place: IntArray,
    attribute: Protected,
    metric: Component,
    best: Best,
) -> tuple[FloatArray, FloatArray]:
    """Losses by seed of the method and of the baseline on the rows at `place`."""
    method, base = pair
    labels = attribute.rows(method.rows[place])
    both = np.concatenate([method.prediction, base.prediction])[:, place]
    found, _ = evaluate(both, method.target[place], labels, [metric])
    losses = as_loss(found[metric.description.name], best)
    return losses[: len(method.prediction)], losses[len(method.prediction) :]


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
        for number, pair in enumerate(pairs):
            rows = pair[0].rows
            place = np.repeat(np.arange(len(rows)), times[rows])
            first, second = _losses(pair, place, attribute, metric, best)
            values[draw, number] = first.mean() - second.mean()
            if not draw and len(first) == len(second) > 1:
                variances.append(float((first - second).var(ddof=1)) / len(first))
    return values, float(np.mean(variances)) if variances else float("nan")


def population_interval(
    differences: FloatArray,
    draws: FloatArray,
    change: Moved,
    shared: float,
    seed_variance: float,
    units: int,
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
    change
        What other training rows do to them.
    shared
        Part of its training rows that a split shares with another: `Overlap.mean_training`.
    seed_variance
        What seeds contribute to the variance of one entry of `differences`; NaN, with one seed
        per split, counts as nothing: what seeds do is then taken for what training rows do.
    units
        Rows, or clusters, of the dataset.

    Returns
    -------
    Interval
        With one degree of freedom less than there are units; without limits for fewer than two
        splits, or where no two splits have predicted the same rows for test and for validation.

    Notes
    -----
    The mean varies from dataset to dataset for three reasons. Test rows: B, the variance of the
    mean over `draws`, in which splits share rows as they do in truth. Seeds: independent, so
    that a J-th of their variance remains. Training rows: two models that share a part q of
    theirs and predict the same rows differ by 2 (1 − q) times the variance V that training rows
    cause in one split, and by their seeds; what single rows add to that difference is left in
    it, which is cautious. Of V the share A = V (1/J + (1 − 1/J) r) remains in a mean over J
    splits that share r of them two by two.

    A row is in training for some splits and in test for others, so that A and B go together, and
    how much so no estimator can say without bias (Bengio and Grandvalet 2004): the variance is
    A + B + 2 √(A B) at most, by Cauchy and Schwarz, and that is taken. Nadeau and Bengio (2003)
    take all of it for one source whose correlation is the test share. docs/statistics.md shows
    what both cover.
    """
    kept = differences[np.isfinite(differences)]
    n = len(kept)
    known = np.isfinite(draws)
    # A draw may leave a split without rows of a group; the others still speak.
    usable = 2 * known.sum(axis=1) > draws.shape[1]
    means = np.where(known, draws, 0.0).sum(axis=1)[usable] / known.sum(axis=1)[usable]
    if n < 2 or len(means) < FEWEST_DRAWS or len(change.by) < 2:
        mean = float(kept.mean()) if n else np.nan
        return Interval(mean, np.nan, np.nan, np.nan, n)
    test = float(means.var(ddof=1)) * units / (units - 1)
    seeds = 0.0 if np.isnan(seed_variance) else seed_variance
    single = max(0.0, float(change.by.var()) / 2 - seeds) / (1 - change.shared)
    training = single * (1 / n + (1 - 1 / n) * shared)
    error = float(np.sqrt((np.sqrt(training) + np.sqrt(test)) ** 2 + seeds / n))
    mean = float(kept.mean())
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0), n)
    half = float(scipy.special.stdtrit(units - 1, 0.5 + confidence / 2)) * error
    p = 2 * float(scipy.special.stdtr(units - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)
