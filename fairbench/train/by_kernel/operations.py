"""What operations on a rule's tensors are in C++, number by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from fairbench.train.by_kernel.writer import UntranslatableError, Values, Writer, axes_of

__all__ = ["FOR_BOOLEANS", "TRANSLATIONS", "VIEWS_IN_PLACE", "WHERE"]

aten = torch.ops.aten


VIEWS_IN_PLACE = {aten.squeeze_}
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


def _scaled(form: str) -> Callable[..., Values]:
    """Translate an addition or subtraction whose second argument may be scaled."""

    def translate(writer: Writer, a: Any, b: Any, *, alpha: float = 1) -> Values:
        return writer.each(form, a, b if alpha == 1 else writer.each("{0} * {1}", b, alpha))

    return translate


def _rsub(writer: Writer, a: Any, b: Any, alpha: float = 1) -> Values:
    return writer.each("{0} - {1}", b, a if alpha == 1 else writer.each("{0} * {1}", a, alpha))


def _pow(writer: Writer, base: Any, exponent: Any) -> Values:
    special = {2: "{0} * {0}", 0.5: "std::sqrt({0})", -0.5: "rsqrt({0})"}
    if not isinstance(exponent, np.ndarray) and exponent in special:
        return writer.each(special[exponent], base)
    return writer.each("std::pow({0}, {1})", base, exponent)


def _lerp(writer: Writer, a: Values, b: Values, weight: Any) -> Values:
    form = "{2} < 0.5 ? {0} + {2} * ({1} - {0}) : {1} - ({1} - {0}) * (1 - {2})"
    return writer.each(form, a, b, weight)


def _filled(writer: Writer, shape: Sequence[int], number: Any) -> Values:
    return np.full(tuple(shape), writer.literal(number), dtype=object)


def _clamp(writer: Writer, values: Values, low: Any = None, high: Any = None) -> Values:
    values = values if low is None else writer.each("maximum({0}, {1})", values, low)
    return values if high is None else writer.each("minimum({0}, {1})", values, high)


def _sum(writer: Writer, values: Values, dims: Any = None, keepdim: bool = False) -> Values:
    return writer.fold("{0} + {1}", values, dims, keepdim)


def _mean(writer: Writer, values: Values, dims: Any = None, keepdim: bool = False) -> Values:
    total = _sum(writer, values, dims, keepdim)
    return writer.each("{0} / {1}", total, values.size // max(total.size, 1))


def _softmax(writer: Writer, values: Values, dim: int, _half: bool) -> Values:
    most = writer.fold("maximum({0}, {1})", values, dim, True)
    powers = writer.each("std::exp({0} - {1})", values, most)
    return writer.each("{0} / {1}", powers, _sum(writer, powers, dim, True))


def _logsumexp(writer: Writer, values: Values, dims: Any, keepdim: bool = False) -> Values:
    most = writer.fold("maximum({0}, {1})", values, dims, True)
    most = writer.each("std::isinf({0}) ? 0 * {1} : {0}", most, 1.0)
    total = _sum(writer, writer.each("std::exp({0} - {1})", values, most), dims, keepdim)
    most = most.reshape(total.shape)
    return writer.each("{1} + std::log({0})", total, most)


def _softplus(writer: Writer, values: Values, beta: float = 1, threshold: float = 20) -> Values:
    form = "{0} * {1} > {2} ? {0} : std::log1p(std::exp({0} * {1})) / {1}"
    return writer.each(form, values, beta, threshold)


def _norm(
    writer: Writer, values: Values, order: float = 2, dims: Any = None, keepdim: bool = False
) -> Values:
    if order != 2:
        raise UntranslatableError(f"a norm of order {order}")
    squares = writer.each("{0} * {0}", values)
    return writer.each("std::sqrt({0})", _sum(writer, squares, dims, keepdim))


def _matmul(writer: Writer, a: Values, b: Values) -> Values:
    """Multiply a vector or matrices with a vector or matrices."""
    if b.ndim == 1:
        return _sum(writer, writer.each("{0} * {1}", a, b), -1)
    return _sum(writer, writer.each("{0} * {1}", a[..., None], b[..., None, :, :]), -2)


def _select(_: Writer, values: Values, dim: int, index: int) -> Values:
    return np.asarray(np.take(values, index, axis=dim), dtype=object)


def _slice(
    _: Writer, values: Values, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Values:
    index = [slice(None)] * values.ndim
    index[dim] = slice(start, end, step)
    return values[tuple(index)]


def _expand(_: Writer, values: Values, shape: Sequence[int], *, implicit: bool = False) -> Values:
    ahead = len(shape) - values.ndim
    whole = [values.shape[i - ahead] if n == -1 else n for i, n in enumerate(shape)]
    return np.broadcast_to(values, whole)


def _squeeze(_: Writer, values: Values, dims: Any = None) -> Values:
    return values.squeeze(tuple(a for a in axes_of(values, dims) if values.shape[a] == 1))


def _diagonal(_: Writer, values: Values, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Values:
    return values.diagonal(offset, dim1, dim2)


def _unbind(_: Writer, values: Values, dim: int = 0) -> list[Values]:
    return [np.asarray(part, dtype=object) for part in np.moveaxis(values, dim, 0)]


def _copied(writer: Writer, values: Values, *, dtype: Any = None) -> Values:
    if dtype is None:
        return values
    return writer.each({torch.float32: "float({0})", torch.float64: "double({0})"}[dtype], values)


def _diag_embed(writer: Writer, values: Values, *dims: int) -> Values:
    if dims not in ((), (0, -2, -1)):
        raise UntranslatableError("a diagonal elsewhere")
    found = _filled(writer, (*values.shape, values.shape[-1]), 0.0)
    for i in range(values.shape[-1]):
        found[..., i, i] = values[..., i]
    return found


def _same(_: Writer, values: Values) -> Values:
    return values


def _viewed(_: Writer, values: Values, shape: Sequence[int]) -> Values:
    return values.reshape(shape)


TRANSLATIONS: Mapping[Any, Callable[..., Any]] = {
    **{op: lambda w, a, form=form: w.each(form, a) for op, form in _UNARY.items()},
    **{op: lambda w, a, b, form=form: w.each(form, a, b) for op, form in _BINARY.items()},
    aten.add: _scaled("{0} + {1}"),
    aten.sub: _scaled("{0} - {1}"),
    aten.rsub: _rsub,
    aten.addcmul: lambda w, a, b, c, value=1: w.each("{0} + {1} * {2} * {3}", a, value, b, c),
    aten.lerp: _lerp,
    aten.where: lambda w, c, a, b: w.each("{0} ? {1} : {2}", c, a, b),
    aten.pow: _pow,
    aten.clamp: _clamp,
    aten.sum: _sum,
    aten.mean: _mean,
    aten.amax: lambda w, a, dims=None, keepdim=False: w.fold("maximum({0}, {1})", a, dims, keepdim),
    aten.amin: lambda w, a, dims=None, keepdim=False: w.fold("minimum({0}, {1})", a, dims, keepdim),
    aten.prod: lambda w, a, dims=None, keepdim=False: w.fold("{0} * {1}", a, dims, keepdim),
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
    aten.masked_fill: lambda w, a, mask, value: w.each("{1} ? {2} : {0}", a, mask, value),
    aten._to_copy: _copied,
    aten.alias: _same,
    aten.detach: _same,
    aten.clone: _same,
    aten.lift_fresh: _same,
    aten.ones_like: lambda w, a: _filled(w, a.shape, 1.0),
    aten.zeros_like: lambda w, a: _filled(w, a.shape, 0.0),
    aten.full_like: lambda w, a, number: _filled(w, a.shape, number),
    aten.new_ones: lambda w, _, shape: _filled(w, shape, 1.0),
    aten.new_zeros: lambda w, _, shape: _filled(w, shape, 0.0),
    aten.new_full: lambda w, _, shape, number: _filled(w, shape, number),
}

WHERE = {"device", "layout", "pin_memory", "memory_format", "non_blocking"}
"""Arguments that say where and how a tensor is kept."""

_SHAPED = {aten.select, aten.slice, aten.expand, aten.squeeze, aten.squeeze_, aten.unsqueeze}
_SHAPED |= {aten.view, aten._unsafe_view, aten.permute, aten.transpose, aten.t, aten.diagonal}
_SHAPED |= {aten.unbind, aten.stack, aten.cat, aten.flip, aten.alias, aten.detach, aten.clone}

FOR_BOOLEANS = _SHAPED | {aten.logical_not, aten.bitwise_not, aten.logical_and, aten.logical_or}
FOR_BOOLEANS |= {aten.bitwise_and, aten.bitwise_or, aten.eq, aten.ne, aten.where, aten._to_copy}
"""C++ reckons with truth values as with whole numbers, torch does not."""
