// Closed forms of the default losses and of their gradients at the outputs.
#pragma once

#include "network.h"

enum TaskKind : int32_t { REGRESSION, BINARY, CATEGORICAL, TASK_KINDS };

// What a task's residuals are multiplied by, for the mean of its loss and for that's gradient.
template <class T> inline T share(const Task& task, int64_t rows) {
    return task.kind == CATEGORICAL ? T(1) / rows : T(1) / (rows * task.width);
}

template <class T> struct Losses {
    const Pass<T>& pass;

    // Mean loss of each task, and residuals (outputs, batch): what was said less what is true.
    void evaluate(const T* table, int64_t table_width, const T* scales, T* means) const {
        const Network& net = pass.net;
        const int64_t rows = pass.rows, across = pass.across();
        for (int64_t o = 0; o < net.outputs; o++) {
            T* truth = pass.residual() + o * across;
            for (int64_t b = 0; b < rows; b++) truth[b] = table[b * table_width + o];
            std::fill(truth + rows, truth + across, T(0));
        }
        for (int64_t t = 0; t < net.tasks; t++) {
            const Task& task = net.task[t];
            Vec<T> total{};
            for (int64_t b = 0; b < across; b += LANES<T>) {
                Vec<T> present{};  // 1 for rows of the batch, 0 behind its end
                for (int i = 0; i < LANES<T>; i++) present[i] = T(b + i < rows);
                if (task.kind == CATEGORICAL) {
                    total += present * categorical(task, b, present);
                    continue;
                }
                for (int64_t o = task.start; o < task.start + task.width; o++) {
                    T* residual = pass.residual() + o * across + b;
                    const Vec<T> said = load(pass.values() + o * across + b), truth = load(residual);
                    if (task.kind == REGRESSION) {
                        const Vec<T> r = said - truth;
                        store(residual, r);
                        total += r * r;
                        continue;
                    }
                    // log(1 + e^x) - x·z, with e^(-|x|) at most 1
                    const Vec<T> e = exponential<T>(-absolute<T>(said)).whole, inverse = 1 / (1 + e);
                    const Vec<T> chance = said < 0 ? e * inverse : inverse;
                    const Vec<T> positive = said < 0 ? Vec<T>{} : said;
                    store(residual, present * (chance - truth));
                    total += present * (positive + log_one_plus<T>(e) - said * truth);
                }
            }
            means[t] = sum<T>(total) * share<T>(task, rows) * (scales ? scales[t] : 1);
        }
    }

    // The gradient (outputs, batch) of the losses' sum with `weights`.
    void pull(const T* weights, const T* scales, T* into) const {
        for (int64_t t = 0; t < pass.net.tasks; t++) pull(t, weights[t], scales, into);
    }

    // That of one loss.
    void pull(int64_t t, T weight, const T* scales, T* into) const {
        const Task& task = pass.net.task[t];
        const int64_t across = pass.across();
        T factor = weight * share<T>(task, pass.rows) * (task.kind == REGRESSION ? 2 : 1);
        if (scales) factor *= scales[t];
        for (int64_t i = task.start * across; i < (task.start + task.width) * across; i += LANES<T>)
            store(into + i, factor * load(pass.residual() + i));
    }

  private:
    // Cross-entropies of some rows: with shares p = softmax(x), -Σ z·log p.
    Vec<T> categorical(const Task& task, int64_t b, Vec<T> present) const {
        const int64_t across = pass.across();
        const T* said = pass.values() + task.start * across + b;
        T* residual = pass.residual() + task.start * across + b;
        Vec<T> most = load(said), whole{}, total{};
        for (int64_t o = 1; o < task.width; o++) {
            const Vec<T> x = load(said + o * across);
            most = x < most ? most : x;
        }
        for (int64_t o = 0; o < task.width; o++) whole += exponential<T>(load(said + o * across) - most).whole;
        T logarithm[LANES<T>];
        for (int i = 0; i < LANES<T>; i++) logarithm[i] = std::log(whole[i]);
        for (int64_t o = 0; o < task.width; o++) {
            const Vec<T> x = load(said + o * across) - most, truth = load(residual + o * across);
            total += truth * (load(logarithm) - x);
            store(residual + o * across, present * (exponential<T>(x).whole / whole - truth));
        }
        return total;
    }
};
