"""The run folder: whole files or none, damage found, strangers refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fairbench
from fairbench.dataset import Protected
from fairbench.errors import RunFolderError
from fairbench.method import Prediction, Trained, Trial
from fairbench.protocol import Split
from fairbench.store import Cost, Rows, RunFolder, read_json, write_bytes, write_json, writing
from fairbench.store.folder import npz
from fairbench.study import Study

TRIALS = [Trial("d", "m", value, 0, 0) for value in (0.5, 1.0)]


def trained(rows: int = 4) -> Trained:
    def made(k: int) -> Prediction:
        record = {"epochs": np.array(k)} if k else {}
        return Prediction(np.full((rows, 1), k), np.full((rows, 1), -k), record)

    return Trained([made(0), made(3)], model_steps=12, notes=["remark"])


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture
def stored(folder) -> RunFolder:
    folder.write_chunk("one", TRIALS, trained(), 1.5)
    folder.write_chunk("two", TRIALS, trained(), 2.5)
    return folder


def test_a_chunk_is_what_was_written(stored):
    chunk, _ = stored.chunks()
    assert chunk.key == "one"
    assert list(chunk.trials) == TRIALS
    np.testing.assert_array_equal(chunk.prediction("test")[:, 0, 0], [0, -3])
    np.testing.assert_array_equal(chunk.record("epochs"), [np.nan, 3])
    assert chunk.record_names == ("epochs",)
    assert chunk.record("nothing") is None
    assert chunk.meta["notes"] == ["remark"]
    assert stored.finished() == {"one": Cost(12, 1.5), "two": Cost(12, 2.5)}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
def test_damaged_arrays_are_found(damage, stored):
    damage(stored.path / "chunks/one.npz")
    assert stored.finished() == {"two": Cost(12, 2.5)}


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", '{"sha256": "0"}'])
def test_damaged_descriptions_are_found(text, stored):
    (stored.path / "chunks/one.json").write_text(text)
    assert set(stored.finished()) == {"two"}


def test_reading_damage_says_which_file_and_what_to_do(stored):
    cut(stored.path / "chunks/one.npz")
    chunk, _ = stored.chunks()
    with pytest.raises(RunFolderError, match="a stored chunk cannot be read") as caught:
        chunk.prediction("test")
    assert caught.value.where.endswith("one.npz")
    assert "run the study again" in caught.value.mend
    (stored.path / "chunks/one.json").write_text("{")
    with pytest.raises(RunFolderError, match="a stored chunk cannot be read"):
        list(stored.chunks())


def test_cleaning_takes_out_what_is_not_finished(stored):
    (stored.path / "chunks/two.json").unlink()
    for leftover in (".manifest.json.1.part", "chunks/.one.npz.7.part"):
        (stored.path / leftover).write_text("half")
    stored.clean(stored.finished().keys())
    left = {str(p.relative_to(stored.path)) for p in stored.path.rglob("*") if p.is_file()}
    assert left == {"chunks/one.json", "chunks/one.npz"}


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int8]),
        hnp.array_shapes(max_dims=3, max_side=5),
    )
)
def test_equal_arrays_give_equal_bytes(array):
    assert npz({"a": array, "b": array}) == npz({"a": array.copy(), "b": array})


def test_bytes_do_not_depend_on_the_clock(monkeypatch):
    before = npz({"a": np.arange(5)})
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert npz({"a": np.arange(5)}) == before


def test_objects_are_never_stored():
    with pytest.raises(ValueError, match="allow_pickle"):
        npz({"a": np.array([object()])})


def test_rows_are_what_was_written(folder):
    split = Split(np.array([0, 3]), np.array([1]), np.array([2]))
    codes = np.array([0, 1, 0, 1])
    attribute = Protected("sex", "binary", codes.astype(float), codes, ("f", "m"))
    rows = Rows(np.arange(4.0)[:, None], (attribute,), np.array([5, 5, 6, 6]), (split, split))
    folder.write_rows("0-d", rows)
    facts = {
        "file": "0-d",
        "protected": [{"name": "sex", "kind": "binary", "labels": ["f", "m"], "small": []}],
    }
    folder.write_manifest({"datasets": {"d": facts}})
    found = folder.rows("d")
    np.testing.assert_array_equal(found.targets, rows.targets)
    np.testing.assert_array_equal(found.clusters, rows.clusters)
    np.testing.assert_array_equal(found.protected[0].values, attribute.values)
    assert found.protected[0].labels == ("f", "m")
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(found.splits[1][part], split[part])


def test_another_layout_is_refused(folder):
    folder.write_manifest({})
    write_json(folder.path / "manifest.json", {"format": 2})
    with pytest.raises(RunFolderError, match="has layout 2; this fairbench reads layout 1"):
        folder.read_manifest()


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_a_manifest_that_is_none(folder, text):
    folder.path.mkdir()
    (folder.path / "manifest.json").write_text(text)
    with pytest.raises(RunFolderError, match="the manifest cannot be read"):
        folder.read_manifest()


def test_no_run_folder(folder):
    with pytest.raises(RunFolderError, match="is no run folder"):
        folder.read_manifest()


def test_a_folder_has_one_writer(folder):
    with folder.locked(), pytest.raises(RunFolderError, match="another fairbench is writing"):
        RunFolder(folder.path).locked().__enter__()
    with folder.locked():
        pass


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(at, tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(*(("os.fsync", full) if at == "fsync" else (Path, "replace", full)))
        error = pytest.raises(RunFolderError, match="No space left on device")
        with error as caught, writing(tmp_path):
            write_bytes(path, b"new")
    assert caught.value.exit_code == 2
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


RIDGE = Study(
    methods=["ridge", "mean"],
    datasets=["synthetic"],
    baseline=None,
    seeds=2,
    metrics=["rmse"],
    disparity="rmse-disparity",
)


def tables(path: Path) -> dict[str, bytes]:
    files = [*path.glob("*.parquet"), *path.glob("chunks/*.npz")]
    return {file.name: file.read_bytes() for file in files}


def test_a_run_repairs_what_was_damaged(tmp_path):
    out = tmp_path / "run"
    fairbench.run(RIDGE, out=out, executor="serial")
    before = tables(out)
    one, two, three, four = sorted(out.glob("chunks/*.npz"))
    cut(one)
    flip(two)
    three.with_suffix(".json").write_text("{")
    at = four.stat().st_mtime_ns
    run = fairbench.run(RIDGE, out=out, executor="serial")
    assert tables(out) == before
    assert four.stat().st_mtime_ns == at
    assert run.manifest["progress"]["chunks_done"] == 4


def test_a_disk_that_fills_up_keeps_what_was_finished(tmp_path, monkeypatch):
    written = []
    real = RunFolder.write_chunk

    def filling(self, key, *rest):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / key))
        written.append(key)
        real(self, key, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_chunk", filling)
        with pytest.raises(RunFolderError, match="cannot be written: No space left") as caught:
            fairbench.run(RIDGE, out=tmp_path / "run", executor="serial")
    assert "run the same command again" in caught.value.mend
    folder = RunFolder(tmp_path / "run")
    assert set(folder.finished()) == set(written)
    assert folder.read_manifest()["progress"]["chunks_done"] == 2
    run = fairbench.run(RIDGE, out=tmp_path / "run", executor="serial")
    assert run.manifest["progress"]["trials_done"] == 4


def test_costs_are_summed_over_the_chunks_on_disk(tmp_path):
    out = tmp_path / "run"
    fairbench.run(RIDGE, out=out, executor="serial")
    manifest = json.loads((out / "manifest.json").read_text())
    trained_for = manifest["progress"]["train_seconds"]
    manifest["progress"] |= {"model_steps": 0, "train_seconds": 0.0, "wall_seconds": 100.0}
    (out / "manifest.json").write_text(json.dumps(manifest))  # as a kill would leave it
    progress = fairbench.run(RIDGE, out=out, executor="serial").manifest["progress"]
    assert progress["train_seconds"] == pytest.approx(trained_for, abs=0.01)
    assert progress["wall_seconds"] > 100
    assert progress["trials_per_second"] == pytest.approx(4 / progress["wall_seconds"], abs=1e-3)
