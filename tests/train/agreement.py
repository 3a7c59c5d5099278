"""What the agreement tests share: a stack's predictions held against a plain loop's."""

import numpy as np

from tests.train.plain import plain_fit, plain_predict

SMALL = {"hidden": (9, 6)}
VALUES = (0.5, 4.4)


def assert_agrees(method, work, **plain):
    trained = method.train(work)
    assert len(trained.predictions) == len(work.trials)
    for trial, prediction in zip(work.trials, trained.predictions, strict=True):
        module, epochs = plain_fit(method, work, trial, **plain)
        assert prediction.status == "ok", prediction.note
        assert prediction.record["epochs"] == epochs
        for part in ("validation", "test"):
            expected = plain_predict(method, work, module, part)
            np.testing.assert_allclose(getattr(prediction, part), expected, rtol=0, atol=1e-9)
    return trained
