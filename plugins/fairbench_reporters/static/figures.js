// The figures: each function takes a dataset and a view and returns traces and a layout.
"use strict";

// Okabe and Ito's colours, told apart with every common colour blindness, those that stand out
// on the ground first; the baseline takes the text colour. Symbols and dashes tell methods
// apart without any colour.
const ON_LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B39B00"];
const ON_DARK = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down",
  "pentagon", "hexagon", "x", "bowtie"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

// Plotly reads tags in labels; names are shown as they are.
function safe(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function short(text, length) {
  const letters = [...String(text)];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : String(text);
}

function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return String(Number(value.toPrecision(4)));
}

// The spread with two significant digits, the centre to the same place.
function withSpread(centre, spread) {
  if (!spread) return number(centre);
  const places = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(spread))));
  return `${centre.toFixed(places)}, sd ${spread.toFixed(places)}`;
}

function ink() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    text: read("--text"), grid: read("--line"), back: read("--back"), dim: read("--dim"),
    dark: read("--ground") === "dark",
  };
}

function palette(rank) {
  const colours = ink().dark ? ON_DARK : ON_LIGHT;
  return colours[rank % colours.length];
}

function look(set, method) {
  const others = set.methods.map((_, m) => m).filter((m) => m !== set.baseline);
  const rank = method === set.baseline ? -1 : others.indexOf(method);
  return {
    colour: rank < 0 ? ink().text : palette(rank),
    symbol: rank < 0 ? "circle" : SYMBOLS[1 + (rank % (SYMBOLS.length - 1))],
    dash: rank < 0 ? "solid" : DASHES[rank % DASHES.length],
  };
}

function faded(colour, opacity) {
  const hex = colour.replace("#", "");
  const part = (k) => parseInt(hex.slice(k, k + 2), 16);
  return `rgba(${part(0)},${part(2)},${part(4)},${opacity})`;
}

function direction(metric) {
  return { low: "lower is better", high: "higher is better", one: "1 is best" }[metric.best];
}

// An axis on which left or down is always better.
function axis(view, name, more = {}) {
  const metric = view.metrics[name];
  const colours = ink();
  return {
    title: { text: `${safe(name)} (${direction(metric)})`, standoff: 8 },
    autorange: metric.best === "low" ? true : "reversed",
    gridcolor: colours.grid,
    zerolinecolor: colours.grid,
    linecolor: colours.grid,
    automargin: true,
    ...more,
  };
}

function layout(more) {
  const colours = ink();
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: colours.text },
    margin: { l: 10, r: 10, t: 10, b: 10 },
    hovermode: "closest",
    hoverlabel: {
      bgcolor: colours.back, bordercolor: colours.dim, align: "left",
      font: { color: colours.text, size: 13 },
    },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colours.dim, activecolor: colours.text },
    ...more,
  };
}

function valueName(set, point) {
  const method = set.methods[point.method];
  return method.tradeoff === null ? "no trade-off" : `${method.tradeoff} = ${number(point.value)}`;
}

function told(set, view, point, who) {
  return [
    `<b>${safe(set.methods[point.method].label)}</b>`,
    safe(valueName(set, point)),
    who,
    `${safe(view.error)}: ${withSpread(point.x, point.sdx ?? null)}`,
    `${safe(view.disparity)}: ${withSpread(point.y, point.sdy ?? null)}`,
  ].join("<br>");
}

// All methods in (error, disparity): single trials faint, fronts of the averages connected.
function frontFigure(set, view, found, fronts) {
  const traces = [];
  set.methods.forEach((method, m) => {
    const own = found.filter((p) => p.method === m);
    const { colour, symbol, dash } = look(set, m);
    const shared = { type: "scatter", legendgroup: `m${m}`, hovertemplate: "%{text}<extra></extra>" };
    if (view.seeds) {
      traces.push({
        ...shared, mode: "markers", showlegend: false, name: safe(method.label),
        x: own.map((p) => p.x), y: own.map((p) => p.y),
        text: own.map((p) => told(set, view, p, `seed ${p.seed}, split ${p.split}`)),
        marker: { symbol, size: 5, color: colour, opacity: 0.3 },
      });
    }
    traces.push({
      ...shared, mode: "lines+markers", showlegend: true, name: safe(short(method.label, 32)),
      x: fronts[m].map((p) => p.x), y: fronts[m].map((p) => p.y),
      text: fronts[m].map((p) => told(set, view, p, `mean (sd) of ${p.count} trainings`)),
      line: { color: colour, width: 1.5, dash },
      marker: { symbol, size: 11, color: colour, line: { width: 1, color: ink().back } },
    });
  });
  // Fronts are drawn over every faint point.
  traces.sort((a, b) => a.showlegend - b.showlegend);
  const axes = { xaxis: axis(view, view.error), yaxis: axis(view, view.disparity) };
  return { traces, layout: layout(axes) };
}

function staircase(corners, worst) {
  const line = [];
  corners.forEach(([x, y], k) => {
    line.push([x, k ? corners[k - 1][1] : worst], [x, y]);
  });
  return line;
}

function shownCosts(view) {
  const error = view.metrics[view.error];
  const disparity = view.metrics[view.disparity];
  return (p) => [cost(error, p.x), cost(disparity, p.y)];
}

// A value as an axis shows it, from its cost.
function uncost(metric, value) {
  if (metric.best === "high") return -value;
  return metric.best === "one" ? 1 - value : value;
}

// The 25, 50 and 75 % attainment surfaces of two methods, the band between them shaded.
function attainmentFigure(set, view, found, pair) {
  const costs = shownCosts(view);
  const [error, disparity] = [view.metrics[view.error], view.metrics[view.disparity]];
  const both = found.filter((p) => pair.includes(p.method)).map(costs);
  const [right, worst] = [0, 1].map((k) => Math.max(...both.map((c) => c[k])));
  const shown = (line) => ({
    x: line.map((p) => uncost(error, p[0])), y: line.map((p) => uncost(disparity, p[1])),
  });
  const traces = [];
  for (const m of new Set(pair)) {
    const fronts = singleFronts(found, m);
    const { colour } = look(set, m);
    const surface = (share) => {
      const line = staircase(attainment(fronts, share, costs), worst);
      return line.length ? [...line, [right, line[line.length - 1][1]]] : line;
    };
    const band = [...surface(0.25), ...surface(0.75).reverse()];
    traces.push({
      type: "scatter", mode: "lines", legendgroup: `m${m}`, showlegend: false, hoverinfo: "skip",
      ...shown(band), line: { width: 0 }, fill: "toself", fillcolor: faded(colour, 0.14),
    });
    for (const [share, dash, width] of [[0.25, "dot", 1.5], [0.5, "solid", 3], [0.75, "dash", 1.5]]) {
      traces.push({
        type: "scatter", mode: "lines", legendgroup: `m${m}`,
        name: `${safe(short(set.methods[m].label, 24))}: ${share * 100} %`,
        ...shown(surface(share)), line: { color: colour, width, dash },
        hovertemplate: `reached by ${share * 100} % of ${fronts.length} fronts`
          + "<br>%{x:.4~g}, %{y:.4~g}<extra></extra>",
      });
    }
  }
  const axes = { xaxis: axis(view, view.error), yaxis: axis(view, view.disparity) };
  return { traces, layout: layout(axes) };
}

// How much more often the first method's fronts reach a place than the second's.
function differenceFigure(set, view, found, pair) {
  const costs = shownCosts(view);
  const [error, disparity] = [view.metrics[view.error], view.metrics[view.disparity]];
  const runs = pair.map((m) => singleFronts(found, m).map((front) => front.map(costs)));
  const all = runs.flat(2);
  const span = (k) => {
    const values = all.map((p) => p[k]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return Array.from({ length: 60 }, (_, i) => low + ((high - low) * i) / 59);
  };
  const [xs, ys] = all.length ? [span(0), span(1)] : [[], []];
  const z = ys.map((y) => xs.map((x) => attained(runs[0], x, y) - attained(runs[1], x, y)));
  const names = pair.map((m) => safe(short(set.methods[m].label, 16)));
  const colours = ink();
  const trace = {
    type: "heatmap", x: xs.map((x) => uncost(error, x)), y: ys.map((y) => uncost(disparity, y)), z,
    zmin: -1, zmax: 1,
    colorscale: [[0, "#D55E00"], [0.5, colours.back], [1, colours.dark ? "#56B4E9" : "#0072B2"]],
    colorbar: {
      orientation: "h", y: 1.02, yanchor: "bottom", thickness: 12, len: 1, outlinewidth: 0,
      tickvals: [-0.7, 0, 0.7], ticktext: [`more ${names[1]}`, "equal", `more ${names[0]}`],
    },
    hovertemplate: "%{x:.4~g}, %{y:.4~g}<br>difference %{z:+.0%}<extra></extra>",
  };
  const axes = { xaxis: axis(view, view.error), yaxis: axis(view, view.disparity) };
  return { traces: [trace], layout: layout(axes) };
}

function medians(own, read) {
  const byValue = [...groupBy(own, (p) => p.value).entries()].sort((a, b) => a[0] - b[0]);
  return byValue.map(([value, same]) => [value, median(same.map(read))]);
}

// One quantity against the trade-off value: a faint line per seed, the median bold.
function curveTraces(own, read, style) {
  const traces = [];
  for (const run of groupBy(own, (p) => p.split + SEP + p.seed).values()) {
    const line = [...run].sort((a, b) => a.value - b.value);
    traces.push({
      type: "scatter", mode: "lines", showlegend: false, hoverinfo: "skip",
      x: line.map((p) => p.value), y: line.map(read), yaxis: style.yaxis, xaxis: style.xaxis,
      line: { color: faded(style.colour, 0.25), width: 1 },
    });
  }
  const bold = medians(own, read);
  traces.push({
    type: "scatter", mode: bold.length > 1 ? "lines+markers" : "markers", name: style.name,
    showlegend: style.legend, x: bold.map((p) => p[0]), y: bold.map((p) => p[1]),
    yaxis: style.yaxis, xaxis: style.xaxis,
    line: { color: style.colour, width: 3, dash: style.dash },
    marker: { symbol: style.symbol, size: 6, color: style.colour },
    hovertemplate: `${style.name}<br>%{x:.4~g}: median %{y:.4~g}<extra></extra>`,
  });
  return traces;
}

// Error, disparity and the error of each group against the trade-off value of one method.
function curvesFigure(set, view, found, m) {
  const own = found.filter((p) => p.method === m);
  const colours = ink();
  const groups = set.groups[view.protected];
  const panels = [
    { yaxis: "y", xaxis: "x", title: view.error, best: view.metrics[view.error].best },
    { yaxis: "y2", xaxis: "x2", title: view.disparity, best: view.metrics[view.disparity].best },
    { yaxis: "y3", xaxis: "x3", title: `${view.groupError} by group`, best: "low" },
  ];
  const plain = { colour: colours.text, dash: "solid", symbol: "circle", legend: false };
  const traces = [
    ...curveTraces(own, (p) => p.x, { ...plain, ...panels[0], name: safe(view.error) }),
    ...curveTraces(own, (p) => p.y, { ...plain, ...panels[1], name: safe(view.disparity) }),
  ];
  const labels = set.protected[view.protected].labels;
  labels.forEach((label, g) => {
    const values = groups[view.target][view.groupError][g];
    traces.push(...curveTraces(own, (p) => values[p.trial], {
      colour: palette(g), dash: DASHES[g % DASHES.length],
      symbol: SYMBOLS[g % SYMBOLS.length], legend: true, name: safe(short(label, 24)), ...panels[2],
    }));
  });
  const tradeoff = set.methods[m].tradeoff;
  const axes = {};
  panels.forEach((panel, k) => {
    const suffix = k ? k + 1 : "";
    const top = 1 - k * 0.345;
    axes[`yaxis${suffix}`] = {
      title: { text: safe(panel.title), standoff: 8 }, domain: [top - 0.27, top],
      gridcolor: colours.grid, zerolinecolor: colours.grid, automargin: true,
      anchor: panel.xaxis,
    };
    axes[`xaxis${suffix}`] = {
      anchor: panel.yaxis, matches: k ? "x" : undefined, gridcolor: colours.grid,
      zerolinecolor: colours.grid, automargin: true, showticklabels: true,
      title: k === 2 ? { text: safe(tradeoff ?? "no trade-off"), standoff: 6 } : undefined,
    };
  });
  return { traces, layout: layout(axes) };
}

// Errors by group at each method's matched point: every training, and their means.
function groupsFigure(set, view, chosen) {
  const colours = ink();
  const labels = set.protected[view.protected].labels;
  const tables = set.groups[view.protected][view.target][view.groupError];
  const step = 0.7 / labels.length;
  const traces = [];
  labels.forEach((label, g) => {
    const offset = (g - (labels.length - 1) / 2) * step;
    const colour = palette(g);
    const symbol = SYMBOLS[g % SYMBOLS.length];
    const known = chosen.filter((p) => tables[g][p.trial] !== null);
    const shared = { type: "scatter", legendgroup: `g${g}`, hovertemplate: "%{text}<extra></extra>" };
    traces.push({
      ...shared, mode: "markers", showlegend: false,
      x: known.map((p) => tables[g][p.trial]), y: known.map((p) => p.method + offset),
      text: known.map((p) => `<b>${safe(set.methods[p.method].label)}</b>, ${safe(label)}<br>`
        + `${safe(valueName(set, p))}<br>seed ${p.seed}, split ${p.split}<br>`
        + `${view.groupError}: ${number(tables[g][p.trial])}`),
      marker: { symbol, size: 6, color: colour, opacity: 0.35 },
    });
    const means = groupBy(known, (p) => p.method);
    const rows = [...means.entries()].map(([m, same]) => {
      const values = same.map((p) => tables[g][p.trial]);
      return { m, centre: mean(values), spread: deviation(values), count: values.length };
    });
    traces.push({
      ...shared, mode: "markers", showlegend: true, name: safe(short(label, 24)),
      x: rows.map((r) => r.centre), y: rows.map((r) => r.m + offset),
      text: rows.map((r) => `<b>${safe(set.methods[r.m].label)}</b>, ${safe(label)}<br>`
        + `mean (sd) of ${r.count} trainings<br>${view.groupError}: ${withSpread(r.centre, r.spread)}`),
      marker: { symbol, size: 12, color: colour, line: { width: 1, color: colours.back } },
    });
  });
  const names = set.methods.map((method) => safe(short(method.label, 18)));
  const axes = {
    xaxis: {
      title: { text: `${view.groupError} on test rows (lower is better)`, standoff: 8 },
      gridcolor: colours.grid, zerolinecolor: colours.grid, automargin: true,
    },
    yaxis: {
      tickvals: names.map((_, m) => m), ticktext: names, range: [names.length - 0.5, -0.5],
      showgrid: false, zeroline: false, automargin: true,
    },
  };
  return { traces, layout: layout(axes) };
}
