"""`fairbench plan`: from a pilot run, and from stated spreads."""

import json

import pytest
from click.testing import CliRunner

from fairbench.cli import main


def plan(*arguments):
    return CliRunner().invoke(main, ["plan", *map(str, arguments)])


def test_from_stated_spreads():
    result = plan("--disparity", 2.0, "--split-sd", 1.0, "--seed-sd", 0.5, "--comparisons", 3)
    assert result.exit_code == 0
    assert "The baseline's disparity is 2." in result.output
    assert "3 comparisons" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["5", "2"] in [line[:2] for line in lines]
    assert "finds most for its cost" in result.output


def test_hopeless_designs_are_said_to_be():
    result = plan("--disparity", 0.1, "--split-sd", 5.0)
    assert "None would find even a complete removal" in result.output
    assert "over seeds within a split: not known" in result.output


def test_as_json():
    result = plan("--disparity", 2, "--split-sd", 1, "--json", "--power", 0.9)
    (document,) = json.loads(result.output)
    found = {(d["splits"], d["seeds"]): d["detectable"] for d in document["designs"]}
    assert found[30, 1] < found[5, 1]
    assert document["seed_sd"] is None
    assert document["power"] == 0.9


@pytest.mark.parametrize("arguments", [(), ("--disparity", 1), ("--split-sd", 1)])
def test_nothing_to_plan_from(arguments):
    result = plan(*arguments)
    assert result.exit_code == 2
    assert "name a run, or give --disparity and --split-sd" in result.output


def test_no_run_folder(tmp_path):
    assert plan(tmp_path / "none").exit_code == 2
