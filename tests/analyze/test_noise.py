import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.analyze import Axes, Run, beyond_noise, noise_floor, permuted
from fairbench.analyze.noise import seed_deviation
from fairbench.analyze.permutation import HeldOut, dealt
from fairbench.dataset import Protected

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
    assert beyond_noise(1000.0, null)[2] == pytest.approx(0.01)
    assert beyond_noise(-1.0, null)[2] == 1.0
    assert beyond_noise(98.0, null)[2] == pytest.approx(0.02)
    assert beyond_noise(50.0, null)[0] == 49.0
    assert np.isnan(beyond_noise(1.0, np.array([np.nan]))[2])


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
    for seed in range(20):
        source = dealt(clusters, 6, np.random.default_rng(seed))
        if clusters[source[0]] == 1:
            assert source.tolist() == [4, 4, 5, 5, 0, 2]
            return
    pytest.fail("no swap drawn")


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
    return beyond_noise(observed, found)[2]


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
    turned = Run(path).noise(disparity="closeness").iloc[0]
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
