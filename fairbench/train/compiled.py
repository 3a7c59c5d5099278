"""The compiled kernel as an engine: chains of common layers with linear heads, on a CPU.

A trial's numbers depend on nothing but itself: not on its neighbours, and not on whether an
epoch's steps were taken at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_int64
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fairbench.train import layout
from fairbench.train.batch import Visits
from fairbench.train.dropout import Draws
from fairbench.train.engine import Adopted, Beginning, Engine, has_closed_losses, loss_scales
from fairbench.train.layers import Layer
from fairbench.train.losses import GivenLosses
from fairbench.train.native import NativeRule, native_rule
from fairbench.train.padded import PaddedStack
from fairbench.train.rules import LEARNED, Rules
from fairbench.train.structures import (
    MOST_TASKS,
    OF_TASKS,
    Run,
    Weighting,
    form_in,
    network_of,
    optimizer_of,
    passed,
    stream_of,
)
from fairbench.train.translate import UntranslatableError

if TYPE_CHECKING:
    from fairbench.model import Task
    from fairbench.train.setup import Setup

__all__ = ["CompiledEngine", "runs"]

AT_ONCE = 2_000_000_000
"""Numbers of parameters times rows that go into one call, so that Ctrl-C is heard between calls."""


def runs(
    chain: Sequence[Layer] | None,
    tasks: Sequence[Task],
    device: torch.device,
    dtype: torch.dtype,
    /,
) -> bool:
    """Whether the kernel can train such a network there."""
    return (
        chain is not None
        and device.type == "cpu"
        and len(tasks) <= MOST_TASKS
        and all(layer.eps >= torch.finfo(dtype).tiny for layer in chain if layer.kind == "norm")
    )


class CompiledEngine(Engine):
    """By the compiled kernel."""

    stack: PaddedStack

    def __init__(self, setup: Setup, rules: Rules, begin: Beginning, /) -> None:
        assert setup.network.chain is not None
        self._setup, self._rules, self._tradeoff = setup, rules, begin.tradeoff
        self._chain = setup.network.chain
        self._streams = torch.as_tensor(np.stack([stream_of(g) for g in begin.masks.generators]))
        self._draws = torch.empty(0)
        self._factors = torch.tensor(begin.factors, dtype=torch.float64)
        self._taken = 0
        self._library = layout.library()
        self._shapes = {name: tensor.shape[1:] for name, tensor in begin.parameters.items()}
        form = form_in(setup, self._shapes)
        kinds = OF_TASKS + (setup.terms if setup.weighting.needs == "gramian" else 0)
        self.stack = PaddedStack.padded(begin.parameters, begin.buffers, form, kinds)
        self._noise: Draws | None = None
        self._bind()

    def _bind(self) -> None:
        """Tell the kernel where the stack lies."""
        setup, stack, lanes = self._setup, self.stack, self.stack.lanes
        self._net = network_of(setup, self._chain, self._shapes, stack)
        sizes = (c_int64 * 3)()
        self._library.sizes(ctypes.byref(self._net), sizes)
        self._across, own, common = sizes
        outputs = self._net.outputs
        self._space = stack.flat.new_zeros(lanes, own)
        self._common = stack.flat.new_zeros(common)

        def at_outputs(number: int) -> Tensor:
            """The kernel's matrices (S, outputs, batch) at the outputs, as (S, batch, outputs)."""
            place = number * outputs * self._across
            shape, strides = (lanes, self._across, outputs), (own, 1, self._across)
            return self._space.as_strided(shape, strides, place)

        self._outputs, self._slopes = at_outputs(0), [at_outputs(2), at_outputs(3)]
        self._each = self._gramian = stack.flat.new_zeros(0)
        self._order = torch.zeros(lanes, dtype=torch.int64)
        self._rates = self._factors.clone()
        self._closed = has_closed_losses(setup.method)
        self._scales = None
        if self._closed:
            scales = loss_scales(self._rules, setup.method, self._tradeoff)
            self._scales = None if scales is None else self._fitting(scales)
        else:
            self._losses = GivenLosses(setup.tasks, self._rules, setup.train, self._tradeoff)
        self._optimizer = optimizer_of(setup)
        if self._draws.shape[0] != lanes:
            self._draws = torch.empty(lanes, self._net.draws, dtype=torch.int16)
        self._weighting = Weighting()
        self._run = Run(
            net=ctypes.pointer(self._net),
            optimizer=ctypes.pointer(self._optimizer),
            trials=lanes,
            kinds=stack.numbers.shape[1],
            stride=stack.numbers.shape[2],
            numbers=stack.numbers.data_ptr(),
            space=self._space.data_ptr(),
            common=self._common.data_ptr(),
            order=self._order.data_ptr(),
            streams=self._streams.data_ptr(),
            draws=self._draws.data_ptr(),
            scales=passed(self._scales),
            rates=self._rates.data_ptr(),
            weighting=ctypes.pointer(self._weighting),
        )
        self._here = ctypes.byref(self._run)
        self._visits: Visits | None = None

    def _show(self, visits: Visits) -> None:
        """Tell the kernel where this epoch's rows lie."""
        if visits is self._visits:
            return
        self._visits = visits
        assert visits.features.is_contiguous()
        assert visits.table.is_contiguous()
        torch.mul(visits.streams, visits.features.shape[1], out=self._order)
        self._run.features, self._run.table = visits.features.data_ptr(), visits.table.data_ptr()
        self._run.table_width = visits.table.shape[-1]

    def _call(self, name: str, /, *arguments: object) -> None:
        """A function of the kernel; tensors are passed by address, None as null."""
        getattr(self._library, name)(self._here, *map(passed, arguments))

    def look(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        self._show(visits)
        self._batch = (start, rows, self._taken)
        if self._closed:
            losses = self._tradeoff.new_empty(self.stack.lanes, self._setup.terms)
            self._call("forward", *self._batch, losses)
            return losses, {}
        self._call("forward", *self._batch, None)
        _, table = visits.batch(start, rows)
        return self._losses(self._outputs[:, :rows].contiguous(), table)

    def gramian(self) -> Tensor:
        lanes, terms = self.stack.lanes, self._setup.terms
        if not self._gramian.numel():
            self._gramian = self.stack.flat.new_empty(lanes, terms, terms)
            shape = (lanes, terms, self._net.outputs, self._across)
            self._each = self.stack.flat.new_zeros(0 if self._closed else shape)
        if not self._closed:
            for term, slope in enumerate(self._losses.each()):
                _put(self._each[:, term].mT, slope)
        each = None if self._closed else self._each
        self._call("compare", *self._batch, terms, each, self._gramian)
        return self._gramian.clone()

    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        given = [self._handed(w, at) for at, w in enumerate((weights, trunk_weights))]
        self._step("backward", lr, *given, int(trunk_weights is not None))

    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        handed = self._handed(weights, 0)
        combination = self._fitting(weights)
        self._step("combine", lr, self._setup.terms, handed, combination)

    def _fitting(self, weights: Tensor) -> Tensor:
        """Weights (S, T) as they lie in memory for the kernel."""
        shape = (self.stack.lanes, self._setup.terms)
        return weights.to(self._tradeoff).expand(shape).contiguous()

    def _handed(self, weights: Tensor | None, at: int) -> Tensor | None:
        """Weights as the kernel wants them; of given losses, their gradient at the outputs."""
        if weights is None:
            return None
        if self._closed:
            return self._fitting(weights)
        _put(self._slopes[at], self._losses.pulled(weights))
        return None

    def _step(self, name: str, lr: float, /, *arguments: object) -> None:
        self._set_rate(lr)
        self._call(name, *self._batch, *arguments)
        self._taken += 1

    def _set_rate(self, lr: float) -> None:
        torch.mul(self._factors, lr, out=self._rates)

    def adopt(self, state: Mapping[str, Tensor], noise: Draws, /) -> Adopted | None:
        setup, stack = self._setup, self.stack
        if not self._closed:
            return None
        own = {
            name.removeprefix(LEARNED): place.start
            for name, place in stack.form.places.items()
            if name.startswith(LEARNED)
        }
        if not setup.translated:
            setup.translated.append(self._translated(own))
        (rule,) = setup.translated
        if rule is None or not rule.fits(state):
            return None
        # One number where there is no state, so that there is an address.
        self._state = stack.flat.new_zeros(stack.lanes, max(1, rule.size))
        found = {
            name: self._state[:, start : start + prod(shape)].view(-1, *shape)
            for name, (start, shape) in rule.state.items()
        }
        for name, tensor in found.items():
            tensor.copy_(state[name])
        self._noise = noise if setup.weighting.noisy else None
        self._weighting.rule = rule.address
        self._weighting.by_gramian = setup.weighting.needs == "gramian"
        self._weighting.apart = rule.apart
        self._weighting.state_size = self._state.shape[1]
        self._weighting.state = self._state.data_ptr()
        self._weighting.tradeoff = self._tradeoff.data_ptr()
        return Adopted(found, self._learn_by_rule)

    def _translated(self, own: Mapping[str, int]) -> NativeRule | None:
        weighting = self._setup.weighting
        try:
            return native_rule(weighting, self._setup.terms, own, self._setup.dtype)
        except UntranslatableError as reason:
            name = type(weighting).__qualname__
            self._setup.notes.append(f"{name} is asked by torch at every step: {reason}")
            return None

    def _learn_by_rule(
        self, visits: Visits, sizes: Sequence[int], lr: float, planned: int
    ) -> Tensor:
        self._weighting.planned = planned
        nothing = self._tradeoff.new_zeros(self.stack.lanes, self._setup.terms)
        return self._train(visits, sizes, nothing, lr)

    def learn_all(
        self, visits: Visits, sizes: Sequence[int], weights: Tensor, lr: float, /
    ) -> Tensor:
        if not self._closed:
            return super().learn_all(visits, sizes, weights, lr)
        return self._train(visits, sizes, self._fitting(weights), lr)

    def _train(self, visits: Visits, sizes: Sequence[int], weights: Tensor, lr: float) -> Tensor:
        self._show(visits)
        self._set_rate(lr)
        total = torch.zeros_like(weights)
        done, work = 0, self.stack.flat.numel() * sizes[0]
        most = max(1, AT_ONCE // work)
        while done < len(sizes):
            steps = min(most, len(sizes) - done)
            if self._noise is not None:
                drawn, steps = self._noise.ahead(steps)
                noise = drawn["noise"].contiguous()
                self._weighting.noise, self._weighting.noise_step = (
                    noise.data_ptr(),
                    noise[0].numel(),
                )
            begin, end = sum(sizes[:done]), sum(sizes[: done + steps])
            self._call("train", begin, end, sizes[0], self._taken, weights, total)
            self._taken += steps
            done += steps
        return total

    def keep(self, index: Tensor, /) -> None:
        self.stack = self.stack.kept(index)
        self._factors = self._factors[index]
        self._tradeoff = self._tradeoff[index]
        self._streams, self._draws = self._streams[index], self._draws[index]
        self._bind()


def _put(into: Tensor, slope: Tensor) -> None:
    """Write a gradient (S, rows, outputs) into a larger matrix; what is behind it becomes 0."""
    rows = slope.shape[1]
    into[:, :rows].copy_(slope)
    into[:, rows:].zero_()
