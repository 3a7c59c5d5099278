"""Whether intervals over splits cover: reproduces docs/figures/splits.json and its tables.

Datasets are drawn from a known population, split by the protocol `honest`, and models are trained
on them. What a linear model's error and disparity would be on endless test data is known exactly;
a network's is measured on 3,000 other rows. The mean of that over all datasets is the truth that
95 % intervals must hold.

``python docs/figures/splits.py`` takes about ten minutes on one core and prints the tables in
Markdown; a number after it sets the datasets per population, and then nothing is stored.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fairbench.analyze import Overlap, corrected_interval, split_overlap
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Method, Trial, Work
from fairbench.plugins import load
from fairbench.study.honest import Honest
from fairbench.training import Training

Floats = NDArray[np.float64]

STORED = Path(__file__).with_name("splits.json")
DATASETS = 1000
TRAINED = 150
"""Datasets per population that networks are trained on."""

COUNTS = (5, 10, 20)
SLOPES = (np.ones(5), np.ones(5) + np.linspace(-0.6, 0.6, 5))
"""True coefficients in the two groups."""

LINEAR = (
    "least squares",
    "ridge",
    "three features",
    "weights of the group",
    "noise of training",
)
NETWORKS = ("single-task", "static-alpha")


class Result(TypedDict):
    """Of one population: datasets, those whose interval held the truth, correlations of splits."""

    datasets: int
    covered: dict[str, dict[str, int]]
    correlation: dict[str, list[float]]


@dataclass(frozen=True)
class Population:
    """Where datasets come from: noise is half as large again in the second group.

    Parameters
    ----------
    units
        Rows, or clusters where `sizes` says how large they are.
    sizes
        ``one`` row each, ``equal`` clusters of 10, ``uneven`` ones of 2 to 24, or ``heavy``
        tails: lognormal with a median of 10 and a mean of 18.
    mixed
        Whether clusters hold rows of both groups.
    like
        Variances as in `between`, for rows that each stand for a cluster of their own.
    """

    units: int
    sizes: str = "one"
    mixed: bool = False
    like: tuple[float, float] | None = None

    @property
    def title(self) -> str:
        if self.sizes == "one":
            return f"{self.units} rows"
        return f"{self.units} {self.sizes} clusters{' of both groups' if self.mixed else ''}"

    @property
    def between(self) -> tuple[float, float]:
        """Variance between clusters of each feature (those within have 1), and of the noise."""
        return self.like or ((0.0, 0.0) if self.sizes == "one" else (0.5, 0.4))

    @property
    def second(self) -> float:
        """The second group's share."""
        third = len(range(0, self.units, 3)) / self.units
        return 0.7 * third + 0.2 * (1 - third) if self.mixed else third

    def draw(self, rng: np.random.Generator) -> Dataset:
        match self.sizes:
            case "equal":
                size = np.full(self.units, 10)
            case "uneven":
                size = rng.integers(2, 25, self.units)
            case "heavy":
                size = np.ceil(np.exp(rng.normal(2.3, 1.1, self.units))).astype(np.int64)
            case _:
                size = np.ones(self.units, dtype=np.int64)
        of = np.repeat(np.arange(self.units), size)
        group = (of % 3 == 0).astype(np.int64)
        if self.mixed:
            group = (rng.random(of.size) < np.where(group, 0.7, 0.2)).astype(np.int64)
        features, noise = self.between
        x = rng.normal(size=(of.size, 5))
        x += np.sqrt(features) * rng.normal(size=(self.units, 5))[of]
        e = np.sqrt(1 - noise) * rng.normal(size=of.size)
        e += np.sqrt(noise) * rng.normal(size=self.units)[of]
        y = np.where(group, x @ SLOPES[1], x @ SLOPES[0]) + self.noise[group] * e
        names = tuple("abcde")
        attribute = Protected("a", "binary", group.astype(float), group, ("first", "second"))
        clusters = None if self.sizes == "one" else of
        card = Card("drawn", "", "")
        return Dataset("t", x, names, y[:, None], ("y",), (attribute,), clusters, "c", card)

    @property
    def noise(self) -> Floats:
        """Standard deviation in each group; an R² of about a half."""
        return np.sqrt(5 * (1 + self.between[0])) * np.array([1.0, 1.5])

    def true_risks(self, beta: Floats) -> Floats:
        """Mean squared error of coefficients `beta` in each group, on endless data."""
        spread = 1 + self.between[0]
        off = [spread * np.square(beta - slope).sum() for slope in SLOPES]
        return np.square(self.noise) + np.array(off)


Learner = Callable[[Population, Dataset, Split, np.random.Generator], tuple[Floats, Floats]]
"""Gives predictions (models, test rows) and true mean squared errors (groups, models)."""


def linear(
    population: Population, dataset: Dataset, split: Split, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The models of `LINEAR`."""
    x, y = dataset.features[split.train], dataset.targets[split.train, 0]
    group = dataset.protected[0].groups[split.train]
    least = _solve(x, y, np.ones(len(y)), 0.1)
    few = np.zeros(5)
    few[:3] = _solve(x[:, :3], y, np.ones(len(y)), 0.1)
    betas = np.stack(
        [
            least,
            _solve(x, y, np.ones(len(y)), 0.2 * len(y)),
            few,
            _solve(x, y, np.where(group == 1, 4.0, 1.0), 0.1),
            least + 0.15 * rng.normal(size=5),
        ]
    )
    risks = np.array([population.true_risks(beta) for beta in betas]).T
    return betas @ dataset.features[split.test].T, risks


def _solve(x: Floats, y: Floats, weight: Floats, penalty: float) -> Floats:
    weighted = x * weight[:, None]
    return np.linalg.solve(weighted.T @ x + penalty * np.eye(x.shape[1]), weighted.T @ y)


@cache
def _methods() -> list[tuple[Method, float | None]]:
    found = load()
    return [
        (found.find("method", name).build({}), value)
        for name, value in zip(NETWORKS, (None, 2.0), strict=True)
    ]


def networks(
    population: Population, dataset: Dataset, split: Split, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The methods of `NETWORKS`, 30 epochs of one seed each, by fairbench's own engine."""
    other = replace(population, units=3000, sizes="one", like=population.between).draw(rng)
    both = replace(
        dataset,
        features=np.concatenate([dataset.features, other.features]),
        targets=np.concatenate([dataset.targets, other.targets]),
        protected=(_joined(dataset.protected[0], other.protected[0]),),
        clusters=None,
    )
    fresh = np.arange(dataset.rows, both.rows)
    fold = Fold(both, replace(split, test=np.concatenate([split.test, fresh])))
    predictions = []
    seed = int(rng.integers(2**31))
    for method, value in _methods():
        work = Work([Trial("t", "m", value, seed, 0)], fold, Training(epochs=30), entropy=seed)
        predictions.append(method.train(work).predictions[0].test[:, 0])
    own, elsewhere = np.split(np.array(predictions, dtype=np.float64), [len(split.test)], axis=1)
    square = np.square(elsewhere - other.targets[:, 0])
    group = other.protected[0].groups
    return own, np.array([square[:, group == code].mean(axis=1) for code in (0, 1)])


def _joined(one: Protected, other: Protected) -> Protected:
    return replace(
        one,
        values=np.concatenate([one.values, other.values]),
        groups=np.concatenate([one.groups, other.groups]),
    )


def compared(errors: Floats, gaps: Floats) -> Floats:
    """Of errors and disparities (models,): the first model's own, the others' differences."""
    return np.concatenate([errors[:1], errors[1:] - errors[0], gaps[:1], gaps[1:] - gaps[0]])


def study(
    population: Population, number: int, learner: Learner, count: int
) -> tuple[Floats, Floats, Overlap]:
    """Measured and true values (J, values) of one dataset, and the overlap of its J splits."""
    rng = np.random.default_rng([number, population.units])
    dataset = population.draw(rng)
    y, group = dataset.targets[:, 0], dataset.protected[0].groups
    splits = Honest().splits(dataset, rng.integers(0, 2**32, count).tolist())
    measured, true = [], []
    for split in splits:
        predictions, risks = learner(population, dataset, split, rng)
        square = np.square(y[split.test] - predictions)
        second = group[split.test] == 1
        roots = np.sqrt([square[:, ~second].mean(axis=1), square[:, second].mean(axis=1)])
        measured.append(compared(np.sqrt(square.mean(axis=1)), roots[1] - roots[0]))
        whole = np.sqrt((1 - population.second) * risks[0] + population.second * risks[1])
        true.append(compared(whole, np.sqrt(risks[1]) - np.sqrt(risks[0])))
    return np.array(measured), np.array(true), split_overlap(splits)


def simulate(
    population: Population,
    datasets: int,
    models: tuple[str, ...] = LINEAR,
    learner: Learner = linear,
    counts: tuple[int, ...] = COUNTS,
) -> Result:
    """Coverage by value and number of splits, and how correlated splits turned out."""
    found = [study(population, number, learner, max(counts)) for number in range(datasets)]
    measured = np.array([values for values, _, _ in found])
    truth = np.array([values for _, values, _ in found]).mean(axis=(0, 1))
    names = [
        f"{kind} of {models[0]}" if name == models[0] else f"{kind}, {name} against it"
        for kind in ("error", "disparity")
        for name in models
    ]
    covered = {name: dict.fromkeys(map(str, counts), 0) for name in names}
    for values, _, overlap in found:
        for count in counts:
            used = overlap.of(np.arange(count))
            for name, column, expected in zip(names, values.T, truth, strict=True):
                interval = corrected_interval(column[:count], used.ratio, df=used.df)
                covered[name][str(count)] += int(interval.low <= expected <= interval.high)
    correlation = dict(zip(names, _correlations(measured), strict=True))
    return {"datasets": datasets, "covered": covered, "correlation": correlation}


def _correlations(measured: Floats) -> list[list[float]]:
    """Of splits within a rotation of folds and of those in different ones, value by value."""
    rotation = np.arange(measured.shape[1]) // 5
    same = rotation[:, None] == rotation
    pairs = (same & ~np.eye(len(rotation), dtype=bool), ~same)
    found = []
    for values in np.moveaxis(measured, 2, 0):
        centred = values - values.mean()
        products = centred.T @ centred
        variance = np.trace(products) / len(products)
        found.append([round(float(products[pair].mean() / variance), 3) for pair in pairs])
    return found


POPULATIONS = (
    Population(300),
    Population(1000),
    Population(40, "equal"),
    Population(40, "uneven", mixed=True),
    Population(46, "heavy", mixed=True),
    Population(16, "uneven"),
)


def table(results: dict[str, Result]) -> str:
    """Coverage as Markdown, pooled over the populations of rows and over those of clusters."""
    kinds = {kind: [r for t, r in results.items() if kind in t] for kind in ("rows", "clusters")}
    covered = kinds["rows"][0]["covered"]
    counts = list(next(iter(covered.values())))
    designs = [(kind, count) for kind in kinds for count in counts]
    head = ["value", "correlation", *(f"{kind}, {count} splits" for kind, count in designs)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for value in covered:
        pairs = np.array([result["correlation"][value] for result in results.values()])
        cells = [" / ".join(f"{mean:.2f}" for mean in pairs.mean(axis=0))]
        for kind, count in designs:
            hits = sum(result["covered"][value][count] for result in kinds[kind])
            cells.append(rate(hits, sum(result["datasets"] for result in kinds[kind])))
        lines.append(f"| {value} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rate(found: int, count: int) -> str:
    """A rate with its exact binomial interval."""
    low, high = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return f"{found / count:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else None
    results: dict[str, dict[str, Result]] = {"linear models": {}, "networks": {}}
    for population in POPULATIONS:
        found = simulate(population, asked or DATASETS)
        results["linear models"][population.title] = found
    for population in (POPULATIONS[0], POPULATIONS[2]):
        found = simulate(population, asked or TRAINED, NETWORKS, networks, COUNTS[:2])
        results["networks"][population.title] = found
    if asked is None:
        STORED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n\n".join(table(each) for each in results.values()))
