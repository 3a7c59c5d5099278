"""Descriptions of all metrics, importing none: name, direction, unit and smallest group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fairbench.plugins.descriptions import MetricDescription

if TYPE_CHECKING:
    from collections.abc import Iterator

Unit = Literal["target", "target²", "none"]
Best = Literal["low", "high", "one"]

# Smallest groups. Two rows make a mean and a variance; ten make a distribution of which the
# distance to another is not decided by its own steps; twenty leave four to each of five bins.
MEAN, DISTRIBUTION, BINS = 2, 10, 20

AGARWAL = "Agarwal, Dudík and Wu. Fair regression. ICML 2019"
STEINBERG_RATIOS = "Steinberg, Reid and O'Callaghan. Fairness measures for regression. 2020"
STEINBERG_INFORMATION = "Steinberg et al. Fast fair regression via mutual information. 2020"
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
    family = "distribution_parity"
    yield _disparity(
        family,
        "ks-parity",
        "Kolmogorov–Smirnov distance of a group to all rows, worst group",
        AGARWAL,
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        family,
        "ks-parity-pairwise",
        "Kolmogorov–Smirnov distance of two groups, worst pair",
        CHZHEN,
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        family,
        "wasserstein-parity",
        "Wasserstein-1 distance of two groups' predictions, worst pair",
        unit="target",
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        family,
        "wasserstein-barycenter",
        "Squared Wasserstein-2 distance of the groups to their barycenter, weighted by size",
        CHZHEN,
        unit="target²",
        smallest=DISTRIBUTION,
    )
    for name, summary in (
        ("quantile-parity", "Difference of groups in the share above a decile, worst decile"),
        ("quantile-parity-mean", "Difference of groups in the share above a decile, mean decile"),
    ):
        yield _disparity("quantile_parity", name, summary, smallest=DISTRIBUTION)
    yield _disparity(
        "generalized_demographic_parity",
        "generalized-demographic-parity",
        "Mean distance of E[ŷ | a] from E[ŷ], a discrete or continuous",
        "Jiang et al. Generalized demographic parity for group fairness. ICLR 2022",
        unit="target",
    )


def _conditional() -> Iterator[MetricDescription]:
    separations: tuple[tuple[str, str, Unit], ...] = (
        ("mean", "Mean parity", "target"),
        ("ks", "Pairwise Kolmogorov–Smirnov parity", "none"),
        ("wasserstein", "Wasserstein parity", "target"),
    )
    for name, gap, unit in separations:
        yield _disparity(
            "separation",
            f"separation-{name}",
            f"{gap} among rows with similar targets",
            unit=unit,
            smallest=BINS,
        )
    criteria = {
        "independence": "the prediction",
        "separation": "the prediction given the target",
        "sufficiency": "the target given the prediction",
    }
    estimators = {"logistic": "logistic regression", "binned": "quantile bins"}
    for criterion, of in criteria.items():
        for estimator, by in estimators.items():
            yield _disparity(
                "density_ratios",
                f"{criterion}-ratio-{estimator}",
                f"Density ratio of {of} between two groups, by {by}",
                STEINBERG_RATIOS,
                best="one",
                smallest=BINS,
            )
    for criterion, of in criteria.items():
        yield _disparity(
            "mutual_information",
            f"{criterion}-information",
            f"Share of the group's entropy that {of} tells",
            STEINBERG_INFORMATION,
            smallest=BINS,
        )


def _dependence() -> Iterator[MetricDescription]:
    giuliani = "Giuliani, Misino and Lombardi. Generalized disparate impact. ICML 2023"
    double = "Giuliani and Lombardi. Enhancing the applicability of fair learning"
    mary = "Mary, Calauzènes and El Karoui. Fairness-aware learning. ICML 2019"
    yield _disparity(
        "hgr",
        "hgr-kde",
        "Maximal correlation of prediction and group, by kernel densities",
        mary,
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        "hgr",
        "hgr-polynomial",
        "Maximal correlation of prediction and group, by polynomials of degree 5",
        double,
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        "hgr",
        "gedi",
        "Change of the prediction with a polynomial of the attribute, per unit of the attribute",
        giuliani,
        unit="target",
        smallest=DISTRIBUTION,
        takes=("binary", "continuous"),
    )
    yield _disparity(
        "hgr",
        "gedi-double",
        "Maximal correlation by polynomials, times σ(ŷ)/σ(A)",
        double,
        unit="target",
        smallest=DISTRIBUTION,
        takes=("binary", "continuous"),
    )
    yield _disparity(
        "distance_correlation",
        "distance-correlation",
        "Correlation of distances in prediction with distances in the attribute",
        "Székely, Rizzo and Bakirov. Annals of Statistics 2007",
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        "hsic",
        "hsic",
        "Hilbert–Schmidt independence criterion with Gaussian kernels",
        "Gretton et al. Measuring statistical dependence. ALT 2005",
        smallest=DISTRIBUTION,
    )
    yield _disparity(
        "hsic",
        "cka",
        "HSIC normalised: centered kernel alignment",
        "Kornblith et al. Similarity of neural network representations revisited. ICML 2019",
        smallest=DISTRIBUTION,
    )


def _individual() -> Iterator[MetricDescription]:
    speicher = "Speicher et al. A unified approach to quantifying algorithmic unfairness. KDD 2018"
    berk = "Berk et al. A convex framework for fair regression. 2017"
    yield _disparity(
        "generalized_entropy",
        "generalized-entropy",
        "Inequality of benefits among all rows, generalized entropy with α = 2",
        speicher,
        smallest=0,  # the groups play no part
    )
    yield _disparity(
        "generalized_entropy",
        "generalized-entropy-between",
        "The part of the inequality of benefits that lies between groups",
        speicher,
    )
    yield _disparity(
        "berk",
        "berk-individual",
        "Squared differences of predictions between groups where targets are similar",
        berk,
        unit="target²",
    )
    yield _disparity(
        "berk",
        "berk-group",
        "Squared mean difference of predictions between groups where targets are similar",
        berk,
        unit="target²",
    )


def _consistency() -> Iterator[MetricDescription]:
    yield MetricDescription(
        name="consistency",
        summary="How alike the predictions of rows are whose features are alike",
        target="fairbench_metrics.consistency:consistency",
        citation="Zemel et al. Learning fair representations. ICML 2013",
        role="disparity",
        best="high",
        takes=("individual",),
        smallest_group=0,
    )


def _ranking() -> Iterator[MetricDescription]:
    for name, pairs in (
        ("ranking-parity", "all pairs of groups"),
        ("ranking-parity-cross", "pairs of different groups"),
        ("ranking-parity-marginal", "groups of the row with the larger target"),
    ):
        yield _disparity(
            "ranking",
            name,
            f"Gap in the share of pairs ranked rightly, over {pairs}",
            "Narasimhan et al. Pairwise fairness for ranking and regression. AAAI 2020",
            smallest=DISTRIBUTION,
        )


def _calibration() -> Iterator[MetricDescription]:
    calibration: tuple[tuple[str, str, Unit], ...] = (
        ("worst", "Calibration error of the worst group over bins of predictions", "target"),
        ("disparity", "Largest minus smallest calibration error of a group", "target"),
        ("slope-gap", "Largest minus smallest slope of target on prediction in a group", "none"),
        (
            "intercept-gap",
            "Largest minus smallest fitted target at the mean prediction in a group",
            "target",
        ),
    )
    for name, summary, unit in calibration:
        yield _disparity("calibration", f"calibration-{name}", summary, unit=unit, smallest=BINS)


DESCRIPTIONS: tuple[MetricDescription, ...] = (
    *_errors(),
    *_group_errors(),
    *_parity(),
    *_conditional(),
    *_calibration(),
    *_dependence(),
    *_individual(),
    *_consistency(),
    *_ranking(),
)
"""Every metric, errors first."""
