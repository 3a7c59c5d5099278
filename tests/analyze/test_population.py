import numpy as np
import pytest

from fairbench.analyze import Run, population_interval, split_overlap
from fairbench.analyze.held_out import HeldOut
from fairbench.analyze.population import Moved, moved, resampled
from fairbench.dataset import Protected
from fairbench.fold import Split

STILL = Moved(np.zeros(4), 0.5)
"""Nothing that training rows do."""


def turning(rows, number):
    """Five folds that take turns, dealt anew after each round."""
    order = np.random.default_rng(number // 5).permutation(rows)
    test, validation, *train = np.roll(order.reshape(5, -1), -(number % 5), axis=0)
    return Split(*(np.sort(part) for part in (np.concatenate(train), validation, test)))


def test_a_run_says_what_holds_beyond_its_rows(make_run, metrics):
    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (1 + (trial.method == "base") * groups[:, None])

    design = {"splits": 10, "seeds": (0, 1), "rows": 400, "split": turning}
    run = Run(make_run(predict=predict, **design).path)
    found = run.population()
    judged = run.verdicts()
    assert found["method"].tolist() == ["tuned"]
    assert judged["population_low"].item() < judged["difference"].item() < 0
    assert "in the population it was drawn from" in judged["sentence"].item()
    assert Run(run.path).population().equals(found)  # the same draws every time
    both = run.all_verdicts().set_index("metric").loc["gap"]
    assert both["population_low"] == judged["population_low"].item()
    assert both["verdict"] == judged["verdict"].item()
    apart = Run(make_run("random", splits=6, rows=400, predict=predict).path)
    assert apart.population()["population_low"].isna().all()  # no two predict the same rows
    described = Run(make_run("test", splits=6, selection="test").path)
    assert described.population().empty


def test_what_was_selected_on_test_rows_is_described_without_conclusions(make_run, metrics):
    inferred = {
        "noise": ["null_mean", "null_high", "p", "smallest_p"],
        "baseline_groups": ["low", "high"],
        "group_intervals": ["low", "high"],
        "group_pairs": ["low", "high", "p", "adjusted_p"],
        "arbitrariness": ["low", "high"],
        "quality": ["low", "high"],
    }
    design = {"splits": 6, "seeds": (0, 1), "rows": 400}
    honest = Run(make_run("honest", **design).path)
    described = Run(make_run("test", selection="test", **design).path)
    for name, columns in inferred.items():
        concluded, told = getattr(honest, name)(), getattr(described, name)()
        assert list(concluded) == list(told)
        assert len(told) == len(concluded)
        assert told[columns].isna().all(axis=None), name
        if len(concluded):
            assert concluded[columns].notna().any().all(), name
    assert len(described.noise()) > 0
    assert len(described.quality()) > 0
    assert described.noise()["disparity"].notna().all()
    assert not described.group_pairs()["evidence"].any()


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
    change = Moved(rng.normal(size=8), 0.5)
    narrow, wide = (
        population_interval(differences, draws, change, r, np.nan, 500) for r in (0.2, 0.6)
    )
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    known = population_interval(differences, draws, change, 0.6, float(change.by.var()) / 2, 500)
    assert known.high - known.low < 0.7 * (wide.high - wide.low)  # seeds, not rows, did it


def test_it_allows_for_test_and_training_rows_that_go_together():
    draws = np.repeat(np.random.default_rng(3).normal(size=(200, 1)), 4, axis=1)
    change = Moved(np.array([-2.0, 2.0, -2.0, 2.0]), 0.5)
    found = population_interval(np.zeros(4), draws, change, 0.5, np.nan, 10_001)
    training = 4 / 2 / (1 - 0.5) * (1 / 4 + 3 / 4 * 0.5)
    error = np.sqrt(training) + draws[:, 0].std(ddof=1)
    assert found.high == pytest.approx(1.96 * error, rel=1e-3)


def test_what_training_rows_do_is_read_off_rows_that_two_models_predict(metrics):
    groups = np.tile([0, 1], 20)
    attribute = Protected("a", "binary", groups.astype(float), groups, ("f", "m"))
    metric = metrics.find("metric", "fixture:gap")
    first, second = np.arange(20), np.arange(20, 40)

    def pair(rows, split, gap):
        return (
            held(gap * groups[rows][None].astype(float), rows, split),
            held(np.zeros((1, 20)), rows, split),
        )

    tested = [pair(first, 0, 1.0), pair(second, 1, 3.0)]
    validated = [pair(second, 0, 2.0), pair(first, 1, 0.5)]
    train = [np.arange(40, 60), np.arange(50, 70)]
    overlap = split_overlap(
        [Split(t, v, e) for t, v, e in zip(train, (second, first), (first, second), strict=True)]
    )
    scale = metric.load()(tested[0][0].prediction, np.zeros(20), attribute.rows(first))[0]
    found = moved(tested, validated, overlap, attribute, metric, "low")
    assert found.by == pytest.approx(scale * np.array([0.5, 1.0]))
    assert found.shared == pytest.approx(0.5)
    assert not moved(tested, [], overlap, attribute, metric, "low").by.size


def test_a_split_that_a_draw_leaves_without_a_group_is_left_out_of_it():
    draws = np.random.default_rng(4).normal(size=(200, 5))
    full = population_interval(np.zeros(5), draws, STILL, 0.5, np.nan, 50)
    draws[::2, 0] = np.nan
    found = population_interval(np.zeros(5), draws, STILL, 0.5, np.nan, 50)
    assert found.high == pytest.approx(full.high, rel=0.3)


def test_without_enough_to_go_by():
    draws = np.zeros((200, 1))
    assert np.isnan(population_interval(np.array([0.3]), draws, STILL, 0.5, np.nan, 50).low)
    lost = np.full((200, 4), np.nan)
    assert np.isnan(population_interval(np.arange(4.0), lost, STILL, 0.5, np.nan, 50).low)
    alone = Moved(np.array([]), np.nan)
    some = np.zeros((200, 4))
    assert np.isnan(population_interval(np.arange(4.0), some, alone, 0.5, np.nan, 50).low)
    same = population_interval(np.full(4, 0.2), np.full((200, 4), 0.2), STILL, 0.5, np.nan, 50)
    assert (same.low, same.high, same.p) == (0.2, 0.2, 0.0)
