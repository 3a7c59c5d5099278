"""A verdict as people will quote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairbench.analyze.rules import FEWEST_SPLITS, LEVEL
from fairbench.analyze.shares import share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.analyze.axes import Axes, Best

__all__ = ["missed", "sentence"]

_IS = {
    "fairer": "is fairer than {}",
    "fairer by levelling down": "is fairer than {} by levelling down",
    "as fair as": "is as fair as {}",
    "less fair": "is less fair than {}",
    "not distinguishable": "is not distinguishable in fairness from {}",
}


def sentence(facts: Mapping[str, Any], axes: Axes, baseline: str, /) -> str:
    """The verdict of a row of `verdicts`, with its cost in error and its splits."""
    told = _told(facts, axes, baseline)
    if facts["left_out"]:
        told += f" Left out of the disparity, for too few rows: {facts['left_out']}."
    return told if facts["analysis"] == "primary" else f"Exploratory: {told}"


def _told(facts: Mapping[str, Any], axes: Axes, baseline: str) -> str:
    method, splits, verdict = facts["method"], facts["splits"], facts["verdict"]
    if verdict == "no verdict" and facts["distinct"] < FEWEST_SPLITS:
        return f"{method}: no verdict, only {facts['distinct']} different split(s) with {baseline}."
    if verdict == "no verdict" and facts["powerless"]:
        return (
            f"{method}: no verdict, whether {baseline} has a {axes.disparity} cannot be told from "
            f"chance: {facts['powerless']}."
        )
    if verdict == "no verdict":
        return (
            f"{method}: no verdict, group {facts['smallest_group']} has only "
            f"{facts['smallest_rows']:.2g} test rows a split."
        )
    disparity = _change(facts, "", "base_disparity", axes.disparity, axes.disparity_best)
    error = _change(facts, "error_", "base_error", axes.error, axes.error_best)
    if verdict == "described only":
        return (
            f"{method} is described, not judged: its trade-off values were selected on the test "
            f"rows. Beside {baseline}: {disparity}, {error}."
        )
    accuracy = _accuracy(facts, axes, baseline)
    if verdict == "nothing to repair":
        return (
            f"{method} has nothing to repair: the {axes.disparity} of {baseline} is within "
            f"chance (p = {facts['chance_p']:.2g}). Beside it: {disparity}.{accuracy}"
        )
    if verdict == "not at this error":
        return (
            f"{method} is not shown to exceed the error of {baseline} by less than "
            f"{100 * facts['margin']:.3g} %, so that their fairness is not compared: {error}."
            f"{accuracy}"
        )
    is_ = _IS[verdict].format(baseline)
    within = (
        f" to within {100 * facts['disparity_margin']:.3g} %" if verdict == "as fair as" else ""
    )
    beyond = _beyond(facts, axes.disparity_best)
    told = (
        f"{method} {is_}{within}: {disparity}{beyond}; fairer on {facts['fairer_on']} of {splits} "
        "splits."
    )
    return f"{told}{_why(facts, verdict, axes)}{accuracy}"


def _change(facts: Mapping[str, Any], axis: str, base: str, metric: str, best: Best) -> str:
    """Change of a metric with its interval, in the metric's own direction."""
    sign = -1 if best == "high" else 1
    low, high = sorted((sign * facts[f"{axis}low"], sign * facts[f"{axis}high"]))
    change = sign * facts[f"{axis}difference"]
    part = float(share(change, abs(facts[base])))
    relative = "" if np.isnan(part) else f" ({part:+.1%})"
    name = f"distance of {metric} from 1" if best == "one" else metric
    told = f"{name} {change:+.3g}{relative}"
    return f"{told}, 95 % interval {low:+.3g} to {high:+.3g}" if np.isfinite(low) else told


def _beyond(facts: Mapping[str, Any], best: Best) -> str:
    """The interval in the population, where it is known."""
    ends = (facts["population_low"], facts["population_high"])
    if not np.isfinite(ends).all():
        return ""
    low, high = sorted((-1 if best == "high" else 1) * end for end in ends)
    return f" on this dataset, {low:+.3g} to {high:+.3g} in the population it was drawn from"


def _accuracy(facts: Mapping[str, Any], axes: Axes, baseline: str) -> str:
    """The verdict on accuracy, in per cent of the baseline's error."""
    changes = np.array([facts["error_difference"], facts["error_low"], facts["error_high"]])
    percent = (100 * share(changes, abs(facts["base_error"]))).tolist()
    if not np.isfinite(percent).all():
        return ""
    match facts["accuracy"]:
        case "more accurate":
            size, least, most = -percent[0], -percent[2], -percent[1]
            return f" It is more accurate by {size:.3g} % ({least:.3g} to {most:.3g} %)."
        case "less accurate":
            size, least, most = percent
            return f" It is less accurate by {size:.3g} % ({least:.3g} to {most:.3g} %)."
        case "as accurate as":
            return f" It is as accurate as {baseline} to within {100 * facts['margin']:.3g} %."
    size, least, most = percent
    return (
        f" In accuracy the two are not distinguishable: {axes.error} {size:+.3g} % "
        f"({least:+.3g} to {most:+.3g} %)."
    )


def _why(facts: Mapping[str, Any], verdict: str, axes: Axes) -> str:
    """What kept a difference from being a verdict, or from being one to be proud of."""
    if verdict == "fairer by levelling down":
        if facts["worst_p"] <= LEVEL:
            return (
                f" The error of group {facts['worst_group']}, the worst off, rises by "
                f"{facts['worst_change']:.3g}."
            )
        return " No group's error is shown to fall."
    if verdict != "not distinguishable":
        return ""
    if facts["adjusted_p"] <= LEVEL < facts["adjusted_population_p"]:
        return (
            " These rows show a difference, but not that other rows of the population would "
            f"(p = {facts['adjusted_population_p']:.2g})."
        )
    if facts["adjusted_p"] <= LEVEL:
        return (
            " Without what chance adds to it the variance between groups is not shown to differ "
            f"(p = {facts['adjusted_debiased_p']:.2g}): the largest minus the smallest group also "
            "changes where errors change for everyone."
        )
    if facts["p"] <= LEVEL:
        return " The interval excludes zero, but not after allowing for all comparisons made."
    return f" {missed(facts, axes)}"


def missed(facts: Mapping[str, Any], axes: Axes, /) -> str:
    """How large a difference would have been found, and whether there is as much to find."""
    size = facts["detectable"]
    if not np.isfinite(size):
        return ""
    told = (
        f"Differences below {size:.3g} would usually have been missed "
        f"(95 % interval of this limit {facts['detectable_low']:.3g} to "
        f"{facts['detectable_high']:.3g})"
    )
    if axes.disparity_best != "high" and size > facts["base_disparity"]:
        return f"{told}: even a complete removal of the disparity."
    return f"{told}."
