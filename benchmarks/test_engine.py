"""The engine's speed, as ratios within one run; docs/engine.md holds a table of them.

`benchmark` times the numerator; the ratios stand in its ``extra_info``.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from benchmarks.sweeps import PlainLoop, Sweep, chunked, least, limit_seconds, values, work
from fairbench.training import Training
from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.group_dro import GroupDRO
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.joint import joint


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _parts(count):
    """The lanes of each chunk that `count` trials are cut into."""
    chunks = -(-count // Training().lanes)
    return [count * (i + 1) // chunks - count * i // chunks for i in range(chunks)]


@pytest.mark.parametrize("kernel", ["compiled", "torch"])
@pytest.mark.parametrize("count", [1, 10, 50, 200, 500, 2000])
def test_stacked_against_a_plain_loop(benchmark, count, kernel):
    sweeps = [Sweep(StaticAlpha(), lanes, epochs=3, kernel=kernel) for lanes in _parts(count)]
    loader, by_hand = PlainLoop(), PlainLoop(loader=False)
    stacked, slow, fast, limit = least(
        lambda: chunked(sweeps),
        loader.seconds,
        by_hand.seconds,
        limit_seconds,
        repeats=3 if count > 200 else 5,
    )
    benchmark.extra_info |= {
        "stacked_us": 1e6 * stacked,
        "times_faster_than_dataloader_loop": slow / stacked,
        "times_faster_than_indexing_loop": fast / stacked,
        "share_of_limit": limit / stacked,
    }
    benchmark.pedantic(sweeps[0].seconds, rounds=1)
    if count == 1:
        assert stacked <= 1.2 * slow
    if kernel == "compiled":
        assert slow / stacked >= (30 if count == 1 else 60)
    if count >= 50:
        assert limit / stacked >= (0.5 if kernel == "compiled" else 0.25)
        assert slow / stacked >= 30


@pytest.mark.parametrize("kernel", ["compiled", "torch"])
@pytest.mark.parametrize(
    ("method", "bound"),
    [
        (StaticAlpha, 1.05),
        (joint("uncertainty"), 1.05),
        (joint("dwa"), 1.05),
        (GroupDRO, None),
        (Adversarial, None),
        (joint("pcgrad"), 1.5),
        (joint("mgda"), 1.5),
        (joint("cagrad"), 1.5),
        (joint("gradnorm"), 1.5),
    ],
)
def test_weighting_against_equal(benchmark, method, bound, kernel):
    equal, other = (Sweep(each(), 64, epochs=3, kernel=kernel) for each in (joint("equal"), method))
    base, cost = least(equal.seconds, other.seconds, repeats=9)
    benchmark.extra_info |= {"times_equal": cost / base, "aim": bound}
    benchmark.pedantic(other.seconds, rounds=1)
    assert cost / base <= 2.5


@pytest.mark.parametrize(
    "architecture", [{"dropout": 0.2}, {"batch_norm": True}, {"dropout": 0.2, "batch_norm": True}]
)
def test_layer_against_none(benchmark, architecture):
    plain, layered = (Sweep(StaticAlpha(architecture=a), 64, epochs=3) for a in ({}, architecture))
    base, cost = least(plain.seconds, layered.seconds)
    benchmark.extra_info |= {"times_without": cost / base}
    benchmark.pedantic(layered.seconds, rounds=1)
    assert cost / base <= 6


def test_early_stopping_against_none(benchmark):
    """Per step that was taken; watching costs a pass over validation rows every epoch."""
    plain = Sweep(StaticAlpha(), 64, epochs=3)
    watched = Sweep(StaticAlpha(), 64, epochs=3, patience=3)
    base, cost = least(plain.seconds, watched.seconds, repeats=3)
    benchmark.extra_info |= {"times_without": cost / base}
    benchmark.pedantic(watched.seconds, rounds=1)
    assert cost / base <= 1.5


def test_chains_against_none(benchmark):
    """64 chains of 5 values, each begun from the one before, against 64 trials from scratch."""

    def seconds(count, chain):
        job = work(values(count), chain=chain, epochs=3)
        began = time.process_time()
        trained = StaticAlpha().train(job)
        return (time.process_time() - began) / trained.model_steps

    base, cost = least(lambda: seconds(64, 1), lambda: seconds(320, 5), repeats=3)
    benchmark.extra_info |= {"times_without": cost / base}
    benchmark.pedantic(seconds, (320, 5), rounds=1)
    assert cost / base <= 1.5


def test_peak_memory_against_trials(benchmark):
    """A study's memory is that of one chunk, whatever the number of trials."""
    few, many = (
        _peak(f"for _ in range({chunks}): StaticAlpha().train(work(values(64)))")
        for chunks in (1, 10)
    )
    benchmark.extra_info |= {"peak_mb_64": few, "peak_mb_640": many, "ratio": many / few}
    benchmark.pedantic(lambda: None, rounds=1)
    assert many / few < 1.2


def test_peak_memory_against_the_budget(benchmark):
    """64 wide networks within 200 MiB and without a bound, beyond a single one."""
    one, bounded, free = (
        _peak(f"{WIDE}.train(work(values({lanes}), memory={memory}))")
        for lanes, memory in ((1, 200), (64, 200), (64, 100_000))
    )
    benchmark.extra_info |= {"mb_bounded": bounded - one, "mb_free": free - one}
    benchmark.pedantic(lambda: None, rounds=1)
    assert bounded - one < 250
    assert free - one > 2 * (bounded - one)


WIDE = "StaticAlpha(architecture={'hidden': (1024, 256)})"


def _peak(statement):
    """Peak memory of a process that runs `statement`, in MiB."""
    script = (
        "import torch, resource; torch.set_num_threads(1)\n"
        "from benchmarks.sweeps import work, values\n"
        "from fairbench_paper.static_alpha import StaticAlpha\n"
        f"{statement}\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(run.stdout.splitlines()[-1])
