// Products of small matrices whose rows fill whole vectors.
#pragma once

#include "vector.h"

// Sums stay in registers where loops over them are gone before the compiler looks at arrays.
#define UNROLL _Pragma("GCC unroll 16")

// What is done to a product before it is stored.
template <class T> struct Finish {
    const T* bias = nullptr;    // added to every row
    bool cut = false;           // negative results become 0
    const T* gate = nullptr;    // where this is not positive, the result becomes 0
    T* sums = nullptr;          // to which all rows are added
};

// A(r, k) = a[r·step + k], or with TURNED a[k·step + r].
template <class T, int ROWS, int WIDE, bool TURNED>
inline void product_block(int64_t inner, const T* a, int64_t a_step, const T* b, int64_t b_step,
                          Finish<T> finish, T* c, int64_t c_step) {
    Vec<T> total[ROWS][WIDE];
    UNROLL for (int w = 0; w < WIDE; w++) {
        const Vec<T> first = finish.bias ? load(finish.bias + w * LANES<T>) : Vec<T>{};
        UNROLL for (int r = 0; r < ROWS; r++) total[r][w] = first;
    }
    _Pragma("GCC unroll 4") for (int64_t k = 0; k < inner; k++) {
        Vec<T> row[WIDE];
        UNROLL for (int w = 0; w < WIDE; w++) row[w] = load(b + k * b_step + w * LANES<T>);
        UNROLL for (int r = 0; r < ROWS; r++) {
            const Vec<T> factor = splat<T>(TURNED ? a[k * a_step + r] : a[r * a_step + k]);
            UNROLL for (int w = 0; w < WIDE; w++) total[r][w] += factor * row[w];
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int w = 0; w < WIDE; w++) {
            Vec<T>& v = total[r][w];
            if (finish.cut) v = v < 0 ? Vec<T>{} : v;
            if (finish.gate) v = load(finish.gate + r * c_step + w * LANES<T>) <= 0 ? Vec<T>{} : v;
            store(c + r * c_step + w * LANES<T>, v);
        }
    if (!finish.sums) return;
    UNROLL for (int w = 0; w < WIDE; w++) {
        Vec<T> sum = load(finish.sums + w * LANES<T>);
        UNROLL for (int r = 0; r < ROWS; r++) sum += total[r][w];
        store(finish.sums + w * LANES<T>, sum);
    }
}

template <class T, int ROWS, int WIDE, bool TURNED>
inline void product_rows(int64_t rows, int64_t inner, const T* a, int64_t a_step, const T* b, int64_t b_step,
                         Finish<T> finish, T* c, int64_t c_step) {
    int64_t r = 0;
    const int64_t turn = TURNED ? 1 : a_step;
    const auto at = [&](int64_t row) {
        Finish<T> there = finish;
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

// C (rows, width) = A (rows, inner) · B (inner, width), finished; width comes padded.
template <class T, bool TURNED>
inline void product(int64_t rows, int64_t inner, int64_t width, const T* a, int64_t a_step, const T* b,
                    int64_t b_step, Finish<T> finish, T* c, int64_t c_step) {
    constexpr int N = LANES<T>, MOST = REGISTERS == 32 ? 4 : 2;
    int64_t at = 0;
    const auto part = [&](auto wide, auto tall) {
        constexpr int WIDE = decltype(wide)::value, ROWS = decltype(tall)::value;
        for (; at + WIDE * N <= width; at += WIDE * N) {
            Finish<T> there = finish;
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
