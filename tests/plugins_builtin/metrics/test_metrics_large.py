"""Kernel metrics on more rows than they take exactly: what the grid changes, and what it costs."""

import tracemalloc

import numpy as np
import pytest

from fairbench_metrics import _cells, generalized_demographic_parity
from fairbench_metrics._cells import cells_of

ROWS = 3000


def drawn(attribute, kind, heavy):
    rng = np.random.default_rng(0)
    a = rng.standard_cauchy(ROWS) if heavy else rng.normal(size=ROWS)
    target = rng.normal(size=ROWS) + 0.2 * np.clip(a, -3, 3)
    prediction = target + 0.3 * rng.normal(size=(3, ROWS)) + 0.2 * np.clip(a, -3, 3)
    groups = (a > 0).astype(np.int64)
    given = attribute(groups, kind, a if kind == "continuous" else None)
    return prediction, target, given


@pytest.fixture
def forced(monkeypatch):
    """Grids from the first row on."""
    monkeypatch.setattr(generalized_demographic_parity, "MOST_EXACT", 10)
    monkeypatch.setattr("fairbench_metrics.hsic.KERNEL_EXACT", 10)
    monkeypatch.setattr(_cells, "KERNEL_EXACT", 10)
    return monkeypatch


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("kind", ["binary", "continuous"])
@pytest.mark.parametrize(
    "name", ["generalized-demographic-parity", "hsic", "cka", "berk-individual", "berk-group"]
)
def test_the_grid_changes_values_by_a_few_ten_thousandths(
    metric, attribute, request, name, kind, heavy
):
    exact = metric(name)(*drawn(attribute, kind, heavy))
    request.getfixturevalue("forced")
    found = metric(name)(*drawn(attribute, kind, heavy))
    assert not np.array_equal(found, exact) or name == "generalized-demographic-parity"
    np.testing.assert_allclose(found, exact, rtol=5e-4)


def test_cells_keep_every_row_and_its_place(attribute):
    values = np.random.default_rng(0).standard_cauchy(5000) * 1e3
    values[0] = 1e25  # farther than whole numbers of cells reach
    cells = cells_of(values, 0.25, 100)
    assert cells.sums(np.ones((1, 5000)))[0].sum() == pytest.approx(5000)
    near = np.abs(values) < 1e6
    places = (
        cells.points[cells.lower] * (1 - cells.weight) + cells.points[cells.upper] * cells.weight
    )
    np.testing.assert_allclose(places[~near], values[~near], rtol=1e-12)
    few = cells_of(np.round(values[near]), 0.25, 10_000)
    np.testing.assert_array_equal(few.points[few.lower], np.round(values[near]))


@pytest.mark.parametrize("heavy", [False, True])
def test_smoothing_an_attribute_needs_memory_of_the_order_of_its_rows(metric, attribute, heavy):
    rng = np.random.default_rng(0)
    n = 40_000
    a = rng.standard_cauchy(n) if heavy else rng.normal(size=n)
    age = attribute(a > 0, "continuous", a)
    prediction = rng.normal(size=n)
    tracemalloc.start()
    metric("generalized-demographic-parity")(prediction, prediction, age)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2500 * n


def test_an_attribute_is_smoothed_once_for_all_trials(metric, attribute, monkeypatch):
    calls = []
    real = generalized_demographic_parity.bandwidth
    monkeypatch.setattr(
        generalized_demographic_parity, "bandwidth", lambda v: calls.append(1) or real(v)
    )
    a = np.random.default_rng(0).normal(size=500)
    ages = [attribute(a > 0, "continuous", a) for _ in range(2)]
    for age in (ages[0], ages[0], ages[1]):
        metric("generalized-demographic-parity")(a, a, age)
    assert len(calls) == 2


def test_targets_that_were_written_to_are_new_targets(metric, attribute):
    """What is kept of targets is kept of read-only ones alone."""
    rng = np.random.default_rng(0)
    target, prediction = rng.normal(size=(2, 50))
    groups = attribute(np.arange(50) % 2)
    metric("berk-individual")(prediction, target, groups)
    target[:] = rng.normal(size=50)
    found = metric("berk-individual")(prediction, target, groups)
    assert found == metric("berk-individual")(prediction, target.copy(), groups)
