"""The learning rate of every epoch, and what optimisers are everywhere."""

from __future__ import annotations

import math

from fairbench.training import Training

__all__ = ["BETAS", "EPS", "learning_rate"]

BETAS = (0.9, 0.999)
"""Of Adam: how much of the first and of the second moment is kept from step to step."""

EPS = 1e-8
"""Of Adam: what is added to the root of the second moment."""


def learning_rate(training: Training, epoch: int, /) -> float:
    """Return the learning rate of epoch number `epoch`, from 0."""
    match training.schedule:
        case "constant":
            return training.lr
        case "cosine":
            return training.lr * 0.5 * (1 + math.cos(math.pi * epoch / training.epochs))
        case "step":
            passed = (2 * epoch >= training.epochs) + (4 * epoch >= 3 * training.epochs)
            return float(training.lr * 0.1**passed)
