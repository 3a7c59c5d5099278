"""The compiled kernel as an engine: a sequence of common layers with linear heads, on a CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_int64, c_void_p

import torch
from torch import Tensor

from fairbench.train.batch import Rows
from fairbench.train.by_kernel import structures
from fairbench.train.by_kernel.binding import layout_for, network_for
from fairbench.train.by_kernel.learner import KernelLearner
from fairbench.train.by_kernel.library import library
from fairbench.train.by_kernel.padded import PaddedStack
from fairbench.train.by_kernel.rule import CompiledRule, compiled_rule
from fairbench.train.by_kernel.writer import UntranslatableError
from fairbench.train.engine import Engine, Learner, Start
from fairbench.train.prepared import Prepared
from fairbench.train.rules import Rules
from fairbench.train.weights import Weights

__all__ = ["KernelEngine", "supports"]


def supports(prepared: Prepared, /) -> bool:
    """Return whether the kernel can train this network on this device."""
    layers, smallest = prepared.module.layers, torch.finfo(prepared.dtype).tiny
    return (
        layers is not None
        and prepared.device.type == "cpu"
        and len(prepared.tasks) <= structures.MOST_TASKS
        and all(layer.eps >= smallest for layer in layers if layer.kind == "norm")
    )


class KernelEngine(Engine):
    """Trains and predicts by the compiled kernel.

    A trial's numbers depend on nothing but itself: not on its neighbours, and not on whether an
    epoch's steps were taken at once.
    """

    def __init__(self, prepared: Prepared, /) -> None:
        self._prepared = prepared
        self._rules: list[CompiledRule | None] = []  # the one of the chunk, once it was asked for

    def learner(self, rules: Rules, start: Start, /) -> Learner:
        return KernelLearner(self._prepared, rules, start, self._rule)

    def _rule(self, own: Mapping[str, int]) -> CompiledRule | None:
        """Return the rule whose own parameters begin at `own`; None leaves it to torch."""
        if not self._rules:
            weighting, terms = self._prepared.weighting, self._prepared.terms
            try:
                self._rules.append(compiled_rule(weighting, terms, own, self._prepared.dtype))
            except UntranslatableError as reason:
                self._rules.append(None)
                name = type(weighting).__qualname__
                self._prepared.notes.append(f"{name} is asked by torch at every step: {reason}")
        return self._rules[0]

    def predict(self, weights: Weights, rows: Rows, heads: Sequence[str], /) -> Tensor:
        tasks = self._prepared.tasks
        outputs = self._outputs(weights, rows.features.contiguous())
        parts = torch.split(outputs, [task.width for task in tasks], dim=-1)
        named = dict(zip((task.name for task in tasks), parts, strict=True))
        return torch.cat([named[name] for name in heads], dim=-1)

    def _outputs(self, weights: Weights, x: Tensor) -> Tensor:
        """Return outputs (S, n, widths) of all heads for features (n, d)."""
        functions = library()
        shapes = {name: tensor.shape[1:] for name, tensor in weights.parameters.items()}
        layout = layout_for(self._prepared, shapes)
        stack = PaddedStack.padded(weights.parameters, weights.buffers, layout)
        net = network_for(self._prepared, shapes, stack)
        sizes = (c_int64 * 3)()
        functions.sizes(ctypes.byref(net), sizes)
        _, own, common = sizes
        space = stack.flat.new_zeros(stack.lanes * own + common)
        order = torch.zeros(stack.lanes, dtype=torch.int64)
        run = structures.Run(
            net=ctypes.pointer(net),
            trials=stack.lanes,
            kinds=stack.numbers.shape[1],
            stride=stack.numbers.shape[2],
            numbers=stack.numbers.data_ptr(),
            space=space.data_ptr(),
            common=space[stack.lanes * own :].data_ptr(),
            features=x.data_ptr(),
            order=order.data_ptr(),
        )
        found = stack.flat.new_empty(stack.lanes, len(x), net.outputs)
        functions.predict(ctypes.byref(run), c_int64(len(x)), c_void_p(found.data_ptr()))
        return found
