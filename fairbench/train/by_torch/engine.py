"""Forward passes over held-out rows, a bounded number of them at once."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_int64, c_void_p
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench import kernel
from fairbench.train.by_kernel.padded import PaddedStack
from fairbench.train.by_kernel.structures import Run, form_in, network_of

if TYPE_CHECKING:
    from fairbench.train.batch import Rows
    from fairbench.train.by_torch.forward import Tensors
    from fairbench.train.setup import Setup

__all__ = ["predicted"]

AT_ONCE = 1 << 26
"""Bytes that the layers of one pass may take: the split must not depend on the machine."""


def predicted(
    setup: Setup, parameters: Tensors, buffers: Tensors, rows: Rows, heads: Sequence[str], /
) -> Tensor:
    """Outputs (S, rows, widths) of these heads for parameters and buffers (S, ...) by name."""
    if setup.kernel == "compiled":
        outputs = _by_kernel(setup, parameters, buffers, rows.features)
        parts = torch.split(outputs, [task.width for task in setup.tasks], dim=-1)
        named = dict(zip((task.name for task in setup.tasks), parts, strict=True))
        return torch.cat([named[name] for name in heads], dim=-1)
    tensors = {**parameters, **buffers}
    lanes = next(iter(tensors.values())).shape[0]

    def passed(x: Tensor) -> Tensor:
        hidden = setup.network.trunk(tensors, x.expand(lanes, -1, -1), False)
        return torch.cat([setup.network.heads[n](tensors, hidden, False) for n in heads], dim=-1)

    at_once = max(1, AT_ONCE // (lanes * setup.footprint.row))
    with torch.no_grad():
        return torch.cat([passed(x) for x in torch.split(rows.features, at_once)], dim=1)


def _by_kernel(
    setup: Setup, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
) -> Tensor:
    """Outputs (S, n, widths) of all heads for features (n, d), not in training."""
    chain = setup.network.chain
    assert chain is not None
    library = kernel.library()
    shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
    stack = PaddedStack.padded(parameters, buffers, form_in(setup, shapes))
    net = network_of(setup, chain, shapes, stack)
    sizes = (c_int64 * 3)()
    library.sizes(ctypes.byref(net), sizes)
    space = stack.flat.new_zeros(stack.lanes * sizes[1] + sizes[2])
    order = torch.zeros(stack.lanes, dtype=torch.int64)
    x = x.contiguous()
    run = Run(
        net=ctypes.pointer(net),
        trials=stack.lanes,
        kinds=stack.numbers.shape[1],
        stride=stack.numbers.shape[2],
        numbers=stack.numbers.data_ptr(),
        space=space.data_ptr(),
        common=space[stack.lanes * sizes[1] :].data_ptr(),
        features=x.data_ptr(),
        order=order.data_ptr(),
    )
    found = stack.flat.new_empty(stack.lanes, len(x), net.outputs)
    library.predict(ctypes.byref(run), c_int64(len(x)), c_void_p(found.data_ptr()))
    return found
