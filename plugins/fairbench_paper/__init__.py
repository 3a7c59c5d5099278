"""The datasets and methods of the paper that fairbench began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.facts import Facts
from fairbench.plugins import (
    DatasetDescription,
    MethodDescription,
    ModelDescription,
    ProtocolDescription,
    ReproductionDescription,
    hookimpl,
)

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


_PAPER = (
    "Pires, Leduino, Berton (2025): Exploring Multi-Task Learning for Fairness in Machine "
    "Learning Regression"
)


@hookimpl
def fairbench_models() -> Iterator[ModelDescription]:
    """The paper's network."""
    yield ModelDescription(
        name="mlp",
        summary="Fully connected trunk (64-32, ReLU) with one linear head per task",
        target="fairbench_paper.mlp:MLP",
        citation=_PAPER,
    )


@hookimpl
def fairbench_methods() -> Iterator[MethodDescription]:
    """The paper's method."""
    yield MethodDescription(
        name="static-alpha",
        summary="Predicts target and protected attribute; their losses weighted α and 5 − α",
        target="fairbench_paper.static_alpha:StaticAlpha",
        facts=Facts("no", "labels"),
        citation=_PAPER,
    )


@hookimpl
def fairbench_protocols() -> Iterator[ProtocolDescription]:
    """The paper's way of training and selecting."""
    yield ProtocolDescription(
        name="paper",
        summary="As the paper: rows split at random, patients shared, fronts selected on test",
        target="fairbench_paper.protocol:Paper",
        citation=_PAPER,
    )


@hookimpl
def fairbench_reproductions() -> Iterator[ReproductionDescription]:
    """All of the paper, side by side with reruns."""
    yield ReproductionDescription(
        name="paper",
        summary="Every table and figure of the paper, in every reading its text allows",
        target="fairbench_paper.reproduction.paper:PaperReproduction",
        citation=_PAPER,
    )
