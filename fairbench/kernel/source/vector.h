// Vectors of the machine's width, in the vector extension that GCC and Clang share.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__)
constexpr int BYTES = 64, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int BYTES = 32, REGISTERS = 16;
#else
constexpr int BYTES = 16, REGISTERS = 32;
#endif

// Loops over vectors in registers are gone before the compiler looks at arrays.
#define UNROLL _Pragma("GCC unroll 16")

template <class T> struct Kin;
template <> struct Kin<float> { using Integer = int32_t; };
template <> struct Kin<double> { using Integer = int64_t; };

template <class T> struct Vectors {
    typedef T Type __attribute__((vector_size(BYTES)));
    typedef typename Kin<T>::Integer Whole __attribute__((vector_size(BYTES)));
};
template <class T> using Vec = typename Vectors<T>::Type;
template <class T> constexpr int LANES = BYTES / sizeof(T);

// `count` rounded up to whole vectors.
template <class T> inline int64_t padded(int64_t count) {
    return (count + LANES<T> - 1) / LANES<T> * LANES<T>;
}

template <class T> inline Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class T> inline void store(T* to, Vec<T> v) { std::memcpy(to, &v, sizeof v); }

template <class T> inline Vec<T> splat(T value) { return value - Vec<T>{}; }

template <class T> inline T sum(Vec<T> v) {
    T parts[LANES<T>];
    std::memcpy(parts, &v, sizeof v);
    for (int half = LANES<T> / 2; half; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
}

template <class T> inline Vec<T> root(Vec<T> x) {
    for (int i = 0; i < LANES<T>; i++) x[i] = std::sqrt(x[i]);
    return x;
}

template <class T> inline Vec<T> absolute(Vec<T> x) { return x < 0 ? -x : x; }

// ---- transposition: log2(n) rounds, in each of which row i is interleaved with row i + n/2

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES 1
#endif
#endif

// to[j·to_step + i] = from[i·from_step + j], for i, j below the vector's length
#ifdef SHUFFLES
template <class T, int... I>
inline void interleave(Vec<T> a, Vec<T> b, Vec<T>& low, Vec<T>& high, std::integer_sequence<int, I...>) {
    constexpr int N = LANES<T>;
    low = __builtin_shufflevector(a, b, (I / 2 + (I % 2) * N)...);
    high = __builtin_shufflevector(a, b, (N / 2 + I / 2 + (I % 2) * N)...);
}

template <class T> inline void transpose_square(const T* from, int64_t from_step, T* to, int64_t to_step) {
    constexpr int N = LANES<T>;
    Vec<T> rows[N], next[N];
    for (int i = 0; i < N; i++) rows[i] = load(from + i * from_step);
    for (int round = 1; round < N; round *= 2) {
        for (int i = 0; i < N / 2; i++)
            interleave<T>(rows[i], rows[i + N / 2], next[2 * i], next[2 * i + 1],
                          std::make_integer_sequence<int, N>{});
        for (int i = 0; i < N; i++) rows[i] = next[i];
    }
    for (int i = 0; i < N; i++) store(to + i * to_step, rows[i]);
}

// The totals of n vectors: each round adds up halves of pairs, so that one vector is left.
template <class T> inline Vec<T> totals(Vec<T>* rows) {
    UNROLL for (int half = LANES<T> / 2; half; half /= 2)
        UNROLL for (int i = 0; i < half; i++) {
            Vec<T> low, high;
            interleave<T>(rows[i], rows[i + half], low, high, std::make_integer_sequence<int, LANES<T>>{});
            rows[i] = low + high;
        }
    return rows[0];
}
#else
template <class T> inline Vec<T> totals(Vec<T>* rows) {
    Vec<T> found;
    for (int i = 0; i < LANES<T>; i++) found[i] = sum<T>(rows[i]);
    return found;
}

template <class T> inline void transpose_square(const T* from, int64_t from_step, T* to, int64_t to_step) {
    for (int i = 0; i < LANES<T>; i++)
        for (int j = 0; j < LANES<T>; j++) to[j * to_step + i] = from[i * from_step + j];
}
#endif

// The transpose (columns, padded rows) of a matrix (rows, columns); columns come padded.
template <class T>
inline void transpose(int64_t rows, int64_t columns, const T* from, int64_t from_step, T* to, int64_t to_step) {
    constexpr int N = LANES<T>;
    int64_t i = 0;
    for (; i + N <= rows; i += N)
        for (int64_t j = 0; j < columns; j += N)
            transpose_square(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
    if (i == rows) return;
    for (int64_t j = 0; j < columns; j++) {
        for (int64_t r = i; r < rows; r++) to[j * to_step + r] = from[r * from_step + j];
        for (int64_t r = rows; r < to_step; r++) to[j * to_step + r] = 0;
    }
}

// ---- elementary functions

template <class T> struct Exp;
template <> struct Exp<float> {
    static constexpr float LOG2E = 1.44269504f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
    static constexpr float MAGIC = 12582912.0f, LEAST = -87.0f;  // 1.5·2^23 rounds to whole numbers
    static constexpr int TERMS = 7, LOG_TERMS = 9, MANTISSA = 23, BIAS = 127;
};
template <> struct Exp<double> {
    static constexpr double LOG2E = 1.4426950408889634074, LN2_HIGH = 6.93145751953125e-1,
                            LN2_LOW = 1.42860682030941723212e-6;
    static constexpr double MAGIC = 6755399441055744.0, LEAST = -708.0;  // 1.5·2^52
    static constexpr int TERMS = 13, LOG_TERMS = 17, MANTISSA = 52, BIAS = 1023;
};

// e^x - 1 and e^x for x ≤ 0: with x = k ln 2 + r, the Taylor series of e^r - 1 scaled by 2^k.
template <class T> struct Powers { Vec<T> less_one, whole; };

template <class T> inline Powers<T> exponential(Vec<T> x) {
    using E = Exp<T>;
    using Whole = typename Vectors<T>::Whole;
    using Integer = typename Kin<T>::Integer;
    x = x < E::LEAST ? splat<T>(E::LEAST) : x;  // a NaN stays one
    const Vec<T> shifted = x * E::LOG2E + E::MAGIC;
    const Vec<T> k = shifted - E::MAGIC;
    const Vec<T> r = (x - k * E::LN2_HIGH) - k * E::LN2_LOW;
    Vec<T> series = splat<T>(1);
    for (int n = E::TERMS; n > 1; n--) series = 1 + r * series * (T(1) / n);
    series = r * series;  // e^r - 1
    Integer magic;
    const T magic_value = E::MAGIC;
    std::memcpy(&magic, &magic_value, sizeof magic);
    Whole bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - magic + Integer(E::BIAS)) << E::MANTISSA;
    Vec<T> scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return {scale * series + (scale - 1), scale * series + scale};
}

// log(1 + u) for 0 ≤ u ≤ 1, as 2 artanh(u / (2 + u)).
template <class T> inline Vec<T> log_one_plus(Vec<T> u) {
    const Vec<T> s = u / (u + 2), square = s * s;
    Vec<T> series = splat<T>(T(1) / (2 * Exp<T>::LOG_TERMS + 1));
    for (int n = Exp<T>::LOG_TERMS - 1; n >= 0; n--) series = series * square + T(1) / (2 * n + 1);
    return 2 * s * series;
}

template <class T> inline Vec<T> hyperbolic_tangent(Vec<T> x) {
    const Vec<T> less_one = exponential<T>(-2 * absolute<T>(x)).less_one;  // e^(-2|x|) - 1
    const Vec<T> size = -less_one / (less_one + 2);
    return x < 0 ? -size : size;
}

template <class T> inline Vec<T> logistic(Vec<T> x) {
    const Vec<T> e = exponential<T>(-absolute<T>(x)).whole;  // e^(-|x|)
    const Vec<T> inverse = 1 / (1 + e);
    return x < 0 ? e * inverse : inverse;
}
