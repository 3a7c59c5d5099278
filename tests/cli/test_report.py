"""`fairbench report`: what goes where."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairbench.cli import main

MADE_UP = Path(__file__).parents[1] / "report" / "runs.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made_up = runpy.run_path(str(MADE_UP))
    path = tmp_path_factory.mktemp("runs") / "run"
    made_up["write_run"](path, methods=made_up["arms"](5), labels=("parkinson",), views=1)
    return path


def report(*arguments: object):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_the_terminal_is_the_default(folder):
    result = report(folder)
    assert result.exit_code == 0, result.output
    assert "single-task (baseline)" in result.stdout


def test_tables_are_rebuilt(folder):
    for table in folder.glob("*.parquet"):
        table.unlink()
    report(folder)
    names = {path.name for path in folder.glob("*.parquet")}
    assert names == {"trials.parquet", "metrics.parquet", "groups.parquet", "fronts.parquet"}


def test_html_goes_into_the_run_folder(folder):
    result = report(folder, "--format", "html")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(folder / "report.html")
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_on_standard_output_is_one_document(folder):
    document = json.loads(report(folder, "--format", "json").stdout)
    assert document["fronts"]


def test_out_names_a_file_or_a_folder(folder, tmp_path):
    assert report(folder, "--format", "markdown", "--out", tmp_path / "a.md").exit_code == 0
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("# ")
    assert report(folder, "--format", "markdown", "--out", tmp_path).exit_code == 0
    assert (tmp_path / "report.md").exists()
    assert report(folder, "--format", "csv", "--out", tmp_path / "tables").exit_code == 0
    assert (tmp_path / "tables" / "fronts.csv").exists()
    assert (tmp_path / "tables" / "verdicts.csv").exists()


def test_csv_on_standard_output_is_the_fronts(folder):
    first = report(folder, "--format", "csv").stdout.splitlines()[0]
    assert first.startswith("dataset,target,protected,method,split,seed,value,error,disparity")


def test_axes_and_tolerance_can_be_chosen(folder):
    shown = json.loads(
        report(folder, "--format", "json", "--error", "mae", "--disparity", "mean-parity",
               "--tolerance", "0.2").stdout
    )  # fmt: skip
    assert shown["axes"] == {"error": "mae", "disparity": "mean-parity"}
    assert shown["tolerance"] == 0.2


def test_a_run_named_twice_counts_once(folder):
    result = report(folder, folder / ".", "--format", "json")
    assert result.exit_code == 0, result.output
    runs = json.loads(result.stdout)["runs"]
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "hmtl"], "did you mean 'html'"),
        (["--error", "rmes"], "did you mean"),
        (["--error", "rmse-disparity"], "metric of disparity"),
        (["--tolerance", "-1"], "tolerance"),
    ],
)
def test_bad_input_is_told_in_a_line(folder, arguments, words):
    result = report(folder, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_what_is_no_run_folder_is_named(tmp_path):
    result = report(tmp_path)
    assert result.exit_code == 2
    assert "is no run folder" in result.stderr


def test_a_place_that_cannot_be_written_is_named(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = report(folder, "--format", "json", "--out", tmp_path / "file" / "report.json")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read_can_be_reported_on(folder):
    folder.chmod(0o500)
    try:
        result = report(folder)
        assert result.exit_code == 0
        assert "stay as they are" in result.stderr
    finally:
        folder.chmod(0o700)
