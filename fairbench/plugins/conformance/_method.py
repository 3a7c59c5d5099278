"""Properties of every method."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fairbench.dataset import Card, Dataset, Protected
from fairbench.errors import PluginError
from fairbench.fold import Fold, Split
from fairbench.method import Method, Trial, Work
from fairbench.plugins._component import Component
from fairbench.plugins._parts import made_declared, parts_of
from fairbench.plugins.conformance._base import Conformance
from fairbench.plugins.descriptions import MethodDescription
from fairbench.plugins.registry import load
from fairbench.training import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import IntArray, ProtectedKind
    from fairbench.method import Prediction

__all__ = ["MethodConformance"]

ROWS = 200
SEEDS = (0, 1)


class MethodConformance(Conformance):
    """A method gives every trial its own prediction, from training rows alone.

    Attributes
    ----------
    training
        Settings to train with: enough of it to learn an easy linear relation.
    learns
        Whether some trial must predict better than the mean of the training rows; False for
        methods that are meant not to.
    plain
        The installed method that the end of the trade-off which favours fairness least is equal
        to, where there is one.
    scales
        Whether predictions of a·y + b are a times those of y, plus b.
    """

    kind = "method"
    training: ClassVar[Training] = Training(epochs=20, batch_size=16)
    learns: ClassVar[bool] = True
    plain: ClassVar[str] = ""
    scales: ClassVar[bool] = True

    def test_one_prediction_per_trial(self) -> None:
        work = self._work()
        predictions = self._train(work)
        assert len(predictions) == len(work.trials), (
            f"{len(work.trials)} trials in, {len(predictions)} predictions out"
        )
        for prediction in predictions:
            _check_shapes(prediction, work)
            _check_values(prediction)

    def test_predictions_are_in_the_order_of_trials(self) -> None:
        work = self._work()
        straight = self._train(work)
        backward = self._train(replace(work, trials=work.trials[::-1]))
        for trial, one, other in zip(work.trials, straight, backward[::-1], strict=True):
            _check_close(one, other, f"trial {trial.key} changes with the order of trials")

    def test_trials_do_not_influence_each_other(self) -> None:
        work = self._work()
        together = self._train(work)
        for index in (0, len(work.trials) - 1):
            trial = work.trials[index]
            (alone,) = self._train(replace(work, trials=[trial]))
            _check_close(together[index], alone, f"trial {trial.key} changes with its company")

    def test_same_seeds_same_bytes(self) -> None:
        work = self._work()
        _disturb(1)
        first = self._train(work)
        _disturb(2)
        for trial, one, other in zip(work.trials, first, self._train(work), strict=True):
            assert _bytes(one) == _bytes(other), f"trial {trial.key}: a second run differs"

    def test_declares_what_it_builds(self) -> None:
        work, method = self._work(), self._method()
        kind = type(method)
        target = f"{kind.__module__}:{kind.__qualname__}"
        itself = MethodDescription(name=kind.__name__, summary="under test", target=target)
        parts = parts_of(load(), Component(itself, "", "", ""), self.options, method)
        try:
            with made_declared(parts):
                method.train(work)
        except PluginError as error:
            raise AssertionError(f"{error.what}; {error.hint}") from error

    def test_changes_no_input(self) -> None:
        work = self._work()
        self._train(work)
        fresh = self._work()
        assert work.fold.dataset.digest == fresh.fold.dataset.digest, "it changes the dataset"
        for part in ("train", "validation", "test"):
            assert np.array_equal(work.fold.split[part], fresh.fold.split[part]), (
                f"it changes the {part} rows"
            )
        assert work.trials == fresh.trials, "it changes the trials"

    def test_never_looks_at_test_targets(self) -> None:
        work = self._work()
        dataset, test = work.fold.dataset, work.fold.split.test
        targets = dataset.targets.copy()
        targets[test] = targets[test][::-1] * 3.0 + 1.0
        blind = replace(work, fold=Fold(replace(dataset, targets=targets), work.fold.split))
        for trial, one, other in zip(
            work.trials, self._train(work), self._train(blind), strict=True
        ):
            assert _bytes(one) == _bytes(other), f"trial {trial.key} depends on test targets"

    def test_features_may_be_missing(self) -> None:
        work = self._work()
        dataset, split = work.fold.dataset, work.fold.split
        features = dataset.features.copy()
        features[::7, 1] = np.nan
        gaps = replace(dataset, features=features, imputed=((1,),))
        trial = work.trials[0]
        for prediction in self._train(replace(work, fold=Fold(gaps, split), trials=[trial])):
            _check_values(prediction)
            assert prediction.status != "failed", (
                f"trial {trial.key} fails where features are missing; `fold.features` fills them in"
            )

    def test_learns(self) -> None:
        if not self.learns:
            return
        work = self._work()
        targets, split = work.fold.dataset.targets, work.fold.split
        of_mean = np.mean((targets[split.train].mean(axis=0) - targets[split.test]) ** 2)
        errors = [
            float(np.mean((prediction.test - targets[split.test]) ** 2))
            for prediction in self._train(work)
            if prediction.status == "ok"
        ]
        assert errors, "every trial failed"
        assert min(errors) < of_mean, (
            f"squared error {min(errors):.3g} at best; predicting the mean has {of_mean:.3g}"
        )

    def test_a_row_does_not_depend_on_those_predicted_with_it(self) -> None:
        work = self._work()
        split = work.fold.split
        fewer = replace(split, test=split.test[::3])
        alone = self._train(replace(work, fold=replace(work.fold, split=fewer)))
        for trial, one, other in zip(work.trials, self._train(work), alone, strict=True):
            same = replace(one, test=one.test[::3])
            _check_close(same, other, f"trial {trial.key} changes with the rows that are predicted")

    def test_declares_what_it_reads(self) -> None:
        """What `facts` say is not read changes nothing, and what they say is, something."""
        work, facts = self._work(), self._method().facts
        before = self._train(work)
        split = work.fold.split
        for rows, reads, what in (
            (split.test, facts.at_prediction == "yes", "at_prediction"),
            (split.train, facts.in_training != "none", "in_training"),
        ):
            turned = replace(work, fold=Fold(_turned(work.fold.dataset, rows), split))
            after = self._train(turned)
            same = all(_bytes(a) == _bytes(b) for a, b in zip(before, after, strict=True))
            assert same != reads, (
                f"facts.{what} is {getattr(facts, what)!r}, but predictions "
                f"{'do not change' if same else 'change'} with the attribute there"
            )

    def test_its_description_tells_its_facts(self) -> None:
        name = type(self).component
        if not isinstance(name, str):
            return
        found = load().find("method", name)
        described, built = found.description.facts, found.build({}).facts  # type: ignore[attr-defined]
        assert described == built, (
            f"described as {described}, which with default options is {built}"
        )

    def test_takes_the_kinds_it_says(self) -> None:
        work = self._work()
        for kind in self._method().facts.takes:
            fold = Fold(_of_kind(work.fold.dataset, kind), work.fold.split)
            self._method().check(fold, work.training)
            (prediction,) = self._train(replace(work, trials=work.trials[:1], fold=fold))
            _check_values(prediction)
            assert prediction.status == "ok", f"it fails with a {kind} attribute: {prediction.note}"

    def test_a_group_that_training_lacks_is_predicted_or_named(self) -> None:
        work, facts = self._work(), self._method().facts
        if "categorical" not in facts.takes or facts.at_prediction == "no":
            return
        dataset, test = work.fold.dataset, work.fold.split.test
        groups = dataset.protected[0].groups.copy()
        groups[test[0]] = 2
        late = replace(
            dataset.protected[0],
            kind="categorical",
            values=groups.astype(np.float64),
            groups=groups,
            labels=("0", "1", "late"),
            small=("late",),
        )
        fold = Fold(replace(dataset, protected=(late,)), work.fold.split)
        (prediction,) = self._train(replace(work, trials=work.trials[:1], fold=fold))
        _check_values(prediction)
        said = re.split(r"^\S+: ", prediction.note, flags=re.M)[-1]  # after the traceback
        assert prediction.status == "ok" or "group" in said, (
            f"a group that training lacks is an error that does not name it: {prediction.note}"
        )

    def test_follows_the_units_of_the_target(self) -> None:
        if not self.scales:
            return
        work = self._work()
        dataset = work.fold.dataset
        other = replace(dataset, targets=8.0 * dataset.targets - 1024.0)
        moved = self._train(replace(work, fold=Fold(other, work.fold.split)))
        for trial, one, two in zip(work.trials, self._train(work), moved, strict=True):
            back = replace(
                two, validation=(two.validation + 1024.0) / 8.0, test=(two.test + 1024.0) / 8.0
            )
            _check_close(one, back, f"trial {trial.key} depends on the units of the target")

    def test_its_plain_end_is_the_plain_method(self) -> None:
        tradeoff = self._method().tradeoff
        if not self.plain or tradeoff is None:
            return
        grid = tradeoff.grid
        value = min(grid) if tradeoff.fair_end == "high" else max(grid)
        work = self._work()
        trial = replace(work.trials[0], value=value)
        (one,) = self._train(replace(work, trials=[trial]))
        plain = load().find("method", self.plain).build({})
        bare = replace(work, trials=[replace(trial, method=self.plain, value=None)])
        (other,) = plain.train(bare).predictions
        for a, b in ((one.validation, other.validation), (one.test, other.test)):
            np.testing.assert_allclose(
                a, b, rtol=1e-8, err_msg=f"{tradeoff.name} = {value:g} is not {self.plain!r}"
            )

    def _train(self, work: Work) -> Sequence[Prediction]:
        return self._method().train(work).predictions

    def _method(self) -> Method:
        method = self.make()
        assert isinstance(method, Method), f"{method!r} is no fairbench.method.Method"
        return method

    def _work(self) -> Work:
        """Both ends and the middle of the trade-off, two seeds each, on an easy dataset."""
        tradeoff = self._method().tradeoff
        values: Sequence[float | None] = (None,)
        if tradeoff is not None:
            grid = tradeoff.grid
            values = sorted({grid[0], grid[len(grid) // 2], grid[-1]})
        trials = [Trial("easy", "method", value, seed, 0) for seed in SEEDS for value in values]
        return Work(trials, Fold(_dataset(), _split()), self.training, entropy=7)


def _dataset() -> Dataset:
    """A target linear in features and group, far from mean 0 and deviation 1."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.arange(ROWS) % 2).astype(np.int64)
    features = rng.normal(size=(ROWS, 5))
    features[:, 0] += group
    slope = np.array([4.0, -3.0, 2.0, 0.0, 1.0])
    target = 50.0 + features @ slope + 2.0 * group + rng.normal(size=ROWS)
    return Dataset(
        name="easy",
        features=features,
        feature_names=tuple("abcde"),
        targets=target[:, None],
        target_names=("y",),
        protected=(Protected("group", "binary", group.astype(float), group, ("0", "1")),),
        clusters=None,
        cluster_name="",
        card=Card("easy", "drawn at random", "none"),
    )


def _turned(dataset: Dataset, rows: IntArray) -> Dataset:
    """`dataset` with the attribute in reverse order on `rows`."""
    attribute = dataset.protected[0]
    values, groups = attribute.values.copy(), attribute.groups.copy()
    values[rows], groups[rows] = values[rows][::-1], groups[rows][::-1]
    return replace(dataset, protected=(replace(attribute, values=values, groups=groups),))


def _of_kind(dataset: Dataset, kind: ProtectedKind) -> Dataset:
    """`dataset` with an attribute of this kind that moves the target as the binary one does."""
    attribute = dataset.protected[0]
    match kind:
        case "binary":
            return dataset
        case "categorical":
            groups = attribute.groups + (np.arange(ROWS) % 3 == 0)
            of = Protected("group", kind, groups.astype(np.float64), groups, ("0", "1", "2"))
        case "continuous":
            values = attribute.values + np.random.default_rng(3).normal(size=ROWS)
            of = Protected("group", kind, values, (values > 0.5).astype(np.int64), ("low", "high"))
    return replace(dataset, protected=(of,))


def _split() -> Split:
    rows = np.random.default_rng(1).permutation(ROWS)
    return Split(np.sort(rows[:120]), np.sort(rows[120:155]), np.sort(rows[155:]))


def _check_shapes(prediction: Prediction, work: Work) -> None:
    width = work.fold.dataset.targets.shape[1]
    for part, values in (("validation", prediction.validation), ("test", prediction.test)):
        expected = (work.fold.split[part].size, width)  # type: ignore[index]
        assert values.shape == expected, f"{part} is {values.shape}, not {expected}"


def _check_values(prediction: Prediction) -> None:
    values = np.concatenate([prediction.validation, prediction.test])
    if prediction.status == "ok":
        assert np.isfinite(values).all(), "a trial with status ok has predictions that are not"
    else:
        assert np.isnan(values).all(), f"a trial with status {prediction.status} predicts"
        assert prediction.note, f"status {prediction.status} without a note that says why"


def _check_close(one: Prediction, other: Prediction, what: str) -> None:
    """Close, not equal: matrix products of other shapes may round otherwise."""
    assert one.status == other.status, what
    for a, b in ((one.validation, other.validation), (one.test, other.test)):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3, err_msg=what)


def _bytes(prediction: Prediction) -> tuple[bytes, bytes, str]:
    return prediction.validation.tobytes(), prediction.test.tobytes(), prediction.status


def _disturb(seed: int) -> None:
    """Move every global generator: a trial must not draw from them."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (the global generator is the point)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(seed)
