"""The HTML report as a reader meets it: in a browser, without a network."""

from __future__ import annotations

import csv
import time
from itertools import pairwise

import numpy as np
import pytest

from fairbench.analyze import Run
from fairbench.plugins import load
from fairbench.report import View, gather
from fairbench.store import RunFolder

PLOTS = ("plot-fronts", "plot-attainment", "plot-difference", "plot-curves", "plot-groups")


def test_opens_without_an_error_or_a_request(browser, page):
    browser.open(page)
    for plot in PLOTS:
        assert "main-svg" in browser.shown(plot)
    assert browser.errors() == []
    fetched = browser.requests()
    assert page.as_uri() in fetched
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    assert browser.script("return document.documentElement.lang") == "en"


def test_names_from_strangers_are_shown_and_do_nothing(browser, page, made_up):
    from selenium.common.exceptions import NoAlertPresentException

    browser.open(page)
    for position in (1, 0):
        browser.choose("dataset", position)
    with pytest.raises(NoAlertPresentException):
        _ = browser.driver.switch_to.alert.text
    assert browser.script("return document.querySelectorAll('img[src=x]').length") == 0
    assert browser.script("return document.scripts.length") == 4, "a script was added"
    words = browser.script("return document.body.innerText")
    assert made_up.SCRIPT in words
    assert made_up.IMAGE in words
    browser.look("plot-fronts")
    drawn = browser.script("return byId('plot-fronts').textContent")
    assert made_up.IMAGE in drawn, "the legend shows another name than the method's"
    assert browser.errors() == []


MENUS = [
    ("dataset", 1, "plot-fronts"),
    ("target", 1, "plot-fronts"),
    ("protected", 1, "plot-fronts"),
    ("part", 1, "plot-fronts"),
    ("error", 0, "plot-fronts"),
    ("disparity", 0, "plot-fronts"),
    ("error", 0, "plot-attainment"),
    ("disparity", 0, "plot-difference"),
    ("first", 2, "plot-attainment"),
    ("second", 2, "plot-difference"),
    ("curve-method", 3, "plot-curves"),
    ("group-error", 1, "plot-curves"),
    ("group-error", 1, "plot-groups"),
    ("budget", 4, "plot-groups"),
]


def test_every_menu_changes_its_figure(browser, page):
    browser.open(page)
    for menu, position, plot in MENUS:
        first = browser.script("return byId(arguments[0]).selectedIndex", menu)
        data, shown = browser.drawn(plot), browser.shown(plot)
        browser.choose(menu, position)
        assert browser.drawn(plot) != data, f"{menu} leaves the data of {plot} as they were"
        assert browser.shown(plot) != shown, f"{menu} leaves the picture of {plot} as it was"
        browser.choose(menu, first)
        assert browser.drawn(plot) == data, f"{menu} does not go back"
        assert browser.errors() == []


def test_every_menu_is_driven_above_and_labelled(browser, page):
    browser.open(page)
    menus = browser.script("return [...document.querySelectorAll('select')].map((s) => s.id)")
    assert set(menus) == {menu for menu, _, _ in MENUS}
    labelled = (
        "return [...document.querySelectorAll('select, input')].every((e) => e.labels.length)"
    )
    assert browser.script(labelled)


def test_single_trainings_can_be_hidden(browser, page):
    browser.open(page)
    browser.look("plot-fronts")
    before = len(browser.script("return byId('plot-fronts').data"))
    browser.script("byId('seeds').click()")
    assert len(browser.script("return byId('plot-fronts').data")) == before / 2


@pytest.mark.parametrize(
    ("error", "disparity"), [("rmse", "rmse-disparity"), ("r2", "mean-parity")]
)
def test_the_page_computes_the_fronts_that_the_tables_hold(browser, page, run, error, disparity):
    contents = gather([run], View(error, disparity))
    browser.open(page)
    for menu, name in (("error", error), ("disparity", disparity)):
        names = browser.script("return [...byId(arguments[0]).options].map((o) => o.text)", menu)
        browser.choose(menu, names.index(name))
    for number, sheet in enumerate(contents.sheets):
        browser.choose("dataset", number)
        table = contents.averages
        table = table[table["dataset"] == sheet.label]
        first = sheet.facts["targets"][0], sheet.facts["protected"][0]["name"]
        table = table[(table["target"] == first[0]) & (table["protected"] == first[1])]
        expected = {
            (p.method, f"{p.error:.3g}", f"{p.disparity:.3g}", str(p.trials))
            for p in table.itertuples()
        }
        rows = browser.script(
            "return meanFronts(dataset(), points(dataset(), view())).flat().map((p) =>"
            "[dataset().methods[p.method].label, p.x, p.y, String(p.count)])"
        )
        assert {(m, f"{x:.3g}", f"{y:.3g}", n) for m, x, y, n in rows} == expected


def test_matched_points_are_those_of_the_analysis(browser, page, run):
    browser.open(page)
    table = run.matched()
    table = table[(table["target"] == "motor_UPDRS") & (table["protected"] == "sex")]
    expected = {(m.method, m.split, f"{m.error:.3g}", m.within) for m in table.itertuples()}
    rows = browser.script(
        "return matched(dataset(), points(dataset(), view()), 0.05)"
        ".filter((p) => p.method !== dataset().baseline)"
        ".map((p) => [dataset().methods[p.method].label, p.split, p.x, p.within])"
    )
    assert {(m, split, f"{x:.3g}", within) for m, split, x, within in rows} == expected


def test_attainment_surfaces_are_those_of_the_analysis(browser, page, run):
    browser.open(page)
    table = run.attainment()
    table = table[(table["target"] == "motor_UPDRS") & (table["protected"] == "sex")]
    table = table[(table["dataset"] == "parkinson") & (table["method"] == "static-alpha")]
    for share in (0.25, 0.5, 0.75):
        rows = browser.script(
            "return attainment(singleFronts(points(dataset(), view()), arguments[1]),"
            "arguments[0], shownCosts(view()))", share, 1
        )  # fmt: skip
        surface = table[table["level"] == 100 * share]
        expected = surface[["error_loss", "disparity_loss"]].to_numpy()
        assert np.asarray(rows) == pytest.approx(expected, rel=1e-4)


def download(browser, button: str) -> list[list[str]]:
    """What a click on a button saves; a real click, for a browser refuses a script's second."""
    for old in browser.downloads.iterdir():
        old.unlink()
    browser.driver.find_element("css selector", button).click()
    for _ in range(100):
        done = [path for path in browser.downloads.glob("*.csv") if path.stat().st_size]
        if done:  # and not about to be filled
            return list(csv.reader(done[0].read_text(encoding="utf-8-sig").splitlines()))
        time.sleep(0.1)
    raise AssertionError("nothing was downloaded")


def test_every_table_has_a_download(browser, page):
    browser.open(page)
    tables = browser.script("return document.querySelectorAll('table').length")
    buttons = browser.script(
        "return [...document.querySelectorAll('button')]"
        ".filter((b) => b.textContent === 'Download as CSV').length"
    )
    assert tables == buttons > 3


def test_tables_and_trials_download_as_csv(browser, page, made_up):
    browser.open(page)
    table = browser.table("summary")
    browser.script("document.querySelector('#summary details details').open = true")
    rows = download(browser, "#summary button")
    # The name that begins with a quotation mark comes back whole.
    assert rows == table
    assert any(row[0] == made_up.IMAGE for row in rows)
    trials = download(browser, "#all-trials")
    assert trials[0][:9] == ["dataset", "target", "protected", "rows", "method", "trade-off",
                             "value", "seed", "split"]  # fmt: skip
    assert len(trials) == 1 + browser.script("return dataset().trial.method.length")
    assert all(float(row[trials[0].index("rmse")]) > 0 for row in trials[1:])


def test_a_phone_scrolls_down_only(browser, page):
    browser.open(page, width=390)
    for plot in PLOTS:
        browser.look(plot)
        width = "return byId(arguments[0]).querySelector('.main-svg').clientWidth"
        assert 300 < browser.script(width, plot) <= 390
    assert browser.script("return document.documentElement.scrollWidth") <= 390


def test_dark_and_light(browser, page):
    read = (
        "return [getComputedStyle(document.body).backgroundColor,"
        "byId('plot-fronts').layout.font.color]"
    )
    browser.open(page)
    browser.look("plot-fronts")
    light = browser.script(read)
    browser.open(page, dark=True)
    browser.look("plot-fronts")
    dark = browser.script(read)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_paper_is_light_and_shows_what_is_folded(browser, page):
    browser.open(page, dark=True)
    browser.script("window.dispatchEvent(new Event('beforeprint'))")
    for plot in PLOTS:
        assert browser.script("return byId(arguments[0]).layout.width", plot) == 680
    assert (
        browser.script("return getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert browser.script(
        "return [...document.querySelectorAll('#summary details')].every((d) => d.open)"
    )
    browser.script("window.dispatchEvent(new Event('afterprint'))")
    browser.look("plot-fronts")
    assert browser.script("return byId('plot-fronts').layout.width") != 680
    assert len(browser.command("Page.printToPDF")["data"]) > 50_000
    assert browser.errors() == []


@pytest.mark.parametrize(
    "options",
    [
        {"selection": "test", "labels": ("boston",)},
        {"baseline": False, "labels": ("boston",)},
        {"splits": 1, "trouble": False, "labels": ("boston",)},
    ],
    ids=["selected on test", "no baseline", "one split"],
)
def test_unusual_studies_open_too(browser, render, made_up, tmp_path, options):
    made_up.write_run(tmp_path / "run", methods=made_up.arms(6), **options)
    path = tmp_path / "report.html"
    path.write_text(render("html", Run(tmp_path / "run")), encoding="utf-8")
    browser.open(path)
    for plot in PLOTS:
        browser.look(plot)
    assert browser.errors() == []
    assert len(browser.table("front-points")) > 1


def test_a_run_without_any_trial_opens_and_says_so(browser, render, made_up, tmp_path):
    made_up.write_run(tmp_path / "run", methods=made_up.arms(6), trouble=False, labels=("one",))
    for file in (tmp_path / "run" / "chunks").iterdir():
        file.unlink()
    folder = RunFolder(tmp_path / "run")
    progress = folder.manifest["progress"] | {"chunks_done": 0, "trials_done": 0}
    folder.write_manifest({**folder.manifest, "progress": progress})
    path = tmp_path / "report.html"
    path.write_text(render("html", Run(tmp_path / "run")), encoding="utf-8")
    browser.open(path)
    for plot in PLOTS:
        browser.look(plot)
    assert browser.errors() == []
    assert "Unfinished. 0 of" in browser.script("return document.body.innerText")
    assert "no usable trial" in browser.script("return document.body.textContent")


ALL = [component.name for component in load().components("metric")]


@pytest.mark.parametrize(
    ("views", "metrics"),
    [
        pytest.param(2, None, id="two targets, two attributes"),
        pytest.param(1, ALL, id="all metrics", marks=pytest.mark.slow),
    ],
)
def test_a_large_study_stays_small_and_opens_fast(
    browser, render, made_up, tmp_path, record_property, views, metrics
):
    swept = made_up.alphas(50)
    methods = [
        made_up.Arm(f"method-{k}", lambda a, k=k: 1 - 0.02 * k * a, lambda a: 1 + 0.01 * a, swept)
        for k in range(5)
    ]
    made_up.write_run(
        tmp_path / "run", methods=methods, splits=10, trouble=False, labels=("big",),
        views=views, metrics=metrics or made_up.METRICS,
    )  # fmt: skip
    path = tmp_path / "report.html"
    path.write_text(render("html", Run(tmp_path / "run")), encoding="utf-8")
    size = path.stat().st_size
    browser.open(path)
    milliseconds = int(browser.script("return document.documentElement.dataset.drawn"))
    record_property("bytes", size)
    record_property("milliseconds", milliseconds)
    print(f"5 methods × 50 values × 10 splits: {size / 1e6:.2f} MB, open in {milliseconds} ms")
    assert browser.script("return dataset().trial.method.length") == 2500
    assert browser.errors() == []
    assert size < 6e6
    assert milliseconds < 20_000


def test_fronts_run_from_accurate_to_fair(browser, page):
    browser.open(page)
    fronts = browser.script("return meanFronts(dataset(), points(dataset(), view()))")
    assert any(len(front) > 2 for front in fronts)
    for front in fronts:
        for a, b in pairwise(front):
            assert a["cx"] <= b["cx"]
            assert a["cy"] >= b["cy"]
