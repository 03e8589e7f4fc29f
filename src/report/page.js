"use strict";
// Draws the report from the JSON in #data: groups (runs that differ only in their seed), their series and measures.

const data = JSON.parse(document.getElementById("data").textContent);
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f", "#a65628", "#66a61e"];
const darkPalette = ["#4aa8e8", "#f28a4b", "#2cc79b", "#e3a0c5", "#f2c14e", "#9ad1f5", "#b39ddb", "#b0b0b0", "#d99a6c", "#a6d854"];
const color = (i) => (dark() ? darkPalette : palette)[i % palette.length];
const dark = () => {
  const forced = document.documentElement.dataset.theme;
  return forced ? forced === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = [];
const runs = data.groups.flatMap((group, g) => group.runs.map((run) => ({ ...run, g })));

// A page that is being watched loads itself anew: what the reader had set is carried over.
const memory = "glissade " + location.pathname;
const kept = (() => {
  try {
    const text = sessionStorage.getItem(memory);
    sessionStorage.removeItem(memory);
    return JSON.parse(text) || {};
  } catch { return {}; }
})();
let axis = kept.axis || "step";
let smoothing = kept.smoothing || 0;
if (kept.theme) document.documentElement.dataset.theme = kept.theme;

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? Number(value.toPrecision(4)).toExponential() : String(Number(value.toPrecision(5)));
}

// ---- series of a group: one line for the mean, a band from least to greatest over its seeds ----

const position = (series, i) => (axis === "epoch" ? series.epoch[i] : axis === "time" ? series.time[i] : series.step[i]);

function smooth(values) {
  if (!smoothing) return values;
  let kept = 0, weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    kept = smoothing * kept + (1 - smoothing) * value;
    weight = smoothing * weight + (1 - smoothing);
    return kept / weight;
  });
}

function lines(group, name) {
  const all = group.runs.map((run) => run.series[name]).filter(Boolean);
  if (!all.length) return null;
  if (all.length === 1) {
    const values = smooth(all[0].value);
    return { mean: values.map((y, i) => ({ x: position(all[0], i), y })), runs: 1 };
  }
  // Seeds log at the same steps; where one stopped early the band goes on with those that are left.
  const steps = [...new Set(all.flatMap((series) => series.step))].sort((a, b) => a - b);
  const tables = all.map((series) => {
    const values = smooth(series.value);
    return new Map(series.step.map((step, i) => [step, [position(series, i), values[i]]]));
  });
  const mean = [], low = [], high = [];
  for (const step of steps) {
    const points = tables.map((table) => table.get(step)).filter((point) => point && point[1] !== null);
    if (!points.length) continue;
    const x = points.reduce((sum, point) => sum + point[0], 0) / points.length;
    const ys = points.map((point) => point[1]);
    mean.push({ x, y: ys.reduce((a, b) => a + b, 0) / ys.length });
    low.push({ x, y: Math.min(...ys) });
    high.push({ x, y: Math.max(...ys) });
  }
  return { mean, low, high, runs: all.length };
}

const dashes = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
const words = { batch: "batch size", batch_size_bound: "batch-size bound B_S", norm_test_batch: "batch of the norm test", lambda_max: "λ_max",
  hessian_norm: "largest |λ|", two_over_lr: "2/η", validation_loss: "validation", test_loss: "test", train_loss: "training set",
  validation_accuracy: "validation", test_accuracy: "test", train_accuracy: "training set", clipped: "coordinates", clipped_share: "norms",
  group_norm_q10: "10%", group_norm_q50: "median", group_norm_q90: "90%" };

function seriesDatasets(spec) {
  const datasets = [];
  data.groups.forEach((group, g) => {
    spec.series.forEach((name, s) => {
      const line = lines(group, name);
      if (!line) return;
      const label = group.name + (spec.series.length > 1 ? " · " + (words[name] || name.replaceAll("_", " ")) : "");
      const few = line.mean.length < 12;
      const ink = data.groups.length > 1 ? color(g) : color(s);
      if (line.low) {
        const band = { borderWidth: 0, pointRadius: 0, backgroundColor: ink + "30", band: true, parsing: false };
        datasets.push({ ...band, label: label + " (least)", data: line.low, fill: "+1" });
        datasets.push({ ...band, label: label + " (greatest)", data: line.high, fill: false });
      }
      datasets.push({ label, data: line.mean, parsing: false, borderColor: ink, backgroundColor: ink,
        borderWidth: 1.8, borderDash: dashes[s % dashes.length], pointRadius: few ? 3 : 0, pointHitRadius: 8 });
    });
  });
  return spec.reference ? withReference(spec, datasets) : datasets;
}

// A level that the curve is to be held against.
function withReference(spec, datasets) {
  const xs = datasets.flatMap((set) => set.data.map((point) => point.x));
  if (!xs.length) return datasets;
  const data = [Math.min(...xs), Math.max(...xs)].map((x) => ({ x, y: spec.reference.y }));
  return [...datasets, { label: spec.reference.label, data, parsing: false, borderColor: css("--soft"), backgroundColor: css("--soft"), borderWidth: 1.2,
    borderDash: [3, 4], pointRadius: 0 }];
}

// ---- charts ----

// Ticks of a logarithmic axis: 1, 2, 5 of each decade, whole decades where there are many, round numbers where there is not one.
function logTicks(min, max) {
  const decades = Math.log10(max / min);
  const digits = decades > 5 ? [1] : decades > 2.5 ? [1, 3] : [1, 2, 5];
  const step = decades > 12 ? 3 : 1;
  const ticks = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power += step)
    for (const digit of digits) ticks.push(digit * 10 ** power);
  const inside = ticks.filter((tick) => tick >= min && tick <= max);
  if (inside.length > 2) return inside;
  const wide = 10 ** Math.floor(Math.log10(max - min)), parts = (max - min) / wide, gap = parts < 3 ? wide / 2 : parts < 6 ? wide : 2 * wide;
  const round = [];
  for (let tick = Math.ceil(min / gap) * gap; tick <= max; tick += gap) round.push(Number(tick.toPrecision(6)));
  return round;
}

// Room around what is drawn; a level line is not drawn on the frame.
function range(datasets, key, log) {
  let min = Infinity, max = -Infinity;
  for (const set of datasets) for (const { [key]: value } of set.data) if (Number.isFinite(value) && (!log || value > 0)) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (min > max) return {};
  if (log) {
    const room = Math.max(1.15, (max / min) ** 0.05);
    return { min: min / room, max: max * room };
  }
  return key === "y" && min === max ? { min: min > 0 ? 0 : min ? 2 * min : -1, max: max > 0 ? 2 * max : max ? 0 : 1 } : {};
}

function scales(spec, log, datasets) {
  const grid = { color: css("--line") };
  const ticks = { color: css("--soft"), maxRotation: 0, callback: (value) => number(Number(value)) };
  const built = (scale) => { if (scale.type === "logarithmic") scale.ticks = logTicks(scale.min, scale.max).map((value) => ({ value })); };
  const title = (text) => ({ display: !!text, text, color: css("--soft") });
  const unit = { step: "step", epoch: "epoch", time: "seconds" }[axis];
  return {
    x: { type: spec.logx ? "logarithmic" : "linear", grid, ticks: { ...ticks, autoSkipPadding: 16 }, afterBuildTicks: built, title: title(spec.x || unit),
      ...(spec.logx ? range(datasets, "x", true) : {}) },
    y: { type: log ? "logarithmic" : "linear", grid, ticks, afterBuildTicks: built, title: title(spec.y || ""), ...range(datasets, "y", log) },
  };
}

function table(spec, datasets) {
  const shown = datasets.filter((set) => !set.band);
  const rows = [];
  for (const set of shown.filter((one) => one.data.length)) {
    const last = set.data[set.data.length - 1];
    const ys = set.data.map((point) => point.y).filter((y) => Number.isFinite(y));
    rows.push(element("tr", {}, element("th", { scope: "row" }, set.label),
      ...[set.data.length, Math.min(...ys), Math.max(...ys), last ? last.y : null]
        .map((value) => element("td", { class: "number" }, number(value)))));
  }
  const head = ["", "points", "least", "greatest", "last"];
  return element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { class: text ? "number" : "", scope: "col" }, text)))),
    element("tbody", {}, ...rows)));
}

function csv(spec, datasets) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const out = [["series", spec.x || { step: "step", epoch: "epoch", time: "seconds" }[axis], spec.y || "value"].map(quote).join(",")];
  for (const set of datasets) for (const point of set.data) out.push([quote(set.label), point.x, point.y].join(","));
  const link = element("a", { href: URL.createObjectURL(new Blob([out.join("\n") + "\n"], { type: "text/csv" })),
    download: spec.title.toLowerCase().replace(/[^a-z0-9]+/g, "-") + ".csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

function zoomByDrag(plot, canvas, entry) {
  const veil = element("div", { class: "drag" });
  plot.append(veil);
  let from = null;
  const at = (event) => event.clientX - canvas.getBoundingClientRect().left;
  canvas.addEventListener("pointerdown", (event) => { from = at(event); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = at(event);
    veil.style.display = "block";
    veil.style.left = Math.min(from, to) + "px";
    veil.style.width = Math.abs(to - from) + "px";
  });
  canvas.addEventListener("pointerup", (event) => {
    const to = at(event), start = from;
    from = null;
    veil.style.display = "none";
    if (start === null || Math.abs(to - start) < 8) return;
    const x = entry.chart.scales.x;
    entry.zoom = [x.getValueForPixel(Math.min(start, to)), x.getValueForPixel(Math.max(start, to))];
    draw(entry);
  });
  canvas.addEventListener("dblclick", () => { entry.zoom = null; draw(entry); });
}

// factor scales the range shown, shift moves it by that share of itself.
function scaleZoom(entry, factor, shift = 0) {
  const log = entry.spec.logx;
  const [min, max] = [entry.chart.scales.x.min, entry.chart.scales.x.max].map((x) => (log ? Math.log(x) : x));
  const middle = (min + max) / 2 + shift * (max - min), half = ((max - min) / 2) * factor;
  entry.zoom = [middle - half, middle + half].map((x) => (log ? Math.exp(x) : x));
  draw(entry);
}

// With the keyboard: arrows go from value to value (with Shift they move a zoomed view), + and - zoom, 0 shows all again.
function keys(event, entry) {
  const act = { "+": () => scaleZoom(entry, 0.5), "-": () => scaleZoom(entry, 2), 0: () => { entry.zoom = null; draw(entry); },
    ArrowLeft: () => (event.shiftKey ? scaleZoom(entry, 1, -0.25) : point(entry, -1)), ArrowRight: () => (event.shiftKey ? scaleZoom(entry, 1, 0.25) : point(entry, 1)) }[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

function drawAll() {
  for (const node of document.querySelectorAll(".swatch")) node.style.background = color(Number(node.dataset.color));
  charts.forEach(draw);
}

function point(entry, step) {
  const sets = entry.datasets.map((set, datasetIndex) => ({ set, datasetIndex })).filter(({ set }) => !set.band && set.data.length);
  const { min, max } = entry.chart.scales.x;
  const first = sets[0].set.data, shown = first.map((at, i) => i).filter((i) => first[i].x >= min && first[i].x <= max);
  if (!shown.length) return;
  const place = shown.indexOf(entry.at);
  entry.at = shown[place < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.min(Math.max(place + step, 0), shown.length - 1)];
  const x = first[entry.at].x;
  const found = sets.map(({ set, datasetIndex }) => ({ set, datasetIndex, index: set.data.findIndex((one) => one.x === x) })).filter(({ index }) => index >= 0);
  const active = found.map(({ datasetIndex, index }) => ({ datasetIndex, index }));
  entry.chart.setActiveElements(active);
  entry.chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
  entry.chart.update();
  live.textContent = `${number(x)}: ` + found.map(({ set, index }) => `${set.label} ${number(set.data[index].y)}`).join(", ");
}

function draw(entry) {
  const { spec } = entry;
  const datasets = spec.datasets ? spec.datasets() : seriesDatasets(spec);
  entry.datasets = datasets;
  const drawn = entry.log ? datasets.map((set) => ({ ...set, data: set.data.map(({ x, y }) => ({ x, y: y > 0 ? y : NaN })) })) : datasets;
  const options = {
    animation: false, maintainAspectRatio: false, normalized: true,
    interaction: { mode: spec.points ? "nearest" : "x", intersect: false, axis: "x" },
    scales: scales(spec, entry.log, datasets),
    plugins: {
      legend: { display: datasets.filter((set) => !set.band).length > 1, position: "bottom",
        labels: { color: css("--ink"), usePointStyle: true, boxHeight: 7, ...(spec.scatter ? {} : { pointStyle: "line", pointStyleWidth: 26 }), filter: (item, all) => !all.datasets[item.datasetIndex].band } },
      tooltip: { filter: (item) => !item.dataset.band, callbacks: {
        title: (items) => (items.length ? number(items[0].parsed.x) : ""),
        label: (item) => `${item.dataset.label}: ${number(item.parsed.y)}` } },
      decimation: { enabled: !spec.points, algorithm: "min-max", threshold: 1500 },
    },
  };
  if (entry.zoom) [options.scales.x.min, options.scales.x.max] = entry.zoom;
  if (entry.chart) entry.chart.destroy();
  entry.chart = new Chart(entry.canvas, { type: spec.type || "line", data: { datasets: drawn }, options });
  entry.table.replaceChildren(table(spec, datasets));
}

function chart(parent, spec) {
  const datasets = spec.datasets ? spec.datasets() : seriesDatasets(spec);
  const ys = datasets.flatMap((set) => set.data.map((at) => at.y)).filter(Number.isFinite);
  if (!ys.length || (spec.idle !== undefined && ys.every((y) => y === spec.idle))) return false;
  const positive = ys.every((y) => y >= 0) && ys.some((y) => y > 0);
  const before = (kept.charts || {})[spec.title] || {};
  const canvas = element("canvas", { role: "img", tabindex: "0",
    "aria-label": `${spec.title}. ${spec.about || ""} Arrow keys read the values; the figures are in the table below the chart.` });
  const plot = element("div", { class: "plot" }, canvas);
  const entry = { spec, canvas, log: positive && (before.log ?? (!!spec.log && ys.every((y) => y > 0))), zoom: before.zoom || null, at: -1 };
  canvas.addEventListener("keydown", (event) => keys(event, entry));
  entry.table = element("div", {});
  const tool = (text, act, label) => element("button", { type: "button", onclick: act, "aria-label": `${label}: ${spec.title}` }, text);
  parent.append(element("figure", {},
    element("figcaption", {}, element("h3", {}, spec.title), element("p", {}, spec.about || ""), spec.choice ? spec.choice(entry) : null),
    plot,
    element("div", { class: "tools" },
      positive ? tool("log", () => { entry.log = !entry.log; draw(entry); }, "Logarithmic or linear scale") : null,
      tool("+", () => scaleZoom(entry, 0.5), "Zoom in"), tool("−", () => scaleZoom(entry, 2), "Zoom out"),
      tool("reset", () => { entry.zoom = null; draw(entry); }, "Reset zoom"),
      tool("CSV", () => csv(spec, entry.datasets), "Take the numbers out as CSV")),
    element("details", {}, element("summary", {}, "Figures"), entry.table)));
  zoomByDrag(plot, canvas, entry);
  charts.push(entry);
  return true;
}

// ---- what is drawn ----

const known = [
  { section: "Curves" },
  { title: "Training loss", series: ["loss"], log: true, about: "Of the mini-batches, mean over mass." },
  { title: "Held-out loss", series: ["validation_loss", "test_loss", "train_loss"], log: true, about: "Over the whole set that the run watches." },
  { title: "Held-out accuracy", series: ["validation_accuracy", "test_accuracy", "train_accuracy"], about: "Share of examples classified rightly." },
  { title: "Time-averaged loss", series: ["last_window_loss"], log: true, about: "Mean over the last full window of steps." },
  { title: "Full loss", series: ["full_loss"], log: true, about: "The objective on the training set, in evaluation mode." },
  { section: "Step size" },
  { title: "Learning rate", series: ["lr"], about: "After its schedule." },
  { title: "Update norm", series: ["update_norm"], log: true, about: "Length of each step, ‖w_new − w‖." },
  { title: "Factor applied", series: ["factor"], log: true, idle: 1, about: "What clipping or normalising multiplied the direction by; 1 is untouched." },
  { title: "Clip fraction", series: ["clipped", "clipped_share"], idle: 0, about: "Share of coordinates that the method cut, and of micro-batches that the estimator cut." },
  { title: "Batch size", series: ["batch", "batch_size_bound", "norm_test_batch"], log: true,
    about: "The batch beside the batch-size bound B_S: larger batches than the bound stop paying." },
  { section: "Gradients" },
  { title: "Gradient norm", series: ["gradient_norm"], log: true, about: "Of the estimate, before the method clips or normalises it." },
  { title: "Full gradient norm", series: ["full_gradient_norm"], log: true, about: "On the training set or a sample, corrected for the sample's noise." },
  { title: "Time-averaged gradient norm", series: ["last_window_gradient_norm"], log: true, about: "Mean over the last full window of steps." },
  { title: "Gradient diversity", series: ["gradient_diversity"], log: true, about: "Σ‖g_i‖² / ‖Σ g_i‖²." },
  { title: "Noise scale", series: ["noise_scale"], log: true, about: "tr Σ / ‖∇F‖², which is B_S − 1." },
  { title: "Norm test", series: ["norm_test"], log: true, reference: { label: "passed below", y: 1 }, about: "Noise of the mini-batch over θ times its gradient's norm." },
  { title: "Noise RMS", series: ["noise_rms"], log: true, about: "√ of mean ‖g_i − ∇F‖² over single examples." },
  { title: "Tail index", series: ["tail_index"], reference: { label: "normal", y: 2 }, about: "2 is a light tail; below it the gradient noise is heavy-tailed." },
  { title: "Micro-batch norms", series: ["group_norm_q10", "group_norm_q50", "group_norm_q90"], log: true, about: "Quantiles over the micro-batches of a step." },
  { title: "Clip bound", series: ["rho", "bound"], log: true, about: "Adaptive: ρ, the least micro-batch norm of the step." },
  { title: "Shrinkage by clipping", series: ["mean_ratio"], log: true, about: "Norm of the clipped estimate over that of the plain mean." },
  { section: "Curvature" },
  { title: "Sharpness beside 2/η", series: ["lambda_max", "two_over_lr", "hessian_norm"], log: true, about: "Largest Hessian eigenvalue; above 2/η plain gradient steps are unstable." },
  { title: "Local smoothness", series: ["smoothness"], log: true, about: "How fast the gradient turns along a step." },
  { title: "Equilibrium ratio", series: ["step_ratio", "equilibrium_ratio"], log: true, reference: { label: "equilibrium", y: 1 }, about: "Of the steps really taken: 1 at equilibrium, for every method." },
  { title: "Invariance defect", series: ["invariance_defect"], reference: { label: "invariant", y: 0 }, about: "Falls like 1/√n once the iterates' distribution has settled." },
  { section: "Batch-size bounds under mechanisms" },
  { title: "With dropped coordinates", series: ["drop_bound"], log: true, about: "Diversity-inducing mechanisms: each coordinate dropped at random." },
  { title: "With Langevin noise", series: ["sgld_bound"], log: true, about: "Noise added to every coordinate." },
  { title: "With quantisation", series: ["quant_bound"], log: true, about: "Random signs and sizes." },
];

function curves(main) {
  const names = new Set(runs.flatMap((run) => Object.keys(run.series)));
  const used = new Set();
  let grid = null, heading = null;
  for (const spec of known) {
    if (spec.section) { heading = spec.section; grid = null; continue; }
    const series = spec.series.filter((name) => names.has(name));
    series.forEach((name) => used.add(name));
    if (!series.length) continue;
    const fresh = grid || element("div", { class: "grid" });
    if (!chart(fresh, { ...spec, series }) || grid) continue;
    grid = fresh;
    main.append(element("h2", {}, heading), grid);
  }
  // Figures of the last step are in the summary; what never moves says nothing as a curve.
  const moves = (name) => new Set(runs.flatMap((run) => (run.series[name] ? run.series[name].value : []))).size > 1;
  const rest = [...names].filter((name) => !used.has(name) && !name.startsWith("final_") && moves(name)).sort();
  if (!rest.length) return;
  grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "Other figures"), grid);
  for (const name of rest) chart(grid, { title: name.replaceAll("_", " "), series: [name] });
}

// ---- measures: numbers in tables, arrays as charts ----

const xy = (xs, ys) => (Array.isArray(xs) && Array.isArray(ys) ? xs.map((x, i) => ({ x, y: ys[i] })).filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)) : []);
const indexed = (ys) => (Array.isArray(ys) ? xy(ys.map((y, i) => i + 1), ys) : []);

// Counts over [edges] as an outline: two points a bin.
const outline = (edges, counts) => (Array.isArray(edges) && Array.isArray(counts) && edges.length === counts.length + 1
  ? counts.flatMap((count, i) => [{ x: edges[i], y: count }, { x: edges[i + 1], y: count }]) : []);
const middles = (edges, counts) => (Array.isArray(edges) && Array.isArray(counts) ? xy(counts.map((count, i) => (edges[i] + edges[i + 1]) / 2), counts) : []);

// Values in order against the share of values below.
const ordered = (values) => {
  const sorted = (Array.isArray(values) ? values : []).filter(Number.isFinite).sort((a, b) => a - b);
  return sorted.map((x, i) => ({ x, y: (i + 1) / sorted.length }));
};

const fitLine = (xs, l0, l1) => {
  const positive = (Array.isArray(xs) ? xs : []).filter((x) => x > 0);
  if (!positive.length || !Number.isFinite(l0) || !Number.isFinite(l1)) return [];
  const low = Math.min(...positive), high = Math.max(...positive);
  return [...Array(40).keys()].map((i) => low * (high / low) ** (i / 39)).map((x) => ({ x, y: l0 + l1 * x })).filter(({ y }) => y > 0);
};

const quantiles = (kind, text) => ({ title: `Quantiles of the noise norm of ${text}`, x: "probability", y: "‖g − ∇F‖",
  about: "Beside a sum of squared Gaussians and one of squared α-stables of the same median.",
  lines: (r) => ({ measured: xy(r.probabilities, r[kind + "_quantiles"]), Gaussian: xy(r.probabilities, r[kind + "_gaussian_quantiles"]),
    "α-stable": xy(r.probabilities, r[kind + "_stable_quantiles"]) }) });
const histogram = (kind, title, x, about) => ({ title, x, y: "count", fill: true, about,
  lines: (r) => ({ measured: outline(r[kind + "_histogram_edges"], r[kind + "_histogram_counts"]),
    Gaussian: middles(r[kind + "_histogram_edges"], r[kind + "_gaussian_histogram_counts"]),
    "α-stable": middles(r[kind + "_histogram_edges"], r[kind + "_stable_histogram_counts"]) }) });

// lines: figures of a result to lines by label, the measured one first.
const views = {
  noise_norm: [histogram("batch", "Noise norm of mini-batches", "‖g − ∇F‖", "Histogram beside Gaussian and α-stable nulls of the same median and effective dimension."), quantiles("batch", "mini-batches"),
    histogram("example", "Noise norm of single examples", "‖g − ∇F‖", "Histogram beside Gaussian and α-stable nulls of the same median and effective dimension."), quantiles("example", "single examples"),
    histogram("coordinate", "Coordinates of one mini-batch's noise", "value", "Histogram beside a normal of the same mean and variance, and stable values of the same median distance; try the logarithmic scale.")],
  variance_curve: [{ title: "Variance against sample size", x: "samples", y: "mean ‖g_B − ∇F‖²", logx: true,
    about: "It settles for light tails and keeps jumping for heavy ones.",
    lines: (r) => ({ measured: xy(r.variance_samples, r.variance_running_mean), Gaussian: xy(r.variance_samples, r.gaussian_running_mean) }) }],
  tail_index: [{ title: "Hill plot", x: "cut-off (largest norms used)", y: "index", logx: true, log: true,
    about: "To be read where it is level; right below 1.6 only.",
    lines: (r) => ({ measured: xy(r.hill_cutoff, r.hill_plot), Gaussian: xy(r.hill_cutoff, r.gaussian_hill_plot) }) }],
  clip_bias: [{ title: "Bias of clipped gradients", x: "threshold over moment", y: "‖E ĝ − ∇F‖", logx: true, log: true, about: "By norm and by coordinate, beside the bounds of the lemmas.",
    lines: (r) => ({ norm: xy(r.multiples, r.global_bias), coordinates: xy(r.multiples, r.coordinate_bias),
      "bound, norm": xy(r.multiples, r.global_bias_bound), "bound, coordinates": xy(r.multiples, r.coordinate_bias_bound) }) },
  { title: "Second moment of clipped gradients", x: "threshold over moment", y: "E‖ĝ‖²", logx: true, log: true, about: "By norm and by coordinate, beside the bounds of the lemmas.",
    lines: (r) => ({ norm: xy(r.multiples, r.global_second_moment), coordinates: xy(r.multiples, r.coordinate_second_moment),
      "bound, norm": xy(r.multiples, r.global_second_moment_bound), "bound, coordinates": xy(r.multiples, r.coordinate_second_moment_bound) }) }],
  sample_curves: ["loss", "gradient norm", "noise", "sharpness"].map((name) => ({ title: `Estimated ${name} against sample size`, x: "examples", y: name, logx: true,
    about: "Mean over samples of each size; dashed: one deviation to both sides.",
    lines: (r) => {
      const key = name.replace(" ", "_"), mean = r[key + "_by_size"], apart = r[key + "_deviation"];
      const shifted = (sign) => (Array.isArray(mean) && Array.isArray(apart) ? mean.map((y, i) => (apart[i] === null ? NaN : y + sign * apart[i])) : []);
      return { mean: xy(r.sizes, mean), above: xy(r.sizes, shifted(1)), below: xy(r.sizes, shifted(-1)) };
    } })),
  smoothness: [{ title: "Local smoothness against gradient norm", x: "‖∇F‖", y: "L", logx: true, log: true, scatter: true,
    about: "Each point is one step; the line is the fit L0 + L1 ‖∇F‖.",
    lines: (r) => ({ steps: xy(r.gradient_norms, r.smoothness_values), fit: fitLine(r.gradient_norms, r.l0, r.l1) }) }],
  time_averages: [{ title: "Loss by window", x: "window", y: "loss", log: true, about: "Mean of the mini-batch loss over each window of steps.",
    lines: (r) => ({ loss: indexed(r.window_loss) }) },
  { title: "Gradient norm by window", x: "window", y: "‖g‖", log: true, about: "Mean over each window of steps.", lines: (r) => ({ "gradient norm": indexed(r.window_gradient_norm) }) }],
  dragger: [{ title: "Suppression by class", x: "class", y: "mean log clip factor", scatter: true, idle: 0, about: "Mean over the examples of each class; the lowest is suppressed most.",
    lines: (r) => ({ classes: indexed(r.class_log_factors).map(({ x, y }) => ({ x: x - 1, y })) }) },
  { title: "Cosines of pairs of gradients", x: "cosine", y: "share of pairs below", about: "Known draggers with others, others among themselves, and within a class.",
    lines: (r) => ({ "dragger and benign": ordered(r.cosines_dragger_benign), "benign and benign": ordered(r.cosines_benign_benign),
      "benign, same class": ordered(r.cosines_benign_within_class) }) }],
};

const found = runs.flatMap((run) => (run.measures || []).map((entry) => ({ ...entry, run: run.name, g: run.g })));
const lastOfEach = (entries) => [...new Map(entries.map((entry) => [entry.run, entry])).values()];

function lineSet(label, points, ink, i, view) {
  const dots = view.scatter && i === 0;
  return { label, data: points, parsing: false, borderColor: ink, borderWidth: 1.8, backgroundColor: ink + (view.fill && i === 0 ? "50" : "cc"),
    fill: !!view.fill && i === 0, pointRadius: dots ? 2.5 : points.length < 4 ? 3 : 0, showLine: !dots, borderDash: i ? dashes[i % dashes.length] : [] };
}

// One chart a view. A choice above it says which run and step it shows; or the latest of every run, or several steps of one, the
// measured lines alone.
function measureChart(grid, measure, view) {
  const drawn = (entry) => Object.entries(view.lines(entry.result)).filter(([, points]) => points.length);
  const all = found.filter((entry) => entry.measure === measure && drawn(entry).length);
  if (!all.length) return;
  const latest = lastOfEach(all);
  const name = (entry) => `${entry.run}, step ${number(entry.step)}`, times = (run) => `${run}, several steps`;
  const repeated = latest.map(({ run }) => run).filter((run) => all.filter((entry) => entry.run === run).length > 1);
  let chosen = latest.length > 1 && data.groups.length > 1 ? "latest" : name(latest[0]);
  const before = ((kept.charts || {})[view.title] || {}).chosen;
  if (before === "latest" ? latest.length > 1 : all.some((entry) => name(entry) === before) || repeated.some((run) => times(run) === before)) chosen = before;
  // At most as many as have colours of their own, from the first to the last.
  const evenly = (list) => (list.length <= palette.length ? list : palette.map((_, i) => list[Math.round((i * (list.length - 1)) / (palette.length - 1))]));
  const datasets = () => {
    const run = repeated.find((one) => times(one) === chosen);
    if (run !== undefined)
      return evenly(all.filter((entry) => entry.run === run)).map((entry, k) => lineSet(`step ${number(entry.step)}`, drawn(entry)[0][1], color(k), 0, { ...view, fill: false }));
    if (chosen !== "latest") return drawn(all.find((entry) => name(entry) === chosen)).map(([label, points], i) => lineSet(label, points, color(i), i, view));
    return latest.map((entry, k) => {
      const set = lineSet(entry.run, drawn(entry)[0][1], color(data.groups.length > 1 ? entry.g : k), 0, { ...view, fill: false });
      return { ...set, borderDash: dashes[Math.floor(k / palette.length) % dashes.length] };
    });
  };
  const choice = (entry) => {
    entry.chosen = chosen;
    if (all.length < 2) return element("p", {}, name(all[0]));
    const options = [...(latest.length > 1 ? [["latest", "the latest of every run"]] : []), ...repeated.map((run) => [times(run), times(run)]), ...all.map((one) => [name(one), name(one)])];
    const select = element("select", { "aria-label": `Run and step: ${view.title}`, onchange: (event) => {
      chosen = entry.chosen = event.target.value;
      entry.zoom = null;
      draw(entry);
    } }, ...options.map(([value, text]) => element("option", { value }, text)));
    select.value = chosen;
    return select;
  };
  chart(grid, { ...view, points: true, type: view.scatter ? "scatter" : "line", datasets, choice });
}

function plainTable(head, rows) {
  return element("div", { class: "scroll", tabindex: "0" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)))), element("tbody", {}, ...rows)));
}

// The examples that clipping suppresses most, with what else is known of them.
function draggers(main) {
  const columns = [["suspects", "example"], ["suspect_log_factors", "mean log factor"], ["suspect_norms", "gradient norm"], ["suspect_losses", "loss"], ["suspect_planted", "marked"]];
  const latest = lastOfEach(found.filter((entry) => entry.measure === "dragger" && Array.isArray(entry.result.suspects) && entry.result.suspects.length));
  for (const { run, step, result } of latest) {
    const shown = columns.filter(([key]) => Array.isArray(result[key]));
    const rows = result.suspects.slice(0, 100).map((example, i) => element("tr", {}, ...shown.map(([key]) => element("td", { class: "number" }, number(result[key][i])))));
    main.append(element("details", { open: latest.length === 1 ? "" : null },
      element("summary", {}, `Examples suppressed most: ${run}, step ${number(step)}`), plainTable(shown.map(([, text]) => [text, "number"]), rows)));
  }
}

const frame = new Set(["sample", "population", "seconds", "units", "meaningless", "note"]);

function interval(pair) {
  if (!Array.isArray(pair)) return "";
  const [low, high] = pair;
  return low === null && high === null ? "–" : high === null ? `${number(low)} and above` : low === null ? `${number(high)} and below` : `${number(low)} to ${number(high)}`;
}

function figureRows({ step, measure, result }) {
  const keys = Object.keys(result).filter((key) => !frame.has(key) && !key.endsWith("_interval") && !Array.isArray(result[key]));
  const remark = [result.meaningless ? element("strong", {}, "Meaningless: " + result.meaningless + ". ") : null, result.note || ""];
  const span = Math.max(keys.length, 1);
  const merged = (kind, ...children) => element("td", { class: kind, rowspan: span }, ...children.filter((child) => child !== null));
  return (keys.length ? keys : [""]).map((key, i) => element("tr", { class: i ? null : "first" },
    ...(i ? [] : [element("th", { scope: "rowgroup", rowspan: span }, measure), merged("number", number(step))]),
    element("td", {}, element("code", {}, key)), element("td", { class: "number" }, key ? number(result[key]) : ""),
    element("td", {}, (result.units || {})[key] || ""), element("td", { class: "number" }, interval(result[key + "_interval"])),
    ...(i ? [] : [merged("number", number(result.sample)), merged("number", number(result.seconds)), merged("remark", ...remark)])));
}

function measures(main) {
  if (!found.length) return;
  const grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "Measures"), grid);
  for (const [measure, list] of Object.entries(views)) for (const view of list) measureChart(grid, measure, view);
  draggers(main);
  const head = [["measure"], ["step", "number"], ["figure"], ["value", "number"], ["unit"], ["95% interval", "number"], ["sample", "number"], ["seconds", "number"], ["remark"]];
  for (const run of runs) {
    const latest = [...new Map((run.measures || []).map((entry) => [entry.measure, entry])).values()];
    if (!latest.length) continue;
    main.append(element("details", { open: runs.length === 1 ? "" : null }, element("summary", {}, `All figures, the latest of each measure: ${run.name}`),
      plainTable(head, latest.flatMap(figureRows))));
  }
}

// Mean over the seeds of a group, and their standard deviation.
function spread(values) {
  const known = values.filter((value) => typeof value === "number");
  if (!known.length || known.length < values.length) return "–";
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(known.length - 1, 1));
  return `${number(mean)} ± ${number(Number(deviation.toPrecision(2)))}`;
}

function summary(main) {
  const scores = [...new Set(runs.flatMap((run) => Object.keys(run.result || {})))].filter((key) => /^(train|validation|test)_/.test(key));
  const columns = ["steps", "epochs", ...scores, "seconds", "examples_per_second", "stopped"]
    .filter((key) => runs.some((run) => run.result && !["object", "undefined"].includes(typeof run.result[key])));
  const best = Object.fromEntries(columns.filter((key) => /_(loss|accuracy)$/.test(key)).map((key) => {
    const values = runs.map((run) => run.result && run.result[key]).filter((value) => typeof value === "number");
    return [key, new Set(values).size > 1 ? (key.endsWith("accuracy") ? Math.max(...values) : Math.min(...values)) : undefined];
  }));
  const numeric = (key) => (key === "stopped" ? null : "number");
  const row = (run) => element("tr", {},
    element("th", { scope: "row" }, element("span", { class: "swatch", "data-color": run.g, "aria-hidden": "true" }), run.name),
    element("td", {}, run.config["model.name"] || run.config.model || "–"), element("td", {}, run.config["method.name"] || run.config.method || "–"),
    ...columns.map((key) => {
      const value = run.result ? run.result[key] : null;
      return element("td", { class: (numeric(key) || "") + (best[key] !== undefined && value === best[key] ? " best" : "") }, number(value));
    }));
  const rows = data.groups.flatMap((group, g) => {
    const own = runs.filter((run) => run.g === g).map(row);
    if (group.runs.length < 2) return own;
    return [...own, element("tr", { class: "soft" }, element("th", { scope: "row" }, `${group.name}: mean ± deviation`), element("td", {}), element("td", {}),
      ...columns.map((key) => element("td", { class: numeric(key) }, numeric(key) ? spread(group.runs.map((run) => run.result && run.result[key])) : "")))];
  });
  main.append(element("h2", { id: "summary" }, "Summary"),
    plainTable([["run"], ["model"], ["method"], ...columns.map((key) => [key.replace("examples_per_second", "examples/s").replaceAll("_", " "), numeric(key)])], rows));
}

function warnings(main) {
  const list = runs.flatMap((run) => (run.warnings || []).map((text) => element("li", {}, element("strong", {}, run.name + ": "), text)));
  if (list.length) main.append(element("ul", { class: "warn", "aria-label": "Warnings" }, ...list));
}

function differences(main) {
  if (runs.length < 2) {
    const rows = Object.entries(runs[0].config).map(([key, value]) => element("tr", {}, element("th", { scope: "row" }, element("code", {}, key)), element("td", {}, value)));
    main.append(element("h2", {}, "Configuration"), element("details", {}, element("summary", {}, "All settings"), element("div", { class: "scroll" }, element("table", {}, element("tbody", {}, ...rows)))));
    return;
  }
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].sort();
  const differing = keys.filter((key) => new Set(runs.map((run) => run.config[key])).size > 1);
  main.append(element("h2", {}, "What differs"));
  if (!differing.length) { main.append(element("p", {}, "The configurations are the same.")); return; }
  main.append(plainTable([["setting"], ...runs.map((run) => [run.name])], differing.map((key) => element("tr", {},
    element("th", { scope: "row" }, element("code", {}, key)), ...runs.map((run) => element("td", {}, run.config[key] === undefined ? "–" : run.config[key]))))));
}

function controls(main) {
  const radio = (value, text) => {
    const input = element("input", { type: "radio", name: "axis", value, onchange: () => { axis = value; charts.forEach((entry) => { entry.zoom = null; draw(entry); }); } });
    input.checked = value === axis;
    return element("label", {}, input, " " + text);
  };
  const slider = element("input", { type: "range", min: "0", max: "0.98", step: "0.02", value: String(smoothing), "aria-label": "Smoothing of curves",
    oninput: (event) => { smoothing = Number(event.target.value); charts.forEach((entry) => { if (!entry.spec.datasets) draw(entry); }); } });
  const theme = element("button", { type: "button", onclick: () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    drawAll();
  } }, "light / dark");
  main.append(element("div", { class: "controls" },
    element("fieldset", {}, element("legend", {}, "Against"), radio("step", "step"), radio("epoch", "epoch"), radio("time", "seconds")),
    element("label", {}, "Smoothing ", slider), theme,
    element("span", { class: "soft" }, "Drag across a chart to zoom, double click to reset. On a focused chart: arrow keys read values, + and − zoom, 0 resets.")));
}

function contents(main) {
  const links = [...main.querySelectorAll("h2")].map((heading) => {
    heading.id = heading.id || heading.textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    return element("a", { href: "#" + heading.id }, heading.textContent);
  });
  main.prepend(element("nav", { "aria-label": "Sections" }, ...links));
}

// Printed in light colours, whatever the screen shows, at the size that the paper gives.
function printing() {
  const { dataset } = document.documentElement;
  let before;
  addEventListener("beforeprint", () => { before = dataset.theme; dataset.theme = "light"; drawAll(); });
  addEventListener("afterprint", () => { if (before) dataset.theme = before; else delete dataset.theme; drawAll(); });
}

function follow() {
  if (!(data.refresh > 0)) return;
  document.querySelector("header").append(element("p", { class: "soft", role: "status" }, `The runs go on: this page loads itself anew every ${number(data.refresh)} s and keeps its place.`));
  const again = () => {
    if (document.hidden || document.querySelector(".drag[style*=block]")) { setTimeout(again, 500); return; }
    const state = { axis, smoothing, theme: document.documentElement.dataset.theme, scroll: scrollY,
      open: [...document.querySelectorAll("details")].map((node) => node.open),
      charts: Object.fromEntries(charts.map((entry) => [entry.spec.title, { zoom: entry.zoom, log: entry.log, chosen: entry.chosen }])) };
    try { sessionStorage.setItem(memory, JSON.stringify(state)); } catch { /* then the page begins at its top */ }
    location.reload();
  };
  setTimeout(again, data.refresh * 1000);
}

function restore() {
  const details = [...document.querySelectorAll("details")];
  if (kept.open && kept.open.length === details.length) details.forEach((node, i) => { node.open = kept.open[i]; });
  if (kept.scroll) scrollTo(0, kept.scroll);
}

const main = document.getElementById("content");
const live = element("div", { class: "unseen", "aria-live": "polite" });
document.body.append(live);
warnings(main);
summary(main);
differences(main);
controls(main);
curves(main);
measures(main);
contents(main);
drawAll();
restore();
printing();
follow();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
