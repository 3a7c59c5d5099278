"""Run folders with methods that are as accurate and as fair as a test wants them."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from fairbench.analyze import Run
from fairbench.gate import DatasetFacts, ProtocolFacts, Record, Snapshot, Tolerance, value_key

RUNS = Path(__file__).parents[1] / "report" / "runs.py"


@pytest.fixture(scope="session")
def made_up():
    """The names in the report tests' `runs.py`."""
    return runpy.run_path(str(RUNS))


@pytest.fixture
def make_run(made_up, tmp_path):
    """Write a run of a baseline method and a swept one; edits of the manifest as a function."""

    def make(name="run", *, seed=0, noise=1.0, gap=1.0, edit=None, methods=None, **options):
        arm = made_up["Arm"]
        methods = methods or [
            arm("single-task", lambda a: 1.0, lambda a: 1.0),
            arm("swept", lambda a: gap * (1 - 0.1 * a), lambda a: noise, (1.0, 3.0)),
        ]
        options = {"labels": ("toy",), "trouble": False} | options
        folder = made_up["write_run"](tmp_path / name, methods=methods, seed=seed, **options)
        if edit:
            manifest = json.loads((folder.path / "manifest.json").read_text())
            edit(manifest)
            folder.write_manifest(manifest)
        return Run(folder.path)

    return make


@pytest.fixture
def snapshot():
    """A snapshot in memory: `values` by record, each by (split, seed)."""

    def make(values, *, best="low", tolerance=None, ratio=1 / 3, df=None, splits=None, **changes):
        tolerance = tolerance or Tolerance(relative=0.02)
        keys = [key for by_run in values.values() for key in by_run]
        count = 1 + max((split for split, _ in keys), default=0)
        records = [
            Record(
                dataset="toy",
                target="y",
                protected="sex",
                method=method,
                point="most accurate",
                metric="rmse",
                values={value_key(*key): value for key, value in by_run.items()},
            )
            for method, by_run in values.items()
        ]
        facts = DatasetFacts(
            digest="0" * 64,
            ratio=ratio,
            df=df,
            splits=tuple(splits or (f"rows {k}" for k in range(count))),
            tolerances={"y": {"rmse": tolerance}},
        )
        return Snapshot(
            **{
                "title": "made up",
                "study": "abc",
                "versions": {"torch": "2.9"},
                "protocol": ProtocolFacts(name="honest", options={}, selection="validation"),
                "reach": 0.05,
                "metrics": {"rmse": best},
                "datasets": {"toy": facts},
                "records": tuple(records),
            }
            | changes
        )

    return make
