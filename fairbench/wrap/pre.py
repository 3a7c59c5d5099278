"""Pre-processing: training rows, their weights or the features, changed before any method."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairbench.errors import DataError
from fairbench.facts import Facts
from fairbench.method import Prediction, Trained, Trial, Work
from fairbench.seeds import derive
from fairbench.wrap.groups import attributes_of
from fairbench.wrap.wrapper import Wrapper

if TYPE_CHECKING:
    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = ["PreProcessor"]


@dataclass(frozen=True)
class PreProcessor(Wrapper):
    """Trains its base on a fold that was changed. Subclasses write `prepare`.

    Parameters
    ----------
    attributes
        Protected attributes that it is about; by default the dataset's first.
    """

    attributes: tuple[str, ...] = ()

    @property
    def own_facts(self) -> Facts:
        return Facts("no", "labels")

    @abstractmethod
    def prepare(self, fold: Fold, value: float | None, seed: int, /) -> Fold:
        """The fold that the base is trained on; its validation and test rows stay the same.

        `seed` is one of the split, for what is drawn.
        """

    def check(self, fold: Fold, training: Training, /) -> None:
        super().check(fold, training)
        attributes_of(fold, self.attributes)

    def train(self, work: Work, /) -> Trained:
        base, steps, notes = self.built(), 0, list[str]()
        found: dict[Trial, Prediction] = {}
        for value in dict.fromkeys(trial.value for trial in work.trials):
            trials = [trial for trial in work.trials if trial.value == value]
            seed = derive(work.entropy, "prepare", trials[0].dataset, trials[0].split)
            try:
                fold = self.prepare(work.fold, value, seed)
            except DataError as error:
                failed = Prediction.missing(work.fold, "failed", str(error))
                found |= dict.fromkeys(trials, failed)
                continue
            trained = base.train(replace(work, trials=self.base_trials(base, trials), fold=fold))
            found |= dict(zip(trials, trained.predictions, strict=True))
            steps, notes = steps + trained.model_steps, [*notes, *trained.notes]
        return Trained([found[trial] for trial in work.trials], steps, [*dict.fromkeys(notes)])
