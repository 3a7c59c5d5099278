"""A weighting's rule as a function of the compiled kernel, held against torch before it is used."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fairbench import kernel
from fairbench.train.by_kernel.check import State, agrees, answer, examples
from fairbench.train.by_kernel.translate import Sketch
from fairbench.train.by_kernel.writer import UntranslatableError
from fairbench.weighting import Step, Weighting

__all__ = ["CompiledRule", "compiled_rule"]

_HEAD = """#include <cstdint>
typedef {type} T;
#include "rule.h"
extern "C" void rule(const T* losses, const T* gramian, T tradeoff, T progress, const T* noise,
                     const T* parameters, T* gradients, T* state, T* weights, T* trunk_weights) {{
"""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule for one trial, compiled and loaded.

    Attributes
    ----------
    address
        Of the function; ``kernel.cpp`` says how it is called.
    weighs_trunk
        Whether the trunk has weights of its own.
    state
        Where each tensor of the state begins, and its shape, by name.
    size
        Numbers of the state.
    """

    address: int
    weighs_trunk: bool
    state: State
    size: int

    def fits(self, state: Mapping[str, Tensor], /) -> bool:
        """Return whether it was written for a state (S, …) of this form."""
        form = {name: tuple(shape) for name, (_, shape) in self.state.items()}
        return form == {name: tuple(tensor.shape[1:]) for name, tensor in state.items()}


def compiled_rule(
    weighting: Weighting, terms: int, own: Mapping[str, int], dtype: torch.dtype, /
) -> CompiledRule:
    """Translate, compile and check the rule of `weighting` for so many losses.

    `own` says where its own parameters begin among a trial's.

    Raises
    ------
    UntranslatableError
        When it stays with torch.
    """
    state: dict[str, tuple[int, Sequence[int]]] = {}
    size = 0
    for name, tensor in weighting.initial_state(terms).items():
        state[name] = size, tensor.shape
        size += tensor.numel()
    try:
        source, weighs_trunk = _source(weighting, terms, state, own, dtype)
    except UntranslatableError:
        raise
    except Exception as error:  # a stranger's rule, on numbers that were made up
        raise UntranslatableError(str(error)) from error
    try:
        function = kernel.rule(source).rule
    except kernel.KernelError as error:  # refused; one that was killed must not choose the kernel
        raise UntranslatableError(str(error)) from error
    try:
        address = ctypes.cast(function, ctypes.c_void_p).value
        assert address is not None
        agrees(function, weighting, terms, state, own, dtype)
    except UntranslatableError:
        raise
    except Exception as error:  # as above
        raise UntranslatableError(str(error)) from error
    return CompiledRule(address, weighs_trunk, state, size)


def _source(
    weighting: Weighting,
    terms: int,
    state: State,
    own: Mapping[str, int],
    dtype: torch.dtype,
) -> tuple[str, bool]:
    """Return the rule in C++, and whether it gives the trunk weights of its own."""
    sketch = Sketch()
    step = next(examples(weighting, terms, dtype))
    assert step.progress is not None
    inputs: dict[str, Any] = {
        "losses": sketch.symbol(step.losses, "losses"),
        "tradeoff": sketch.symbol(step.tradeoff, "tradeoff", None),
        "progress": sketch.symbol(step.progress, "progress", None),
        "signals": {},
        "state": {
            name: sketch.named(step.state[name], "state", start)
            for name, (start, _) in state.items()
        },
        "parameters": {
            name: sketch.symbol(tensor, "parameters", own[name])
            for name, tensor in step.parameters.items()
        },
        "gramian": None if step.gramian is None else sketch.symbol(step.gramian, "gramian"),
        "noise": None if step.noise is None else sketch.symbol(step.noise, "noise"),
    }
    with sketch:
        said = answer(weighting, Step(**inputs))
    trunk = {} if said.trunk is None else {"trunk_weights": (said.trunk, 0)}
    places = {
        "weights": (said.weights, 0),
        **trunk,
        **{f"state of {n}": (said.state[n], start) for n, (start, _) in state.items()},
        **{f"gradients of {n}": (said.own[n], own[n]) for n in said.own},
    }
    shapes = {
        "weights": (terms,),
        "trunk_weights": (terms,),
        **{f"state of {n}": tuple(shape) for n, (_, shape) in state.items()},
        **{f"gradients of {n}": tuple(t.shape) for n, t in step.parameters.items()},
    }
    for name, (tensor, _) in places.items():
        if tuple(tensor.shape) != shapes[name]:
            raise UntranslatableError(f"{name} of shape {tuple(tensor.shape)}, not {shapes[name]}")
    ends = [
        f"{name.split()[0]}[{start + i}] = {value};"
        for name, (tensor, start) in places.items()
        for i, value in enumerate(sketch.values(tensor))
    ]
    head = _HEAD.format(type="float" if dtype == torch.float32 else "double")
    return head + "\n".join([*sketch.writer.lines, *ends, "}", ""]), bool(trunk)
