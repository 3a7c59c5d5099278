"""Datasets beyond the paper's; docs/datasets.md describes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins import DatasetDescription, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def fairbench_datasets() -> Iterator[DatasetDescription]:
    """All of them, none needing its file to be listed."""
    from fairbench_datasets import acs_income, communities, student

    yield DatasetDescription(
        name="communities-crime",
        summary="Violent crimes per head in 1,994 communities of the United States",
        target="fairbench_datasets.communities:CommunitiesCrime",
        citation=communities.CITATION,
        warning=communities.WARNING,
    )
    yield DatasetDescription(
        name="student-por",
        summary="Final grades in Portuguese at two schools in Portugal, 649 pupils",
        target="fairbench_datasets.student:StudentPortuguese",
        citation=student.CITATION,
    )
    yield DatasetDescription(
        name="student-mat",
        summary="Final grades in mathematics at two schools in Portugal, 395 pupils",
        target="fairbench_datasets.student:StudentMathematics",
        citation=student.CITATION,
    )
    yield DatasetDescription(
        name="acs-income",
        summary="Incomes of people in states of the United States, from files of the Census Bureau",
        target="fairbench_datasets.acs_income:ACSIncome",
        citation=acs_income.CITATION,
    )
    yield DatasetDescription(
        name="synthetic",
        summary="Generated with a chosen bias and noise per group, so that the truth is known",
        target="fairbench_datasets.synthetic:Synthetic",
    )
