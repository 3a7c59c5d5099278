"""The engine on a GPU, where there is one: how many trials side by side it wants.

Ratios within one run, as in `test_engine.py`; here the clock is the wall's, as the processor waits.
"""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks.sweeps import Sweep
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.joint import joint

DEVICE = "cuda"
COUNTS = [64, 1000, 10_000]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def seconds(method, count, **where):
    """Wall time per model and step, the least of three trainings after one that warms up."""
    sweep = Sweep(method, count, epochs=3, memory=1 << 17, **where)
    return min([sweep.seconds(time.perf_counter) for _ in range(4)][1:])


@pytest.mark.parametrize("kind", [StaticAlpha, joint("pcgrad")])
@pytest.mark.parametrize("count", COUNTS)
def test_gpu_against_one_core(benchmark, kind, count):
    core = seconds(kind(), 64, device="cpu", kernel="compiled")
    gpu = benchmark.pedantic(seconds, (kind(), count), {"device": DEVICE}, rounds=1)
    benchmark.extra_info |= {"gpu_us": 1e6 * gpu, "times_faster_than_a_core": core / gpu}


@pytest.mark.parametrize("count", COUNTS)
def test_gradient_weighting_against_equal(benchmark, count):
    base = seconds(StaticAlpha(), count, device=DEVICE)
    cost = benchmark.pedantic(seconds, (joint("pcgrad")(), count), {"device": DEVICE}, rounds=1)
    benchmark.extra_info |= {"times_equal": cost / base}
