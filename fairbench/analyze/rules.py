"""The rules of a verdict, as tables that a report can print."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairbench.analyze.primary import DISPARITY_MARGIN, MARGIN

__all__ = [
    "ACCURACY",
    "EDITION",
    "FEWEST_ROWS",
    "FEWEST_SPLITS",
    "LEVEL",
    "RULES",
    "Facts",
    "Rule",
    "first_that_holds",
]

EDITION = 3
"""Of the rules below, in the manifest of every run: a run of another one was judged otherwise."""

LEVEL = 0.05
"""Largest p-value, adjusted where several comparisons are made, that counts as shown."""

FEWEST_ROWS = 5
"""Test rows of a group, on the mean over splits, below which nothing rests on it."""

FEWEST_SPLITS = 3
"""Splits below which there is no verdict: two values say too little of their own spread."""

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; of all that hold, the first gives the verdict.

    Attributes
    ----------
    when
        The condition in words, with the limits that apply.
    holds
        The same condition on a row of `fairbench.analyze.verdicts`.
    """

    verdict: str
    when: str
    holds: Callable[[Facts], bool]


def first_that_holds(rules: tuple[Rule, ...], facts: Facts, /) -> str:
    """The verdict of the first rule that holds on `facts`."""
    return next(rule.verdict for rule in rules if rule.holds(facts))


def _shown(p: float) -> bool:
    """Whether a p-value is small enough; one that is not known never is."""
    return bool(p <= LEVEL)


def _lower(facts: Facts) -> bool:
    return facts["difference"] < 0 and _differs(facts) and _holds_debiased(facts, -1)


def _higher(facts: Facts) -> bool:
    return facts["difference"] > 0 and _differs(facts) and _holds_debiased(facts, 1)


def _differs(facts: Facts) -> bool:
    """Whether a difference is shown over splits, and beyond these rows where that was asked."""
    beyond = facts["adjusted_population_p"]
    return _shown(facts["adjusted_p"]) and (bool(np.isnan(beyond)) or _shown(beyond))


def _holds_debiased(facts: Facts, sign: int) -> bool:
    """Whether the de-biased variance between groups moves the same way, where it must."""
    p = facts["adjusted_debiased_p"]
    return bool(np.isnan(p)) or (_shown(p) and facts["debiased_difference"] * sign > 0)


def _levelled_down(facts: Facts) -> bool:
    """Whether nobody is shown to gain, or those worst off lose; not where that is unknown."""
    return bool(facts["gain_p"] > LEVEL) or _shown(facts["worst_p"])


def _group_too_small(facts: Facts) -> bool:
    """Whether the disparity may rest on a handful of rows; not where that is unknown."""
    return bool(facts["smallest_rows"] < FEWEST_ROWS)


RULES: tuple[Rule, ...] = (
    Rule(
        "described only",
        "the protocol selects trade-off values on the test rows themselves: what is seen there "
        "is no evidence",
        lambda facts: bool(facts["on_test"]),
    ),
    Rule(
        "no verdict",
        f"fewer than {FEWEST_SPLITS} different splits have both the method and the baseline",
        lambda facts: facts["distinct"] < FEWEST_SPLITS,
    ),
    Rule(
        "no verdict",
        f"a group that is compared has fewer than {FEWEST_ROWS} test rows a split on average",
        _group_too_small,
    ),
    Rule(
        "no verdict",
        "whether the baseline has a disparity cannot be told from chance: of so few rows or "
        f"clusters no p-value of that test can be as low as {LEVEL}",
        lambda facts: bool(facts["powerless"]),
    ),
    Rule(
        "nothing to repair",
        f"the baseline's disparity is within chance: p above {LEVEL} with group labels dealt at "
        "random",
        lambda facts: bool(facts["chance_p"] > LEVEL),
    ),
    Rule(
        "not at this error",
        "it is not shown that the error on test rows exceeds the baseline's by less than the "
        f"margin ({MARGIN:.0%} unless the study says otherwise): one-sided, Holm-adjusted p above "
        f"{LEVEL}",
        lambda facts: not _shown(facts["adjusted_margin_p"]),
    ),
    Rule(
        "fairer",
        f"the disparity is lower (Holm-adjusted p at most {LEVEL}, over splits and, where its "
        "interval is known, in the population; with more than two groups or small ones, the "
        "de-biased variance between groups as well), the error of some group is "
        f"lower and that of the worst-off group is not shown to be higher (one-sided, p at most "
        f"{LEVEL})",
        lambda facts: _lower(facts) and not _levelled_down(facts),
    ),
    Rule(
        "fairer by levelling down",
        "the disparity is lower, but no group's error is shown to be, or that of the worst-off "
        "group is higher",
        _lower,
    ),
    Rule(
        "as fair as",
        f"the disparities are shown to differ by less than the margin ({DISPARITY_MARGIN:.0%} of "
        "the baseline's unless the study says otherwise): two one-sided tests, Holm-adjusted p "
        f"at most {LEVEL}",
        lambda facts: _shown(facts["adjusted_equal_p"]),
    ),
    Rule(
        "less fair",
        f"the disparity is higher (Holm-adjusted p at most {LEVEL}; in the population and "
        "de-biased as well, as above)",
        _higher,
    ),
    Rule("not distinguishable", "otherwise", lambda facts: True),
)
"""Of fairness, in this order."""


def _unjudged(facts: Facts) -> bool:
    return bool(facts["on_test"]) or facts["distinct"] < FEWEST_SPLITS


ACCURACY: tuple[Rule, ...] = (
    Rule("", "it is described only, or has no verdict", _unjudged),
    Rule(
        "more accurate",
        f"the error is lower (Holm-adjusted p at most {LEVEL})",
        lambda facts: _shown(facts["adjusted_error_p"]) and facts["error_difference"] < 0,
    ),
    Rule(
        "as accurate as",
        "the errors are shown to differ by less than the margin: two one-sided tests, "
        f"Holm-adjusted p at most {LEVEL}",
        lambda facts: _shown(facts["adjusted_equal_error_p"]),
    ),
    Rule(
        "less accurate",
        f"the error is higher (Holm-adjusted p at most {LEVEL})",
        lambda facts: _shown(facts["adjusted_error_p"]) and facts["error_difference"] > 0,
    ),
    Rule("accuracy not distinguishable", "otherwise", lambda facts: True),
)
"""Of accuracy, beside each verdict of fairness; in this order."""


def in_words() -> Iterator[tuple[str, str, str]]:
    """What is judged, the verdict and its condition, for every rule that has a name."""
    for what, rules in (("fairness", RULES), ("accuracy", ACCURACY)):
        for rule in rules:
            if rule.verdict:
                yield what, rule.verdict, rule.when
