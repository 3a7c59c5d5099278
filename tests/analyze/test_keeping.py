"""Tables that are kept beside a run: the same to the last bit, and never those of another."""

import importlib
import runpy
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

from fairbench.analyze import Run, _keeping, _tabled
from fairbench.errors import RunFolderError
from fairbench.plugins import MetricDescription, _files, added, hookimpl, load
from fairbench.report import View
from fairbench.store import RunFolder

MADE_UP = Path(__file__).parents[1] / "report" / "runs.py"
FORMATS = ("json", "html")


def files(folder):
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.glob("*") if p.is_file()}


def documents(folder, formats=FORMATS, **view):
    run, registry = Run(folder), load()
    made = {f: registry.find("reporter", f).build({}).render([run], View(**view)) for f in formats}
    run.write_tables()
    return made


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A run with a failed chunk and a diverged trial, its reports, and its tables kept."""
    made_up = runpy.run_path(str(MADE_UP))
    folder = tmp_path_factory.mktemp("kept") / "run"
    made_up["write_run"](folder, methods=made_up["arms"](5)[:3], labels=("parkinson",), views=1)
    return folder, documents(folder)


@pytest.fixture
def folder(reported, tmp_path):
    return Path(shutil.copytree(reported[0], tmp_path / "run"))


@pytest.fixture
def computed(monkeypatch):
    """Names of the tables that are computed, as they are."""
    made = []
    for name in ("trials_table", "metrics_table", "groups_table"):
        original = getattr(_tabled, name)

        def spy(*args, name=name, original=original):
            made.append(name.removesuffix("_table"))
            return original(*args)

        monkeypatch.setattr(_tabled, name, spy)
    return made


def test_reports_of_kept_tables_are_the_same_to_the_byte(reported, computed):
    folder, first = reported
    before = files(folder)
    again = documents(folder)
    assert again == first
    assert computed == []
    assert files(folder) == before  # nothing was written again either


def test_another_view_rests_on_the_kept_metrics_and_leaves_them(folder, computed):
    shown = documents(folder, ["json"], error="mae", tolerance=0.3)
    assert computed == []
    (folder / "tables.json").unlink()
    assert documents(folder, ["json"], error="mae", tolerance=0.3) == shown
    assert "metrics" in computed


def test_every_table_comes_back_as_it_was(folder):
    kept = Run(folder)._stored
    assert {*_keeping.PUBLIC, "all_verdicts", "noise", "matched", "audits"} <= {*kept._tables}
    fresh = Run(folder)
    fresh.__dict__["_stored"] = SimpleNamespace(read=lambda name: None)
    load().find("reporter", "html").build({}).render([fresh], View())
    for name in kept._tables:
        pd.testing.assert_frame_equal(kept.read(name), fresh._tables[name], check_exact=True)


@pytest.mark.parametrize("name", ["metrics.parquet", "tables.json"])
def test_a_table_that_was_altered_is_computed_again(folder, computed, name):
    before = {n: content for n, (_, content) in files(folder).items()}
    (folder / name).write_bytes(before[name][:-9] + b"something")
    Run(folder).write_tables()
    assert "metrics" in computed
    assert (folder / "metrics.parquet").read_bytes() == before["metrics.parquet"]
    assert len(Run(folder)._stored._tables) >= len(_keeping.PUBLIC)


def test_damage_is_met_although_no_prediction_is_read(folder):
    chunk = next((folder / "chunks").glob("*.npz"))
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(RunFolderError, match="not what was written"):
        Run(folder).metrics()


def less_chunk(folder, store):
    next((folder / "chunks").glob("*.json")).unlink()


def less_failure(folder, store):
    next((folder / "failures").glob("*.json")).unlink()


def other_rows(folder, store):
    rows = store.rows("parkinson")
    store.write_rows("data0", replace(rows, targets=rows.targets + 1))


def other_metrics(folder, store):
    store.write_manifest({**store.manifest, "metrics": [*store.manifest["metrics"], "bias"]})


def other_axes(folder, store):
    axes = {"error": "mae", "disparity": "mae-disparity"}
    store.write_manifest({**store.manifest, "axes": axes})


@pytest.mark.parametrize(
    "change", [less_chunk, less_failure, other_rows, other_metrics, other_axes]
)
def test_tables_of_a_run_that_changed_are_new(folder, computed, change):
    change(folder, RunFolder(folder))
    Run(folder).write_tables()
    assert computed == ["trials", "metrics", "groups"]
    computed.clear()
    Run(folder).write_tables()
    assert computed == []


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """A metric in a file of its own, edited by the function that this gives."""
    file = tmp_path / "own" / "fairbench_twice.py"
    file.parent.mkdir()
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.setattr(_files, "_STARTED", time.time_ns() + 10**12)

    def write(factor):
        file.write_text(f"def twice(ŷ, y, a, /):\n    return {factor} * abs(ŷ - y).mean(-1)\n")
        sys.modules.pop("fairbench_twice", None)
        importlib.invalidate_caches()

    class Own:
        @hookimpl
        def fairbench_metrics(self):
            yield MetricDescription(
                name="twice", summary="Twice", target="fairbench_twice:twice", role="error"
            )

    write("2.0")
    with added(Own(), name="own"):
        yield write


def test_tables_of_a_metric_that_was_edited_are_new(folder, computed, twice):
    store = RunFolder(folder)
    store.write_manifest({**store.manifest, "metrics": [*store.manifest["metrics"], "twice"]})

    def shares():
        run = Run(folder)
        run.write_tables()
        return (run.metrics()["twice"] / run.metrics()["mae"]).dropna().round(9).unique()

    assert shares() == [2.0]
    assert shares() == [2.0]
    assert computed.count("metrics") == 1
    twice("3.00")
    assert shares() == [3.0]


def test_code_that_this_process_may_not_have_loaded_keeps_nothing(folder, computed, monkeypatch):
    monkeypatch.setattr(_files, "_STARTED", 0)
    before = files(folder)["tables.json"]
    Run(folder).write_tables()
    assert computed == ["trials", "metrics", "groups"]
    assert files(folder)["tables.json"] == before


def test_a_metric_without_a_file_keeps_nothing(folder, computed, twice):
    store = RunFolder(folder)
    store.write_manifest({**store.manifest, "metrics": [*store.manifest["metrics"], "twice"]})
    typed = ModuleType("fairbench_twice")
    typed.twice = lambda ŷ, y, a, /: y.mean() + 0 * ŷ.mean(-1)
    sys.modules["fairbench_twice"] = typed
    for _ in range(2):
        Run(folder).write_tables()
    assert computed.count("metrics") == 2
