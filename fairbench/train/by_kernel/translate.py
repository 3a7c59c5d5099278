"""A weighting's rule, written in torch for one trial, as C++ without a loop.

The rule is called once while every operation on its inputs is written down: a tensor of a rule is
so small that each of its numbers becomes a variable of its own, views become a choice of
variables, and a sum becomes a line of additions. What has no translation, or asks for a number in
Python, raises `UntranslatableError`, and the rule stays with torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from fairbench.train.by_kernel.operations import (
    FOR_BOOLEANS,
    TRANSLATIONS,
    VIEWS_IN_PLACE,
    WHERE,
)
from fairbench.train.by_kernel.writer import UntranslatableError, Values, Writer

__all__ = ["Sketch"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tensor of the rule's, one of its shape with some numbers, and the C++ of its numbers.

    It is kept, as its id is only its own while it lives.
    """

    tensor: Tensor
    shadow: Tensor
    values: Values


class Sketch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what torch computes while it is entered, by `writer`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.writer = Writer()
        self._seen: dict[int, _Seen] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: to tell torch's compiler off would load it first, which takes a second."""
        return False

    def symbol(self, tensor: Tensor, name: str, start: int | None = 0, /) -> Tensor:
        """Return a tensor like `tensor`, with the numbers of the array `name` from `start` on."""
        places = [name if start is None else f"{name}[{start + i}]" for i in range(tensor.numel())]
        return self._symbol(tensor, places)

    def named(self, tensor: Tensor, name: str, start: int, /) -> Tensor:
        """Return the same, read at once, as the array will be overwritten."""
        names = [self.writer.emit(f"{name}[{start + i}]") for i in range(tensor.numel())]
        return self._symbol(tensor, names)

    def _symbol(self, tensor: Tensor, names: Sequence[str]) -> Tensor:
        values = np.array(names, dtype=object).reshape(tuple(tensor.shape))
        return self._known(tensor, values)

    def values(self, tensor: Tensor, /) -> list[str]:
        """Return the expression of every number of `tensor`."""
        return [str(value) for value in self._read(tensor).reshape(-1)]

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if not any(id(t) in self._seen for t in inputs):  # a constant, which has numbers
            return func(*args, **({**kwargs, "device": "cpu"} if "device" in kwargs else kwargs))
        packet = func.overloadpacket
        written = func._schema.is_mutable and packet not in VIEWS_IN_PLACE
        if packet not in TRANSLATIONS or written:
            raise UntranslatableError(f"{func} has no translation")
        if packet not in FOR_BOOLEANS and all(t.dtype == torch.bool for t in inputs):
            raise UntranslatableError(f"{func} of truth values")
        precise = any(t.dtype == torch.float64 for t in inputs)
        self.writer.number = "double" if precise else "float"
        read, named = pytree.tree_map(self._as_values, (args, kwargs))
        named = {name: value for name, value in named.items() if name not in WHERE}
        try:
            values = TRANSLATIONS[packet](self.writer, *read, **named)
        except (TypeError, ValueError, IndexError) as error:  # called as no translation knows
            raise UntranslatableError(f"{func}: {error}") from error
        shadowed, given = pytree.tree_map(self._shadow, (args, kwargs))
        result = func(*shadowed, **given)
        if func._schema.is_mutable:  # only its shape is
            return self._known(result, values, func(*args, **kwargs))
        if isinstance(result, Tensor):
            return self._known(result, values)
        return type(result)(map(self._known, result, values))

    def _as_values(self, argument: Any) -> Any:
        return self._read(argument) if isinstance(argument, Tensor) else argument

    def _shadow(self, argument: Any) -> Any:
        found = self._seen.get(id(argument)) if isinstance(argument, Tensor) else None
        return argument if found is None else found.shadow

    def _known(self, shadow: Tensor, values: Values, tensor: Tensor | None = None) -> Tensor:
        """Return a tensor for the rule to go on with, on torch's device without numbers.

        Whoever wants to read them fails.
        """
        if shadow.dtype not in (torch.float32, torch.float64, torch.bool):
            raise UntranslatableError(f"numbers of type {shadow.dtype}")
        if values.shape != shadow.shape:
            raise UntranslatableError(f"shape {values.shape} in place of {tuple(shadow.shape)}")
        if tensor is None:
            tensor = torch.empty_like(shadow, device="meta")
        self._seen[id(tensor)] = _Seen(tensor, shadow, values)
        return tensor

    def _read(self, tensor: Tensor) -> Values:
        if id(tensor) in self._seen:
            return self._seen[id(tensor)].values
        with torch.utils._python_dispatch._disable_current_modes():
            constants = [self.writer.literal(number) for number in tensor.reshape(-1).tolist()]
        return np.array(constants, dtype=object).reshape(tuple(tensor.shape))
