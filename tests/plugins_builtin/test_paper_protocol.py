"""The paper's protocol and method: every reading of the text is an option that does something."""

import numpy as np
import pytest

from fairbench.dataset import Card, Dataset, DatasetSpec, Protected
from fairbench.errors import StudyError
from fairbench.fold import Fold
from fairbench.method import Trial, Work
from fairbench.plugins import load
from fairbench.training import Training
from fairbench.weighting import Step


def protocol(**options):
    return load().find("protocol", "paper").build(options)


def static_alpha(**options):
    return load().find("method", "static-alpha").build(options)


def table(name="boston", rows=506):
    random = np.random.default_rng(0)
    values = random.normal(size=rows)
    groups = (values > np.median(values)).astype(np.int64)
    attribute = Protected("B", "continuous", values, groups, ("low", "high"))
    features = random.normal(size=(rows, 3))
    target = (20 + 5 * features[:, :1]) + random.normal(size=(rows, 1))
    card = Card("t", "s", "l")
    return Dataset(name, features, ("a", "b", "c"), target, ("y",), (attribute,), None, "", card)


@pytest.mark.parametrize(
    ("options", "features"),
    [
        ({}, {"+subject#", "+age"}),
        ({"subject": False}, {"+age"}),
        ({"age": False}, {"+subject#"}),
        ({"total_updrs": True}, {"+subject#", "+age", "+total_UPDRS"}),
        ({"z_input": True}, {"+subject#", "+age", "+sex"}),
    ],
)
def test_inputs_of_parkinson(options, features):
    assert set(protocol(**options).dataset(DatasetSpec("parkinson")).features) == features


def test_inputs_of_boston():
    assert protocol().dataset(DatasetSpec("boston")).features == ()
    assert protocol(z_input=True).dataset(DatasetSpec("boston")).features == ("+B",)


def test_a_column_that_plays_another_part_is_not_added():
    spec = DatasetSpec("parkinson", targets=("total_UPDRS",), protected=("age",))
    added = protocol(total_updrs=True).dataset(spec).features
    assert added == ("+subject#",)
    assert protocol(z_input=True).dataset(spec).features == ("+age", "+subject#")


def test_features_the_user_chose_stay():
    spec = DatasetSpec("parkinson", features=("-test_time",))
    assert protocol().dataset(spec) is spec


def test_z_input_needs_to_know_the_attribute():
    with pytest.raises(StudyError, match="z_input"):
        protocol(z_input=True).dataset(DatasetSpec("student-mat"))
    spec = DatasetSpec("student-mat", protected=("sex",))
    assert protocol(z_input=True).dataset(spec).features == ("+sex",)


def test_training_as_the_text_says():
    parkinson = protocol().training("parkinson")
    assert (parkinson.epochs, parkinson.lr, parkinson.batch_size) == (50, 0.01, 32)
    assert (parkinson.patience, parkinson.chain) == (None, 1)
    boston = protocol().training("boston")
    assert (boston.epochs, boston.lr, boston.batch_size) == (150, 0.001, 32)
    assert (boston.patience, boston.min_delta, boston.chain) == (10, 1e-4, 5)
    assert not boston.scale_targets
    other = protocol(epochs=250, chain=1, early_stopping="off", y_scaled=True).training("boston")
    assert (other.epochs, other.chain, other.patience, other.scale_targets) == (250, 1, None, True)


def test_split_by_row():
    split = protocol().split(table(), 3)
    everyone = np.concatenate([split.train, split.validation, split.test])
    assert np.array_equal(np.sort(everyone), np.arange(506))
    assert (split.test.size, split.validation.size) == (101, 81)
    assert not np.array_equal(split.test, protocol().split(table(), 4).test)


def test_only_stopping_on_validation_takes_rows_from_training():
    stopping = {how: protocol(early_stopping=how).split(table(), 3) for how in ("off", "test")}
    assert stopping["off"].validation.size == 0
    assert np.array_equal(stopping["test"].validation, stopping["test"].test)
    for split in stopping.values():
        assert split.train.size == 405
    assert protocol().split(table("parkinson"), 3).validation.size == 0


@pytest.mark.parametrize(("reading", "expected"), [("equation", [1, 4]), ("table", [4, 1])])
def test_which_way_alpha_runs(reading, expected):
    import torch

    method = static_alpha(reading=reading)
    step = Step(torch.ones(2), torch.tensor(1.0), {}, {}, {})
    weights, _ = method.weighting(table()).weights(step)
    assert weights.tolist() == expected
    assert method.tradeoff.fair_end == {"equation": "low", "table": "high"}[reading]


@pytest.mark.parametrize("grid", ["0.1-5.0", "0.0-4.9"])
def test_grids(grid):
    values = static_alpha(grid=grid).tradeoff.grid
    assert len(set(values)) == 50
    assert f"{values[0]}-{values[-1]}" == grid


def test_scaling_of_target_and_attribute_are_options():
    (_, z) = static_alpha(z_scaled=False).tasks(table())
    assert not z.scaled
    (_, z) = static_alpha().tasks(table())
    assert z.scaled


def trained(scale_targets):
    """Predictions of a network after next to no training."""
    dataset = table(rows=100)
    split = protocol(early_stopping="off").split(dataset, 0)
    training = Training(epochs=1, lr=1e-9, scale_targets=scale_targets)
    trials = [Trial("boston", "static-alpha", 5.0, 0, 0)]
    work = Work(trials, Fold(dataset, split), training)
    return static_alpha().train(work).predictions[0].test


def test_a_target_in_its_own_units_starts_at_zero():
    """Standardised, an untrained network predicts about the mean of 20; in own units about 0."""
    assert abs(trained(scale_targets=True).mean() - 20) < 4
    assert abs(trained(scale_targets=False).mean()) < 2
