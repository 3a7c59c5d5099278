"""The run folder: whole files or none, damage found, strangers refused."""

from __future__ import annotations

import errno
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
from fairbench.fold import Split
from fairbench.method import Prediction, Trained, Trial
from fairbench.store import Cost, Rows, RunFolder, read_json, write_bytes, write_json, writing
from fairbench.store.arrays import npz, packed, unpacked
from fairbench.store.sealed import seal
from fairbench.study import Study

TRIALS = [Trial("d", "m", value, 0, 0) for value in (0.5, 1.0)]


def trained(rows: int = 4) -> Trained:
    def made(k: int) -> Prediction:
        record = {"epochs": np.array(k)} if k else {}
        return Prediction(np.full((rows, 1), k), np.full((rows, 1), -k), record)

    return Trained([made(0), made(3)], model_steps=12, notes=["remark"])


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.write_manifest({"id": "0123", "chunks": {"one": 2, "two": 2}})
    return folder


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


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", "null", '{"sha256": "0"}', '{\n "sha256": "']
)
def test_damaged_descriptions_are_found(text, stored):
    (stored.path / "chunks/one.json").write_text(text)
    assert set(stored.finished()) == {"two"}


def test_reading_damage_says_which_file_and_what_to_do(stored):
    cut(stored.path / "chunks/one.npz")
    chunk, _ = stored.chunks()
    with pytest.raises(RunFolderError, match="is not what was written") as caught:
        chunk.prediction("test")
    assert caught.value.where.endswith("one.npz")
    assert "fairbench verify RUN" in caught.value.hint
    (stored.path / "chunks/one.json").write_text("{")
    with pytest.raises(RunFolderError, match="is not what was written"):
        list(stored.chunks())


def files(folder: RunFolder) -> set[str]:
    return {str(p.relative_to(folder.path)) for p in folder.path.rglob("*") if p.is_file()}


def test_cleaning_moves_damage_aside_and_removes_what_a_kill_left(stored):
    before = files(stored)
    cut(stored.path / "chunks/two.npz")
    for leftover in (".manifest.json.1.part", "chunks/.one.npz.7.part"):
        (stored.path / leftover).write_text("half")
    stored.clean(stored.finished().keys())
    aside = {"aside/chunks-two.npz", "aside/chunks-two.json"}
    assert files(stored) == before - {"chunks/two.npz", "chunks/two.json"} | aside
    stored.write_chunk("two", TRIALS, trained(), 2.5)
    cut(stored.path / "chunks/two.json")
    stored.clean(stored.finished().keys())
    assert files(stored) >= aside | {"aside/chunks-two.npz.1", "aside/chunks-two.json.1"}


def test_files_of_others_are_left_alone(stored, tmp_path):
    (tmp_path / "elsewhere").write_text("precious")
    (stored.path / "chunks/.link.npz.7.part").symlink_to(tmp_path / "elsewhere")
    (stored.path / "chunks/one (conflicted copy).json").write_text("{")
    (stored.path / "chunks/.vacation.jpg.7.part").write_text("mine")
    (stored.path / ".thesis.tex.7.part").write_text("mine")
    (stored.path / "failures").mkdir()
    (stored.path / "failures/notes.json").write_text("mine")
    before = files(stored)
    stored.clean(stored.finished().keys())
    assert files(stored) == before
    assert [chunk.key for chunk in stored.chunks()] == ["one", "two"]
    assert list(stored.failures()) == []
    assert (tmp_path / "elsewhere").read_text() == "precious"


@pytest.mark.parametrize("name", ["chunks", "failures", "rows", "aside", ".lock"])
def test_no_part_of_the_folder_may_lie_behind_a_link(name, stored, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    if (stored.path / name).exists():
        (stored.path / name).rename(tmp_path / "elsewhere" / name)
    (stored.path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match="symbolic link"), stored.locked():
        pass


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_only_regular_files_are_replaced(kind, tmp_path):
    path = tmp_path / "here"
    {
        "link": lambda: path.symlink_to(tmp_path / "target"),
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
    }[kind]()
    (tmp_path / "target").write_text("precious")
    with pytest.raises(RunFolderError, match="never replaced"), writing(tmp_path):
        write_bytes(path, b"new")
    assert (tmp_path / "target").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["here", "target"]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_swapped_chunks_are_not_believed(suffix, stored):
    one, two = (stored.path / f"chunks/{key}{suffix}" for key in ("one", "two"))
    stored.write_chunk("two", TRIALS[::-1], Trained(trained().predictions[::-1]), 1.0)
    first, second = one.read_bytes(), two.read_bytes()
    assert first != second
    one.write_bytes(second)
    two.write_bytes(first)
    assert stored.finished() == {}
    with pytest.raises(RunFolderError, match="is not what was written"):
        [chunk.prediction("test") for chunk in stored.chunks()]


def test_a_chunk_of_another_run_is_not_believed(stored, tmp_path):
    other = RunFolder(tmp_path / "other")
    other.write_manifest({"id": "another", "chunks": {"one": 2}})
    other.write_chunk("one", TRIALS, trained(), 1.5)
    for suffix in (".npz", ".json"):
        content = (other.path / f"chunks/one{suffix}").read_bytes()
        (stored.path / f"chunks/one{suffix}").write_bytes(content)
    assert set(stored.finished()) == {"two"}
    with pytest.raises(RunFolderError, match="belongs to another run"):
        list(stored.chunks())


@pytest.mark.parametrize("name", ["chunks/one.npz", "chunks/one.json", "manifest.json"])
def test_what_cannot_be_read_is_not_taken_for_damage(name, stored, monkeypatch):
    real = Path.read_bytes

    def failing(self):
        if self == stored.path / name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self)

    before = files(stored)
    stored.__dict__.pop("manifest", None)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        with pytest.raises(RunFolderError, match="cannot be read: Input/output error") as caught:
            stored.finished()
    assert caught.value.where == str(stored.path / name)
    assert files(stored) == before
    assert set(stored.finished()) == {"one", "two"}


def test_a_chunk_wins_over_its_old_failure(stored):
    stored.write_failure("one", TRIALS, "MemoryError", "…")  # what a kill in between leaves
    assert list(stored.failures()) == []
    assert str(stored.standing()) == "2 of 2 chunks"
    stored.clean(stored.finished())
    assert not (stored.path / "failures/one.json").exists()


def test_what_is_missing_is_counted(stored):
    (stored.path / "chunks/one.json").unlink()
    assert str(stored.standing()) == "1 of 2 chunks, 1 missing"
    stored.write_failure("one", TRIALS, "MemoryError", "…")
    assert str(stored.standing()) == "1 of 2 chunks, 1 failed"
    assert [failure["reason"] for failure in stored.failures()] == ["MemoryError"]


def test_text_that_is_no_unicode_can_be_stored(stored):
    stored.write_failure("one", TRIALS, "no file 'caf\udce9.csv'", "…")
    (stored.path / "chunks/one.json").unlink()
    (failure,) = stored.failures()
    assert failure["reason"] == "no file 'caf\udce9.csv'"


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4)),
    st.sampled_from([(0.0, 1.0), (1e8, 2.0), (2_460_000.5, 0.138), (-5.0, 1e-300)]),
)
def test_predictions_come_back_bit_by_bit(numbers, units):
    mean, scale = (np.full(numbers.shape[-1], value) for value in units)
    with np.errstate(all="ignore"):
        standardised = numbers.astype(np.float32).astype(np.float64) * scale + mean
    for given_ in (numbers, standardised):
        for known in (None, (mean, scale)):
            found = unpacked(packed({"test": given_}, known), "test")
            np.testing.assert_array_equal(found.view(np.uint64), given_.view(np.uint64))


@pytest.mark.parametrize("units", [(20.0, 8.0), (1e8, 2.0), (1.7e9, 10.0), (2_460_000.0, 0.14)])
def test_what_networks_predict_takes_four_bytes(units):
    rng = np.random.default_rng(0)
    mean, scale = (np.array([value]) for value in units)
    numbers = rng.normal(size=(3, 500, 1)).astype(np.float32) * scale + mean
    numbers[1] = np.nan  # a trial that diverged
    assert packed({"test": numbers}, (mean, scale))["test"].shape == (4, 3, 500, 1)
    assert packed({"test": numbers}, None)["test"].shape == (8, 3, 500, 1)


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
    folder.write_manifest({"id": "0123", "datasets": {"d": facts}})
    found = folder.rows("d")
    np.testing.assert_array_equal(found.targets, rows.targets)
    np.testing.assert_array_equal(found.clusters, rows.clusters)
    np.testing.assert_array_equal(found.protected[0].values, attribute.values)
    assert found.protected[0].labels == ("f", "m")
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(found.splits[1][part], split[part])


def test_another_layout_is_refused(folder):
    folder.write_manifest({})
    for text in ('{"format": 1, "title": "old"}', seal({"format": 3}).decode()):
        (folder.path / "manifest.json").write_text(text)
        with pytest.raises(RunFolderError, match=r"has layout [13]; this fairbench reads layout 2"):
            folder.read_manifest()


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_a_manifest_that_is_none(folder, text):
    (folder.path / "manifest.json").write_text(text)
    with pytest.raises(RunFolderError, match="the manifest cannot be read"):
        folder.read_manifest()


def test_no_run_folder(folder):
    for name in ("manifest.json", "plan.json"):
        (folder.path / name).unlink()
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
    assert "run the same command again" in caught.value.hint
    folder = RunFolder(tmp_path / "run")
    assert set(folder.finished()) == set(written)
    assert folder.read_manifest()["progress"]["chunks_done"] == 2
    run = fairbench.run(RIDGE, out=tmp_path / "run", executor="serial")
    assert run.manifest["progress"]["trials_done"] == 4


def test_costs_are_summed_over_the_chunks_on_disk(tmp_path):
    out = tmp_path / "run"
    fairbench.run(RIDGE, out=out, executor="serial")
    manifest = dict(RunFolder(out).manifest)
    trained_for = manifest["progress"]["train_seconds"]
    manifest["progress"] |= {"model_steps": 0, "train_seconds": 0.0, "wall_seconds": 100.0}
    RunFolder(out).write_manifest(manifest)  # as a kill would leave it
    progress = fairbench.run(RIDGE, out=out, executor="serial").manifest["progress"]
    assert progress["train_seconds"] == pytest.approx(trained_for, abs=0.01)
    assert progress["wall_seconds"] == 100  # there was nothing to train
    assert progress["trials_per_second"] == pytest.approx(4 / progress["wall_seconds"], abs=1e-3)
