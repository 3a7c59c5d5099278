// The steps of a stack of trials, one trial after the other: its weights, moments and activations
// stay in cache while it takes them. fairbench/train/compiled.py calls what is declared here.

#include "losses.h"
#include "optimizer.h"

struct Run {
    const Network* net;
    const Optimizer* optimizer;
    int64_t trials;
    void *parameters, *gradients, *first, *second;  // (trials, parameters)
    void *space, *common;
    const void *features, *table;                   // all rows in their orders, one below the other
    int64_t table_width;
    const int64_t* order;                           // (trials), the first row of each one's order
    const Mask* masks;
    const void* scales;                             // (trials, tasks) factors on the losses, or null
    const double* rates;                            // (trials) learning rates
};

namespace {

template <class T> struct Trial {
    const Run& run;
    const Network& net;
    Places<T> at;
    T* moved(void* base, int64_t trial) const { return static_cast<T*>(base) + trial * net.parameters; }

    explicit Trial(const Run& run) : run(run), net(*run.net), at(*run.net) {}

    Pass<T> pass(int64_t trial, int64_t rows) const {
        T* own = static_cast<T*>(run.space) + trial * at.own(net);
        return {net, at, trial, rows, moved(run.parameters, trial), own, static_cast<T*>(run.common)};
    }
    const T* features(int64_t trial, int64_t row) const {
        return static_cast<const T*>(run.features) + (run.order[trial] + row) * net.features;
    }
    const T* table(int64_t trial, int64_t row) const {
        return static_cast<const T*>(run.table) + (run.order[trial] + row) * run.table_width;
    }
    const T* scales(int64_t trial) const {
        return run.scales ? static_cast<const T*>(run.scales) + trial * net.tasks : nullptr;
    }
    T* gradient(int64_t trial) const { return moved(run.gradients, trial); }

    void update(int64_t trial, int64_t taken) const {
        ::update<T>(*run.optimizer, run.rates[trial], taken, net.parameters, moved(run.parameters, trial),
                    gradient(trial), moved(run.first, trial), moved(run.second, trial));
    }
};

template <class T> void forward(const Run& run, int64_t row, int64_t rows, T* losses) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows);
        pass.forward(of.features(i, row), run.masks, 0);
        if (losses)
            Losses<T>{pass}.evaluate(of.table(i, row), run.table_width, of.scales(i), losses + i * of.net.tasks);
    }
}

// Whether the trunk gets a gradient of its own is `apart`. Without weights, the gradients at the
// outputs are there already.
template <class T>
void backward(const Run& run, int64_t row, int64_t rows, const T* weights, const T* trunk_weights,
              bool apart, int64_t taken) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows);
        const T* x = of.features(i, row);
        const Losses<T> losses{pass};
        if (weights) losses.pull(weights + i * of.net.tasks, of.scales(i), -1, pass.slopes());
        if (trunk_weights) losses.pull(trunk_weights + i * of.net.tasks, of.scales(i), -1, pass.slopes(1));
        pass.heads(x, pass.slopes(), of.gradient(i));
        pass.trunk(x, pass.slopes(apart), run.masks, 0, of.gradient(i));
        if (taken >= 0) of.update(i, taken);
    }
}

// Each task's gradient in the trunk, (trials, terms, trunk), and their inner products; `at` holds
// those (trials, terms, outputs, batch) at the outputs, or is null for the closed losses.
template <class T>
void rows_of(const Run& run, int64_t row, int64_t rows, int64_t terms, const T* at, T* found,
             T* gramian) {
    const Trial<T> of(run);
    const int64_t size = of.net.parameters - of.net.trunk;
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows);
        T* own = found + i * terms * size;
        for (int64_t t = 0; t < terms; t++) {
            const T* slope = at ? at + (i * terms + t) * of.net.outputs * pass.across() : pass.slopes(1);
            if (!at) Losses<T>{pass}.pull(nullptr, of.scales(i), t, pass.slopes(1));
            pass.trunk(of.features(i, row), slope, run.masks, 0, own + t * size - of.net.trunk);
        }
        for (int64_t s = 0; s < terms; s++)
            for (int64_t t = s; t < terms; t++) {
                Vec<T> total[4] = {};
                const T *a = own + s * size, *b = own + t * size;
                int64_t k = 0;
                for (; k + 4 * LANES<T> <= size; k += 4 * LANES<T>)
                    for (int j = 0; j < 4; j++)
                        total[j] += load(a + k + j * LANES<T>) * load(b + k + j * LANES<T>);
                for (; k < size; k += LANES<T>) total[0] += load(a + k) * load(b + k);
                const T inner = sum<T>((total[0] + total[1]) + (total[2] + total[3]));
                gramian[(i * terms + s) * terms + t] = gramian[(i * terms + t) * terms + s] = inner;
            }
    }
}

// The heads' gradients as in `backward`; the trunk's are its rows' sum with `combination`.
template <class T>
void combine(const Run& run, int64_t row, int64_t rows, int64_t terms, const T* weights, const T* combination,
             const T* found, int64_t taken) {
    const Trial<T> of(run);
    const int64_t size = of.net.parameters - of.net.trunk;
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows);
        if (weights) Losses<T>{pass}.pull(weights + i * of.net.tasks, of.scales(i), -1, pass.slopes());
        pass.heads(of.features(i, row), pass.slopes(), of.gradient(i));
        T* trunk = of.gradient(i) + of.net.trunk;
        const T *own = found + i * terms * size, *share = combination + i * terms;
        for (int64_t k = 0; k < size; k += LANES<T>) {
            Vec<T> total = share[0] * load(own + k);
            for (int64_t t = 1; t < terms; t++) total += share[t] * load(own + t * size + k);
            store(trunk + k, total);
        }
        if (taken >= 0) of.update(i, taken);
    }
}

template <class T> void update_all(const Run& run, int64_t taken) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) of.update(i, taken);
}

// Steps over rows [begin, end) of each order with weights (trials, tasks) that stay; adds every
// loss times its batch's rows to `totals`.
template <class T>
void train(const Run& run, int64_t begin, int64_t end, int64_t batch, int64_t taken, const T* weights, T* totals) {
    const Trial<T> of(run);
    T means[64];
    for (int64_t i = 0; i < run.trials; i++) {
        int64_t step = 0;
        for (int64_t row = begin; row < end; row += batch, step++) {
            const Pass<T> pass = of.pass(i, std::min(batch, end - row));
            const T* x = of.features(i, row);
            const Losses<T> losses{pass};
            pass.forward(x, run.masks, step);
            losses.evaluate(of.table(i, row), run.table_width, of.scales(i), means);
            losses.pull(weights + i * of.net.tasks, of.scales(i), -1, pass.slopes());
            pass.heads(x, pass.slopes(), of.gradient(i));
            pass.trunk(x, pass.slopes(), run.masks, step, of.gradient(i));
            of.update(i, taken + step);
            for (int64_t t = 0; t < of.net.tasks; t++) totals[i * of.net.tasks + t] += means[t] * T(pass.rows);
        }
    }
}

}  // namespace

#define EXPORT(T, NAME)                                                                                        \
    extern "C" int32_t vector_##NAME() { return LANES<T>; }                                                    \
    extern "C" void sizes_##NAME(const Network* net, int64_t* found) {                                         \
        const Places<T> at(*net);                                                                              \
        found[0] = padded<T>(net->rows), found[1] = at.own(*net), found[2] = at.scratch;                       \
    }                                                                                                          \
    extern "C" void forward_##NAME(const Run* run, int64_t row, int64_t rows, T* losses) {       \
        forward<T>(*run, row, rows, losses);                                                             \
    }                                                                                                          \
    extern "C" void backward_##NAME(const Run* run, int64_t row, int64_t rows, const T* weights, \
                                    const T* trunk_weights, int64_t apart, int64_t taken) {                    \
        backward<T>(*run, row, rows, weights, trunk_weights, apart, taken);                              \
    }                                                                                                          \
    extern "C" void rows_##NAME(const Run* run, int64_t row, int64_t rows, int64_t terms,        \
                                const T* at, T* found, T* gramian) {                                           \
        rows_of<T>(*run, row, rows, terms, at, found, gramian);                                          \
    }                                                                                                          \
    extern "C" void combine_##NAME(const Run* run, int64_t row, int64_t rows, int64_t terms, const T* weights, \
                                   const T* combination, const T* found, int64_t taken) {                      \
        combine<T>(*run, row, rows, terms, weights, combination, found, taken);                                \
    }                                                                                                          \
    extern "C" void update_##NAME(const Run* run, int64_t taken) { update_all<T>(*run, taken); }               \
    extern "C" void train_##NAME(const Run* run, int64_t begin, int64_t end, int64_t batch, int64_t taken,     \
                                 const T* weights, T* totals) {                                                \
        train<T>(*run, begin, end, batch, taken, weights, totals);                                             \
    }

EXPORT(float, f32)
EXPORT(double, f64)
