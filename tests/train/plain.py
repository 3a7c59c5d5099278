"""A plain PyTorch loop for one trial: what a careful user writes by hand, and our oracle.

It shares nothing with the engine but the documented rules of its randomness: the seeds of
initial weights, row order and dropout masks.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fairbench.seeds import derive, dropout_seed, initial_seed, order_seed
from fairbench.train import Batch
from fairbench.weighting import Step, Weighting

AHEAD = 32


class _ReplayedDropout(nn.Module):
    """Dropout with the masks that the engine's rule gives this trial."""

    def __init__(self, p):
        super().__init__()
        self.p, self.mask = p, None

    def forward(self, x):
        return x * self.mask[: len(x)] if self.training else x


def _replayed(module):
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, _ReplayedDropout(child.p))
        else:
            _replayed(child)
    return module


class _Masks:
    """Draws 32 steps of masks at a time, layer after layer, from the trial's generator."""

    def __init__(self, module, probe, seed):
        self.generator = np.random.Generator(np.random.SFC64(seed))
        self.layers = [m for m in module.modules() if isinstance(m, _ReplayedDropout)]
        self.shapes = []
        for layer in self.layers:
            layer.register_forward_pre_hook(self._see)
            layer.mask = torch.ones(1)
        if self.layers:
            module.eval()
            with torch.no_grad():
                module(probe)
        self.at = 0

    def _drawn(self, p, shape):
        """Four 16-bit numbers of each 64-bit one; those below the threshold are dropped."""
        count = math.prod(shape)
        words = [int(w) for w in self.generator.integers(2**64, size=-(-count // 4), dtype="u8")]
        numbers = [(word >> shift) & 0xFFFF for word in words for shift in (0, 16, 32, 48)]
        threshold = round(p * 65536)
        kept = torch.tensor(numbers[:count]).view(shape) >= threshold
        return kept.double() / (1 - threshold / 65536)

    def _see(self, layer, args):
        if len(self.shapes) < len(self.layers):
            self.shapes.append(args[0].shape)

    def advance(self):
        if not self.layers:
            return
        if self.at % AHEAD == 0:
            self.drawn = [
                self._drawn(layer.p, (AHEAD, *shape))
                for layer, shape in zip(self.layers, self.shapes, strict=True)
            ]
        for layer, drawn in zip(self.layers, self.drawn, strict=True):
            layer.mask = drawn[self.at % AHEAD]
        self.at += 1


def _columns(fold, part, tasks):
    columns = {}
    for task in tasks:
        source, index = task.column
        if source == "target":
            column = fold.targets(part)[:, [index]]
        elif task.kind == "categorical":
            column = np.eye(task.width)[fold.protected(part, index).groups]
        else:
            column = fold.protected(part, index).values[:, None]
            if task.kind == "regression" and task.scaled:
                mean, scale = fold.protected_scale(index)
                column = (column - mean) / scale
        columns[task.name] = torch.as_tensor(column, dtype=torch.float64)
    return columns


def _default_losses(tasks, outputs, columns):
    losses = []
    for task in tasks:
        out, column = outputs[task.name], columns[task.name]
        if task.kind == "regression":
            losses.append(F.mse_loss(out, column))
        elif task.kind == "binary":
            losses.append(F.binary_cross_entropy_with_logits(out, column))
        else:
            losses.append(F.cross_entropy(out, column.argmax(1)))
    return torch.stack(losses)


def _rate(training, epoch):
    if training.schedule == "cosine":
        return training.lr * 0.5 * (1 + math.cos(math.pi * epoch / training.epochs))
    if training.schedule == "step":
        drops = (epoch >= training.epochs / 2) + (epoch >= training.epochs * 3 / 4)
        return training.lr * 0.1**drops
    return training.lr


def _optimizer(parameters, training):
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, training.lr, weight_decay=training.weight_decay)
    if training.optimizer == "adamw":
        return torch.optim.AdamW(parameters, training.lr, weight_decay=training.weight_decay)
    return torch.optim.SGD(
        parameters,
        training.lr,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )


def plain_module(method, work, trial):
    """The trial's freshly initialised module in float64."""
    tasks = method.tasks(work.fold.dataset)
    with torch.random.fork_rng():
        torch.manual_seed(initial_seed(work.entropy, trial))
        return method.build(work.fold, tasks).double()


def _flat_gradient(loss, parameters):
    if not parameters:
        return torch.zeros(0, dtype=torch.float64)
    found = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in found])


def plain_fit(method, work, trial, module=None, adversarial=None):
    """Train one trial; return its module and the number of epochs it took.

    `adversarial` maps a trade-off value to the explicit gradient reversal factor of the last
    task: the trunk then descends L_y − λ L_z while the heads descend their own losses.
    """
    fold, training = work.fold, work.training
    tasks = method.tasks(fold.dataset)
    seen = fold.split.train
    dataset = fold.dataset
    seen_by_weighting = replace(
        dataset,
        features=dataset.features[seen],
        targets=dataset.targets[seen],
        protected=tuple(attribute.rows(seen) for attribute in dataset.protected),
        clusters=None if dataset.clusters is None else dataset.clusters[seen],
    )
    weighting = method.weighting(seen_by_weighting)
    module = _replayed(plain_module(method, work, trial) if module is None else module)
    x = torch.as_tensor(fold.features("train"))
    columns = _columns(fold, "train", tasks)
    attribute = fold.protected("train")
    groups = torch.eye(len(attribute.labels), dtype=torch.float64)[attribute.groups]
    shares = groups.mean(0)
    value = float("nan") if trial.value is None else trial.value
    tradeoff = torch.tensor(value, dtype=torch.float64)
    own_seed = dropout_seed(work.entropy, trial)
    masks = _Masks(module, x[: training.batch_size], own_seed)
    noise = np.random.Generator(np.random.SFC64(derive(own_seed, "noise")))
    custom = type(method).losses.__qualname__ != "Recipe.losses"

    def losses_of(outputs, rows):
        if not custom:
            found = _default_losses(tasks, outputs, {n: c[rows] for n, c in columns.items()})
            return found * method.loss_scales(tasks, tradeoff), {}
        batch = Batch({n: c[rows] for n, c in columns.items()}, groups[rows], shares)
        result = method.losses(tasks, outputs, batch, tradeoff)
        return result if isinstance(result, tuple) else (result, {})

    module.eval()
    probe = torch.arange(min(training.batch_size, len(x)))
    terms = len(losses_of(module(x[probe]), probe)[0])
    trunk_size = sum(p.numel() for p in module.trunk.parameters())
    noise_size = trunk_size if weighting.needs == "jacobian" else terms
    begun = weighting.initial_state(terms) | weighting.gradient_state(terms, trunk_size)
    state = {k: v.double() for k, v in begun.items()}
    learned = {
        k: v.double().requires_grad_() for k, v in weighting.initial_parameters(terms).items()
    }
    optimizer = _optimizer([*module.parameters(), *learned.values()], training)
    order = np.random.Generator(np.random.PCG64(order_seed(work.entropy, trial)))
    steps_an_epoch = -(-len(x) // training.batch_size)
    best, best_loss, waited = None, math.inf, 0
    drawn, step_number, epochs = None, 0, 0
    for epoch in range(training.epochs):
        for group in optimizer.param_groups:
            group["lr"] = _rate(training, epoch) * method.rate_factor(trial.value)
        visit = torch.as_tensor(order.permutation(len(x)))
        total = 0
        module.train()
        for start in range(0, len(x), training.batch_size):
            rows = visit[start : start + training.batch_size]
            masks.advance()
            if weighting.noisy and step_number % AHEAD == 0:
                drawn = torch.as_tensor(noise.standard_normal((AHEAD, noise_size)))
            hidden = module.trunk(x[rows])
            outputs = {name: head(hidden) for name, head in module.heads.items()}
            losses, signals = losses_of(outputs, rows)
            fields = {
                "losses": losses.detach(),
                "tradeoff": tradeoff,
                "progress": torch.tensor(
                    (epoch * steps_an_epoch + start // training.batch_size)
                    / (training.epochs * steps_an_epoch),
                    dtype=torch.float64,
                ),
                "state": state,
                "parameters": learned,
                "signals": {k: v.detach() for k, v in signals.items()},
                "noise": None if drawn is None else drawn[step_number % AHEAD],
            }
            optimizer.zero_grad()
            trunk = list(module.trunk.parameters())
            if weighting.needs == "jacobian":
                jacobian = torch.stack([_flat_gradient(loss, trunk) for loss in losses])
                direction, weights, state = weighting.direction(Step(**fields, jacobian=jacobian))
                (weights * losses).sum().backward()
                parts = torch.split(direction, [p.numel() for p in trunk])
                for p, part in zip(trunk, parts, strict=True):
                    p.grad = part.view_as(p)
            elif weighting.needs == "gramian":
                jacobian = torch.stack([_flat_gradient(loss, trunk) for loss in losses])
                with torch.no_grad():
                    weights, state = weighting.weights(
                        Step(**fields, gramian=jacobian @ jacobian.T)
                    )
                (weights * losses).sum().backward()
            else:
                objective, state = weighting.objective(losses, Step(**fields))
                state = {
                    k: v.detach().clone() for k, v in state.items()
                }  # as it is before the step
                objective.backward(retain_graph=adversarial is not None)
                if adversarial is not None and trunk:
                    factor = adversarial(trial.value, float(fields["progress"]))
                    mixed = losses[:-1].sum() - factor * losses[-1]
                    for p, g in zip(trunk, torch.autograd.grad(mixed, trunk), strict=True):
                        p.grad = g
            if training.clip_norm is not None:
                whole = [*module.parameters(), *learned.values()]
                torch.nn.utils.clip_grad_norm_(whole, training.clip_norm)
            optimizer.step()
            if type(weighting).after_step is not Weighting.after_step:
                kept = {n: b.clone() for n, b in module.named_buffers()}
                with torch.no_grad():
                    hidden = module.trunk(x[rows])
                    outputs = {name: head(hidden) for name, head in module.heads.items()}
                    again, _ = losses_of(outputs, rows)
                for n, b in module.named_buffers():
                    b.copy_(kept[n])
                state = weighting.after_step(losses.detach(), again, state)
            total = total + losses.detach() * len(rows)
            step_number += 1
        epochs += 1
        if type(weighting).epoch_end is not Weighting.epoch_end:
            state = weighting.epoch_end(total / len(x), state)
        if training.patience is not None:
            module.eval()
            with torch.no_grad():
                output = module(torch.as_tensor(fold.features("validation")))
                column = _columns(fold, "validation", tasks)
                watched = float(_default_losses(tasks[:1], output, column)[0])
            if watched < best_loss - training.min_delta:
                best, best_loss, waited = copy.deepcopy(module.state_dict()), watched, 0
            else:
                waited += 1
            if waited >= training.patience:
                break
    if best is not None:
        module.load_state_dict(best)
    return module, epochs


def plain_predict(method, work, module, part):
    """Predictions (rows, targets) in the targets' units."""
    module.eval()
    tasks = method.tasks(work.fold.dataset)
    with torch.no_grad():
        outputs = module(torch.as_tensor(work.fold.features(part)))
    names = [task.name for task in tasks if task.column[0] == "target"]
    return work.fold.unscale(torch.cat([outputs[n] for n in names], dim=1).numpy())
