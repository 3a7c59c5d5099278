"""What metrics cost as rows grow: `python benchmarks/rows.py [ROWS …]` prints a table.

For every family of metrics the seconds of one core and the peak of memory, for one trial and for
50, each of its dearest metric. Run with one thread of BLAS (``OMP_NUM_THREADS=1``).
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc
from functools import lru_cache

import numpy as np

from fairbench.analyze.evaluate import evaluate
from fairbench.dataset import Protected
from fairbench.neighbours import nearest
from fairbench.plugins import load

METRICS = {c.name: c for c in load().components("metric") if c.plugin == "metrics"}
ROWS = (1_000, 10_000, 100_000, 1_000_000)
TRIALS = (1, 50)
MOST = 1_000_000
"""Predictions beyond which the 50 trials are left out: they take 50 times one."""

FEATURES = 10


@lru_cache(maxsize=3)
def sample(kind, rows, trials):
    """Predictions, targets and an attribute of `kind`; ``heavy`` is one with heavy tails."""
    rng = np.random.default_rng(0)
    groups = (rng.random(rows) < 0.32).astype(np.int64)
    values = groups.astype(float)
    if kind != "binary":
        values = rng.standard_cauchy(rows) if kind == "heavy" else rng.normal(65, 9, rows)
        groups = (values > np.median(values)).astype(np.int64)
    target = 29 + 10 * rng.normal(size=rows) + groups
    noise = rng.standard_cauchy if kind == "heavy" else rng.standard_normal
    prediction = target + 6 * noise((trials, rows))
    attribute = Protected(
        "attribute", "binary" if kind == "binary" else "continuous", values, groups, ("0", "1")
    )
    return prediction, target, attribute


@lru_cache(maxsize=1)
def neighbours(rows):
    return nearest(np.random.default_rng(1).normal(size=(rows, FEATURES)))


def measured(metric, kind, rows, trials):
    """Seconds, and a check that there is a value."""
    data = sample(kind, rows, trials)
    near = neighbours(rows) if METRICS[metric].description.takes == ("individual",) else None
    began = time.process_time()
    values, reasons = evaluate(*data, [METRICS[metric]], near)
    seconds = time.process_time() - began
    if kind != "heavy":  # where a benefit can be below 0, and has no entropy
        assert not reasons, reasons
        assert np.isfinite(values[metric]).all()
    return seconds


def memory(metric, kind, rows, trials):
    """Most bytes held at once beyond the predictions."""
    sample(kind, rows, trials)
    tracemalloc.start()
    measured(metric, kind, rows, trials)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def kinds(metric):
    """Binary, a number, and one with heavy tails, as far as a metric takes them."""
    takes = METRICS[metric].description.takes
    if "binary" not in takes:
        return ("binary",)
    return ("binary", "continuous", "heavy") if "continuous" in takes else ("binary",)


def families():
    """Metrics by the module that holds them."""
    found = {}
    for name, component in METRICS.items():
        module = component.description.target.partition(":")[0].rpartition(".")[2]
        found.setdefault(module, []).append(name)
    return found


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", type=int, nargs="*", default=ROWS)
    sizes = parser.parse_args().rows
    for component in METRICS.values():
        component.load()
    for name in METRICS:  # pages in
        measured(name, "binary", 1000, 1)
    columns = [(n, s) for s in TRIALS for n in sizes if n * s <= MOST]
    print("| family | " + " | ".join(f"{n:,} × {s}" for n, s in columns) + " | MB | grows as |")
    for family, names in families().items():
        cases = [(name, kind) for name in names for kind in kinds(name)]
        seconds = {}
        for rows, trials in columns:
            found = [(measured(name, kind, rows, trials), name, kind) for name, kind in cases]
            seconds[rows, trials], *dearest = max(found)
            if (rows, trials) == (sizes[-1], 1):
                peak = memory(*dearest, rows, trials)
        few, many = sizes[-2:]
        power = math.log(seconds[many, 1] / seconds[few, 1]) / math.log(many / few)
        told = [f"{seconds[column]:.2g} s" for column in columns]
        print(
            "| " + " | ".join([family, *told, f"{peak / 1e6:.0f}", f"n^{power:.2f}"]) + " |",
            flush=True,
        )
    for rows in sizes:
        neighbours.cache_clear()
        began = time.process_time()
        neighbours(rows)
        print(f"neighbours of {rows:,} rows × {FEATURES}: {time.process_time() - began:.3g} s")


if __name__ == "__main__":
    main()
