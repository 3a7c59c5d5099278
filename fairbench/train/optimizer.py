"""Optimisers over the flat buffer of a stack: torch's own, on one long vector."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fairbench.method import Training
from fairbench.train.stack import Stack

__all__ = ["carry_over", "clip_lanes", "make_optimizer", "rate"]

EPS = 1e-8


def make_optimizer(stack: Stack, training: Training, /) -> torch.optim.Optimizer:
    """The optimiser `training` names, over all trials at once: each is element-wise."""
    parameters = [stack.flat]
    match training.optimizer:
        case "adam":
            return torch.optim.Adam(
                parameters, training.lr, weight_decay=training.weight_decay, fused=True
            )
        case "adamw":
            return torch.optim.AdamW(
                parameters, training.lr, weight_decay=training.weight_decay, fused=True
            )
        case "sgd":
            return torch.optim.SGD(
                parameters,
                training.lr,
                momentum=training.momentum,
                weight_decay=training.weight_decay,
                fused=True,
            )


def carry_over(
    old: torch.optim.Optimizer, new: torch.optim.Optimizer, pick: Callable[[Tensor], Tensor], /
) -> None:
    """Hand the moments of `old` on to `new`, each reduced by `pick` to the trials that stay."""
    (source,), (target,) = old.param_groups[0]["params"], new.param_groups[0]["params"]
    new.state[target] = {
        name: pick(value) if torch.is_tensor(value) and value.shape == source.shape else value
        for name, value in old.state[source].items()
    }


def rate(training: Training, epoch: int, /) -> float:
    """The learning rate of epoch number `epoch`, from 0."""
    match training.schedule:
        case "constant":
            return training.lr
        case "cosine":
            return training.lr * 0.5 * (1 + math.cos(math.pi * epoch / training.epochs))
        case "step":
            passed = (2 * epoch >= training.epochs) + (4 * epoch >= 3 * training.epochs)
            return float(training.lr * 0.1**passed)


def clip_lanes(stack: Stack, largest: float, /) -> None:
    """Scale each trial's gradient down to Euclidean norm `largest` where it is longer."""
    factor = (largest / (stack.lane_norms() + 1e-6)).clamp(max=1.0)
    for slot in stack.slots.values():
        slot.mul_(factor.view(-1, *[1] * (slot.dim() - 1)))
