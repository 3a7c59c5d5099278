// What the figures show, computed from the embedded numbers: no drawing in this file.
"use strict";

const SEP = "\u001f";

// Cost of a metric's value: lower is better whatever the metric's direction.
function cost(metric, value) {
  if (value === null) return null;
  if (metric.best === "high") return -value;
  return metric.best === "one" ? Math.abs(value - 1) : value;
}

function mean(values) {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

function deviation(values) {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}

function column(set, view, part, metric) {
  const kind = view.metrics[metric].role;
  const tables = kind === "error" ? set.errors : set.disparities[view.protected];
  return tables[part][view.target][metric];
}

// For every trial the mean of `costs` that its trade-off value had in other trainings: the other
// seeds of its split or, where each split has one seed, the other splits. A value chosen by the
// seed's own rows would be chosen for its luck. A study of one training has nothing else.
function seenElsewhere(trial, costs) {
  const runs = new Set(trial.split.map((split, i) => split + SEP + trial.seed[i]));
  if (runs.size === 1) return costs;
  const several = runs.size > new Set(trial.split).size;
  const keys = costs.map((_, i) =>
    [trial.method[i], trial.value[i], several ? trial.split[i] : ""].join(SEP));
  const sums = new Map();
  costs.forEach((value, i) => {
    if (value === null) return;
    const [sum, count] = sums.get(keys[i]) || [0, 0];
    sums.set(keys[i], [sum + value, count + 1]);
  });
  return costs.map((value, i) => {
    if (value === null) return null;
    const [sum, count] = sums.get(keys[i]);
    return count > 1 ? (sum - value) / (count - 1) : null;
  });
}

// One point per finished trial. x, y: error and disparity on the shown part; cx, cy: the costs
// that trade-off points are selected by.
function points(set, view) {
  const error = view.metrics[view.error];
  const disparity = view.metrics[view.disparity];
  const x = column(set, view, view.part, view.error);
  const y = column(set, view, view.part, view.disparity);
  const seen = (values) => (set.selection === "test" ? values : seenElsewhere(set.trial, values));
  const costs = (metric, name) =>
    seen(column(set, view, set.selection, name).map((v) => cost(metric, v)));
  const sx = costs(error, view.error);
  const sy = costs(disparity, view.disparity);
  const found = [];
  for (let i = 0; i < set.trial.method.length; i += 1) {
    const whole = [x[i], y[i], sx[i], sy[i]].every((v) => v !== null);
    if (!whole) continue;
    found.push({
      trial: i,
      method: set.trial.method[i],
      value: set.trial.value[i],
      seed: set.trial.seed[i],
      split: set.trial.split[i],
      x: x[i],
      y: y[i],
      cx: sx[i],
      cy: sy[i],
    });
  }
  return found;
}

// The points that no other point dominates, equal ones included, from accurate to fair.
function nondominated(candidates) {
  const sorted = [...candidates].sort((a, b) => a.cx - b.cx || a.cy - b.cy);
  const front = [];
  for (const point of sorted) {
    const last = front[front.length - 1];
    const equal = last && point.cx === last.cx && point.cy === last.cy;
    if (!last || point.cy < last.cy || equal) front.push(point);
  }
  return front;
}

// Each method's means over its trials of one trade-off value.
function averages(found) {
  const all = [];
  for (const same of groupBy(found, (p) => p.method + SEP + p.value).values()) {
    const each = (name) => same.map((p) => p[name]);
    all.push({
      method: same[0].method,
      value: same[0].value,
      count: same.length,
      x: mean(each("x")),
      y: mean(each("y")),
      sdx: deviation(each("x")),
      sdy: deviation(each("y")),
      cx: mean(each("cx")),
      cy: mean(each("cy")),
    });
  }
  return all;
}

// For every method the front of its averages, in the order of the methods.
function meanFronts(set, found) {
  const byMethod = groupBy(averages(found), (p) => p.method);
  return set.methods.map((_, m) => nondominated(byMethod.get(m) || []));
}

// One front per (split, seed) of a method: chosen on the selection part, placed on the shown.
function singleFronts(found, method) {
  const own = found.filter((p) => p.method === method);
  return [...groupBy(own, (p) => p.split + SEP + p.seed).values()].map(nondominated);
}

// The outline of what at least `share` of the fronts reach, as corner points (cost space of
// the shown part): at each error the smallest disparity that so many fronts attain.
function attainment(fronts, share, costs) {
  const need = Math.max(1, Math.ceil(share * fronts.length - 1e-9));
  const runs = fronts.map((front) => front.map(costs).sort((a, b) => a[0] - b[0]));
  const stops = [...new Set(runs.flat().map((p) => p[0]))].sort((a, b) => a - b);
  const best = runs.map(() => Infinity);
  const next = runs.map(() => 0);
  const corners = [];
  for (const x of stops) {
    runs.forEach((run, r) => {
      while (next[r] < run.length && run[next[r]][0] <= x) {
        best[r] = Math.min(best[r], run[next[r]][1]);
        next[r] += 1;
      }
    });
    const y = [...best].sort((a, b) => a - b)[need - 1];
    const last = corners[corners.length - 1];
    if (Number.isFinite(y) && (!last || y < last[1])) corners.push([x, y]);
  }
  return corners;
}

// Share of `fronts` that reach a point at least as good as (x, y) in both costs.
function attained(runs, x, y) {
  const hits = runs.filter((run) => run.some((p) => p[0] <= x && p[1] <= y));
  return hits.length / runs.length;
}

// Per method, split and seed the fairest trial whose error on the selection part is at most
// `budget` above the baseline's there (the method's own smallest where there is no baseline);
// the most accurate trial where none is within, and of the baseline itself.
function matched(set, found, budget) {
  const at = (p) => p.split + SEP + p.seed;
  const runs = groupBy(found, at);
  const chosen = [];
  for (const run of runs.values()) {
    for (const own of groupBy(run, (p) => p.method).values()) {
      const reference = run.filter((p) => p.method === set.baseline);
      const start = Math.min(...(reference.length ? reference : own).map((p) => p.cx));
      const limit = start + budget * Math.abs(start);
      const within = own.filter((p) => p.cx <= limit);
      const order = within.length && own[0].method !== set.baseline
        ? (a, b) => a.cy - b.cy || a.cx - b.cx
        : (a, b) => a.cx - b.cx || a.value - b.value;
      const best = [...(within.length ? within : own)].sort(order)[0];
      chosen.push({ ...best, within: within.length > 0 });
    }
  }
  return chosen;
}
