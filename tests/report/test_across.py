"""Methods compared over datasets: what is compared, and how each format shows it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import Across, holm
from fairbench.report import Intervals, Mark, View, gather
from fairbench.report.across import compared_across
from fairbench.report.sections.across import finding
from fairbench_reporters._intervals import diagram

UNIT = "standard deviations of the target"


@pytest.fixture(scope="session")
def compared(many):
    """Everything that reports of five datasets show."""
    return gather([many], View())


def scales_of(run):
    table = run.scales()
    return {(d, t): sd for d, t, sd in table.itertuples(index=False)}


def again(contents, sheets, judged=None):
    run = contents.runs[0]
    return compared_across(sheets, judged or contents.judgement, scales_of(run), "target", 0.05)


def test_what_is_compared_are_the_differences_of_the_verdicts(many, compared):
    found = compared.across
    scales = scales_of(many)
    table = compared.judgement.verdicts
    p = []
    for one in found.methods:
        own = table[table["method"] == one.method]
        sd = np.array([scales[d, t] for d, t in own[["dataset", "target"]].itertuples(index=False)])
        change = own["difference"].to_numpy() / sd
        test = stats.ttest_1samp(change, 0)
        assert (one.change, one.p) == pytest.approx((change.mean(), test.pvalue))
        assert (one.low, one.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert one.lower_on == (change < 0).sum()
        error = (own["error_difference"] / own["base_error"]).to_numpy()
        assert one.error_change == pytest.approx(error.mean())
        margin = stats.ttest_1samp(error, found.margin, alternative="less").pvalue
        assert one.error_p == pytest.approx(margin)
        assert one.datasets == 5
        p.append(test.pvalue)
    assert p == sorted(p)
    assert [one.adjusted_p for one in found.methods] == pytest.approx(holm(np.array(p)))
    assert {one.method for one in found.methods} == set(table["method"])
    assert found.unit == UNIT


def test_the_spread_of_a_target_is_that_of_all_its_rows(many):
    for (dataset, target), sd in scales_of(many).items():
        facts = many.manifest["datasets"][dataset]
        rows = many._folder.rows(dataset)
        assert sd == rows.targets[:, facts["targets"].index(target)].std()


def test_too_few_datasets_are_not_compared_and_it_is_said_why(contents, render, run):
    assert contents.across.methods == ()
    assert "at least 5 datasets, and this report has 2" in contents.across.missing
    assert "not compared over datasets: that takes at least 5" in render("html", run)
    for form in ("terminal", "markdown", "latex", "html"):
        assert "Student's t, adjusted" not in render(form, run)
    assert json.loads(render("json", run))["across_datasets"] is None


def test_one_dataset_says_nothing(small, render):
    assert "compared over datasets" not in render("html", small)


def test_a_dataset_counts_once(compared):
    """Five sheets of three datasets, as several protocols give, are three datasets."""
    twice = [
        replace(sheet, facts={**sheet.facts, "digest": str(number % 3)})
        for number, sheet in enumerate(compared.sheets)
    ]
    found = again(compared, twice)
    assert found.methods == ()
    assert "has 3" in found.missing
    assert list(found.changes.index) == [sheet.label for sheet in compared.sheets[:3]]


def test_datasets_without_a_verdict_do_not_count(compared):
    table = compared.judgement.verdicts
    silent = table["verdict"].where(table["dataset"] != compared.sheets[0].label, "no verdict")
    judged = replace(compared.judgement, verdicts=table.assign(verdict=silent))
    found = again(compared, compared.sheets, judged)
    assert found.methods == ()
    assert "is compared with a baseline, and this report has 4" in found.missing


def test_without_a_baseline_there_is_nothing_to_compare(compared):
    judged = replace(compared.judgement, verdicts=compared.judgement.verdicts.iloc[:0])
    found = again(compared, compared.sheets, judged)
    assert found.methods == ()
    assert "this report has none" in found.missing


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html"])
def test_formats_show_every_method(render, many, compared, form):
    text = render(form, many)
    for one in compared.across.methods:
        assert f"{one.adjusted_p:.4g}" in text
        assert f"{abs(one.change):.3g}" in text
    assert "mean change in rmse-disparity" in text
    assert UNIT in text
    assert "not compared over" not in text


def test_json_holds_the_comparison(render, many, compared):
    shown = json.loads(render("json", many))["across_datasets"]
    assert [m["method"] for m in shown["methods"]] == [m.method for m in compared.across.methods]
    assert [m["adjusted_p"] for m in shown["methods"]] == [
        m.adjusted_p for m in compared.across.methods
    ]
    assert shown["datasets"] == [sheet.label for sheet in compared.sheets]
    assert shown["unit"] == UNIT


@pytest.mark.parametrize(
    ("change", "p", "error_p", "words"),
    [
        (-0.1, 0.01, 0.01, "fairer"),
        (-0.1, 0.01, 0.2, "fairer, at more error"),
        (0.1, 0.01, 0.01, "less fair"),
        (-0.1, 0.2, 0.01, "not distinguishable"),
        (-0.1, np.nan, 0.01, "not distinguishable"),
    ],
)
def test_findings_in_words(change, p, error_p, words):
    one = Across("m", 5, change, -0.3, 0.3, p, p, 3, 0.01, 0.02, error_p)
    assert finding(one) == words


def test_the_drawing_holds_every_interval_and_zero():
    marks = tuple(
        Mark(name, middle, middle - 0.2, middle + 0.2)
        for name, middle in (("a", -0.5), ("b" * 60, 0.1))
    )
    drawn = diagram(Intervals("x", "change", marks, "", line="no change"))
    first, second = drawn.rows
    unit = (second.x - first.x) / 0.6
    assert first.high < drawn.zero
    assert second.low < drawn.zero < second.high
    assert drawn.zero - first.x == pytest.approx(0.5 * unit, abs=0.05)
    assert first.high - first.low == pytest.approx(0.4 * unit, abs=0.05)
    assert first.low >= 0
    assert second.high <= drawn.width
    assert len(second.label) == 32


def test_a_drawing_without_a_line_keeps_to_its_marks():
    marks = (Mark("a", 5.0, 4.0, 6.0), Mark("b", 5.5, np.nan, np.nan), Mark("c", np.nan, 0.0, 0.0))
    first, second = diagram(Intervals("x", "error", marks, "")).rows
    assert (first.low, first.high) == (12.0, 388.0)
    assert second.low == second.x == second.high == 294.0


def test_the_page_draws_the_comparison(browser, render, many, compared, made_up, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render("html", many), encoding="utf-8")
    browser.open(path, width=390)
    read = (
        "const all = (what) => [...document.querySelectorAll('#across .intervals ' + what)];"
        "return [all('circle').map((e) => +e.getAttribute('cx')),"
        "all('text.name').map((e) => e.textContent),"
        "all('*').every((e) => { const own = e.getBBox ? e.getBBox() : null;"
        " return !own || (own.x >= 0 && own.x + own.width <= 400); })]"
    )
    places, names, inside = browser.script(read)
    methods = [one.method for one in compared.across.methods]
    assert names == methods
    assert (
        np.argsort(places).tolist()
        == np.argsort([one.change for one in compared.across.methods]).tolist()
    )
    assert made_up.IMAGE in names
    assert inside, "something is drawn outside of the picture"
    assert browser.script("return document.documentElement.scrollWidth") <= 390
    assert browser.table("across")[1][0] == methods[0]
    assert browser.script("return document.querySelectorAll('img[src=x]').length") == 0
    assert browser.errors() == []


def test_the_page_of_two_datasets_draws_no_comparison(browser, page):
    browser.open(page)
    assert browser.script("return document.querySelectorAll('#across').length") == 0
    links = browser.script(
        "return [...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))"
    )
    assert "#across" not in links
    assert all(browser.script(f"return Boolean(document.querySelector('{a}'))") for a in links)


def test_names_in_the_comparison_are_escaped(render, many, made_up):
    assert not re.search(r"<img", render("html", many))
    markdown = render("markdown", many)
    section = markdown[markdown.index("## Methods over") : markdown.index("## Noise")]
    assert "<img" not in section
    assert "img src=x onerror=alert" in section
