import numpy as np
import pytest
import torch

from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.train.engines import engine_for
from fairbench.train.fit import Fitting
from fairbench.train.setup import initial_weights, prepare
from fairbench.training import Training
from tests.train import kernels


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["compiled", "torch"])
def each_kernel(request, monkeypatch):
    """Runs a test with every kernel; what the compiled one cannot train takes torch."""
    monkeypatch.setattr(kernels, "chosen", request.param)
    return request.param


def make_dataset(kind="binary", targets=1, rows=140, seed=0):
    """A small table whose target depends on features and group."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 7))
    if kind == "continuous":
        values = random.normal(size=rows) * 30 + 300
        groups = (values > np.median(values)).astype(np.int64)
        labels = ("low", "high")
    else:
        labels = ("a", "b") if kind == "binary" else ("a", "b", "c")
        groups = random.integers(len(labels), size=rows)
        values = groups.astype(np.float64)
    y = np.stack([x @ random.normal(size=7) + groups + t for t in range(targets)], axis=1)
    y += 0.3 * random.normal(size=y.shape)
    return Dataset(
        "toy",
        x,
        tuple(f"x{i}" for i in range(7)),
        5 * y + 20,
        tuple(f"t{i}" for i in range(targets)),
        (Protected("g", kind, values, groups, labels),),
        None,
        "",
        Card("Toy", "made here", "CC0"),
    )


def begun(method, work):
    """A stack of the trials of `work` before its first epoch."""
    prepared = prepare(method, work)
    start = initial_weights(prepared, work.trials)
    return Fitting(prepared, engine_for(prepared), work.trials, start)


def make_work(values, dataset=None, train=83, seeds=(0,), **training):
    """Work on `values` × `seeds`: 83 training rows in batches of 16, the last one of 3."""
    dataset = make_dataset() if dataset is None else dataset
    order = np.random.default_rng(1).permutation(dataset.rows)
    split = Split(*(np.sort(part) for part in np.split(order, (train, train + 30))))
    settings = {"epochs": 34, "batch_size": 16, "lr": 0.01, "dtype": "float64"}
    settings |= {"kernel": kernels.chosen, **training}
    trials = [Trial("toy", "m", value, seed, 0) for seed in seeds for value in values]
    return Work(trials, Fold(dataset, split), Training(**settings), entropy=3)
