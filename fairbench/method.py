"""Methods: a complete recipe that can be benchmarked. Trials in, predictions out."""

from __future__ import annotations

import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from fairbench.errors import transient

if TYPE_CHECKING:
    import numpy as np

    from fairbench.dataset import Dataset, FloatArray, Protected
    from fairbench.protocol import Split

__all__ = [
    "Fold",
    "Method",
    "OneByOne",
    "Part",
    "Prediction",
    "Status",
    "Tradeoff",
    "Trained",
    "Training",
    "Trial",
    "Use",
    "Work",
]

MOST = 10**9
"""Of anything that is counted in `Training`."""

Part = Literal["train", "validation", "test"]
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
class Training:
    """How a network is trained; other estimators take what applies to them.

    Parameters
    ----------
    epochs, batch_size
        Passes over the training rows, and rows per step; the last batch may be short.
    optimizer, lr, momentum, weight_decay
        As torch defines them; `momentum` is for sgd only.
    schedule
        ``constant``, ``cosine`` (to 0 over all epochs) or ``step`` (×0.1 at 1/2 and 3/4).
    clip_norm
        Largest Euclidean norm of one trial's whole gradient; None for no clipping.
    patience, min_delta
        Early stopping: epochs without an improvement of at least `min_delta` in the main
        task's validation loss before a trial stops and gets its best weights back; None: off.
    chain
        Number of neighbouring trade-off values trained one after the other, each starting from
        the weights of the one before; 1 trains every value from scratch.
    dtype
        Precision of parameters and data.
    scale_targets
        Whether networks learn targets standardised on training rows, or in their own units.
    lanes
        Most trials (or chains of them) that make a chunk and train side by side. On a CPU more
        than the 64 of the default leave the cache; a GPU wants as many as its memory holds.
    memory
        About how many MiB the networks of one chunk may take at once; a chunk that would take
        more is trained in several stacks, one after the other.
    kernel
        What computes the steps of networks: ``compiled`` takes C++ that is compiled once on the
        machine (chains of common layers with linear heads on a CPU; others take torch), ``torch``
        takes torch's operations one by one, ``graph`` records them once as a CUDA graph and
        replays them (on a GPU). ``auto`` compiles on a CPU where there is a compiler, and takes
        ``torch`` elsewhere. The compiled kernel rounds differently.
    """

    epochs: Annotated[int, Ge(1), Le(MOST)] = 50
    batch_size: Annotated[int, Ge(1), Le(MOST)] = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Gt(0), Lt(math.inf)] = 0.01
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    clip_norm: Annotated[float, Gt(0), Lt(math.inf)] | None = None
    patience: Annotated[int, Ge(1), Le(MOST)] | None = None
    min_delta: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    chain: Annotated[int, Ge(1), Le(MOST)] = 1
    dtype: Literal["float32", "float64"] = "float32"
    scale_targets: bool = True
    lanes: Annotated[int, Ge(1), Le(MOST)] = 64
    memory: Annotated[int, Ge(1), Le(MOST)] = 1024
    kernel: Literal["auto", "compiled", "torch", "graph"] = "auto"


@dataclass(frozen=True)
class Fold:
    """A dataset under one split, filled in and scaled by its training rows only.

    Without `scale_targets` the targets stay in their own units.
    """

    dataset: Dataset
    split: Split
    scale_targets: bool = True

    @cached_property
    def _fill(self) -> FloatArray:
        return self.dataset.fill(self.split.train)

    @cached_property
    def _feature_scale(self) -> tuple[FloatArray, FloatArray]:
        return _moments(self.dataset.filled(self.split.train, self._fill))

    @cached_property
    def _target_scale(self) -> tuple[FloatArray, FloatArray]:
        moments = _moments(self.dataset.targets[self.split.train])
        return moments if self.scale_targets else (0 * moments[0], 0 * moments[1] + 1)

    def features(self, part: Part, /) -> FloatArray:
        """Features (rows, d), each with mean 0 and standard deviation 1 on training rows.

        Missing ones are filled in before with what training rows say: see `Dataset.fill`.
        """
        mean, scale = self._feature_scale
        return (self.dataset.filled(self.split[part], self._fill) - mean) / scale

    def targets(self, part: Part, /) -> FloatArray:
        """Targets (rows, t), standardised likewise unless they stay in their own units."""
        mean, scale = self._target_scale
        return (self.dataset.targets[self.split[part]] - mean) / scale

    def unscale(self, prediction: FloatArray, /) -> FloatArray:
        """Predictions (..., t) of such targets in the targets' own units."""
        mean, scale = self._target_scale
        return prediction * scale + mean

    def protected(self, part: Part, /, index: int = 0) -> Protected:
        """Protected attribute `index` on the rows of `part`, in its own units."""
        return self.dataset.protected[index].rows(self.split[part])

    def protected_scale(self, index: int = 0, /) -> tuple[float, float]:
        """Mean and standard deviation of attribute `index` on training rows."""
        values = self.dataset.protected[index].values[self.split.train, None]
        mean, scale = _moments(values)
        return float(mean[0]), float(scale[0])


def _moments(train: FloatArray, /) -> tuple[FloatArray, FloatArray]:
    import numpy as np

    scale = train.std(axis=0)
    return train.mean(axis=0), np.where(scale > 0, scale, 1.0)


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
    """Subclasses are frozen dataclasses whose fields are the method's options."""

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
        return Trained([self._prediction(trial, work) for trial in work.trials])

    def _prediction(self, trial: Trial, work: Work) -> Prediction:
        try:
            return self.fit(trial, work)
        except Exception as error:  # one failing trial is recorded and the rest goes on
            note = "".join(traceback.format_exception(error))
            missing = Prediction.missing(work.fold, "failed", note)
            return replace(missing, transient=transient(error))
