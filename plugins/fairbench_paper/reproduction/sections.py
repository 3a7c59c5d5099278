"""The report, section by section, from the results alone."""

from __future__ import annotations

from collections.abc import Iterator

from fairbench_paper.reproduction import tables
from fairbench_paper.reproduction.blocks import Block, Bullets, Section, Text, Warned
from fairbench_paper.reproduction.figures import figures
from fairbench_paper.reproduction.ledger import CREDIT, ledger
from fairbench_paper.reproduction.printed import PAPER
from fairbench_paper.reproduction.results import DatasetResult, Quantity, Results
from fairbench_paper.reproduction.words import (
    correlation,
    interval,
    number,
    per_cent,
    percentile,
    printed,
    ranged,
)

__all__ = ["COMMAND", "TITLE", "report"]

TITLE = "The paper, reproduced"
COMMAND = "fairbench reproduce paper"

_ABOUT = (
    "Bruno Pires, Luiz Leduino and Lilian Berton, “Exploring Multi-Task Learning for Fairness in "
    "Machine Learning Regression”: a network predicts a target and a protected attribute, their "
    "losses weighted α and 5 − α, and the best of 50 values of α are shown as a front. This page "
    "reruns every table and figure, in every reading that the text allows."
)
_READINGS = (
    "A reading fixes everything the text leaves open. One centre per dataset takes the text as it "
    "stands where it is clear and its tables where it is not; every other reading departs from "
    "the centre in one point, whichever way that changes the result. The distance is the mean, "
    "over the eight figures of the two tables, of |ln(the paper's figure / our median)| in units "
    "of that figure's standard deviation over the centre's splits: within 1, the paper is one "
    "more split. Readings whose distances differ by a tenth are not told apart by so few splits. "
    "Each reading can be run with `fairbench run --protocol paper` and the options in `fairbench "
    "show protocol paper` and `fairbench show method static-alpha`."
)
_HONEST = (
    "The same method where nothing leaks: people (Parkinson) are never shared between training, "
    "validation and test, α is chosen on validation as the fairest model within 5 % of "
    "single-task's error, and every number is measured on test. Differences are to single-task "
    "on the same splits; intervals allow for the rows that splits share. Beside the method stand "
    "dynamic reweighting, which the abstract speaks of, and an adversary, which makes the shared "
    "layers forget the attribute that the paper's second head makes them learn."
)
_NOISE = (
    "The paper picks its front among 50 models on the rows it reports. Here copies of the "
    "baseline, alike but for the seed of weights and batches, are picked from in the same way: "
    "what they “gain” over one of them is what luck gives."
)
_ALPHA = (
    "Spearman's correlation of α with error and with disparity within each split, averaged. A "
    "scale that one can set has a correlation near 1 or −1 on every split."
)


def report(results: Results, /) -> Iterator[Section]:
    """Every section, in order; sections marked brief suffice for a terminal."""
    names = [dataset.name for dataset in results.datasets]
    yield Section("In short", 2, [Text(_ABOUT), *_short(results)], brief=True)
    yield Section("What the paper does first", 2, [Text(CREDIT)])
    yield Section("How the text is read", 2, [Text(_READINGS)], brief=True)
    for dataset in results.datasets:
        yield from _dataset(dataset)
    percentages = tables.percentages_table(names)
    words = (
        "What the text and abstract say, computed again from the paper's own tables; a printed "
        "figure agrees where it is within half a point."
    )
    yield Section("Percentages", 2, [Text(words), percentages], brief=True)
    for title, introduction, part in (
        ("What holds", _HONEST, _holds),
        ("What noise alone gives", _NOISE, _noise),
        ("What α does", _ALPHA, _alpha),
    ):
        yield Section(title, 2, [Text(introduction)], brief=True)
        for dataset in results.datasets:
            yield Section(_on(title, dataset), 3, list(part(dataset)), brief=True)
    yield Section("Ledger of discrepancies", 2, [ledger(results)])
    yield Section("How this was made", 2, list(_made(results)))


def _on(title: str, dataset: DatasetResult) -> str:
    return f"{title} on {dataset.name.capitalize()}"


def _short(results: Results) -> Iterator[Block]:
    items = []
    for dataset in results.datasets:
        closest = dataset.closest
        error = closest.unit(dataset.unit).baseline[0]
        items.append(
            f"{dataset.name}: read as {dataset.unit.upper()}, the paper's baseline error of "
            f"{printed(error.paper)} lies {_place(error)} ours, {ranged(error.ours)}, in the "
            f"closest reading, {closest.name}, at distance "
            f"{number(closest.unit(dataset.unit).distance)}."
        )
        items.append(_reduction(dataset))
        items.append(f"{dataset.name}, honest protocol: {dataset.honest.comparisons[0].sentence}")
    if results.failed:
        yield Warned(f"{results.failed} trainings gave no usable prediction and are left out.")
    yield Bullets(items)


def _place(quantity: Quantity) -> str:
    place = percentile(quantity)
    return place.removesuffix(" all") if "all" in place else f"at the {place} percentile of"


def _reduction(dataset: DatasetResult) -> str:
    noise, table = dataset.noise, PAPER[dataset.name]
    cut = 1 - table.fairest.disparity / table.disparity
    return (
        f"{dataset.name}: the paper's tables show disparity cut by {per_cent(cut)}. Its way of "
        f"picking gives {ranged(noise.method_reduction, as_share=True)} with the method and "
        f"{ranged(noise.reduction, as_share=True)} with copies of the baseline."
    )


def _dataset(dataset: DatasetResult) -> Iterator[Section]:
    name = dataset.name.capitalize()
    one, two = PAPER[dataset.name].numbers
    warning: list[Block] = [Warned(dataset.warning)] if dataset.warning else []
    blocks = [*warning, tables.readings_table(dataset)]
    yield Section(f"{name}: the readings", 2, blocks, brief=True)
    yield Section(f"Table {one}: {name} without fairness", 3, [
        Text(
            "The paper's figures beside ours: median and, in brackets, 5th to 95th percentile "
            "over splits, and where the paper's figure lies among ours. Error and disparity are "
            "what the paper prints under RMSE."
        ),
        tables.baseline_table(dataset),
    ], brief=True)  # fmt: skip
    yield Section(f"Table {two}: the front on {name}", 3, [
        Text("The ends of the front, picked on test rows in each split as the paper does."),
        tables.front_table(dataset),
        Text(
            "Row by row. The paper's points are the best of 50 on one split, ours all models of "
            "that α: a printed disparity far below our median was picked, not typical."
        ),
        tables.rows_table(dataset),
    ], brief=True)  # fmt: skip
    yield Section(f"{name}: every reading in figures", 3, [tables.spreads_table(dataset)])
    drawn = list(figures(dataset))
    title = f"Figures {', '.join(str(figure.number) for figure in drawn)}"
    yield Section(f"{title}: {name}", 2, drawn)


def _holds(dataset: DatasetResult) -> Iterator[Block]:
    honest = dataset.honest
    yield Text(
        f"{honest.splits} splits; {honest.says}. Single-task has RMSE {ranged(honest.rmse)}, "
        f"MAE {ranged(honest.mae)} and disparity in {dataset.unit.upper()} "
        f"{ranged(honest.disparity)}; predicting the mean has RMSE "
        f"{ranged(honest.constant_rmse)}."
    )
    yield tables.comparisons_table(dataset)
    yield Bullets([each.sentence for each in honest.comparisons])


def _noise(dataset: DatasetResult) -> Iterator[Block]:
    noise = dataset.noise
    yield tables.noise_table(dataset)
    yield Text(
        "The least disparity among the method's models minus that among the copies: "
        f"{noise.difference:+.3g} in {dataset.unit.upper()} on average over {noise.splits} "
        f"splits, 95 % interval {interval(noise.low, noise.high)}; the method's is lower on "
        f"{noise.lower}. Within a split, the copies' disparity has a standard deviation of "
        f"{per_cent(noise.spread)} of its mean."
    )


def _alpha(dataset: DatasetResult) -> Iterator[Block]:
    error, disparity = dataset.centre.correlations
    yield Text(
        f"In the centre reading, α with error: {correlation(error)}; with disparity: "
        f"{correlation(disparity)}."
    )
    yield tables.correlations_table(dataset)


def _made(results: Results) -> Iterator[Block]:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    yield Text(
        f"`{COMMAND}`: {results.scale}; {results.model_steps:,} model steps on CPU, with "
        f"{versions}. What is finished is kept: the same command continues where it stopped. "
        "`--quick` gives a first look; every reading is an ordinary run folder under `--out`, "
        "which `fairbench report` shows in full."
    )
    yield Text(
        "Medians of the baseline that any rerun should give, quick ones included, from "
        "independent reruns with another program:"
    )
    yield tables.ranges_table(results)
