"""Separation, density ratios, information and calibration, against scikit-learn and by hand."""

from itertools import combinations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from scipy.stats import ks_2samp, linregress, wasserstein_distance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score

from fairbench.metric import Undefined

BINS = 5


def bins_of(values):
    """Quantile bins with observed values as edges, ties together."""
    edges = np.sort(values)[[len(values) * i // BINS for i in range(1, BINS)]]
    return np.searchsorted(edges, values, side="right")


def test_bins_hold_equal_numbers_of_rows():
    assert np.bincount(bins_of(np.random.default_rng(0).normal(size=40))).tolist() == [8] * 5


def test_separation_of_means_is_that_of_fairlearn(metric, sample):
    prediction, target, attribute = sample
    codes = bins_of(target)
    shares = np.bincount(codes) / len(codes)

    def mean(y_true, y_pred):
        return np.mean(y_pred)

    expected = []
    for row in prediction:
        frame = MetricFrame(
            metrics=mean,
            y_true=target,
            y_pred=row,
            sensitive_features=attribute.groups,
            control_features=codes,
        )
        expected.append(shares[shares > 0] @ frame.difference())
    np.testing.assert_allclose(metric("separation-mean")(prediction, target, attribute), expected)


@pytest.mark.parametrize(
    ("name", "distance"),
    [
        ("separation-ks", lambda a, b: ks_2samp(a, b).statistic),
        ("separation-wasserstein", wasserstein_distance),
    ],
)
def test_separation_of_distributions_is_that_of_scipy(metric, sample, name, distance):
    prediction, target, attribute = sample
    codes = bins_of(target)
    expected = np.zeros(len(prediction))
    for i, row in enumerate(prediction):
        for b in np.unique(codes):
            own = [
                row[(codes == b) & (attribute.groups == g)] for g in range(len(attribute.labels))
            ]
            gap = max(distance(x, y) for x, y in combinations(own, 2))
            expected[i] += np.mean(codes == b) * gap
    np.testing.assert_allclose(metric(name)(prediction, target, attribute), expected)


def test_separation_needs_every_group_in_every_bin(metric, attribute):
    target = np.arange(40.0)
    groups = attribute(target >= 20)
    with pytest.raises(Undefined, match=r"'g1' of attribute has 0 rows.*bin 1 of 5"):
        metric("separation-mean")(target, target, groups)


def test_separation_forgives_what_the_target_explains(metric, attribute):
    target = np.tile(np.arange(10.0), 40)
    groups = np.random.default_rng(0).random(400) < (0.2 + 0.06 * target)
    value = metric("separation-mean")(target // 2, target, attribute(groups))
    assert value == pytest.approx(0, abs=1e-12)
    assert metric("mean-parity")(target // 2, target, attribute(groups)) > 0.5


def scaled(values):
    return (values - values.mean()) / values.std()


def probability(columns, label):
    """As dalex does, but to convergence."""
    model = LogisticRegression(tol=1e-10, max_iter=1000)
    return model.fit(columns, label).predict_proba(columns)[:, 1]


def density_ratios(row, target, label):
    """Steinberg's ratios as dalex writes them, of label 1 to label 0."""
    score, truth = scaled(row)[:, None], scaled(target)[:, None]
    p_s, p_y = probability(score, label), probability(truth, label)
    p_ys = probability(np.hstack([truth, score]), label)
    odds = [p / (1 - p) for p in (p_s, p_y, p_ys)]
    prior = label.sum() / (len(label) - label.sum())
    return {
        "independence": np.mean(odds[0]) / prior,
        "separation": np.mean(odds[2] / odds[1]),
        "sufficiency": np.mean(odds[2] / odds[0]),
    }


@pytest.mark.parametrize("criterion", ["independence", "separation", "sufficiency"])
def test_logistic_ratios_are_those_of_scikit_learn(metric, sample, criterion):
    prediction, target, attribute = sample
    expected = []
    for row in prediction:
        ratios = []
        for a, b in combinations(range(len(attribute.labels)), 2):
            keep = np.isin(attribute.groups, [a, b])
            label = (attribute.groups[keep] == b).astype(int)
            sides = [density_ratios(row[keep], target[keep], s) for s in (label, 1 - label)]
            ratios += [side[criterion] for side in sides]
        expected.append(max(ratios, key=lambda r: abs(np.log(r))))
    values = metric(f"{criterion}-ratio-logistic")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_logistic_ratio_of_groups_that_predictions_separate(metric, attribute):
    """Newton's steps overshoot here; the penalised optimum exists all the same."""
    groups = np.repeat([0, 1], [30, 3])
    prediction = np.concatenate([np.linspace(0, 1, 30), [50.0, 51, 60]])
    expected = [density_ratios(prediction, prediction, side) for side in (groups, 1 - groups)]
    expected = max((r["independence"] for r in expected), key=lambda r: abs(np.log(r)))
    value = metric("independence-ratio-logistic")(prediction, prediction, attribute(groups))
    assert value == pytest.approx(expected, rel=1e-6)


def test_binned_ratios_by_direct_count(metric, discrete):
    prediction, target, attribute = discrete
    expected = {"independence": [], "separation": [], "sufficiency": []}
    for row in prediction:
        found = {criterion: [] for criterion in expected}
        for a, b in combinations(range(len(attribute.labels)), 2):
            keep = np.isin(attribute.groups, [a, b])
            score, truth = bins_of(row[keep]), bins_of(target[keep])
            for one in (a, b):
                label = attribute.groups[keep] == one
                share = label.mean()

                def odds(same, label=label, share=share):
                    return (label[same].sum() + share) / ((~label)[same].sum() + 1 - share)

                rows = range(len(label))
                s = np.array([odds(score == score[i]) for i in rows])
                y = np.array([odds(truth == truth[i]) for i in rows])
                ys = np.array([odds((score == score[i]) & (truth == truth[i])) for i in rows])
                found["independence"].append(np.mean(s) * (1 - share) / share)
                found["separation"].append(np.mean(ys / y))
                found["sufficiency"].append(np.mean(ys / s))
        for criterion, ratios in found.items():
            expected[criterion].append(max(ratios, key=lambda r: abs(np.log(r))))
    for criterion, ratios in expected.items():
        values = metric(f"{criterion}-ratio-binned")(prediction, target, attribute)
        np.testing.assert_allclose(values, ratios)


def entropy(groups):
    return mutual_info_score(groups, groups)


def within(codes, function, *columns):
    """Mean over the bins of `codes` of a function of the rows in each."""
    return sum(
        np.mean(codes == b) * function(*(c[codes == b] for c in columns)) for b in np.unique(codes)
    )


def test_information_is_that_of_scikit_learn(metric, sample):
    prediction, target, attribute = sample
    groups, truth = attribute.groups, bins_of(target)
    expected = {"independence": [], "separation": [], "sufficiency": []}
    for row in prediction:
        score = bins_of(row)
        expected["independence"].append(mutual_info_score(score, groups) / entropy(groups))
        expected["separation"].append(
            within(truth, mutual_info_score, score, groups) / within(truth, entropy, groups)
        )
        expected["sufficiency"].append(
            within(score, mutual_info_score, truth, groups) / within(score, entropy, groups)
        )
    for criterion, values in expected.items():
        found = metric(f"{criterion}-information")(prediction, target, attribute)
        np.testing.assert_allclose(found, values, atol=1e-12)


def test_information_ranges_from_nothing_to_all(metric, attribute):
    groups = np.tile([0, 1], 100)
    target = np.repeat(np.arange(100.0), 2)
    both = np.stack([target, groups.astype(float)])
    found = metric("independence-information")(both, target, attribute(groups))
    np.testing.assert_allclose(found, [0, 1], atol=1e-12)
    with pytest.raises(Undefined, match="H"):
        metric("sufficiency-information")(both[1], target, attribute(groups))


def test_calibration_by_direct_sum(metric, sample):
    prediction, target, attribute = sample
    worst, disparity = [], []
    for row in prediction:
        codes = bins_of(row)
        own = []
        for g in range(len(attribute.labels)):
            member = attribute.groups == g
            bins = [member & (codes == b) for b in range(BINS)]
            own.append(
                sum(
                    rows.sum() / member.sum() * abs(np.mean(target[rows] - row[rows]))
                    for rows in bins
                    if rows.any()
                )
            )
        worst.append(max(own))
        disparity.append(max(own) - min(own))
    np.testing.assert_allclose(metric("calibration-worst")(prediction, target, attribute), worst)
    values = metric("calibration-disparity")(prediction, target, attribute)
    np.testing.assert_allclose(values, disparity, atol=1e-12)


def test_calibration_lines_are_those_of_scipy(metric, sample):
    prediction, target, attribute = sample
    slopes, heights = [], []
    for row in prediction:
        members = [attribute.groups == g for g in range(len(attribute.labels))]
        lines = [linregress(row[member], target[member]) for member in members]
        slopes.append(np.ptp([line.slope for line in lines]))
        heights.append(np.ptp([line.intercept + line.slope * row.mean() for line in lines]))
    values = metric("calibration-slope-gap")(prediction, target, attribute)
    np.testing.assert_allclose(values, slopes, rtol=1e-6)
    values = metric("calibration-intercept-gap")(prediction, target, attribute)
    np.testing.assert_allclose(values, heights, rtol=1e-6)


def test_a_line_that_does_not_exist_costs_its_own_trial(metric, attribute):
    target, groups = np.arange(6.0), attribute([0, 0, 0, 1, 1, 1])
    prediction = np.array([[1.0, 1, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]])
    found = metric("calibration-slope-gap")(prediction, target, groups)
    np.testing.assert_allclose(found, [np.nan, 0])
