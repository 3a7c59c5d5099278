"""`fairbench reproduce paper`: what is measured, from a tiny run and from made-up ones."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fairbench.errors import RunFolderError
from fairbench.plugins import load as registry
from fairbench_paper.reproduction import (
    QUICK,
    READINGS,
    Scale,
    documents,
    dumps,
    load,
    plain,
    reproduce,
)
from fairbench_paper.reproduction.checks import noise
from fairbench_paper.reproduction.measure import correlations, measure, picked
from fairbench_paper.reproduction.printed import PAPER, claims
from fairbench_paper.reproduction.ranges import outside
from fairbench_paper.reproduction.studies import alphas, study

TINY = Scale(seeds=1, others=1, noisy=1, copies=3, stride=20, brief=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("paper")


@pytest.fixture(scope="module")
def tiny(folder):
    return reproduce(["boston"], TINY, folder, jobs=1)


def test_a_tiny_run_falls_in_the_stated_ranges(tiny):
    assert tiny.failed == 0
    assert outside(tiny) == []
    (boston,) = tiny.datasets
    assert [reading.name for reading in boston.readings] == ["boston", "boston-equation"]
    assert boston.pictures.correlation == pytest.approx(0.333, abs=5e-4)
    assert boston.noise.copies == 3
    assert {each.method for each in boston.honest.comparisons} == {
        "static-alpha",
        "adversarial",
        "dynamic-reweighting",
        "mean",
    }


def test_ranges_are_not_empty_words(tiny):
    (boston,) = tiny.datasets
    quantity = replace(boston.centre.unit("mse").baseline[0], ours=boston.honest.rmse)
    unit = replace(boston.centre.unit("mse"), baseline=(quantity, *[quantity] * 3))
    centre = replace(boston.centre, units=(unit, unit))
    wrong = replace(boston, readings=(centre, *boston.readings[1:]))
    assert outside(replace(tiny, datasets=(wrong,))) != []


def test_results_survive_json(tiny):
    again = load(json.loads(dumps(tiny)))
    assert plain(again) == plain(tiny)
    assert documents(again).keys() == documents(tiny).keys()


def test_a_second_run_trains_nothing_and_finds_the_same(tiny, folder, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/chunks/*.npz")}
    again = reproduce(["boston"], TINY, folder, jobs=1)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/chunks/*.npz")} == before
    assert plain(again)["datasets"] == plain(tiny)["datasets"]
    assert again.model_steps == tiny.model_steps


def test_runs_of_another_scale_are_not_mixed_in(tiny, folder):
    with pytest.raises(RunFolderError, match="different study"):
        reproduce(["boston"], replace(TINY, seeds=2), folder, jobs=1)


def test_no_number_hides_that_there_was_one_split(tiny):
    (boston,) = tiny.datasets
    assert all(each.low is None for each in boston.honest.comparisons)
    assert all(each.verdict == "no verdict" for each in boston.honest.comparisons)


# what the readings train


def trained():
    return [each for found in READINGS.values() for each in found if not each.of]


@pytest.mark.parametrize("reading", trained(), ids=lambda reading: reading.name)
def test_every_reading_is_a_study(reading):
    ours = study(reading, Scale())
    assert ours.name == reading.name
    component = registry().find("protocol", ours.protocol.name)
    assert component.build(ours.protocol.options) is not None
    for method in ours.methods:
        registry().find("method", method.name).build(method.options)


def test_readings_differ():
    studies = [study(each, Scale()).model_copy(update={"name": ""}) for each in trained()]
    assert len({each.canonical() for each in studies}) == len(studies)


def test_main_readings_have_twenty_splits_and_fifty_alphas():
    for each in trained():
        if each.role == "main":
            assert study(each, Scale()).seeds >= 20
            assert len(alphas(each, Scale())) >= 50


def test_quick_includes_what_the_ranges_need():
    assert QUICK.brief
    brief = {each.name for found in READINGS.values() for each in found if each.brief}
    assert {"parkinson", "parkinson-no-subject", "parkinson-honest", "boston"} <= brief


# what is measured


def made(values, errors, disparities, method="static-alpha", split=0, seed=0):
    """Rows of a metrics table; RMSE is the root of MSE, and MAE its half."""
    rows = pd.DataFrame({"value": values, "mse": errors, "mse-disparity": disparities})
    return rows.assign(
        method=method,
        split=split,
        seed=seed,
        part="test",
        status="ok",
        rmse=np.sqrt(rows["mse"]),
        mae=rows["mse"] / 2,
        **{"rmse-disparity": rows["mse-disparity"] / 4, "mae-disparity": 1.0},
    )


def stub(*tables):
    table = pd.concat(tables, ignore_index=True)
    return SimpleNamespace(metrics=lambda: table, ratios={"boston": 0.25, "parkinson": 0.25})


def boston_runs():
    tables = []
    for split, shift in enumerate([0.0, 2.0]):
        tables.append(made([np.nan], [10.0 + shift], [8.0], "single-task", split, split))
        found = [12.0 + shift, 9.0 + shift, 20.0 + shift], [6.0, 7.0, 2.0]
        tables.append(made([0.1, 2.6, 4.4], *found, split=split, seed=split))
    return stub(*tables)


CENTRE = READINGS["boston"][0]


def test_tables_side_by_side():
    result = measure(boston_runs(), CENTRE)
    found = result.unit("mse")
    assert [q.ours.median for q in found.baseline] == [11.0, 5.5, 8.0, 1.0]
    assert [q.ours.median for q in found.front] == [2.0, 21.0, 10.0, 7.0]
    error = found.baseline[0]
    assert (error.paper, error.percentile) == (11.45, 50.0)
    ours = (*found.baseline, *found.front)
    logs = [abs(np.log(q.paper / q.ours.median)) for q in ours]
    ranges = [np.log(q.ours.high / q.ours.low) / 3.29 or 1.0 for q in ours]
    assert found.distance == pytest.approx(np.mean(np.divide(logs, ranges)))
    assert result.unit("rmse").baseline[0].ours.median == pytest.approx(
        (np.sqrt(10) + np.sqrt(12)) / 2
    )
    assert {row.alpha for row in found.at_alpha} == {0.1, 2.6, 4.4}
    row = next(row for row in found.at_alpha if row.alpha == 4.4)
    assert (row.disparity.paper, row.disparity.ours.median) == (5.866693, 2.0)
    assert (row.error.paper, row.error.ours.median) == (26.037848, 21.0)
    assert row.error.percentile == 100.0


def test_distances_are_measured_by_the_spread_of_the_centre():
    centre = measure(boston_runs(), CENTRE)
    narrow = boston_runs()
    narrow.metrics()["mae"] = 2.11
    found = measure(narrow, CENTRE, centre)
    (mae,) = [q for q in found.unit("mse").baseline if q.name == "MAE"]
    assert (mae.ours.low, mae.ours.high) == (2.11, 2.11)
    own = next(q for q in centre.unit("mse").baseline if q.name == "MAE")
    saved = np.log(own.ours.median / own.paper) / (np.log(own.ours.high / own.ours.low) / 3.29)
    gained = 8 * (centre.unit("mse").distance - found.unit("mse").distance)
    assert gained == pytest.approx(saved)


def test_mirrored_readings_rename_alpha_and_keep_the_grid():
    table = replace(READINGS["parkinson"][1], dataset="boston")
    assert table.mirrored
    run = stub(
        made([np.nan], [10.0], [8.0], "single-task"),
        made([0.0, 0.6, 5.0], [30.0, 20.0, 9.0], [1.0, 2.0, 3.0]),
    )
    found = measure(run, table).unit("mse")
    # 5.0 becomes 0.0, which is not on the grid from 0.1; 0.6 becomes 4.4
    assert [row.alpha for row in found.at_alpha] == [4.4]
    assert found.at_alpha[0].error.ours.median == 20.0
    assert found.front[2].ours.median == 20.0


def test_picked_are_on_the_front():
    points = np.array([[5.0, 1.0], [3.0, 1.0], [2.0, 4.0], [2.0, 3.0], [9.0, 9.0]])
    fair, accurate = picked(points)
    assert fair.tolist() == [3.0, 1.0]
    assert accurate.tolist() == [2.0, 3.0]


def test_correlations_with_alpha():
    tables = [made([1, 2, 3, 4], [1, 2, 3, 4], [4.0, 3.0, 2.0, 1.5]) for _ in range(3)]
    error, disparity = correlations(tables, "mse", 0.25)
    assert error.mean == pytest.approx(1, abs=1e-3)
    assert disparity.mean == pytest.approx(-1, abs=1e-3)
    assert (error.rising, disparity.rising, error.splits) == (3, 0, 3)
    mixed = [tables[0], made([1, 2, 3, 4], [1, 3, 2, 4], [1.0] * 4)]
    found = correlations(mixed, "mse", 0.25)[0]
    assert -1 <= found.low <= found.mean <= found.high <= 1


def test_noise_is_picked_like_the_method():
    copies = [
        made([np.nan] * 2, [10.0, 9.0], [8.0, 2.0], "single-task", split).assign(seed=[split, 7])
        for split in range(2)
    ]
    found = noise(stub(*copies), boston_runs(), CENTRE, "mse")
    assert (found.splits, found.copies) == (2, 2)
    assert found.reduction.median == pytest.approx(1 - 2 / 8)
    assert found.method_reduction.median == pytest.approx(1 - 2 / 8)
    assert found.difference == 0
    assert found.lower == 0
    assert found.gain.median == pytest.approx(0.1)
    assert found.method_gain.high > found.method_gain.low


def test_percentages_from_the_papers_own_tables():
    boston, parkinson = claims("boston"), claims("parkinson")
    assert [round(100 * claim.recomputed, 1) for claim in boston] == [57.4, 127.4, 7.5, 1.2]
    assert [round(100 * claim.recomputed, 2) for claim in parkinson] == [94.75, 24.58, 13.57]
    # the figure of 68 % is what α in place of the disparity gives
    assert 1 - PAPER["boston"].fairest.alpha / PAPER["boston"].disparity == pytest.approx(
        0.68, abs=5e-4
    )


@pytest.mark.slow
def test_the_quick_run_falls_in_the_stated_ranges(tmp_path):
    results = reproduce(["parkinson", "boston"], QUICK, tmp_path)
    assert results.failed == 0
    assert outside(results) == []


def test_docs_are_what_the_committed_results_generate():
    from fairbench_paper.reproduction import pages

    docs = Path(__file__).parents[2] / "docs"
    results = load(json.loads((docs / "paper-results.json").read_text(encoding="utf-8")))
    for name, content in pages(results).items():
        assert (docs / name).read_text(encoding="utf-8") == content, name
    assert outside(results) == []
    assert {dataset.name for dataset in results.datasets} == set(READINGS)
    assert all(len(found.readings) >= 7 for found in results.datasets)
    assert all(found.centre.seeds >= 20 for found in results.datasets)


def test_pages_are_whole_and_open_offline(tiny):
    page = documents(tiny)["report.html"]
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"|url\(([^#][^)]*)\)', page)
    assert links == []
    assert "<script" not in page
    assert "widely withdrawn" in page
    for number in (1, 2, 4, 5):
        assert f"Figure {number}." in page
        ET.fromstring(documents(tiny)[f"figure-{number}.svg"])


def test_names_of_strangers_are_escaped_everywhere(tiny):
    (boston,) = tiny.datasets
    evil = replace(boston.honest.comparisons[0], method="<script>x</script>")
    honest = replace(boston.honest, comparisons=(evil,))
    found = documents(replace(tiny, datasets=(replace(boston, honest=honest),)))
    for name in ("report.html", "report.md"):
        assert "<script" not in found[name]
        assert "&lt;script&gt;" in found[name]


def test_which_percentages_agree():
    agreeing = [[claim.agrees for claim in claims(name)] for name in ("boston", "parkinson")]
    assert agreeing == [[False, True, True, True], [True, False, False]]
