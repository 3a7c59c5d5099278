// One trial's network: what it consists of, forward and backward.
//
// Matrices are row-major with rows padded to whole vectors: activations (batch, width), weights
// (in, out), heads (outputs, hidden). What belongs to the losses lies the other way round,
// (outputs, batch), so that a whole batch of one output is a few vectors.
#pragma once

#include <cmath>

#include "places.h"
#include "product.h"

template <class T> struct Pass {
    const Network& net;
    const Places<T>& at;
    int64_t trial, rows;
    const uint16_t* draws;      // the trial's, and which step of them this is
    int64_t step;
    bool training;
    const T* weights;           // the trial's parameters
    T *own, *common;            // its space, and that of all

    int64_t across() const { return padded<T>(net.rows); }  // from one output to the next
    T* values() const { return own + at.values; }
    T* residual() const { return own + at.residual; }
    T* slopes(int which = 0) const { return own + at.slopes + which * across() * net.outputs; }

    // Whether the ReLU behind a linear layer is fused into the epilogue of its product.
    bool fuses_relu(int64_t l) const {
        return net.layer[l].kind == LINEAR && l + 1 < net.layers && net.layer[l + 1].kind == RELU;
    }

    // What goes into layer `l` (or, for l = layers, the heads), and how far its rows are apart.
    struct Input { const T* x; int64_t step; };
    Input input(int64_t l, const T* x) const {
        if (l == 0 && net.layers && net.layer[0].kind == LINEAR) return {x, net.features};
        const T* kept = own + at.kept;
        int64_t width = net.features, next = net.rows * padded<T>(net.features);
        for (int64_t i = 0; i < l; i++) {
            if (!Places<T>::in_place(net, i)) kept += next;
            next = Places<T>::in_place(net, i) ? next : Places<T>::keeps(net, i);
            width = net.layer[i].width_out;
        }
        return {kept, padded<T>(width)};
    }
    T* output(int64_t l) const { return const_cast<T*>(input(l + 1, nullptr).x); }

    void forward(const T* x) const {
        if (!net.layers || net.layer[0].kind != LINEAR) spread(x);
        for (int64_t l = 0; l < net.layers; l++) {
            const Layer& layer = net.layer[l];
            const Input in = input(l, x);
            T* out = output(l);
            const int64_t width = padded<T>(layer.width_out), count = rows * width;
            switch (layer.kind) {
            case LINEAR:
                product<T, false>(rows, layer.width_in, width, in.x, in.step, weights + layer.weight, width,
                                  {layer.biased ? weights + layer.bias : nullptr, fuses_relu(l)}, out, width);
                break;
            case NORM:
                if (training) normalise(layer, in.x, out, width);
                else settle(layer, in.x, out, width);
                break;
            case RELU:
                if (l && fuses_relu(l - 1)) break;
                each(count, in.x, out, [](Vec<T> v) { return v < 0 ? Vec<T>{} : v; });
                break;
            case TANH: each(count, in.x, out, hyperbolic_tangent<T>); break;
            case SIGMOID:
                each(count, in.x, out, logistic<T>);
                for (int64_t b = 0; b < rows; b++)  // where it is not 0
                    std::fill(out + b * width + layer.width_out, out + (b + 1) * width, T(0));
                break;
            case MASK:
                if (training) masked(layer, in.x, out);
                else std::copy(in.x, in.x + count, out);
                break;
            }
        }
        const Input hidden = input(net.layers, x);
        const int64_t width = padded<T>(net.hidden);
        for (int64_t o = 0; o < net.outputs; o++) {
            const T *row = weights + net.head_weight + o * width, bias = weights[net.head_bias + o];
            for (int64_t b = 0; b < across(); b += LANES<T>) {
                Vec<T> found[LANES<T>] = {};
                const T* x = hidden.x + b * hidden.step;
                if (rows - b >= LANES<T>) {  // known numbers of rows stay in registers
                    for (int64_t j = 0; j < width; j += LANES<T>) {
                        const Vec<T> part = load(row + j);
                        UNROLL for (int i = 0; i < LANES<T>; i++) found[i] += load(x + i * hidden.step + j) * part;
                    }
                } else {
                    for (int64_t i = 0; i < rows - b; i++)
                        for (int64_t j = 0; j < width; j += LANES<T>)
                            found[i] += load(x + i * hidden.step + j) * load(row + j);
                }
                store(values() + o * across() + b, totals<T>(found) + bias);
            }
            std::fill(values() + o * across() + rows, values() + (o + 1) * across(), T(0));
        }
    }

    // Backward pass of the heads: gradients of their parameters, for those (outputs, batch) at the
    // outputs.
    void heads(const T* x, const T* slope, T* into) const {
        const Input hidden = input(net.layers, x);
        const int64_t width = padded<T>(net.hidden);
        product<T, false>(net.outputs, rows, width, slope, across(), hidden.x, hidden.step, {},
                          into + net.head_weight, width);
        for (int64_t o = 0; o < net.outputs; o++) {
            Vec<T> total{};
            for (int64_t b = 0; b < across(); b += LANES<T>) total += load(slope + o * across() + b);
            into[net.head_bias + o] = sum<T>(total);
        }
    }

    // Backward pass of the trunk: gradients of its parameters, for those at some outputs; `into` is
    // where a trial's parameters would begin. With `turned`, an earlier call left the transposed weights.
    void trunk(const T* x, const T* slope, int64_t first, int64_t count_outputs, T* into, bool turned) const {
        T *here = common + at.upper, *below = common + at.lower, *turn = common + at.end;
        const int64_t hidden = padded<T>(net.hidden);
        bool fused = true;  // whether the last product's epilogue did this layer's ReLU and bias gradient
        const T *at_heads = slope + first * across(), *heads = weights + net.head_weight + first * hidden;
        const Epilogue<T> last = epilogue(net.layers - 1, into);
        if (count_outputs == 1) outer_product<T>(rows, hidden, at_heads, heads, last, here);
        else
            product<T, true>(rows, count_outputs, hidden, at_heads, across(), heads, hidden, last, here,
                             hidden);
        for (int64_t l = net.layers - 1; l >= 0; l--) {
            const Layer& layer = net.layer[l];
            const int64_t width = padded<T>(layer.width_out), count = rows * width;
            const T* out = output(l);
            // An epilogue covers the activation right below its product only.
            if (layer.kind != LINEAR && !(fused && layer.kind == RELU && l && fuses_relu(l - 1)))
                fused = false;
            switch (layer.kind) {
            case LINEAR: {
                const Input in = input(l, x);
                if (!fused && layer.biased) add_rows(here, width, into + layer.bias);
                product<T, true>(layer.width_in, rows, width, in.x, in.step, here, width, {},
                                 into + layer.weight, width);
                if (!l) return;  // nothing below has parameters
                const int64_t lower = padded<T>(layer.width_in);
                turn -= Places<T>::turns(layer);
                if (!turned) transpose<T>(layer.width_in, width, weights + layer.weight, width, turn, lower);
                product<T, false>(rows, layer.width_out, lower, here, width, turn, lower,
                                  epilogue(l - 1, into), below, lower);
                fused = true;
                std::swap(here, below);
                break;
            }
            case NORM: unnormalise(layer, out, here, width, into); break;
            case RELU:
                if (fused) break;
                both(count, here, out, [](Vec<T> s, Vec<T> v) { return v <= 0 ? Vec<T>{} : s; });
                break;
            case TANH: both(count, here, out, [](Vec<T> s, Vec<T> v) { return s * (1 - v * v); }); break;
            case SIGMOID: both(count, here, out, [](Vec<T> s, Vec<T> v) { return s * (v * (1 - v)); }); break;
            case MASK: masked(layer, here, here); break;
            }
        }
    }

  private:
    // The features with rows padded, for what is not a linear layer.
    void spread(const T* x) const {
        T* to = own + at.kept;
        const int64_t width = padded<T>(net.features);
        for (int64_t b = 0; b < rows; b++) {
            std::copy(x + b * net.features, x + (b + 1) * net.features, to + b * width);
            std::fill(to + b * width + net.features, to + (b + 1) * width, T(0));
        }
    }

    template <class F> static void each(int64_t count, const T* from, T* to, F f) {
        for (int64_t i = 0; i < count; i += LANES<T>) store(to + i, f(load(from + i)));
    }
    template <class F> static void both(int64_t count, T* slope, const T* value, F f) {
        for (int64_t i = 0; i < count; i += LANES<T>) store(slope + i, f(load(slope + i), load(value + i)));
    }

    void masked(const Layer& layer, const T* from, T* to) const {
        const Dropout& dropout = net.dropout[layer.mask];
        const uint16_t* drawn = draws + dropout.start + step * net.rows * layer.width_out;
        const int64_t width = padded<T>(layer.width_out);
        const T scale = T(dropout.scale);
        for (int64_t b = 0; b < rows; b++) {
            const uint16_t* row = drawn + b * layer.width_out;
            for (int64_t i = 0; i < layer.width_out; i++)
                to[b * width + i] = from[b * width + i] * (row[i] < dropout.threshold ? T(0) : scale);
            std::fill(to + b * width + layer.width_out, to + (b + 1) * width, T(0));
        }
    }

    // The epilogue of a product that gives the gradient at the output of layer `l`: the backward pass
    // of a fused ReLU, and the sums that are the gradient of a linear layer's bias.
    Epilogue<T> epilogue(int64_t l, T* into) const {
        Epilogue<T> found;
        if (l > 0 && net.layer[l].kind == RELU && fuses_relu(l - 1)) found.gate = output(l--);
        if (l >= 0 && net.layer[l].kind == LINEAR && net.layer[l].biased) {
            found.sums = into + net.layer[l].bias;
            std::fill(found.sums, found.sums + padded<T>(net.layer[l].width_out), T(0));
        }
        return found;
    }

    // Sums of the rows of `slope`.
    void add_rows(const T* slope, int64_t width, T* into) const {
        for (int64_t i = 0; i < width; i += LANES<T>) {
            Vec<T> total{};
            for (int64_t b = 0; b < rows; b++) total += load(slope + b * width + i);
            store(into + i, total);
        }
    }

    // With n = (x - mean)/√(variance + eps): weight·n + bias. Keeps n and weight/√(variance + eps)
    // behind the result; the running variance is the unbiased one.
    void normalise(const Layer& layer, const T* x, T* out, int64_t width) const {
        T *normal = out + net.rows * width, *factor = normal + net.rows * width;
        T mean[LANES<T>], variance[LANES<T>];
        for (int64_t i = 0; i < width; i += LANES<T>) {
            Vec<T> total{}, squares{};
            for (int64_t b = 0; b < rows; b++) total += load(x + b * width + i);
            const Vec<T> middle = total / T(rows);
            for (int64_t b = 0; b < rows; b++) {
                const Vec<T> away = load(x + b * width + i) - middle;
                squares += away * away;
            }
            const Vec<T> spread = squares / T(rows);
            store(mean, middle), store(variance, spread);
            T inverse[LANES<T>];
            for (int j = 0; j < LANES<T>; j++) inverse[j] = 1 / std::sqrt(variance[j] + T(layer.eps));
            const Vec<T> scale = load(inverse), weight = load(weights + layer.weight + i),
                         bias = load(weights + layer.bias + i);
            store(factor + i, scale * weight);
            for (int64_t b = 0; b < rows; b++) {
                const Vec<T> n = (load(x + b * width + i) - middle) * scale;
                store(normal + b * width + i, n);
                store(out + b * width + i, n * weight + bias);
            }
            T* running = static_cast<T*>(layer.mean) + trial * layer.width_out;
            T* varying = static_cast<T*>(layer.variance) + trial * layer.width_out;
            const T share = T(layer.momentum);
            for (int64_t j = 0; j < LANES<T> && i + j < layer.width_out; j++) {
                running[i + j] += share * (mean[j] - running[i + j]);
                varying[i + j] += share * (variance[j] * (T(rows) / (rows - 1)) - varying[i + j]);
            }
        }
    }

    // The same with the running statistics.
    void settle(const Layer& layer, const T* x, T* out, int64_t width) const {
        const T* mean = static_cast<const T*>(layer.mean) + trial * layer.width_out;
        const T* variance = static_cast<const T*>(layer.variance) + trial * layer.width_out;
        for (int64_t i = 0; i < width; i++) {
            const bool there = i < layer.width_out;
            const T scale = there ? weights[layer.weight + i] / std::sqrt(variance[i] + T(layer.eps)) : T(0);
            for (int64_t b = 0; b < rows; b++)
                out[b * width + i] = there ? (x[b * width + i] - mean[i]) * scale + weights[layer.bias + i] : T(0);
        }
    }

    // d/dx = factor·(slope - mean(slope) - n·mean(slope·n))
    void unnormalise(const Layer& layer, const T* out, T* slope, int64_t width, T* into) const {
        const T *normal = out + net.rows * width, *factor = normal + net.rows * width;
        for (int64_t i = 0; i < width; i += LANES<T>) {
            Vec<T> total{}, along{};
            for (int64_t b = 0; b < rows; b++) {
                const Vec<T> s = load(slope + b * width + i);
                total += s;
                along += s * load(normal + b * width + i);
            }
            store(into + layer.weight + i, along);
            store(into + layer.bias + i, total);
            const Vec<T> scale = load(factor + i), mean = total / T(rows), tilt = along / T(rows);
            for (int64_t b = 0; b < rows; b++) {
                T* here = slope + b * width + i;
                store(here, scale * (load(here) - mean - load(normal + b * width + i) * tilt));
            }
        }
    }
};
