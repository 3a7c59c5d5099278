"""What each metric is, without importing any: name, direction, unit and smallest group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fairbench.plugins.descriptions import MetricDescription

if TYPE_CHECKING:
    from collections.abc import Iterator

Unit = Literal["target", "target²", "none"]
Best = Literal["low", "high", "one"]

# Smallest groups. Two rows make a mean and a variance; ten make a distribution of which the
# distance to another is not decided by its own steps; twenty leave five to each of four bins.
MEAN, DISTRIBUTION, BINS = 2, 10, 20

AGARWAL = "Agarwal, Dudík and Wu. Fair regression. ICML 2019"
CHZHEN = "Chzhen et al. Fair regression with Wasserstein barycenters. NeurIPS 2020"


def _error(
    name: str, summary: str, unit: Unit = "none", best: Best = "low", citation: str = ""
) -> MetricDescription:
    return MetricDescription(
        name=name,
        summary=summary,
        target=f"fairbench_metrics.errors:{name.replace('-', '_')}",
        citation=citation,
        role="error",
        unit=unit,
        best=best,
        smallest_group=0,  # the groups play no part
    )


def _disparity(
    family: str,
    name: str,
    summary: str,
    citation: str = "",
    *,
    unit: Unit = "none",
    best: Best = "low",
    smallest: int = MEAN,
    takes: tuple[str, ...] = ("binary", "categorical", "continuous"),
) -> MetricDescription:
    return MetricDescription(
        name=name,
        summary=summary,
        target=f"fairbench_metrics.{family}:{name.replace('-', '_')}",
        citation=citation,
        role="disparity",
        unit=unit,
        best=best,
        smallest_group=smallest,
        takes=takes,
    )


def _errors() -> Iterator[MetricDescription]:
    koenker = "Koenker and Bassett. Regression quantiles. Econometrica 1978"
    yield _error("mae", "Mean absolute error", "target")
    yield _error("mse", "Mean squared error", "target²")
    yield _error("rmse", "Root mean squared error", "target")
    yield _error("r2", "Share of the targets' variance explained", best="high")
    yield _error("pinball-10", "Pinball loss at quantile 0.1", "target", citation=koenker)
    yield _error("pinball-90", "Pinball loss at quantile 0.9", "target", citation=koenker)


def _group_errors() -> Iterator[MetricDescription]:
    losses: tuple[tuple[str, str, Unit], ...] = (
        ("mae", "MAE", "target"),
        ("mse", "MSE", "target²"),
        ("rmse", "RMSE", "target"),
        ("r2", "R²", "none"),
    )
    for name, loss, unit in losses:
        high = name == "r2"
        family = "group_errors"
        yield _disparity(
            family, f"{name}-disparity", f"Largest minus smallest {loss} of a group", unit=unit
        )
        yield _disparity(
            family, f"{name}-ratio", f"Smallest over largest {loss} of a group", best="one"
        )
        yield _disparity(
            family,
            f"{name}-worst",
            f"{'Smallest' if high else 'Largest'} {loss} of a group",
            unit=unit,
            best="high" if high else "low",
        )
        yield _disparity(
            family,
            f"{name}-deviation",
            f"Largest distance of a group's {loss} from the overall {loss}",
            unit=unit,
        )
    yield _disparity(
        "group_errors",
        "residual-gap",
        "Largest minus smallest mean residual ŷ − y of a group",
        unit="target",
    )
    yield _disparity(
        "group_errors",
        "bounded-group-loss",
        "Worst group's squared error, bounded to the range of the targets",
        AGARWAL,
    )


def _parity() -> Iterator[MetricDescription]:
    yield _disparity(
        "mean_parity",
        "mean-parity",
        "Largest minus smallest mean prediction of a group",
        unit="target",
    )
    yield _disparity(
        "mean_parity",
        "mean-parity-scaled",
        "Mean parity over the pooled standard deviation of predictions within groups",
    )
    for name, summary, citation in (
        ("ks-parity", "Kolmogorov–Smirnov distance of a group to all rows, worst group", AGARWAL),
        ("ks-parity-pairwise", "Kolmogorov–Smirnov distance of two groups, worst pair", CHZHEN),
    ):
        yield _disparity("distribution_parity", name, summary, citation, smallest=DISTRIBUTION)


DESCRIPTIONS: tuple[MetricDescription, ...] = (*_errors(), *_group_errors(), *_parity())
"""Every metric, errors first."""
