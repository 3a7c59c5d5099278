"""Speed: ratios of one benchmark run against stored ones."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ratios.py"
SPEC = importlib.util.spec_from_file_location("ratios", SCRIPT)
ratios = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ratios)


def benchmark(name, least, **extra):
    return {"fullname": f"benchmarks/{name}", "stats": {"min": least}, "extra_info": extra}


@pytest.fixture
def files(tmp_path):
    """Write a benchmark run and stored ratios; gives the arguments that compare them."""

    def written(*benchmarks, stored=None, factor=2.0):
        run, against = tmp_path / "run.json", tmp_path / "ratios.json"
        run.write_text(json.dumps({"benchmarks": list(benchmarks)}))
        against.write_text(json.dumps({"factor": factor, "ratios": stored or {}}))
        return [str(run), "--against", str(against)]

    return written


COST = "test_engine.py::test_cost[a] times_equal"
GAIN = "test_engine.py::test_gain[b] times_faster_than_loop"
METRIC = "test_metrics.py::test_metric[hsic] times_all_metrics"


@pytest.mark.parametrize(
    ("now", "code"),
    [(1.0, 0), (1.9, 0), (2.1, 1), (0.1, 0)],
)
def test_a_cost_may_not_double(files, now, code):
    run = benchmark("test_engine.py::test_cost[a]", 1.0, times_equal=now, aim=None)
    assert ratios.main(files(run, stored={COST: 1.0})) == code


@pytest.mark.parametrize(("now", "code"), [(20.0, 0), (11.0, 0), (9.0, 1), (99.0, 0)])
def test_a_gain_may_not_halve(files, now, code):
    run = benchmark("test_engine.py::test_gain[b]", 1.0, times_faster_than_loop=now)
    assert ratios.main(files(run, stored={GAIN: 20.0})) == code


@pytest.mark.parametrize(("seconds", "code"), [(0.1, 0), (0.5, 1)])
def test_a_metric_is_held_against_all_together(files, seconds, code, capsys):
    whole = benchmark("test_metrics.py::test_all_metrics_together[binary]", 1.0)
    run = benchmark("test_metrics.py::test_metric[hsic]", seconds)
    assert ratios.main(files(whole, run, stored={METRIC: 0.1})) == code
    assert ("5.00 times worse" in capsys.readouterr().out) == (code == 1)


def test_the_machine_does_not_matter(files):
    whole = benchmark("test_metrics.py::test_all_metrics_together[binary]", 70.0)
    run = benchmark("test_metrics.py::test_metric[hsic]", 7.0)
    assert ratios.main(files(whole, run, stored={METRIC: 0.1})) == 0


def test_what_was_not_measured_or_stored_is_counted(files, capsys):
    runs = [
        benchmark("test_engine.py::test_cost[a]", 1.0, times_equal=1.0),
        benchmark("test_engine.py::test_gain[b]", 1.0, times_faster_than_loop=1.0),
    ]
    assert ratios.main(files(*runs, stored={COST: 1.0, METRIC: 1.0})) == 0
    assert "1 stored ones were not measured, 1 are not stored" in capsys.readouterr().out


def test_update_stores_beside_the_others(files, tmp_path):
    arguments = files(
        benchmark("test_engine.py::test_cost[a]", 1.0, times_equal=1.23456),
        stored={COST: 9.0, METRIC: 0.5},
    )
    assert ratios.main([*arguments, "--update"]) == 0
    stored = json.loads((tmp_path / "ratios.json").read_text())
    assert stored == {"factor": 2.0, "ratios": {COST: 1.23, METRIC: 0.5}}
    assert ratios.main(arguments) == 0


def test_nothing_to_compare_is_no_success(files, tmp_path):
    arguments = files(benchmark("test_engine.py::test_cost[a]", 1.0, times_equal=1.0))
    assert ratios.main(arguments) == 2
    (tmp_path / "run.json").write_text("{")
    assert ratios.main(arguments) == 2
    assert ratios.main([str(tmp_path / "absent.json")]) == 2


def test_the_stored_ratios_are_sound():
    stored = json.loads(ratios.STORED.read_text())
    assert stored["factor"] > 1
    assert stored["ratios"]
    assert all(ratio > 0 for ratio in stored["ratios"].values())
