"""Properties of every model."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from fairbench.model import Task
from fairbench.plugins.conformance._base import Conformance

__all__ = ["ModelConformance"]

TASKS = (
    Task("y", "regression", ("target", 0)),
    Task("z", "binary", ("protected", 0)),
    Task("k", "categorical", ("protected", 1), width=3),
)


class ModelConformance(Conformance):
    """A model has a trunk and a head per task, both of which learn.

    Attributes
    ----------
    features, rows
        Size of the batch it is tried on.
    tasks
        Tasks it is built for.
    """

    kind = "model"
    features: ClassVar[int] = 6
    rows: ClassVar[int] = 8
    tasks: ClassVar[tuple[Task, ...]] = TASKS

    def test_has_a_trunk_and_a_head_per_task(self) -> None:
        model = self._build()
        assert isinstance(model, nn.Module), f"{type(model).__name__} is no torch.nn.Module"
        assert isinstance(getattr(model, "trunk", None), nn.Module), "it has no module `trunk`"
        heads = getattr(model, "heads", None)
        assert isinstance(heads, nn.ModuleDict), "it has no nn.ModuleDict `heads`"
        names = [task.name for task in self.tasks]
        assert list(heads) == names, f"its heads are {list(heads)}, not {names}"

    def test_output_shapes(self) -> None:
        output = self._build()(self._batch())
        names = {task.name for task in self.tasks}
        assert set(output) == names, f"outputs are {set(output)}, not {names}"
        for task in self.tasks:
            shape = tuple(output[task.name].shape)
            expected = (self.rows, task.width)
            assert shape == expected, f"{task.name} is {shape}, not {expected}"
            assert torch.isfinite(output[task.name]).all(), f"{task.name} is not finite"

    def test_output_is_heads_on_trunk(self) -> None:
        model = self._build().eval()
        trunk, heads = model.get_submodule("trunk"), model.get_submodule("heads")
        representation = trunk(self._batch())
        for name, value in model(self._batch()).items():
            by_parts = heads.get_submodule(name)(representation)
            assert torch.allclose(value, by_parts), f"{name} is not its head on the trunk"

    def test_rows_do_not_mix_when_predicting(self) -> None:
        model = self._build().eval()
        together = model(self._batch())
        alone = model(self._batch()[:1])
        for name, value in together.items():
            assert torch.allclose(value[:1], alone[name], atol=1e-6), (
                f"{name} of a row depends on the other rows of its batch"
            )

    def test_gradient_reaches_every_parameter(self) -> None:
        for task in self.tasks:
            model = self._build()
            _loss(model(self._batch())[task.name]).backward()  # type: ignore[no-untyped-call]
            for part in ("trunk", f"heads.{task.name}"):
                _learns(model.get_submodule(part), part, task)

    def test_starts_from_torchs_generator(self) -> None:
        same = zip(self._build(3).parameters(), self._build(3).parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in same), "equal seeds, unequal weights"
        pairs = zip(self._build(3).parameters(), self._build(4).parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs), "every seed gives the same weights"

    def _build(self, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        model: nn.Module = self.make().build(self.features, self.tasks)
        return model

    def _batch(self) -> Tensor:
        return torch.randn(self.rows, self.features, generator=torch.Generator().manual_seed(0))


def _loss(output: Tensor) -> Tensor:
    return (output - 1.0).square().mean()


def _learns(module: nn.Module, part: str, task: Task) -> None:
    gradients = []
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"task {task.name}: no gradient in {part}.{name}"
        assert torch.isfinite(parameter.grad).all(), f"gradient of {part}.{name} is not finite"
        gradients.append(parameter.grad)
    # Single ones may vanish (a bias before batch normalisation), all of them must not.
    assert not gradients or any(g.any() for g in gradients), f"{part} has a zero gradient"
