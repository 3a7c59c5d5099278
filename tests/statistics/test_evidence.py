"""What docs/evidence.md says: quoted from the committed results, and held anew by simulation.

The tests marked ``referee`` repeat every section with fewer studies than the page has, so that a
rate may lie above its nominal level by chance: what is asserted is that its exact binomial
interval does not exclude the level.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = json.loads((DOCS / "figures" / "evidence.json").read_text(encoding="utf-8"))
LEVEL = 0.05


@pytest.fixture(scope="module")
def evidence():
    """The names in docs/figures/evidence.py."""
    return SimpleNamespace(**runpy.run_path(str(DOCS / "figures" / "evidence.py")))


def keeps_its_level(found):
    return found["low"] <= LEVEL


def test_every_section_has_results(evidence):
    assert set(RESULTS) == set(evidence.SECTIONS)


@pytest.mark.parametrize("section", RESULTS)
def test_the_page_quotes_the_results(evidence, section):
    page = (DOCS / "evidence.md").read_text(encoding="utf-8")
    assert evidence.in_words(section, RESULTS[section]) in page


def test_what_the_page_says_of_chance():
    *sound, skewed = RESULTS["chance"]
    assert all(keeps_its_level(row["studentised"]) for row in sound)
    assert max(row["dealing labels"]["rate"] for row in sound) > 0.3
    assert not keeps_its_level(skewed["studentised"])  # where it does not hold


def test_what_the_page_says_of_growth():
    for row in RESULTS["growth"]:
        own, union = row["hypervolume"], row["as a set"]
        assert union["growth"] > 5 * union["growth_se"]
        if row["design"] != "10 splits, luck in rows":
            assert abs(own["growth"]) <= 2 * own["growth_se"]


def test_what_the_page_says_of_debiasing():
    nothing, something = RESULTS["spreads"][:6], RESULTS["spreads"][6:]
    assert all(keeps_its_level(row["both"]) for row in nothing)
    assert max(row["largest minus smallest"]["rate"] for row in nothing) > 0.5
    assert max(row["both"]["rate"] for row in something) > 0.9


def test_what_the_page_says_over_datasets():
    assert all(keeps_its_level(row["Student's t"]) for row in RESULTS["over"])
    assert not all(keeps_its_level(row["random effects"]) for row in RESULTS["over"])


def test_what_the_page_says_of_real_trainings():
    assert all(keeps_its_level(row["verdict"]) for row in RESULTS["random"])


@pytest.mark.referee
@pytest.mark.timeout(3600)
def test_a_fair_baseline_is_seldom_called_unfair(evidence, times):
    *sound, _ = evidence.against_chance(times(60))
    assert all(keeps_its_level(row["studentised"]) for row in sound)


@pytest.mark.referee
@pytest.mark.timeout(3600)
def test_fronts_do_not_grow_with_trials_that_are_alike(evidence, times):
    for row in evidence.growth(times(12)):
        own = row["hypervolume"]
        if row["design"] != "10 splits, luck in rows":
            assert abs(own["growth"]) <= 4 * own["growth_se"], row["design"]


@pytest.mark.referee
@pytest.mark.timeout(3600)
def test_more_accurate_is_not_fairer(evidence, times):
    rows = evidence.spreads(times(60))
    assert all(keeps_its_level(row["both"]) for row in rows[:6])
    assert max(row["both"]["rate"] for row in rows[6:]) > 0.9


@pytest.mark.referee
@pytest.mark.timeout(3600)
def test_inert_methods_are_seldom_told_apart_over_datasets(evidence, times):
    assert all(keeps_its_level(row["Student's t"]) for row in evidence.over_datasets(times(2000)))


@pytest.mark.referee
@pytest.mark.timeout(3600)
def test_groups_without_meaning_are_seldom_treated_more_fairly(evidence, times):
    assert all(keeps_its_level(row["verdict"]) for row in evidence.random_groups(times(3)))
