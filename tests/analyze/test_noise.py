import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.analyze import (
    Axes,
    Run,
    View,
    beyond_noise,
    chance,
    noise_floor,
    permuted,
    smallest_p,
)
from fairbench.analyze.held_out import HeldOut
from fairbench.analyze.noise import seed_deviation
from fairbench.analyze.permutation import dealt
from fairbench.dataset import Protected
from fairbench.plugins import load

AXES = Axes("err", "gap")


def fronts(values):
    """A fronts table of the baseline with disparity `values` (splits, seeds)."""
    rows = [
        {
            "dataset": "d",
            "target": "y",
            "protected": "a",
            "method": "base",
            "split": split,
            "seed": seed,
            "value": np.nan,
            "error": 1.0,
            "disparity": value,
            "selection_error": 1.0,
            "selection_disparity": value,
            "front": True,
        }
        for split, row in enumerate(values)
        for seed, value in enumerate(row)
    ]
    return pd.DataFrame(rows)


def test_spread_over_seeds_and_over_splits():
    values = np.array([[1.0, 3.0], [4.0, 8.0], [2.0, 2.0]])
    found = noise_floor(fronts(values), AXES, "base").iloc[0]
    assert found["seed_sd"] == pytest.approx(np.sqrt((2 + 8 + 0) / 3))
    assert found["split_sd"] == pytest.approx(np.std([2.0, 6.0, 2.0], ddof=1))
    assert (found["disparity"], found["low"], found["high"]) == (10 / 3, 1.0, 8.0)


def test_one_seed_per_split_tells_nothing_of_seeds():
    found = noise_floor(fronts([[0.25], [0.73], [0.14]]), AXES, "base").iloc[0]
    assert np.isnan(found["seed_sd"])
    assert found["split_sd"] == pytest.approx(np.std([0.25, 0.73, 0.14], ddof=1))


def test_seed_deviation_ignores_what_splits_differ_by():
    rng = np.random.default_rng(0)
    splits = np.repeat(np.arange(500), 4)
    values = rng.normal(scale=0.3, size=2000) + 10 * rng.normal(size=500)[splits]
    assert seed_deviation(values, splits.astype(float)) == pytest.approx(0.3, rel=0.05)


def test_beyond_noise_counts_the_observation_itself():
    null = np.arange(99.0)
    assert beyond_noise(1000.0, null) == pytest.approx(0.01)
    assert beyond_noise(-1.0, null) == 1.0
    assert beyond_noise(98.0, null) == pytest.approx(0.02)
    assert np.isnan(beyond_noise(1.0, np.array([np.nan])))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 99))
def test_clusters_swap_their_labels_whole(sizes, seed):
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    source = dealt(clusters, len(clusters), rng)
    donors = clusters[source]
    for cluster in np.unique(clusters):
        assert len(np.unique(donors[clusters == cluster])) == 1
    given_to = [np.unique(donors[clusters == c])[0] for c in np.unique(clusters)]
    assert sorted(given_to) == list(range(len(sizes)))


def test_rows_without_clusters_are_permuted():
    assert sorted(dealt(None, 9, np.random.default_rng(0))) == list(range(9))


def test_unequal_clusters_take_labels_in_proportion():
    clusters = np.array([0, 0, 0, 0, 1, 1])
    found = [dealt(clusters, 6, np.random.default_rng(seed)) for seed in range(20)]
    swapped = [source for source in found if clusters[source[0]] == 1]
    assert swapped
    for source in swapped:
        assert sorted(source[:4]) == [4, 4, 5, 5]
        assert sorted(source[4:]) == [0, 2]
    assert len({tuple(source) for source in swapped}) > 2  # and rows within a cluster swap too


def test_labels_that_differ_within_every_cluster_alike_are_dealt_as_well():
    """Twelve people, each with rows of both groups: whole patterns alone would change nothing."""
    clusters = np.repeat(np.arange(12), np.arange(4, 16))
    place = np.arange(len(clusters)) - np.searchsorted(clusters, clusters)
    groups = (place < 2).astype(np.int64)
    shift = np.random.default_rng(0).normal(size=12)[clusters] + 2.0 * groups
    tested = [HeldOut((shift + np.sin(7 * np.arange(len(shift))))[None], 0 * shift, np.arange(114))]
    metric = load().find("metric", "residual-gap")
    rng = np.random.default_rng(1)
    found = chance(metric, labels(groups), clusters, tested, rng)
    assert found.smallest_p == 0.005
    assert found.powerless == ""
    assert found.p <= 0.01


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((6, 6), 2 / 924), ((4, 8), 1 / 495), ((1, 11), 1 / 12), ((2, 2), 2 / 6), ((1, 1, 1), 1.0)],
)
def test_few_clusters_leave_few_deals(counts, expected):
    people = np.repeat(np.arange(len(counts)), counts)  # the group of each person
    clusters = np.repeat(np.arange(len(people)), 1 + np.arange(len(people)) % 3)
    attribute = Protected("a", "categorical", 1.0 * people, people, tuple("abc"[: len(counts)]))
    every = np.arange(len(clusters))
    assert smallest_p(attribute.rows(clusters), clusters, every) == pytest.approx(expected)
    # Rows are units of their own where there are no clusters.
    assert smallest_p(attribute, None, np.arange(len(people))) == pytest.approx(expected)


def test_untested_clusters_leave_deals_too():
    people = np.array([0, 0, 1, 1, 1, 1])
    attribute = labels(people)
    # The two tested people, one of each group, keep their labels with probability 2/6 · 4/5,
    # and nothing is told from that by which is which.
    assert smallest_p(attribute, people.cumsum(), np.array([0, 2])) <= 1
    found = smallest_p(attribute, np.arange(6), np.array([0, 2]))
    assert found == pytest.approx(2 / 6 * 4 / 5)


def test_a_test_without_power_says_so():
    groups = np.repeat([0, 0, 1, 1], 50).astype(np.int64)
    clusters = np.repeat(np.arange(4), 50)
    y = 9.0 * groups + np.random.default_rng(0).normal(size=200)
    tested = [HeldOut(y[None], 0 * y, np.arange(200))]
    metric = load().find("metric", "residual-gap")
    found = chance(metric, labels(groups), clusters, tested, np.random.default_rng(0))
    assert found.p > 0.05
    assert found.powerless == "with 4 tested clusters no p-value can be below 0.33"
    alone = chance(metric, labels(groups), None, tested, np.random.default_rng(0))
    assert (alone.powerless, alone.p) == ("", 0.005)


def test_equal_means_are_not_told_apart_by_unequal_spread():
    """The smaller group is the more spread one: dealing labels finds 40 % unfair."""
    groups = np.repeat([0, 1], [90, 10]).astype(np.int64)
    metric = load().find("metric", "residual-gap")
    plain, found = [], []
    for study in range(60):
        rng = np.random.default_rng(study)
        y = rng.normal(size=100) * np.where(groups == 1, 3.0, 1.0)
        tested = [HeldOut(y[None], 0 * y, np.arange(100))]
        result = chance(metric, labels(groups), None, tested, rng, draws=59)
        found.append(result.p <= 0.05)
        null = permuted(metric, labels(groups), None, tested, rng, draws=59)
        gap = abs(y[90:].mean() - y[:90].mean())
        plain.append(beyond_noise(gap, null.losses) <= 0.05)
    assert result.test == "studentised"
    assert np.mean(plain) > 0.2
    assert np.sum(found) <= 9  # 3 expected, 99.9 % limit


def test_what_chance_gives_has_the_metrics_own_sign_and_scale():
    groups = np.repeat([0, 1], 100).astype(np.int64)
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    tested = [HeldOut((target + rng.normal(size=200))[None], target, np.arange(200))]
    for name, best in [("r2-worst", "high"), ("rmse-worst", "low"), ("rmse-ratio", "one")]:
        metric = load().find("metric", name)
        (own,) = metric.load()(tested[0].prediction, target, labels(groups))
        found = chance(metric, labels(groups), None, tested, rng, best=best)
        assert found.null_mean == pytest.approx(own, abs=0.4)
        worse = found.null_high - found.null_mean
        assert worse > 0 if best == "low" else worse < 0


def test_metrics_that_compare_no_means_are_tested_by_exchanging_labels():
    groups = np.repeat([0, 1], 60).astype(np.int64)
    rng = np.random.default_rng(2)
    prediction = rng.normal(size=(1, 120)) + groups
    tested = [HeldOut(prediction, np.zeros(120), np.arange(120))]
    found = chance(load().find("metric", "ks-parity"), labels(groups), None, tested, rng)
    assert found.test == "exchangeable"
    assert found.p == 0.005


def labels(groups):
    return Protected("a", "binary", groups.astype(float), groups, ("f", "m"))


def p_value(metrics, rng, *, people, each, fair, by_cluster=True):
    """One study of a baseline whose errors depend on the person, and on the group if unfair."""
    clusters = np.repeat(np.arange(people), each)
    groups = (clusters % 2).astype(np.int64)
    scale = np.exp(rng.normal(scale=0.6, size=people))[clusters]
    residual = rng.normal(size=people * each) * scale * (1 + (0 if fair else 3.0) * groups)
    order = rng.permutation(people)
    tested = []
    for part in (order[: people // 2], order[people // 4 : 3 * people // 4]):
        rows = np.flatnonzero(np.isin(clusters, part))
        tested.append(HeldOut(residual[None, rows], np.zeros(rows.size), rows))
    metric = metrics.find("metric", "fixture:gap")
    observed = np.mean(
        [metric.load()(t.prediction, t.target, labels(groups).rows(t.rows))[0] for t in tested]
    )
    found = permuted(
        metric, labels(groups), clusters if by_cluster else None, tested, rng, draws=59
    )
    return beyond_noise(observed, found.losses)


def test_a_fair_baseline_is_seldom_called_unfair(metrics):
    found = [
        p_value(metrics, np.random.default_rng(i), people=24, each=8, fair=True) for i in range(120)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.12  # 5 % expected, 99.9 % limit of 120 draws
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.16)


def test_an_unfair_baseline_is_found_out(metrics):
    found = [
        p_value(metrics, np.random.default_rng(i), people=24, each=8, fair=False) for i in range(20)
    ]
    assert np.mean(np.array(found) <= 0.05) >= 0.9


def test_rows_of_one_person_are_not_many_people(metrics):
    wrong = [
        p_value(metrics, np.random.default_rng(i), people=24, each=40, fair=True, by_cluster=False)
        for i in range(40)
    ]
    assert np.mean(np.array(wrong) <= 0.05) > 0.3  # what the clusters protect from


def test_on_runs(make_run, metrics):
    def unfair(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (0.2 + groups[:, None])

    def fair(trial, y, groups, rng):
        return y + rng.normal(size=y.shape)

    found = Run(make_run("unfair", predict=unfair, rows=200, seeds=(0, 1)).path).noise().iloc[0]
    assert found["p"] == pytest.approx(0.005)
    assert found["null_mean"] < found["null_high"] < found["disparity"]
    path = make_run("fair", predict=fair, rows=200).path
    first = Run(path).noise()
    assert first["p"].item() > 0.05
    pd.testing.assert_frame_equal(first, Run(path).noise())  # the same draws every time
    turned = Run(path).noise(View(disparity="closeness")).iloc[0]
    assert turned["disparity"] == -first["disparity"].item()
    assert turned["loss"] == first["loss"].item()
    assert turned["p"] == first["p"].item()


def test_a_sweeping_baseline_is_tested_at_its_point(make_run, metrics):
    def predict(trial, y, groups, rng):
        wrong = 0.1 if trial.value == 2.0 else 5 * groups[:, None]
        return y + rng.normal(size=y.shape) * wrong

    run = Run(make_run(methods={"base": (1.0, 2.0)}, predict=predict, rows=200).path)
    assert run.noise()["disparity"].item() < 0.1
    assert run.noise()["p"].item() > 0.01
    assert run.noise()["null_mean"].item() < 0.1
