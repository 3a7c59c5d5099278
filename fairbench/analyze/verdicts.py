"""Verdicts in words, from rules that a report can print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD, PLACE
from fairbench.analyze.comparisons import holm
from fairbench.analyze.contrasts import compare, paired
from fairbench.analyze.group_sizes import group_sizes
from fairbench.analyze.intervals import deviation_limits, smallest_detectable
from fairbench.analyze.levelling import group_changes
from fairbench.analyze.matched import matched_points
from fairbench.analyze.primary import Primary
from fairbench.analyze.rules import ACCURACY, RULES, first_that_holds
from fairbench.analyze.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.analyze.intervals import Correction
    from fairbench.dataset import FloatArray

__all__ = [
    "detectable",
    "disagreements",
    "judge",
    "verdicts",
    "with_chance",
    "with_debiased",
    "with_population",
]

_ADJUSTED = ("p", "margin_p", "equal_p", "error_p", "equal_error_p", "debiased_p", "population_p")
"""Tests of every comparison, each kind adjusted by itself."""

_NAMES = frozenset({"worst_group", "smallest_group", "left_out", "powerless"})

_UNKNOWN = (
    *("smallest_group", "smallest_rows", "left_out"),
    *("chance_p", "powerless", "gain_p", "worst_group", "worst_change", "worst_p"),
    *("population_low", "population_high", "population_p"),
    *("debiased_difference", "debiased_p"),
)
"""What other tables say of a comparison; where they are silent, no rule rests on it."""


def judge(
    fronts: pd.DataFrame,
    axes: Axes,
    baseline: str,
    corrections: Mapping[str, Correction],
    /,
    *,
    primary: Primary | None = None,
    tolerance: float | None = None,
    groups: pd.DataFrame | None = None,
    chance: pd.DataFrame | None = None,
    population: pd.DataFrame | None = None,
    debiased: pd.DataFrame | None = None,
    on_test: Collection[str] = (),
    others: FloatArray | None = None,
) -> pd.DataFrame:
    """From the fronts table to verdicts; one row per dataset, target, attribute and method.

    Parameters
    ----------
    fronts
        The fronts table for `axes`, of one run or of several put together.
    baseline
        The method that the others are judged against.
    corrections
        What the splits of each dataset have in common.
    primary
        The declared analysis, with its margins; without one every row counts as primary.
    tolerance
        The margin of error, where another than the declared one is asked for.
    groups
        The groups table, to tell whether anybody gains and what groups are large enough.
    chance
        From `Run.noise`: whether the baseline's disparity is more than chance gives.
    population
        From `Run.population`: what holds beyond these rows.
    debiased
        From `Run.debiased`: whether the variance between groups differs without what chance adds.
    on_test, others
        See `verdicts`.
    """
    stated = primary or Primary(axes.error, axes.disparity)
    margin = stated.margin if tolerance is None else tolerance
    points = matched_points(fronts, axes, baseline, tolerance=margin)
    room = stated.disparity_margin
    compared = compare(paired(points), corrections, margin=margin, disparity_margin=room)
    compared = compared.assign(margin=margin, disparity_margin=room)
    if groups is not None:
        sizes = group_sizes(groups)
        if len(compared) and len(sizes):  # empty tables have no types to be merged by
            compared = compared.merge(sizes, on=PLACE, how="left", validate="many_to_one")
        changes = group_changes(points, groups, baseline, corrections)
        compared = compared.merge(changes, on=METHOD, how="left", validate="one_to_one")
    if chance is not None:
        compared = with_chance(compared, chance)
    if population is not None:
        compared = with_population(compared, population)
    if debiased is not None:
        compared = with_debiased(compared, debiased)
    return verdicts(compared, axes, baseline, primary=primary, on_test=on_test, others=others)


def verdicts(
    compared: pd.DataFrame,
    axes: Axes,
    baseline: str,
    /,
    *,
    primary: Primary | None = None,
    on_test: Collection[str] = (),
    others: FloatArray | None = None,
) -> pd.DataFrame:
    """Verdicts and a sentence for every row of `compare`.

    Parameters
    ----------
    compared
        With margin and disparity_margin, and where they are known chance_p (`noise_floor`) and
        the columns of `group_changes`.
    on_test
        Datasets whose trade-off values were selected on test rows: there is nothing to judge.
    others
        p-values of further exploratory comparisons, that other metrics make of the same points.

    Returns
    -------
    DataFrame
        With ``analysis`` (``primary`` or ``exploratory``), ``adjusted_p`` and its like for every
        kind of test (Holm, over all rows of the same analysis: methods, datasets, and where
        they are exploratory targets, attributes and metrics), ``comparisons`` (how many those
        are), ``detectable`` with ``detectable_low`` and ``detectable_high`` (the smallest
        difference found four times in five after this adjustment, and its 95 % interval),
        ``verdict``, ``accuracy`` and ``sentence``.
    """
    table = compared.assign(**_silent(compared))
    table["on_test"] = table["dataset"].isin(list(on_test))
    # There an interval or a p-value would claim what cannot be known.
    table.loc[table["on_test"], [*_inferred(table), "p_fairer", "p_same", "deviation"]] = np.nan
    first = np.ones(len(table), dtype=bool)
    if primary is not None:
        first = _is_primary(table, axes, primary)
    more = np.asarray([] if others is None else others, dtype=np.float64)
    table["analysis"] = np.where(first, "primary", "exploratory")
    for name in _ADJUSTED:
        p = table[name].to_numpy(dtype=np.float64)
        adjusted = np.full(len(p), np.nan)
        adjusted[first] = holm(p[first])
        rest = np.concatenate([p[~first], more if name == "p" else more[:0]])
        adjusted[~first] = holm(rest)[: int((~first).sum())]
        table[f"adjusted_{name}"] = adjusted
    table["comparisons"] = np.where(first, first.sum(), (~first).sum() + len(more))
    table = table.assign(**detectable(table))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
    for facts in rows:
        facts["verdict"] = first_that_holds(RULES, facts)
        facts["accuracy"] = first_that_holds(ACCURACY, facts)
        facts["sentence"] = sentence(facts, axes, baseline)
    ends = ["verdict", "accuracy", "sentence"]
    return table.assign(**{name: [facts[name] for facts in rows] for name in ends}).drop(
        columns="on_test"
    )


def with_debiased(compared: pd.DataFrame, debiased: pd.DataFrame, /) -> pd.DataFrame:
    """`compared` with debiased_difference and debiased_p from `debiased_table`, where needed."""
    known = debiased.loc[debiased["needed"].astype(bool), [*METHOD, "difference", "p"]]
    known = known.rename(columns={"difference": "debiased_difference", "p": "debiased_p"})
    return _with(compared, known)


def with_population(compared: pd.DataFrame, population: pd.DataFrame, /) -> pd.DataFrame:
    """`compared` with the columns of `population_table`."""
    return _with(compared, population)


def _with(compared: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """`compared` with the columns of `known`, one row per method; NaN where it has none."""
    if compared.empty or known.empty:  # empty tables have no types to be merged by
        return compared.assign(**dict.fromkeys(known.columns.difference(METHOD), np.nan))
    return compared.merge(known, on=METHOD, how="left", validate="one_to_one")


def with_chance(compared: pd.DataFrame, chance: pd.DataFrame, /) -> pd.DataFrame:
    """`compared` with chance_p, and powerless: why the test could not have found anything."""
    known = chance[[*PLACE, "p", "powerless"]].rename(columns={"p": "chance_p"})
    return compared.merge(known, on=PLACE, how="left", validate="many_to_one")


def _inferred(table: pd.DataFrame) -> list[str]:
    """Columns that draw a conclusion from a sample."""
    ends = ("_p", "_low", "_high")
    return [c for c in map(str, table) if c in {"p", "low", "high"} or c.endswith(ends)]


def _silent(compared: pd.DataFrame) -> dict[str, str | float]:
    """The columns that no other table has filled."""
    return {name: "" if name in _NAMES else np.nan for name in _UNKNOWN if name not in compared}


def _is_primary(table: pd.DataFrame, axes: Axes, primary: Primary) -> np.ndarray:
    places = zip(table["dataset"], table["target"], table["protected"], strict=True)
    margins = table["margin"] if len(table) else [0.0]
    covered = all(primary.covers(axes, float(margin)) for margin in set(margins))
    views = primary.views
    return np.array(
        [covered and views.get(name) == (target, a) for name, target, a in places], dtype=bool
    )


def detectable(table: pd.DataFrame, /) -> dict[str, list[float]]:
    """What each comparison of a table would have found four times in five, with its interval."""
    found: dict[str, list[float]] = {
        name: [] for name in ("detectable", "detectable_low", "detectable_high")
    }
    columns = ("deviation", "splits", "correction", "df", "comparisons")
    for row in zip(*(table[name] for name in columns), strict=True):
        deviation, splits, ratio, df, comparisons = map(float, row)
        size = smallest_detectable(
            deviation, int(splits), ratio, df=df, comparisons=int(comparisons), estimated=True
        )
        low, high = deviation_limits(df) if df > 0 else (np.nan, np.nan)
        for name, value in zip(found, (size, size * low, size * high), strict=True):
            found[name].append(value)
    return found


def disagreements(judged: pd.DataFrame, /) -> pd.DataFrame:
    """Where the same chosen trials are fairer by one metric and less fair by another.

    Parameters
    ----------
    judged
        Rows of `verdicts` by several disparity metrics, named in a column ``metric``.

    Returns
    -------
    DataFrame
        dataset, target, protected, method, fairer and less_fair (names of metrics, joined by
        commas), and warning: the sentence to print.
    """
    rows = []
    for key, part in judged.groupby(METHOD, sort=True):
        said = part["verdict"]
        fairer, less = (
            ", ".join(sorted(part.loc[which, "metric"]))
            for which in (said.str.startswith("fairer"), said == "less fair")
        )
        if fairer and less:
            warning = f"Metrics disagree on {key[3]}: fairer by {fairer}, less fair by {less}."
            rows.append((*key, fairer, less, warning))
    return pd.DataFrame(rows, columns=[*METHOD, "fairer", "less_fair", "warning"])
