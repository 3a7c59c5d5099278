"""Every bit of a run counts: damage is found, told, moved aside and trained anew."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fairbench
from fairbench.analyze import Run
from fairbench.cli import main
from fairbench.errors import RunFolderError
from fairbench.method import Trial
from fairbench.store import RunFolder, repair, verify
from fairbench.study import Study

STUDY = Study(
    methods=["ridge", "mean"],
    datasets=["synthetic"],
    baseline=None,
    seeds=2,
    metrics=["rmse"],
    disparity="rmse-disparity",
)


def train(out: Path) -> Run:
    return fairbench.run(STUDY, out=out, executor="serial")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("verify") / "run"
    train(out)
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def sealed(path: Path) -> list[Path]:
    """All files that carry results, or say what they are; tables are computed again."""
    found = (p for p in path.rglob("*") if p.suffix in (".json", ".npz"))
    return sorted(p for p in found if p.name != "tables.json")


def cli(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_finished_run_is_whole(run):
    found = verify(run)
    assert found.whole
    assert str(found.standing) == "4 of 4 chunks"
    result = cli("verify", run)
    assert (result.exit_code, result.stdout) == (0, f"{run}: 4 of 4 chunks\n")


def test_single_bits_are_noticed_wherever_they_flip(run):
    rng = np.random.default_rng(0)
    files = sealed(run)
    assert len(files) == 2 * 4 + 2 + 2
    for file in files:
        content = file.read_bytes()
        for bit in {0, 8 * len(content) - 1, *rng.integers(0, 8 * len(content), 20).tolist()}:
            altered = bytearray(content)
            altered[bit // 8] ^= 1 << bit % 8
            file.write_bytes(altered)
            try:
                noticed = not verify(run).whole
            except RunFolderError as error:
                noticed = bool(error.hint)
            assert noticed, (file, bit)
        file.write_bytes(content)
    assert verify(run).whole


KINDS = ["manifest.json", "plan.json", "chunks/*.json", "chunks/*.npz", "rows/*.json", "rows/*.npz"]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_told_repaired_and_trained_anew(kind, run):
    """Of one file of each kind; that every file is checked is said above."""
    before = {
        file: file.read_bytes() for file in [*run.glob("chunks/*.npz"), *run.glob("*.parquet")]
    }
    file = sorted(run.glob(kind))[-1]
    file.write_bytes(file.read_bytes()[:-7])
    name = str(file.relative_to(run))
    told = cli("verify", run)
    assert (told.exit_code, f"damaged  {name}: " in told.stdout) == (1, True)
    if name != "plan.json":
        for verb in (
            ["report", run],
            ["gate", run, "--against", "none"],
            ["baseline", run, "-o", "b"],
        ):
            refused = cli(*verb)
            assert refused.exit_code == 2, refused.output
    mended = cli("verify", run, "--repair")
    assert mended.exit_code == (0 if name in ("plan.json", "manifest.json") else 1), mended.output
    assert f"{name} was moved to aside/" in mended.stdout
    again = train(run)
    assert verify(run).whole
    assert again.manifest["progress"]["trials_done"] == 4
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("file", ["manifest.json", "plan.json"])
def test_a_manifest_that_is_gone_is_rebuilt(file, run):
    (run / file).unlink()
    if file == "manifest.json":
        assert "lost its manifest" in cli("report", run).stderr
    assert repair(run)
    assert verify(run).whole
    progress = RunFolder(run).manifest["progress"]
    assert (progress["trials_done"], progress["chunks_done"]) == (4, 4)
    assert cli("report", run).exit_code == 0


def test_without_both_manifests_nothing_is_changed(run):
    for name in ("manifest.json", "plan.json"):
        (run / name).write_text("{")
    before = sealed(run)
    result = cli("verify", run, "--repair")
    assert result.exit_code == 2
    assert "nothing tells what this run was" in result.stderr
    assert sealed(run) == before


def test_missing_chunks_and_strangers_are_told(run):
    victim = sorted(run.glob("chunks/*.json"))[0]
    copy = victim.with_name(f"{victim.stem} (conflicted copy).json")
    victim.rename(copy)
    result = cli("verify", run)
    assert result.exit_code == 1
    assert f"missing  chunks/{victim.stem}\n" in result.stdout
    assert f"ignored  chunks/{copy.name}: not of this run\n" in result.stdout
    assert "3 of 4 chunks, 1 missing" in result.stdout
    said = cli("report", run)
    assert said.exit_code == 0
    assert "3 of 4 chunks, 1 missing" in said.stdout
    assert copy.name in said.stdout
    refused = cli("baseline", run, "-o", run.parent / "b.json")
    assert refused.exit_code == 2
    assert "not finished: 3 of 4 chunks" in refused.stderr
    train(run)
    assert copy.exists()
    assert verify(run).whole


def test_a_trial_is_not_ok_and_failed(run):
    folder = RunFolder(run)
    key = folder.keys()[0]
    folder.write_failure(key, [Trial("synthetic", "mean", None, 0, 0)], "MemoryError", "…")
    table = Run(run).trials()
    assert table["status"].tolist() == ["ok"] * 4
    assert cli("report", run).exit_code == 0
    train(run)
    assert not list(run.glob("failures/*"))


def test_an_unreadable_file_stops_and_changes_nothing(run, monkeypatch):
    victim = sorted(run.glob("chunks/*.npz"))[0]
    real = Path.read_bytes

    def failing(self):
        if self == victim:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self)

    before = {file: file.read_bytes() for file in sealed(run)}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        for act in (train, verify, repair):
            with pytest.raises(RunFolderError, match="cannot be read: Input/output error"):
                act(run)
    assert {file: file.read_bytes() for file in sealed(run)} == before


def test_json_for_scripts(run):
    (run / "rows").rename(run / "gone")
    result = cli("verify", run, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["found"]["missing"] == ["rows/0-synthetic.json"]


def test_no_run_folder(tmp_path):
    for extra in ([], ["--repair"]):
        result = cli("verify", tmp_path, *extra)
        assert result.exit_code == 2
        assert "is no run folder" in result.stderr
    assert not list(tmp_path.iterdir())
