"""Reproduces the numbers of docs/evidence.md.

``python docs/figures/evidence.py`` simulates every section and writes evidence.json beside this
file; names after it choose sections, a number sets the studies per design.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from fairbench.analyze import (
    INDICATORS,
    Box,
    HeldOut,
    View,
    beyond_noise,
    boxes,
    chance,
    corrected_interval,
    hypervolume,
    indicators_table,
    nondominated,
    permuted,
)
from fairbench.analyze.debiased import debiased_by_split
from fairbench.analyze.simulation import AXES, Truth, simulate_fronts
from fairbench.dataset import Protected
from fairbench.plugins import load

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray

FILE = Path(__file__).with_suffix(".json")
LEVEL = 0.05
DATA = Path(__file__).parents[2] / "plugins" / "fairbench_paper" / "data"

Row = dict[str, Any]


def rate(found: int, count: int) -> Row:
    """A rate with its exact binomial interval."""
    limits = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return {"rate": found / count, "low": limits.low, "high": limits.high, "studies": count}


def attribute(groups: IntArray) -> Protected:
    labels = tuple(f"g{k}" for k in range(int(groups.max()) + 1))
    return Protected("a", "categorical", groups.astype(np.float64), groups, labels)


# -- Is the baseline's disparity more than chance? ------------------------------------------------

CHANCE = {
    # name: metric, units per group, spread per group, rows per unit (0: no clusters)
    "equal sizes, equal spread": ("residual-gap", (50, 50), (1, 1), 0),
    "equal sizes, spread 1 and 3": ("residual-gap", (50, 50), (1, 3), 0),
    "90 and 10 rows, equal spread": ("residual-gap", (90, 10), (1, 1), 0),
    "90 and 10 rows, spread 1 and 3": ("residual-gap", (90, 10), (1, 3), 0),
    "90 and 10 rows, spread 3 and 1": ("residual-gap", (90, 10), (3, 1), 0),
    "6 groups of 50 to 5 rows, spread 1 to 3": (
        "residual-gap", (50, 30, 20, 10, 5, 5), (1, 1, 1, 2, 3, 3), 0,
    ),
    "20 and 4 clusters, equal spread": ("residual-gap", (20, 4), (1, 1), 5),
    "20 and 4 clusters, spread 1 and 3": ("residual-gap", (20, 4), (1, 3), 5),
    "12 clusters with rows of both groups, spread 1 and 3": ("residual-gap", (12,), (1, 3), 5),
    "90 and 10 rows, skewed errors, spread 1 and 3": ("mae-disparity", (90, 10), (0.35, 1.05), 0),
}  # fmt: skip


def drawn(
    name: str, rng: np.random.Generator, shift: float = 0.0
) -> tuple[FloatArray, IntArray, IntArray | None]:
    """Residuals whose means by group differ by `shift` alone, groups, and clusters."""
    metric, sizes, spread, rows = CHANCE[name]
    width = np.array(spread, dtype=np.float64)
    if len(sizes) == 1:  # every cluster has rows of both groups, and its own effect on each
        clusters = np.repeat(np.arange(sizes[0]), 2 * rows)
        groups = np.tile(np.repeat([0, 1], rows), sizes[0]).astype(np.int64)
        own = rng.normal(size=(sizes[0], 2)) * width
        residual = own[clusters, groups] + rng.normal(size=len(groups))
    else:
        unit = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
        groups, clusters = (np.repeat(unit, rows), np.repeat(np.arange(len(unit)), rows)) if rows \
            else (unit, None)  # fmt: skip
        noise = rng.normal(size=len(unit))
        if metric == "mae-disparity":
            residual = np.exp(width[unit] * noise - width[unit] ** 2 / 2)
        else:
            residual = width[unit] * noise
        if rows:
            residual = residual[clusters] + rng.normal(size=len(groups)) * width[groups]
    return residual + shift * (groups == 0), groups, clusters


def against_chance(count: int, draws: int = 99) -> list[Row]:
    """How often a disparity is found where there is none: labels dealt alone, and studentised."""
    rows = []
    for name, (metric, *_) in CHANCE.items():
        component = load().find("metric", metric)
        plain = found = power = 0
        for study in range(count):
            for shift in (0.0, 1.0):
                rng = np.random.default_rng([study, int(shift)])
                residual, groups, clusters = drawn(name, rng, shift)
                if shift and study >= count // 4:
                    continue
                protected, zero = attribute(groups), np.zeros(len(groups))
                tested = [HeldOut(residual[None], zero, np.arange(len(groups)))]
                result = chance(component, protected, clusters, tested, rng, draws=draws)
                if shift:
                    power += result.p <= LEVEL
                    continue
                found += result.p <= LEVEL
                null = permuted(component, protected, clusters, tested, rng, draws=draws)
                (own,) = component.load()(residual[None], zero, protected)
                plain += beyond_noise(float(own), null.losses) <= LEVEL
        rows.append({
            "design": name,
            "dealing labels": rate(plain, count),
            "studentised": rate(found, count),
            "finds a difference of 1": rate(power, count // 4),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


# -- Does the quality of a front grow with the number of trials? ----------------------------------

DRAWS = (1, 5, 20, 50)

FRONTS = {
    "10 splits": Truth(splits=10, values=50, trial_sd=0.3),
    "5 splits × 3 seeds": Truth(splits=5, seeds=3, values=50, trial_sd=0.3),
    "5 splits × 3 seeds, luck smooth along the grid": Truth(
        splits=5, seeds=3, values=50, trial_sd=0.3, smooth=0.9
    ),
    "10 splits, luck in rows": Truth(splits=10, values=50, row_sd=0.3, value_sd=0.4, smooth=0.9),
    "5 splits × 3 seeds, luck in rows": Truth(
        splits=5, seeds=3, values=50, row_sd=0.3, value_sd=0.4, smooth=0.9
    ),
    "10 splits, noise of training alone": Truth(splits=10, values=50, row_sd=0.0, trial_sd=0.3),
}


def growth(count: int) -> list[Row]:
    """Indicators of methods that offer 1, 5, 20 and 50 trials, all of them alike, in one box."""
    rows = []
    for name, truth in FRONTS.items():
        found: dict[str, list[list[float]]] = {word: [] for word in (*INDICATORS, "as a set")}
        for study in range(count):
            fronts = simulate_fronts(truth, 1, seed=study)
            fronts = fronts[fronts["method"] == "method"]
            nested = pd.concat(
                [fronts[fronts["value"] < k].assign(method=f"{k:02d}") for k in DRAWS]
            )
            box = boxes(fronts, AXES)
            table = indicators_table(nested, AXES, box)
            means = table.groupby("method")[list(INDICATORS)].mean()
            for word in INDICATORS:
                found[word].append(means[word].tolist())
            found["as a set"].append(_as_sets(nested, next(iter(box.values()))))
        row: Row = {"design": name}
        for word, values in found.items():
            table = np.array(values)
            more = table[:, -1] - table[:, 0]
            row[word] = {
                "mean": table.mean(axis=0).tolist(),
                "growth": float(more.mean()),
                "growth_se": float(more.std(ddof=1) / np.sqrt(count)),
            }
        rows.append(row)
        print(row, flush=True)
    return rows


def _as_sets(nested: pd.DataFrame, box: Box) -> list[float]:
    """Hypervolume on test rows of all points on the front of selection rows, by method."""
    found = []
    for _, part in nested.groupby("method", sort=True):
        volumes = []
        for _, repeat in part.groupby(["split", "seed"]):
            kept = nondominated(repeat[["selection_error", "selection_disparity"]].to_numpy())
            volumes.append(hypervolume(box.scaled(repeat[["error", "disparity"]].to_numpy()[kept])))
        found.append(float(np.mean(volumes)))
    return found


# -- Largest minus smallest, and the variance between groups without chance -----------------------

SPREADS = {
    # name: groups, the method's errors as a share of the baseline's, true effects of the groups
    # (largest minus smallest) of the baseline and of the method
    "no difference, 2 groups, 20 % more accurate": (2, 0.8, 0.0, 0.0),
    "no difference, 10 groups, as accurate": (10, 1.0, 0.0, 0.0),
    "no difference, 10 groups, 20 % more accurate": (10, 0.8, 0.0, 0.0),
    "no difference, 10 groups, 40 % more accurate": (10, 0.6, 0.0, 0.0),
    "the same difference of 1, 10 groups, 20 % more accurate": (10, 0.8, 1.0, 1.0),
    "the same difference of 1, 10 groups, 40 % more accurate": (10, 0.6, 1.0, 1.0),
    "10 groups, half of a difference of 1 removed": (10, 1.0, 1.0, 0.5),
    "10 groups, all of a difference of 1 removed": (10, 1.0, 1.0, 0.0),
    "10 groups, all of a difference of 2 removed": (10, 1.0, 2.0, 0.0),
    "2 groups, all of a difference of 1 removed": (2, 1.0, 1.0, 0.0),
}

SPLITS, ROWS = 10, 1000


def spreads(count: int) -> list[Row]:
    """How often a method is found fairer by residual-gap, de-biased, and after all rules."""
    component = load().find("metric", "residual-gap")
    by_row = component.load().by_row
    rows = []
    for name, (groups, error, before, after) in SPREADS.items():
        found = {"largest minus smallest": 0, "de-biased": 0, "both": 0, "both, beyond chance": 0}
        codes = np.arange(ROWS) % groups
        protected, units = attribute(codes), np.arange(ROWS)
        for study in range(count):
            rng = np.random.default_rng([study, 5])
            shared = rng.normal(size=ROWS)
            own = np.sqrt(0.19) * rng.normal(size=ROWS) + 0.9 * shared
            level = codes / (groups - 1) - 0.5
            residuals = before * level + shared, after * level + error * own
            held: list[list[HeldOut]] = [[], []]
            for split in range(SPLITS):
                test = rng.permutation(ROWS)[: ROWS // 5]
                for method, residual in enumerate(residuals):
                    held[method].append(
                        HeldOut(residual[None, test], 0 * shared[test], test, split)
                    )
            gaps = [
                np.array([component.load()(t.prediction, t.target, protected.rows(t.rows))[0]
                          for t in one]) for one in held
            ]  # fmt: skip
            variances = [debiased_by_split(by_row, protected, units, one) for one in held]
            plain = corrected_interval(gaps[1] - gaps[0], 1 / 3)
            other = corrected_interval(variances[1] - variances[0], 1 / 3)
            fairer = [test.mean < 0 and test.p <= LEVEL for test in (plain, other)]
            found["largest minus smallest"] += fairer[0]
            found["de-biased"] += fairer[1]
            found["both"] += all(fairer)
            if all(fairer):
                result = chance(component, protected, None, held[0], rng, draws=99)
                found["both, beyond chance"] += result.p <= LEVEL
        rows.append({"design": name, **{word: rate(n, count) for word, n in found.items()}})
        print(rows[-1], flush=True)
    return rows


# -- Over datasets --------------------------------------------------------------------------------

OVER = {
    # name: datasets, splits, spread of the datasets' true effects, of the logarithm of their noise
    "5 datasets × 3 splits": (5, 3, 0.0, 0.0),
    "5 datasets × 10 splits, noise differs": (5, 10, 0.0, 1.0),
    "8 datasets × 5 splits": (8, 5, 0.0, 0.0),
    "8 datasets × 5 splits, noise differs": (8, 5, 0.0, 1.0),
    "8 datasets × 5 splits, noise and effects differ": (8, 5, 0.5, 1.0),
    "15 datasets × 3 splits": (15, 3, 0.0, 0.0),
    "15 datasets × 5 splits, noise and effects differ": (15, 5, 0.5, 1.0),
}


def random_effects(means: FloatArray, variances: FloatArray) -> FloatArray:
    """p-values (R,) of DerSimonian and Laird's mean with Hartung and Knapp's standard error."""
    weight = 1 / variances
    n = means.shape[1]
    centre = (weight * means).sum(1) / weight.sum(1)
    q = (weight * (means - centre[:, None]) ** 2).sum(1)
    room = weight.sum(1) - (weight**2).sum(1) / weight.sum(1)
    between = np.maximum(0.0, (q - (n - 1)) / room)
    weight = 1 / (variances + between[:, None])
    centre = (weight * means).sum(1) / weight.sum(1)
    spread = np.maximum(1.0, (weight * (means - centre[:, None]) ** 2).sum(1) / (n - 1))
    p: FloatArray = 2 * stats.t.sf(np.abs(centre) / np.sqrt(spread / weight.sum(1)), n - 1)
    return p


def over_datasets(count: int) -> list[Row]:
    """How often a method is told from the baseline over datasets, without and with an effect."""
    rows = []
    for name, (datasets, splits, between, uneven) in OVER.items():
        row: Row = {"design": name}
        for effect in (0.0, 0.6):
            rng = np.random.default_rng([datasets, splits, int(10 * effect)])
            noise = np.exp(uneven * rng.normal(size=(count, datasets, 1)))
            true = effect + between * rng.normal(size=(count, datasets, 1))
            shared = np.sqrt(0.25) * rng.normal(size=(count, datasets, 1))
            own = np.sqrt(0.75) * rng.normal(size=(count, datasets, splits))
            values = true + noise * (shared + own)
            means, variances = values.mean(2), values.var(2, ddof=1) * (1 / splits + 1 / 3)
            p = {
                "Student's t": stats.ttest_1samp(means, 0.0, axis=1).pvalue,
                "random effects": random_effects(means, variances),
            }
            for test, found in p.items():
                word = test if effect == 0 else f"{test}, effect of {effect}"
                row[word] = rate(int((found <= LEVEL).sum()), count)
        rows.append(row)
        print(row, flush=True)
    return rows


# -- Real trainings -------------------------------------------------------------------------------

REAL = ("residual-gap", "rmse-disparity")


def _houses(study: int) -> tuple[pd.DataFrame, str]:
    return pd.read_csv(DATA / "boston.csv"), "MEDV"


def _voices(study: int) -> tuple[pd.DataFrame, str]:
    table = pd.read_csv(DATA / "parkinsons_updrs.data.xz")
    return table.drop(columns=["subject#", "total_UPDRS"]), "motor_UPDRS"


def _drawn(study: int) -> tuple[pd.DataFrame, str]:
    source = load().find("dataset", "synthetic").build({"rows": 1000, "seed": study})
    return source.table(lambda *_: []).drop(columns=["group", "noiseless"]), "y"


TABLES = {"boston": _houses, "parkinson": _voices, "synthetic": _drawn}
"""Tables and their targets; only the last is another one in every study."""


def random_study(name: str, study: int) -> dict[str, dict[str, bool]]:
    """Ridge against the baseline's network over eight groups that are dealt at random.

    A table with a column of letters that say nothing: whatever is found, is false.
    """
    import fairbench

    table, target = TABLES[name](study)
    rng = np.random.default_rng([study, 11])
    letters = np.array(list("ABCDEFGH"))[rng.permutation(np.arange(len(table)) % 8)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        table.assign(letter=letters).to_csv(file, index=False)
        run = fairbench.run(
            fairbench.Study.model_validate({
                "methods": ["ridge"],
                "datasets": [{
                    "name": str(file), "targets": [target], "protected": ["letter"],
                    "min_group": 1,
                }],
                "splits": 10, "seeds": 1, "entropy": study, "metrics": ["rmse", *REAL],
                "training": {"epochs": 30},
            }),
            out=Path(folder) / "run", jobs=1,
        )  # fmt: skip
        found = {}
        for metric in REAL:
            own = run.verdicts(View("rmse", metric, tolerance=10.0)).iloc[0]
            found[metric] = {
                "largest minus smallest": bool(own["p"] <= LEVEL and own["difference"] < 0),
                "verdict": own["verdict"].startswith("fairer"),
                "told apart": own["verdict"].startswith(("fairer", "less")),
            }
    return found


def random_groups(count: int) -> list[Row]:
    """How often `random_study` finds something, by table and metric."""
    rows = []
    for name in TABLES:
        studies = [random_study(name, study) for study in range(count)]
        rows += [_found(f"{name}, {metric}", [one[metric] for one in studies]) for metric in REAL]
    print(rows, flush=True)
    return rows


def _found(design: str, studies: list[dict[str, bool]]) -> Row:
    words = {word: sum(one[word] for one in studies) for word in studies[0]}
    return {"design": design, **{word: rate(n, len(studies)) for word, n in words.items()}}


SECTIONS: dict[str, tuple[Callable[[int], Any], int]] = {
    "chance": (against_chance, 500),
    "growth": (growth, 40),
    "spreads": (spreads, 400),
    "over": (over_datasets, 4000),
    "random": (random_groups, 24),
}
"""Every section with its studies per design."""


def in_words(section: str, rows: list[Row]) -> str:
    """A section as a table in Markdown."""
    if section == "growth":
        header = ["design", *(f"{k} trials" for k in DRAWS), "growth", "growth as a set"]
        lines = [
            [
                row["design"],
                *(f"{mean:.3f}" for mean in row["hypervolume"]["mean"]),
                *(
                    f"{row[word]['growth']:+.3f} ± {1.96 * row[word]['growth_se']:.3f}"
                    for word in ("hypervolume", "as a set")
                ),
            ]
            for row in rows
        ]
    else:
        header = list(rows[0])
        lines = [[row["design"], *(_cell(row[word]) for word in header[1:])] for row in rows]
    ruled = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)


def _cell(found: Row) -> str:
    return f"{found['rate']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    chosen = [word for word in sys.argv[1:] if not word.isdigit()] or list(SECTIONS)
    for section in chosen:
        simulate, studies = SECTIONS[section]
        found = simulate(numbers[0] if numbers else studies)
        held = json.loads(FILE.read_text()) if FILE.exists() else {}
        held[section] = found
        FILE.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(in_words(section, found))
