"""What a method sees of the protected attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fairbench.dataset import ProtectedKind

__all__ = ["Facts"]


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

    at_prediction: Literal["no", "yes", "predicted"] = "no"
    in_training: Literal["none", "labels", "fraction"] = "none"
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
        orders = (("no", "predicted", "yes"), ("none", "fraction", "labels"))
        mine, its = ((facts.at_prediction, facts.in_training) for facts in (self, base))
        most = [max(a, b, key=order.index) for order, a, b in zip(orders, mine, its, strict=True)]
        return Facts(
            at_prediction=most[0],  # type: ignore[arg-type]
            in_training=most[1],  # type: ignore[arg-type]
            randomised=self.randomised or base.randomised,
            takes=tuple(kind for kind in self.takes if kind in base.takes),
        )
