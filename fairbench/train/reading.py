"""What a module is made of, read off it once.

A module written for one trial is traced with `torch.fx`. Where that shows a plain sequence of
common layers, an engine can train it without autograd; any other module is called as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.errors import PluginError
from fairbench.model import Task
from fairbench.train.dropout import MaskedDropout

__all__ = [
    "TRACED_WHOLE",
    "WEIGHTING_PREFIX",
    "Kind",
    "Layer",
    "has_batch_norm",
    "layers_of",
    "parts_of",
    "sequential_layers",
    "traced",
]

WEIGHTING_PREFIX = "weighting."
"""Begins the names of the weighting's own parameters, beside those of the model."""

TRACED_WHOLE = (nn.Linear, nn.BatchNorm1d, nn.LayerNorm, MaskedDropout)
"""Modules that tracing does not look into: each is one operation."""

Kind = Literal["linear", "norm", "relu", "tanh", "sigmoid", "mask"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a sequence, as it was read off a module.

    Attributes
    ----------
    name
        Finds its tensors; empty for an activation.
    bias
        Of a linear layer: whether it has one.
    eps, momentum
        Of batch normalisation, as torch defines them.
    """

    kind: Kind
    name: str = ""
    bias: bool = False
    eps: float = 0.0
    momentum: float = 0.0


_ACTIVATIONS: Mapping[type[nn.Module], Kind] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
}
_FUNCTIONS: Mapping[object, Kind] = {
    torch.relu: "relu",
    F.relu: "relu",
    torch.tanh: "tanh",
    torch.sigmoid: "sigmoid",
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}


def has_batch_norm(module: nn.Module, /) -> bool:
    """Return whether a batch of one row cannot be trained on."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def sequential_layers(
    trunk: nn.Module, heads: Mapping[str, nn.Module], /
) -> tuple[Layer, ...] | None:
    """Return the trunk's layers in order, or None where trunk or heads are something else.

    The trunk has to be a plain sequence of known layers, and every head linear with a bias.
    """
    linear = all(type(head) is nn.Linear and head.bias is not None for head in heads.values())
    return layers_of(trunk, "trunk.") if linear else None


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in TRACED_WHOLE or super().is_leaf_module(m, module_qualified_name)


def traced(module: nn.Module, /) -> fx.Graph | None:
    """Trace what `module` does with its one input; None where values decide that."""
    try:
        graph = _Tracer().trace(module)
    except Exception:  # tracing runs a stranger's forward, which may raise anything
        return None
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    return graph if len(inputs) == 1 else None


def layers_of(module: nn.Module, prefix: str, /) -> tuple[Layer, ...] | None:
    """Return the layers of `module` in order, or None where it is no sequence of known ones."""
    if type(module) is nn.Linear:
        return (Layer("linear", prefix.removesuffix("."), bias=module.bias is not None),)
    graph = traced(module)
    if graph is None:
        return None
    before: fx.Node | None = None
    layers: list[Layer] = []
    for node in graph.nodes:
        plain = node.kwargs in ({}, {"inplace": False})  # the latter of F.relu(x)
        if node.op != "placeholder" and (node.args != (before,) or not plain):
            return None
        if node.op not in ("placeholder", "output"):
            layer = _layer(node, module, prefix)
            if layer is None or (layer.name and any(layer.name == seen.name for seen in layers)):
                return None  # a layer that is used twice has one gradient from both
            layers.append(layer)
        before = node
    return tuple(layers)


def _layer(node: fx.Node, module: nn.Module, prefix: str) -> Layer | None:
    if node.op != "call_module":
        kind = _FUNCTIONS.get(node.target)
        return None if kind is None else Layer(kind)
    part, name = module.get_submodule(str(node.target)), f"{prefix}{node.target}"
    if type(part) not in {nn.Linear, nn.BatchNorm1d, MaskedDropout, *_ACTIVATIONS}:
        return None  # a subclass may do something else
    match part:
        case nn.BatchNorm1d(momentum=float(momentum), affine=True, track_running_stats=True):
            return Layer("norm", name, eps=part.eps, momentum=momentum)
        case nn.Linear():
            return Layer("linear", name, bias=part.bias is not None)
        case MaskedDropout():
            return Layer("mask", name)
    kind = _ACTIVATIONS.get(type(part))
    return None if kind is None else Layer(kind)


def parts_of(
    module: nn.Module, tasks: Sequence[Task], model: str, /
) -> tuple[nn.Module, dict[str, nn.Module]]:
    """Return the module's trunk, and its heads in the order of the tasks."""
    trunk, heads = getattr(module, "trunk", None), getattr(module, "heads", None)
    if not isinstance(trunk, nn.Module) or not isinstance(heads, nn.ModuleDict):
        raise PluginError(
            f"model {model!r} has no `trunk` module and `heads` ModuleDict",
            where=type(module).__qualname__,
            hint="give it both, see fairbench.model.Model",
        )
    if missing := [task.name for task in tasks if task.name not in heads]:
        raise PluginError(
            f"model {model!r} has no head {missing[0]!r}",
            where=type(module).__qualname__,
            hint="build one head per task, keyed by the task's name",
        )
    names: dict[int, str] = {}
    if any(name.startswith(WEIGHTING_PREFIX) for name, _ in module.named_parameters()):
        raise PluginError(
            f"model {model!r} has parameters under {WEIGHTING_PREFIX!r}, the weighting's own name",
            where=type(module).__qualname__,
            hint="give that attribute another name",
        )
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if (other := names.setdefault(id(parameter), name)) != name:
            raise PluginError(
                f"model {model!r} uses one parameter as {other!r} and as {name!r}",
                where=type(module).__qualname__,
                hint="give each its own: side by side they would no longer be one",
            )
    return trunk, {task.name: heads[task.name] for task in tasks}
