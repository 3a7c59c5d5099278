"""Seconds that each metric takes on 500 trials × 1,175 rows, the test rows of parkinson.

All metrics together must take under ten seconds on one core. Run with one thread of BLAS
(``OMP_NUM_THREADS=1``) to measure that.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from fairbench.analyze.evaluate import evaluate
from fairbench.dataset import Protected
from fairbench.neighbours import nearest
from fairbench.plugins import load

TRIALS, ROWS = 500, 1175
ALLOWED = 10.0
"""Seconds for all metrics together."""

METRICS = {c.name: c for c in load().components("metric") if c.plugin == "metrics"}
KINDS = ("binary", "categorical", "continuous")


@cache
def rows(kind):
    """Predictions, targets and sex, a quintile of age, or age in two groups."""
    rng = np.random.default_rng(0)
    age = rng.normal(65, 9, ROWS)
    sex = (rng.random(ROWS) < 0.32).astype(np.int64)
    fifth = np.searchsorted(np.quantile(age, [0.2, 0.4, 0.6, 0.8]), age)
    groups = {"binary": sex, "categorical": fifth, "continuous": (age > 65).astype(np.int64)}[kind]
    values = age if kind == "continuous" else groups.astype(float)
    labels = tuple(str(g) for g in range(groups.max() + 1))
    target = 29 + 10 * rng.normal(size=ROWS) + sex + 0.1 * (age - 65)
    prediction = target + 6 * rng.normal(size=(TRIALS, ROWS))
    return prediction, target, Protected("attribute", kind, values, groups, labels)


NEIGHBOURS = nearest(np.random.default_rng(1).normal(size=(ROWS, 8)))


def measure(kind, metrics):
    return evaluate(*rows(kind), metrics, NEIGHBOURS)


@pytest.mark.parametrize("name", METRICS)
def test_metric(benchmark, name):
    component = METRICS[name]
    measure("binary", [component])  # imports, and pages in
    values, reasons = benchmark.pedantic(measure, ("binary", [component]), rounds=3)
    assert not reasons
    assert np.isfinite(values[name]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_all_metrics_together(benchmark, kind):
    taken = {kind, "individual"}
    metrics = [c for c in METRICS.values() if taken & set(c.description.takes)]
    _, reasons = benchmark.pedantic(measure, (kind, metrics), rounds=1)
    assert not reasons
    assert benchmark.stats.stats.max < ALLOWED
