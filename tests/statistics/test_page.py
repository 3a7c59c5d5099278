"""What docs/statistics.md says is what its results say."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def calibration():
    return runpy.run_path(str(ROOT / "docs/figures/calibration.py"))


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "docs/statistics-results.json").read_text())


def test_the_tables_of_the_page_are_those_of_the_results(calibration, results):
    page = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    assert calibration["written"](page, calibration["tables"](results)) == page
    assert "<!-- end -->\n\n\n" not in page


def test_the_figure_is_that_of_the_results(calibration, results):
    figure = (ROOT / "docs/figures/power.svg").read_text(encoding="utf-8")
    assert calibration["figure"](results) == figure


def test_no_false_claim_is_beyond_its_level(results):
    """Five in a hundred, as far as the numbers of studies can tell."""
    from scipy import stats

    several = [*results["nulls"], *results["trained"]["designs"]]
    for one in several:
        if one.get("method", "copy").split("-")[0] in ("copy", "inert"):
            for said in ("fairer", "less_fair"):
                p = stats.binomtest(one[said], one["studies"], 0.05, alternative="greater").pvalue
                assert p > 0.01 / len(several), one
    for one in results["margins"]:
        if one["excess"] > 0.05:
            assert one["fairer"] / one["studies"] <= 0.1, one


def test_power_grows_with_splits_and_seeds(results):
    found = {(r["splits"], r["seeds"], r["values"]): r["found"] for r in results["power"]}
    assert found[5, 1, 1][2] < found[5, 2, 1][2] < found[10, 2, 1][2]
