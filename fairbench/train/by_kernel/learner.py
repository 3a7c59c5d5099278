"""A stack of trials in training by the compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_int64
from math import prod

import numpy as np
import torch
from torch import Tensor

from fairbench.train.batch import Visits
from fairbench.train.by_kernel import structures
from fairbench.train.by_kernel.binding import (
    as_ctypes,
    layout_for,
    network_for,
    optimizer_for,
    stream_of,
)
from fairbench.train.by_kernel.library import library
from fairbench.train.by_kernel.padded import PaddedStack
from fairbench.train.by_kernel.rule import CompiledRule
from fairbench.train.draws import Draws
from fairbench.train.engine import Learner, Start
from fairbench.train.own_losses import OwnLosses
from fairbench.train.prepared import Prepared
from fairbench.train.reading import WEIGHTING_PREFIX
from fairbench.train.recipe import has_own_losses
from fairbench.train.rules import Rules

__all__ = ["KernelLearner"]

AT_ONCE = 2_000_000_000
"""Numbers of parameters times rows that go into one call, so that Ctrl-C is heard between calls."""


class KernelLearner(Learner):
    """Holds the kernel's structures for one stack, and calls its functions.

    Parameters
    ----------
    rule_for
        Gives the weighting's rule in C++, or None, from where its own parameters begin among a
        trial's numbers, by name.
    """

    stack: PaddedStack

    def __init__(
        self,
        prepared: Prepared,
        rules: Rules,
        start: Start,
        rule_for: Callable[[Mapping[str, int]], CompiledRule | None],
        /,
    ) -> None:
        self._prepared, self._rules, self._tradeoff = prepared, rules, start.tradeoff
        self._rule_for = rule_for
        self._streams = torch.as_tensor(np.stack([stream_of(g) for g in start.masks.generators]))
        self._draws = torch.empty(0)
        self._factors = torch.tensor(start.rate_factors, dtype=torch.float64)
        self._taken = 0
        self._library = library()
        parameters = start.weights.parameters
        self._shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
        of_tasks = prepared.terms if prepared.weighting.needs == "gramian" else 0
        layout = layout_for(prepared, self._shapes)
        self.stack = PaddedStack.padded(
            parameters, start.weights.buffers, layout, structures.OF_TASKS + of_tasks
        )
        self._noise: Draws | None = None
        self._default = not has_own_losses(prepared.recipe)
        self._bind()

    def _bind(self) -> None:
        """Tell the kernel where the stack lies."""
        prepared, stack, lanes = self._prepared, self.stack, self.stack.lanes
        self._net = network_for(prepared, self._shapes, stack)
        sizes = (c_int64 * 3)()
        self._library.sizes(ctypes.byref(self._net), sizes)
        self._across, own, common = sizes
        outputs = self._net.outputs
        self._space = stack.flat.new_zeros(lanes, own)
        self._common = stack.flat.new_zeros(common)

        def at_outputs(number: int) -> Tensor:
            """Return a matrix (S, outputs, batch) of the kernel's as (S, batch, outputs)."""
            first = number * outputs * self._across
            shape, strides = (lanes, self._across, outputs), (own, 1, self._across)
            return self._space.as_strided(shape, strides, first)

        self._outputs, self._slopes = at_outputs(0), [at_outputs(2), at_outputs(3)]
        self._each = self._gramian = stack.flat.new_zeros(0)
        self._order = torch.zeros(lanes, dtype=torch.int64)
        self._rates = self._factors.clone()
        self._scales = None
        if self._default:
            scales = self._rules.loss_scales(self._tradeoff)
            self._scales = None if scales is None else self._contiguous(scales)
        else:
            self._losses = OwnLosses(prepared.tasks, self._rules, prepared.train, self._tradeoff)
        self._optimizer = optimizer_for(prepared)
        if self._draws.shape[0] != lanes:
            self._draws = torch.empty(lanes, self._net.draws, dtype=torch.int16)
        self._weighting = structures.Weighting()
        self._run = structures.Run(
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
            scales=as_ctypes(self._scales),
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
        """Call a function of the kernel; tensors are passed by address, None as null."""
        getattr(self._library, name)(self._here, *map(as_ctypes, arguments))

    def forward(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        self._show(visits)
        self._batch = (start, rows, self._taken)
        if self._default:
            losses = self._tradeoff.new_empty(self.stack.lanes, self._prepared.terms)
            self._call("forward", *self._batch, losses)
            return losses, {}
        self._call("forward", *self._batch, None)
        _, table = visits.batch(start, rows)
        return self._losses(self._outputs[:, :rows].contiguous(), table)

    def gramian(self) -> Tensor:
        lanes, terms = self.stack.lanes, self._prepared.terms
        if not self._gramian.numel():
            self._gramian = self.stack.flat.new_empty(lanes, terms, terms)
            shape = (lanes, terms, self._net.outputs, self._across)
            self._each = self.stack.flat.new_zeros(0 if self._default else shape)
        if not self._default:
            for term, slope in enumerate(self._losses.each()):
                _put(self._each[:, term].mT, slope)
        each = None if self._default else self._each
        self._call("compare", *self._batch, terms, each, self._gramian)
        return self._gramian.clone()

    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        given = [self._handed(w, at) for at, w in enumerate((weights, trunk_weights))]
        self._step("backward", lr, *given, int(trunk_weights is not None))

    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        handed = self._handed(weights, 0)
        combination = self._contiguous(weights)
        self._step("combine", lr, self._prepared.terms, handed, combination)

    def _contiguous(self, weights: Tensor) -> Tensor:
        """Return weights (S, T) as the kernel reads them."""
        shape = (self.stack.lanes, self._prepared.terms)
        return weights.to(self._tradeoff).expand(shape).contiguous()

    def _handed(self, weights: Tensor | None, at: int) -> Tensor | None:
        """Return weights for the kernel; of own losses, write their gradient instead."""
        if weights is None:
            return None
        if self._default:
            return self._contiguous(weights)
        _put(self._slopes[at], self._losses.gradient(weights))
        return None

    def _step(self, name: str, lr: float, /, *arguments: object) -> None:
        self._set_rate(lr)
        self._call(name, *self._batch, *arguments)
        self._taken += 1

    def _set_rate(self, lr: float) -> None:
        torch.mul(self._factors, lr, out=self._rates)

    def take_rule(self, state: Mapping[str, Tensor], noise: Draws, /) -> dict[str, Tensor] | None:
        stack, weighting = self.stack, self._prepared.weighting
        if not self._default:
            return None
        own = {
            name.removeprefix(WEIGHTING_PREFIX): offset.first
            for name, offset in stack.padding.offsets.items()
            if name.startswith(WEIGHTING_PREFIX)
        }
        rule = self._rule_for(own)
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
        self._noise = noise if weighting.noisy else None
        self._weighting.rule = rule.address
        self._weighting.by_gramian = weighting.needs == "gramian"
        self._weighting.weighs_trunk = rule.weighs_trunk
        self._weighting.state_size = self._state.shape[1]
        self._weighting.state = self._state.data_ptr()
        self._weighting.tradeoff = self._tradeoff.data_ptr()
        return found

    def learn_by_rule(
        self, visits: Visits, sizes: Sequence[int], lr: float, planned: int, /
    ) -> Tensor:
        self._weighting.planned = planned
        nothing = self._tradeoff.new_zeros(self.stack.lanes, self._prepared.terms)
        return self._train(visits, sizes, nothing, lr)

    def learn_all(
        self, visits: Visits, sizes: Sequence[int], weights: Tensor, lr: float, /
    ) -> Tensor:
        if not self._default:
            return super().learn_all(visits, sizes, weights, lr)
        return self._train(visits, sizes, self._contiguous(weights), lr)

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
    """Write a gradient (S, rows, outputs) into a larger matrix, and zeros behind it."""
    rows = slope.shape[1]
    into[:, :rows].copy_(slope)
    into[:, rows:].zero_()
