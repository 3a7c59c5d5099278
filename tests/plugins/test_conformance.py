"""The conformance kit passes sound components, and each defect fails the test meant for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles
from fairbench.errors import StudyError
from fairbench.facts import Facts
from fairbench.method import Method, OneByOne, Prediction, Tradeoff, Trained, Use
from fairbench.plugins import load
from fairbench.plugins.conformance import (
    DatasetConformance,
    MethodConformance,
    MetricConformance,
    ModelConformance,
    WeightingConformance,
)
from fairbench.weighting import Weighting


def failures(kit: type, component, **attributes) -> set[str]:
    """Names of the kit's tests that fail for the component, without the leading ``test_``."""
    case = type("Case", (kit,), {"component": component, **attributes})()
    failed = set()
    for name in dir(case):
        if name.startswith("test_"):
            try:
                getattr(case, name)()
            except Exception:
                failed.add(name.removeprefix("test_"))
    return failed


def mae(prediction, target, protected):
    return np.abs(prediction - target).mean(-1)


def gap(prediction, target, protected):
    error = np.abs(prediction - target)
    of = [error[..., protected.groups == g].mean(-1) for g in np.unique(protected.groups)]
    return np.max(of, axis=0) - np.min(of, axis=0)


def impure(prediction, target, protected):
    prediction -= target
    return np.abs(prediction).mean(-1)


def random_metric(prediction, target, protected):
    return mae(prediction, target, protected) * np.random.default_rng().uniform()


def over_all_trials(prediction, target, protected):
    return np.abs(prediction - target).mean(-1) / np.abs(prediction - target).max()


def neighbours(prediction, target, protected):
    return np.abs(np.diff(prediction, axis=-1)).mean(-1)


class TestMetricKit:
    @pytest.mark.parametrize("metric", [mae, gap])
    def test_passes_sound_ones(self, metric):
        assert failures(MetricConformance, lambda: metric) == set()

    def test_passes_an_installed_one_by_name(self):
        assert failures(MetricConformance, "mae") == set()

    @pytest.mark.parametrize(
        ("metric", "failed"),
        [
            (impure, "is_pure"),
            (random_metric, "is_pure"),
            (over_all_trials, "vectorised_equals_one_by_one"),
            (neighbours, "order_of_rows_does_not_matter"),
            (lambda p, t, a: np.abs(p - t).mean(), "gives_one_number_per_trial"),
            (lambda p, t, a: np.full(p.shape[:-1], np.nan), "gives_one_number_per_trial"),
            (lambda p, t, a: np.ones(p.shape[:-1]), "tells_predictions_apart"),
            (lambda p, t, a: (p > t).sum(-1), "gives_one_number_per_trial"),
        ],
    )
    def test_fails_defects(self, metric, failed):
        assert failed in failures(MetricConformance, lambda: metric)


@dataclass(frozen=True)
class Dynamic(Weighting):
    """Softmax over the ratio of losses to their last values."""

    def initial_state(self, tasks):
        return {"last": torch.ones(tasks)}

    def weights(self, step):
        ratio = step.losses / step.state["last"].clamp_min(1e-8)
        return torch.softmax(ratio.clamp_max(50.0), -1), {"last": step.losses}


@dataclass(frozen=True)
class Uncertain(Weighting):
    def initial_parameters(self, tasks):
        return {"log_variance": torch.zeros(tasks)}

    def objective(self, losses, step):
        s = step.parameters["log_variance"]
        return (torch.exp(-s) * losses + s).sum(-1), step.state


@dataclass(frozen=True)
class ByGramian(Weighting):
    needs: ClassVar = "gramian"

    def weights(self, step):
        norms = step.gramian.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).sqrt()
        return 1.0 / norms, step.state


@dataclass(frozen=True)
class Noisy(Weighting):
    noisy: ClassVar = True

    def weights(self, step):
        return torch.softmax(step.noise, -1), step.state


@dataclass(frozen=True)
class Static(Weighting):
    def weights(self, step):
        first = torch.ones_like(step.losses[..., :1])
        others = torch.ones_like(step.losses[..., 1:])
        return torch.cat([first, step.tradeoff[..., None] * others], -1), step.state

    def trunk_scale(self, step):
        return -torch.ones_like(step.losses)


class ForFour(Weighting):
    tasks = (4, 4)

    def weights(self, step):
        return step.losses.reshape(*step.losses.shape[:-1], 4), step.state


class Backwards(Weighting):
    tasks = (3, 2)


class Undeclared(Weighting):
    def check_tasks(self, tasks):
        if tasks > 2:
            raise StudyError("two at most")


class OverTheStack(Weighting):
    def weights(self, step):
        return step.losses / step.losses.sum() + 1.0, step.state


class TwoDimensions(Weighting):
    def weights(self, step):
        return torch.ones(2), step.state


class DividesByLosses(Weighting):
    def weights(self, step):
        return 1.0 / step.losses, step.state


class LogOfLosses(Weighting):
    def objective(self, losses, step):
        return losses.log().sum(-1), step.state


class DrawsItself(Weighting):
    def weights(self, step):
        return torch.rand_like(step.losses), step.state


class LosesState(Dynamic):
    def epoch_end(self, losses, state):
        return {}


class StateInPlace(Dynamic):
    def weights(self, step):
        step.state["last"].add_(1.0)
        return torch.ones_like(step.losses), step.state


class LossesInPlace(Weighting):
    def weights(self, step):
        weights = torch.ones_like(step.losses)
        step.losses.mul_(2.0)
        return weights, step.state


class ConstantNot(DividesByLosses):
    constant: ClassVar = True


@dataclass(frozen=True)
class ConstantButForProgress(Weighting):
    constant: ClassVar = True

    def weights(self, step):
        return torch.ones_like(step.losses) * step.progress[..., None], step.state


class ConstantObjective(Uncertain):
    constant: ClassVar = True


class SlopesLeaveState(Uncertain):
    def initial_state(self, tasks):
        return {"count": torch.zeros(1)}

    def objective(self, losses, step):
        return super().objective(losses, step)[0], {"count": step.state["count"] + 1}

    def slopes(self, step):
        weights = torch.exp(-step.parameters["log_variance"])
        return weights, {"log_variance": 1 - weights * step.losses}, step.state


class WrongSlopes(Uncertain):
    def slopes(self, step):
        s = step.parameters["log_variance"]
        return torch.exp(-s), {"log_variance": torch.ones_like(s)}, step.state


class RightSlopes(Uncertain):
    def slopes(self, step):
        weights = torch.exp(-step.parameters["log_variance"])
        return weights, {"log_variance": 1 - weights * step.losses}, step.state


class TestWeightingKit:
    @pytest.mark.parametrize(
        "rule", [Weighting, Dynamic, Uncertain, RightSlopes, ByGramian, Noisy, Static, ForFour]
    )
    def test_passes_sound_ones(self, rule):
        assert failures(WeightingConformance, rule) == set()

    @pytest.mark.parametrize(
        ("rule", "failed"),
        [
            (Backwards, "refuses_the_numbers_of_tasks_that_it_is_not_made_for"),
            (Undeclared, "refuses_the_numbers_of_tasks_that_it_is_not_made_for"),
            (OverTheStack, "stacked_equals_one_by_one"),
            (TwoDimensions, "shapes"),
            (DividesByLosses, "finite_where_losses_or_gradients_vanish"),
            (LogOfLosses, "finite_where_losses_or_gradients_vanish"),
            (DrawsItself, "changes_no_input_and_draws_no_randomness_of_its_own"),
            (LosesState, "shapes"),
            (StateInPlace, "changes_no_input_and_draws_no_randomness_of_its_own"),
            (ConstantNot, "constant_weights_change_between_epochs_only"),
            (ConstantButForProgress, "constant_weights_change_between_epochs_only"),
            (ConstantObjective, "constant_weights_change_between_epochs_only"),
            (SlopesLeaveState, "slopes_are_the_derivatives_of_the_objective"),
            (WrongSlopes, "slopes_are_the_derivatives_of_the_objective"),
            (LossesInPlace, "changes_no_input_and_draws_no_randomness_of_its_own"),
        ],
    )
    def test_fails_defects(self, rule, failed):
        assert failed in failures(WeightingConformance, rule)


def network(**defects):
    """A factory of a linear trunk with heads; each keyword makes one defect."""

    class Net(nn.Module):
        def __init__(self, features, tasks):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(features, 16), nn.ReLU())
            if not defects.get("no_trunk"):
                self.trunk = self.body
            width = 1 if defects.get("narrow") else None
            self.heads = nn.ModuleDict({t.name: nn.Linear(16, width or t.width) for t in tasks})
            if defects.get("idle"):
                self.body.idle = nn.Parameter(torch.ones(3))

        def forward(self, x):
            h = self.body[1](self.body[0](x))
            if defects.get("detached"):
                h = h.detach()
            if defects.get("mixes"):
                h = h - h.mean(0)
            shift = 1.0 if defects.get("elsewhere") else 0.0
            return {name: head(h) + shift for name, head in self.heads.items()}

    class Factory:
        def build(self, features, tasks):
            if defects.get("own_seed"):
                torch.manual_seed(0)
            return Net(features, tasks)

    return Factory


class TestModelKit:
    def test_passes_a_sound_one(self):
        assert failures(ModelConformance, network()) == set()

    @pytest.mark.parametrize(
        ("defect", "failed"),
        [
            ("no_trunk", "has_a_trunk_and_a_head_per_task"),
            ("narrow", "output_shapes"),
            ("detached", "gradient_reaches_every_parameter"),
            ("idle", "gradient_reaches_every_parameter"),
            ("mixes", "rows_do_not_mix_when_predicting"),
            ("elsewhere", "output_is_heads_on_trunk"),
            ("own_seed", "starts_from_torchs_generator"),
        ],
    )
    def test_fails_defects(self, defect, failed):
        assert failed in failures(ModelConformance, network(**{defect: True}))


@dataclass(frozen=True)
class Ridge(OneByOne):
    """Ridge regression whose trade-off is its penalty; initialisation does not matter."""

    tradeoff: ClassVar = Tradeoff("lambda", (0.0, 1.0, 10.0), low=0.0, fair_end="high")

    def fit(self, trial, work):
        fold = work.fold
        x, y = fold.features("train"), fold.targets("train")
        penalty = trial.value * np.eye(x.shape[1])
        slope = np.linalg.solve(x.T @ x + penalty, x.T @ y)
        parts = (fold.unscale(fold.features(p) @ slope) for p in ("validation", "test"))
        return Prediction(*parts)


class Changed(Ridge):
    """Ridge with its predictions or its work tampered with by a subclass."""

    def after(self, prediction, trial, work):
        return prediction

    def fit(self, trial, work):
        return self.after(super().fit(trial, work), trial, work)


class Scaled(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=(prediction.test - 50.0) / 10.0)


class Flat(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=prediction.test[:, 0])


class Infinite(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=prediction.test * np.inf)


class FailsWithoutNote(Changed):
    def after(self, prediction, trial, work):
        return Prediction.missing(work.fold, "failed", "")


class GlobalRandomness(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=prediction.test + np.random.normal() * 0.01)  # noqa: NPY002


class PeeksAtTest(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=work.fold.unscale(work.fold.targets("test")))


class ChangesData(Changed):
    def after(self, prediction, trial, work):
        work.fold.dataset.features[:] *= 2.0
        return prediction


class ReadsTheDataset(Changed):
    def after(self, prediction, trial, work):
        raw = work.fold.dataset.features[work.fold.split.test]
        return replace(prediction, test=prediction.test + 0.0 * raw.sum(axis=1, keepdims=True))


class Sorted(Ridge):
    def train(self, work):
        trials = sorted(work.trials, key=lambda t: -t.value)
        return super().train(replace(work, trials=trials))


class Averaging(Ridge):
    def train(self, work):
        trained = super().train(work).predictions
        mean = np.mean([p.test for p in trained], axis=0)
        return Trained([replace(p, test=mean) for p in trained])


class Forgets(Ridge):
    def train(self, work):
        return Trained(list(super().train(work).predictions)[:-1])


class Mean(Method):
    def train(self, work):
        fold = work.fold
        mean = fold.dataset.targets[fold.split.train].mean(axis=0)
        rows = (fold.split.validation.size, fold.split.test.size)
        return Trained([Prediction(*(np.tile(mean, (n, 1)) for n in rows)) for _ in work.trials])


class Secretive(Method):
    """Ridge regression by another's hands, which it does not say."""

    def train(self, work):
        return load().build(Use("method", "ridge")).train(work)


class Declared(Secretive):
    def uses(self):
        return (Use("method", "ridge"),)


class Centred(Changed):
    """Predictions around the mean of those that are predicted together."""

    def after(self, prediction, trial, work):
        return replace(prediction, test=prediction.test - prediction.test.mean() + 50.0)


class ByGroup(Changed):
    """Reads a row's group to predict it, and keeps that to itself."""

    def after(self, prediction, trial, work):
        return replace(
            prediction, test=prediction.test + work.fold.protected("test").groups[:, None]
        )


class Boasts(Ridge):
    """Says that it trains on an attribute that it never looks at."""

    facts: ClassVar = Facts(in_training="labels")


class OnlyBinary(Changed):
    """Cannot do with three groups, and does not say so."""

    def after(self, prediction, trial, work):
        assert work.fold.protected("train").kind == "binary"
        return prediction


class Unnamed(Ridge):
    """An index error is all that it says of a group that training lacks."""

    facts: ClassVar = Facts("yes", "labels")

    def fit(self, trial, work):
        train = work.fold.protected("train").groups
        shift = np.bincount(train, weights=work.fold.dataset.features[work.fold.split.train, 0])
        prediction = super().fit(trial, work)
        moved = shift[work.fold.protected("test").groups]
        return replace(prediction, test=prediction.test + moved[:, None] / len(train))


class InItsOwnUnits(Changed):
    def after(self, prediction, trial, work):
        return replace(prediction, test=prediction.test.clip(40.0, 60.0))


class TestMethodKit:
    def test_names_what_is_built_without_being_declared(self):
        kit = type("Kit", (MethodConformance,), {"component": Secretive})()
        with pytest.raises(AssertionError, match="'Secretive' builds method 'ridge' without"):
            kit.test_declares_what_it_builds()

    def test_passes_a_sound_one(self):
        assert failures(MethodConformance, Ridge) == set()
        assert failures(MethodConformance, Declared) == set()

    def test_a_constant_must_say_so(self):
        assert failures(MethodConformance, Mean) == {"learns"}
        assert failures(MethodConformance, Mean, learns=False) == set()

    def test_the_plain_end_is_compared_with_the_plain_method(self):
        same = {"component": "mean-gap-ridge", "plain": "ridge"}
        assert failures(MethodConformance, "mean-gap-ridge", plain="ridge") == set()
        kit = type("Kit", (MethodConformance,), same | {"plain": "mean"})()
        with pytest.raises(AssertionError, match="t = 0 is not 'mean'"):
            kit.test_its_plain_end_is_the_plain_method()

    @pytest.mark.parametrize(
        ("method", "failed"),
        [
            (Scaled, "learns"),
            (Flat, "one_prediction_per_trial"),
            (Infinite, "one_prediction_per_trial"),
            (FailsWithoutNote, "one_prediction_per_trial"),
            (FailsWithoutNote, "learns"),
            (GlobalRandomness, "same_seeds_same_bytes"),
            (PeeksAtTest, "never_looks_at_test_targets"),
            (ChangesData, "changes_no_input"),
            (ReadsTheDataset, "features_may_be_missing"),
            (Sorted, "predictions_are_in_the_order_of_trials"),
            (Averaging, "trials_do_not_influence_each_other"),
            (Forgets, "one_prediction_per_trial"),
            (Secretive, "declares_what_it_builds"),
            (Centred, "a_row_does_not_depend_on_those_predicted_with_it"),
            (ByGroup, "declares_what_it_reads"),
            (Boasts, "declares_what_it_reads"),
            (OnlyBinary, "takes_the_kinds_it_says"),
            (Unnamed, "a_group_that_training_lacks_is_predicted_or_named"),
            (InItsOwnUnits, "follows_the_units_of_the_target"),
        ],
    )
    def test_fails_defects(self, method, failed):
        assert failed in failures(MethodConformance, method)


SAMPLE = "age,sex,site,person,y\n30.5,1,a,1,2.5\n41,2,b,1,3.5\n52,1,c,2,4.5\n"


class Sample(DatasetSource):
    card = Card(title="Sample", source="invented", licence="CC0")
    roles = Roles(
        targets=("y",),
        protected={
            "sex": ProtectedColumn("binary", {1: "m", 2: "f"}),
            "age": ProtectedColumn("continuous"),
        },
        cluster="person",
    )
    files = (File("sample.csv", hashlib.sha256(SAMPLE.encode()).hexdigest()),)

    def table(self, locate):
        return pd.read_csv(locate(self.files[0]))


def roles(**changes):
    return replace(Sample.roles, **changes)


SEX = ProtectedColumn("binary", {1: "m"})
DEFECTS = {
    "card_says_what_it_is": {"card": replace(Sample.card, licence=" ")},
    "files_are_pinned": {"files": (replace(Sample.files[0], sha256="abc"),)},
    "table_has_the_columns_of_its_roles": {"roles": roles(cluster="id")},
    "targets_are_numbers": {"roles": roles(targets=("site",))},
    "protected_attributes_are_of_their_kind": {"roles": roles(protected={"sex": SEX})},
    "reads_declared_files_only": {
        "table": lambda self, locate: pd.read_csv(locate(File("other.csv", "")))
    },
    "same_table_every_time": {
        "table": lambda self, locate: Sample.table(self, locate).assign(
            y=np.random.default_rng().uniform(size=3)
        )
    },
}


class TestDatasetKit:
    @pytest.fixture
    def failed(self, tmp_path):
        (tmp_path / "sample.csv").write_text(SAMPLE)
        (tmp_path / "other.csv").write_text(SAMPLE)

        def run(source):
            locate = lambda self, file: tmp_path / file.name  # noqa: E731
            return failures(DatasetConformance, source, locate=locate)

        return run

    def test_passes_a_sound_one(self, failed):
        assert failed(Sample) == set()

    @pytest.mark.parametrize("defect", DEFECTS)
    def test_fails_defects(self, failed, defect):
        assert defect in failed(type("Broken", (Sample,), DEFECTS[defect]))

    def test_asks_for_a_way_to_find_files(self):
        case = type("Case", (DatasetConformance,), {"component": Sample})()
        with pytest.raises(AssertionError, match=r"override locate.*sample\.csv"):
            case.test_same_table_every_time()
