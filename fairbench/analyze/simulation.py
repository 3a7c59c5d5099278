"""Studies with a known truth, to see whether intervals and verdicts hold their promises.

Nothing is trained as in a run, and nothing is written: rows, models and their predictions are
drawn, errors and disparities are computed from the predictions, and what comes out is a fronts
table like that of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes
from fairbench.analyze.tables import FRONT_COLUMNS

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["AXES", "RATIO", "Truth", "simulate_fronts"]

AXES = Axes("rmse", "rmse-disparity")
"""The metrics of a simulated study."""

RATIO = {"simulated": 1 / 3}
"""Test rows over training rows of its dataset."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a simulated study: one dataset, a baseline and one method.

    The residual of a trial on a row of group g is ``s_g e + u + b_g + w`` with s = (1, 1 + gap):
    e is the row's own and the same for all trials; u belongs to the row and the method, so that
    it returns in every split the row is tested in; b_g to the trial and the group, so that some
    trials truly are fairer than others; w to nothing.

    Parameters
    ----------
    splits, seeds, rows
        Repeats, and rows that are split 60/20/20, half of them in each group.
    values
        Trade-off values of the method (all alike but for `effect`); the baseline has one.
    gap
        How much larger the second group's noise is, as a share.
    effect
        By how much of itself the method shrinks the second group's excess noise.
    row_sd, trial_sd, noise_sd
        Standard deviations of u, b and w.
    """

    splits: int = 10
    seeds: int = 1
    rows: int = 400
    values: int = 1
    gap: float = 0.5
    effect: float = 0.0
    row_sd: float = 0.5
    trial_sd: float = 0.0
    noise_sd: float = 0.0


def simulate_fronts(truth: Truth, rng: np.random.Generator, /) -> pd.DataFrame:
    """The fronts table of one simulated study: methods ``baseline`` and ``method``."""
    shared = rng.normal(size=truth.rows)
    groups = np.arange(truth.rows) % 2
    tables = []
    parts = [rng.permutation(truth.rows) for _ in range(truth.splits)]
    for method, values, effect in [
        ("baseline", 1, 0.0),
        ("method", truth.values, truth.effect),
    ]:
        own = rng.normal(scale=truth.row_sd, size=truth.rows)
        scale = np.where(groups == 1, 1 + truth.gap * (1 - effect), 1.0)
        trials = truth.seeds * values
        for split, order in enumerate(parts):
            held_out = order[int(0.6 * truth.rows) :]
            residual = (scale * shared + own)[held_out] + rng.normal(
                scale=truth.noise_sd, size=(trials, held_out.size)
            )
            bias = rng.normal(scale=truth.trial_sd, size=(trials, 2))
            residual += bias[:, groups[held_out]]
            half = held_out.size // 2
            selection = _measured(residual[:, :half], groups[held_out[:half]])
            test = _measured(residual[:, half:], groups[held_out[half:]])
            tables.append(_points(method, split, truth.seeds, values, test, selection))
    return pd.concat(tables, ignore_index=True)[list(FRONT_COLUMNS)]


def _measured(residual: FloatArray, groups: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """RMSE (S,) and its difference between the two groups (S,)."""
    square = np.square(residual)
    first, second = (np.sqrt(square[:, groups == g].mean(axis=1)) for g in (0, 1))
    return np.sqrt(square.mean(axis=1)), np.abs(first - second)


def _points(
    method: str,
    split: int,
    seeds: int,
    values: int,
    test: tuple[FloatArray, FloatArray],
    selection: tuple[FloatArray, FloatArray],
) -> pd.DataFrame:
    grid = np.arange(values, dtype=np.float64) if values > 1 else np.array([np.nan])
    return pd.DataFrame(
        {
            "dataset": "simulated",
            "target": "y",
            "protected": "a",
            "method": method,
            "split": split,
            "seed": np.repeat(np.arange(seeds), values),
            "value": np.tile(grid, seeds),
            "error": test[0],
            "disparity": test[1],
            "selection_error": selection[0],
            "selection_disparity": selection[1],
            "front": True,
        }
    )
