"""eo-postprocess: equalised odds by redrawing predictions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from fairbench.errors import DataError
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.wrap import Adjustment, PostProcessor, Rows, Sample, target_bins

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["EOPostprocess", "maps"]

GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
FEWEST = 10
"""Calibration rows of a group and a bin of the target below which they constrain nothing."""


@dataclass(frozen=True)
class EOPostprocess(PostProcessor):
    """Within every bin of the target, predictions of all groups have distributions ε-near in KS.

    Hardt, Price and Srebro (2016), Section 4, carried to regression [derived]: predictions
    become bins, a linear programme finds for each group the chances P_g(m′ | m) of moving from one
    to another that cost least squared error, and a prediction is drawn by them. One that stays
    in its bin does not change.

    Parameters
    ----------
    levels
        Bins of predictions, at quantiles of all calibration rows.
    bins
        Bins of the target, at its quantiles.
    draw
        ``sample`` draws a bin; ``mean`` takes the expectation, which errs less and has no
        guarantee.
    """

    levels: Annotated[int, Ge(2), Le(100)] = 20
    bins: Annotated[int, Ge(1), Le(50)] = 5
    draw: Literal["sample", "mean"] = "sample"

    @property
    def own_facts(self) -> Facts:
        return Facts("yes", "labels", randomised=self.draw == "sample")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("epsilon", GRID, 0.0, 1.0, "low")

    def learn(self, sample: Sample, value: float | None, /) -> Adjustment:
        assert value is not None
        inner = np.arange(1, self.levels) / self.levels
        edges = np.unique(np.quantile(sample.prediction, inner))
        place = np.searchsorted(edges, sample.prediction, side="right")
        count, groups = len(edges) + 1, len(sample.shares)
        middle = np.array(
            [_mean(sample.prediction[place == m], sample.prediction) for m in range(count)]
        )
        cost = np.zeros((groups, count, count))
        errors = (middle - sample.target[:, None]) ** 2
        stay = (sample.prediction - sample.target) ** 2
        errors[np.arange(len(place)), place] = stay
        np.add.at(cost, (sample.groups, place), errors / len(place))
        of_target = target_bins(sample.target, bins=self.bins)
        mass = np.zeros((groups, len(of_target) + 1, count))
        bin_of = np.searchsorted(of_target, sample.target, side="right")
        np.add.at(mass, (sample.groups, bin_of, place), 1)
        moves = maps(cost, mass, value)
        upto = moves.cumsum(axis=2)

        def apply(rows: Rows) -> FloatArray:
            m = np.searchsorted(edges, rows.prediction, side="right")
            if self.draw == "mean":
                chance = moves[rows.groups, m]
                kept = chance[np.arange(len(m)), m] * (rows.prediction - middle[m])
                return np.asarray(chance @ middle + kept, dtype=np.float64)
            chosen = (upto[rows.groups, m] <= rows.uniform[:, None]).sum(axis=1)
            chosen = chosen.clip(max=count - 1)
            return np.where(chosen == m, rows.prediction, middle[chosen])

        record = {"left_out_cells": float((mass.sum(axis=2) < FEWEST).sum())}
        return Adjustment(apply, record)


def _mean(part: FloatArray, whole: FloatArray) -> float:
    return float(part.mean() if len(part) else whole.mean())


def maps(cost: FloatArray, mass: FloatArray, epsilon: float, /) -> FloatArray:
    """Chances P_g(m′ | m), (G, M, M), of least cost under equalised odds up to `epsilon`.

    Parameters
    ----------
    cost : (G, M, M)
        Cost of moving all rows of group g in bin m to bin m′.
    mass : (G, K, M)
        Rows of group g, bin k of the target and bin m of predictions.

    Raises
    ------
    DataError
        Where the programme has no solution, which numbers that are not finite bring about.
    """
    groups, bins, count = mass.shape
    size = count * count
    rows, columns, entries, number = [], [], [], 0
    totals = mass.sum(axis=2)
    for k in range(bins):
        judged = [g for g in range(groups) if totals[g, k] >= FEWEST]
        for g, h in combinations(judged, 2):
            for level in range(count - 1):
                for group, sign in ((g, 1.0), (h, -1.0)):
                    share = sign * mass[group, k] / totals[group, k]
                    for m in np.flatnonzero(share):
                        at = group * size + m * count + np.arange(level + 1)
                        rows.append(np.full(level + 1, number))
                        columns.append(at)
                        entries.append(np.full(level + 1, share[m]))
                number += 1
    equal: Any = csr_array(np.kron(np.eye(groups * count), np.ones(count)))
    limits: dict[str, Any] = {}
    if number:
        one = csr_array(
            (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))),
            shape=(number, groups * size),
        )
        limits = {"A_ub": vstack([one, -one]), "b_ub": np.full(2 * number, epsilon)}
    scale = max(float(np.abs(cost).max()), 1e-300)
    found = linprog(
        cost.ravel() / scale, A_eq=equal, b_eq=np.ones(groups * count), bounds=(0, 1), **limits
    )
    if found.x is None:
        raise DataError(f"the linear programme failed: {found.message}", where="eo-postprocess")
    chances = np.clip(found.x.reshape(groups, count, count), 0, 1)
    return np.asarray(chances / chances.sum(axis=2, keepdims=True), dtype=np.float64)
