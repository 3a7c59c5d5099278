"""Verdicts in words, from rules that a report can print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairbench.analyze.comparisons import holm
from fairbench.analyze.matched import METHOD, TOLERANCE, compare, matched_points, paired
from fairbench.analyze.shares import share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairbench.analyze.axes import Axes, Best

__all__ = [
    "FEWEST_SPLITS",
    "FEW_TRIED",
    "LEVEL",
    "RULES",
    "Rule",
    "disagreements",
    "judge",
    "sentence",
    "verdict_of",
    "verdicts",
]

LEVEL = 0.05
"""Largest adjusted p-value that counts as more than noise."""

FEWEST_SPLITS = 3
"""Splits below which there is no verdict: two values say too little of their own spread."""

FEW_TRIED = 4
"""Trials per split and seed up to which picking the best of them by luck needs no guard."""

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; of all that hold, the first gives the verdict.

    Attributes
    ----------
    when
        The condition in words, with the limits that apply.
    holds
        The same condition on a row of `compare` with ``adjusted_p``.
    """

    verdict: str
    when: str
    holds: Callable[[Facts], bool]


def _beyond_noise(facts: Facts) -> bool:
    return bool(facts["adjusted_p"] <= LEVEL)


def _confirmed(facts: Facts) -> bool:
    """Whether the gain is more than the best of many draws: it shows at neighbouring values."""
    if facts["tried"] <= FEW_TRIED:
        return True
    return bool(facts["near_difference"] < 0 and facts["near_p"] <= LEVEL)


RULES: tuple[Rule, ...] = (
    Rule(
        "no verdict",
        f"fewer than {FEWEST_SPLITS} splits have both the method and the baseline",
        lambda facts: facts["splits"] < FEWEST_SPLITS,
    ),
    Rule(
        "not at this error",
        "on more than half of the splits no trial of the method is within the tolerance "
        f"({TOLERANCE:.0%} unless told otherwise) of the baseline's validation error",
        lambda facts: 2 * facts["within"] < facts["splits"],
    ),
    Rule(
        "fairer",
        f"the mean disparity is below the baseline's with a Holm-adjusted p of at most {LEVEL}; "
        f"and, where more than {FEW_TRIED} trials per split were there to choose from, it is so "
        f"at the neighbouring trade-off values too (p at most {LEVEL})",
        lambda facts: _beyond_noise(facts) and facts["difference"] < 0 and _confirmed(facts),
    ),
    Rule(
        "worse",
        f"the mean disparity is above the baseline's with a Holm-adjusted p of at most {LEVEL}",
        lambda facts: _beyond_noise(facts) and facts["difference"] > 0,
    ),
    Rule("not distinguishable from noise", "otherwise", lambda facts: True),
)
"""In this order."""


def judge(
    fronts: pd.DataFrame,
    axes: Axes,
    baseline: str,
    ratios: Mapping[str, float],
    /,
    *,
    tolerance: float = TOLERANCE,
) -> pd.DataFrame:
    """From the fronts table to verdicts; one row per dataset, target, attribute and method.

    Parameters
    ----------
    fronts
        The fronts table for `axes`, of one run or of several put together.
    baseline
        The method that the others are judged against.
    ratios
        Test rows over training rows, by dataset.
    tolerance
        See `matched_points`.
    """
    points = matched_points(fronts, axes, baseline, tolerance=tolerance)
    return verdicts(compare(paired(points), ratios), axes, baseline)


def verdicts(compared: pd.DataFrame, axes: Axes, baseline: str, /) -> pd.DataFrame:
    """Verdict and sentence for every row of `compare`.

    Adds ``adjusted_p`` (Holm over all rows: methods, datasets, targets and attributes),
    ``verdict`` and ``sentence``.
    """
    table = compared.assign(adjusted_p=holm(compared["p"].to_numpy(dtype=np.float64)))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
    found = [verdict_of(facts) for facts in rows]
    words = [
        sentence(facts, verdict, axes, baseline) for facts, verdict in zip(rows, found, strict=True)
    ]
    return table.assign(verdict=found, sentence=words)


_SAYS = {
    "fairer": "fairer than",
    "worse": "worse than",
    "not distinguishable from noise": "not distinguishable, beyond noise, from",
}


def verdict_of(facts: Facts, /) -> str:
    """The verdict of the first rule that holds on a row of `compare` with ``adjusted_p``."""
    return next(rule.verdict for rule in RULES if rule.holds(facts))


def sentence(facts: Mapping[str, Any], verdict: str, axes: Axes, baseline: str, /) -> str:
    """The verdict as people will quote it, with its cost in error and its splits."""
    method, splits = facts["method"], facts["splits"]
    if verdict == "no verdict":
        return f"{method}: no verdict, only {splits} split(s) with {baseline}."
    if verdict == "not at this error":
        return (
            f"{method}: about as accurate as {baseline} on {facts['within']} of {splits} splits "
            "only; no comparison at equal error."
        )
    disparity = _change(facts, "", "base_disparity", axes.disparity, axes.disparity_best)
    error = _change(facts, "error_", "base_error", axes.error, axes.error_best)
    told = (
        f"{method} is {_SAYS[verdict]} {baseline}: {disparity}, {error}; "
        f"fairer on {facts['fairer_on']} of {splits} splits."
    )
    return told + _why_not(facts, verdict)


def _change(facts: Mapping[str, Any], axis: str, base: str, metric: str, best: Best) -> str:
    """Change of a metric with its interval, in the metric's own direction."""
    sign = -1 if best == "high" else 1
    low, high = sorted((sign * facts[f"{axis}low"], sign * facts[f"{axis}high"]))
    change = sign * facts[f"{axis}difference"]
    part = float(share(change, abs(facts[base])))
    told = "" if np.isnan(part) else f" ({part:+.1%})"
    name = f"distance of {metric} from 1" if best == "one" else metric
    return f"{name} {change:+.3g}{told}, 95 % interval {low:+.3g} to {high:+.3g}"


def _why_not(facts: Mapping[str, Any], verdict: str) -> str:
    """What kept a difference from being a verdict."""
    if verdict != "not distinguishable from noise":
        return ""
    if not facts["p"] <= LEVEL:
        return f" This design finds a difference of {facts['detectable']:.3g} four times in five."
    if not facts["adjusted_p"] <= LEVEL:
        return " The interval excludes zero, but not after allowing for all comparisons made."
    return " The gain does not show at neighbouring trade-off values: it may be one lucky trial."


def disagreements(judged: pd.DataFrame, /) -> pd.DataFrame:
    """Where the same chosen trials are fairer by one metric and worse by another.

    Parameters
    ----------
    judged
        Rows of `verdicts` by several disparity metrics, named in a column ``metric``.

    Returns
    -------
    DataFrame
        dataset, target, protected, method, fairer and worse (names of metrics, joined by
        commas), and warning: the sentence to print.
    """
    rows = []
    for key, part in judged.groupby(METHOD, sort=True):
        by = {
            verdict: ", ".join(sorted(part.loc[part["verdict"] == verdict, "metric"]))
            for verdict in ("fairer", "worse")
        }
        if by["fairer"] and by["worse"]:
            warning = (
                f"Metrics disagree on {key[3]}: fairer by {by['fairer']}, worse by {by['worse']}."
            )
            rows.append((*key, by["fairer"], by["worse"], warning))
    return pd.DataFrame(rows, columns=[*METHOD, "fairer", "worse", "warning"])
