"""Whether each interval holds its own truth: reproduces docs/figures/splits.json and its tables.

Datasets are drawn from a known population, split by the protocol `honest`, and models are trained
on them. What a linear model's error and disparity would be on endless test data is known exactly;
a network's is measured on 3,000 other rows. The mean of that over all datasets is the truth of the
population. That of a dataset is the mean of what is measured over very many splits of its rows.

``python docs/figures/splits.py`` takes about twenty minutes on one core and prints the tables in
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

from fairbench.analyze import Interval, Overlap, corrected_interval, split_overlap
from fairbench.analyze.population import Moved, population_interval
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Method, Trial, Work
from fairbench.plugins import load
from fairbench.study.honest import Honest
from fairbench.training import Training

Floats = NDArray[np.float64]

STORED = Path(__file__).with_name("splits.json")
DATASETS = 240
TRAINED = 50
"""Datasets per population that networks are trained on."""

MORE = 200
"""Other splits of a dataset, whose mean is its truth; 50 of networks."""

DRAWS = 100
"""Bootstrap samples of each dataset."""

COUNTS = (5, 10, 20)
SLOPES = (np.ones(5), np.ones(5) + np.linspace(-0.6, 0.6, 5))
"""True coefficients in the two groups."""

LINEAR = (
    "least squares",
    "ridge",
    "three features",
    "weights of the group",
    "weights without meaning",
    "noise of training",
)
NETWORKS = ("single-task", "static-alpha")


STATEMENTS = ("dataset", "population", "splits of the population")
"""Intervals with the truth that they are held against; the last is the first one's interval."""


class Result(TypedDict):
    """Of one population: datasets, intervals that held their truth, correlations of splits.

    Beside them how long an interval of the population is on the median, against the one that
    1.96 true standard deviations of the mean would make.
    """

    datasets: int
    covered: dict[str, dict[str, dict[str, int]]]
    length: dict[str, dict[str, float]]
    correlation: dict[str, list[float]]


@dataclass(frozen=True)
class Studied:
    """What one dataset gave.

    Attributes
    ----------
    measured, moved : (J, values)
        On test rows, and by how much that differs from what the model says that had them for
        validation.
    draws : (B, J, values)
        On test rows drawn anew.
    dataset, population : (values,)
        Means over other splits, and of the true values.
    others
        How many splits `dataset` is a mean of.
    """

    measured: Floats
    moved: Floats
    draws: Floats
    dataset: Floats
    population: Floats
    overlap: Overlap
    units: int
    others: int


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
"""Gives predictions on test and validation rows (models, n), and true mean squared errors.

The latter by group (groups, models).
"""


def linear(
    population: Population, dataset: Dataset, split: Split, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The models of `LINEAR`."""
    x, y = dataset.features[split.train], dataset.targets[split.train, 0]
    group = dataset.protected[0].groups[split.train]
    least = _solve(x, y, np.ones(len(y)), 0.1)
    heavy = np.where(np.arange(dataset.rows) % 7 < 3, 4.0, 1.0)[split.train]
    few = np.zeros(5)
    few[:3] = _solve(x[:, :3], y, np.ones(len(y)), 0.1)
    betas = np.stack(
        [
            least,
            _solve(x, y, np.ones(len(y)), 0.2 * len(y)),
            few,
            _solve(x, y, np.where(group == 1, 4.0, 1.0), 0.1),
            _solve(x, y, heavy, 0.1),
            least + 0.15 * rng.normal(size=5),
        ]
    )
    risks = np.array([population.true_risks(beta) for beta in betas]).T
    return betas @ dataset.features[_held_out(split)].T, risks


def _held_out(split: Split) -> NDArray[np.int64]:
    return np.concatenate([split.test, split.validation])


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
        found = method.train(work).predictions[0]
        predictions.append((found.test[:, 0], found.validation[:, 0]))
    both = np.array([test for test, _ in predictions], dtype=np.float64)
    own, elsewhere = np.split(both, [len(split.test)], axis=1)
    own = np.concatenate([own, np.array([validation for _, validation in predictions])], axis=1)
    square = np.square(elsewhere - other.targets[:, 0])
    group = other.protected[0].groups
    return own, np.array([square[:, group == code].mean(axis=1) for code in (0, 1)])


def _joined(one: Protected, other: Protected) -> Protected:
    return replace(
        one,
        values=np.concatenate([one.values, other.values]),
        groups=np.concatenate([one.groups, other.groups]),
    )


def compared(square: Floats, second: NDArray[np.bool_], times: Floats) -> Floats:
    """Values (B, 2 models) of squared errors (models, n), rows counting `times` (B, n).

    Of errors and of disparities each: the first model's own, the others' differences to it.
    """
    inside, outside = (np.where(second == one, times, 0.0) for one in (True, False))
    with np.errstate(invalid="ignore"):  # a draw may hold no row of a group
        errors, high, low = (
            np.sqrt(counted @ square.T / counted.sum(axis=1, keepdims=True))
            for counted in (times, inside, outside)
        )
    return _to_first(errors, high - low)


def _to_first(errors: Floats, gaps: Floats) -> Floats:
    parts = [errors[..., :1], errors[..., 1:] - errors[..., :1]]
    parts += [gaps[..., :1], gaps[..., 1:] - gaps[..., :1]]
    return np.concatenate(parts, axis=-1)


def study(population: Population, number: int, learner: Learner, count: int, more: int) -> Studied:
    """One dataset under `count` splits, and under `more` others that say what is true of it."""
    rng = np.random.default_rng([number, population.units])
    dataset = population.draw(rng)
    y, group = dataset.targets[:, 0], dataset.protected[0].groups
    units = np.arange(dataset.rows) if dataset.clusters is None else dataset.clusters
    drawn = rng.multinomial(
        population.units, np.full(population.units, 1 / population.units), DRAWS
    )
    times = np.vstack([np.ones(dataset.rows), drawn[:, units]])
    splits = Honest().splits(dataset, rng.integers(0, 2**32, count + more).tolist())
    found: list[Floats] = []
    validated, true = [], []
    for place, split in enumerate(splits):
        predictions, risks = learner(population, dataset, split, rng)
        square = np.square(y[_held_out(split)] - predictions)
        end = len(split.test)
        counted = times if place < count else times[:1]
        tested = split.test
        found.append(compared(square[:, :end], group[tested] == 1, counted[:, tested]))
        if place < count:
            rows = split.validation
            validated.append(compared(square[:, end:], group[rows] == 1, times[:1, rows])[0])
            whole = (1 - population.second) * risks[0] + population.second * risks[1]
            true.append(_to_first(np.sqrt(whole), np.sqrt(risks[1]) - np.sqrt(risks[0])))
    draws = np.stack(found[:count], axis=1)
    # The rows that a split tests are those that another one of the same round validates.
    partner = [
        next(k for k in range(count) if np.array_equal(splits[k].validation, split.test))
        for split in splits[:count]
    ]
    return Studied(
        measured=draws[0],
        moved=draws[0] - np.array(validated)[partner],
        draws=draws[1:],
        dataset=np.mean([values[0] for values in found[count:]], axis=0),
        population=np.mean(true, axis=0),
        overlap=split_overlap(splits[:count]),
        units=population.units,
        others=more,
    )


def intervals(one: Studied, value: int, count: int) -> tuple[Interval, Interval]:
    """Of the dataset and of the population, by the first splits of a study."""
    used = one.overlap.of(np.arange(count))
    own = one.measured[:count, value]
    change = Moved(one.moved[:count, value], float(one.overlap.training[0, 4]))
    return (
        corrected_interval(own, used.ratio, df=used.df),
        population_interval(
            own, one.draws[:, :count, value], change, used.mean_training, float("nan"), one.units
        ),
    )


def simulate(
    population: Population,
    datasets: int,
    models: tuple[str, ...] = LINEAR,
    learner: Learner = linear,
    counts: tuple[int, ...] = COUNTS,
    more: int = MORE,
) -> Result:
    """Coverage by statement, value and number of splits, and how correlated splits turned out."""
    found = [study(population, number, learner, max(counts), more) for number in range(datasets)]
    measured = np.array([one.measured for one in found])
    truth = np.array([one.population for one in found]).mean(axis=0)
    names = [
        f"{kind} of {models[0]}" if name == models[0] else f"{kind}, {name} against it"
        for kind in ("error", "disparity")
        for name in models
    ]
    covered = {
        statement: {name: dict.fromkeys(map(str, counts), 0) for name in names}
        for statement in STATEMENTS
    }
    length: dict[str, dict[str, float]] = {name: {} for name in names}
    for number, name in enumerate(names):
        for count in counts:
            halves = []
            for one in found:
                dataset, population_ = intervals(one, number, count)
                halves.append((population_.high - population_.low) / 2)
                # The dataset's truth is a mean over other splits, whose chance is allowed for.
                off = abs(dataset.mean - one.dataset[number]) / np.sqrt(1 + count / one.others)
                held = (
                    off <= (dataset.high - dataset.low) / 2,
                    population_.low <= truth[number] <= population_.high,
                    dataset.low <= truth[number] <= dataset.high,
                )
                for statement, holds in zip(STATEMENTS, held, strict=True):
                    covered[statement][name][str(count)] += int(holds)
            means = measured[:, :count, number].mean(axis=1)
            spread = float(np.sqrt(np.mean((means - truth[number]) ** 2)))
            length[name][str(count)] = round(float(np.nanmedian(halves)) / 1.96 / spread, 2)
    correlation = dict(zip(names, _correlations(measured), strict=True))
    return {
        "datasets": datasets, "covered": covered, "length": length, "correlation": correlation
    }  # fmt: skip


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
    Population(5000),
    Population(40, "equal"),
    Population(40, "uneven", mixed=True),
    Population(46, "heavy", mixed=True),
    Population(16, "uneven"),
)


def table(results: dict[str, Result], statement: str) -> str:
    """Coverage as Markdown, pooled over the populations of rows and over those of clusters."""
    kinds = {kind: [r for t, r in results.items() if kind in t] for kind in ("rows", "clusters")}
    covered = kinds["rows"][0]["covered"][statement]
    counts = list(next(iter(covered.values())))
    designs = [(kind, count) for kind in kinds for count in counts]
    head = ["value", *(f"{kind}, {count} splits" for kind, count in designs)]
    if statement == "population":
        head += ["length"]
    elif statement != "dataset":
        head.insert(1, "correlation")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for value in covered:
        cells = [
            rate(
                sum(result["covered"][statement][value][count] for result in kinds[kind]),
                sum(result["datasets"] for result in kinds[kind]),
            )
            for kind, count in designs
        ]
        if statement == "population":
            lengths = [x for result in results.values() for x in result["length"][value].values()]
            cells.append(f"{min(lengths):.1f} to {max(lengths):.1f}")
        elif statement != "dataset":
            pairs = np.array([result["correlation"][value] for result in results.values()])
            cells.insert(0, " / ".join(f"{mean:.2f}" for mean in pairs.mean(axis=0)))
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
        number = DATASETS // (4 if population.units > 1000 else 1)
        found = simulate(population, asked or number)
        results["linear models"][population.title] = found
    for population in (POPULATIONS[0], POPULATIONS[4]):
        found = simulate(population, asked or TRAINED, NETWORKS, networks, COUNTS[:2], more=50)
        results["networks"][population.title] = found
    if asked is None:
        STORED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for kind, each in results.items():
        for statement in STATEMENTS:
            print(f"\n{kind}, {statement}\n\n{table(each, statement)}")
