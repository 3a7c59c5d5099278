"""Before anything is trained: whether a study could find a complete removal of the disparity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.held_out import HeldOut
from fairbench.analyze.intervals import smallest_detectable
from fairbench.analyze.noise import chance
from fairbench.analyze.overlap import split_overlap
from fairbench.analyze.rules import LEVEL
from fairbench.fold import Fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.analyze.axes import Best
    from fairbench.dataset import Dataset, FloatArray, Protected
    from fairbench.fold import Split
    from fairbench.plugins import Component

__all__ = ["hopeless"]

MOST_ROWS = 20_000
"""Training rows that a linear model is fitted to: a rough guide needs no more."""

_DEALS = 99
"""Random deals of the group labels: the smallest p-value is 0.01."""


def hopeless(
    datasets: Mapping[str, Dataset],
    splits: Mapping[str, Sequence[Split]],
    views: Mapping[str, tuple[str, str]],
    metric: Component,
    seeds: int,
    comparisons: int,
    /,
) -> dict[str, str]:
    """A sentence by dataset, for those on which too little could be found, whatever a method does.

    A guide by linear models: what one of them errs more for one group is taken for the baseline's
    disparity. A disparity that chance gives to random group labels leaves nothing to repair,
    whatever the design. How far it moves when the model is fitted to a bootstrap sample of its
    training rows is taken for what two trainings differ by.

    Parameters
    ----------
    views
        Target and protected attribute by dataset.
    metric
        The disparity metric; nothing is said of one without a natural zero.
    seeds, comparisons
        Seeds per split, and how many comparisons are adjusted together.
    """
    if getattr(metric.description, "best", "low") == "high":
        return {}
    found = {}
    for name, data in datasets.items():
        target, protected = views[name]
        column = data.target_names.index(target)
        attribute = next(a for a in data.protected if a.name == protected)
        tested = [_tested(data, part, column) for part in splits[name]]
        told = [
            _within_chance(data, attribute, tested, metric),
            _too_small(splits[name], attribute, tested, metric, seeds, comparisons),
        ]
        if any(told):
            found[name] = f"on {name} " + "; and ".join(filter(None, told))
    return found


def _within_chance(
    data: Dataset, attribute: Protected, tested: Sequence[HeldOut], metric: Component
) -> str:
    """Whether a disparity could not be told from chance, which no number of splits mends.

    Asked of tables up to `MOST_ROWS` rows: of more the answer takes long and is hardly ever yes.
    """
    if data.rows > MOST_ROWS:
        return ""
    firsts = [replace(one, prediction=one.prediction[:1]) for one in tested]
    rng = np.random.default_rng(0)
    seen = chance(metric, attribute, data.clusters, firsts, rng, draws=_DEALS)
    called = metric.description.name
    if seen.powerless:
        return f"no study could tell the {called} of a baseline from chance: {seen.powerless}"
    if not seen.p > LEVEL:
        return ""
    return (
        f"this study would usually find nothing to repair, whatever a method does: going by "
        f"linear models, the {called} is about {_losses(attribute, firsts, metric).mean():.3g}, "
        f"and with group labels dealt at random it is below {seen.null_high:.3g} in 95 of 100 "
        f"cases; only more {'rows' if data.clusters is None else 'clusters'} would tell the two "
        "apart"
    )


def _too_small(
    splits: Sequence[Split],
    attribute: Protected,
    tested: Sequence[HeldOut],
    metric: Component,
    seeds: int,
    comparisons: int,
) -> str:
    """Whether differences as large as the disparity itself would be missed."""
    base, again = _losses(attribute, tested, metric).T
    shared = split_overlap(splits)
    size = float("nan")  # a single split has no spread to go by
    if len(splits) > 1:
        deviation = float((again - base).std(ddof=1)) / float(np.sqrt(seeds))
        size = smallest_detectable(
            deviation, len(splits), shared.ratio, df=shared.df, comparisons=comparisons
        )
    disparity = float(base.mean())
    if not size > disparity:
        return ""
    return (
        f"this study would usually miss even a complete removal of the "
        f"{metric.description.name}: going by linear models, it misses differences "
        f"below {size:.3g}, and the disparity is about {disparity:.3g}; "
        "`fairbench plan` says what more splits, seeds or rows would find"
    )


def _losses(attribute: Protected, tested: Sequence[HeldOut], metric: Component) -> FloatArray:
    """The metric as a loss (splits, models) on the test rows of each split."""
    best: Best = getattr(metric.description, "best", "low")
    found = []
    for one in tested:
        labels = attribute.rows(one.rows)
        values, _ = evaluate(one.prediction, one.target, labels, [metric])
        found.append(as_loss(values[metric.description.name], best))
    return np.array(found)


def _tested(data: Dataset, split: Split, column: int) -> HeldOut:
    """Test rows as a linear model predicts them, and one fitted to a bootstrap sample."""
    rng = np.random.default_rng(0)
    fold = Fold(data, split)
    x, held_out = fold.features("train"), fold.features("test")
    y = data.targets[split.train, column]
    kept = np.arange(len(y))
    if len(y) > MOST_ROWS:
        kept = rng.choice(len(y), MOST_ROWS, replace=False)
    predictions = [
        _fitted(x[rows], y[rows], held_out) for rows in (kept, rng.choice(kept, len(kept)))
    ]
    return HeldOut(np.stack(predictions), data.targets[split.test, column], split.test)


def _fitted(x: FloatArray, y: FloatArray, held_out: FloatArray) -> FloatArray:
    """Predictions on `held_out` of least squares with a small penalty, in scaled features."""
    center = x.mean(axis=0)
    centred = x - center
    gram = centred.T @ centred + 1e-3 * len(x) * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    predicted: FloatArray = (held_out - center) @ weights + y.mean()
    return predicted
