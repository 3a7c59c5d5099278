"""In single precision, trials agree with a plain loop in distribution over seeds."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from fairbench_paper.static_alpha import StaticAlpha
from tests.train.conftest import make_work
from tests.train.plain import plain_fit, plain_predict

pytestmark = [
    pytest.mark.usefixtures("each_kernel"),
    pytest.mark.parametrize("each_kernel", ["compiled", "torch"], indirect=True),
]

SEEDS = tuple(range(24))


def test_single_precision_agrees_over_seeds():
    method = StaticAlpha(architecture={"hidden": (16, 8), "dropout": 0.1})
    single, double = (make_work((2.5,), seeds=SEEDS, dtype=d) for d in ("float32", "float64"))
    truth = single.fold.dataset.targets[single.fold.split.test]

    def errors(predictions):
        return np.array([np.sqrt(((p - truth) ** 2).mean()) for p in predictions])

    stacked = errors([prediction.test for prediction in method.train(single).predictions])
    plain = errors(
        [
            plain_predict(method, double, plain_fit(method, double, trial)[0], "test")
            for trial in double.trials
        ]
    )
    assert (stacked != plain).all()  # it did train in single precision
    spread = plain.std(ddof=1)
    differences = stacked - plain
    assert np.abs(differences).max() < 0.2 * spread
    assert abs(differences.mean()) < 0.02 * spread
    assert ks_2samp(stacked, plain).pvalue > 0.9
