"""A stack of trials in training by torch's operations."""

from __future__ import annotations

from torch import Tensor

from fairbench.train.batch import Visits
from fairbench.train.by_torch.default_losses import DefaultLosses
from fairbench.train.by_torch.net import ByAutograd, Net, gramian, jacobian
from fairbench.train.by_torch.optimizer import Optimizer, clip_gradients
from fairbench.train.by_torch.sequential import TaskGradients
from fairbench.train.engine import Learner, Start
from fairbench.train.own_losses import OwnLosses
from fairbench.train.prepared import Prepared
from fairbench.train.recipe import has_own_losses
from fairbench.train.rules import Rules
from fairbench.train.stack import Stack

__all__ = ["TorchLearner"]


class TorchLearner(Learner):
    """A network, its losses and an optimiser over one stack."""

    def __init__(self, prepared: Prepared, net: Net, rules: Rules, start: Start, /) -> None:
        self._prepared, self._net, self._rules = prepared, net, rules
        self._tradeoff, self._masks = start.tradeoff, start.masks
        parameters = start.weights.parameters
        blocks = net.blocks({name: tensor.shape[1:] for name, tensor in parameters.items()})
        self.stack = Stack.of(parameters, start.weights.buffers, blocks)
        self._optimizer = Optimizer(self.stack, prepared.work.training, start.rate_factors)
        self._losses = self._begin_losses()
        self._gradients: TaskGradients = []
        self._batch: tuple[Tensor, Tensor, dict[str, Tensor]] | None = None

    def _begin_losses(self) -> DefaultLosses | OwnLosses:
        tasks, train = self._prepared.tasks, self._prepared.train
        if has_own_losses(self._prepared.recipe):
            return OwnLosses(tasks, self._rules, train, self._tradeoff)
        return DefaultLosses(tasks, self._rules.loss_scales(self._tradeoff), self._tradeoff)

    def forward(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        x, table = visits.batch(start, rows)
        masks = self._masks.next() if self._masks.shapes else {}
        masks = {name: mask[:, :rows] for name, mask in masks.items()}
        self._batch = x, table, masks
        return self._losses(self._net.forward(self.stack, masks, x), table)

    def forward_again(self) -> Tensor:
        assert self._batch is not None
        x, table, masks = self._batch
        before = {name: buffer.clone() for name, buffer in self.stack.buffers.items()}
        losses, _ = self._losses(self._net.forward(self.stack, masks, x), table)
        for name, buffer in self.stack.buffers.items():
            buffer.copy_(before[name])
        return losses

    def gramian(self) -> Tensor:
        self._gradients = self._net.trunk_gradients(self._losses.each())
        if self._gradients:
            return gramian(self._gradients)
        terms = self._prepared.terms  # a trunk without parameters
        return self._tradeoff.new_zeros(self.stack.lanes, terms, terms)

    def jacobian(self) -> Tensor:
        gradients = self._net.trunk_gradients(self._losses.each())
        if gradients:
            return jacobian(gradients)
        return self._tradeoff.new_zeros(self.stack.lanes, self._prepared.terms, 0)

    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        at_trunk = None if trunk_weights is None else self._losses.gradient(trunk_weights)
        self._net.backward(self._losses.gradient(weights), at_trunk)
        self._update(lr)

    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        self._net.backward_combined(self._losses.gradient(weights), self._gradients, weights)
        self._update(lr)

    def learn_along(self, direction: Tensor, weights: Tensor, lr: float, /) -> None:
        assert isinstance(self._net, ByAutograd)
        self._net.backward_along(self._losses.gradient(weights), direction)
        self._update(lr)

    def _update(self, lr: float) -> None:
        largest = self._prepared.work.training.clip_norm
        if largest is not None:
            clip_gradients(self.stack, largest)
        self._optimizer.step(lr)

    def keep(self, index: Tensor, /) -> None:
        self.stack = self.stack.kept(index)
        self._optimizer = self._optimizer.kept(self.stack, index)
        self._tradeoff = self._tradeoff[index]
        self._masks.keep(index.tolist())
        self._losses = self._begin_losses()
