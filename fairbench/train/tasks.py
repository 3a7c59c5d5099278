"""The tasks that networks usually have: every target, and the protected attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fairbench.errors import StudyError
from fairbench.model import Task

if TYPE_CHECKING:
    from fairbench.dataset import Dataset

__all__ = ["protected_task", "target_tasks"]


def target_tasks(dataset: Dataset, /) -> tuple[Task, ...]:
    """Return a regression task for every target: ``y`` for the main one, then ``y1`` and so on."""
    count = dataset.targets.shape[1]
    return tuple(Task(f"y{i or ''}", "regression", ("target", i)) for i in range(count))


def protected_task(
    dataset: Dataset, /, loss: Literal["auto", "bce", "mse"] = "auto", *, scaled: bool = True
) -> Task:
    """Return the task ``z`` of predicting the first protected attribute.

    `loss` ``auto`` takes cross-entropy for binary and categorical attributes and squared error
    for continuous ones; ``mse`` takes squared error on 0/1 values too; `scaled` says whether a
    continuous attribute is standardised on training rows.

    Raises
    ------
    StudyError
        For ``mse`` of a categorical attribute, whose numbers are names, and for ``bce`` of one
        that is not binary.
    """
    attribute = dataset.protected[0]
    match attribute.kind, loss:
        case ("categorical", "mse") | ("categorical" | "continuous", "bce"):
            raise StudyError(
                f"loss {loss!r} does not fit {attribute.name!r}, which is {attribute.kind}",
                where="the loss of the protected attribute (z_loss)",
                hint="take 'auto', or an attribute that it fits: 'bce' is for binary ones, "
                "'mse' for binary and continuous ones",
            )
        case "binary", "mse":
            return Task("z", "regression", ("protected", 0), scaled=False)
        case "binary", _:
            return Task("z", "binary", ("protected", 0))
        case "categorical", _:
            return Task("z", "categorical", ("protected", 0), len(attribute.labels))
        case _:
            return Task("z", "regression", ("protected", 0), scaled=scaled)
