"""Quality of a whole front in one number: hypervolume, IGD⁺ and additive ε (moocore)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import nondominated
from fairbench.analyze.columns import METHOD, PLACE
from fairbench.analyze.intervals import scaled_interval
from fairbench.analyze.matched import with_losses

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.analyze.box import Box
    from fairbench.analyze.intervals import Correction, Scale
    from fairbench.dataset import FloatArray

__all__ = [
    "INDICATORS",
    "deployed",
    "hypervolume",
    "indicators",
    "indicators_table",
    "mean_over_splits",
]

INDICATORS = ("hypervolume", "igd_plus", "epsilon")
"""Of hypervolume more is better, of the other two less."""

_DIRECTIONS = 180
"""Directions of which a hypervolume is made: its error is below 0.0005."""

_TESTED = ["error_loss", "disparity_loss"]
_SELECTED = ["selection_error_loss", "selection_disparity_loss"]


def hypervolume(points: FloatArray, /) -> float:
    """Share of the unit square that points (n, 2), scaled to it, dominate: 0 for none inside."""
    import moocore

    inside = points[(points < 1).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=[1.0, 1.0])) if len(inside) else 0.0


def deployed(test: FloatArray, selection: FloatArray, /) -> float:
    """Hypervolume of a front of which each point was chosen elsewhere: a share of the unit square.

    A hypervolume is an integral over directions θ from the reference point (1, 1): each adds half
    the squared distance to the farthest point of the front, ∫ max_a ½ min((1 − a₁)/cos θ,
    (1 − a₂)/sin θ)² dθ (Shang, Ishibuchi and Ni 2018, R2-based hypervolume contribution
    approximation). The maximum over trials that differ by chance alone grows with their number.
    Here the point for each direction is the best on selection rows, and only what that one trial
    reaches on test rows counts: of trials that are alike, one is as good as fifty. Where test
    and selection agree it is the hypervolume.

    Parameters
    ----------
    test, selection : (n, 2)
        Losses of the same trials, scaled to the unit square.
    """
    if not len(test):
        return 0.0
    chosen = _reach(selection).argmax(axis=0)
    reached = np.maximum(_reach(test)[chosen, np.arange(_DIRECTIONS)], 0.0)
    return float(0.5 * np.square(reached).mean() * np.pi / 2)


def _reach(points: FloatArray) -> FloatArray:
    """How far towards each point the square is dominated in each direction (n, directions)."""
    angle = (np.arange(_DIRECTIONS) + 0.5) * (np.pi / 2 / _DIRECTIONS)
    left = 1.0 - points
    reach: FloatArray = np.minimum(left[:, :1] / np.cos(angle), left[:, 1:] / np.sin(angle))
    return reach


def indicators(
    test: FloatArray, selection: FloatArray, reference: FloatArray, /
) -> tuple[float, float, float]:
    """Hypervolume, IGD⁺ and additive ε of a front against a reference front.

    IGD⁺ (Ishibuchi et al. 2015) is the mean distance by which the front falls short of the
    reference, ε (Zitzler et al. 2003) the least shift that makes the front cover it. The nearest
    trial to every point of the reference, and for ε the point that is hardest to cover, are
    found on selection rows and measured on test rows, as in `deployed`.

    Parameters
    ----------
    test, selection : (n, 2)
        Losses of the same trials, scaled.
    reference : (m, 2)
    """
    if not len(test):
        return 0.0, np.nan, np.nan
    place = np.arange(len(reference))
    seen = selection[:, None, :] - reference
    beyond = test[:, None, :] - reference
    # Of trials that cover a point of the reference alike, the one that covers it farthest.
    distance = _shortfall(seen) + 1e-9 * seen.sum(axis=-1)
    igd = _shortfall(beyond)[distance.argmin(axis=0), place].mean()
    cover = seen.max(axis=-1)
    hardest = cover.min(axis=0).argmax()
    shift = beyond[cover[:, hardest].argmin(), hardest].max()
    return deployed(test, selection), float(igd), float(shift)


def _shortfall(difference: FloatArray) -> FloatArray:
    """Length of what is above zero in differences (..., 2)."""
    length: FloatArray = np.sqrt(np.square(np.maximum(difference, 0.0)).sum(axis=-1))
    return length


def indicators_table(
    fronts: pd.DataFrame, axes: Axes, box: Mapping[tuple[Hashable, ...], Box], /
) -> pd.DataFrame:
    """Indicators of every front, on test rows, in units of the study's box.

    The reference front is what all methods together reach on selection rows, each trade-off
    value at its mean over splits and seeds.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method, split and seed.
    """
    points = with_losses(fronts, axes)
    rows = []
    for place, view in points.groupby(PLACE, sort=True):
        scale = box[tuple(place)].scaled
        means = view.groupby(["method", "value"], dropna=False)[_SELECTED].mean().to_numpy()
        best = scale(means[nondominated(means)])
        for key, part in view.groupby(["method", "split", "seed"], sort=True):
            test, selection = scale(part[_TESTED].to_numpy()), scale(part[_SELECTED].to_numpy())
            rows.append((*place, *key, *indicators(test, selection, best)))
    return pd.DataFrame(rows, columns=[*METHOD, "split", "seed", *INDICATORS])


_SCALES: dict[str, Scale] = {
    "hypervolume": "logit",
    "test_selected": "logit",
    "igd_plus": "log",
}
"""Where intervals of a quantity are computed; of differences, and of ε, which falls below zero
where test rows are easier than selection rows, as they are."""


def mean_over_splits(
    table: pd.DataFrame, columns: tuple[str, ...], corrections: Mapping[str, Correction], /
) -> pd.DataFrame:
    """Mean over splits (of means over seeds) of each column, with its corrected interval.

    Parameters
    ----------
    corrections
        What the splits of each dataset have in common.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method and column: ``quantity``,
        mean, low, high and splits.
    """
    by_split = table.groupby([*METHOD, "split"], as_index=False)[list(columns)].mean()
    rows = []
    for key, part in by_split.groupby(METHOD, sort=True):
        for column in columns:
            values = part[column].to_numpy(dtype=np.float64)
            scale = _SCALES.get(column, "plain")
            interval = scaled_interval(values, corrections[str(key[0])], scale)
            rows.append((*key, column, interval.mean, interval.low, interval.high, interval.n))
    return pd.DataFrame(rows, columns=[*METHOD, "quantity", "mean", "low", "high", "splits"])
