// The structures, enums and constants that fairbench/train/by_kernel/structures.py mirrors, in a
// text that it is compared with before the kernel is used: a line each, "Structure size", "Structure.field offset
// size", "Enum count", "Enum.MEMBER value" and "CONSTANT value", in the order of declaration.
#pragma once

#include <cstddef>
#include <string>

#include "losses.h"
#include "run.h"

// Internal to each library: a static variable of an inline function would be shared by all libraries
// of a process, which then all told the layout of the first.
static const std::string& described() {
    static const std::string all = [] {
        std::string text;
        const auto line = [&](std::string name, int64_t a, int64_t b = -1) {
            text += name + ' ' + std::to_string(a) + (b < 0 ? "" : ' ' + std::to_string(b)) + '\n';
        };
#define STRUCTURE(S) line(#S, sizeof(S))
#define FIELD(S, F) line(#S "." #F, offsetof(S, F), sizeof(S::F))
#define MEMBER(E, M) line(#E "." #M, E::M)
        STRUCTURE(Layer);
        FIELD(Layer, kind); FIELD(Layer, biased); FIELD(Layer, width_in); FIELD(Layer, width_out);
        FIELD(Layer, weight); FIELD(Layer, bias); FIELD(Layer, eps); FIELD(Layer, momentum);
        FIELD(Layer, mean); FIELD(Layer, variance); FIELD(Layer, mask);
        STRUCTURE(Dropout);
        FIELD(Dropout, start); FIELD(Dropout, width); FIELD(Dropout, threshold); FIELD(Dropout, scale);
        STRUCTURE(Task);
        FIELD(Task, kind); FIELD(Task, start); FIELD(Task, width);
        STRUCTURE(Network);
        FIELD(Network, single); FIELD(Network, features); FIELD(Network, hidden);
        FIELD(Network, outputs); FIELD(Network, tasks); FIELD(Network, layers); FIELD(Network, rows);
        FIELD(Network, parameters); FIELD(Network, trunk); FIELD(Network, head_weight);
        FIELD(Network, head_bias); FIELD(Network, masks); FIELD(Network, ahead); FIELD(Network, draws);
        FIELD(Network, layer); FIELD(Network, task); FIELD(Network, dropout);
        STRUCTURE(Optimizer);
        FIELD(Optimizer, kind); FIELD(Optimizer, beta1); FIELD(Optimizer, beta2); FIELD(Optimizer, eps);
        FIELD(Optimizer, decay); FIELD(Optimizer, momentum); FIELD(Optimizer, clip);
        STRUCTURE(Weighting);
        FIELD(Weighting, rule); FIELD(Weighting, by_gramian); FIELD(Weighting, weighs_trunk);
        FIELD(Weighting, state_size); FIELD(Weighting, state); FIELD(Weighting, tradeoff);
        FIELD(Weighting, noise); FIELD(Weighting, noise_step); FIELD(Weighting, planned);
        STRUCTURE(Run);
        FIELD(Run, net); FIELD(Run, optimizer); FIELD(Run, trials); FIELD(Run, kinds);
        FIELD(Run, stride); FIELD(Run, numbers); FIELD(Run, space); FIELD(Run, common);
        FIELD(Run, features); FIELD(Run, table); FIELD(Run, table_width); FIELD(Run, order);
        FIELD(Run, streams); FIELD(Run, draws); FIELD(Run, scales); FIELD(Run, rates);
        FIELD(Run, weighting);
        line("Kind", KINDS);
        MEMBER(Kind, LINEAR); MEMBER(Kind, NORM); MEMBER(Kind, RELU); MEMBER(Kind, TANH);
        MEMBER(Kind, SIGMOID); MEMBER(Kind, MASK);
        line("TaskKind", TASK_KINDS);
        MEMBER(TaskKind, REGRESSION); MEMBER(TaskKind, BINARY); MEMBER(TaskKind, CATEGORICAL);
        line("OptimizerKind", OPTIMIZER_KINDS);
        MEMBER(OptimizerKind, ADAM); MEMBER(OptimizerKind, ADAMW); MEMBER(OptimizerKind, SGD);
        line("MOST_TASKS", MOST_TASKS), line("OF_TASKS", OF_TASKS);
#undef MEMBER
#undef FIELD
#undef STRUCTURE
        return text;
    }();
    return all;
}
