"""A prepared training in the kernel's own structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import c_int64, c_void_p
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairbench import kernel
from fairbench.train.by_kernel import structures
from fairbench.train.by_kernel.padded import PaddedLayout, PaddedStack, padded_layout
from fairbench.train.draws import AHEAD, thinned
from fairbench.train.prepared import Prepared
from fairbench.train.reading import Layer
from fairbench.train.schedule import BETAS, EPS

__all__ = ["as_ctypes", "layout_for", "network_for", "optimizer_for", "stream_of"]


def layout_for(prepared: Prepared, shapes: Mapping[str, Sequence[int]], /) -> PaddedLayout:
    """Return where parameters of these shapes (of one trial, by name) lie on this machine."""
    heads = [task.name for task in prepared.tasks]
    single = int(prepared.dtype == torch.float32)
    unit = kernel.library().vector_length(single)
    return padded_layout(layers_in(prepared), heads, shapes, unit)


def layers_in(prepared: Prepared, /) -> Sequence[Layer]:
    """Return the trunk's layers, which every network has that the kernel supports."""
    layers = prepared.module.layers
    assert layers is not None
    return layers


def network_for(
    prepared: Prepared, shapes: Mapping[str, Sequence[int]], stack: PaddedStack, /
) -> structures.Network:
    """Describe the network whose parameters and running statistics lie in `stack`."""
    layout, trunk, mask_shapes = stack.padding, layers_in(prepared), prepared.module.masks
    masks = list(mask_shapes)
    width = prepared.train.features.shape[1]
    layers = (structures.Layer * max(1, len(trunk)))()
    for layer, into in zip(trunk, layers, strict=False):
        into.kind, into.biased = structures.KINDS.index(layer.kind), layer.bias
        into.width_in = width
        if layer.kind == "linear":
            width = shapes[f"{layer.name}.weight"][0]
        into.width_out = width
        if layer.kind in ("linear", "norm"):
            into.weight = layout.offsets[f"{layer.name}.weight"].first
        if layer.bias or layer.kind == "norm":
            into.bias = layout.offsets[f"{layer.name}.bias"].first
        if layer.kind == "norm":
            into.eps, into.momentum = layer.eps, layer.momentum
            into.mean = stack.buffers[f"{layer.name}.running_mean"].data_ptr()
            into.variance = stack.buffers[f"{layer.name}.running_var"].data_ptr()
        if layer.kind == "mask":
            into.mask = masks.index(f"{layer.name}.mask")
            assert mask_shapes[masks[into.mask]][1][-1] == width
    tasks = (structures.Task * len(prepared.tasks))()
    outputs = 0
    for task, described in zip(prepared.tasks, tasks, strict=True):
        described.kind, described.start, described.width = (
            structures.TASKS.index(task.kind),
            outputs,
            task.width,
        )
        outputs += task.width
    dropouts = (structures.Dropout * max(1, len(masks)))()
    draws = 0
    for (p, shape), dropout in zip(mask_shapes.values(), dropouts, strict=False):
        threshold, scale = thinned(p)
        dropout.start, dropout.width = draws, shape[-1]
        dropout.threshold, dropout.scale = threshold, scale
        draws += -(-AHEAD * shape.numel() // 4) * 4
    return structures.Network(
        single=prepared.dtype == torch.float32,
        features=prepared.train.features.shape[1],
        hidden=width,
        outputs=outputs,
        tasks=len(tasks),
        layers=len(trunk),
        rows=prepared.rows_per_step,
        parameters=layout.size,
        trunk=layout.trunk,
        head_weight=layout.head_weight,
        head_bias=layout.head_bias,
        masks=len(masks),
        ahead=AHEAD,
        draws=draws,
        layer=layers,
        task=tasks,
        dropout=dropouts,
    )


def optimizer_for(prepared: Prepared, /) -> structures.Optimizer:
    """Describe the optimiser that the study's training settings name."""
    training = prepared.work.training
    return structures.Optimizer(
        kind=structures.OPTIMIZERS.index(training.optimizer),
        beta1=BETAS[0],
        beta2=BETAS[1],
        eps=EPS,
        decay=training.weight_decay,
        momentum=training.momentum,
        clip=training.clip_norm or 0.0,
    )


def stream_of(generator: np.random.Generator, /) -> np.ndarray:
    """Return the state of SFC64, from which the kernel draws on."""
    state: Any = generator.bit_generator.state
    return np.asarray(state["state"]["state"]).view(np.int64)


def as_ctypes(argument: Any, /) -> Any:
    """Convert an argument of a C function: a tensor to its address, an int to 64 bits."""
    if isinstance(argument, Tensor):
        return c_void_p(argument.data_ptr())
    return c_int64(argument) if isinstance(argument, int) else argument
