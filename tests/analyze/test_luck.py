import numpy as np
import pytest

from fairbench.analyze import Luck, smallest_detectable, split_overlap
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Split
from fairbench.method import Prediction, Trained, Trial
from fairbench.plugins import load

ROWS, SEEDS = 200, 2


@pytest.fixture(scope="module")
def luck():
    """Makes what is to be learned of five splits by two seeds."""
    groups = np.arange(ROWS) % 2
    attribute = Protected("sex", "binary", groups.astype(float), groups, ("f", "m"))
    card = Card(title="", source="", licence="")
    features = np.zeros((ROWS, 1))
    data = Dataset(
        "toy", features, ("a",), np.zeros((ROWS, 1)), ("y",), (attribute,), None, "", card
    )
    folds = np.random.default_rng(0).permutation(ROWS).reshape(5, -1)
    parts = [
        Split(np.sort(np.concatenate(np.roll(folds, -k, axis=0)[2:])), np.sort(folds[(k + 1) % 5]),
              np.sort(folds[k]))
        for k in range(5)
    ]  # fmt: skip

    def make(comparisons=1, seeds=SEEDS):
        metric = load().find("metric", "rmse-disparity")
        views = {"toy": ("y", "sex")}
        return Luck("base", {"toy": data}, {"toy": parts}, views, metric, seeds, comparisons)

    return make, parts, groups


def told(luck, lucky, parts, groups, method="base"):
    """What is said after each split, where `lucky` (5, 2) is what group m errs more."""
    found = []
    for number, split in enumerate(parts):
        trials = [Trial("toy", method, None, seed, number) for seed in range(SEEDS)]
        errors = [1.0 + lucky[number, seed] * groups[split.test] for seed in range(SEEDS)]
        trained = Trained([Prediction(e[:, None], e[:, None]) for e in errors])
        found.append(luck.learned(trials, trained))
    return found


def test_luck_that_hides_everything_is_told_once_the_baseline_is_trained(luck):
    make, parts, groups = luck
    lucky = 1.0 + np.array([[1.0, -1.0]] * 5)
    *before, (said,) = told(make(), lucky, parts, groups)
    assert before == [[]] * 4
    shared = split_overlap(parts)
    # Within splits the disparity is 2 or 0: a standard deviation of √2, for both methods.
    size = smallest_detectable(np.sqrt(2 * 2 / 2), 5, shared.ratio, df=shared.df)
    assert f"differences below {size:.3g} are missed, and its disparity is 1;" in said
    assert said.startswith("on toy this study would usually miss even a complete removal")


def test_more_comparisons_find_less(luck):
    make, parts, groups = luck
    lucky = 1.0 + 0.3 * np.array([[1.0, -1.0]] * 5)
    assert told(make(), lucky, parts, groups)[-1] == []
    assert len(told(make(comparisons=20), lucky, parts, groups)[-1]) == 1


def test_where_luck_is_not_known_nothing_is_said(luck):
    make, parts, groups = luck
    lucky = 1.0 + np.array([[1.0, -1.0]] * 5)
    assert told(make(), lucky, parts, groups, method="other") == [[]] * 5
    assert told(make(seeds=1), lucky, parts, groups) == [[]] * 5
