"""The structures of the compiled kernel, as ``fairbench/kernel/source`` declares them."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fairbench import kernel
from fairbench.train.dropout import AHEAD, thinned
from fairbench.train.layers import Kind
from fairbench.train.layers import Layer as ChainLayer
from fairbench.train.optimizer import BETAS, EPS
from fairbench.train.padded import Form, PaddedStack, form_of

if TYPE_CHECKING:
    from fairbench.train.setup import Setup

__all__ = [
    "MOST_TASKS",
    "OF_TASKS",
    "Network",
    "Optimizer",
    "Run",
    "Weighting",
    "form_in",
    "network_of",
    "optimizer_of",
    "passed",
    "stream_of",
]

KINDS: Sequence[Kind] = ("linear", "norm", "relu", "tanh", "sigmoid", "mask")
TASKS = ("regression", "binary", "categorical")
OPTIMIZERS = ("adam", "adamw", "sgd")
MOST_TASKS = 64
OF_TASKS = 4
"""Parameters, gradients and two moments lie before the tasks' gradients in a trial's numbers."""


class Layer(ctypes.Structure):
    _fields_: ClassVar = [
        ("kind", c_int32),
        ("biased", c_int32),
        ("width_in", c_int64),
        ("width_out", c_int64),
        ("weight", c_int64),
        ("bias", c_int64),
        ("eps", c_double),
        ("momentum", c_double),
        ("mean", c_void_p),
        ("variance", c_void_p),
        ("mask", c_int64),
    ]


class Dropout(ctypes.Structure):
    _fields_: ClassVar = [
        ("start", c_int64),
        ("width", c_int64),
        ("threshold", c_int32),
        ("scale", c_double),
    ]


class Task(ctypes.Structure):
    _fields_: ClassVar = [("kind", c_int32), ("start", c_int32), ("width", c_int32)]


class Network(ctypes.Structure):
    _fields_: ClassVar = [
        ("single", c_int32),
        ("features", c_int64),
        ("hidden", c_int64),
        ("outputs", c_int64),
        ("tasks", c_int64),
        ("layers", c_int64),
        ("rows", c_int64),
        ("parameters", c_int64),
        ("trunk", c_int64),
        ("head_weight", c_int64),
        ("head_bias", c_int64),
        ("masks", c_int64),
        ("ahead", c_int64),
        ("draws", c_int64),
        ("layer", POINTER(Layer)),
        ("task", POINTER(Task)),
        ("dropout", POINTER(Dropout)),
    ]


class Optimizer(ctypes.Structure):
    _fields_: ClassVar = [
        ("kind", c_int32),
        ("beta1", c_double),
        ("beta2", c_double),
        ("eps", c_double),
        ("decay", c_double),
        ("momentum", c_double),
        ("clip", c_double),
    ]


class Weighting(ctypes.Structure):
    _fields_: ClassVar = [
        ("rule", c_void_p),
        ("by_gramian", c_int32),
        ("apart", c_int32),
        ("state_size", c_int64),
        ("state", c_void_p),
        ("tradeoff", c_void_p),
        ("noise", c_void_p),
        ("noise_step", c_int64),
        ("planned", c_double),
    ]


class Run(ctypes.Structure):
    _fields_: ClassVar = [
        ("net", POINTER(Network)),
        ("optimizer", POINTER(Optimizer)),
        ("trials", c_int64),
        ("kinds", c_int64),
        ("stride", c_int64),
        ("numbers", c_void_p),
        ("space", c_void_p),
        ("common", c_void_p),
        ("features", c_void_p),
        ("table", c_void_p),
        ("table_width", c_int64),
        ("order", c_void_p),
        ("streams", c_void_p),
        ("draws", c_void_p),
        ("scales", c_void_p),
        ("rates", c_void_p),
        ("weighting", POINTER(Weighting)),
    ]


def form_in(setup: Setup, shapes: Mapping[str, Sequence[int]]) -> Form:
    assert setup.network.chain is not None
    heads = [task.name for task in setup.tasks]
    single = int(setup.dtype == torch.float32)
    return form_of(setup.network.chain, heads, shapes, kernel.library().vector_length(single))


def network_of(
    setup: Setup,
    chain: Sequence[ChainLayer],
    shapes: Mapping[str, Sequence[int]],
    stack: PaddedStack,
) -> Network:
    """The network whose parameters and running statistics lie in `stack`."""
    form = stack.form
    masks = list(setup.masks)
    width = setup.train.features.shape[1]
    layers = (Layer * max(1, len(chain)))()
    for layer, into in zip(chain, layers, strict=False):
        into.kind, into.biased = KINDS.index(layer.kind), layer.bias
        into.width_in = width
        if layer.kind == "linear":
            width = shapes[f"{layer.name}.weight"][0]
        into.width_out = width
        if layer.kind in ("linear", "norm"):
            into.weight = form.places[f"{layer.name}.weight"].start
        if layer.bias or layer.kind == "norm":
            into.bias = form.places[f"{layer.name}.bias"].start
        if layer.kind == "norm":
            into.eps, into.momentum = layer.eps, layer.momentum
            into.mean = stack.buffers[f"{layer.name}.running_mean"].data_ptr()
            into.variance = stack.buffers[f"{layer.name}.running_var"].data_ptr()
        if layer.kind == "mask":
            into.mask = masks.index(f"{layer.name}.mask")
            assert setup.masks[masks[into.mask]][1][-1] == width
    tasks = (Task * len(setup.tasks))()
    outputs = 0
    for task, described in zip(setup.tasks, tasks, strict=True):
        described.kind, described.start, described.width = (
            TASKS.index(task.kind),
            outputs,
            task.width,
        )
        outputs += task.width
    rows = min(setup.work.training.batch_size, setup.train.features.shape[0])
    dropouts = (Dropout * max(1, len(masks)))()
    draws = 0
    for (p, shape), dropout in zip(setup.masks.values(), dropouts, strict=False):
        threshold, scale = thinned(p)
        dropout.start, dropout.width = draws, shape[-1]
        dropout.threshold, dropout.scale = threshold, scale
        draws += -(-AHEAD * shape.numel() // 4) * 4
    return Network(
        single=setup.dtype == torch.float32,
        features=setup.train.features.shape[1],
        hidden=width,
        outputs=outputs,
        tasks=len(tasks),
        layers=len(chain),
        rows=rows,
        parameters=form.size,
        trunk=form.trunk,
        head_weight=form.head_weight,
        head_bias=form.head_bias,
        masks=len(masks),
        ahead=AHEAD,
        draws=draws,
        layer=layers,
        task=tasks,
        dropout=dropouts,
    )


def optimizer_of(setup: Setup) -> Optimizer:
    training = setup.work.training
    return Optimizer(
        kind=OPTIMIZERS.index(training.optimizer),
        beta1=BETAS[0],
        beta2=BETAS[1],
        eps=EPS,
        decay=training.weight_decay,
        momentum=training.momentum,
        clip=training.clip_norm or 0.0,
    )


def stream_of(generator: np.random.Generator) -> np.ndarray:
    """What SFC64 will draw from."""
    state: Any = generator.bit_generator.state
    return np.asarray(state["state"]["state"]).view(np.int64)


def passed(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return c_void_p(argument.data_ptr())
    return c_int64(argument) if isinstance(argument, int) else argument
