"""The datasets and methods of the paper that fairbench began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins import DatasetDescription, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def fairbench_datasets() -> Iterator[DatasetDescription]:
    """The two datasets of the paper."""
    from fairbench_paper import boston, parkinson

    yield DatasetDescription(
        name="parkinson",
        summary="Severity of Parkinson's disease from voice recordings of 42 patients",
        target="fairbench_paper.parkinson:Parkinson",
        citation=parkinson.CITATION,
    )
    yield DatasetDescription(
        name="boston",
        summary="House prices in Boston of 1970; withdrawn elsewhere for its racist premise",
        target="fairbench_paper.boston:Boston",
        citation=boston.CITATION,
        warning=boston.WARNING,
    )
