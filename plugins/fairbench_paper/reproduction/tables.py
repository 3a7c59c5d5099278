"""Tables 1 to 4 side by side, the readings, and what holds, as blocks of a report."""

from __future__ import annotations

from collections.abc import Iterator

from fairbench_paper.reproduction.blocks import Facts
from fairbench_paper.reproduction.printed import PAPER, claims
from fairbench_paper.reproduction.ranges import found
from fairbench_paper.reproduction.results import (
    Comparison,
    Correlation,
    DatasetResult,
    Quantity,
    ReadingResult,
    Results,
    Unit,
)
from fairbench_paper.reproduction.words import (
    interval,
    number,
    per_cent,
    percentile,
    printed,
    ranged,
)

__all__ = [
    "baseline_table",
    "comparisons_table",
    "correlations_table",
    "front_table",
    "noise_table",
    "percentages_table",
    "ranges_table",
    "readings_table",
    "rows_table",
    "spreads_table",
]

MANY = frozenset(range(1, 9))


def _others(dataset: DatasetResult) -> list[tuple[str, ReadingResult, Unit]]:
    """List what stands beside the paper: the centre, the closest, the centre in the other unit."""
    centre, closest, unit = dataset.centre, dataset.closest, dataset.unit
    other: Unit = "rmse" if unit == "mse" else "mse"
    found = [(f"{centre.name}, as {unit.upper()}", centre, unit)]
    if closest is not centre:
        found.append((f"{closest.name}, as {unit.upper()}", closest, unit))
    return [*found, (f"{centre.name}, as {other.upper()}", centre, other)]


def _side_by_side(dataset: DatasetResult, part: str) -> Facts:
    columns = [
        (title, getattr(reading.unit(unit), part)) for title, reading, unit in _others(dataset)
    ]
    header = ["", "paper"]
    for title, _ in columns:
        header += [title, "paper's place"]
    rows = []
    for at, first in enumerate(columns[0][1]):
        row = [first.name, printed(first.paper)]
        for _, quantities in columns:
            quantity: Quantity = quantities[at]
            row += [ranged(quantity.ours), percentile(quantity)]
        rows.append(row)
    return Facts(header, rows, MANY)


def baseline_table(dataset: DatasetResult, /) -> Facts:
    """Table 1 or 3."""
    return _side_by_side(dataset, "baseline")


def front_table(dataset: DatasetResult, /) -> Facts:
    """Return what characterises the front of Table 2 or 4."""
    return _side_by_side(dataset, "front")


def rows_table(dataset: DatasetResult, /) -> Facts:
    """Table 2 or 4, row by row."""
    readings = {reading.name: reading for reading in (dataset.centre, dataset.closest)}
    header = ["α", "what", "paper"]
    for name in readings:
        header += [name, "paper's place"]
    by_alpha = [
        {row.alpha: row for row in reading.unit(dataset.unit).at_alpha}
        for reading in readings.values()
    ]
    rows = []
    for point in PAPER[dataset.name].front:
        for what in ("disparity", "error"):
            cells = [f"{point.alpha:g}", what, printed(getattr(point, what))]
            for known in by_alpha:
                row = known.get(point.alpha)
                quantity = getattr(row, what) if row is not None else None
                cells += (
                    ["not trained", "–"]
                    if quantity is None
                    else [ranged(quantity.ours), percentile(quantity)]
                )
            rows.append(cells)
    return Facts(header, rows, frozenset(range(2, len(header))))


def readings_table(dataset: DatasetResult, /) -> Facts:
    """Every reading, the closest first."""
    ordered = sorted(dataset.readings, key=lambda r: r.unit(dataset.unit).distance)
    rows = [
        [
            reading.name,
            reading.says,
            str(reading.seeds),
            number(reading.unit(dataset.unit).distance),
            number(reading.unit("rmse" if dataset.unit == "mse" else "mse").distance),
        ]
        for reading in ordered
    ]
    other = "RMSE" if dataset.unit == "mse" else "MSE"
    header = ["reading", "what it is", "splits", f"distance as {dataset.unit.upper()}"]
    return Facts([*header, f"as {other}"], rows, frozenset({2, 3, 4}))


def spreads_table(dataset: DatasetResult, /) -> Facts:
    """Medians and ranges of every reading, in the dataset's unit."""
    units = [(reading.name, reading.unit(dataset.unit)) for reading in dataset.readings]
    first = units[0][1]
    quantities = (*first.baseline, *first.front)
    rows = [["paper", *(printed(quantity.paper) for quantity in quantities)]]
    rows += [
        [name, *(ranged(q.ours) for q in (*unit.baseline, *unit.front))] for name, unit in units
    ]
    return Facts(["reading", *(quantity.name for quantity in quantities)], rows, MANY)


def percentages_table(names: list[str], /) -> Facts:
    """The percentages of the text, recomputed from the paper's own tables."""
    rows = []
    for name in names:
        for claim in claims(name):
            verdict = "agrees" if claim.agrees else "differs"
            rows.append(
                [
                    claim.where,
                    f"{name}: {claim.what}",
                    per_cent(claim.printed),
                    f"{100 * claim.recomputed:.2f} %",
                    claim.how,
                    verdict,
                ]
            )
    header = ["section", "what", "printed", "from the tables", "arithmetic", ""]
    return Facts(header, rows, frozenset({2, 3}))


def ranges_table(results: Results, /) -> Facts:
    """Tabulate where medians are expected, and where they are."""
    rows = [
        [f"{each.dataset}: {each.name}", f"{each.low:g} to {each.high:g}", number(value)]
        for each, value in found(results)
    ]
    return Facts(["", "expected", "here"], rows, frozenset({1, 2}))


def comparisons_table(dataset: DatasetResult, /) -> Facts:
    """Each method against single-task under the honest protocol."""
    unit = dataset.unit.upper()
    rows = [
        [
            each.method,
            f"{each.difference:+.3g}",
            interval(each.low, each.high),
            _relative(each),
            f"{each.error_difference:+.3g}",
            interval(each.error_low, each.error_high),
            f"{each.fairer_on} of {each.splits}",
            each.verdict,
        ]
        for each in dataset.honest.comparisons
    ]
    header = ["method", f"disparity in {unit}", "95 % interval", "relative", f"error in {unit}"]
    header += ["95 % interval", "fairer on splits", "verdict"]
    return Facts(header, rows, frozenset(range(1, 7)))


def _relative(each: Comparison) -> str:
    """The change of disparity and its interval as shares of single-task's mean."""
    base = each.disparity - each.difference
    change = per_cent(each.difference / base, signed=True)
    if each.low is None or each.high is None:
        return change
    ends = (per_cent(end / base, signed=True) for end in (each.low, each.high))
    return f"{change} ({' to '.join(ends)})"


def noise_table(dataset: DatasetResult, /) -> Facts:
    """Tabulate what the paper's way of picking gives with the method and without."""
    noise = dataset.noise
    rows = [
        [
            "reduction of disparity",
            ranged(noise.reduction, as_share=True),
            ranged(noise.method_reduction, as_share=True),
        ],
        [
            "reduction of the error",
            ranged(noise.gain, as_share=True),
            ranged(noise.method_gain, as_share=True),
        ],
    ]
    header = ["best on test rows", f"{noise.copies} copies of the baseline", "the method's α"]
    return Facts(header, rows, frozenset({1, 2}))


def correlations_table(dataset: DatasetResult, /) -> Facts:
    """Tabulate what α does, reading by reading, and under the honest protocol."""
    sources = [(reading.name, reading.correlations) for reading in dataset.readings]
    sources.append(("honest protocol", dataset.honest.correlations))
    return Facts(
        ["reading", "of", "mean ρ", "95 % interval", "positive on"], list(_rho(sources)), _RHO
    )


_RHO = frozenset({2, 3, 4})


def _rho(sources: list[tuple[str, tuple[Correlation, ...]]]) -> Iterator[list[str]]:
    for name, correlations in sources:
        for each in correlations:
            yield [
                name,
                each.of,
                f"{each.mean:+.2f}",
                interval(each.low, each.high),
                f"{each.rising} of {each.splits}",
            ]
