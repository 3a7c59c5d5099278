"""A chunk made ready for training, as plain data: what every trial of it shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fairbench.train.batch import Rows
from fairbench.train.dropout import MaskShapes
from fairbench.train.memory import Footprint
from fairbench.train.reading import Layer
from fairbench.train.recipe import Recipe

if TYPE_CHECKING:
    from fairbench.method import Work
    from fairbench.model import Task
    from fairbench.weighting import Weighting

__all__ = ["Module", "Prepared"]


@dataclass(frozen=True)
class Module:
    """One trial's module, taken apart.

    Attributes
    ----------
    trunk, heads
        Its parts; heads by task name, in the order of the tasks.
    layers
        Those of a trunk that is a plain sequence of known ones below linear heads, which can be
        trained without autograd; None for any other module.
    masks
        The dropout masks that a step of it takes.
    has_batch_norm
        Whether a batch of one row cannot be trained on.
    features, hidden : (batch, d), (batch, h)
        One batch as the trunk sees it, and as the heads do.
    """

    trunk: nn.Module
    heads: Mapping[str, nn.Module]
    layers: tuple[Layer, ...] | None
    masks: MaskShapes
    has_batch_norm: bool
    features: Tensor
    hidden: Tensor


@dataclass(frozen=True)
class Prepared:
    """What `setup.prepare` finds out before the first step.

    Attributes
    ----------
    train, validation, test
        Rows on the device.
    terms
        Number T of losses that the weighting combines.
    footprint
        Bytes that training takes.
    notes
        Remarks for the manifest; they grow while the chunk is trained.
    """

    recipe: Recipe
    work: Work
    tasks: tuple[Task, ...]
    weighting: Weighting
    module: Module
    train: Rows
    validation: Rows
    test: Rows
    dtype: torch.dtype
    device: torch.device
    terms: int
    footprint: Footprint
    notes: list[str] = field(default_factory=list)

    @property
    def rows_per_step(self) -> int:
        """Rows of a batch; the last one of an epoch may be shorter."""
        return min(self.work.training.batch_size, self.train.features.shape[0])
