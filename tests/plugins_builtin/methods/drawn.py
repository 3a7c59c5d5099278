"""Small tables and folds that the tests of methods share."""

import numpy as np

from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.training import Training


def table(x, y, *protected, clusters=None):
    features = np.asarray(x, dtype=float).reshape(len(y), -1)
    return Dataset(
        name="drawn",
        features=features,
        feature_names=tuple(f"x{i}" for i in range(features.shape[1])),
        targets=np.asarray(y, dtype=float).reshape(len(y), -1),
        target_names=("y",),
        protected=protected,
        clusters=clusters,
        cluster_name="" if clusters is None else "person",
        card=Card("drawn", "drawn", "none"),
    )


def binary(groups, name="g"):
    groups = np.asarray(groups, dtype=np.int64)
    return Protected(name, "binary", groups.astype(float), groups, ("0", "1"))


def categorical(groups, name="g"):
    groups = np.asarray(groups, dtype=np.int64)
    labels = tuple(map(str, range(groups.max() + 1)))
    return Protected(name, "categorical", groups.astype(float), groups, labels)


def continuous(values, name="s"):
    groups = np.searchsorted(np.median(values)[None], values, side="right").astype(np.int64)
    return Protected(name, "continuous", np.asarray(values, dtype=float), groups, ("low", "high"))


def on_training(dataset, train=None):
    """A fold whose test rows are its training rows, so that guarantees on these can be seen."""
    rows = np.arange(dataset.rows) if train is None else train
    return Fold(dataset, Split(rows, np.zeros(0, dtype=np.int64), rows))


def trained(method, fold, values=(None,), seeds=(0,), entropy=5):
    trials = [Trial("drawn", "method", value, seed, 0) for seed in seeds for value in values]
    out = method.train(Work(trials, fold, Training(epochs=3), entropy))
    for prediction in out.predictions:
        assert prediction.status == "ok", prediction.note
    return out


def predicted(method, fold, values=(None,), **how):
    """Test predictions (values, n) of the main target."""
    return np.stack([p.test[:, 0] for p in trained(method, fold, values, **how).predictions])
