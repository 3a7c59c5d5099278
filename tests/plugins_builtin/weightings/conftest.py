"""Rules by name, and steps to ask them about."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from fairbench.weighting import Step
from fairbench_weightings import fairbench_weightings

DESCRIPTIONS = {description.name: description for description in fairbench_weightings()}
OPTIONS = {"static": {"loss_weights": (0.5, 2.0)}}


def rule_named(name, **options):
    module, _, path = DESCRIPTIONS[name].target.partition(":")
    return getattr(import_module(module), path)(**(OPTIONS.get(name, {}) | options))


def step_for(rule, *, losses=None, gramian=None, noise=None, state=None, parameters=None):
    """A step of one trial or a stack, beginning with the rule's own state unless given one."""
    if losses is None:
        losses = torch.ones(gramian.shape[:-1], dtype=gramian.dtype)
    if state is None:
        begin = rule.initial_state(losses.shape[-1])
        lead = losses.shape[:-1]
        state = {k: v.to(losses.dtype).expand(*lead, *v.shape) for k, v in begin.items()}
    return Step(
        losses=losses.detach(),
        tradeoff=torch.full(losses.shape[:-1], float("nan"), dtype=losses.dtype),
        state=state,
        parameters=parameters or {},
        signals={},
        gramian=gramian,
        noise=noise,
    )


def weights_of(name, gramian, **options):
    """Weights of a freshly begun rule."""
    rule = rule_named(name, **options)
    noise = torch.arange(gramian.shape[-1], dtype=gramian.dtype).expand(gramian.shape[:-1])
    return rule.weights(step_for(rule, gramian=gramian, noise=noise if rule.noisy else None))[0]


@pytest.fixture(scope="session")
def rule():
    return rule_named


@pytest.fixture(scope="session")
def step():
    return step_for


@pytest.fixture(scope="session")
def weigh():
    return weights_of


@pytest.fixture(scope="session")
def draw():
    """Gradients (count, tasks, 6) in float64, the same for the same arguments."""

    def gradients(count, tasks, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, tasks, 6, generator=generator, dtype=torch.float64)

    return gradients
