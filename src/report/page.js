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
data.groups.forEach((group, g) => group.runs.forEach((run) => { run.g = g; }));
const runs = data.groups.flatMap((group) => group.runs);

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
  const marked = [...datasets, ...marks(spec, datasets)];
  return spec.reference ? withReference(spec, marked) : marked;
}

// ---- what a measure called meaningless is marked where it stands, or at the foot of the chart ----

// Measure by its figures. What a step has a figure of that name of, too, is traced under another name, or not at all.
const figuresOf = new Map();
const ofSteps = { loss: "full_loss", gradient_norm: "full_gradient_norm", batch: "" };
for (const run of runs) for (const { measure, result } of run.measures) for (const key of Object.keys(result)) figuresOf.set(ofSteps[key] ?? key, measure);

function marks(spec, datasets) {
  const ys = datasets.flatMap((set) => set.data.map(({ y }) => y)).filter(Number.isFinite), positive = ys.filter((y) => y > 0);
  const foot = positive.length ? Math.min(...positive) : ys.length ? Math.min(...ys) : 0;
  return data.groups.flatMap((group, g) => {
    const ink = data.groups.length > 1 ? color(g) : css("--ink"), points = [];
    for (const run of group.runs) for (const mark of run.meaningless) {
      const name = spec.series.find((one) => figuresOf.get(one) === mark.measure);
      if (!name) continue;
      const series = run.series[name], i = series ? series.step.indexOf(mark.step) : -1, y = i < 0 ? null : series.value[i];
      points.push({ x: mark[axis], y: Number.isFinite(y) ? y : foot, why: mark.why });
    }
    const shown = points.filter(({ x }) => Number.isFinite(x));
    return shown.length ? [{ label: `${group.name} · meaningless`, data: shown, parsing: false, showLine: false, mark: true, pointStyle: "crossRot", pointRadius: 6, pointHitRadius: 8,
      borderColor: ink, backgroundColor: ink, borderWidth: 2 }] : [];
  });
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
  const drawn = entry.log ? datasets.map((set) => ({ ...set, data: set.data.map((at) => ({ ...at, y: at.y > 0 ? at.y : NaN })) })) : datasets;
  const options = {
    animation: false, maintainAspectRatio: false, normalized: true,
    interaction: { mode: spec.points ? "nearest" : "x", intersect: false, axis: "x" },
    scales: scales(spec, entry.log, datasets),
    plugins: {
      legend: { display: datasets.filter((set) => !set.band).length > 1, position: "bottom",
        labels: { color: css("--ink"), usePointStyle: true, boxHeight: 7, ...(spec.scatter ? {} : { pointStyle: "line", pointStyleWidth: 26 }), filter: (item, all) => !all.datasets[item.datasetIndex].band } },
      tooltip: { filter: (item) => !item.dataset.band, callbacks: {
        title: (items) => (items.length ? number(items[0].parsed.x) : ""),
        label: (item) => `${item.dataset.label}: ${item.dataset.mark ? item.raw.why : number(item.parsed.y)}` } },
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
