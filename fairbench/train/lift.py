"""Functions written for one trial, applied to a stack of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

__all__ = ["lift"]


def lift(
    function: Callable[..., Any],
    example: tuple[Any, ...],
    /,
    loops: Callable[[Exception], None] = lambda error: None,
) -> Callable[..., Any]:
    """Return `function` for S trials at once: itself, where it reduces the last dimensions only.

    A function of tensors without leading dimension is right for one trial. Whether it is also
    right for a stack is found out by calling it on `example`, whose tensors all lead with S,
    and comparing with `torch.vmap`. Where both agree the direct call, which is cheaper, is
    used. Where vmap fails, the trials are called one after the other: what it refuses may look at
    numbers, and what is right on one example need not be on the next. `loops` is told of that, and
    why.
    """

    def copy() -> tuple[Any, ...]:
        """Copy the example's containers, as a function may write into them."""
        copied: tuple[Any, ...] = pytree.tree_map(lambda tensor: tensor, example)
        return copied

    try:
        mapped = torch.vmap(function)
        expected = mapped(*copy())
    except Exception as error:  # an operation that vmap does not know
        loops(error)
        return _looped(function)
    try:
        direct = function(*copy())
    except Exception:  # shapes that only fit one trial
        return mapped
    return function if _same(direct, expected) else mapped


def _looped(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*stacked: Any) -> Any:
        lanes = pytree.tree_leaves(stacked)[0].shape[0]
        results = [
            function(*pytree.tree_map(lambda tensor, i=lane: tensor[i], stacked))
            for lane in range(lanes)
        ]
        return pytree.tree_map(lambda *tensors: torch.stack(tensors), *results)

    return call


def _same(left: Any, right: Any) -> bool:
    lefts, left_shape = pytree.tree_flatten(left)
    rights, right_shape = pytree.tree_flatten(right)
    return left_shape == right_shape and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
        for a, b in zip(lefts, rights, strict=True)
    )
