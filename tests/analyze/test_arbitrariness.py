"""How far predictions move with the seed, against what was planted."""

import numpy as np
import pytest

from fairbench.analyze import Run


@pytest.fixture
def run(make_run, metrics):
    def predict(trial, y, groups, rng):
        """Noise of the seed: 0.2 in the first group, 0.6 in the second; of the row: 1."""
        own = np.random.default_rng(5).normal(size=y.shape)
        return y + own + rng.normal(size=y.shape) * (0.2 + 0.4 * groups[:, None])

    return Run(make_run(splits=4, seeds=(0, 1, 2), rows=400, predict=predict).path)


def test_seeds_move_predictions_by_what_was_planted(run):
    found = run.arbitrariness().set_index(["method", "group"])
    for method in ("base", "tuned"):
        for group, sd in (("f", 0.2), ("m", 0.6)):
            row = found.loc[(method, group)]
            assert row["sd"] == pytest.approx(sd, rel=0.12)
            assert row["low"] < sd < row["high"] * 1.02
            assert row["relative"] == pytest.approx(sd / np.sqrt(1 + sd**2), rel=0.15)
            assert row["most"] > 1.5 * row["sd"]
            assert row["seeds"] == 3
            assert row["groups_p"] < 0.001


def test_it_is_the_deviation_over_seeds_of_every_row(run):
    stacks = {}
    for chunk in run._folder.chunks():
        if chunk.trials[0].method == "base":
            stacks[chunk.trials[0].split] = chunk.prediction("test")[:, :, 0]
    facts = run._folder.rows("toy")
    by_split = [
        stacks[j].var(axis=0, ddof=1)[facts.protected[0].groups[split.test] == 0].mean()
        for j, split in enumerate(facts.splits)
    ]
    found = run.arbitrariness().set_index(["method", "group"]).loc[("base", "f")]
    assert found["sd"] == pytest.approx(np.sqrt(np.mean(by_split)))


def test_one_seed_says_nothing(make_run, metrics):
    assert Run(make_run(name="one").path).arbitrariness().empty


def test_a_method_without_luck_is_not_arbitrary(make_run, metrics):
    def predict(trial, y, groups, rng):
        return 0.5 * y

    found = Run(make_run(seeds=(0, 1), predict=predict).path).arbitrariness()
    assert (found["sd"] == 0).all()
    assert (found["relative"] == 0).all()
    assert found["groups_p"].isna().all()
