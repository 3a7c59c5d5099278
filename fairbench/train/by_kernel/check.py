"""A rule in C++ held against the same rule in torch, on steps that are made up."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairbench.train.by_kernel.writer import UntranslatableError
from fairbench.train.rules import has_slopes
from fairbench.weighting import Step, Weighting

__all__ = ["Answer", "State", "agrees", "answer", "examples"]

CASES, STEPS = 8, 4
"""Trials, and steps of each, on which a rule is held against torch."""

State = Mapping[str, tuple[int, Sequence[int]]]
"""Where each tensor of a rule's state begins among its numbers, and its shape, by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule gives at one step; C++ writes each part into an array of that name."""

    weights: Tensor
    trunk: Tensor | None
    own: Mapping[str, Tensor]
    state: Mapping[str, Tensor]


def answer(weighting: Weighting, step: Step, /) -> Answer:
    """Return what torch computes for the rule at this step."""
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
        return Answer(weights, None if scale is None else weights * scale, own, state)


def _differentiated(
    weighting: Weighting, step: Step
) -> tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]]:
    """Return what `Weighting.slopes` would, by autograd."""
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


def examples(weighting: Weighting, terms: int, dtype: torch.dtype, /) -> Iterator[Step]:
    """Yield steps of made-up trials, each with the state that torch's rule left before."""
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
            state = dict(answer(weighting, step).state)


def agrees(
    function: Any,
    weighting: Weighting,
    terms: int,
    places: State,
    own: Mapping[str, int],
    dtype: torch.dtype,
    /,
) -> None:
    """Call `function`, the rule in C++, and compare its numbers with torch's.

    Raises
    ------
    UntranslatableError
        Where the two differ by more than rounding.
    """
    single = dtype == torch.float32
    number = ctypes.c_float if single else ctypes.c_double
    address = ctypes.c_void_p
    function.argtypes = [address, address, number, number, *[address] * 6]
    function.restype = None
    size = sum(prod(shape) for _, shape in places.values())
    tolerance, noise = (1e-3, 1e-6) if single else (1e-8, 1e-14)
    for step in examples(weighting, terms, dtype):
        assert step.progress is not None
        # As many numbers as a trial has, of which the rule's own are read.
        ends = [own[name] + tensor.numel() for name, tensor in step.parameters.items()]
        parameters = torch.zeros(max([0, *ends]), dtype=dtype)
        for name, tensor in step.parameters.items():
            parameters[own[name] : own[name] + tensor.numel()] = tensor.reshape(-1)
        gradients, state = torch.zeros_like(parameters), torch.zeros(size, dtype=dtype)
        for name, (start, shape) in places.items():
            state[start : start + prod(shape)] = step.state[name].reshape(-1)
        weights, trunk = torch.zeros(2, terms, dtype=dtype)
        function(
            step.losses.data_ptr(),
            None if step.gramian is None else step.gramian.contiguous().data_ptr(),
            float(step.tradeoff),
            float(step.progress),
            None if step.noise is None else step.noise.data_ptr(),
            parameters.data_ptr(),
            gradients.data_ptr(),
            state.data_ptr(),
            weights.data_ptr(),
            trunk.data_ptr(),
        )
        expected = answer(weighting, step)
        pairs = [(weights, expected.weights)]
        if expected.trunk is not None:
            pairs.append((trunk, expected.trunk))
        for name, (start, shape) in places.items():
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
