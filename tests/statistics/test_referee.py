"""Verdicts on real trainings: `tox -e referee`, ten times as many with FAIRBENCH_REFEREE=10."""

import sys
from pathlib import Path

import pytest
from scipy import stats

pytestmark = [pytest.mark.referee, pytest.mark.timeout(7200)]


def trained(kind, studies, *design):
    """Records of this many studies of a kind, of splits, seeds and values as in `design`."""
    sys.path.insert(0, str(Path(__file__).parent))
    import referee

    from fairbench.plugins import added

    with added(referee.Methods(), name="referee"):
        return [r for number in range(studies) for r in referee.one(number, *design, kind)]


def within_the_level(said):
    """Whether so many false claims are no wonder where five in a hundred are allowed."""
    return stats.binomtest(sum(said), len(said), 0.05, alternative="greater").pvalue > 0.01


def verdicts(records, method, seeds=3):
    """Those on a method by the ten splits, these seeds and all values of `records`."""
    own = [r for r in records if (r["method"], r["splits"], r["seeds"]) == (method, 10, seeds)]
    values = max(r["values"] for r in own)
    return [r["verdict"] for r in own if r["values"] == values]


@pytest.fixture(scope="module")
def rows(times):
    return trained("effects", times(6), 10, 3, 25)


@pytest.mark.parametrize("method", ["copy", "inert-rate", "inert-dropout"])
def test_what_does_nothing_is_seldom_called_fairer(rows, times, method):
    said = [v.startswith("fairer") for v in verdicts(rows, method)]
    assert len(said) == times(6)
    assert within_the_level(said)


def test_a_known_effect_is_found_and_nobody_is_fooled_by_levelling(rows, times):
    assert verdicts(rows, "repaired-0.15").count("fairer") >= times(6) // 2
    assert within_the_level([v == "fairer" for v in verdicts(rows, "levelled")])
    assert within_the_level([v.startswith("fairer") for v in verdicts(rows, "inflated")])


@pytest.mark.parametrize("kind", ["clusters", "clusters of both"])
def test_clusters_of_unequal_size_mislead_no_more_than_rows(times, kind):
    records = trained(kind, times(4), 10, 3, 4)
    for method in ("copy", "inert-dropout"):
        assert within_the_level([v.startswith("fairer") for v in verdicts(records, method)])
    assert "fairer" in verdicts(records, "repaired-0.15")


def test_no_metric_finds_what_is_not_there(times):
    records = trained("metrics", times(3), 5, 2, 4)
    assert len({r["metric"] for r in records}) > 50
    false = {}
    for record in records:
        said = record["verdict"].startswith("fairer")
        false[record["study"]] = false.get(record["study"], False) or said
    assert within_the_level(list(false.values()))
