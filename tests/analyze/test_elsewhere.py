import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Run, seen_elsewhere


def table(splits, seeds, values=(1.0, 2.0), method="m"):
    return pd.DataFrame(
        [
            {"method": method, "split": split, "seed": seed, "value": value}
            for split in range(splits)
            for seed in seeds(split)
            for value in values
        ]
    )


def by_hand(points, losses, several):
    """The definition, row by row."""
    found = []
    for number, row in enumerate(points.itertuples()):
        others = [
            losses[k]
            for k, other in enumerate(points.itertuples())
            if (other.method, other.value) == (row.method, row.value)
            and k != number
            and (other.split == row.split if several else True)
            and np.isfinite(losses[k])
        ]
        alone = np.nan if not others or not np.isfinite(losses[number]) else np.mean(others)
        found.append(alone)
    return found


def test_other_seeds_of_the_same_split():
    points = pd.concat([table(3, lambda _: range(4)), table(3, lambda _: range(4), method="n")])
    losses = np.random.default_rng(0).normal(size=(len(points), 2))
    losses[5, 0] = np.nan
    found = seen_elsewhere(points, losses, ["method"])
    expected = by_hand(points, losses[:, 0], several=True)
    assert found[:, 0] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found[5]).all()  # what has no value itself cannot be chosen


def test_other_splits_where_each_has_one_seed():
    points = table(5, lambda split: [split])
    losses = np.random.default_rng(1).normal(size=(len(points), 1))
    found = seen_elsewhere(points, losses, ["method"])
    assert found[:, 0] == pytest.approx(by_hand(points, losses[:, 0], several=False))


def test_values_without_a_tradeoff_are_one_value():
    points = table(4, lambda split: [split], values=(np.nan,))
    found = seen_elsewhere(points, np.array([[1.0], [2.0], [3.0], [6.0]]), ["method"])
    assert found[:, 0].tolist() == pytest.approx([11 / 3, 10 / 3, 3.0, 2.0])


def test_a_seed_does_not_see_its_own_luck():
    """Whatever a seed's own validation rows say, its choice stays."""
    points = table(1, lambda _: range(3), values=(1.0, 2.0, 3.0))
    losses = np.random.default_rng(2).normal(size=(9, 1))
    before = seen_elsewhere(points, losses, ["method"])
    losses[:3] -= [[5.0], [0.0], [9.0]]
    after = seen_elsewhere(points, losses, ["method"])
    assert after[:3] == pytest.approx(before[:3])
    assert not np.allclose(after[3:], before[3:])


def test_a_single_training_has_nothing_else():
    points = table(1, lambda _: [0])
    losses = np.array([[1.0], [2.0]])
    assert seen_elsewhere(points, losses, ["method"]).tolist() == losses.tolist()


def test_fronts_of_a_run_are_chosen_elsewhere(make_run, metrics):
    run = Run(make_run(splits=2, seeds=(0, 1)).path)
    seen = run.metrics().query("part == 'validation'")
    for row in run.fronts().itertuples():
        same = (seen["value"] == row.value) | (seen["value"].isna() & np.isnan(row.value))
        other = seen[same & (seen["method"] == row.method) & (seen["split"] == row.split)]
        other = other[other["seed"] == 1 - row.seed]
        assert row.selection_disparity == pytest.approx(other["gap"].item())
        assert row.selection_error == pytest.approx(other["err"].item())


def test_distances_to_one_do_not_cancel(make_run, metrics, monkeypatch):
    from fairbench.analyze import Axes, fronts_table

    run = Run(make_run(splits=1, seeds=(0, 1, 2), methods={"m": (1.0,)}).path)
    ratio = run.metrics()
    ratio["ratio"] = [1.5 if seed == 2 else 0.5 for seed in ratio["seed"]]
    found = fronts_table(ratio, "validation", Axes("err", "ratio", "low", "one"))
    assert found["selection_disparity"].tolist() == [1.5, 1.5, 1.5]
