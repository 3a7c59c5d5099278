import moocore
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairbench.analyze import (
    Run,
    attainment_difference,
    deployed,
    difference,
    hypervolume,
    indicators,
    mean_over_splits,
    surfaces,
)
from fairbench.analyze.intervals import Correction
from fairbench.errors import StudyError

POINTS = arrays(float, (6, 2), elements=st.sampled_from(np.linspace(0, 1.25, 11).tolist()))


def test_hypervolume_by_hand():
    assert hypervolume(np.array([[0.0, 0.0]])) == 1.0
    assert hypervolume(np.array([[0.5, 0.25], [0.25, 0.75]])) == pytest.approx(0.375 + 0.0625)
    assert hypervolume(np.array([[1.2, 0.0], [0.0, 1.0]])) == 0.0
    assert hypervolume(np.empty((0, 2))) == 0.0


@given(POINTS)
def test_hypervolume_is_the_share_of_the_square_below(points):
    centres = (np.arange(200) + 0.5) / 200
    x, y = np.meshgrid(centres, centres)
    below = np.zeros_like(x, dtype=bool)
    for a, b in points:
        below |= (x >= a) & (y >= b)
    assert hypervolume(points) == pytest.approx(below.mean(), abs=0.011)


def test_indicators_by_hand():
    reference = np.array([[0.0, 0.5], [0.5, 0.0]])
    front = np.array([[0.25, 0.5], [0.5, 0.25]])
    volume, igd, epsilon = indicators(front, front, reference)
    assert volume == pytest.approx(0.5 * 0.75 + 0.25 * 0.5, abs=5e-4)
    assert igd == pytest.approx(0.25)
    assert epsilon == pytest.approx(0.25)
    assert indicators(reference, reference, reference) == (pytest.approx(0.75, abs=5e-4), 0.0, 0.0)
    nothing = np.empty((0, 2))
    assert np.isnan(indicators(nothing, nothing, reference)[1:]).all()


@given(POINTS, POINTS)
def test_indicators_are_the_usual_ones_where_rows_agree(points, reference):
    volume, igd, epsilon = indicators(points, points, reference)
    assert volume == pytest.approx(hypervolume(points), abs=1e-3)
    assert igd == pytest.approx(moocore.igd_plus(points, reference))
    assert epsilon == pytest.approx(moocore.epsilon_additive(points, reference))


def test_what_was_chosen_elsewhere_is_measured_here():
    """Two trials; the better one of the test rows is not the one that was chosen."""
    test = np.array([[0.2, 0.2], [0.6, 0.6]])
    chosen = test[::-1]
    volume, igd, epsilon = indicators(test, chosen, np.array([[0.1, 0.1]]))
    assert volume == pytest.approx(0.4**2, abs=5e-4)
    assert igd == pytest.approx(0.5 * np.sqrt(2))
    assert epsilon == pytest.approx(0.5)


def test_of_trials_that_are_alike_one_is_as_good_as_many():
    rng = np.random.default_rng(0)
    found = {k: [] for k in (1, 5, 40)}
    for _ in range(300):
        test, elsewhere = rng.uniform(0.2, 1.0, size=(2, 40, 2))
        for k in found:
            found[k].append([deployed(test[:k], elsewhere[:k]), hypervolume(test[:k])])
    means = {k: np.mean(values, axis=0) for k, values in found.items()}
    se = np.std(found[1], axis=0)[0] / np.sqrt(300)
    assert means[40][0] == pytest.approx(means[1][0], abs=4 * se)
    assert means[5][0] == pytest.approx(means[1][0], abs=4 * se)
    assert means[40][1] > means[1][1] + 20 * se  # the union of all of them does grow


@given(st.integers(0, 50), st.sampled_from([25, 50, 75, 100]))
def test_attainment_surface_is_reached_by_its_share_of_runs(seed, level):
    rng = np.random.default_rng(seed)
    points, runs = rng.integers(0, 8, size=(20, 2)).astype(float), np.repeat(np.arange(4.0), 5)
    corners = surfaces(points, runs, (level,))[level]

    def reached(at):
        return np.mean([(points[runs == run] <= at).all(1).any() for run in range(4)])

    for at in np.argwhere(np.ones((9, 9))):
        on = (corners <= at).all(1).any()
        assert on == (reached(at) >= level / 100)


@given(st.integers(0, 50))
def test_difference_of_attainment_at_any_point(seed):
    rng = np.random.default_rng(seed)
    first, first_runs = rng.integers(0, 8, (9, 2)).astype(float), np.repeat([0.0, 1.0, 2.0], 3)
    second, second_runs = rng.integers(0, 8, (8, 2)).astype(float), np.repeat([3.0, 4.0], 4)
    rectangles = difference(first, first_runs, second, second_runs)
    assert np.abs(rectangles[:, 4]).max(initial=0) <= 1

    def share(points, runs, at):
        return np.mean([(points[runs == run] <= at).all(1).any() for run in np.unique(runs)])

    for at in rng.uniform(0, 9, size=(40, 2)):
        inside = (rectangles[:, :2] <= at).all(1) & (at < rectangles[:, 2:4]).all(1)
        expected = share(first, first_runs, at) - share(second, second_runs, at)
        assert inside.sum() <= 1
        found = rectangles[inside, 4].item() if inside.any() else 0.0
        assert found == pytest.approx(expected)


@pytest.fixture
def run(make_run, metrics):
    return Run(make_run(splits=4, broken=[("tuned", 0.5, 1)]).path)


def test_the_box_is_fixed_by_the_study(run):
    ((key, box),) = run.boxes().items()
    assert key == ("toy", "y", "sex")
    fronts = run.fronts().dropna(subset=["error", "disparity"])
    assert box.ideal == (fronts["error"].min(), fronts["disparity"].min())
    assert box.reference == pytest.approx(
        (fronts["error"].quantile(0.95), fronts["disparity"].quantile(0.95))
    )
    assert box.scaled(np.array([box.ideal, box.reference])).tolist() == [[0, 0], [1, 1]]


def test_optimism_is_what_test_selection_would_have_added(run):
    found = run.optimism()
    assert len(found) == 2 * 4
    assert (found["gap"] >= 0).all()
    assert (found.query("method == 'base'")["gap"] == 0).all()  # nothing to choose from
    assert found.query("method == 'tuned'")["gap"].sum() > 0
    ((_, box),) = run.boxes().items()
    row = found.query("method == 'tuned' and split == 2").iloc[0]
    fronts = run.fronts().query("method == 'tuned' and split == 2")
    everything = fronts[["error", "disparity"]].to_numpy()
    chosen = fronts[["selection_error", "selection_disparity"]].to_numpy()
    expected = deployed(box.scaled(everything), box.scaled(chosen))
    assert row["honest"] == pytest.approx(expected)
    whole = hypervolume(box.scaled(everything))
    assert row["test_selected"] == pytest.approx(whole, abs=1e-3)


def test_selecting_on_test_has_no_gap_left_to_show(make_run, metrics):
    assert (Run(make_run(selection="test").path).optimism()["gap"] == 0).all()


def test_indicators_of_a_run(run):
    found = run.indicators()
    assert len(found) == 8
    assert found["hypervolume"].between(0, 1).all()
    for _, part in found.groupby("split"):  # the reference front is made of their own points
        assert (part[["igd_plus", "epsilon"]] >= -1e-12).all(axis=None)
    optimism = run.optimism()
    merged = found.merge(optimism, on=["method", "split", "seed"])
    assert merged["hypervolume"].to_numpy() == pytest.approx(merged["honest"].to_numpy())
    means = mean_over_splits(found, ("hypervolume",), run.corrections).set_index("method")
    expected = found.query("method == 'tuned'")["hypervolume"]
    assert means.loc["tuned", "mean"] == pytest.approx(expected.mean())
    assert means.loc["tuned", "low"] <= expected.mean() <= means.loc["tuned", "high"]
    assert means.loc["tuned", "splits"] == 4


def test_attainment_of_a_run(run):
    found = run.attainment()
    assert set(found["level"]) == {25, 50, 75}
    assert set(found["method"]) == {"base", "tuned"}
    for _, part in found.groupby(["method", "level"]):
        assert part["error_loss"].is_monotonic_increasing
        assert part["disparity_loss"].is_monotonic_decreasing
    rectangles = attainment_difference(run.fronts(), run.axes(), "tuned", "base")
    mirrored = attainment_difference(run.fronts(), run.axes(), "base", "tuned")
    assert np.sort(rectangles["difference"]) == pytest.approx(np.sort(-mirrored["difference"]))
    assert rectangles["difference"].abs().max() > 0
    with pytest.raises(StudyError, match="no front of method 'tunned'"):
        attainment_difference(run.fronts(), run.axes(), "tunned", "base")


def test_attainment_of_an_empty_run(run):
    empty = run.fronts().iloc[:0]
    assert isinstance(empty, pd.DataFrame)
    with pytest.raises(StudyError):
        attainment_difference(empty, run.axes(), "a", "b")


def test_an_epsilon_below_zero_has_an_interval():
    """Test rows may be easier than the selection rows that the reference front is made of."""
    table = pd.DataFrame(
        {
            **dict.fromkeys(("target", "protected", "method"), "x"),
            "dataset": "d",
            "split": range(4),
            "seed": 0,
            "epsilon": [-0.02, -0.01, 0.01, -0.03],
        }
    )
    found = mean_over_splits(table, ("epsilon",), {"d": Correction(0.25)}).iloc[0]
    assert found["low"] < found["mean"] < 0 < found["high"]
