"""Every bit of the small files of a run, some bits of the others, a disk full at each write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import fairbench
from fairbench.errors import RunFolderError
from fairbench.store import RunFolder, verify
from fairbench.study import Study

pytestmark = [pytest.mark.stress, pytest.mark.timeout(1800)]

STUDY = Study(
    methods=["ridge", "mean"],
    datasets=["synthetic"],
    baseline=None,
    seeds=2,
    metrics=["rmse"],
    disparity="rmse-disparity",
)
SAMPLED = 500
"""Bits that flip in each archive of arrays."""


def train(out: Path):
    return fairbench.run(STUDY, out=out, executor="serial")


def tables(out: Path) -> dict[str, bytes]:
    files = [*out.glob("*.parquet"), *out.glob("chunks/*.npz")]
    return {file.name: file.read_bytes() for file in files}


def noticed(read, file: Path) -> bool:
    """Whether a reader refuses the file with a message of ours; anything else is a defect."""
    try:
        return not read(file)
    except RunFolderError as error:
        return bool(error.where and error.hint)


def reader(out: Path, file: Path):
    """The least that reads `file` as a report does: True where it believes it."""
    if file.parent == out:
        return lambda path: RunFolder(path.parent).read_manifest() is not None
    if file.parent.name == "rows":
        folder = RunFolder(out)
        return lambda path: folder.rows("synthetic") is not None
    folder = RunFolder(out)

    def read(path: Path) -> bool:
        (chunk,) = [chunk for chunk in folder.chunks() if chunk.path.stem == path.stem]
        return chunk.prediction("test") is not None

    return read


def test_no_bit_flips_unnoticed(tmp_path):
    out = tmp_path / "run"
    train(out)
    rng = np.random.default_rng(0)
    flips = 0
    for file in sorted([*out.rglob("*.json"), *out.rglob("*.npz")]):
        if file.name == "plan.json":
            continue  # as the manifest, and read by `verify` alone
        content, read = file.read_bytes(), reader(out, file)
        bits = range(8 * len(content))
        if file.suffix == ".npz":
            bits = rng.choice(8 * len(content), SAMPLED, replace=False).tolist()
        for bit in bits:
            altered = bytearray(content)
            altered[bit // 8] ^= 1 << bit % 8
            file.write_bytes(altered)
            assert noticed(read, file), (file, bit)
            flips += 1
        file.write_bytes(content)
    assert verify(out).whole
    assert flips > 50_000
    print(f"{flips} bits flipped, all noticed")


def finished(out: Path) -> bool:
    """Whether a run came to its end; another end than with a message of ours is a defect."""
    try:
        train(out)
    except RunFolderError as error:
        return "cannot be written" not in error.what
    return True


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_disk_that_fails_at_any_write_costs_nothing_that_was_finished(
    number, tmp_path, monkeypatch
):
    train(tmp_path / "whole")
    expected = tables(tmp_path / "whole")
    real = os.fsync
    for at in range(100):
        out, calls = tmp_path / f"run{at}", []

        def failing(descriptor, calls=calls, at=at):
            calls.append(descriptor)
            if len(calls) > at:
                raise OSError(number, os.strerror(number))
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", failing)
            if finished(out):
                break
        train(out)
        assert tables(out) == expected, at
        assert verify(out).whole, at
    assert at > 20
