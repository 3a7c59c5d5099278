"""What the gate writes: well-formed, escaped, and the same story in every format."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairbench.cli._common import plain
from fairbench.gate import Verdict, as_junit, as_markdown, compare

EVIL = "<script>alert(1)</script> ]]> \"&' | `code` *bold* @everyone\x1b[31m\x00\n\u202e\ud800 \\"
BEFORE = {"net": 4.0, "old": 4.0, "same": 4.0, "better": 4.0, "close": 4.0}
NOW = {"net": 5.0, "old": 4.0, "same": 4.0, "better": 3.0, "close": 4.01, "new": 1.0}


def runs(value):
    return {(k, k): value + k / 8 for k in range(5)}


@pytest.fixture
def verdict(snapshot):
    """A regression, an improvement, one within tolerance, one identical, one that is gone."""
    now = {name: runs(value) for name, value in NOW.items() if name != "old"}
    before = snapshot({name: runs(value) for name, value in BEFORE.items()})
    return Verdict(compare(before, snapshot(now)), "runs/mine", "base line.json")


@pytest.fixture
def nothing(snapshot):
    before, now = snapshot({"net": runs(4.0)}), snapshot({"net": runs(4.0)}, records=())
    return Verdict(compare(before, now), "runs/mine", "baseline.json")


def renamed(verdict, name):
    """The same outcome, of a method of that name."""
    from dataclasses import replace

    one = verdict.outcome.of("regression")[0]
    place = (*one.place[:3], name, *one.place[4:])
    outcome = replace(verdict.outcome, comparisons=(replace(one, place=place, note=name),))
    return replace(verdict, outcome=outcome)


def test_the_headline_counts(verdict, nothing):
    assert verdict.headline == (
        "Regression in 1 of 4 comparisons; 1 improvement, 1 within tolerance, 1 identical."
    )
    assert nothing.headline == "Nothing comparable: the run has no method 'net' on 'toy'."


def test_an_improvement_names_the_command_that_keeps_it(verdict):
    (told,) = [remark for remark in verdict.remarks if "improvement" in remark]
    assert told.endswith("fairbench baseline runs/mine -o 'base line.json'")


def test_what_was_not_compared_is_told(verdict):
    remarks = "\n".join(verdict.remarks)
    assert "1 not compared: the run has no method 'old' on 'toy'" in remarks
    assert "not in the baseline, and not compared: 'new' on 'toy'" in remarks


def test_json_has_a_stable_layout(verdict):
    document = plain(verdict.document())
    json.dumps(document, allow_nan=False)
    assert set(document) == {
        "format", "outcome", "exit_code", "run", "against", "update", "counts", "comparisons",
        "not_compared", "notes",
    }  # fmt: skip
    assert set(document["comparisons"][0]) == {
        "dataset", "target", "protected", "method", "point", "metric", "status", "before", "now",
        "worse_by", "low", "high", "adjusted_p", "tolerance", "detectable", "splits", "paired",
        "note",
    }  # fmt: skip
    assert (document["format"], document["outcome"], document["exit_code"]) == (1, "regression", 1)
    assert document["counts"]["regression"] == 1
    assert document["not_compared"][0]["method"] == "old"


def test_junit_has_a_case_per_comparison(verdict):
    root = ElementTree.fromstring(as_junit(verdict))
    suite = root.find("testsuite")
    cases = {case.get("classname"): case for case in suite.iter("testcase")}
    assert set(cases) == {f"toy.{name}" for name in BEFORE}
    assert cases["toy.net"].get("name") == "rmse (most accurate): y by sex"
    failure = cases["toy.net"].find("failure")
    assert failure.get("type") == "regression"
    assert "worse by +1" in failure.get("message")
    assert cases["toy.old"].find("skipped") is not None
    assert cases["toy.same"].find("failure") is None
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "0", "skipped": "1"}


def test_junit_takes_nothing_comparable_for_an_error(nothing, snapshot):
    suite = ElementTree.fromstring(as_junit(nothing)).find("testsuite")
    assert (suite.get("tests"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "0")
    assert "no method 'net'" in suite.find("testcase/error").get("message")
    empty = snapshot({"net": runs(4.0)}, records=())
    none = Verdict(compare(empty, empty), "run", "file")
    suite = ElementTree.fromstring(as_junit(none)).find("testsuite")
    assert suite.find("testcase/error") is not None


def test_markdown_has_a_table_of_what_changed(verdict):
    text = as_markdown(verdict)
    lines = text.splitlines()
    assert lines[0].startswith("### fairbench gate: Regression in 1 of 4")
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 2  # the regression and the improvement
    assert table[2].startswith("| **regression** | toy | y by sex | net |")
    assert "fairbench baseline runs/mine" in text


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=st.text(max_size=30) | st.just(EVIL) | st.text("<>&\"'|`\\*_[]()@\n\x1b]", max_size=9))
def test_no_name_breaks_out(verdict, name):
    evil = renamed(verdict, name)
    junit, text = as_junit(evil), as_markdown(evil)
    (case,) = ElementTree.fromstring(junit.encode()).find("testsuite").findall("testcase[failure]")
    assert len(case) == 1
    text.encode()
    assert all(c.isprintable() or c in "\n\u200b" for c in text)
    assert not re.search(r"<|@\w", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for row in rows:  # an escaped character neither ends a cell nor opens code
        bare = re.sub(r"\\.", "", row)
        assert bare.count("|") == 13
        assert "`" not in bare


def test_evil_text_is_seen_for_what_it_is(verdict):
    evil = renamed(verdict, EVIL)
    message = ElementTree.fromstring(as_junit(evil)).find(".//failure").get("message")
    assert "<script>alert(1)</script>" in message
    assert "\\x1b[31m\\x00\\n\\u202e\\ud800" in message
