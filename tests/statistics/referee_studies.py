"""Studies whose truth is known, as they are trained by the referee."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import fairbench

EFFECTS = (0.05, 0.1, 0.15, 0.2)
ROWS = 1000
SMALL = {"architecture": {"hidden": [16], "dropout": 0.1}}
TRAINING = {"epochs": 8, "batch_size": 64}


def inert(values: int) -> list[dict]:
    """The baseline, and two knobs that do nothing."""
    grid = np.round(0.7 * (1.43 / 0.7) ** np.linspace(0, 1, values), 6).tolist()
    return [
        {"name": "single-task", "options": SMALL},
        {"name": "inert-rate", "tradeoff": grid, "options": SMALL},
        {"name": "inert-dropout", "tradeoff": list(range(1, values + 1)), "options": SMALL},
    ]


def repaired(share: float) -> dict:
    """Residuals of the worse-off group shrink by `share`."""
    return {"name": "repaired", "label": f"repaired-{share:g}", "options": SMALL | {"share": share}}


def knobs(number: int, splits: int, seeds: int, values: int, folder: Path) -> fairbench.Study:
    """One synthetic dataset of its own, the baseline, and two knobs that do nothing."""
    return fairbench.Study(
        methods=inert(values),
        datasets=[{"name": "synthetic", "options": {"rows": ROWS, "seed": 1000 + number}}],
        splits=splits,
        seeds=seeds,
        entropy=number,
        metrics=["rmse", "rmse-disparity"],
        training=TRAINING,
    )


def effects(number: int, splits: int, seeds: int, values: int, folder: Path) -> fairbench.Study:
    """The same with copies of the baseline and known effects."""
    known = [
        {"name": "copy", "options": SMALL},
        {"name": "levelled", "options": SMALL | {"share": 0.35}},
        {"name": "inflated", "options": SMALL | {"share": 0.045}},
        *map(repaired, EFFECTS),
    ]
    whole = knobs(number, splits, seeds, values, folder).model_dump()
    return fairbench.Study.model_validate({**whole, "methods": inert(values) + known})


def people(number: int, mixed: bool) -> pd.DataFrame:
    """Rows of 46 people with two to over a hundred each, whose features and errors resemble.

    The sizes are lognormal with a median of 10; noise is half as large again for ``M``, who are a
    third of the people, or where `mixed`, a fifth to 70 % of the rows of each.
    """
    rng = np.random.default_rng([number, int(mixed)])
    sizes = np.ceil(np.exp(rng.normal(2.3, 1.0, 46))).astype(np.int64) + 1
    of = np.repeat(np.arange(46), sizes)
    second = of % 3 == 0
    if mixed:
        second = rng.random(of.size) < np.where(second, 0.7, 0.2)
    x = rng.normal(size=(of.size, 4)) + np.sqrt(0.5) * rng.normal(size=(46, 4))[of]
    noise = np.sqrt(0.6) * rng.normal(size=of.size) + np.sqrt(0.4) * rng.normal(size=46)[of]
    y = x @ [2.0, -1.0, 0.5, 1.0] + np.sin(2 * x[:, 0]) + np.where(second, 1.5, 1.0) * noise
    columns = {f"x{k}": column for k, column in enumerate(x.T)}
    return pd.DataFrame(columns | {"sex": np.where(second, "M", "F"), "person": of, "y": y})


def clusters(
    number: int, splits: int, seeds: int, values: int, folder: Path, mixed: bool = False
) -> fairbench.Study:
    """People of one group each, who are never split between training and test."""
    table = folder / "people.csv"
    people(number, mixed).to_csv(table, index=False)
    _, _, dropout = inert(values)
    return fairbench.Study(
        methods=[inert(values)[0], dropout, {"name": "copy", "options": SMALL}, repaired(0.15)],
        datasets=[
            {"name": str(table), "targets": ["y"], "protected": ["sex"], "cluster": "person"}
        ],
        splits=splits,
        seeds=seeds,
        entropy=number,
        metrics=["rmse", "rmse-disparity"],
        training=TRAINING,
    )


def clusters_of_both(
    number: int, splits: int, seeds: int, values: int, folder: Path
) -> fairbench.Study:
    """People who each have rows of both groups."""
    return clusters(number, splits, seeds, values, folder, mixed=True)


def metrics(number: int, splits: int, seeds: int, values: int, folder: Path) -> fairbench.Study:
    """A copy of the baseline, and a knob that does nothing, measured by every metric."""
    _, _, dropout = inert(values)
    whole = knobs(number, splits, seeds, values, folder).model_dump()
    few = [inert(values)[0], dropout, {"name": "copy", "options": SMALL}]
    return fairbench.Study.model_validate({**whole, "methods": few, "metrics": []})


STUDIES: dict[str, Callable[[int, int, int, int, Path], fairbench.Study]] = {
    "effects": effects,
    "knobs": knobs,
    "clusters": clusters,
    "clusters of both": clusters_of_both,
    "metrics": metrics,
}
