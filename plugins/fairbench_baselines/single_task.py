"""single-task: the network without any fairness intervention."""

from __future__ import annotations

from dataclasses import dataclass

from fairbench.dataset import Dataset
from fairbench.model import Task
from fairbench.train import NetworkMethod, target_tasks
from fairbench.weighting import Weighting

__all__ = ["SingleTask"]


@dataclass(frozen=True)
class SingleTask(NetworkMethod):
    """Trunk and target heads only, trained on the sum of their losses."""

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return target_tasks(dataset)

    def weighting(self, dataset: Dataset, /) -> Weighting:
        return Weighting()
