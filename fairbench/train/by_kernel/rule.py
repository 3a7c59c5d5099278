"""A weighting's rule as a function of the compiled kernel, held against torch before it is used."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fairbench import kernel
from fairbench.train.by_kernel.translate import Sketch, UntranslatableError
from fairbench.train.rules import has_slopes
from fairbench.weighting import Step, Weighting

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NativeRule", "native_rule"]

CASES, STEPS = 8, 4
"""Trials, and steps of each, on which a rule is held against torch."""

_HEAD = """#include <cstdint>
typedef {type} T;
#include "rule.h"
extern "C" void rule(const T* losses, const T* gramian, T tradeoff, T progress, const T* noise,
                     const T* parameters, T* gradients, T* state, T* weights, T* trunk_weights) {{
"""


@dataclass(frozen=True, slots=True)
class NativeRule:
    """A rule for one trial.

    Attributes
    ----------
    address
        Of the function; ``kernel.cpp`` says how it is called.
    apart
        Whether the trunk has weights of its own.
    state
        Where each tensor of the state begins, and its shape, by name.
    size
        Numbers of the state.
    """

    address: int
    apart: bool
    state: Mapping[str, tuple[int, Sequence[int]]]
    size: int

    def fits(self, state: Mapping[str, Tensor], /) -> bool:
        """Whether it was written for a state (S, …) of this form."""
        form = {name: tuple(shape) for name, (_, shape) in self.state.items()}
        return form == {name: tuple(tensor.shape[1:]) for name, tensor in state.items()}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a rule gives at one step, by the name of the array it is written to."""

    weights: Tensor
    trunk: Tensor | None
    own: Mapping[str, Tensor]
    state: Mapping[str, Tensor]


def native_rule(
    weighting: Weighting, terms: int, own: Mapping[str, int], dtype: torch.dtype, /
) -> NativeRule:
    """The rule of `weighting` for so many losses.

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
        source, apart = _source(weighting, terms, state, own, dtype)
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
        rule = NativeRule(address, apart, state, size)
        _check(weighting, terms, rule, function, own, dtype)
    except UntranslatableError:
        raise
    except Exception as error:  # as above
        raise UntranslatableError(str(error)) from error
    return rule


def _answer(weighting: Weighting, step: Step) -> _Answer:
    rule = type(weighting)
    with torch.no_grad():
        if weighting.needs == "gramian" or rule.objective is Weighting.objective:
            weights, state = weighting.weights(step)
            own: Mapping[str, Tensor] = {}
        elif has_slopes(rule):
            slopes = weighting.slopes(step)
            assert slopes is not None
            weights, own, state = slopes
        else:
            weights, own, state = _differentiated(weighting, step)
        scale = weighting.trunk_scale(step)
        return _Answer(weights, None if scale is None else weights * scale, own, state)


def _differentiated(
    weighting: Weighting, step: Step
) -> tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]]:
    """Like `Weighting.slopes`, by autograd."""
    leaves = [step.losses, *step.parameters.values()]
    with torch.enable_grad():
        for leaf in leaves:
            leaf.requires_grad_()
        total, state = weighting.objective(step.losses, step)
        found = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    for leaf in leaves:
        leaf.requires_grad_(False)
    state = {name: tensor.detach() for name, tensor in state.items()}
    return found[0], dict(zip(step.parameters, found[1:], strict=True)), state


def _source(
    weighting: Weighting,
    terms: int,
    state: Mapping[str, tuple[int, Sequence[int]]],
    own: Mapping[str, int],
    dtype: torch.dtype,
) -> tuple[str, bool]:
    sketch = Sketch()
    step = next(_examples(weighting, terms, dtype))
    inputs: dict[str, Any] = {
        "losses": sketch.symbol(step.losses, "losses"),
        "tradeoff": sketch.symbol(step.tradeoff, "tradeoff", None),
        "progress": sketch.symbol(_given(step.progress), "progress", None),
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
        answer = _answer(weighting, Step(**inputs))
    trunk = {} if answer.trunk is None else {"trunk_weights": (answer.trunk, 0)}
    places = {
        "weights": (answer.weights, 0),
        **trunk,
        **{f"state of {n}": (answer.state[n], start) for n, (start, _) in state.items()},
        **{f"gradients of {n}": (answer.own[n], own[n]) for n in answer.own},
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
    return head + "\n".join([*sketch.lines, *ends, "}", ""]), bool(trunk)


def _examples(weighting: Weighting, terms: int, dtype: torch.dtype) -> Iterator[Step]:
    """Steps of a made-up trial; whoever goes on has put the next state into the last one's."""
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> Tensor:
        return torch.as_tensor(random.standard_normal(shape), dtype=dtype)

    for _ in range(CASES):
        state = {n: t.to(dtype) for n, t in weighting.initial_state(terms).items()}
        own = {
            n: t.to(dtype) + drawn(*t.shape) for n, t in weighting.initial_parameters(terms).items()
        }
        tradeoff = drawn().abs()
        for number in range(STEPS):
            rows = drawn(terms, 5)
            step = Step(
                losses=drawn(terms).exp(),
                tradeoff=tradeoff,
                state=state,
                parameters=own,
                signals={},
                gramian=rows @ rows.mT if weighting.needs == "gramian" else None,
                noise=drawn(terms) if weighting.noisy else None,
                progress=torch.tensor(number / STEPS, dtype=dtype),
            )
            yield step
            state = dict(_answer(weighting, step).state)


def _check(
    weighting: Weighting,
    terms: int,
    rule: NativeRule,
    function: Any,
    own: Mapping[str, int],
    dtype: torch.dtype,
) -> None:
    single = dtype == torch.float32
    number = ctypes.c_float if single else ctypes.c_double
    address = ctypes.c_void_p
    function.argtypes = [address, address, number, number, *[address] * 6]
    function.restype = None
    tolerance, noise = (1e-3, 1e-6) if single else (1e-8, 1e-14)
    for step in _examples(weighting, terms, dtype):
        # As many numbers as a trial has, of which the rule's own are read.
        ends = [own[name] + tensor.numel() for name, tensor in step.parameters.items()]
        parameters = torch.zeros(max([0, *ends]), dtype=dtype)
        for name, tensor in step.parameters.items():
            parameters[own[name] : own[name] + tensor.numel()] = tensor.reshape(-1)
        gradients, state = torch.zeros_like(parameters), torch.zeros(rule.size, dtype=dtype)
        for name, (start, shape) in rule.state.items():
            state[start : start + prod(shape)] = step.state[name].reshape(-1)
        weights, trunk = torch.zeros(2, terms, dtype=dtype)
        function(
            step.losses.data_ptr(),
            None if step.gramian is None else step.gramian.contiguous().data_ptr(),
            float(step.tradeoff),
            float(_given(step.progress)),
            None if step.noise is None else step.noise.data_ptr(),
            parameters.data_ptr(),
            gradients.data_ptr(),
            state.data_ptr(),
            weights.data_ptr(),
            trunk.data_ptr(),
        )
        expected = _answer(weighting, step)
        pairs = [(weights, expected.weights)]
        if expected.trunk is not None:
            pairs.append((trunk, expected.trunk))
        for name, (start, shape) in rule.state.items():
            pairs.append((state[start : start + prod(shape)], expected.state[name]))
        for name, tensor in expected.own.items():
            pairs.append((gradients[own[name] : own[name] + tensor.numel()], tensor))
        for found, right in pairs:
            right = right.reshape(-1).to(dtype)
            finite = right[right.isfinite()].abs()
            scale = float(finite.max()) if finite.numel() else 0.0
            small = 1e-2 * tolerance * scale + noise
            if not torch.allclose(found, right, rtol=tolerance, atol=small, equal_nan=True):
                raise UntranslatableError("its translation gives other numbers")


def _given(progress: Tensor | None) -> Tensor:
    assert progress is not None
    return progress
