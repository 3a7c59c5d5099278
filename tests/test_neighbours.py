"""A run stores who is near whom, and consistency is computed from it."""

import numpy as np

import fairbench
from fairbench.store import RunFolder


def test_neighbours_of_held_out_rows_are_stored_and_used(tmp_path):
    study = fairbench.Study(methods=["ridge", "mean"], datasets=["boston"], seeds=1, baseline=None)
    run = fairbench.run(study, out=tmp_path / "run", executor="serial")
    rows = RunFolder(tmp_path / "run").rows("boston")
    test = rows.splits[0]["test"]
    near = rows.neighbours[0, "test"].index
    assert near.shape == (test.size, 5)
    assert (near == np.arange(test.size)[:, None]).any(axis=1).all()
    assert set(rows.neighbours) == {(0, "validation"), (0, "test")}
    found = run.metrics().set_index(["method", "part"])["consistency"]
    assert found["mean", "test"] == 1
    assert 0.8 < found["ridge", "test"] < 1
