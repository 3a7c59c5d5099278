import numpy as np
import pytest

from fairbench.analyze import Run, population_interval
from fairbench.analyze.held_out import HeldOut
from fairbench.analyze.population import resampled
from fairbench.dataset import Protected


def test_a_run_says_what_holds_beyond_its_rows(make_run, metrics):
    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (1 + (trial.method == "base") * groups[:, None])

    run = Run(make_run(splits=6, seeds=(0, 1), rows=400, predict=predict).path)
    found = run.population()
    judged = run.verdicts()
    assert found["method"].tolist() == ["tuned"]
    assert judged["population_low"].item() < judged["difference"].item() < 0
    assert "in the population it was drawn from" in judged["sentence"].item()
    assert Run(run.path).population().equals(found)  # the same draws every time
    described = Run(make_run("test", splits=6, selection="test").path)
    assert described.population().empty


def held(prediction, rows, split):
    return HeldOut(prediction, np.zeros(len(rows)), rows, split)


def test_the_first_draw_is_the_data_themselves(metrics):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 2, 60)
    attribute = Protected("a", "binary", groups.astype(float), groups, ("f", "m"))
    parts = [np.arange(0, 30), np.arange(30, 60)]
    pairs = [
        (held(rng.normal(size=(2, 30)), rows, k), held(rng.normal(size=(2, 30)), rows, k))
        for k, rows in enumerate(parts)
    ]
    metric = metrics.find("metric", "fixture:gap")
    values, seeds = resampled(pairs, attribute, None, metric, "low", rng, draws=20)
    for number, (method, base) in enumerate(pairs):
        labels = attribute.rows(method.rows)
        own, other = (metric.load()(h.prediction, h.target, labels) for h in (method, base))
        assert values[0, number] == pytest.approx(own.mean() - other.mean())
    assert seeds > 0
    assert (values[1:].std(axis=0) > 0).all()


def test_clusters_are_drawn_whole(metrics):
    """One cluster holds all of one group: it is drawn or not, and then many times over."""
    clusters = np.repeat(np.arange(10), 6)
    groups = (clusters % 2).astype(np.int64)
    attribute = Protected("a", "binary", groups.astype(float), groups, ("f", "m"))
    noise = np.repeat(np.random.default_rng(1).normal(size=10), 6)[None]  # the person's own error
    pair = [(held(noise, np.arange(60), 0), held(np.zeros((1, 60)), np.arange(60), 0))]
    metric = metrics.find("metric", "fixture:gap")
    rng = np.random.default_rng(0)
    spread = [
        np.nanstd(resampled(pair, attribute, c, metric, "low", rng, draws=200)[0][1:])
        for c in (clusters, None)
    ]
    assert spread[0] > 1.7 * spread[1]


def test_training_rows_that_splits_share_widen_the_interval():
    rng = np.random.default_rng(2)
    differences, draws = rng.normal(size=8), 0.01 * rng.normal(size=(200, 8))
    narrow, wide = (population_interval(differences, draws, r, np.nan) for r in (0.2, 0.6))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    known = population_interval(differences, draws, 0.6, float(differences.var(ddof=1)))
    assert known.high - known.low < 0.6 * (wide.high - wide.low)  # seeds, not rows, did it


def test_without_enough_to_go_by():
    draws = np.zeros((200, 1))
    assert np.isnan(population_interval(np.array([0.3]), draws, 0.5, np.nan).low)
    lost = np.full((200, 4), np.nan)
    assert np.isnan(population_interval(np.arange(4.0), lost, 0.5, np.nan).low)
    same = population_interval(np.full(4, 0.2), np.full((200, 4), 0.2), 0.5, np.nan)
    assert (same.low, same.high, same.p) == (0.2, 0.2, 0.0)
