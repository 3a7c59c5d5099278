"""Who is near whom: ties, duplicates and the order of rows; stored where a metric asks for it."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import fairbench
from fairbench import neighbours
from fairbench.analyze import View
from fairbench.errors import StudyError
from fairbench.neighbours import Neighbours, nearest
from fairbench.store import RunFolder


def membership(near):
    """The weight of each row in the mean of each measured row, (m, n), by unit vectors."""
    return near.means(np.eye(len(near.places))).T


def test_means_are_those_over_the_nearest_rows_of_scikit_learn():
    rng = np.random.default_rng(0)
    features, values = rng.normal(size=(80, 3)), rng.normal(size=(2, 80))
    index = NearestNeighbors(n_neighbors=5).fit(features).kneighbors(return_distance=False)
    own = np.arange(80)[:, None]
    index = np.concatenate([own, index[:, :4]], axis=1)  # of others, itself put before them
    np.testing.assert_allclose(nearest(features).means(values), values[:, index].mean(axis=-1))


@pytest.mark.parametrize("distinct", [1, 2, 3, 7, 40])
def test_a_row_is_among_its_own_neighbours_however_many_equal_it(distinct):
    rng = np.random.default_rng(distinct)
    features = rng.normal(size=(distinct, 2))[rng.integers(0, distinct, 60)]
    weights = membership(nearest(features))
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights.diagonal() >= 0.2 - 1e-12).all()
    assert (weights >= -1e-12).all()


def test_duplicates_share_what_is_left_for_them():
    """Seven equal rows and a near one: itself, four of the six others; none of the near."""
    features = np.array([[0.0]] * 7 + [[1.0]])
    weights = membership(nearest(features))
    expected = np.full(8, 4 / 6 / 5)
    expected[0], expected[7] = 0.2, 0.0
    np.testing.assert_allclose(weights[0], expected, atol=1e-12)
    np.testing.assert_allclose(weights[7], [*[4 / 7 / 5] * 7, 0.2], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_plays_no_part(seed):
    """On a lattice nearly all distances are tied, and most rows have duplicates."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 4, (200, 3)).astype(float)
    values, order = rng.normal(size=200), rng.permutation(200)

    def scaled(rows):
        return (rows - rows.mean(axis=0)) / rows.std(axis=0)

    straight, shuffled = nearest(scaled(features)), nearest(scaled(features[order]))
    np.testing.assert_allclose(shuffled.means(values[order]), straight.means(values)[order])
    moved = straight.rows(order)
    np.testing.assert_allclose(moved.means(values[order]), straight.means(values)[order])


def test_of_very_many_places_a_stated_sample_is_measured(monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_PLACES", 100)
    rng = np.random.default_rng(0)
    features, values = rng.normal(size=(1000, 2)), rng.normal(size=1000)
    whole = np.sin(features[:, 0]) + 0.1 * values
    near, order = nearest(features), rng.permutation(1000)
    assert len(near.of) == 100
    assert near.sampled == "on 100 of 1,000 places in features, drawn with seed 1000"
    assert np.array_equal(np.sort(order[nearest(features[order]).of]), near.of)
    monkeypatch.setattr(neighbours, "MOST_PLACES", 1000)
    every = nearest(features)
    assert every.sampled == ""
    # They are near to rows at any place.
    np.testing.assert_allclose(near.means(whole), every.means(whole)[near.of])


def test_what_is_stored_comes_back():
    near = nearest(np.random.default_rng(0).integers(0, 3, (50, 2)).astype(float))
    values = np.random.default_rng(1).normal(size=50)
    again = Neighbours.from_arrays(near.arrays())
    assert np.array_equal(again.means(values), near.means(values))


def study(**options):
    return fairbench.Study(
        methods=["ridge", "mean"], datasets=["boston"], seeds=1, baseline=None, **options
    )


def test_neighbours_of_held_out_rows_are_stored_and_used(tmp_path):
    run = fairbench.run(study(), out=tmp_path / "run", executor="serial")
    rows = RunFolder(tmp_path / "run").rows("boston")
    assert rows.neighbours[0, "test"].places.shape == rows.splits[0]["test"].shape
    assert set(rows.neighbours) == {(0, "validation"), (0, "test")}
    found = run.metrics().set_index(["method", "part"])["consistency"]
    assert found["mean", "test"] == 1
    assert 0.8 < found["ridge", "test"] < 1


def test_a_run_that_no_individual_metric_asks_stores_none_and_says_how_to_get_one(
    tmp_path, monkeypatch
):
    def refuse(features):
        raise AssertionError("neighbours were looked for")

    with monkeypatch.context() as patched:
        patched.setattr("fairbench.session.nearest", refuse)
        run = fairbench.run(study(metrics=["mae"]), out=tmp_path / "run", executor="serial")
    assert not RunFolder(tmp_path / "run").rows("boston").neighbours
    with pytest.raises(StudyError, match="no metric 'consistency'") as told:
        run.fronts(View(disparity="consistency"))
    assert "--metric consistency" in told.value.hint
    again = fairbench.run(
        study(metrics=["mae", "consistency"]), out=tmp_path / "run", executor="serial"
    )
    assert again.manifest["progress"]["chunks_done"] == 2
    assert again.metrics()["consistency"].notna().all()


def test_metrics_of_a_run_without_neighbours_are_missing_with_the_reason(tmp_path):
    run = fairbench.run(study(), out=tmp_path / "run", executor="serial")
    folder = RunFolder(tmp_path / "run")
    facts = folder.rows("boston")
    bare = type(facts)(facts.targets, facts.protected, facts.clusters, facts.splits)
    folder.write_rows(folder.manifest["datasets"]["boston"]["file"], bare)
    table = fairbench.Run(run.path).metrics()
    assert table["consistency"].isna().all()
    assert table["reasons"].str.contains("stored no neighbours.*--metric consistency").all()


def test_a_report_says_that_a_metric_was_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_PLACES", 20)
    run = fairbench.run(study(), out=tmp_path / "run", executor="serial")
    assert any("consistency of boston is measured on 20 of" in note for note in run.notes)
