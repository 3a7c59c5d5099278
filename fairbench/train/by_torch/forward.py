"""How the forward pass of S trials runs as one program.

A module written for one trial is read with `torch.fx`. Where every operation in it has a
lane-aware form (a batched matrix product for a linear layer, an element-wise function as it
is), these are called with the trials as leading dimension. Any other module is mapped with
`torch.vmap`; what vmap cannot map either is called trial by trial.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.errors import first_line
from fairbench.train.dropout import MaskedDropout, MaskShapes
from fairbench.train.reading import traced
from fairbench.train.stack import stack_modules

__all__ = ["Forward", "Tensors", "stacked_forward"]

Tensors = Mapping[str, Tensor]
Forward = Callable[[Tensors, Tensor, bool], Tensor]
"""From parameters and buffers (S, ...) by name, features (S, batch, d) and whether training,
to outputs (S, batch, width). Running statistics are updated in place."""

_ELEMENTWISE_MODULES = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Hardtanh,
    nn.Identity,
)
_ELEMENTWISE_FUNCTIONS = {
    torch.relu,
    torch.tanh,
    torch.sigmoid,
    torch.exp,
    F.relu,
    F.gelu,
    F.silu,
    F.elu,
    F.leaky_relu,
    F.softplus,
    torch.add,
    torch.sub,
    torch.mul,
    operator.add,
    operator.sub,
    operator.mul,
    operator.neg,
}
_ELEMENTWISE_METHODS = {"relu", "tanh", "sigmoid", "exp", "add", "sub", "mul", "neg"}


class _UnknownError(Exception):
    """An operation without a lane-aware form."""


Operation = Callable[[Tensors, Tensor, bool], Tensor]


def _linear(_layer: nn.Linear, name: str) -> Operation:
    weight, bias = f"{name}.weight", f"{name}.bias"

    def apply(tensors: Tensors, x: Tensor, _: bool) -> Tensor:
        if bias not in tensors:
            return torch.bmm(x, tensors[weight].mT)
        return torch.baddbmm(tensors[bias].unsqueeze(1), x, tensors[weight].mT)

    return apply


def _batch_norm(layer: nn.BatchNorm1d, name: str) -> Operation:
    if layer.momentum is None or not layer.track_running_stats:
        raise _UnknownError
    affine = [f"{name}.weight", f"{name}.bias"] if layer.affine else []
    running = [f"{name}.running_mean", f"{name}.running_var"]

    def apply(tensors: Tensors, x: Tensor, training: bool) -> Tensor:
        """Normalise all trials' channels side by side, each over the batch on its own."""
        lanes, rows, channels = x.shape
        wide = x.transpose(0, 1).reshape(rows, lanes * channels)
        weight, bias = [tensors[n].flatten() for n in affine] or (None, None)
        mean, var = (tensors[n].view(-1) for n in running)
        wide = F.batch_norm(
            wide, mean, var, weight, bias, training, layer.momentum or 0.0, layer.eps
        )
        return wide.view(rows, lanes, channels).transpose(0, 1)

    return apply


def _layer_norm(layer: nn.LayerNorm, name: str) -> Operation:
    if len(layer.normalized_shape) != 1:
        raise _UnknownError

    def apply(tensors: Tensors, x: Tensor, _: bool) -> Tensor:
        x = F.layer_norm(x, list(layer.normalized_shape), eps=layer.eps)
        if layer.elementwise_affine:
            x = x * tensors[f"{name}.weight"].unsqueeze(1)
            if layer.bias is not None:
                x = x + tensors[f"{name}.bias"].unsqueeze(1)
        return x

    return apply


def _dropout(_: MaskedDropout, name: str) -> Operation:
    mask = f"{name}.mask"
    return lambda tensors, x, training: x * tensors[mask] if training else x


_LAYERS: dict[type[nn.Module], Callable[[Any, str], Operation]] = {
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    MaskedDropout: _dropout,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One operation of a program: which result it makes, from which, and how."""

    result: fx.Node
    run: Callable[[Tensors, dict[fx.Node, Any], bool], Any]


def _line(node: fx.Node, module: nn.Module, prefix: str) -> _Line:
    if node.op == "call_module":
        layer, name = module.get_submodule(str(node.target)), f"{prefix}{node.target}"
        (source,) = node.args
        if node.kwargs or not isinstance(source, fx.Node):
            raise _UnknownError
        if type(layer) in _LAYERS:
            apply = _LAYERS[type(layer)](layer, name)
            return _Line(node, lambda t, seen, training: apply(t, seen[source], training))
        if isinstance(layer, _ELEMENTWISE_MODULES):
            return _Line(node, lambda t, seen, training: layer(seen[source]))
        raise _UnknownError
    call = _elementwise(node)

    def run(_: Tensors, seen: dict[fx.Node, Any], __: bool) -> Any:
        args = fx.map_arg(node.args, seen.__getitem__)
        kwargs = fx.map_arg(node.kwargs, seen.__getitem__)
        return call(*args, **kwargs)

    return _Line(node, run)


def _elementwise(node: fx.Node) -> Callable[..., Any]:
    """Return the function of a node that treats every number alike, whatever its position."""
    if node.op == "call_function" and node.target in _ELEMENTWISE_FUNCTIONS:
        return node.target
    if node.op == "call_method" and node.target in _ELEMENTWISE_METHODS:
        return getattr(Tensor, str(node.target))  # type: ignore[no-any-return]
    raise _UnknownError


def _lane_forward(module: nn.Module, prefix: str, /) -> Forward | None:
    """Return the lane-aware form of `module`, or None where an operation has none."""
    if type(module) in _LAYERS or isinstance(module, _ELEMENTWISE_MODULES):
        return _single_layer(module, prefix.removesuffix("."))
    graph = traced(module)
    if graph is None:
        return None
    (source,) = (node for node in graph.nodes if node.op == "placeholder")
    (end,) = (node for node in graph.nodes if node.op == "output")
    result = end.args[0]
    if not isinstance(result, fx.Node):
        return None
    try:
        inner = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
        lines = [_line(node, module, prefix) for node in inner]
    except _UnknownError:
        return None

    def forward(tensors: Tensors, x: Tensor, training: bool) -> Tensor:
        seen: dict[fx.Node, Any] = {source: x}
        for line in lines:
            seen[line.result] = line.run(tensors, seen, training)
        return seen[result]  # type: ignore[no-any-return]

    return forward


def _single_layer(layer: nn.Module, name: str) -> Forward | None:
    if type(layer) not in _LAYERS:
        return lambda _, x, __: layer(x)
    try:
        return _LAYERS[type(layer)](layer, name)
    except _UnknownError:
        return None


def _mapped_forward(module: nn.Module, prefix: str, /) -> Forward:
    """Map `module` with `torch.vmap`: one call for all trials."""

    def forward(tensors: Tensors, x: Tensor, training: bool) -> Tensor:
        module.train(training)
        own = _own(tensors, prefix)
        call = torch.vmap(lambda one, row: functional_call(module, one, (row,)), randomness="error")
        return call(own, x)  # type: ignore[no-any-return]

    return forward


def _looped_forward(module: nn.Module, prefix: str, /) -> Forward:
    """Call `module` trial by trial: always right, never fast."""

    def forward(tensors: Tensors, x: Tensor, training: bool) -> Tensor:
        module.train(training)
        own = _own(tensors, prefix)
        return torch.stack(
            [
                functional_call(module, {name: t[lane] for name, t in own.items()}, (x[lane],))
                for lane in range(x.shape[0])
            ]
        )

    return forward


def _own(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def stacked_forward(
    module: nn.Module, prefix: str, probe: Tensor, masks: MaskShapes, notes: list[str], /
) -> Forward:
    """Return the fastest of three forms of `module` that is right for it, and note why no faster.

    `prefix` is put before the module's own parameter names to find them among the tensors;
    `probe` is one batch as the module sees it in training.
    """
    if (lanes := _lane_forward(module, prefix)) is not None:
        return lanes
    name = f"{prefix.removesuffix('.')} ({type(module).__qualname__})"
    parameters, buffers = stack_modules([module, module])
    tensors = {prefix + n: t for n, t in {**parameters, **buffers}.items()}
    tensors |= {key: probe.new_ones(2, *shape) for key, (_, shape) in masks.items()}
    try:
        mapped = _mapped_forward(module, prefix)
        mapped(tensors, probe.expand(2, *probe.shape), True)
    except Exception as error:  # a stranger's forward may do what vmap cannot
        notes.append(f"{name} trains one by one: {first_line(error)}")
        return _looped_forward(module, prefix)
    notes.append(f"{name} is stacked with torch.vmap: it has an operation without a lane form")
    return mapped
