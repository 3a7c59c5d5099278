"""Hold the ratios of one benchmark run against stored ones: `python benchmarks/ratios.py RUN.json`.

A second is another second on every machine; how many times longer one thing takes than another,
measured in the same minute, is much the same on all. Two kinds of ratio are read from what
``pytest benchmarks --benchmark-json=RUN.json`` wrote: those that a benchmark puts into its
``extra_info`` under a name beginning with ``times_`` (``times_faster_…`` is better when high),
and the time of every metric in that of all metrics together.

A ratio that is worse than the stored one by more than the stored factor is a slow-down, and the
exit code is 1. Ratios that were not measured, or not stored, are only counted. ``--update``
stores those of this run beside the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "baselines" / "ratios.json"
METRIC = "test_metrics.py::test_metric["
LEAST_SHARE = 0.005
"""Share of the time of all metrics below which one metric's time is the clock's noise."""
ALL_METRICS = "test_metrics.py::test_all_metrics_together[binary]"


def measured(run: dict[str, Any]) -> dict[str, float]:
    """Every ratio of a benchmark run, by name."""
    found = {}
    least = {}
    for benchmark in run["benchmarks"]:
        name = benchmark["fullname"].rpartition("/")[2]
        least[name] = float(benchmark["stats"]["min"])
        for key, value in benchmark["extra_info"].items():
            if key.startswith("times_"):
                found[f"{name} {key}"] = float(value)
    if whole := least.get(ALL_METRICS):
        for name, seconds in least.items():
            if name.startswith(METRIC) and seconds / whole >= LEAST_SHARE:
                found[f"{name} times_all_metrics"] = seconds / whole
    return found


def slowdown(name: str, now: float, then: float) -> float:
    """How many times worse `now` is than `then`."""
    better_when_high = " times_faster" in name
    return then / now if better_when_high else now / then


def compare(now: dict[str, float], stored: dict[str, Any]) -> list[str]:
    """A line for every slow-down beyond the stored factor."""
    factor = float(stored["factor"])
    return [
        f"{name}: {now[name]:.3g}, {slowdown(name, now[name], then):.2f} times worse than {then}"
        for name, then in sorted(stored["ratios"].items())
        if name in now and slowdown(name, now[name], then) > factor
    ]


def update(now: dict[str, float], stored: dict[str, Any]) -> dict[str, Any]:
    """`stored` with the ratios of this run; three digits are enough."""
    ratios = stored["ratios"] | {name: float(f"{ratio:.3g}") for name, ratio in now.items()}
    return {"factor": stored["factor"], "ratios": ratios}


def main(arguments: list[str] | None = None) -> int:
    """0 without a slow-down, 1 with one, 2 where there is nothing to compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="what --benchmark-json wrote")
    parser.add_argument("--against", type=Path, default=STORED, help="stored ratios")
    parser.add_argument("--update", action="store_true", help="store this run's ratios")
    given = parser.parse_args(arguments)
    try:
        now = measured(json.loads(given.run.read_text(encoding="utf-8")))
        stored = json.loads(given.against.read_text(encoding="utf-8"))
        lines = compare(now, stored)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        print(f"Error: {given.run} or {given.against} cannot be read: {error!r}", file=sys.stderr)
        return 2
    if given.update:
        text = json.dumps(update(now, stored), indent=1, sort_keys=True)
        given.against.write_text(f"{text}\n", encoding="utf-8")
        print(f"{given.against}: {len(now)} ratios stored")
        return 0
    both = now.keys() & stored["ratios"].keys()
    if not both:
        print(f"Error: {given.run} holds none of the stored ratios", file=sys.stderr)
        return 2
    missing, new = len(stored["ratios"]) - len(both), len(now) - len(both)
    print(*lines, sep="\n")
    print(
        f"{len(lines)} of {len(both)} ratios are more than {stored['factor']:g} times worse than "
        f"stored; {missing} stored ones were not measured, {new} are not stored"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
