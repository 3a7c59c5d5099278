// What a network consists of, and where the kernel keeps what it makes of one.
#pragma once

#include <algorithm>

#include "vector.h"

enum Kind : int32_t { LINEAR, NORM, RELU, TANH, SIGMOID, MASK, KINDS };

struct Layer {
    int32_t kind, biased;
    int64_t width_in, width_out;
    int64_t weight, bias;       // where they begin in a trial's parameters
    double eps, momentum;       // of batch normalisation
    void *mean, *variance;      // running statistics (trials, width)
    int64_t mask;               // number of its dropout
};

struct Dropout {
    int64_t start, width;       // where its draws begin in a trial's
    int32_t threshold;          // draws of 16 bits below it are dropped
    double scale;               // of what is kept
};

struct Task {
    int32_t kind;               // a TaskKind
    int32_t start, width;       // its outputs
};

struct Network {
    int32_t single;             // whether numbers are of single precision
    int64_t features, hidden, outputs, tasks, layers;
    int64_t rows;               // of the largest batch
    int64_t parameters;         // numbers of one trial
    int64_t trunk;              // where the trunk's begin; they reach to the end
    int64_t head_weight, head_bias;
    int64_t masks, ahead;       // dropouts; steps for which they are drawn at once
    int64_t draws;              // of one trial
    const Layer* layer;
    const Task* task;
    const Dropout* dropout;
};

// Where things lie in the space of one trial, and in that which all trials use one by one.
template <class T> struct Places {
    int64_t values, residual, slopes, kept;      // (outputs, batch), then activations
    int64_t upper, lower, turned, end;
    Places(const Network& net) {
        const int64_t rows = padded<T>(net.rows), at_outputs = rows * net.outputs;
        values = 0, residual = at_outputs, slopes = 2 * at_outputs, kept = 4 * at_outputs;
        int64_t widest = std::max(net.features, net.hidden), all = 0;
        for (int64_t l = 0; l < net.layers; l++) {
            const Layer& layer = net.layer[l];
            widest = std::max({widest, layer.width_in, layer.width_out});
            all += turns(layer);
        }
        upper = 0, lower = net.rows * padded<T>(widest), turned = 2 * lower, end = turned + all;
    }
    // Numbers of a layer's transposed weights.
    static int64_t turns(const Layer& layer) {
        return layer.kind == LINEAR ? padded<T>(layer.width_out) * padded<T>(layer.width_in) : 0;
    }
    // Numbers that layer `l` keeps: what it gave, unless it works in place.
    static bool in_place(const Network& net, int64_t l) {
        const int32_t kind = net.layer[l].kind;
        const bool spare = l && (net.layer[l - 1].kind == LINEAR || net.layer[l - 1].kind == NORM);
        return spare && (kind == RELU || kind == TANH || kind == SIGMOID);
    }
    static int64_t keeps(const Network& net, int64_t l) {
        const int64_t whole = net.rows * padded<T>(net.layer[l].width_out);
        if (net.layer[l].kind == NORM) return 2 * whole + padded<T>(net.layer[l].width_out);
        return in_place(net, l) ? 0 : whole;
    }
    int64_t own(const Network& net) const {  // numbers of one trial's space
        int64_t total = kept + net.rows * padded<T>(net.features);
        for (int64_t l = 0; l < net.layers; l++) total += keeps(net, l);
        return padded<T>(total);
    }
};
