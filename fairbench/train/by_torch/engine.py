"""Torch's operations as an engine: any model, on any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fairbench.train.batch import Rows
from fairbench.train.by_torch.forward import stacked_forward
from fairbench.train.by_torch.learner import TorchLearner
from fairbench.train.by_torch.net import ByAutograd, ByHand, Net
from fairbench.train.engine import Engine, Learner, Start
from fairbench.train.prepared import Prepared
from fairbench.train.rules import Rules, reads_gradients
from fairbench.train.weights import Weights

__all__ = ["TorchEngine"]

AT_ONCE = 1 << 26
"""Bytes that the layers of one pass may take: the split must not depend on the machine."""


class TorchEngine(Engine):
    """Trains and predicts by torch's operations."""

    def __init__(self, prepared: Prepared, /) -> None:
        module, notes = prepared.module, prepared.notes
        self._prepared = prepared
        self._trunk = stacked_forward(module.trunk, "trunk.", module.features, module.masks, notes)
        self._heads = {
            name: stacked_forward(head, f"heads.{name}.", module.hidden, module.masks, notes)
            for name, head in module.heads.items()
        }

    def learner(self, rules: Rules, start: Start, /) -> Learner:
        return TorchLearner(self._prepared, self._net(), rules, start)

    def _net(self) -> Net:
        """Return the network in training, with memory of its own."""
        layers = self._prepared.module.layers
        # Where a rule sees coordinates, they come in the order of the module's parameters.
        if layers is not None and not reads_gradients(type(self._prepared.weighting)):
            return ByHand(layers, [task.name for task in self._prepared.tasks])
        return ByAutograd(self._trunk, self._heads)

    def predict(self, weights: Weights, rows: Rows, heads: Sequence[str], /) -> Tensor:
        tensors = {**weights.parameters, **weights.buffers}

        def forward(x: Tensor) -> Tensor:
            hidden = self._trunk(tensors, x.expand(weights.trials, -1, -1), False)
            return torch.cat([self._heads[name](tensors, hidden, False) for name in heads], dim=-1)

        # A bounded number of rows at a time.
        at_once = max(1, AT_ONCE // (weights.trials * self._prepared.footprint.row))
        with torch.no_grad():
            return torch.cat([forward(x) for x in torch.split(rows.features, at_once)], dim=1)
