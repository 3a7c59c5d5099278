"""Reproduces the tables and the figure of docs/statistics.md, in two steps.

``python docs/figures/calibration.py simulate`` draws studies with a known truth and writes counts
to docs/statistics-results.json (some minutes on one core; a number after it sets the studies per
design); ``… trained KIND FILE`` adds the counts of what tests/statistics/referee.py found on real
trainings: KIND is ``trained`` for its designs on synthetic rows, else as the referee names it.
Without arguments it writes the tables of that file into the page.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from fairbench.analyze import corrected_interval, in_words, smallest_detectable
from fairbench.analyze.planning import rotation
from fairbench.analyze.simulation import Truth, judge_each, simulate

HERE = Path(__file__).parent
RESULTS = HERE.parent / "statistics-results.json"
PAGE = HERE.parent / "statistics.md"
EFFECTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FAIRER = ("fairer", "fairer by levelling down")
CLUSTERS = ("clusters", "clusters of both")
"""Kinds of the referee's studies that have a table of their own."""

LUCK = Truth(rows=400, row_sd=0.0, trial_sd=0.3, smooth=0.95)
ROWS = Truth(rows=400, row_sd=0.0, trial_sd=0.1, value_sd=0.5, smooth=0.9)
NULLS = {
    "copy": [(5, 2, 1), (10, 1, 1), (20, 1, 1), (10, 3, 1)],
    "luck smooth in the grid": [
        (5, 1, 50), (10, 1, 4), (10, 1, 50), (20, 1, 50), (5, 2, 4), (5, 2, 50), (10, 3, 25),
        (20, 3, 50), (10, 10, 50),
    ],
    "noise of rows and values": [(5, 1, 50), (10, 1, 50), (20, 1, 50), (5, 2, 50), (10, 2, 50)],
}  # fmt: skip


def judged(truth: Truth, studies: int) -> pd.DataFrame:
    return judge_each(*simulate(truth, studies, seed=11))


def counts(rows: pd.DataFrame) -> dict[str, Any]:
    """What was said of studies in which nothing is to be found."""
    return {
        "studies": len(rows),
        "fairer": int(rows["verdict"].isin(FAIRER).sum()),
        "less_fair": int((rows["verdict"] == "less fair").sum()),
        "covers": int(((rows["low"] <= 0) & (rows["high"] >= 0)).sum()),
        "shift": float(rows["difference"].mean() / rows["base_disparity"].mean()),
    }


def nulls(studies: int) -> Iterator[dict[str, Any]]:
    bases = {"copy": replace(LUCK, row_sd=0.5), "luck smooth in the grid": LUCK}
    for kind, several in NULLS.items():
        for splits, seeds, values in several:
            truth = replace(bases.get(kind, ROWS), splits=splits, seeds=seeds, values=values)
            yield {
                "kind": kind, "splits": splits, "seeds": seeds, "values": values,
                **counts(judged(truth, studies)),
            }  # fmt: skip


def margins(studies: int) -> Iterator[dict[str, Any]]:
    """Methods that are fairer, and less accurate by more than the margin, or only just."""
    truth = Truth(splits=10, seeds=2, rows=1000, row_sd=0.1, trial_sd=0.05, effect=0.6)
    for excess in (0.2, 0.21, 0.222, 0.245, 0.268):
        rows = judged(replace(truth, error_excess=excess), studies)
        yield {
            "excess": float((rows["error_difference"] / rows["base_error"]).mean()),
            "studies": len(rows),
            "fairer": int(rows["verdict"].isin(FAIRER).sum()),
        }


def levelling(studies: int) -> Iterator[dict[str, Any]]:
    truth = Truth(splits=10, seeds=2, rows=1000, row_sd=0.1, trial_sd=0.05)
    for spoiled in (0.25, 0.35, 0.45):
        rows = judged(replace(truth, spoiled=spoiled), studies)
        yield {
            "spoiled": spoiled,
            "studies": len(rows),
            "lower": int(((rows["p"] <= 0.05) & (rows["difference"] < 0)).sum()),
            "fairer": int((rows["verdict"] == "fairer").sum()),
            "levelling": int((rows["verdict"] == "fairer by levelling down").sum()),
        }


def power(studies: int) -> Iterator[dict[str, Any]]:
    truth = Truth(rows=1000, trial_sd=0.1)
    for splits, seeds, values in ((5, 1, 1), (5, 2, 1), (5, 2, 20), (10, 1, 1), (10, 2, 1)):
        own = replace(truth, splits=splits, seeds=seeds, values=values)
        found = [
            int(judged(replace(own, effect=e), studies)["verdict"].isin(FAIRER).sum())
            for e in EFFECTS
        ]
        yield {
            "splits": splits, "seeds": seeds, "values": values, "studies": studies, "found": found
        }  # fmt: skip


def promised(studies: int) -> Iterator[dict[str, Any]]:
    """How often a difference as large as the one that a study prints is found by the next."""
    for splits in (5, 10, 20):
        shared = rotation(splits, 5)
        rho = shared.ratio / (1 + shared.ratio)
        for comparisons in (1, 5, 10):
            rng = np.random.default_rng([splits, comparisons])
            found = 0
            for _ in range(studies * 4):
                size = 0.0
                for study in range(2):
                    common = rng.normal() * np.sqrt(rho)
                    own = size + common + rng.normal(size=splits) * np.sqrt(1 - rho)
                    if study == 0:
                        size = smallest_detectable(
                            float(own.std(ddof=1)), splits, shared.ratio, df=shared.df,
                            comparisons=comparisons, estimated=True,
                        )  # fmt: skip
                p = corrected_interval(own, shared.ratio, df=shared.df).p
                found += p <= 0.05 / comparisons
            yield {
                "splits": splits, "comparisons": comparisons, "studies": studies * 4,
                "found": int(found),
            }  # fmt: skip


def trained(lines: Iterable[str]) -> dict[str, Any]:
    """Counts of what the referee found in studies of one kind, with the numbers of these."""
    table = pd.DataFrame([record for line in lines for record in json.loads(line)])
    keys = ["method", "splits", "seeds", "values"]
    table["base_disparity"] = table["base"]
    designs = []
    for key, rows in table.groupby(keys, sort=True):
        own = {
            **dict(zip(keys, key, strict=True)),
            **counts(rows),
            "levelling": int((rows["verdict"] == "fairer by levelling down").sum()),
            "error_excess": float(rows["error_excess"].mean()),
        }
        if "population" in rows and rows["population"].notna().any():
            truth = float(rows["difference"].mean())
            beyond = rows[rows["population"].notna()]  # of methods and designs where it was asked
            ends = np.array(beyond["population"].tolist(), dtype=np.float64)
            own["asked"] = len(beyond)
            over = (beyond["low"] <= truth) & (beyond["high"] >= truth)
            own["covers_mean"] = int(over.sum())
            own["population"] = int(((ends[:, 0] <= truth) & (ends[:, 1] >= truth)).sum())
            said = beyond["verdict"].isin(FAIRER).to_numpy()
            own["said"], own["kept"] = int(said.sum()), int((said & (ends[:, 1] < 0)).sum())
        designs.append(own)
    return {"numbers": sorted(map(int, table["study"].unique())), "designs": designs}


def together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Counts of two sets of studies, of which none is in both."""
    if twice := set(one["numbers"]) & set(other["numbers"]):
        raise SystemExit(f"studies {sorted(twice)} are counted already")
    merged = {_design_of(d): d for d in one["designs"]}
    for design in other["designs"]:
        had = merged.get(_design_of(design))
        merged[_design_of(design)] = design if had is None else _pooled(had, design)
    return {
        "numbers": sorted({*one["numbers"], *other["numbers"]}),
        "designs": [merged[key] for key in sorted(merged)],
    }


def _design_of(design: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(design[name] for name in ("method", "splits", "seeds", "values"))


def _pooled(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    several = one["studies"] + other["studies"]
    found = {}
    for name, value in one.items():
        if name in ("shift", "error_excess"):
            mean = (value * one["studies"] + other[name] * other["studies"]) / several
            found[name] = mean
        elif name in ("method", "splits", "seeds", "values"):
            found[name] = value
        elif name in other:
            found[name] = value + other[name]
    return found


def by_metric(lines: Iterable[str]) -> dict[str, Any]:
    """Studies in which some metric calls a method fairer, or less fair, that does nothing."""
    studies = [pd.DataFrame(json.loads(line)) for line in lines]
    found: dict[str, Any] = {
        "studies": len(studies),
        "metrics": int(studies[0]["metric"].nunique()),
        "methods": int(studies[0]["method"].nunique()),
    }
    for name, wanted in (("fairer", FAIRER), ("less_fair", ("less fair",))):
        for analysis in ("primary", "exploratory"):
            found[f"{name}_{analysis}"] = sum(
                bool((s["verdict"].isin(wanted) & (s["analysis"] == analysis)).any())
                for s in studies
            )
        found[name] = sum(bool(s["verdict"].isin(wanted).any()) for s in studies)
    lower = [bool(((s["p"] <= 0.05) & (s["difference"] < 0)).any()) for s in studies]
    found["lower_unadjusted"] = sum(lower)
    return found


def rate(found: int, count: int) -> str:
    """A rate with its exact binomial interval."""
    low, high = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return f"{found / count:.1%} ({low:.1%} to {high:.1%})"


def markdown(header: str, rows: Iterable[Iterable[object]]) -> str:
    names = header.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(str(cell).strip() for cell in line)} |" for line in lines)


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Every table of the page by name."""
    rules = [*in_words()]
    found = {
        "rules": markdown("verdict|when", [r[1:] for r in rules if r[0] == "fairness"]),
        "accuracy": markdown("verdict|when", [r[1:] for r in rules if r[0] == "accuracy"]),
        "nulls": markdown(
            "nothing is to be found|splits|seeds|values|fairer|less fair|mean shift",
            [
                (r["kind"], r["splits"], r["seeds"], r["values"], rate(r["fairer"], r["studies"]),
                 rate(r["less_fair"], r["studies"]), f"{r['shift']:+.1%}")
                for r in results["nulls"]
            ],
        ),
        "coverage": markdown(
            "copies|splits|seeds|interval covers zero",
            [
                (r["kind"], r["splits"], r["seeds"], rate(r["covers"], r["studies"]))
                for r in results["nulls"] if r["kind"] == "copy"
            ],
        ),
        "margins": markdown(
            "true excess of error|fairer",
            [(f"{r['excess']:+.1%}", rate(r["fairer"], r["studies"])) for r in results["margins"]],
        ),
        "levelling": markdown(
            "noise added, in units of the better group's|disparity lower, p ≤ 0.05|fairer"
            "|fairer by levelling down",
            [
                (r["spoiled"], *(rate(r[n], r["studies"])
                               for n in ("lower", "fairer", "levelling")))
                for r in results["levelling"]
            ],
        ),
        "power": markdown(
            "design|" + "|".join(f"{e:.0%}" for e in EFFECTS),
            [
                (_design(r), *(f"{n / r['studies']:.0%}" for n in r["found"]))
                for r in results["power"]
            ],
        ),
        "promised": markdown(
            "splits|comparisons|found at the size that was printed",
            [
                (r["splits"], r["comparisons"], rate(r["found"], r["studies"]))
                for r in results["promised"]
            ],
        ),
    }  # fmt: skip
    if "trained" in results:
        found |= _trained_tables(results["trained"]["designs"])
    for kind in CLUSTERS:
        if kind in results:
            found[kind] = _of_clusters(results[kind]["designs"])
    if "metrics" in results:
        found["metrics"] = _of_metrics(results["metrics"])
    return found


def _design(own: dict[str, Any]) -> str:
    several = f", {own['values']} values" if own["values"] > 1 else ""
    return f"{own['splits']} splits × {own['seeds']} seed{'s' * (own['seeds'] > 1)}{several}"


def _nothing(designs: list[dict[str, Any]]) -> str:
    """What is said of methods that do nothing."""
    return markdown(
        "method that does nothing|splits|seeds|values|studies|fairer|less fair|mean shift",
        [
            (d["method"], d["splits"], d["seeds"], d["values"], d["studies"],
             rate(d["fairer"], d["studies"]), rate(d["less_fair"], d["studies"]),
             f"{d['shift']:+.1%}")
            for d in designs if d["method"].startswith(("inert", "copy"))
        ],
    )  # fmt: skip


def _trained_tables(designs: list[dict[str, Any]]) -> dict[str, str]:
    effects = sorted({d["method"] for d in designs if d["method"].startswith("repaired")})
    by = {_design_of(d): d for d in designs}
    places = sorted({(d["splits"], d["seeds"]) for d in designs if d["method"] == "levelled"})
    return {
        "trained-nulls": _nothing(designs),
        "trained-power": markdown(
            "splits|seeds|studies|" + "|".join(
                f"{-by[e, *places[0], 1]['shift']:.0%} removed" for e in effects
            ) + "|levelling down: fairer|error beyond the margin: fairer",
            [
                (j, s, by["levelled", j, s, 1]["studies"],
                 *(f"{by[e, j, s, 1]['fairer'] / by[e, j, s, 1]['studies']:.0%}"
                         for e in effects),
                 rate(by["levelled", j, s, 1]["fairer"] - by["levelled", j, s, 1]["levelling"],
                      by["levelled", j, s, 1]["studies"]),
                 f"{rate(by['inflated', j, s, 1]['fairer'], by['inflated', j, s, 1]['studies'])}"
                 f" at {by['inflated', j, s, 1]['error_excess']:+.1%}")
                for j, s in places
            ],
        ),
    }  # fmt: skip


def _of_clusters(designs: list[dict[str, Any]]) -> str:
    return markdown(
        "method|splits|seeds|values|studies|fairer|less fair|interval over splits holds the "
        "mean over datasets|that of the population does|it confirms fairer",
        [
            (d["method"], d["splits"], d["seeds"], d["values"], d["studies"],
             rate(d["fairer"], d["studies"]), rate(d["less_fair"], d["studies"]),
             *(rate(d[name], d["asked"]) if name in d else ""
               for name in ("covers_mean", "population")),
             f"{d['kept']} of {d['said']}" if "kept" in d else "")
            for d in designs
        ],
    )  # fmt: skip


def _of_metrics(found: dict[str, Any]) -> str:
    names = ("lower_unadjusted", "fairer_primary", "fairer_exploratory", "fairer", "less_fair")
    return markdown(
        "metrics|methods|studies|lower by some metric, p ≤ 0.05 unadjusted|fairer, primary"
        "|fairer, exploratory|fairer by any metric|less fair by any",
        [(found["metrics"], found["methods"], found["studies"],
          *(rate(found[name], found["studies"]) for name in names))],
    )  # fmt: skip


def written(page: str, found: dict[str, str]) -> str:
    """The page with every table in its place, between two comments that name it."""
    for name, table in found.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        page, times = place.subn(lambda m, t=table: f"{m[1]}{t}{m[2]}", page)
        assert times == 1, f"the page has no place for {name}"
    return page


def figure(results: dict[str, Any]) -> str:
    """The power curves as SVG, readable on light and on dark pages."""
    curves = {_design(r): [n / r["studies"] for n in r["found"]] for r in results["power"]}
    colours = ("#0072b2", "#d55e00", "#cc79a7", "#009e73", "#e69f00")
    dashes = ("", "7 3", "2 3", "9 3 2 3", "4 2")

    def at(effect: float, share: float) -> str:
        return f"{60 + 400 * effect:.1f},{260 - 220 * share:.1f}"

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 310" role="img" '
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


def main(arguments: list[str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    match arguments:
        case ["simulate", *number]:
            studies = int(number[0]) if number else 1000
            for part in (nulls, margins, levelling, power, promised):
                results[part.__name__] = list(part(studies))
                print(part.__name__, flush=True)
        case ["trained", kind, name]:
            lines = Path(name).read_text(encoding="utf-8").splitlines()
            new = by_metric(lines) if kind == "metrics" else trained(lines)
            pooled = kind in results and kind != "metrics"
            results[kind] = together(results[kind], new) if pooled else new
        case _:
            page = written(PAGE.read_text(encoding="utf-8"), tables(results))
            PAGE.write_text(page, encoding="utf-8")
            (HERE / "power.svg").write_text(figure(results), encoding="utf-8")
            return
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
