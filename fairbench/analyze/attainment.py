"""Empirical attainment: what a method reaches in a quarter, half, three quarters of its runs."""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD
from fairbench.analyze.matched import with_losses
from fairbench.errors import StudyError, near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.analyze.axes import Axes
    from fairbench.dataset import FloatArray

__all__ = ["LEVELS", "attainment_difference", "attainment_table", "difference", "surfaces"]

LEVELS = (25, 50, 75)
"""Percentages of runs for which a surface is drawn."""


def surfaces(
    points: FloatArray, runs: FloatArray, /, levels: Sequence[int] = LEVELS
) -> dict[int, FloatArray]:
    """Corners (k, 2) of each attainment surface, sorted along the first axis.

    Parameters
    ----------
    points : (n, 2)
        Losses; all points of all runs of one method.
    runs : (n,)
        Which run each point comes from.
    levels
        Percentages: the surface of 25 bounds what at least a quarter of the runs dominate.

    Notes
    -----
    Grunert da Fonseca, Fonseca and Hall 2001, computed by moocore.
    """
    import moocore

    found = moocore.eaf(points, _numbered(runs), percentiles=list(levels))
    return {
        level: part[np.lexsort((part[:, 1], part[:, 0]))]
        for level in levels
        for part in [found[found[:, 2] == level][:, :2]]
    }


def attainment_table(fronts: pd.DataFrame, axes: Axes, /) -> pd.DataFrame:
    """Attainment surfaces of every method over its splits and seeds.

    Returns
    -------
    DataFrame
        dataset, target, protected, method, level, error_loss and disparity_loss of each corner
        on test rows, of the points chosen on selection rows. Losses are the metric itself where
        it is best low, its negative where best high, the distance to 1 where best at one.
    """
    chosen = with_losses(fronts[fronts["front"].to_numpy(dtype=bool)], axes)
    rows = []
    for key, part in chosen.groupby(METHOD, sort=True):
        found = surfaces(part[["error_loss", "disparity_loss"]].to_numpy(), _runs(part))
        rows += [(*key, level, *corner) for level in LEVELS for corner in found[level].tolist()]
    return pd.DataFrame(rows, columns=[*METHOD, "level", "error_loss", "disparity_loss"])


def difference(
    first: FloatArray, first_runs: FloatArray, second: FloatArray, second_runs: FloatArray, /
) -> FloatArray:
    """Where one method attains more often than another.

    Parameters
    ----------
    first, second : (n, 2), (m, 2)
        Losses of all points of each method.
    first_runs, second_runs : (n,), (m,)
        Which run each point comes from.

    Returns
    -------
    (r, 5) float
        Rectangles: lower corner, upper corner (infinite where open), and the share of runs of
        the first method that attain them minus that of the second, in [−1, 1].
    """
    x, y = _numbered(first_runs), _numbered(second_runs)
    import moocore

    a, b = int(x.max()) + 1, int(y.max()) + 1
    common = lcm(a, b)  # moocore subtracts counts, so that both need equally many sets
    sets = [
        _repeated(first, x, common // a),
        _repeated(second, y, common // b),
    ]
    found = np.asarray(moocore.eafdiff(*sets, rectangles=True), dtype=np.float64)
    found[:, 4] /= common
    return found


def attainment_difference(
    fronts: pd.DataFrame, axes: Axes, first: str, second: str, /
) -> pd.DataFrame:
    """Difference of attainment between two methods, as rectangles in (error, disparity) losses.

    Returns
    -------
    DataFrame
        dataset, target, protected, error_low, disparity_low, error_high, disparity_high and
        difference: the share of runs of `first` that attain the rectangle minus that of
        `second`.

    Raises
    ------
    StudyError
        Where a method has no front.
    """
    chosen = with_losses(fronts[fronts["front"].to_numpy(dtype=bool)], axes)
    for name in (first, second):
        if name not in set(chosen["method"]):
            raise StudyError(f"no front of method {name!r}", hint=near(name, chosen["method"]))
    rows = []
    for key, part in chosen.groupby(METHOD[:3], sort=True):
        one, two = (part[part["method"] == name] for name in (first, second))
        if one.empty or two.empty:
            continue
        losses = [p[["error_loss", "disparity_loss"]].to_numpy() for p in (one, two)]
        found = difference(losses[0], _runs(one), losses[1], _runs(two))
        rows += [(*key, *rectangle) for rectangle in found.tolist()]
    sides = ["error_low", "disparity_low", "error_high", "disparity_high"]
    return pd.DataFrame(rows, columns=[*METHOD[:3], *sides, "difference"])


def _runs(part: pd.DataFrame) -> FloatArray:
    """One number per split and seed."""
    return np.asarray(part.groupby(["split", "seed"]).ngroup(), dtype=np.float64)


def _numbered(runs: FloatArray) -> FloatArray:
    return np.asarray(np.unique(runs, return_inverse=True)[1], dtype=np.float64)


def _repeated(points: FloatArray, runs: FloatArray, times: int) -> FloatArray:
    """Points with their set in the third column, every set `times` times."""
    size = runs.max() + 1
    return np.concatenate([np.column_stack([points, runs + size * i]) for i in range(times)])
