"""Intervals over the honest protocol's splits hold a truth that is known."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from scipy import stats

SCRIPT = Path(__file__).parents[2] / "docs" / "figures" / "splits.py"


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("figures_splits", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def low_and_high(hits, count):
    """Exact binomial interval (Clopper and Pearson)."""
    interval = stats.binomtest(hits, count).proportion_ci(0.95, method="exact")
    return interval.low, interval.high


def test_a_handful_of_datasets(figures):
    """Rows and clusters: what is simulated is what the page says, and no interval is a point."""
    for population in (figures.Population(60), figures.Population(15, "uneven", mixed=True)):
        result = figures.simulate(population, 12, counts=(10,), more=20)
        for statement in figures.STATEMENTS:
            hits = [covered["10"] for covered in result["covered"][statement].values()]
            assert len(hits) == 12
            assert min(hits) >= 5
            assert max(hits) <= result["datasets"] == 12
        assert min(length["10"] for length in result["length"].values()) > 0.5


def test_the_stored_figures_are_what_the_page_shows(figures):
    page = (SCRIPT.parents[1] / "statistics.md").read_text(encoding="utf-8")
    results = json.loads(figures.STORED.read_text(encoding="utf-8"))
    for part in results.values():
        for statement in figures.STATEMENTS:
            assert figures.table(part, statement) in page


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("title", ["300 rows", "40 equal clusters"])
def test_intervals_cover(figures, title):
    """Each its own truth, whatever the difference rests on."""
    (population,) = [each for each in figures.POPULATIONS if each.title == title]
    result = figures.simulate(population, 300, counts=(5, 10), more=100)
    for statement in ("dataset", "population"):
        for covered in result["covered"][statement].values():
            for hits in covered.values():
                assert low_and_high(hits, 300)[1] >= 0.95
    beyond = result["covered"]["splits of the population"]
    missed = beyond["disparity, weights of the group against it"]["10"]
    assert low_and_high(missed, 300)[1] < 0.95  # why a claim needs the population's as well
