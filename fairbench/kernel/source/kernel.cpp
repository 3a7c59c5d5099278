// Training steps of a stack of trials, one trial after the other: its weights, moments and activations
// stay in cache while it takes them. fairbench/train/compiled.py calls what is declared here.

#include "layout.h"
#include "losses.h"
#include "random.h"
#include "run.h"

#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace {

// The sums over `size` numbers of the products a·c, a·d, b·c and b·d; with SAME, c is a and d is b.
template <class T, bool SAME>
void four_products(int64_t size, const T* a, const T* b, const T* c, const T* d, T* found) {
    constexpr int PARTS = 4;  // sums side by side, as each waits for the one before
    Vec<T> parts[4][PARTS] = {};
    const auto add = [&](int64_t k, int part) {
        const Vec<T> va = load(a + k), vb = load(b + k);
        const Vec<T> vc = SAME ? va : load(c + k), vd = SAME ? vb : load(d + k);
        parts[0][part] += va * vc, parts[1][part] += va * vd, parts[3][part] += vb * vd;
        if (!SAME) parts[2][part] += vb * vc;
    };
    int64_t k = 0;
    for (; k + PARTS * LANES<T> <= size; k += PARTS * LANES<T>)
        UNROLL for (int part = 0; part < PARTS; part++) add(k + part * LANES<T>, part);
    for (; k < size; k += LANES<T>) add(k, 0);
    UNROLL for (int i = 0; i < 4; i++)
        found[i] = sum<T>((parts[i][0] + parts[i][1]) + (parts[i][2] + parts[i][3]));
    if (SAME) found[2] = found[1];
}

// Inner products (terms, terms) of rows of so many numbers, two rows at a time.
template <class T> void inner_products(int64_t terms, int64_t size, int64_t stride, const T* rows, T* found) {
    for (int64_t s = 0; s < terms; s += 2)
        for (int64_t t = s; t < terms; t += 2) {
            // The last row of an odd number stands for the one that is missing.
            const int64_t u = std::min(s + 1, terms - 1), v = std::min(t + 1, terms - 1);
            T four[4];
            if (s == t)
                four_products<T, true>(size, rows + s * stride, rows + u * stride, nullptr, nullptr, four);
            else
                four_products<T, false>(size, rows + s * stride, rows + u * stride, rows + t * stride,
                                        rows + v * stride, four);
            found[s * terms + t] = found[t * terms + s] = four[0];
            found[s * terms + v] = found[v * terms + s] = four[1];
            found[u * terms + t] = found[t * terms + u] = four[2];
            found[u * terms + v] = found[v * terms + u] = four[3];
        }
}

template <class T> struct Trial {
    const Run& run;
    const Network& net;
    Places<T> at;
    T* numbers(int64_t trial, int64_t kind) const {
        return static_cast<T*>(run.numbers) + (trial * run.kinds + kind) * run.stride;
    }

    explicit Trial(const Run& run) : run(run), net(*run.net), at(*run.net) {}

    // A step after `taken` others, over so many rows.
    Pass<T> pass(int64_t trial, int64_t rows, int64_t taken) const {
        T* own = static_cast<T*>(run.space) + trial * at.own(net);
        return {net, at, trial, rows, run.draws + trial * net.draws, taken % net.ahead, true,
                numbers(trial, PARAMETERS), own, static_cast<T*>(run.common)};
    }
    // The same, about to go forward: draws numbers where none are left.
    Pass<T> begin(int64_t trial, int64_t rows, int64_t taken) const {
        if (net.masks && taken % net.ahead == 0)
            draw(net, run.streams + 4 * trial, run.draws + trial * net.draws);
        return pass(trial, rows, taken);
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
    T* gradient(int64_t trial) const { return numbers(trial, GRADIENT); }
    T* of_tasks(int64_t trial) const { return numbers(trial, OF_TASKS); }

    // Inner products (terms, terms) of the tasks' gradients in the trunk.
    void compare(int64_t trial, int64_t terms, T* found) const {
        inner_products<T>(terms, net.parameters - net.trunk, run.stride, of_tasks(trial) + net.trunk, found);
    }
    // With `shares`, the trunk's gradient is the sum of so many tasks' with them.
    void update(int64_t trial, int64_t taken, int64_t terms = 0, const T* shares = nullptr) const {
        ::update<T>(*run.optimizer, run.rates[trial], taken,
                    {net.parameters, net.trunk, terms, run.stride, of_tasks(trial), shares},
                    numbers(trial, PARAMETERS), gradient(trial), numbers(trial, FIRST), numbers(trial, SECOND));
    }
};

// The gradient of the loss of task `t` in the trunk; tasks come in order.
template <class T>
void of_task(const Pass<T>& pass, const T* x, const T* scales, int64_t t, T* into) {
    const Task& task = pass.net.task[t];
    Losses<T>{pass}.pull(t, 1, scales, pass.slopes(1));
    pass.trunk(x, pass.slopes(1), task.start, task.width, into, t > 0);
}

template <class T> void forward_all(const Run& run, int64_t row, int64_t rows, int64_t taken, T* losses) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.begin(i, rows, taken);
        pass.forward(of.features(i, row));
        if (losses)
            Losses<T>{pass}.evaluate(of.table(i, row), run.table_width, of.scales(i), losses + i * of.net.tasks);
    }
}

// Whether the trunk gets a gradient of its own is `weighs_trunk`. Without weights, the gradients at
// the outputs are there already.
template <class T>
void backward_all(const Run& run, int64_t row, int64_t rows, int64_t taken, const T* weights,
                  const T* trunk_weights, bool weighs_trunk) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows, taken);
        const T* x = of.features(i, row);
        const Losses<T> losses{pass};
        if (weights) losses.pull(weights + i * of.net.tasks, of.scales(i), pass.slopes());
        if (trunk_weights) losses.pull(trunk_weights + i * of.net.tasks, of.scales(i), pass.slopes(1));
        pass.heads(x, pass.slopes(), of.gradient(i));
        pass.trunk(x, pass.slopes(weighs_trunk), 0, of.net.outputs, of.gradient(i), false);
        of.update(i, taken);
    }
}

// The inner products (trials, terms, terms) of the tasks' gradients in the trunk; `at` holds those
// (trials, terms, outputs, batch) at the outputs, or is null for the closed losses.
template <class T>
void compare_all(const Run& run, int64_t row, int64_t rows, int64_t taken, int64_t terms, const T* at,
                 T* gramian) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows, taken);
        for (int64_t t = 0; t < terms; t++) {
            T* into = of.of_tasks(i) + t * run.stride;
            if (at) {
                const T* slope = at + (i * terms + t) * of.net.outputs * pass.across();
                pass.trunk(of.features(i, row), slope, 0, of.net.outputs, into, t > 0);
            } else {
                of_task(pass, of.features(i, row), of.scales(i), t, into);
            }
        }
        of.compare(i, terms, gramian + i * terms * terms);
    }
}

// The heads' gradients as in `backward`; the trunk's are the sum of its tasks' with `combination`.
template <class T>
void combine_all(const Run& run, int64_t row, int64_t rows, int64_t taken, int64_t terms, const T* weights,
                 const T* combination) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++) {
        const Pass<T> pass = of.pass(i, rows, taken);
        if (weights) Losses<T>{pass}.pull(weights + i * of.net.tasks, of.scales(i), pass.slopes());
        pass.heads(of.features(i, row), pass.slopes(), of.gradient(i));
        of.update(i, taken, terms, combination + i * terms);
    }
}

// Steps over rows [begin, end) of each order with `weights` (trials, tasks) that stay, or with
// those of the rule; adds every loss times its batch's rows to `totals`.
template <class T>
void train_all(const Run& run, int64_t begin, int64_t end, int64_t batch, int64_t taken, const T* weights,
               T* totals) {
    const Trial<T> of(run);
    const Weighting& rule = *run.weighting;
    const int64_t tasks = of.net.tasks;
    T losses[MOST_TASKS], shares[MOST_TASKS], trunk_shares[MOST_TASKS], gramian[MOST_TASKS * MOST_TASKS];
    for (int64_t i = 0; i < run.trials; i++) {
        T *gradient = of.gradient(i), *state = static_cast<T*>(rule.state) + i * rule.state_size;
        int64_t step = 0;
        for (int64_t row = begin; row < end; row += batch, step++) {
            const Pass<T> pass = of.begin(i, std::min(batch, end - row), taken + step);
            const Losses<T> of_losses{pass};
            const T *x = of.features(i, row), *scales = of.scales(i), *now = weights + i * tasks;
            pass.forward(x);
            of_losses.evaluate(of.table(i, row), run.table_width, scales, losses);
            if (rule.rule) {
                if (rule.by_gramian) {
                    for (int64_t t = 0; t < tasks; t++)
                        of_task(pass, x, scales, t, of.of_tasks(i) + t * run.stride);
                    of.compare(i, tasks, gramian);
                }
                const T* noise = static_cast<const T*>(rule.noise);
                reinterpret_cast<Rule<T>>(rule.rule)(
                    losses, gramian, static_cast<const T*>(rule.tradeoff)[i], T((taken + step) / rule.planned),
                    noise ? noise + step * rule.noise_step + i * tasks : nullptr, pass.weights, gradient,
                    state, shares, trunk_shares);
                now = shares;
            }
            of_losses.pull(now, scales, pass.slopes());
            pass.heads(x, pass.slopes(), gradient);
            if (rule.rule && rule.by_gramian) {
                of.update(i, taken + step, tasks, now);
            } else {
                if (rule.weighs_trunk) of_losses.pull(trunk_shares, scales, pass.slopes(1));
                pass.trunk(x, pass.slopes(rule.weighs_trunk), 0, of.net.outputs, gradient, false);
                of.update(i, taken + step);
            }
            for (int64_t t = 0; t < tasks; t++) totals[i * tasks + t] += losses[t] * T(pass.rows);
        }
    }
}

// Outputs (trials, count, outputs) of rows that are not trained on.
template <class T> void predict_all(const Run& run, int64_t count, T* found) {
    const Trial<T> of(run);
    for (int64_t i = 0; i < run.trials; i++)
        for (int64_t row = 0; row < count; row += of.net.rows) {
            Pass<T> pass = of.pass(i, std::min(of.net.rows, count - row), 0);
            pass.training = false;
            pass.forward(of.features(i, row));
            for (int64_t b = 0; b < pass.rows; b++)
                for (int64_t o = 0; o < of.net.outputs; o++)
                    found[(i * count + row + b) * of.net.outputs + o] = pass.values()[o * pass.across() + b];
        }
}

}  // namespace

// Numbers too small for full precision count as 0 meanwhile: moments of units that died pass
// through them for hundreds of steps, and cost many times as much there.
struct Flushed {
#ifdef __SSE__
    unsigned before = _mm_getcsr();
    Flushed() { _mm_setcsr(before | 0x8040); }
    ~Flushed() { _mm_setcsr(before); }
#endif
};

// Calls `f` with a number of the network's precision.
template <class F> void with_precision(const Network& net, F f) {
    const Flushed flushed{};
    if (net.single) f(float{});
    else f(double{});
}

// The structures, enums and constants that Python mirrors; see layout.h.
extern "C" const char* layout() { return described().c_str(); }

extern "C" int32_t vector_length(int32_t single) { return single ? LANES<float> : LANES<double>; }

// The batch padded to whole vectors, numbers of one trial's space, and of the space for all.
extern "C" void sizes(const Network* net, int64_t* found) {
    with_precision(*net, [&](auto number) {
        using T = decltype(number);
        const Places<T> at(*net);
        found[0] = padded<T>(net->rows), found[1] = at.own(*net), found[2] = at.end;
    });
}

extern "C" void forward(const Run* run, int64_t row, int64_t rows, int64_t taken, void* losses) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        forward_all<T>(*run, row, rows, taken, static_cast<T*>(losses));
    });
}

extern "C" void backward(const Run* run, int64_t row, int64_t rows, int64_t taken, const void* weights,
                         const void* trunk_weights, int64_t weighs_trunk) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        backward_all<T>(*run, row, rows, taken, static_cast<const T*>(weights),
                        static_cast<const T*>(trunk_weights), weighs_trunk);
    });
}

extern "C" void compare(const Run* run, int64_t row, int64_t rows, int64_t taken, int64_t terms, const void* at,
                        void* gramian) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        compare_all<T>(*run, row, rows, taken, terms, static_cast<const T*>(at), static_cast<T*>(gramian));
    });
}

extern "C" void combine(const Run* run, int64_t row, int64_t rows, int64_t taken, int64_t terms,
                        const void* weights, const void* combination) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        combine_all<T>(*run, row, rows, taken, terms, static_cast<const T*>(weights),
                       static_cast<const T*>(combination));
    });
}

extern "C" void train(const Run* run, int64_t begin, int64_t end, int64_t batch, int64_t taken,
                      const void* weights, void* totals) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        train_all<T>(*run, begin, end, batch, taken, static_cast<const T*>(weights), static_cast<T*>(totals));
    });
}

extern "C" void predict(const Run* run, int64_t count, void* found) {
    with_precision(*run->net, [&](auto number) {
        using T = decltype(number);
        predict_all<T>(*run, count, static_cast<T*>(found));
    });
}
