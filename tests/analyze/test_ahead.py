"""Metrics of finished chunks, computed while others are still trained."""

import pandas as pd

from fairbench.analyze import Ahead, Run
from fairbench.analyze import tables as tables_module


def test_what_was_measured_ahead_is_what_would_be_computed(make_run, metrics, monkeypatch):
    folder = make_run(broken=[("tuned", 1.0, 2)])
    expected = Run(folder.path).metrics()
    ahead = Ahead(folder.path)
    for chunk in folder.chunks():
        ahead.add(chunk.key)
    ahead.finish()
    monkeypatch.setattr(tables_module, "measured", None)  # nothing is left to compute
    pd.testing.assert_frame_equal(Run(folder.path, ahead=ahead).metrics(), expected)


def test_a_chunk_that_changed_meanwhile_is_measured_again(make_run, metrics):
    folder, other = make_run(), make_run("other", seed=1)
    ahead = Ahead(folder.path)
    for key in ("tuned-0", "tuned-1", "never-trained"):
        ahead.add(key)
    ahead.finish()
    chunks = {chunk.key: chunk for chunk in folder.chunks()}
    assert ahead.of(chunks["tuned-0"]) is not None
    assert ahead.of(chunks["base-0"]) is None
    for suffix in (".npz", ".json"):
        file = f"chunks/tuned-0{suffix}"
        (folder.path / file).write_bytes((other.path / file).read_bytes())
    pd.testing.assert_frame_equal(
        Run(folder.path, ahead=ahead).metrics(), Run(folder.path).metrics()
    )
    assert ahead.of(folder.chunk("tuned-0")) is None


def test_an_error_ends_nothing(make_run, metrics, monkeypatch):
    folder = make_run()
    damaged = folder.path / "chunks/base-0.npz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    ahead = Ahead(folder.path)
    ahead.add("base-0")
    ahead.add("base-1")
    ahead.finish()
    assert ahead.of(folder.chunk("base-0")) is None
    assert ahead.of(folder.chunk("base-1")) is not None


def test_nothing_more_is_taken_in_hand_after_closing(make_run, metrics):
    ahead = Ahead(make_run().path)
    ahead.close()
    ahead.add("base-0")
    ahead._thread.join(10)
    assert not ahead._thread.is_alive()
    assert not ahead._found
