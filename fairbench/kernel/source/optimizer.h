// What an optimiser makes of one trial's gradient: torch's rules.
#pragma once

#include "vector.h"

#include <cmath>

enum OptimizerKind : int32_t { ADAM, ADAMW, SGD };

struct Optimizer {
    int32_t kind;
    double beta1, beta2, eps, decay, momentum;
    double clip;                // largest norm of a gradient; 0 for no bound
};

template <class T> inline void clip(T* gradient, int64_t count, double most) {
    Vec<T> squares{};
    for (int64_t i = 0; i < count; i += LANES<T>) squares += load(gradient + i) * load(gradient + i);
    const T norm = std::sqrt(sum<T>(squares)), factor = T(most) / (norm + T(1e-6));
    if (factor >= 1) return;
    for (int64_t i = 0; i < count; i += LANES<T>) store(gradient + i, load(gradient + i) * factor);
}

// One step of learning rate `rate`, after `taken` steps; `first` and `second` are the moments.
template <class T>
inline void update(const Optimizer& rule, double rate, int64_t taken, int64_t count, T* __restrict p,
                   T* __restrict g, T* __restrict first, T* __restrict second) {
    if (rule.clip > 0) clip(g, count, rule.clip);
    if (rule.kind == SGD) {
        const T decay = T(rule.decay), momentum = T(rule.momentum), lr = T(rate);
        for (int64_t i = 0; i < count; i++) {
            T step = g[i] + decay * p[i];
            if (momentum != 0) step = first[i] = momentum * first[i] + step;
            p[i] -= lr * step;
        }
        return;
    }
    const T keep = T(1 - (rule.kind == ADAMW ? rate * rule.decay : 0));
    const T decay = T(rule.kind == ADAM ? rule.decay : 0);
    const T weight1 = T(1 - rule.beta1), beta2 = T(rule.beta2), weight2 = T(1 - rule.beta2), eps = T(rule.eps);
    const T size = T(rate / (1 - std::pow(rule.beta1, taken + 1)));
    const T scale = T(1 / std::sqrt(1 - std::pow(rule.beta2, taken + 1)));
    for (int64_t i = 0; i < count; i += LANES<T>) {
        const Vec<T> before = load(p + i), slope = load(g + i) + decay * before;
        const Vec<T> m = load(first + i) + weight1 * (slope - load(first + i));
        const Vec<T> v = beta2 * load(second + i) + weight2 * slope * slope;
        store(first + i, m), store(second + i, v);
        store(p + i, keep * before - size * m / (root<T>(v) * scale + eps));
    }
}
