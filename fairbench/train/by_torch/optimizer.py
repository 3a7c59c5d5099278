"""Optimisers over the flat buffer of a stack: torch's own fused kernels, on long vectors.

All of them are element-wise, so that one call serves every trial of one learning rate. Trials
with rates of their own get a call for each rate, on the parts that belong to it. The kernels are
called as torch's optimisers call them; going through those takes a sixth of a small stack's step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairbench.train.schedule import BETAS, EPS
from fairbench.train.stack import Stack
from fairbench.training import Training

__all__ = ["Optimizer", "clip_gradients"]


@dataclass(frozen=True, slots=True)
class _Part:
    """Views of parameters, gradients and moments of one learning rate: one call updates them."""

    factor: float
    parameters: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]


class Optimizer:
    """The optimiser that `training` names, with its moments.

    Parameters
    ----------
    factors
        Each trial's learning rate as a multiple of that of `training`.
    moments : (2, S · P), optional
        First and second moment estimates (momentum, for sgd) to go on with.
    count : ()
        Steps already taken, on the stack's device.
    """

    def __init__(
        self,
        stack: Stack,
        training: Training,
        factors: Sequence[float],
        moments: Tensor | None = None,
        count: Tensor | None = None,
    ) -> None:
        self._stack, self._training, self._factors = stack, training, list(factors)
        self._moments = torch.zeros_like(stack.grad).repeat(2, 1) if moments is None else moments
        self._count = torch.zeros((), device=stack.flat.device) if count is None else count
        self._parts = [self._part(start, stop) for start, stop in _spans(self._factors)]

    def _part(self, start: int, stop: int) -> _Part:
        flats = [self._stack.flat, self._stack.grad, *self._moments]
        if stop - start == self._stack.lanes:
            parameters, gradients, first, second = ([flat] for flat in flats)
        else:
            parameters, gradients, first, second = (
                [view[start:stop].reshape(-1) for view in self._stack.cut(flat)] for flat in flats
            )
        return _Part(self._factors[start], parameters, gradients, first, second)

    def step(self, rate: float, /) -> None:
        """Update all parameters at this learning rate times each trial's factor."""
        self._count.add_(1)
        decay = self._training.weight_decay
        for part in self._parts:
            lr = rate * part.factor
            if self._training.optimizer == "sgd":
                torch._fused_sgd_(
                    part.parameters,
                    part.gradients,
                    part.first if self._training.momentum else [],
                    weight_decay=decay,
                    momentum=self._training.momentum,
                    lr=lr,
                    dampening=0.0,
                    nesterov=False,
                    maximize=False,
                    is_first_step=False,
                )
                continue
            adam = self._training.optimizer == "adam"
            (torch._fused_adam_ if adam else torch._fused_adamw_)(
                part.parameters,
                part.gradients,
                part.first,
                part.second,
                [],
                [self._count] * len(part.parameters),
                lr=lr,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=decay,
                eps=EPS,
                amsgrad=False,
                maximize=False,
            )

    def kept(self, stack: Stack, index: Tensor, /) -> Optimizer:
        """Return one for the smaller `stack` of the trials of `index`, which goes on from here."""
        moments = [
            torch.cat([view[index].reshape(-1) for view in self._stack.cut(flat)])
            for flat in self._moments
        ]
        factors = [self._factors[i] for i in index.tolist()]
        return Optimizer(stack, self._training, factors, torch.stack(moments), self._count)


def _spans(values: Sequence[float]) -> list[tuple[int, int]]:
    """Return where runs of equal neighbours begin and end."""
    starts = [i for i, value in enumerate(values) if i == 0 or value != values[i - 1]]
    return list(zip(starts, [*starts[1:], len(values)], strict=True))


def clip_gradients(stack: Stack, largest: float, /) -> None:
    """Scale each trial's gradient down to Euclidean norm `largest` where it is longer."""
    factor = (largest / (stack.lane_norms() + 1e-6)).clamp(max=1.0)
    for slot in stack.block_slots.values():
        slot.mul_(factor.view(-1, *[1] * (slot.dim() - 1)))
