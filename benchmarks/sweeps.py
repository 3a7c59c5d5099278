"""What the engine's benchmarks share: sweeps on parkinson, and the loop they are held against."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from fairbench.data import open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.train.engines import engine_for
from fairbench.train.fit import fit
from fairbench.train.setup import initial_weights, prepare
from fairbench.training import Training

BATCH = 32
ROWS = 4_700
FLOP_PER_STEP = 6  # a multiply and an add, once forward and twice backward, per weight and row


@cache
def fold():
    """4,700 training rows of parkinson, drawn at random: speed is all that matters here."""
    dataset = open_dataset(DatasetSpec("parkinson"))
    order = np.random.default_rng(0).permutation(dataset.rows)
    return Fold(dataset, Split(*np.split(order, (ROWS, ROWS + 500))))


def work(values, *, chain=1, epochs=1, device="cpu", **training):
    trials = [Trial("parkinson", "m", value, 0, 0) for value in values]
    settings = Training(epochs=epochs, batch_size=BATCH, chain=chain, **training)
    return Work(trials, fold(), settings, device=device)


def values(count):
    return tuple(5 * (i + 1) / count for i in range(count))


class Sweep:
    """`count` trials of a method, ready to be trained epoch by epoch."""

    def __init__(self, method, count, **training):
        self.work = work(values(count), **training)
        self.prepared = prepare(method, self.work)
        self.engine = engine_for(self.prepared)
        self.start = initial_weights(self.prepared, self.work.trials)

    def seconds(self, clock=time.process_time):
        """Training time of one epoch or more, per model and step."""
        began = clock()
        fitted = fit(self.prepared, self.engine, self.work.trials, self.start)
        return (clock() - began) / int(fitted.steps.sum())


def chunked(sweeps):
    """Seconds per model and step of trials that are trained in several chunks, one by one."""
    lanes = [len(sweep.work.trials) for sweep in sweeps]
    return float(np.average([sweep.seconds() for sweep in sweeps], weights=lanes))


class PlainLoop:
    """One trial as a good user writes it: a DataLoader, two heads, Adam."""

    def __init__(self, *, loader=True):
        here = fold()
        self.x = torch.as_tensor(here.features("train"), dtype=torch.float32)
        self.y = torch.as_tensor(here.targets("train"), dtype=torch.float32)
        values = here.protected("train").values[:, None]
        self.z = torch.as_tensor(values, dtype=torch.float32)
        self.loader = loader
        torch.manual_seed(0)
        width = self.x.shape[1]
        self.trunk = torch.nn.Sequential(
            torch.nn.Linear(width, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU()
        )
        self.y_head, self.z_head = torch.nn.Linear(32, 1), torch.nn.Linear(32, 1)
        parts = (self.trunk, self.y_head, self.z_head)
        self.optimizer = torch.optim.Adam([p for m in parts for p in m.parameters()], 0.01)

    def batches(self):
        if self.loader:
            yield from DataLoader(TensorDataset(self.x, self.y, self.z), BATCH, shuffle=True)
            return
        order = torch.randperm(ROWS)
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            yield self.x[rows], self.y[rows], self.z[rows]

    def seconds(self):
        """Training time of one epoch, per step."""
        began, steps = time.process_time(), 0
        for x, y, z in self.batches():
            hidden = self.trunk(x)
            loss = 2.0 * F.mse_loss(self.y_head(hidden), y)
            loss = loss + 3.0 * F.binary_cross_entropy_with_logits(self.z_head(hidden), z)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            steps += 1
        return (time.process_time() - began) / steps


def limit_seconds(repeats=20):
    """Seconds that one model and step would take at the rate of a large matrix product here."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    a @ b
    times = []
    for _ in range(repeats):
        began = time.process_time()
        a @ b
        times.append(time.process_time() - began)
    rate = 2 * 1024**3 / min(times)
    width = fold().dataset.features.shape[1]
    weights = width * 64 + 64 * 32 + 32 * 2
    # the first layer needs no gradient of its input
    flop = BATCH * (FLOP_PER_STEP * weights - 2 * width * 64)
    return flop / rate


def least(*measures, repeats=5):
    """The least of several interleaved measurements of each, as the machine may be shared."""
    found = [[measure() for measure in measures] for _ in range(repeats)]
    return [min(column) for column in zip(*found, strict=True)]
