"""The ledger: what the paper says, what a recomputation gives, and how to see it oneself."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median, pvariance

from fairbench_paper.reproduction.blocks import Facts
from fairbench_paper.reproduction.printed import PAPER, claims
from fairbench_paper.reproduction.results import DatasetResult, Results
from fairbench_paper.reproduction.words import correlation, number, per_cent, ranged

__all__ = ["CREDIT", "ledger"]

CREDIT = (
    "The paper takes a question that is mostly asked of classifiers to regression, on two tables "
    "that anyone can obtain. It names its network, optimiser, learning rates and batch size, "
    "reports error and disparity together, shows a whole front instead of one chosen model, and "
    "says plainly that on Boston fairness cost accuracy. That is why it can be checked at all. "
    "The notes below are for its readers and its authors; where the text is silent we may have "
    "guessed wrong."
)

BLOCK = 5
"""α values trained one from the other."""

Entry = tuple[str, str, str, str]


def ledger(results: Results, /) -> Facts:
    """Claim, place, what was found, and how to see it; computed from tables and runs."""
    rows: list[Entry] = []
    for dataset in results.datasets:
        rows += _boston(dataset) if dataset.name == "boston" else _parkinson(dataset)
    rows += _text()
    header = ["in the paper", "where", "what we find", "how to see it"]
    return Facts(header, rows)


def _percentages(name: str) -> Iterator[Entry]:
    for claim in claims(name):
        if claim.agrees:
            continue
        yield (
            f"{claim.what}: {per_cent(claim.printed)}",
            claim.where,
            f"{per_cent(claim.recomputed)} from the paper's own tables",
            claim.how,
        )


def _boston(dataset: DatasetResult) -> Iterator[Entry]:
    table = PAPER["boston"]
    mse, rmse = dataset.centre.unit("mse"), dataset.centre.unit("rmse")
    b, medv = zip(*dataset.pictures.scatter, strict=True)
    ratio = pvariance(b) / pvariance(medv)
    yield (
        f"General RMSE {table.error:g} with MAE {table.mae:g}",
        "Table 1",
        f"a mean squared error: its root is {number(table.error**0.5)}. Our RMSE is "
        f"{ranged(rmse.baseline[0].ours)}, our MSE {ranged(mse.baseline[0].ours)}",
        "two halves with an overall RMSE of 11.45 and a difference of 13.76 would have RMSEs of "
        "16.0 and 2.3, but their MAEs are 2.59 and 1.63; `--error rmse` or `--error mse`",
    )
    yield (
        "α grows with the weight of fairness",
        "4.1",
        "Section 3.4 prints the opposite, α·L_y + (5 − α)·L_z; Table 2 goes with "
        "(5 − α)·L_y + α·L_z. In our runs error against α: "
        + "; ".join(
            f"{reading.name} {correlation(reading.correlations[0])}"
            for reading in dataset.readings[:2]
        ),
        "`--set static-alpha.reading=table` or `equation`",
    )
    yield from _percentages("boston")
    yield (
        "B is 1000(1 − p)², a proportion; it falls as MEDV rises",
        "3.2, Figure 2",
        "B is 1000(Bk − 0.63)², at most 396.9, no proportion; its correlation with MEDV is "
        f"{dataset.pictures.correlation:+.3f}",
        "`fairbench show dataset boston`, Figure 2 here",
    )
    yield (
        "α values are compared with one another",
        "3.6, Table 2",
        "they are trained in sequence in blocks of 5, so that α goes along with the starting "
        "weights and the length of training; Table 2's seven points come from three blocks. In "
        f"our runs {_blocks(dataset)}",
        "`--set protocol.chain=1` starts each afresh",
    )
    yield (
        "the scale of B",
        "not stated",
        f"B's variance is {ratio:.0f} times MEDV's, so the raw B rules the sum of losses at almost "
        "every α, and the standardised B at almost none",
        "`--set static-alpha.z_scaled=true`",
    )


def _blocks(dataset: DatasetResult) -> str:
    """Say how the error of a block's first α compares with that of its last."""
    unit = dataset.unit
    curve = next(c for c in dataset.pictures.curves if (c.metric, c.rows) == (unit, "all"))
    blocks = [curve.median[start : start + BLOCK] for start in range(0, len(curve.median), BLOCK)]
    first, last = (median(block[end] for block in blocks) for end in (0, -1))
    return (
        f"the median {unit.upper()} is {number(first)} where a block begins and {number(last)} "
        "where it ends"
    )


def _parkinson(dataset: DatasetResult) -> Iterator[Entry]:
    readings = {reading.name: reading.unit("rmse") for reading in dataset.readings}
    shared = readings["parkinson"].baseline[0].ours
    without = readings["parkinson-no-subject"].baseline[0].ours
    honest = dataset.honest
    yield (
        f"RMSE {PAPER['parkinson'].error:g} on test rows",
        "Table 3",
        "the recordings of 42 people stand on both sides of the split. Our RMSE is "
        f"{ranged(shared)} with subject# as an input, {ranged(without)} without, and "
        f"{ranged(honest.rmse)} on people not seen in training, where predicting the mean gives "
        f"{ranged(honest.constant_rmse)}",
        "`--protocol honest`; `--set protocol.subject=false`",
    )
    yield from _percentages("parkinson")
    yield (
        "94.9 % fairer and 32.6 % more accurate",
        "abstract",
        "two different models: α = 3.8 and α = 2.8. The fairest is "
        f"{per_cent(claims('parkinson')[2].recomputed)} more accurate than the baseline, the most "
        f"accurate {per_cent(1 - PAPER['parkinson'].most_accurate.disparity / 0.39)} fairer",
        "Tables 3 and 4",
    )
    yield (
        "α is an almost linear scale",
        "4.2",
        "on the centre reading, α with error: "
        f"{correlation(dataset.centre.correlations[0])}; with disparity: "
        f"{correlation(dataset.centre.correlations[1])}",
        "Figure 6 here",
    )
    yield (
        "a gain in fairness and in accuracy at once",
        "4.2",
        f"picking among {dataset.noise.copies} copies of the baseline on test rows, with nothing "
        f"but the seed changed, cuts disparity by {ranged(dataset.noise.reduction, as_share=True)} "
        f"and the error by {ranged(dataset.noise.gain, as_share=True)}",
        "the section on noise here",
    )


def _text() -> Iterator[Entry]:
    yield (
        "a fairness term, dynamic reweighting",
        "abstract, 1, 5",
        "the second loss rewards predicting the protected attribute, so the shared layers carry "
        "more of it (Raumanns et al. 2024 call this reinforcing); the weights are constants on a "
        "grid",
        "Section 3.4; `fairbench show method static-alpha`, `adversarial`, `dynamic-reweighting`",
    )
    yield (
        "fronts of 50 models",
        "4",
        "models are picked on the rows they are reported on; no share of test rows, no seed and "
        "no interval is given",
        "the section on what holds, here",
    )
    yield (
        "at most 250 epochs; 150 epochs",
        "4.1",
        "both are stated, before and after the fairness term comes in",
        "`--set protocol.epochs=250`",
    )
    yield (
        "dropout, batch normalisation, a sigmoid head",
        "3.3, 3.6",
        "Section 4 describes the networks without the first two, and Boston's second head "
        "without activation",
        "`--set static-alpha.architecture.dropout=0.2`",
    )
    yield (
        "disparity is defined on MAE",
        "3.7",
        "the fronts are drawn, and the percentages computed, on differences of the column headed "
        "RMSE",
        "Tables 2 and 4",
    )
