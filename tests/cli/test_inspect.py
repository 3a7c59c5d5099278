"""`fairbench data inspect`: what it says of a table, and that its command runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from fairbench.cli import main

N = 120


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRBENCH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    y = rng.normal(size=N)
    frame = pd.DataFrame(
        {
            "patient": np.arange(N) // 6 + 500,
            "sex": rng.choice(["F", "M"], N),
            "price, net": [f"{x:,}" for x in rng.integers(900, 90_000, N)],
            "copy": np.exp(y),
            "grade": pd.cut(y, 8, labels=list("abcdefgh")).astype(str),
            "hint": y + rng.normal(size=N) * 0.2,
            "hours": np.where(rng.random(N) < 0.2, np.nan, rng.random(N)),
            "unit": "cm",
            "name": [f"N{i}" for i in range(N)],
            "y": np.where(np.arange(N) < 3, np.nan, y),
        }
    )
    frame.to_csv("my.csv")
    return tmp_path


def inspected(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["data", "inspect", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def columns(*arguments: str) -> dict[str, dict]:
    document = json.loads(inspected("my.csv", *arguments, "--json"))
    return {column["name"]: column for column in document["columns"]} | {"": document}


def test_every_column_has_a_kind_a_role_and_a_reason():
    found = columns("--target", "y", "--protected", "sex")
    roles = {name: column["role"] for name, column in found.items() if name}
    assert roles == {
        "Unnamed: 0": "left out",
        "patient": "left out",
        "sex": "protected",
        "price, net": "feature",
        "copy": "feature",
        "grade": "feature",
        "hint": "feature",
        "hours": "feature",
        "unit": "left out",
        "name": "left out",
        "y": "target",
    }
    assert found["price, net"]["why"] == "comma between thousands"
    assert found["patient"]["proposal"] == "--cluster patient"
    assert found["unit"]["why"] == "the same value in every row"
    assert found["hours"]["missing"] == pd.read_csv("my.csv")["hours"].isna().sum() > 0
    assert found["copy"]["suspicion"].startswith("a twin of the target: rank correlation 1.000")
    assert "may give the target away" in found["hint"]["suspicion"]
    assert "% of the variance of the target's ranks" in found["grade"]["suspicion"]
    assert found["price, net"]["suspicion"] == found["hours"]["suspicion"] == ""
    document = found[""]
    assert document["rows"] == N
    assert sum(document["groups"]["sex"].values()) == N - 3
    assert any("3 of 120 rows are left out: missing 'y' 3" in n for n in document["notices"])


def test_the_command_it_prints_runs():
    command = columns("--target", "y", "--protected", "sex")[""]["command"]
    words = shlex.split(command)
    assert words[:2] == ["fairbench", "run"]
    assert words[words.index("--cluster") + 1] == "patient"
    assert "--missing-target" in words
    cheap = ["-m", "mean", "--seeds", "1", "--no-baseline", "--metric", "rmse"]
    words[words.index("static-alpha")] = "ridge"
    result = CliRunner().invoke(main, words[1:] + cheap)
    assert result.exit_code == 0, result.output
    warned = " ".join(result.stderr.split())
    assert (
        "Warning: my.csv: left out of the features: 'name' (120 in 120 rows), with a different"
        in warned
    )
    assert warned.index("Warning: my.csv") < warned.index("trials; run folder")
    (manifest,) = [json.loads(path.read_text()) for path in Path().glob("runs/*/manifest.json")]
    said = " ".join(manifest["datasets"]["my.csv"]["caveats"])
    assert "missing features are filled in on training rows in" in said
    assert "price, net (comma between thousands)" in said
    audited = [audit["text"] for audit in manifest["audits"] if audit["check"] == "table"]
    assert any("by sex: F" in text for text in audited)


def test_without_roles_it_proposes_them():
    text = inspected("my.csv")
    assert "--target TARGET --protected ATTRIBUTE" in text
    assert "Perhaps --protected sex" in text
    assert "Perhaps --cluster patient" in text


def test_as_text_it_shows_groups_clusters_and_warnings():
    text = inspected("my.csv", "--target", "y", "--protected", "sex", "--cluster", "patient")
    assert "120 rows, 11 columns" in text
    assert "Groups of sex: F " in text
    assert "Clusters: 20" in text
    assert "Warning: 3 of 120 rows are left out" in text
    assert text.rstrip().splitlines()[-1].startswith("    fairbench run ")


def test_a_table_that_cannot_be_run_is_shown_all_the_same():
    text = inspected("my.csv", "--target", "grade", "--protected", "unit")
    assert "Cannot be run like this: target 'grade' holds text" in text
    assert "copy" in text


def test_a_column_of_no_kind_is_named_and_dropped_by_the_command():
    pd.DataFrame({"x": [1, 2], "list": [[1], [2]]}).to_parquet("my.parquet")
    document = json.loads(inspected("my.parquet", "--json"))
    assert document["columns"][1]["role"] == "unusable"
    assert document["command"].endswith("--drop list")


def test_what_is_no_table_is_an_error():
    result = CliRunner().invoke(main, ["data", "inspect", "absent.csv"])
    assert result.exit_code == 2
    assert "cannot read absent.csv" in result.stderr


def test_a_large_table_is_counted_on_a_part_of_its_rows(monkeypatch):
    monkeypatch.setattr("fairbench.data.inspect.COUNTED", 50)
    found = columns("--target", "y", "--protected", "sex")
    assert (found["copy"]["levels"], found["name"]["levels"]) == (50, N)  # texts cost nothing
    assert "120 rows, 11 columns; values counted on 50 rows" in inspected("my.csv")
