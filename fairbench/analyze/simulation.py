"""Studies with a known truth, to see whether intervals and verdicts hold their promises.

Nothing is trained as in a run, and nothing is written: rows, models and their predictions are
drawn, errors and disparities are computed from their residuals, and what comes out is a fronts
table like that of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes
from fairbench.analyze.columns import METHOD
from fairbench.analyze.contrasts import compare, paired
from fairbench.analyze.elsewhere import seen_elsewhere
from fairbench.analyze.levelling import group_changes
from fairbench.analyze.matched import matched_points
from fairbench.analyze.planning import rotation
from fairbench.analyze.rules import ACCURACY, RULES, first_that_holds
from fairbench.analyze.tables import FRONT_COLUMNS
from fairbench.analyze.verdicts import detectable

if TYPE_CHECKING:
    from fairbench.analyze.intervals import Correction
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["AXES", "FOLDS", "Truth", "judge_each", "simulate", "simulate_fronts"]

AXES = Axes("rmse", "rmse-disparity")
"""The metrics of a simulated study."""

FOLDS = 5
"""Folds that take turns in being test: 60 % of the rows train, 20 % validate, 20 % test."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a simulated study: one dataset, a baseline and one method.

    The residual of a trial on a row of group g is ``s_g e + u + v + b_g + w`` with
    s = (1, 1 + gap): e is the row's own and the same for all trials; u belongs to the row and
    the method, v to the row and the trade-off value, so that they return in every split the row
    is tested in; b_g to the trial and the group, so that some trials truly are fairer than
    others: the luck of a training, on validation and test rows alike; w to nothing.

    Parameters
    ----------
    splits, seeds, rows
        Repeats, and rows that are dealt into `FOLDS`, half of them in each group.
    values
        Trade-off values of the method (all alike but for `effect`); the baseline has one.
    gap
        How much larger the second group's noise is, as a share.
    effect
        By how much of itself the method shrinks the second group's excess noise.
    row_sd, value_sd, trial_sd, noise_sd
        Standard deviations of u, v, b and w.
    smooth
        Correlation of b, and of v, between neighbouring trade-off values of one seed: these
        share initial weights and the order of rows, and so their luck. An autoregression of
        first order along the grid.
    error_excess
        By how much of itself all noise of the method exceeds the baseline's.
    spoiled
        Standard deviation of noise that the method adds to the first group alone, which has
        the smaller errors: levelling down.
    """

    splits: int = 10
    seeds: int = 1
    rows: int = 400
    values: int = 1
    gap: float = 0.5
    effect: float = 0.0
    row_sd: float = 0.5
    value_sd: float = 0.0
    trial_sd: float = 0.0
    noise_sd: float = 0.0
    smooth: float = 0.0
    error_excess: float = 0.0
    spoiled: float = 0.0


def simulate(truth: Truth, studies: int = 1, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fronts and groups tables of simulated studies, each under a dataset label of its own.

    Methods are ``baseline`` and ``method``; study k of a seed is the same however many there are.
    """
    width = truth.splits * truth.seeds * (1 + truth.values)
    points = np.empty((studies, width, 6))
    for study in range(studies):
        points[study] = _study(truth, np.random.default_rng([seed, study]))
    arms = [("baseline", 1), ("method", truth.values)]
    labels = [
        (method, split, number, float(value) if values > 1 else np.nan)
        for method, values in arms
        for split in range(truth.splits)
        for number in range(truth.seeds)
        for value in range(values)
    ]
    method, split, number, value = zip(*labels, strict=True)
    frame = pd.DataFrame(
        {
            "dataset": np.repeat([f"study {k}" for k in range(studies)], width),
            "target": "y",
            "protected": "a",
            "method": np.tile(method, studies),
            "split": np.tile(split, studies),
            "seed": np.tile(number, studies),
            "value": np.tile(value, studies),
        }
    )
    error, disparity, *by_group = points[..., :4].reshape(-1, 4).T
    seen = seen_elsewhere(frame, points[..., 4:].reshape(-1, 2), METHOD)
    fronts = frame.assign(
        error=error,
        disparity=disparity,
        selection_error=seen[:, 0],
        selection_disparity=seen[:, 1],
        front=True,
    )
    groups = pd.concat(
        [
            frame.assign(
                part="test", group=str(g), compared=True, n=truth.rows // FOLDS // 2, mse=rmse**2
            )
            for g, rmse in enumerate(by_group)
        ]
    )
    return fronts[list(FRONT_COLUMNS)], groups


def simulate_fronts(truth: Truth, studies: int = 1, seed: int = 0) -> pd.DataFrame:
    """The fronts table of `simulate`."""
    return simulate(truth, studies, seed)[0]


def _study(truth: Truth, rng: np.random.Generator) -> FloatArray:
    """Error, disparity and group errors on test, error and disparity on selection rows."""
    shared = rng.normal(size=truth.rows)
    groups = np.arange(truth.rows) % 2
    deals = [rng.permutation(truth.rows) for _ in range(0, truth.splits, FOLDS)]
    fold = truth.rows // FOLDS
    parts = [np.roll(deals[k // FOLDS], k % FOLDS * fold) for k in range(truth.splits)]
    found = []
    for method, values in enumerate((1, truth.values)):
        own = rng.normal(scale=truth.row_sd, size=truth.rows)
        closed = truth.gap * (1 - truth.effect * method)
        fixed = np.where(groups == 1, 1 + closed, 1.0) * shared + own
        if method:
            fixed *= 1 + truth.error_excess
            fixed += rng.normal(scale=truth.spoiled, size=truth.rows) * (groups == 0)
        of_value = _along(rng.normal(scale=truth.value_sd, size=(1, values, truth.rows)), truth)
        trials = truth.seeds * values
        for order in parts:
            held_out = order[int(0.6 * truth.rows) :]
            half = held_out.size // 2
            bias = _along(rng.normal(scale=truth.trial_sd, size=(truth.seeds, values, 2)), truth)
            residual = fixed[held_out] + bias.reshape(trials, 2)[:, groups[held_out]]
            if truth.value_sd:
                residual += np.tile(of_value[0][:, held_out], (truth.seeds, 1))
            if truth.noise_sd:
                residual += rng.normal(scale=truth.noise_sd, size=residual.shape)
            measured = [
                _measured(residual[:, part], groups[held_out[part]])
                for part in (slice(half, None), slice(half))
            ]
            found.append(np.column_stack([measured[0], measured[1][:, :2]]))
    return np.concatenate(found)


def _along(noise: FloatArray, truth: Truth) -> FloatArray:
    """Independent noise (S, K, m) made smooth along the K trade-off values, of equal variance."""
    for value in range(1, noise.shape[1]):
        fresh = np.sqrt(1 - truth.smooth**2) * noise[:, value]
        noise[:, value] = truth.smooth * noise[:, value - 1] + fresh
    return noise


def _measured(residual: FloatArray, groups: IntArray) -> FloatArray:
    """RMSE, its difference between the two groups, and theirs (S, 4)."""
    square = np.square(residual)
    first, second = (np.sqrt(square[:, groups == g].mean(axis=1)) for g in (0, 1))
    return np.column_stack([np.sqrt(square.mean(axis=1)), np.abs(first - second), first, second])


def judge_each(
    fronts: pd.DataFrame,
    groups: pd.DataFrame | None = None,
    /,
    *,
    baseline: str = "baseline",
    correction: Correction | None = None,
) -> pd.DataFrame:
    """Every study and method judged as if it were alone: one row of `compare` each.

    With one comparison per study, Holm's adjustment leaves p as it is. Without `groups` nobody
    is asked who gains; without `correction` the splits are folds that take turns.
    """
    shared = correction or rotation(fronts["split"].nunique(), FOLDS)
    corrections = dict.fromkeys(fronts["dataset"], shared)
    points = matched_points(fronts, AXES, baseline)
    table = compare(paired(points), corrections)
    adjusted = {f"adjusted_{n}": table[n] for n in map(str, table) if n == "p" or n.endswith("_p")}
    table = table.assign(**adjusted, comparisons=1, on_test=False, chance_p=np.nan, powerless="")
    unknown = ("gain_p", "worst_p", "adjusted_debiased_p", "adjusted_population_p", "smallest_rows")
    table = table.assign(**dict.fromkeys(unknown, np.nan))
    if groups is not None:
        changes = group_changes(points, groups, baseline, corrections)
        table = table.drop(columns=["gain_p", "worst_p"]).merge(changes, on=METHOD)
    table = table.assign(**detectable(table))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
    return table.assign(
        verdict=[first_that_holds(RULES, facts) for facts in rows],
        accuracy=[first_that_holds(ACCURACY, facts) for facts in rows],
    )
