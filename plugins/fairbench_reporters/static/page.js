// The page: menus, tables and downloads around the figures.
"use strict";

const byId = (id) => document.getElementById(id);
let data = null; // see _payload.py
const PAPER = 680; // width of a figure on paper, in CSS pixels
const CONFIG = {
  responsive: true, displaylogo: false, modeBarButtons: [["toImage", "resetScale2d"]],
  toImageButtonOptions: { format: "svg", filename: "fairbench" },
};

async function unpacked(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function loadPlotly() {
  const script = document.createElement("script");
  script.textContent = await unpacked("plotly-packed");
  document.head.append(script);
}

// Menus

function fill(id, names, chosen) {
  const menu = byId(id);
  menu.replaceChildren(...names.map((name, k) => new Option(name, k)));
  menu.selectedIndex = Math.max(0, chosen);
}

function keep(id, names) {
  const menu = byId(id);
  const before = menu.selectedIndex < 0 ? null : menu.options[menu.selectedIndex].text;
  fill(id, names, names.indexOf(before));
}

const named = (role) => Object.keys(data.metrics).filter((name) => data.metrics[name].role === role);
const PARTS = { test: "test (reported)", validation: "validation" };

// Allowances for the error, the report's own among them.
function budgets() {
  return [...new Set([0, 0.01, 0.05, 0.1, 0.25, data.tolerance])].sort((a, b) => a - b);
}

function dataset() {
  return data.datasets[byId("dataset").selectedIndex];
}

function menusOfDataset() {
  const set = dataset();
  keep("target", set.targets);
  keep("protected", set.protected.map((attribute) => attribute.name));
  keep("part", [...set.parts].reverse().map((part) => PARTS[part]));
  const labels = set.methods.map((method) => method.label);
  const other = set.methods.findIndex((_, m) => m !== set.baseline);
  fill("first", labels, other);
  fill("second", labels, set.baseline ?? 0);
  const swept = set.methods.findIndex((method) => method.tradeoff !== null);
  fill("curve-method", labels, swept);
}

function view() {
  const set = dataset();
  return {
    metrics: data.metrics,
    target: byId("target").selectedIndex,
    protected: byId("protected").selectedIndex,
    part: [...set.parts].reverse()[byId("part").selectedIndex],
    error: named("error")[byId("error").selectedIndex],
    disparity: named("disparity")[byId("disparity").selectedIndex],
    seeds: byId("seeds").checked,
    groupError: ["rmse", "mae"][byId("group-error").selectedIndex],
    budget: budgets()[byId("budget").selectedIndex],
  };
}

// Drawing

function draw(id, figure) {
  const plot = byId(id);
  const narrow = plot.clientWidth < 520;
  if (document.documentElement.classList.contains("printing")) figure.layout.width = PAPER;
  if (narrow) {
    figure.layout.font.size = 11;
    figure.layout.hoverlabel.font.size = 11;
    figure.layout.dragmode = false; // a finger on the figure scrolls the page
  }
  return Plotly.react(plot, figure.traces, figure.layout, { ...CONFIG, displayModeBar: narrow ? false : "hover" });
}

// Every figure, as a function of what is shown. They are drawn one after the other, the first
// at once, so that the page answers in between.
const FIGURES = {
  "plot-fronts": (s) => frontFigure(s.set, s.view, s.found, s.fronts),
  "plot-attainment": (s) => attainmentFigure(s.set, s.view, s.found, s.pair),
  "plot-difference": (s) => differenceFigure(s.set, s.view, s.found, s.pair),
  "plot-curves": (s) => curvesFigure(s.set, s.view, s.found, byId("curve-method").selectedIndex),
  "plot-groups": (s) => groupsFigure(s.set, s.view, s.chosen),
};
const stale = new Set();
let scene = null;

function drawNext() {
  const [id] = stale;
  if (id === undefined) return;
  stale.delete(id);
  draw(id, FIGURES[id](scene));
  setTimeout(drawNext);
}

function redraw() {
  const set = dataset();
  const shown = view();
  const found = points(set, shown);
  scene = {
    set, found, view: shown, fronts: meanFronts(set, found),
    chosen: matched(set, found, shown.budget),
    pair: [byId("first").selectedIndex, byId("second").selectedIndex],
  };
  for (const id of Object.keys(FIGURES)) stale.add(id);
  drawNext();
  frontTable(set, shown, scene.fronts);
  groupTable(set, shown, scene.chosen);
}

// Tables

function setTable(id, header, rows) {
  const table = byId(id).querySelector("table");
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    cells.forEach((cell) => {
      const element = document.createElement(tag);
      element.textContent = cell;
      row.append(element);
    });
    return row;
  };
  table.tHead.replaceChildren(line(header, "th"));
  table.tBodies[0].replaceChildren(...rows.map((row) => line(row, "td")));
}

function frontTable(set, shown, fronts) {
  const rows = fronts.flat().map((p) => [
    set.methods[p.method].label, valueName(set, p), withSpread(p.x, p.sdx), withSpread(p.y, p.sdy),
    String(p.count)]);
  setTable("front-points", ["method", "trade-off", shown.error, shown.disparity, "trainings"], rows);
}

function groupTable(set, shown, chosen) {
  const labels = set.protected[shown.protected].labels;
  const tables = set.groups[shown.protected][shown.target][shown.groupError];
  const rows = set.methods.map((method, m) => {
    const own = chosen.filter((p) => p.method === m);
    const cells = labels.map((_, g) => {
      const values = own.map((p) => tables[g][p.trial]).filter((v) => v !== null);
      return values.length ? withSpread(mean(values), deviation(values)) : "–";
    });
    const values = own.map((p) => p.value).filter((v) => v !== null);
    const within = own.filter((p) => p.within).length;
    return [method.label, values.length ? `${method.tradeoff} = ${number(median(values))}` : "–",
      ...cells, `${within} of ${own.length}`];
  });
  setTable("group-points",
    ["method", "median trade-off", ...labels.map((label) => `${shown.groupError} of ${label}`),
      "splits within the allowance"], rows);
}

// Downloads

const SIGNED = /^[-+][\d.]+(e[-+]?\d+)?( to [-+]?[\d.]+(e[-+]?\d+)?)?$/;

// A text cell that a spreadsheet would run as a formula gets an apostrophe before it.
function csvCell(cell) {
  const text = cell === null || cell === undefined ? "" : String(cell);
  const harmless = typeof cell === "string" && /^[=+\-@\t\r]/.test(text) && !SIGNED.test(text)
    ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replace(/"/g, '""')}"` : harmless;
}

function download(name, rows) {
  const text = rows.map((row) => row.map(csvCell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${text}\r\n`], { type: "text/csv" }));
  link.download = `${name.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function tableRows(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
}

function trialRows() {
  const set = dataset();
  const shown = view();
  const names = Object.keys(data.metrics);
  const columns = names.map((name) => column(set, shown, shown.part, name));
  const header = ["dataset", "target", "protected", "rows", "method", "trade-off", "value", "seed",
    "split", ...names];
  const rows = set.trial.method.map((m, i) => [set.label, set.targets[shown.target],
    set.protected[shown.protected].name, shown.part, set.methods[m].label, set.methods[m].tradeoff,
    set.trial.value[i], set.trial.seed[i], set.trial.split[i], ...columns.map((c) => c[i])]);
  return [header, ...rows];
}

function addDownloads() {
  for (const table of document.querySelectorAll("table[data-name]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Download as CSV";
    button.addEventListener("click", () => download(table.dataset.name, tableRows(table)));
    table.parentElement.after(button);
  }
  byId("all-trials").addEventListener("click", () => download(`trials-${dataset().label}`, trialRows()));
}

// Start

function listen() {
  byId("dataset").addEventListener("change", () => { menusOfDataset(); redraw(); });
  for (const id of ["target", "protected", "part", "error", "disparity", "seeds", "first", "second",
    "curve-method", "group-error", "budget"]) {
    byId(id).addEventListener("change", redraw);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const folded = [...document.querySelectorAll("main details:not(#troubles details, #reproduce details)")]
    .filter((details) => !details.open);
  const printing = (now) => () => {
    document.documentElement.classList.toggle("printing", now);
    for (const details of folded) details.open = now; // paper has nothing to click on
    redraw();
    while (stale.size) drawNext(); // a printer does not wait
  };
  window.addEventListener("beforeprint", printing(true));
  window.addEventListener("afterprint", printing(false));
}

async function start() {
  data = JSON.parse(await unpacked("data-packed"));
  fill("dataset", data.datasets.map((set) => set.label), 0);
  fill("error", named("error"), named("error").indexOf(data.error));
  fill("disparity", named("disparity"), named("disparity").indexOf(data.disparity));
  fill("group-error", ["RMSE", "MAE"], /mae/i.test(data.error) ? 1 : 0);
  fill("budget", budgets().map((b) => `${number(100 * b)} %`), budgets().indexOf(data.tolerance));
  menusOfDataset();
  addDownloads();
  await loadPlotly();
  listen();
  redraw();
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
}

start().catch((error) => {
  byId("stopped").textContent = `The figures could not be drawn in this browser: ${error.message}`;
  byId("stopped").hidden = false;
  throw error;
});
