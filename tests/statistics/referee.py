"""Verdicts on real trainings whose truth is known, over many datasets.

``python tests/statistics/referee.py 100 --out FILE`` trains a hundred studies through
`fairbench.run` (each some ten thousand small networks), judges every design that is contained in
them, and writes a line per study; another kind of `referee_studies.STUDIES` by ``--kind``. It
adds to the file where it exists, so that it can be stopped and continued;
``docs/figures/calibration.py trained KIND FILE`` makes counts of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from referee_methods import Methods
from referee_studies import STUDIES

import fairbench
from fairbench.analyze import Axes, Correction, Run, fronts_table, split_overlap
from fairbench.analyze.held_out import held_out, points_deployed
from fairbench.analyze.matched import baseline_points, matched_points
from fairbench.analyze.population import population_table
from fairbench.analyze.simulation import judge_each
from fairbench.plugins import added

AXES = Axes("rmse", "rmse-disparity")
SPLITS, SEEDS = (5, 10, 20), (1, 3, 10)
VALUES = (4, 25, 50)
KNOBS = ("inert-rate", "inert-dropout")


def subset(table: pd.DataFrame, splits: int, seeds: int, values: int) -> pd.DataFrame:
    """What a smaller study would have held: fewer splits and seeds, and every so many values."""
    kept = table[(table["split"] < splits) & (table["seed"] < seeds)]
    grids = kept.groupby("method")["value"].transform(lambda v: v.rank(method="dense"))
    most = kept.groupby("method")["value"].transform("nunique")
    wanted = {round(1 + k * (int(most.max()) - 1) / (values - 1)) for k in range(values)}
    return kept[(most <= 1) | grids.isin(list(wanted))]


def judged(run: Run, splits: int, seeds: int, values: int) -> pd.DataFrame:
    """Verdicts on a study of this design that is contained in `run`."""
    metrics = subset(run.metrics(), splits, seeds, values)
    fronts = fronts_table(metrics, "validation", AXES)
    (facts,) = run._rows.values()
    share = split_overlap(facts.splits[:splits])
    correction = Correction(share.ratio, share.df, share.distinct)
    # Each method alone: one comparison, nothing to adjust for.
    return judge_each(fronts, run.groups(), baseline="single-task", correction=correction)


def population(run: Run, splits: int, seeds: int) -> pd.DataFrame:
    """Intervals of the population for methods of one value."""
    metrics = subset(run.metrics(), splits, seeds, 4)
    fronts = fronts_table(metrics[~metrics["method"].isin(KNOBS)], "validation", AXES)
    chosen = points_deployed(
        baseline_points(fronts, AXES, "single-task"), matched_points(fronts, AXES, "single-task")
    )
    kept = chosen["method"].isin(["single-task", "copy", "repaired-0.15"])
    rows = run._rows
    tested, validated = (
        held_out(run._folder, chosen[kept], part=part) for part in ("test", "validation")
    )
    return population_table(
        tested,
        validated,
        rows,
        run._component("rmse-disparity"),
        "low",
        "single-task",
        {name: split_overlap(facts.splits) for name, facts in rows.items()},
        0,
    )


def one(number: int, splits: int, seeds: int, values: int, kind: str = "effects") -> list[dict]:
    """Train study `number` of a kind, and one record per design and method."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = STUDIES[kind](number, splits, seeds, values, folder)
        run = fairbench.run(study, out=folder / "run", jobs=1, device="cpu")
        found = by_metric(run) if kind == "metrics" else records(run, splits, seeds, values)
    return [{"study": number, "kind": kind, **record} for record in found]


def by_metric(run: Run) -> list[dict]:
    """What every disparity metric of the run says of each method."""
    table = run.all_verdicts()
    columns = ["metric", "method", "analysis", "verdict", "p", "adjusted_p", "difference"]
    return table[columns].to_dict("records")


def records(run: Run, splits: int, seeds: int, values: int) -> list[dict]:
    """What verdicts say in every design within reach."""
    found = []
    whole = judged(run, splits, seeds, values).set_index("method")["difference"]
    for j in (j for j in SPLITS if j <= splits):
        for s in (s for s in SEEDS if s <= seeds):
            beyond = pd.DataFrame()
            if s == 3 and "copy" in whole.index:
                beyond = population(run, j, s).set_index("method")
            for k in (k for k in VALUES if k <= values):
                table = judged(run, j, s, k)
                if k != VALUES[0]:
                    table = table[table["method"].isin(KNOBS)]
                for row in table.itertuples():
                    one = {
                        "splits": j, "seeds": s, "method": row.method,
                        "values": k if row.method in KNOBS else 1,
                        "verdict": row.verdict, "accuracy": row.accuracy,
                        "difference": row.difference, "low": row.low, "high": row.high,
                        "base": row.base_disparity, "detectable": row.detectable,
                        "error_excess": row.error_difference / row.base_error,
                        "dataset": whole[row.method],
                    }  # fmt: skip
                    if row.method in beyond.index:
                        one["population"] = beyond.loc[
                            row.method, ["population_low", "population_high"]
                        ].tolist()
                    found.append(one)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=int)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=STUDIES, default="effects")
    parser.add_argument("--first", type=int, default=0, help="number of the first study")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--values", type=int, default=50)
    options = parser.parse_args()
    done = set()
    if options.out.exists():
        lines = options.out.read_text().splitlines()
        done = {json.loads(line)[0]["study"] for line in lines}
    with added(Methods(), name="referee"), options.out.open("a") as out:
        for number in range(options.first, options.first + options.studies):
            if number not in done:
                line = one(number, options.splits, options.seeds, options.values, options.kind)
                out.write(json.dumps(line) + "\n")
                out.flush()


if __name__ == "__main__":
    main()
