"""Reproduces the numbers and the figure of docs/statistics.md.

``python docs/figures/calibration.py`` takes some minutes on one core, writes power.svg beside
this file and prints the tables in Markdown; a number after it sets the studies per design.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fairbench.analyze import corrected_interval
from fairbench.analyze.simulation import Truth, judge_each, simulate_fronts

STUDIES = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
EFFECTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def studies(truth: Truth, count: int = STUDIES) -> pd.DataFrame:
    """Judge `count` simulated studies."""
    return judge_each(simulate_fronts(truth, count))


def rate(found: int, count: int) -> str:
    """A rate with its exact binomial interval."""
    low, high = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return f"{found / count:.1%} ({low:.1%} to {high:.1%})"


def coverage(values: NDArray[np.float64], truth: float, ratio: float) -> int:
    """How many rows (studies, J) have an interval that holds the truth."""
    found = [corrected_interval(row, ratio) for row in values]
    return sum(interval.low <= truth <= interval.high for interval in found)


def false_verdicts() -> None:
    print("\n| design | fairer | worse | interval covers zero |\n|---|---|---|---|")
    designs = {
        "5 splits": Truth(splits=5, trial_sd=0.3),
        "10 splits": Truth(splits=10, trial_sd=0.3),
        "5 splits × 3 seeds": Truth(splits=5, seeds=3, trial_sd=0.3),
        "5 splits, no noise of training": Truth(splits=5),
        "10 splits, 50 values": Truth(splits=10, values=50, trial_sd=0.3),
        "10 splits, 50 values, all noise of training": Truth(
            splits=10, values=50, row_sd=0.0, trial_sd=0.3
        ),
    }
    for name, truth in designs.items():
        rows = studies(truth)
        fairer, worse = ((rows["verdict"] == word).sum() for word in ("fairer", "worse"))
        covered = ((rows["low"] <= 0) & (rows["high"] >= 0)).sum()
        cells = [rate(int(n), len(rows)) for n in (fairer, worse, covered)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def normal_coverage() -> None:
    print("\n| splits | coverage | without the correction |\n|---|---|---|")
    rho = 0.25  # n_test / (n_test + n_train) of a 60/20/20 split
    for splits in (3, 5, 10, 30):
        rng = np.random.default_rng(splits)
        shared = rng.normal(size=(4000, 1)) * np.sqrt(rho)
        values = 1.0 + shared + rng.normal(size=(4000, splits)) * np.sqrt(1 - rho)
        cells = [rate(coverage(values, 1.0, ratio), 4000) for ratio in (1 / 3, 0.0)]
        print(f"| {splits} | {' | '.join(cells)} |", flush=True)


def least_squares(rows: int, splits: int, method: str, rng: np.random.Generator) -> list[float]:
    """Differences in disparity by split between two models truly fitted to training rows."""
    x = rng.normal(size=(rows, 5))
    group = np.arange(rows) % 3 == 0
    other = rng.random(rows) < 0.4
    y = x.sum(axis=1) + (x @ np.linspace(-0.6, 0.6, 5)) * group
    y += rng.normal(size=rows) * (1 + 0.5 * group)
    differences = []
    for _ in range(splits):
        order = rng.permutation(rows)
        train, test = order[: int(0.6 * rows)], order[int(0.8 * rows) :]
        gaps = []
        for changed in (False, True):
            weight = np.ones(train.size)
            if changed and method == "weights of the group":
                weight[group[train]] = 4.0
            if changed and method == "weights without meaning":
                weight[other[train]] = 4.0
            penalty = 20.0 if changed and method == "ridge" else 0.1
            gram = (x[train] * weight[:, None]).T @ x[train] + penalty * np.eye(5)
            beta = np.linalg.solve(gram, (x[train] * weight[:, None]).T @ y[train])
            if changed and method == "noise of training":
                beta = beta + rng.normal(size=5) * 0.2
            square = (y[test] - x[test] @ beta) ** 2
            inside = group[test]
            gaps.append(abs(np.sqrt(square[inside].mean()) - np.sqrt(square[~inside].mean())))
        differences.append(float(gaps[1] - gaps[0]))
    return differences


def trained_coverage() -> None:
    print("\n| second model | rows | splits | correlation | coverage | uncorrected |")
    print("|---|---|---|---|---|---|")
    methods = ("noise of training", "ridge", "weights of the group", "weights without meaning")
    for method in methods:
        for rows, splits in ((300, 5), (300, 10), (1000, 10)):
            found = np.array(
                [
                    least_squares(rows, splits, method, np.random.default_rng([7, number]))
                    for number in range(STUDIES)
                ]
            )
            truth = float(found.mean())
            centred = found - truth
            pairs = np.einsum("si,sj->ij", centred, centred) / len(found)
            rho = (pairs.sum() - np.trace(pairs)) / (splits - 1) / np.trace(pairs)
            cells = [f"{coverage(found, truth, r) / len(found):.1%}" for r in (1 / 3, 0.0)]
            print(f"| {method} | {rows} | {splits} | {rho:.2f} | {' | '.join(cells)} |", flush=True)


def power() -> dict[str, list[float]]:
    designs = {
        "5 splits": Truth(splits=5, rows=1000, trial_sd=0.1),
        "10 splits": Truth(splits=10, rows=1000, trial_sd=0.1),
        "10 splits, 20 values": Truth(splits=10, rows=1000, trial_sd=0.1, values=20),
        "20 splits": Truth(splits=20, rows=1000, trial_sd=0.1),
    }
    curves: dict[str, list[float]] = {}
    print(f"\n| design | {' | '.join(f'{effect:.0%}' for effect in EFFECTS)} |")
    print("|---|" + "---|" * len(EFFECTS))
    for name, truth in designs.items():
        curves[name] = []
        for effect in EFFECTS:
            rows = studies(replace(truth, effect=effect))
            curves[name].append(float((rows["verdict"] == "fairer").mean()))
        print(f"| {name} | {' | '.join(f'{p:.1%}' for p in curves[name])} |", flush=True)
    return curves


def figure(curves: dict[str, list[float]]) -> str:
    """The power curves as SVG, readable on light and on dark pages."""
    colours = ("#0072b2", "#d55e00", "#cc79a7", "#009e73")
    dashes = ("", "7 3", "2 3", "9 3 2 3")

    def at(effect: float, share: float) -> str:
        return f"{60 + 400 * effect:.1f},{260 - 220 * share:.1f}"

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 310" role="img" '
        'font-family="sans-serif" font-size="13" fill="#888">',
        "<title>Share of studies with the verdict fairer, by the effect that was planted</title>",
    ]
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = 260 - 220 * share
        parts.append(f'<path d="M60 {y:.1f}H460" stroke="#888" stroke-opacity=".3"/>')
        parts.append(f'<text x="52" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    parts += [
        f'<text x="{60 + 400 * effect:.1f}" y="280" text-anchor="middle">{effect:.0%}</text>'
        for effect in EFFECTS
    ]
    parts.append('<text x="260" y="302" text-anchor="middle">part of the gap removed</text>')
    parts.append('<text x="60" y="24">studies with the verdict “fairer”</text>')
    for number, (name, curve) in enumerate(curves.items()):
        line = " ".join(at(e, p) for e, p in zip(EFFECTS, curve, strict=True))
        style = f'stroke="{colours[number]}" stroke-width="2.5" stroke-dasharray="{dashes[number]}"'
        y = 60 + 24 * number
        parts.append(f'<polyline points="{line}" fill="none" {style}/>')
        parts.append(f'<path d="M478 {y}H510" {style}/><text x="518" y="{y + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    normal_coverage()
    false_verdicts()
    curves = power()
    Path(__file__).with_name("power.svg").write_text(figure(curves), encoding="utf-8")
    trained_coverage()
