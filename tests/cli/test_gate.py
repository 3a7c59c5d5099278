"""`fairbench baseline` and `fairbench gate`: files, formats and exit codes."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from fairbench.cli import main

MADE_UP = runpy.run_path(str(Path(__file__).parents[1] / "report" / "runs.py"))
Arm = MADE_UP["Arm"]


def write_run(path, *, noise=1.0, seed=0, edit=None, label="swept"):
    methods = [
        Arm("single-task", lambda a: 1.0, lambda a: 1.0),
        Arm(label, lambda a: 1 - 0.1 * a, lambda a: noise, (1.0, 3.0)),
    ]
    folder = MADE_UP["write_run"](path, methods=methods, seed=seed, labels=("toy",), trouble=False)
    if edit:
        manifest = json.loads((path / "manifest.json").read_text())
        edit(manifest)
        folder.write_manifest(manifest)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Runs by name, each against what `before` reached."""
    root = tmp_path_factory.mktemp("runs")

    def other_data(manifest):
        manifest["datasets"]["toy"]["digest"] = "f" * 64

    def other_protocol(manifest):
        manifest["protocol"]["options"] = {"folds": 7}

    def other_metrics(manifest):
        manifest["metrics"] = ["mae", "mean-parity"]
        manifest["axes"] = {"error": "mae", "disparity": "mean-parity"}

    return {
        "before": write_run(root / "before"),
        "same": write_run(root / "same"),
        "noise": write_run(root / "noise", seed=1),
        "worse": write_run(root / "worse", noise=1.5),
        "better": write_run(root / "better", noise=0.6),
        "data": write_run(root / "data", edit=other_data),
        "protocol": write_run(root / "protocol", edit=other_protocol),
        "metrics": write_run(root / "metrics", edit=other_metrics),
        "evil": write_run(root / "evil", noise=1.5, label="</a>|\x1b[31m@all"),
    }


@pytest.fixture(scope="module")
def stored(folders, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "baseline.json"
    assert baseline(folders["before"], "-o", path).exit_code == 0
    return path


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def baseline(*arguments):
    return call("baseline", *arguments)


def gate(folder, stored, *arguments):
    return call("gate", folder, "--against", stored, *arguments)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("same", 0, "No regression in 24 comparisons; 24 identical."),
        ("noise", 0, "No regression"),
        ("worse", 1, "Regression in"),
        ("better", 0, "To keep them as the new baseline: fairbench baseline"),
        ("data", 3, "the data of 'toy' differ: digest 000000000000 then, ffffffffffff now"),
        ("protocol", 3, "the protocol differs: folds = 5 then, 7 now"),
        ("metrics", 3, "the run has no metric 'rmse'"),
    ],
)
def test_exit_codes(folders, stored, name, code, words):
    result = gate(folders[name], stored)
    assert result.exit_code == code, result.output
    assert words in result.stdout


def test_the_process_ends_with_the_code(folders, stored):
    command = [sys.executable, "-m", "fairbench.cli", "gate", folders["worse"], "--against", stored]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("shape", ["terminal", "markdown", "junit", "json"])
@pytest.mark.parametrize(("name", "code"), [("same", 0), ("worse", 1), ("data", 3)])
def test_the_code_does_not_depend_on_the_format(folders, stored, shape, name, code):
    assert gate(folders[name], stored, "--format", shape).exit_code == code


def test_formats_tell_the_same(folders, stored):
    document = json.loads(gate(folders["worse"], stored, "--format", "json").stdout)
    count = document["counts"]["regression"]
    junit = ElementTree.fromstring(gate(folders["worse"], stored, "--format", "junit").stdout)
    assert len(junit.findall(".//failure")) == count > 0
    markdown = gate(folders["worse"], stored, "--format", "markdown").stdout
    assert markdown.count("| **regression** |") == count
    shown = gate(folders["worse"], stored).stdout.splitlines()
    assert sum(line.startswith("regression ") for line in shown) == count


def test_malicious_names_are_escaped(folders, tmp_path):
    assert baseline(folders["evil"], "-o", tmp_path / "a.json").exit_code == 0
    before = json.loads((tmp_path / "a.json").read_text())
    for record in before["records"]:
        record["values"] = {key: value / 2 for key, value in record["values"].items()}
    (tmp_path / "a.json").write_text(json.dumps(before))
    for shape in ("terminal", "markdown", "junit"):
        result = gate(folders["evil"], tmp_path / "a.json", "--format", shape)
        assert result.exit_code == 1
        assert "\x1b" not in result.stdout
        assert "\\x1b" in result.stdout.replace("\\\\", "\\")
    ElementTree.fromstring(gate(folders["evil"], tmp_path / "a.json", "--format", "junit").stdout)


def test_updating_keeps_metrics_and_tolerances(folders, tmp_path):
    path = tmp_path / "baseline.json"
    assert baseline(folders["before"], "-o", path, "--metric", "mae").exit_code == 0
    document = json.loads(path.read_text())
    assert document["metrics"] == {"mae": "low"}
    document["datasets"]["toy"]["tolerances"]["motor_UPDRS"]["mae"] = {"absolute": 99.0}
    path.write_text(json.dumps(document))
    result = baseline(folders["worse"], "-o", path)
    assert "tolerances kept" in result.stdout
    updated = json.loads(path.read_text())
    assert updated["metrics"] == {"mae": "low"}
    assert updated["datasets"] == document["datasets"]
    assert updated["records"] != document["records"]
    assert gate(folders["worse"], path).exit_code == 0


def test_the_command_that_is_named_updates(folders, tmp_path):
    path = tmp_path / "baseline.json"
    baseline(folders["before"], "-o", path)
    update = json.loads(gate(folders["better"], path, "--format", "json").stdout)["update"]
    import shlex

    assert call(*shlex.split(update)[1:]).exit_code == 0
    assert "24 identical" in gate(folders["better"], path).stdout


def test_a_damaged_file_is_not_overwritten(folders, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text("{")
    result = baseline(folders["before"], "-o", path)
    assert result.exit_code == 2
    assert path.read_text() == "{"


def test_missing_values_are_told(tmp_path):
    MADE_UP["write_run"](tmp_path / "run", methods=MADE_UP["arms"](5)[:3], labels=("toy",))
    result = baseline(tmp_path / "run", "-o", tmp_path / "baseline.json")
    assert result.exit_code == 0
    assert "8 values are missing: trials failed or diverged" in result.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 9}', '{"format": 1, "x": 2}'])
def test_an_unreadable_baseline_ends_with_two(folders, tmp_path, content):
    (tmp_path / "baseline.json").write_text(content)
    result = gate(folders["same"], tmp_path / "baseline.json")
    assert result.exit_code == 2
    assert "where:" in result.stderr
    assert "hint:" in result.stderr
    assert "Traceback" not in result.output


def test_bad_calls_end_with_two(folders, stored, tmp_path):
    assert gate(tmp_path / "absent", stored).exit_code == 2
    assert gate(folders["same"], tmp_path / "absent.json").exit_code == 2
    assert gate(folders["same"], stored, "--format", "pdf").exit_code == 2
    assert call("gate", folders["same"]).exit_code == 2
    assert call("baseline", folders["same"]).exit_code == 2
    result = baseline(folders["same"], "-o", tmp_path / "b.json", "--metric", "rmes")
    assert result.exit_code == 2
    assert "did you mean" in result.stderr


@pytest.mark.parametrize("missing", ["metrics", "datasets", "axes"])
def test_a_damaged_manifest_ends_with_two(tmp_path, stored, missing):
    run = write_run(tmp_path / "run", edit=lambda manifest: manifest.pop(missing))
    for result in (gate(run, stored), baseline(run, "-o", tmp_path / "b.json")):
        assert result.exit_code == 2
        assert "cannot be read" in result.stderr
    assert not (tmp_path / "b.json").exists()
