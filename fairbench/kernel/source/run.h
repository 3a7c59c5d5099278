// What a call of the kernel works on: the memory of a stack, its optimiser and its weighting.
#pragma once

#include "network.h"
#include "optimizer.h"

// A weighting's rule for one trial. It reads `losses`, their Gramian (tasks, tasks), the trade-off
// value, the share of steps done, noise (tasks) and the trial's parameters (for its own); it writes
// weights for heads and trunk, its state, and the gradients of its own parameters.
template <class T>
using Rule = void (*)(const T* losses, const T* gramian, T tradeoff, T progress, const T* noise,
                      const T* parameters, T* gradients, T* state, T* weights, T* trunk_weights);

struct Weighting {
    void* rule;                 // null for weights that stay
    int32_t by_gramian, weighs_trunk;  // whether it asks for one, and has other weights for the trunk
    int64_t state_size;
    void *state, *tradeoff;     // (trials, state_size), (trials)
    const void* noise;          // (steps, trials, tasks), null for none
    int64_t noise_step;         // numbers from one step to the next
    double planned;             // steps in all
};

constexpr int64_t MOST_TASKS = 64;

// What lies in a trial's numbers, one behind the other: behind the moments of the optimiser come
// the gradients of its tasks, where a rule compares them.
enum Numbers : int64_t { PARAMETERS, GRADIENT, FIRST, SECOND, OF_TASKS };

struct Run {
    const Network* net;
    const Optimizer* optimizer;
    int64_t trials, kinds, stride;
    void* numbers;                                  // (trials, kinds, stride)
    void *space, *common;
    const void *features, *table;                   // all rows in their orders, one below the other
    int64_t table_width;
    const int64_t* order;                           // (trials), the first row of each one's order
    uint64_t* streams;                              // (trials, 4), the generators of dropout
    uint16_t* draws;                                // (trials, draws)
    const void* scales;                             // (trials, tasks) factors on the losses, or null
    const double* rates;                            // (trials) learning rates
    const Weighting* weighting;
};
