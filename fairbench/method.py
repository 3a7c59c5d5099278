"""Methods: a complete recipe that can be benchmarked. Trials in, predictions out."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fairbench.errors import transient
from fairbench.facts import Facts

if TYPE_CHECKING:
    import numpy as np

    from fairbench.dataset import FloatArray
    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = [
    "Method",
    "OneByOne",
    "Prediction",
    "Status",
    "Sweep",
    "Tradeoff",
    "Trained",
    "Trial",
    "Use",
    "Work",
    "attempted",
]

Status = Literal["ok", "diverged", "failed"]


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """The one parameter of a method that a sweep moves.

    Parameters
    ----------
    name
        The field's symbol: alpha, lambda, eta, epsilon.
    grid
        Default values of a sweep.
    low, high
        Bounds, included, outside which a value is refused.
    fair_end
        Which end is meant to favour fairness.
    """

    name: str
    grid: tuple[float, ...]
    low: float = float("-inf")
    high: float = float("inf")
    fair_end: Literal["low", "high"] = "high"


@dataclass(frozen=True, slots=True, order=True)
class Trial:
    """One training: dataset × method × trade-off value × seed × split.

    `dataset` and `method` are the labels these have in the study; `value` is None for a method
    without trade-off.
    """

    dataset: str
    method: str
    value: float | None
    seed: int
    split: int

    @property
    def key(self) -> str:
        """A name that is unique within the study and readable in a report."""
        at = "" if self.value is None else f"@{self.value:g}"
        return f"{self.dataset}/{self.method}{at}/split{self.split}/seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Work:
    """What a method is asked to do at once: the trials of one chunk.

    Attributes
    ----------
    trials
        All of one dataset, one method and one split.
    fold
        That dataset under that split.
    training
        Settings, the same for all trials.
    entropy
        Root of the study's randomness; `fairbench.seeds` derives each trial's own from it.
    device
        ``cpu`` or ``cuda``.
    """

    trials: Sequence[Trial]
    fold: Fold
    training: Training
    entropy: int = 0
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions of one trial, in the target's own units.

    Attributes
    ----------
    validation, test : (rows, t)
        NaN throughout where `status` is not ``ok``.
    record
        What training recorded, by name: ``epochs`` actually trained, losses per epoch …
    note
        Why the trial failed or diverged.
    transient
        Of a trial that failed: whether that lay in the machine and not in the trial, so that
        another run should try again.
    """

    validation: FloatArray
    test: FloatArray
    record: Mapping[str, np.ndarray] = field(default_factory=dict)
    status: Status = "ok"
    note: str = ""
    transient: bool = False

    @classmethod
    def missing(cls, fold: Fold, status: Status, note: str, /) -> Prediction:
        """The prediction of a trial that produced none."""
        import numpy as np

        width = fold.dataset.targets.shape[1]
        return cls(
            np.full((fold.split.validation.size, width), np.nan),
            np.full((fold.split.test.size, width), np.nan),
            status=status,
            note=note,
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a `Work`: one prediction per trial, in the order of its trials.

    `model_steps` counts optimiser steps summed over trials (0 for methods without any);
    `notes` are remarks for the manifest, for example why trials could not be stacked.
    """

    predictions: Sequence[Prediction]
    model_steps: int = 0
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """A component that a method builds by its name, with the options it builds it with.

    ``fairbench.plugins.load().build(use)`` is that component.
    """

    kind: Literal["model", "weighting", "method", "metric"]
    name: str
    options: Mapping[str, object] = field(default_factory=dict)


class Method(ABC):
    """Subclasses are frozen dataclasses whose fields are the method's options.

    Attributes
    ----------
    takes_weights
        Whether training honours ``fold.weights``, one per training row.
    """

    takes_weights: ClassVar[bool] = False

    @property
    def facts(self) -> Facts:
        """What it sees of the protected attribute; by default nothing."""
        return Facts()

    def uses(self) -> Sequence[Use]:
        """The components that it is made of: the models, weightings and methods it builds.

        They are part of a run's identity, and a method that uses a model, itself or through
        others, is trained by the kernel that the run has chosen. What is built by name and not
        declared fails. A component used may have a method `uses` in its turn.
        """
        return ()

    @property
    def tradeoff(self) -> Tradeoff | None:
        """The parameter a sweep moves, or None for a method that has none."""
        return None

    def check(self, fold: Fold, training: Training, /) -> None:  # noqa: B027 - most refuse nothing
        """Refuse what cannot be trained on `fold`, before anything is; by default nothing.

        Raises
        ------
        StudyError
            For what the user can mend. Any other exception is left to training, which records it.
        """

    @abstractmethod
    def train(self, work: Work, /) -> Trained:
        """Fit every trial on training rows and predict its validation and test rows."""


class OneByOne(Method):
    """A method whose trials are fitted one after the other.

    A trial that raises has failed and the others go on. Running the study again leaves it at
    that, unless the error was a `transient` one.
    """

    @abstractmethod
    def fit(self, trial: Trial, work: Work, /) -> Prediction:
        """Fit and predict one trial."""

    def train(self, work: Work, /) -> Trained:
        return Trained(
            [attempted(work.fold, partial(self.fit, trial, work)) for trial in work.trials]
        )


class Sweep(Method):
    """A method whose trials of one seed share all work but the last step.

    A trial that raises has failed and the others go on, as those of `OneByOne`.
    """

    @abstractmethod
    def begin(self, trial: Trial, work: Work, /) -> Any:
        """What every value of the trial's seed begins from; must not read ``trial.value``."""

    @abstractmethod
    def finish(self, begun: Any, trial: Trial, work: Work, /) -> Prediction:
        """Predict one trial."""

    def notes(self, work: Work, /) -> Sequence[str]:
        """Remarks for the manifest; by default none."""
        return ()

    def train(self, work: Work, /) -> Trained:
        begun: dict[int, Any] = {}

        def fit(trial: Trial) -> Prediction:
            if trial.seed not in begun:
                begun[trial.seed] = self.begin(trial, work)
            return self.finish(begun[trial.seed], trial, work)

        return Trained(
            [attempted(work.fold, partial(fit, trial)) for trial in work.trials],
            notes=self.notes(work),
        )


def attempted(fold: Fold, fit: Callable[[], Prediction], /) -> Prediction:
    """What `fit` gives, or of a trial that raised the prediction with its traceback."""
    try:
        return fit()
    except Exception as error:  # one failing trial is recorded and the rest goes on
        note = "".join(traceback.format_exception(error))
        missing = Prediction.missing(fold, "failed", note)
        return replace(missing, transient=transient(error))
