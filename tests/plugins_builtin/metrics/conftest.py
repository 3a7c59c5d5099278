"""Registered metrics by name, and small attributes and predictions to measure."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from fairbench.dataset import Protected
from fairbench_metrics import fairbench_metrics

DESCRIPTIONS = {description.name: description for description in fairbench_metrics()}


def loaded(name):
    module, _, path = DESCRIPTIONS[name].target.partition(":")
    return getattr(import_module(module), path)


def attribute_of(groups, kind="categorical", values=None):
    groups = np.asarray(groups, dtype=np.int64)
    labels = tuple(f"g{i}" for i in range(groups.max() + 1))
    if kind == "categorical" and len(labels) == 2:
        kind = "binary"
    values = groups.astype(float) if values is None else np.asarray(values, dtype=float)
    return Protected("attribute", kind, values, groups, labels)


def sample_of(kind):
    """Predictions (5, 240), targets (240,) and an attribute, correlated with each other."""
    rng = np.random.default_rng(7)
    n = 240
    kinds = 4 if kind == "four groups" else 2
    groups = rng.permutation(np.arange(n) % 7 % kinds)
    target = rng.normal(50, 10, n) + 4 * groups
    prediction = target + rng.normal(0, 3, (5, n)) * (1 + 0.3 * groups) + rng.normal(0, 1, (5, 1))
    if kind == "ties":
        return np.round(prediction / 4), np.round(target / 4), attribute_of(groups)
    if kind == "continuous":
        age = target + rng.normal(0, 12, n)
        bins = (age > np.median(age)).astype(np.int64)
        return prediction, target, attribute_of(bins, "continuous", age)
    return prediction, target, attribute_of(groups)


@pytest.fixture(scope="session")
def descriptions():
    return DESCRIPTIONS


@pytest.fixture(scope="session")
def metric():
    return loaded


@pytest.fixture(scope="session")
def attribute():
    return attribute_of


@pytest.fixture(scope="session", params=["two groups", "four groups", "ties", "continuous"])
def sample(request):
    return sample_of(request.param)


@pytest.fixture(scope="session", params=["two groups", "four groups", "ties"])
def discrete(request):
    return sample_of(request.param)


@pytest.fixture(scope="session")
def continuous():
    return sample_of("continuous")
