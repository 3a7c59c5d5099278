"""What a method sees of the protected attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from fairbench.dataset import ProtectedKind

__all__ = ["Facts"]

AtPrediction = Literal["no", "predicted", "yes"]
InTraining = Literal["none", "fraction", "labels"]

_AT_PREDICTION: tuple[AtPrediction, ...] = get_args(AtPrediction)
_IN_TRAINING: tuple[InTraining, ...] = get_args(InTraining)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a method sees of the protected attribute, and whether it draws its predictions.

    A method that reads a person's attribute to predict treats people differently by it, which is
    not admissible everywhere: it is not to be compared with others without that being said.

    Parameters
    ----------
    at_prediction
        Whether predicting a row takes its attribute: ``no``, ``yes``, or ``predicted`` where the
        method guesses it from the features.
    in_training
        What training takes of it: ``none``, all ``labels``, or a ``fraction`` of them.
    randomised
        Whether a prediction is drawn, so that another seed of the same model predicts otherwise.
    takes
        Kinds of attribute that it can be trained with.
    """

    at_prediction: AtPrediction = "no"
    in_training: InTraining = "none"
    randomised: bool = False
    takes: tuple[ProtectedKind, ...] = ("binary", "categorical", "continuous")

    @property
    def words(self) -> str:
        """All of it but the kinds, as a reader of a table needs it."""
        reads = {
            "no": "does not read the attribute at prediction",
            "yes": "reads the attribute at prediction",
            "predicted": "guesses the attribute at prediction",
        }
        trains = {
            "none": "trains without it",
            "labels": "trains on it",
            "fraction": "trains on a fraction of it",
        }
        drawn = "predictions are drawn" if self.randomised else "predictions are not drawn"
        return f"{reads[self.at_prediction]}, {trains[self.in_training]}, {drawn}"

    def within(self, base: Facts, /) -> Facts:
        """The facts of a method with these that wraps a method with those of `base`."""
        return Facts(
            _most(_AT_PREDICTION, self.at_prediction, base.at_prediction),
            _most(_IN_TRAINING, self.in_training, base.in_training),
            randomised=self.randomised or base.randomised,
            takes=tuple(kind for kind in self.takes if kind in base.takes),
        )


def _most(ascending: tuple[T, ...], one: T, other: T) -> T:
    """The later of two in an ascending order."""
    return max(one, other, key=ascending.index)
