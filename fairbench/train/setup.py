"""Prepares the training of a chunk: rows on the device, the module read once, initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from fairbench.errors import PluginError
from fairbench.seeds import initial_seed
from fairbench.train.batch import rows_of
from fairbench.train.dropout import own_dropout, probed
from fairbench.train.memory import Footprint
from fairbench.train.prepared import Module, Prepared
from fairbench.train.reading import has_batch_norm, parts_of, sequential_layers
from fairbench.train.stack import stack_modules
from fairbench.train.weights import Weights

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.fold import Fold
    from fairbench.method import Trial, Work
    from fairbench.train.recipe import Recipe

__all__ = ["initial_weights", "prepare"]


def prepare(recipe: Recipe, work: Work, /) -> Prepared:
    """Build one trial's module and look at one batch of it.

    Raises
    ------
    PluginError
        For a module without the parts that training relies on.
    """
    device, dtype = torch.device(work.device), getattr(torch, work.training.dtype)
    tasks = recipe.tasks(work.fold.dataset)
    torch.manual_seed(0)
    module = own_dropout(recipe.build(work.fold, tasks)).to(device=device, dtype=dtype)
    trunk, heads = parts_of(module, tasks, recipe.model)
    train, validation, test = (
        rows_of(work.fold, part, tasks, dtype, device) for part in ("train", "validation", "test")
    )
    size = min(work.training.batch_size, train.features.shape[0])
    features = train.features[:size]
    module.train()
    hidden, outputs, masks = probed(module, trunk, heads, features)
    for task in tasks:
        if (width := outputs[task.name].shape[-1]) != task.width:
            raise PluginError(
                f"head {task.name!r} of model {recipe.model!r} has {width} outputs",
                where=type(module).__qualname__,
                hint=f"give it {task.width}, the width of its task",
            )
    batch = train.batch(train.table[:size])
    losses = recipe.losses(tasks, outputs, batch, torch.ones((), dtype=dtype, device=device))
    terms = (losses[0] if isinstance(losses, tuple) else losses).shape[-1]
    weighting = recipe.weighting(_training_rows(work.fold))
    weighting.check_tasks(terms)
    module.eval()
    footprint = Footprint.of(
        module,
        lambda x: [head(hidden) for hidden in [trunk(x)] for head in heads.values()],
        features,
        masks,
        (train, validation, test),
        terms=terms if weighting.needs == "gramian" else 0,
        shrinks=work.training.patience is not None,
    )
    return Prepared(
        recipe,
        work,
        tasks,
        weighting,
        Module(
            trunk,
            heads,
            sequential_layers(trunk, heads),
            masks,
            has_batch_norm(module),
            features,
            hidden,
        ),
        train,
        validation,
        test,
        dtype,
        device,
        terms,
        footprint,
    )


def initial_weights(prepared: Prepared, trials: Sequence[Trial], /) -> Weights:
    """Return weights (S, ...) of freshly initialised trials; those of one seed are equal."""
    work = prepared.work
    modules: dict[int, nn.Module] = {}
    seeds = [initial_seed(work.entropy, trial) for trial in trials]
    for seed in seeds:
        if seed not in modules:
            torch.manual_seed(seed)
            module = own_dropout(prepared.recipe.build(work.fold, prepared.tasks))
            modules[seed] = module.to(device=prepared.device, dtype=prepared.dtype)
    return Weights(*stack_modules([modules[seed] for seed in seeds]))


def _training_rows(fold: Fold) -> Dataset:
    """Return the dataset as weightings see it: without the rows that are held out."""
    dataset, rows = fold.dataset, fold.split.train
    return replace(
        dataset,
        features=dataset.features[rows],
        targets=dataset.targets[rows],
        protected=tuple(attribute.rows(rows) for attribute in dataset.protected),
        clusters=None if dataset.clusters is None else dataset.clusters[rows],
    )
