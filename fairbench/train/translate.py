"""A weighting's rule, written in torch for one trial, as C++ without a loop.

The rule is called once while every operation on its inputs is written down: a tensor of a rule is
so small that each of its numbers becomes a variable of its own, views become a choice of
variables, and a sum becomes a line of additions. What has no translation, or asks for a number in
Python, raises `Untranslatable`, and the rule stays with torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Sketch", "Untranslatable"]

Values = np.ndarray
"""Of an array's shape, the C++ expression of every number."""

aten = torch.ops.aten

MOST_LINES = 5_000
"""Beyond these a compiler takes longer than it saves."""

_VIEWS_IN_PLACE = {aten.squeeze_}
"""Which change a tensor's shape and none of its numbers: torch's own products use them."""

_UNARY = {
    aten.neg: "-{0}",
    aten.abs: "std::fabs({0})",
    aten.exp: "std::exp({0})",
    aten.log: "std::log({0})",
    aten.log1p: "std::log1p({0})",
    aten.sqrt: "std::sqrt({0})",
    aten.rsqrt: "rsqrt({0})",
    aten.reciprocal: "1 / {0}",
    aten.sign: "sign({0})",
    aten.sgn: "sign({0})",
    aten.sigmoid: "sigmoid({0})",
    aten.tanh: "std::tanh({0})",
    aten.relu: "maximum({0}, 0)",
    aten.logical_not: "!{0}",
    aten.bitwise_not: "!{0}",
}

_BINARY = {
    aten.mul: "{0} * {1}",
    aten.div: "{0} / {1}",
    aten.maximum: "maximum({0}, {1})",
    aten.minimum: "minimum({0}, {1})",
    aten.clamp_min: "maximum({0}, {1})",
    aten.clamp_max: "minimum({0}, {1})",
    aten.eq: "{0} == {1}",
    aten.ne: "{0} != {1}",
    aten.lt: "{0} < {1}",
    aten.le: "{0} <= {1}",
    aten.gt: "{0} > {1}",
    aten.ge: "{0} >= {1}",
    aten.logical_and: "{0} && {1}",
    aten.logical_or: "{0} || {1}",
    aten.bitwise_and: "{0} && {1}",
    aten.bitwise_or: "{0} || {1}",
}


class Untranslatable(Exception):  # noqa: N818  (no fault of anybody's)
    """Why a rule stays with torch."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tensor that the rule has, its like with some numbers, and the C++ of all numbers.

    It is kept, as its id is only its own while it lives.
    """

    tensor: Tensor
    shadow: Tensor
    values: Values


class Sketch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What is computed meanwhile, written down.

    Attributes
    ----------
    lines
        Statements, each of which names one number.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lines: list[str] = []
        self._number = "float"  # of the operation that is being written down
        self._seen: dict[int, _Seen] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: telling torch's compiler off would load it first, which takes a second."""
        return False

    def symbol(self, tensor: Tensor, name: str, start: int | None = 0, /) -> Tensor:
        """A tensor like `tensor`, whose numbers are those of the array `name` from `start` on."""
        places = [name if start is None else f"{name}[{start + i}]" for i in range(tensor.numel())]
        return self._symbol(tensor, places)

    def named(self, tensor: Tensor, name: str, start: int, /) -> Tensor:
        """The same, read at once, as the array will be overwritten."""
        names = [self.emit(f"{name}[{start + i}]") for i in range(tensor.numel())]
        return self._symbol(tensor, names)

    def _symbol(self, tensor: Tensor, names: Sequence[str]) -> Tensor:
        values = np.array(names, dtype=object).reshape(tuple(tensor.shape))
        return self._known(tensor, values)

    def values(self, tensor: Tensor, /) -> list[str]:
        """The expression of every number of `tensor`."""
        return [str(value) for value in self._read(tensor).reshape(-1)]

    def emit(self, expression: str, /) -> str:
        """A name for the value of `expression`."""
        if len(self.lines) >= MOST_LINES:
            raise Untranslatable(f"it takes more than {MOST_LINES} lines")
        name = f"v{len(self.lines)}"
        self.lines.append(f"const auto {name} = {expression};")
        return name

    def literal(self, number: Any, /) -> str:
        """A constant."""
        if isinstance(number, bool):
            return "true" if number else "false"
        if not isinstance(number, (int, float)):
            raise Untranslatable(f"a {type(number).__name__} among the numbers")
        if math.isnan(number):
            return "NOT_A_NUMBER"
        if math.isinf(number):
            return "INFINITE" if number > 0 else "(-INFINITE)"
        return f"{self._number}({float(number)!r})"

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if not any(id(t) in self._seen for t in inputs):  # a constant, which has numbers
            return func(*args, **({**kwargs, "device": "cpu"} if "device" in kwargs else kwargs))
        packet = func.overloadpacket
        written = func._schema.is_mutable and packet not in _VIEWS_IN_PLACE
        if packet not in _TRANSLATIONS or written:
            raise Untranslatable(f"{func} has no translation")
        if packet not in _FOR_BOOLEANS and all(t.dtype == torch.bool for t in inputs):
            raise Untranslatable(f"{func} of truth values")
        precise = any(t.dtype == torch.float64 for t in inputs)
        self._number = "double" if precise else "float"
        read, named = pytree.tree_map(self._as_values, (args, kwargs))
        named = {name: value for name, value in named.items() if name not in _WHERE}
        try:
            values = _TRANSLATIONS[packet](self, *read, **named)
        except (TypeError, ValueError, IndexError) as error:  # called as no translation knows
            raise Untranslatable(f"{func}: {error}") from error
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
        """A tensor for the rule to go on with, on torch's device without numbers.

        Whoever wants to read them fails.
        """
        if shadow.dtype not in (torch.float32, torch.float64, torch.bool):
            raise Untranslatable(f"numbers of type {shadow.dtype}")
        if values.shape != shadow.shape:
            raise Untranslatable(f"shape {values.shape} in place of {tuple(shadow.shape)}")
        if tensor is None:
            tensor = torch.empty_like(shadow, device="meta")
        self._seen[id(tensor)] = _Seen(tensor, shadow, values)
        return tensor

    def _read(self, tensor: Tensor) -> Values:
        if id(tensor) in self._seen:
            return self._seen[id(tensor)].values
        with torch.utils._python_dispatch._disable_current_modes():
            constants = [self.literal(number) for number in tensor.reshape(-1).tolist()]
        return np.array(constants, dtype=object).reshape(tuple(tensor.shape))

    def each(self, form: str, *arguments: Any) -> Values:
        """`form` for every position of the arguments, which are broadcast."""
        arrays = np.broadcast_arrays(*map(self._array, arguments))
        found = np.empty(arrays[0].shape, dtype=object)
        for place in np.ndindex(found.shape):
            found[place] = self.emit(form.format(*(array[place] for array in arrays)))
        return found

    def _array(self, argument: Any) -> Values:
        if isinstance(argument, np.ndarray):
            return argument
        return np.array(self.literal(argument), dtype=object)

    def fold(self, form: str, values: Values, dims: Any, keepdim: bool = False) -> Values:
        """`form` from left to right over these dimensions, all where None or empty are given."""
        axes = _axes(values, dims)
        kept = [axis for axis in range(values.ndim) if axis not in axes]
        flat = values.transpose([*kept, *axes]).reshape(*(values.shape[a] for a in kept), -1)
        found = np.empty(flat.shape[:-1], dtype=object)
        for place in np.ndindex(found.shape):
            found[place] = reduce(lambda a, b: self.emit(form.format(a, b)), flat[place])
        return np.expand_dims(found, axes) if keepdim else found


def _axes(values: Values, dims: Any) -> tuple[int, ...]:
    """Dimensions from 0, all where None or an empty list are given."""
    if dims is None or dims == []:
        return tuple(range(values.ndim))
    chosen = [dims] if isinstance(dims, int) else dims
    return tuple(sorted(axis % values.ndim for axis in chosen)) if values.ndim else ()


def _scaled(form: str) -> Callable[..., Values]:
    """An addition or subtraction whose second argument may be scaled."""

    def translate(sketch: Sketch, a: Any, b: Any, *, alpha: float = 1) -> Values:
        return sketch.each(form, a, b if alpha == 1 else sketch.each("{0} * {1}", b, alpha))

    return translate


def _rsub(sketch: Sketch, a: Any, b: Any, alpha: float = 1) -> Values:
    return sketch.each("{0} - {1}", b, a if alpha == 1 else sketch.each("{0} * {1}", a, alpha))


def _pow(sketch: Sketch, base: Any, exponent: Any) -> Values:
    special = {2: "{0} * {0}", 0.5: "std::sqrt({0})", -0.5: "rsqrt({0})"}
    if not isinstance(exponent, np.ndarray) and exponent in special:
        return sketch.each(special[exponent], base)
    return sketch.each("std::pow({0}, {1})", base, exponent)


def _lerp(sketch: Sketch, a: Values, b: Values, weight: Any) -> Values:
    form = "{2} < 0.5 ? {0} + {2} * ({1} - {0}) : {1} - ({1} - {0}) * (1 - {2})"
    return sketch.each(form, a, b, weight)


def _filled(sketch: Sketch, shape: Sequence[int], number: Any) -> Values:
    return np.full(tuple(shape), sketch.literal(number), dtype=object)


def _clamp(sketch: Sketch, values: Values, low: Any = None, high: Any = None) -> Values:
    values = values if low is None else sketch.each("maximum({0}, {1})", values, low)
    return values if high is None else sketch.each("minimum({0}, {1})", values, high)


def _sum(sketch: Sketch, values: Values, dims: Any = None, keepdim: bool = False) -> Values:
    return sketch.fold("{0} + {1}", values, dims, keepdim)


def _mean(sketch: Sketch, values: Values, dims: Any = None, keepdim: bool = False) -> Values:
    total = _sum(sketch, values, dims, keepdim)
    return sketch.each("{0} / {1}", total, values.size // max(total.size, 1))


def _softmax(sketch: Sketch, values: Values, dim: int, _half: bool) -> Values:
    most = sketch.fold("maximum({0}, {1})", values, dim, True)
    powers = sketch.each("std::exp({0} - {1})", values, most)
    return sketch.each("{0} / {1}", powers, _sum(sketch, powers, dim, True))


def _logsumexp(sketch: Sketch, values: Values, dims: Any, keepdim: bool = False) -> Values:
    most = sketch.fold("maximum({0}, {1})", values, dims, True)
    most = sketch.each("std::isinf({0}) ? 0 * {1} : {0}", most, 1.0)
    total = _sum(sketch, sketch.each("std::exp({0} - {1})", values, most), dims, keepdim)
    most = most.reshape(total.shape)
    return sketch.each("{1} + std::log({0})", total, most)


def _softplus(sketch: Sketch, values: Values, beta: float = 1, threshold: float = 20) -> Values:
    form = "{0} * {1} > {2} ? {0} : std::log1p(std::exp({0} * {1})) / {1}"
    return sketch.each(form, values, beta, threshold)


def _norm(
    sketch: Sketch, values: Values, order: float = 2, dims: Any = None, keepdim: bool = False
) -> Values:
    if order != 2:
        raise Untranslatable(f"a norm of order {order}")
    squares = sketch.each("{0} * {0}", values)
    return sketch.each("std::sqrt({0})", _sum(sketch, squares, dims, keepdim))


def _matmul(sketch: Sketch, a: Values, b: Values) -> Values:
    """The product of a vector or matrices with a vector or matrices."""
    if b.ndim == 1:
        return _sum(sketch, sketch.each("{0} * {1}", a, b), -1)
    return _sum(sketch, sketch.each("{0} * {1}", a[..., None], b[..., None, :, :]), -2)


def _select(_: Sketch, values: Values, dim: int, index: int) -> Values:
    return np.asarray(np.take(values, index, axis=dim), dtype=object)


def _slice(
    _: Sketch, values: Values, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Values:
    index = [slice(None)] * values.ndim
    index[dim] = slice(start, end, step)
    return values[tuple(index)]


def _expand(_: Sketch, values: Values, shape: Sequence[int], *, implicit: bool = False) -> Values:
    ahead = len(shape) - values.ndim
    whole = [values.shape[i - ahead] if n == -1 else n for i, n in enumerate(shape)]
    return np.broadcast_to(values, whole)


def _squeeze(_: Sketch, values: Values, dims: Any = None) -> Values:
    return values.squeeze(tuple(a for a in _axes(values, dims) if values.shape[a] == 1))


def _diagonal(_: Sketch, values: Values, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Values:
    return values.diagonal(offset, dim1, dim2)


def _unbind(_: Sketch, values: Values, dim: int = 0) -> list[Values]:
    return [np.asarray(part, dtype=object) for part in np.moveaxis(values, dim, 0)]


def _copied(sketch: Sketch, values: Values, *, dtype: Any = None) -> Values:
    if dtype is None:
        return values
    return sketch.each({torch.float32: "float({0})", torch.float64: "double({0})"}[dtype], values)


def _diag_embed(sketch: Sketch, values: Values, *dims: int) -> Values:
    if dims not in ((), (0, -2, -1)):
        raise Untranslatable("a diagonal elsewhere")
    found = _filled(sketch, (*values.shape, values.shape[-1]), 0.0)
    for i in range(values.shape[-1]):
        found[..., i, i] = values[..., i]
    return found


def _same(_: Sketch, values: Values) -> Values:
    return values


def _viewed(_: Sketch, values: Values, shape: Sequence[int]) -> Values:
    return values.reshape(shape)


_TRANSLATIONS: Mapping[Any, Callable[..., Any]] = {
    **{op: lambda s, a, form=form: s.each(form, a) for op, form in _UNARY.items()},
    **{op: lambda s, a, b, form=form: s.each(form, a, b) for op, form in _BINARY.items()},
    aten.add: _scaled("{0} + {1}"),
    aten.sub: _scaled("{0} - {1}"),
    aten.rsub: _rsub,
    aten.addcmul: lambda s, a, b, c, value=1: s.each("{0} + {1} * {2} * {3}", a, value, b, c),
    aten.lerp: _lerp,
    aten.where: lambda s, c, a, b: s.each("{0} ? {1} : {2}", c, a, b),
    aten.pow: _pow,
    aten.clamp: _clamp,
    aten.sum: _sum,
    aten.mean: _mean,
    aten.amax: lambda s, a, dims=None, keepdim=False: s.fold("maximum({0}, {1})", a, dims, keepdim),
    aten.amin: lambda s, a, dims=None, keepdim=False: s.fold("minimum({0}, {1})", a, dims, keepdim),
    aten.prod: lambda s, a, dims=None, keepdim=False: s.fold("{0} * {1}", a, dims, keepdim),
    aten.linalg_vector_norm: _norm,
    aten._softmax: _softmax,
    aten.logsumexp: _logsumexp,
    aten.softplus: _softplus,
    aten.dot: _matmul,
    aten.mv: _matmul,
    aten.mm: _matmul,
    aten.bmm: _matmul,
    aten.select: _select,
    aten.slice: _slice,
    aten.expand: _expand,
    aten.squeeze: _squeeze,
    aten.squeeze_: _squeeze,
    aten.unsqueeze: lambda _, a, dim: np.expand_dims(a, dim),
    aten.view: _viewed,
    aten._unsafe_view: _viewed,
    aten.permute: lambda _, a, dims: a.transpose(dims),
    aten.transpose: lambda _, a, i, j: a.swapaxes(i, j),
    aten.t: lambda _, a: a.T,
    aten.diagonal: _diagonal,
    aten.unbind: _unbind,
    aten.stack: lambda _, parts, dim=0: np.stack(parts, dim),
    aten.cat: lambda _, parts, dim=0: np.concatenate(parts, dim),
    aten.flip: lambda _, a, dims: np.flip(a, dims),
    aten.diag_embed: _diag_embed,
    aten.masked_fill: lambda s, a, mask, value: s.each("{1} ? {2} : {0}", a, mask, value),
    aten._to_copy: _copied,
    aten.alias: _same,
    aten.detach: _same,
    aten.clone: _same,
    aten.lift_fresh: _same,
    aten.ones_like: lambda s, a: _filled(s, a.shape, 1.0),
    aten.zeros_like: lambda s, a: _filled(s, a.shape, 0.0),
    aten.full_like: lambda s, a, number: _filled(s, a.shape, number),
    aten.new_ones: lambda s, _, shape: _filled(s, shape, 1.0),
    aten.new_zeros: lambda s, _, shape: _filled(s, shape, 0.0),
    aten.new_full: lambda s, _, shape, number: _filled(s, shape, number),
}

_WHERE = {"device", "layout", "pin_memory", "memory_format", "non_blocking"}
"""Arguments that say where and how a tensor is kept."""

_SHAPED = {aten.select, aten.slice, aten.expand, aten.squeeze, aten.squeeze_, aten.unsqueeze}
_SHAPED |= {aten.view, aten._unsafe_view, aten.permute, aten.transpose, aten.t, aten.diagonal}
_SHAPED |= {aten.unbind, aten.stack, aten.cat, aten.flip, aten.alias, aten.detach, aten.clone}

_FOR_BOOLEANS = _SHAPED | {aten.logical_not, aten.bitwise_not, aten.logical_and, aten.logical_or}
_FOR_BOOLEANS |= {aten.bitwise_and, aten.bitwise_or, aten.eq, aten.ne, aten.where, aten._to_copy}
"""C++ reckons with truth values as with whole numbers, torch does not."""
