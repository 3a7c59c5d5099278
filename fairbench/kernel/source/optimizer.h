// What an optimiser makes of one trial's gradient: torch's rules.
#pragma once

#include "vector.h"

#include <cmath>

enum OptimizerKind : int32_t { ADAM, ADAMW, SGD, OPTIMIZER_KINDS };

struct Optimizer {
    int32_t kind;
    double beta1, beta2, eps, decay, momentum;
    double clip;                // largest norm of a gradient; 0 for no bound
};

// A trial's gradient: its own numbers, but with `shares` from `trunk` on the sum of those of so many
// tasks, which lie `stride` apart.
template <class T> struct Gradient {
    int64_t count, trunk, terms, stride;
    const T *of_tasks, *shares;

    Vec<T> mixed(int64_t i) const {
        Vec<T> total = shares[0] * load(of_tasks + i);
        for (int64_t t = 1; t < terms; t++) total += shares[t] * load(of_tasks + t * stride + i);
        return total;
    }
};

// Scales all of a gradient down to norm `most`.
template <class T> inline void clip(T* gradient, int64_t count, double most) {
    Vec<T> squares{};
    for (int64_t i = 0; i < count; i += LANES<T>) squares += load(gradient + i) * load(gradient + i);
    const T norm = std::sqrt(sum<T>(squares)), factor = T(most) / (norm + T(1e-6));
    if (factor >= 1) return;
    for (int64_t i = 0; i < count; i += LANES<T>) store(gradient + i, load(gradient + i) * factor);
}

// One step of learning rate `rate`, after `taken` steps; `first` and `second` are the moments.
template <class T>
inline void update(const Optimizer& rule, double rate, int64_t taken, Gradient<T> of, T* __restrict p,
                   T* __restrict g, T* __restrict first, T* __restrict second) {
    if (of.shares && rule.clip > 0) {
        for (int64_t i = of.trunk; i < of.count; i += LANES<T>) store(g + i, of.mixed(i));
        of.shares = nullptr;
    }
    if (rule.clip > 0) clip(g, of.count, rule.clip);
    const T decay = T(rule.kind == ADAMW ? 0 : rule.decay);
    const auto run = [&](auto step) {  // step(i, gradient with decay)
        const int64_t own = of.shares ? of.trunk : of.count;
        for (int64_t i = 0; i < own; i += LANES<T>) step(i, load(g + i) + decay * load(p + i));
        if (of.terms == 2)
            for (int64_t i = own; i < of.count; i += LANES<T>) {
                const T *one = of.of_tasks + i, *two = one + of.stride;
                step(i, of.shares[0] * load(one) + of.shares[1] * load(two) + decay * load(p + i));
            }
        else
            for (int64_t i = own; i < of.count; i += LANES<T>) step(i, of.mixed(i) + decay * load(p + i));
    };
    if (rule.kind == SGD) {
        const T momentum = T(rule.momentum), lr = T(rate);
        run([&](int64_t i, Vec<T> slope) {
            if (momentum != 0) {
                slope += momentum * load(first + i);
                store(first + i, slope);
            }
            store(p + i, load(p + i) - lr * slope);
        });
        return;
    }
    const T keep = T(1 - (rule.kind == ADAMW ? rate * rule.decay : 0));
    const T weight1 = T(1 - rule.beta1), beta2 = T(rule.beta2), weight2 = T(1 - rule.beta2), eps = T(rule.eps);
    const T size = T(rate / (1 - std::pow(rule.beta1, taken + 1)));
    const T scale = T(1 / std::sqrt(1 - std::pow(rule.beta2, taken + 1)));
    run([&](int64_t i, Vec<T> slope) {
        const Vec<T> m = load(first + i) + weight1 * (slope - load(first + i));
        const Vec<T> v = beta2 * load(second + i) + weight2 * slope * slope;
        store(first + i, m), store(second + i, v);
        store(p + i, keep * load(p + i) - size * m / (root<T>(v) * scale + eps));
    });
}
