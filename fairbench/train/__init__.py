"""Training: how many trials of a network run as one program.

Plugins use `NetworkMethod`, `Batch` and the task and loss functions below; the rest is the
engine's own.
"""

from fairbench.train.batch import Batch
from fairbench.train.losses import row_losses, task_losses
from fairbench.train.network import NetworkMethod
from fairbench.train.tasks import protected_task, target_tasks

__all__ = [
    "Batch",
    "NetworkMethod",
    "protected_task",
    "row_losses",
    "target_tasks",
    "task_losses",
]
