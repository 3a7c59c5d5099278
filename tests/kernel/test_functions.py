"""What the kernel is built from, against numpy."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairbench import kernel

SOURCE = """
#include "product.h"
#include "random.h"

using T = {type};

extern "C" void elementary(int64_t count, const T* x, T* out) {{
    T padded[LANES<T>] = {{}};
    for (int64_t i = 0; i < count; i++) {{
        padded[0] = x[i];
        const Vec<T> v = load(padded), away = -absolute<T>(v);
        const Powers<T> e = exponential<T>(away);
        out[6 * i] = e.whole[0], out[6 * i + 1] = e.less_one[0];
        out[6 * i + 2] = hyperbolic_tangent<T>(v)[0], out[6 * i + 3] = logistic<T>(v)[0];
        out[6 * i + 4] = log_one_plus<T>(e.whole)[0], out[6 * i + 5] = root<T>(absolute<T>(v))[0];
    }}
}}

extern "C" int64_t width_of(int64_t count) {{ return padded<T>(count); }}

extern "C" void multiply(int64_t rows, int64_t inner, int64_t width, const T* a, int64_t step,
                         const T* b, const T* bias, int64_t cut, const T* gate, T* sums,
                         int64_t turned, T* c) {{
    const Epilogue<T> epilogue{{bias, cut != 0, gate, sums}};
    if (turned) product<T, true>(rows, inner, width, a, step, b, width, epilogue, c, width);
    else product<T, false>(rows, inner, width, a, step, b, width, epilogue, c, width);
}}

extern "C" void multiply_vectors(int64_t rows, int64_t width, const T* a, const T* b,
                                 const T* gate, T* sums, T* c) {{
    outer_product<T>(rows, width, a, b, {{nullptr, false, gate, sums}}, c);
}}

extern "C" void turn(int64_t rows, int64_t columns, const T* from, T* to) {{
    transpose<T>(rows, columns, from, columns, to, padded<T>(rows));
}}

extern "C" void sums(const T* from, T* to) {{
    Vec<T> rows[LANES<T>];
    for (int i = 0; i < LANES<T>; i++) rows[i] = load(from + i * LANES<T>);
    store(to, totals<T>(rows));
}}

extern "C" void stream(int64_t count, int64_t times, uint64_t* state, uint16_t* into) {{
    const Dropout dropout{{0, count, 0, 1}};
    Network net{{}};
    net.masks = net.ahead = net.rows = 1, net.dropout = &dropout;
    const int64_t step = (count + 3) / 4 * 4;
    for (int64_t i = 0; i < times; i++) draw(net, state, into + i * step);
}}
"""


@pytest.fixture(scope="module", params=["float", "double"])
def compiled(request):
    library = kernel.rule(SOURCE.format(type=request.param))
    return library, np.float32 if request.param == "float" else np.float64


def at(array):
    return ctypes.c_void_p(array.ctypes.data)


def sizes(*numbers):
    return [ctypes.c_int64(int(number)) for number in numbers]


def elementary(compiled, x):
    library, dtype = compiled
    x = np.ascontiguousarray(x, dtype=dtype)
    out = np.empty((len(x), 6), dtype=dtype)
    library.elementary(*sizes(len(x)), at(x), at(out))
    return x.astype(np.longdouble), out.T.astype(np.longdouble)


@given(x=arrays(np.float64, 50, elements=st.floats(-80, 80)))
def test_elementary_functions(compiled, x):
    x, (whole, less_one, tangent, logistic, log_sum, root) = elementary(compiled, x)
    few = 4 * np.finfo(compiled[1]).eps
    exact = np.exp(-abs(x))
    np.testing.assert_allclose(whole, exact, rtol=few)
    np.testing.assert_allclose(less_one, np.expm1(-abs(x)), rtol=few, atol=1e-36)
    np.testing.assert_allclose(tangent, np.tanh(x), rtol=few, atol=1e-36)
    np.testing.assert_allclose(logistic, 1 / (1 + np.exp(-x)), rtol=few)
    np.testing.assert_allclose(log_sum, np.log1p(exact), rtol=few)
    np.testing.assert_allclose(root, np.sqrt(abs(x)), rtol=few)


def test_far_out(compiled):
    _, found = elementary(compiled, [0.0, 1e4, -1e4, np.inf, -np.inf, np.nan])
    whole, less_one, tangent, logistic, log_sum, _ = found
    tiny = 1e-37 if compiled[1] is np.float32 else 1e-300
    assert whole[0] == 1
    assert less_one[0] == tangent[0] == 0
    assert logistic[0] == 0.5
    assert (abs(whole[1:5]) < tiny).all()
    assert (abs(log_sum[1:5]) < tiny).all()
    np.testing.assert_array_equal(tangent[1:5], [1, -1, 1, -1])
    np.testing.assert_allclose(logistic[1:5], [1, 0, 1, 0], atol=tiny)
    assert np.isnan(found[:5, 5]).all()


@given(
    rows=st.integers(1, 40),
    inner=st.integers(1, 40),
    width=st.integers(1, 150),
    turned=st.booleans(),
    cut=st.booleans(),
    biased=st.booleans(),
    gated=st.booleans(),
    summed=st.booleans(),
    seed=st.integers(0, 9),
)
def test_products(compiled, rows, inner, width, turned, cut, biased, gated, summed, seed):
    library, dtype = compiled
    random = np.random.default_rng(seed)
    width = library.width_of(*sizes(width))
    a = random.standard_normal((inner, rows + 3) if turned else (rows, inner + 2)).astype(dtype)
    b = random.standard_normal((inner, width)).astype(dtype)
    bias = random.standard_normal(width).astype(dtype)
    c = np.full((rows + 1, width), 7, dtype=dtype)
    gate = random.standard_normal((rows, width)).astype(dtype)
    sums = np.ones(width, dtype=dtype)
    library.multiply(
        *sizes(rows, inner, width),
        at(a),
        *sizes(a.shape[1]),
        at(b),
        at(bias) if biased else None,
        *sizes(cut),
        at(gate) if gated else None,
        at(sums) if summed else None,
        *sizes(turned),
        at(c),
    )
    left = a[:, :rows].T if turned else a[:, :inner]
    expected = left.astype(float) @ b + (bias if biased else 0)
    expected = np.maximum(expected, 0) if cut else expected
    expected = expected * (gate > 0) if gated else expected
    close = {"atol": 1000 * np.finfo(dtype).eps}
    np.testing.assert_allclose(c[:rows], expected, **close)
    np.testing.assert_allclose(sums, 1 + expected.sum(0) if summed else 1, **close)
    assert (c[rows] == 7).all()


@given(rows=st.integers(1, 40), width=st.integers(1, 90), gated=st.booleans(), summed=st.booleans())
def test_outer_products(compiled, rows, width, gated, summed):
    library, dtype = compiled
    random = np.random.default_rng(rows)
    width = library.width_of(*sizes(width))
    a, b = (random.standard_normal(n).astype(dtype) for n in (rows, width))
    gate = random.standard_normal((rows, width)).astype(dtype)
    c = np.full((rows + 1, width), 7, dtype=dtype)
    sums = np.ones(width, dtype=dtype)
    given = [at(gate) if gated else None, at(sums) if summed else None]
    library.multiply_vectors(*sizes(rows, width), at(a), at(b), *given, at(c))
    expected = np.outer(a, b) * (gate > 0 if gated else 1)
    np.testing.assert_array_equal(c[:rows], expected)
    close = {"atol": 100 * np.finfo(dtype).eps}
    np.testing.assert_allclose(sums, 1 + expected.sum(0) if summed else 1, **close)
    assert (c[rows] == 7).all()


@given(rows=st.integers(1, 70), columns=st.integers(1, 70))
def test_transposes(compiled, rows, columns):
    library, dtype = compiled
    columns, across = (library.width_of(*sizes(n)) for n in (columns, rows))
    matrix = np.arange(rows * columns, dtype=dtype).reshape(rows, columns)
    turned = np.full((columns, across), 7, dtype=dtype)
    library.turn(*sizes(rows, columns), at(matrix), at(turned))
    np.testing.assert_array_equal(turned[:, :rows], matrix.T)
    assert (turned[:, rows:] == 0).all()


def test_totals(compiled):
    library, dtype = compiled
    length = library.width_of(*sizes(1))
    rows = np.arange(length**2, dtype=dtype).reshape(length, length)
    found = np.empty(length, dtype=dtype)
    library.sums(at(rows), at(found))
    np.testing.assert_array_equal(found, rows.sum(1))


@given(count=st.integers(1, 50), seed=st.integers(0, 2**63))
def test_the_stream_is_that_of_numpy(compiled, count, seed):
    library, _ = compiled
    generator = np.random.Generator(np.random.SFC64(seed))
    state = np.array(generator.bit_generator.state["state"]["state"])
    words = -(-count // 4)
    found = np.empty((3, 4 * words), dtype=np.uint16)
    library.stream(*sizes(count, 3), at(state), at(found))
    expected = generator.integers(2**64, size=3 * words, dtype=np.uint64)
    np.testing.assert_array_equal(found.reshape(-1), expected.astype("<u8").view("<u2"))
    left = generator.bit_generator.state["state"]["state"]
    np.testing.assert_array_equal(state, left)
