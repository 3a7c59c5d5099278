"""Ten times the rows take every metric about ten times as long, whatever the attribute.

The ratio is of one run, so that it means the same on any machine. A metric that looked at all
pairs of rows would take a hundred times as long, and is refused.
"""

from __future__ import annotations

import time

import pytest

from benchmarks.rows import METRICS, kinds, measured, memory, neighbours, sample

FEW, MANY = 20_000, 200_000
MOST_TIMES = 40
"""Ten times for the rows, some for sorting them and for leaving the cache."""

MOST_BYTES = 1_500
"""Of memory for each row, beside the predictions."""

CASES = [(name, kind) for name in METRICS for kind in kinds(name)]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_rows(benchmark, name, kind):
    measured(name, kind, FEW, 1)  # imports, and pages in
    few = min(measured(name, kind, FEW, 1) for _ in range(5))
    many = benchmark.pedantic(measured, (name, kind, MANY, 1), rounds=1)
    many = min(many, measured(name, kind, MANY, 1))
    # Below a millisecond the call itself is what takes time.
    times = many / max(few, 1e-3)
    benchmark.extra_info["times_ten_times_the_rows"] = times
    assert times < MOST_TIMES


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_memory(name, kind):
    assert memory(name, kind, MANY, 1) < MOST_BYTES * MANY


@pytest.mark.parametrize("name", ["generalized-demographic-parity", "gedi", "berk-individual"])
def test_what_trials_share_is_computed_once(benchmark, name):
    """Ten trials that come one by one take less than ten times one, the first of an attribute."""

    def seconds(trials):
        sample.cache_clear()
        sample("continuous", MANY, trials)
        return measured(name, "continuous", MANY, trials)

    alone = min(seconds(1) for _ in range(3))
    together = benchmark.pedantic(seconds, (10,), rounds=1)
    benchmark.extra_info["times_ten_trials"] = together / alone
    assert together < 9 * alone


def test_neighbours(benchmark):
    """Beyond 2,000 places a sample's are looked for: the time does not grow as the pairs."""

    def seconds(rows):
        neighbours.cache_clear()
        began = time.process_time()
        neighbours(rows)
        return time.process_time() - began

    few = min(seconds(FEW) for _ in range(2))
    many = benchmark.pedantic(seconds, (MANY,), rounds=1)
    benchmark.extra_info["times_ten_times_the_rows"] = many / few
    assert many < MOST_TIMES * few
