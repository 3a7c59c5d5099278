// What a weighting's rule, translated from torch, is written with.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

// As in torch, a NaN among the arguments is the result.
template <class A, class B> inline auto maximum(A a, B b) {
    using N = std::common_type_t<A, B>;
    return a != a || a > b ? N(a) : N(b);
}
template <class A, class B> inline auto minimum(A a, B b) {
    using N = std::common_type_t<A, B>;
    return a != a || a < b ? N(a) : N(b);
}
template <class N> inline N sign(N a) { return N(a > 0) - N(a < 0); }
template <class N> inline N sigmoid(N a) { return 1 / (1 + std::exp(-a)); }
template <class N> inline N rsqrt(N a) { return 1 / std::sqrt(a); }

constexpr T INFINITE = std::numeric_limits<T>::infinity();
constexpr T NOT_A_NUMBER = std::numeric_limits<T>::quiet_NaN();
