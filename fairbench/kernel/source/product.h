// Matrix products (GEMM) and outer products of small matrices whose rows fill whole vectors.
#pragma once

#include "vector.h"

// The epilogue of a product: what is done to each tile of results, still in registers, before it is
// stored. Its parts run in the order of the fields.
template <class T> struct Epilogue {
    const T* bias = nullptr;    // added to every row
    bool relu = false;          // negative results become 0
    const T* gate = nullptr;    // backward pass of ReLU: 0 where this, its output, is not positive
    T* sums = nullptr;          // column sums, to which all rows are added: a bias gradient
};

// The micro-kernel: a tile of ROWS rows and WIDE vectors, accumulated in registers over `inner`, which
// is 1 at least. A(r, k) = a[r·step + k], or with TURNED, for a transposed A, a[k·step + r].
template <class T, int ROWS, int WIDE, bool TURNED>
inline void product_block(int64_t inner, const T* a, int64_t a_step, const T* b, int64_t b_step,
                          Epilogue<T> epilogue, T* c, int64_t c_step) {
    Vec<T> total[ROWS][WIDE];
    const auto each = [&](int64_t k, auto add) {
        Vec<T> row[WIDE];
        UNROLL for (int w = 0; w < WIDE; w++) row[w] = load(b + k * b_step + w * LANES<T>);
        UNROLL for (int r = 0; r < ROWS; r++) {
            const Vec<T> factor = splat<T>(TURNED ? a[k * a_step + r] : a[r * a_step + k]);
            UNROLL for (int w = 0; w < WIDE; w++) add(total[r][w], factor * row[w]);
        }
    };
    each(0, [](Vec<T>& total, Vec<T> v) { total = v; });
    _Pragma("GCC unroll 4") for (int64_t k = 1; k < inner; k++)
        each(k, [](Vec<T>& total, Vec<T> v) { total += v; });
    if (epilogue.bias)
        UNROLL for (int w = 0; w < WIDE; w++) {
            const Vec<T> bias = load(epilogue.bias + w * LANES<T>);
            UNROLL for (int r = 0; r < ROWS; r++) total[r][w] += bias;
        }
    if (epilogue.relu)
        UNROLL for (int r = 0; r < ROWS; r++)
            UNROLL for (int w = 0; w < WIDE; w++) total[r][w] = total[r][w] < 0 ? Vec<T>{} : total[r][w];
    if (epilogue.gate)
        UNROLL for (int r = 0; r < ROWS; r++)
            UNROLL for (int w = 0; w < WIDE; w++)
                total[r][w] = load(epilogue.gate + r * c_step + w * LANES<T>) <= 0 ? Vec<T>{} : total[r][w];
    UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int w = 0; w < WIDE; w++) store(c + r * c_step + w * LANES<T>, total[r][w]);
    if (!epilogue.sums) return;
    UNROLL for (int w = 0; w < WIDE; w++) {
        Vec<T> sum = load(epilogue.sums + w * LANES<T>);
        UNROLL for (int r = 0; r < ROWS; r++) sum += total[r][w];
        store(epilogue.sums + w * LANES<T>, sum);
    }
}

template <class T, int ROWS, int WIDE, bool TURNED>
inline void product_rows(int64_t rows, int64_t inner, const T* a, int64_t a_step, const T* b, int64_t b_step,
                         Epilogue<T> epilogue, T* c, int64_t c_step) {
    int64_t r = 0;
    const int64_t turn = TURNED ? 1 : a_step;
    const auto at = [&](int64_t row) {
        Epilogue<T> there = epilogue;
        if (there.gate) there.gate += row * c_step;
        return there;
    };
    for (; r + ROWS <= rows; r += ROWS)
        product_block<T, ROWS, WIDE, TURNED>(inner, a + r * turn, a_step, b, b_step, at(r), c + r * c_step,
                                             c_step);
    if constexpr (ROWS > 1)
        if (r < rows)
            product_rows<T, ROWS / 2, WIDE, TURNED>(rows - r, inner, a + r * turn, a_step, b, b_step, at(r),
                                                    c + r * c_step, c_step);
}

// GEMM with an epilogue: C (rows, width) = A (rows, inner) · B (inner, width); width comes padded.
template <class T, bool TURNED>
inline void product(int64_t rows, int64_t inner, int64_t width, const T* a, int64_t a_step, const T* b,
                    int64_t b_step, Epilogue<T> epilogue, T* c, int64_t c_step) {
    constexpr int N = LANES<T>, MOST = REGISTERS == 32 ? 4 : 2;
    int64_t at = 0;
    const auto part = [&](auto wide, auto tall) {
        constexpr int WIDE = decltype(wide)::value, ROWS = decltype(tall)::value;
        for (; at + WIDE * N <= width; at += WIDE * N) {
            Epilogue<T> there = epilogue;
            if (there.bias) there.bias += at;
            if (there.gate) there.gate += at;
            if (there.sums) there.sums += at;
            product_rows<T, ROWS, WIDE, TURNED>(rows, inner, a, a_step, b + at, b_step, there, c + at, c_step);
        }
    };
    part(std::integral_constant<int, MOST>{}, std::integral_constant<int, 4>{});
    if constexpr (MOST == 4) part(std::integral_constant<int, 2>{}, std::integral_constant<int, 8>{});
    part(std::integral_constant<int, 1>{}, std::integral_constant<int, 8>{});
}

// Outer product C = a bᵀ with gate and sums of an epilogue. It is bound by memory: its cost lies in
// what is stored.
template <class T>
inline void outer_product(int64_t rows, int64_t width, const T* a, const T* b, Epilogue<T> epilogue, T* c) {
    for (int64_t w = 0; w < width; w += LANES<T>) {
        const Vec<T> row = load(b + w);
        Vec<T> sum{};
        for (int64_t r = 0; r < rows; r++) {
            Vec<T> v = a[r] * row;
            if (epilogue.gate) v = load(epilogue.gate + r * width + w) <= 0 ? Vec<T>{} : v;
            store(c + r * width + w, v);
            sum += v;
        }
        if (epilogue.sums) store(epilogue.sums + w, sum + load(epilogue.sums + w));
    }
}
