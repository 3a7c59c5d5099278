"""Checks of what holds: the honest protocol, and what noise alone would have reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze import corrected_interval
from fairbench_paper.reproduction.measure import (
    BASELINE,
    METHOD,
    correlations,
    finite,
    picked,
    splits,
    spread,
)
from fairbench_paper.reproduction.results import Comparison, Honest, Noise, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from fairbench.analyze import Run
    from fairbench_paper.reproduction.readings import Reading

__all__ = ["honest", "noise"]


def honest(run: Run, reading: Reading, unit: Unit, /) -> Honest:
    """The method under the honest protocol, against single-task and beside other methods."""
    table = run.metrics()
    table = table[(table["part"] == "test") & (table["status"] == "ok")]
    base, constant = (table[table["method"] == name] for name in (BASELINE, "mean"))
    swept = [part for _, part in table[table["method"] == METHOD].groupby("split", sort=True)]
    return Honest(
        reading.says,
        int(base["split"].nunique()),
        spread(base["rmse"]),
        spread(base["mae"]),
        spread(base[f"{unit}-disparity"]),
        spread(constant["rmse"]),
        tuple(_comparisons(run)),
        correlations(swept, unit, run.ratios[reading.dataset]),
    )


def _comparisons(run: Run) -> Iterator[Comparison]:
    verdicts = run.verdicts()
    order = {METHOD: 0, "mean": 9}
    for row in sorted(
        verdicts.to_dict("records"), key=lambda row: (order.get(row["method"], 1), row["method"])
    ):
        yield Comparison(
            method=row["method"],
            disparity=row["base_disparity"] + row["difference"],
            difference=row["difference"],
            low=finite(row["low"]),
            high=finite(row["high"]),
            error=row["base_error"] + row["error_difference"],
            error_difference=row["error_difference"],
            error_low=finite(row["error_low"]),
            error_high=finite(row["error_high"]),
            splits=row["splits"],
            fairer_on=row["fairer_on"],
            verdict=row["verdict"],
            sentence=row["sentence"],
        )


def noise(run: Run, centre: Run, reading: Reading, unit: Unit, /) -> Noise:
    """Reductions among copies of the baseline, beside those of the method on the same splits."""
    table = run.metrics()
    table = table[(table["part"] == "test") & (table["status"] == "ok")]
    swept = {each.number: each for each in splits(centre, reading)}
    rows = []
    for number, copies in table.groupby("split", sort=True):
        first = copies[copies["seed"] == number]
        if number in swept and len(first):
            method = swept[int(str(number))]
            spreads = copies[f"{unit}-disparity"].agg(["std", "mean"])
            ours = _best(method.swept, method.baseline, unit)
            rows.append(
                (*_best(copies, first.iloc[0], unit), *ours, spreads["std"] / spreads["mean"])
            )
    least, reduction, gain, method_least, method_reduction, method_gain, spreads = np.array(rows).T
    interval = corrected_interval(method_least - least, run.ratios[reading.dataset])
    return Noise(
        splits=len(rows),
        copies=int(table.groupby("split").size().max()),
        reduction=spread(reduction),
        method_reduction=spread(method_reduction),
        difference=interval.mean,
        low=finite(interval.low),
        high=finite(interval.high),
        lower=int((method_least < least).sum()),
        gain=spread(gain),
        method_gain=spread(method_gain),
        spread=float(np.mean(spreads)),
    )


def _best(
    trials: pd.DataFrame, baseline: pd.Series[float], unit: Unit
) -> tuple[float, float, float]:
    """Least disparity among `trials` on test rows, its reduction, and that of the error."""
    fair, accurate = picked(trials[[unit, f"{unit}-disparity"]].to_numpy(dtype=np.float64))
    return (
        float(fair[1]),
        float(1 - fair[1] / baseline[f"{unit}-disparity"]),
        float(1 - accurate[0] / baseline[unit]),
    )
