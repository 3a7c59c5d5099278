"""What all trials of a chunk share: rows on the device, the module read once, lifted functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fairbench import kernel
from fairbench.errors import PluginError, first_line
from fairbench.kernel import Kernel
from fairbench.seeds import initial_seed
from fairbench.train.batch import Rows, rows_of
from fairbench.train.chain import Layer, chain_of
from fairbench.train.compiled import CompiledEngine, runs
from fairbench.train.dropout import AHEAD, MaskShapes, own_dropout, probed
from fairbench.train.engine import Beginning, Engine, TorchEngine
from fairbench.train.memory import Footprint
from fairbench.train.native import NativeRule
from fairbench.train.net import ByAutograd, ByHand, Net
from fairbench.train.network import normalises_batches
from fairbench.train.program import (
    Forward,
    lane_forward,
    looped_forward,
    mapped_forward,
)
from fairbench.train.rules import LEARNED, Rules, looks_again, reads_gradients
from fairbench.train.stack import Block, stack_modules

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.fold import Fold
    from fairbench.method import Trial, Work
    from fairbench.model import Task
    from fairbench.train.network import NetworkMethod
    from fairbench.weighting import Weighting

__all__ = ["Network", "Setup", "prepare"]


@dataclass(frozen=True)
class Network:
    """The forward pass of a stack: trunk, then one head per task.

    `chain` holds the trunk's layers where it is a plain chain of known ones and every head is
    linear: training then needs no autograd.
    """

    trunk: Forward
    heads: dict[str, Forward]
    chain: tuple[Layer, ...] | None


@dataclass(frozen=True)
class Setup:
    """A chunk made ready for training.

    `has_batch_norm` says that a batch of one row cannot be trained on; `terms` is the number T
    of losses that the weighting combines; `translated` holds its rule for the compiled kernel,
    once one was asked for.
    """

    method: NetworkMethod
    work: Work
    tasks: tuple[Task, ...]
    weighting: Weighting
    network: Network
    masks: MaskShapes
    train: Rows
    validation: Rows
    test: Rows
    dtype: torch.dtype
    device: torch.device
    has_batch_norm: bool
    terms: int
    footprint: Footprint
    kernel: Kernel
    notes: list[str] = field(default_factory=list)
    translated: list[NativeRule | None] = field(default_factory=list)

    def engine(self, rules: Rules, begin: Beginning, /) -> Engine:
        """What computes the steps."""
        kind = CompiledEngine if self.kernel == "compiled" else TorchEngine
        return kind(self, rules, begin)

    def net(self) -> Net:
        """The network in training, with a memory of its own."""
        # Where a rule sees coordinates, they come in the order of the module's parameters.
        if self.network.chain is not None and not reads_gradients(type(self.weighting)):
            return ByHand(self.network.chain, [task.name for task in self.tasks])
        return ByAutograd(self.network.trunk, self.network.heads)

    def blocks(self, parameters: Mapping[str, Tensor], /) -> list[Block]:
        """How parameters (S, ...) should lie in memory."""
        net = self.net()
        shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
        return net.blocks(shapes) if isinstance(net, ByHand) else []

    def initial(self, trials: Sequence[Trial], /) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters and buffers (S, ...) of freshly initialised trials."""
        modules: dict[int, nn.Module] = {}
        for trial in trials:
            seed = initial_seed(self.work.entropy, trial)
            if seed not in modules:
                torch.manual_seed(seed)
                module = own_dropout(self.method.build(self.work.fold, self.tasks))
                modules[seed] = module.to(device=self.device, dtype=self.dtype)
        each = [modules[initial_seed(self.work.entropy, trial)] for trial in trials]
        return stack_modules(each)


def prepare(method: NetworkMethod, work: Work, /) -> Setup:
    """Read the method's module once and decide how its forward pass is stacked."""
    device, dtype = torch.device(work.device), getattr(torch, work.training.dtype)
    dataset = work.fold.dataset
    tasks = method.tasks(dataset)
    torch.manual_seed(0)
    module = own_dropout(method.build(work.fold, tasks)).to(device=device, dtype=dtype)
    trunk, heads = _parts(module, tasks, method)
    train, validation, test = (
        rows_of(work.fold, part, tasks, dtype, device) for part in ("train", "validation", "test")
    )
    size = min(work.training.batch_size, train.features.shape[0])
    probe = train.features[:size]
    notes: list[str] = []
    module.train()
    hidden, outputs, masks = probed(module, trunk, heads, probe)
    for task in tasks:
        if (width := outputs[task.name].shape[-1]) != task.width:
            raise PluginError(
                f"head {task.name!r} of model {method.model!r} has {width} outputs",
                where=type(module).__qualname__,
                hint=f"give it {task.width}, the width of its task",
            )
    network = Network(
        _forward(trunk, "trunk.", probe, masks, notes),
        {
            name: _forward(head, f"heads.{name}.", hidden, masks, notes)
            for name, head in heads.items()
        },
        chain_of(trunk, "trunk.") if _all_linear(heads) else None,
    )
    has_batch_norm = normalises_batches(module)
    columns = train.batch(train.table[:size])
    losses = method.losses(tasks, outputs, columns, torch.ones((), dtype=dtype, device=device))
    terms = (losses[0] if isinstance(losses, tuple) else losses).shape[-1]
    weighting = method.weighting(_training_rows(work.fold))
    module.eval()
    footprint = Footprint.of(
        module,
        lambda x: [head(hidden) for hidden in [trunk(x)] for head in heads.values()],
        probe,
        masks,
        (train, validation, test),
        terms=0 if weighting.needs == "losses" else terms + _gradients_kept(weighting, terms),
        shrinks=work.training.patience is not None,
    )
    return Setup(
        method,
        work,
        tasks,
        weighting,
        network,
        masks,
        train,
        validation,
        test,
        dtype,
        device,
        has_batch_norm,
        terms,
        footprint,
        _kernel(
            work,
            runs(network.chain, tasks, device, dtype) and _can_be_asked(weighting, work, notes),
        ),
        notes,
    )


def _training_rows(fold: Fold) -> Dataset:
    """The dataset as weightings see it: without the rows that are held out."""
    dataset, rows = fold.dataset, fold.split.train
    return replace(
        dataset,
        features=dataset.features[rows],
        targets=dataset.targets[rows],
        protected=tuple(attribute.rows(rows) for attribute in dataset.protected),
        clusters=None if dataset.clusters is None else dataset.clusters[rows],
    )


def _gradients_kept(weighting: Weighting, terms: int) -> int:
    """How many numbers for each of the trunk's parameters its state and noise take, about."""
    kept = sum(tensor.numel() for tensor in weighting.gradient_state(terms, 1).values())
    return kept + (AHEAD if weighting.needs == "jacobian" and weighting.noisy else 0)


def _can_be_asked(weighting: Weighting, work: Work, notes: list[str]) -> bool:
    """Whether the compiled kernel has what the weighting asks for; leaves a note where not."""
    rule = type(weighting)
    if not (reads_gradients(rule) or looks_again(rule)):
        return True
    if work.training.kernel in ("auto", "compiled") and work.device == "cpu":
        what = "every gradient" if reads_gradients(rule) else "each batch again after its step"
        notes.append(f"{rule.__qualname__} trains with torch's operations: it looks at {what}")
    return False


def _kernel(work: Work, could_be_compiled: bool) -> Kernel:
    wanted = work.training.kernel
    if wanted in ("auto", "compiled") and not could_be_compiled:
        return "torch"
    return kernel.chosen(wanted, work.device)


def _all_linear(heads: Mapping[str, nn.Module]) -> bool:
    return all(type(head) is nn.Linear and head.bias is not None for head in heads.values())


def _parts(
    module: nn.Module, tasks: Sequence[Task], method: NetworkMethod
) -> tuple[nn.Module, dict[str, nn.Module]]:
    """The module's trunk and its heads in the order of the tasks."""
    trunk, heads = getattr(module, "trunk", None), getattr(module, "heads", None)
    if not isinstance(trunk, nn.Module) or not isinstance(heads, nn.ModuleDict):
        raise PluginError(
            f"model {method.model!r} has no `trunk` module and `heads` ModuleDict",
            where=type(module).__qualname__,
            hint="give it both, see fairbench.model.Model",
        )
    if missing := [task.name for task in tasks if task.name not in heads]:
        raise PluginError(
            f"model {method.model!r} has no head {missing[0]!r}",
            where=type(module).__qualname__,
            hint="build one head per task, keyed by the task's name",
        )
    names: dict[int, str] = {}
    if any(name.startswith(LEARNED) for name, _ in module.named_parameters()):
        raise PluginError(
            f"model {method.model!r} has parameters under {LEARNED!r}, the weighting's own name",
            where=type(module).__qualname__,
            hint="give that attribute another name",
        )
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if (other := names.setdefault(id(parameter), name)) != name:
            raise PluginError(
                f"model {method.model!r} uses one parameter as {other!r} and as {name!r}",
                where=type(module).__qualname__,
                hint="give each its own: side by side they would no longer be one",
            )
    return trunk, {task.name: heads[task.name] for task in tasks}


def _forward(
    module: nn.Module,
    prefix: str,
    probe: Tensor,
    masks: MaskShapes,
    notes: list[str],
) -> Forward:
    """The fastest of the three forms of `module` that is right for it."""
    if (lanes := lane_forward(module, prefix)) is not None:
        return lanes
    name = f"{prefix.removesuffix('.')} ({type(module).__qualname__})"
    parameters, buffers = stack_modules([module, module])
    tensors = {prefix + n: t for n, t in {**parameters, **buffers}.items()}
    tensors |= {key: probe.new_ones(2, *shape) for key, (_, shape) in masks.items()}
    try:
        mapped = mapped_forward(module, prefix)
        mapped(tensors, probe.expand(2, *probe.shape), True)
    except Exception as error:  # a stranger's forward may do what vmap cannot
        notes.append(f"{name} trains one by one: {first_line(error)}")
        return looped_forward(module, prefix)
    notes.append(f"{name} is stacked with torch.vmap: it has an operation without a lane form")
    return mapped
