"""Methods ranked across datasets: what is ranked, and how each format shows it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Ranking, Run, ranking
from fairbench.report import View, gather
from fairbench.report.ranks import ranks
from fairbench_reporters import _ranked


@pytest.fixture(scope="session")
def ranked(many):
    """Everything that reports of five datasets show."""
    return gather([many], View())


def losses_by_definition(run: Run) -> pd.DataFrame:
    """Mean disparity of the compared points by dataset and method, from the points themselves."""
    points = run.matched()
    judged = run.verdicts()
    judged = judged.merge(points[["dataset", "target", "protected"]].drop_duplicates())
    judged = judged.set_index(["dataset", "method"])
    reached = judged["verdict"] != "not at this error"
    means = points.groupby(["dataset", "method"])["disparity_loss"].mean()
    table = means.where(reached, np.inf).unstack("method")
    table["single-task"] = points.groupby("dataset")["base_disparity_loss"].mean()
    return table


def test_ranks_are_those_of_the_compared_points(many, ranked):
    losses = losses_by_definition(many)
    expected = ranking(losses)
    found = ranked.ranks.ranking
    assert expected is not None
    assert found is not None
    assert found.datasets == 5
    assert dict(zip(found.methods, found.ranks, strict=True)) == pytest.approx(
        dict(zip(expected.methods, expected.ranks, strict=True))
    )
    assert found.p == pytest.approx(expected.p)
    assert found.critical_difference == pytest.approx(expected.critical_difference)
    own = ranked.ranks.losses.loc[losses.index, losses.columns].to_numpy()
    assert own == pytest.approx(losses.to_numpy())
    assert np.isinf(own).any(), "no method is out of reach anywhere: the rule goes untested"
    assert len(set(found.ranks)) > 2


def test_too_few_datasets_are_not_ranked_and_it_is_said_why(contents, render, run):
    assert contents.ranks.ranking is None
    assert "at least 5 datasets, and this report has 2" in contents.ranks.missing
    assert "not ranked across datasets: that takes at least 5" in render("html", run)
    for form in ("terminal", "markdown", "latex", "html"):
        assert "mean rank" not in render(form, run)
        assert "Friedman" not in render(form, run)
    assert json.loads(render("json", run))["ranking"] is None


def test_one_dataset_says_nothing_of_ranks(small, render):
    assert "ranked across" not in render("html", small)


def test_a_dataset_counts_once(ranked):
    """Five sheets of three datasets, as several protocols give, are three datasets."""
    twice = [
        replace(sheet, facts={**sheet.facts, "digest": str(number % 3)})
        for number, sheet in enumerate(ranked.sheets)
    ]
    found = ranks(twice, ranked.judgement)
    assert found.ranking is None
    assert "has 3" in found.missing
    assert list(found.losses.index) == [sheet.label for sheet in ranked.sheets[:3]]


def test_methods_that_some_dataset_lacks_are_left_out(ranked):
    first = ranked.sheets[0]
    without = {name: facts for name, facts in first.methods.items() if name != "ridge"}
    found = ranks([replace(first, methods=without), *ranked.sheets[1:]], ranked.judgement)
    assert found.ranking is not None
    assert set(found.ranking.methods) == set(without)


def test_two_methods_are_not_ranked(ranked):
    two = [
        replace(sheet, methods={name: sheet.methods[name] for name in ("single-task", "ridge")})
        for sheet in ranked.sheets
    ]
    assert "three methods" in ranks(two, ranked.judgement).missing


def test_without_a_baseline_there_is_nothing_to_rank(ranked):
    none = ranked.judgement.noise.iloc[:0], ranked.judgement.verdicts.iloc[:0]
    judged = replace(ranked.judgement, noise=none[0], verdicts=none[1])
    found = ranks([replace(sheet, baseline=None) for sheet in ranked.sheets], judged)
    assert found.ranking is None
    assert "baseline" in found.missing


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html"])
def test_formats_show_every_rank(render, many, ranked, form):
    text = render(form, many)
    for rank in ranked.ranks.ranking.ranks:
        assert f"{rank:.4g}" in text
    assert "mean rank in rmse-disparity" in text
    assert "Friedman" in text
    assert f"p = {ranked.ranks.ranking.p:.4g}" in text
    assert "not ranked" not in text


def test_json_holds_the_ranking(render, many, ranked):
    shown, found = json.loads(render("json", many))["ranking"], ranked.ranks.ranking
    assert [m["method"] for m in shown["methods"]] == list(found.methods)
    assert [m["mean_rank"] for m in shown["methods"]] == list(found.ranks)
    assert shown["p"] == found.p
    assert shown["critical_difference"] == found.critical_difference
    assert shown["datasets"] == [sheet.label for sheet in ranked.sheets]


@pytest.mark.parametrize(("p", "words"), [(0.01, "or more"), (0.3, "none can be called best")])
def test_the_sentence_depends_on_the_test(ranked, p, words):
    changed = replace(ranked, ranks=replace(ranked.ranks, ranking=replace(
        ranked.ranks.ranking, p=p)))  # fmt: skip
    assert words in _ranked.sentence(changed)


@pytest.mark.parametrize(("apart", "overlap"), [(1.6, False), (1.4, True)])
def test_bars_overlap_where_methods_are_not_told_apart(ranked, apart, overlap):
    found = Ranking(("a", "b" * 60, "c"), (1.0, 1.0 + apart, 3.0), 5, 0.01, 1.5)
    drawn = _ranked.diagram(replace(ranked, ranks=replace(ranked.ranks, ranking=found)))
    first, second, last = drawn.rows
    assert (second.low < first.high) == overlap
    unit = drawn.ticks[1][1] - drawn.ticks[0][1]
    assert first.high - first.low == pytest.approx(1.5 * unit, abs=0.05)
    assert second.x - first.x == pytest.approx(apart * unit, abs=0.05)
    assert (first.x, last.x) == (drawn.ticks[0][1], drawn.ticks[2][1])
    assert first.low >= 0
    assert last.high <= drawn.width
    assert len(second.label) == 32


def test_the_page_draws_the_ranks(browser, render, many, ranked, made_up, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render("html", many), encoding="utf-8")
    browser.open(path, width=390)
    read = (
        "const all = (what) => [...document.querySelectorAll('.ranks ' + what)];"
        "return [all('circle').map((e) => +e.getAttribute('cx')),"
        "all('text.rank').map((e) => [+e.textContent, +e.getAttribute('x')]),"
        "all('text.name').map((e) => e.textContent),"
        "all('*').every((e) => { const own = e.getBBox ? e.getBBox() : null;"
        " return !own || (own.x >= 0 && own.x + own.width <= 400); })]"
    )
    places, ticks, names, inside = browser.script(read)
    found = ranked.ranks.ranking
    (one, start), (two, end) = ticks[:2]
    drawn = [one + (two - one) * (x - start) / (end - start) for x in places]
    assert drawn == pytest.approx(found.ranks, abs=1e-3)
    assert names == list(found.methods)
    assert made_up.IMAGE in names
    assert inside, "something is drawn outside of the picture"
    assert browser.script("return document.documentElement.scrollWidth") <= 390
    assert browser.table("ranking")[1][0] == found.methods[0]
    assert browser.script("return document.querySelectorAll('img[src=x]').length") == 0
    assert browser.errors() == []


def test_the_page_of_two_datasets_draws_no_ranks(browser, page):
    browser.open(page)
    assert browser.script("return document.querySelectorAll('.ranks, #ranking').length") == 0
    links = browser.script(
        "return [...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))"
    )
    assert "#ranking" not in links
    assert all(browser.script(f"return Boolean(document.querySelector('{a}'))") for a in links)


def test_names_in_ranks_are_escaped(render, many, made_up):
    assert not re.search(r"<img", render("html", many))
    markdown = render("markdown", many)
    section = markdown[markdown.index("## Ranking across") : markdown.index("## Audits")]
    assert "<img" not in section
    assert "img src=x onerror=alert" in section
