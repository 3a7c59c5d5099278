"""Verdicts on real trainings: minutes to hours; `tox -e referee`."""

import sys
from pathlib import Path

import pytest
from scipy import stats

pytestmark = pytest.mark.referee
STUDIES = 12


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    sys.path.insert(0, str(Path(__file__).parent))
    import referee

    from fairbench.plugins import added

    with added(referee.Methods(), name="referee"):
        lines = [referee.one(number, 10, 3, 25) for number in range(STUDIES)]
    return [record for line in lines for record in line]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("method", ["copy", "inert-rate", "inert-dropout"])
def test_what_does_nothing_is_seldom_called_fairer(found, method):
    largest = [r for r in found if r["method"] == method and (r["splits"], r["seeds"]) == (10, 3)]
    values = max(r["values"] for r in largest)
    said = [r["verdict"].startswith("fairer") for r in largest if r["values"] == values]
    assert len(said) == STUDIES
    assert stats.binomtest(sum(said), STUDIES, 0.05, alternative="greater").pvalue > 0.01


@pytest.mark.timeout(7200)
def test_a_known_effect_is_found_and_nobody_is_fooled_by_levelling(found):
    def said(method):
        return [
            r["verdict"]
            for r in found
            if r["method"] == method and (r["splits"], r["seeds"]) == (10, 3)
        ]

    assert said("repaired-0.15").count("fairer") >= STUDIES // 2
    assert said("levelled").count("fairer") <= 1
    assert sum(v.startswith("fairer") for v in said("inflated")) <= 2
