"use strict";
// Draws the report from the JSON in #data: groups (runs that differ only in their seed), their series and measures.

const data = JSON.parse(document.getElementById("data").textContent);
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f", "#a65628", "#66a61e"];
const color = (i) => palette[i % palette.length];
const dark = () => {
  const forced = document.documentElement.dataset.theme;
  return forced ? forced === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = [];
let axis = "step";
let smoothing = 0;

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
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
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

function seriesDatasets(spec) {
  const datasets = [];
  data.groups.forEach((group, g) => {
    spec.series.forEach((name, s) => {
      const line = lines(group, name);
      if (!line) return;
      const label = group.name + (spec.series.length > 1 ? " · " + name : "");
      const few = line.mean.length < 12;
      if (line.low) {
        const band = { borderWidth: 0, pointRadius: 0, backgroundColor: color(g) + "30", band: true, parsing: false };
        datasets.push({ ...band, label: label + " (least)", data: line.low, fill: "+1" });
        datasets.push({ ...band, label: label + " (greatest)", data: line.high, fill: false });
      }
      datasets.push({ label, data: line.mean, parsing: false, borderColor: color(g), backgroundColor: color(g),
        borderWidth: 1.8, borderDash: dashes[s % dashes.length], pointRadius: few ? 3 : 0, pointHitRadius: 8 });
    });
  });
  return datasets;
}

// ---- charts ----

function scales(spec, log) {
  const grid = { color: css("--line") };
  const ticks = { color: css("--soft"), maxRotation: 0, callback(value) {
    const crowded = this.type === "logarithmic" && !["1", "2", "5"].includes(Number(value).toExponential()[0]);
    return crowded ? "" : number(Number(value));
  } };
  const title = (text) => ({ display: !!text, text, color: css("--soft") });
  const unit = { step: "step", epoch: "epoch", time: "seconds" }[axis];
  return {
    x: { type: spec.logx ? "logarithmic" : "linear", grid, ticks: { ...ticks, autoSkipPadding: 16 },
      title: title(spec.x || unit), min: spec.min, max: spec.max },
    y: { type: log ? "logarithmic" : "linear", grid, ticks, title: title(spec.y || "") },
  };
}

function table(spec, datasets) {
  const shown = datasets.filter((set) => !set.band);
  const rows = [];
  for (const set of shown) {
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
  const out = ["series,x,y"];
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

function scaleZoom(entry, factor) {
  const { min, max } = entry.chart.scales.x;
  const middle = (min + max) / 2, half = ((max - min) / 2) * factor;
  entry.zoom = [middle - half, middle + half];
  draw(entry);
}

function draw(entry) {
  const { spec } = entry;
  const datasets = spec.datasets ? spec.datasets() : seriesDatasets(spec);
  entry.datasets = datasets;
  const options = {
    animation: false, maintainAspectRatio: false, normalized: true,
    interaction: { mode: spec.points ? "nearest" : "x", intersect: false, axis: "x" },
    scales: scales(spec, entry.log),
    plugins: {
      legend: { display: datasets.filter((set) => !set.band).length > 1, position: "bottom",
        labels: { color: css("--ink"), boxWidth: 14, boxHeight: 2, filter: (item, all) => !all.datasets[item.datasetIndex].band } },
      tooltip: { filter: (item) => !item.dataset.band, callbacks: {
        title: (items) => (items.length ? number(items[0].parsed.x) : ""),
        label: (item) => `${item.dataset.label}: ${number(item.parsed.y)}` } },
      decimation: { enabled: !spec.points, algorithm: "min-max", threshold: 1500 },
    },
  };
  if (entry.zoom) [options.scales.x.min, options.scales.x.max] = entry.zoom;
  if (entry.chart) entry.chart.destroy();
  entry.chart = new Chart(entry.canvas, { type: spec.type || "line", data: { datasets }, options });
  entry.table.replaceChildren(table(spec, datasets));
}

function chart(parent, spec) {
  const datasets = spec.datasets ? spec.datasets() : seriesDatasets(spec);
  if (!datasets.some((set) => set.data.length)) return false;
  const positive = datasets.every((set) => set.data.every((point) => point.y === null || point.y > 0));
  const canvas = element("canvas", { role: "img", tabindex: "0",
    "aria-label": `${spec.title}. ${spec.about || ""} The figures are in the table below the chart.` });
  const plot = element("div", { class: "plot" }, canvas);
  const entry = { spec, canvas, log: !!spec.log && positive, zoom: null };
  entry.table = element("div", {});
  const tool = (text, act, label) => element("button", { type: "button", onclick: act, "aria-label": `${label}: ${spec.title}` }, text);
  parent.append(element("figure", {},
    element("figcaption", {}, element("h3", {}, spec.title), element("p", {}, spec.about || "")),
    plot,
    element("div", { class: "tools" },
      positive ? tool("log", () => { entry.log = !entry.log; draw(entry); }, "Logarithmic or linear scale") : null,
      tool("+", () => scaleZoom(entry, 0.5), "Zoom in"), tool("−", () => scaleZoom(entry, 2), "Zoom out"),
      tool("reset", () => { entry.zoom = null; draw(entry); }, "Reset zoom"),
      tool("CSV", () => csv(spec, entry.datasets), "Take the numbers out as CSV")),
    element("details", {}, element("summary", {}, "Figures"), entry.table)));
  zoomByDrag(plot, canvas, entry);
  charts.push(entry);
  draw(entry);
  return true;
}

// ---- what is drawn ----

const known = [
  { section: "Curves" },
  { title: "Training loss", series: ["loss"], log: true, about: "Of the mini-batches, mean over mass." },
  { title: "Held-out loss", series: ["validation_loss", "test_loss", "train_loss"], log: true, about: "Over the whole set that the run watches." },
  { title: "Held-out accuracy", series: ["validation_accuracy", "test_accuracy", "train_accuracy"], about: "Share of examples classified rightly." },
  { title: "Time-averaged loss", series: ["last_window_loss", "last_window_gradient_norm"], about: "Averages over windows of steps." },
  { section: "Step size" },
  { title: "Learning rate", series: ["lr"], about: "After its schedule." },
  { title: "Update norm", series: ["update_norm"], log: true, about: "Length of each step, ‖w_new − w‖." },
  { title: "Factor applied", series: ["factor"], log: true, about: "What clipping or normalising multiplied the direction by; 1 is untouched." },
  { title: "Coordinates clipped", series: ["clipped"], about: "Share of coordinates that coordinate-wise clipping cut." },
  { title: "Batch size", series: ["batch", "batch_size_bound"], log: true, about: "The batch beside the batch-size bound B_S: larger batches than the bound stop paying." },
  { section: "Gradients" },
  { title: "Gradient norm", series: ["gradient_norm"], log: true, about: "Of the estimate, before the method clips or normalises it." },
  { title: "Gradient diversity", series: ["gradient_diversity"], log: true, about: "Σ‖g_i‖² / ‖Σ g_i‖²." },
  { title: "Noise scale", series: ["noise_scale"], log: true, about: "tr Σ / ‖∇F‖², which is B_S − 1." },
  { title: "Micro-batch norms", series: ["micro_norm_q10", "micro_norm_q50", "micro_norm_q90"], log: true, about: "Quantiles over the micro-batches of a step." },
  { title: "Clip bound and share clipped", series: ["rho", "clip_share"], log: true, about: "Adaptive bound ρ, the least micro-batch norm." },
  { title: "Tail index", series: ["tail_index"], about: "2 is a light tail; below it the gradient noise is heavy-tailed." },
  { section: "Curvature" },
  { title: "Sharpness beside 2/η", series: ["lambda_max", "two_over_lr"], log: true, about: "Largest Hessian eigenvalue; above 2/η plain gradient steps are unstable." },
  { title: "Equilibrium ratio", series: ["equilibrium_ratio"], about: "1 at equilibrium for plain SGD." },
];

function curves(main) {
  const names = new Set(data.groups.flatMap((group) => group.runs.flatMap((run) => Object.keys(run.series))));
  const used = new Set();
  let grid = null, heading = null;
  for (const spec of known) {
    if (spec.section) { heading = spec.section; grid = null; continue; }
    const series = spec.series.filter((name) => names.has(name));
    if (!series.length) continue;
    if (!grid) {
      grid = element("div", { class: "grid" });
      main.append(element("h2", {}, heading), grid);
    }
    series.forEach((name) => used.add(name));
    chart(grid, { ...spec, series });
  }
  // Figures of the last step are in the summary; what never moves says nothing as a curve.
  const moves = (name) => new Set(data.groups.flatMap((group) => group.runs.flatMap((run) => (run.series[name] ? run.series[name].value : [])))).size > 1;
  const rest = [...names].filter((name) => !used.has(name) && !name.startsWith("final_") && moves(name)).sort();
  if (!rest.length) return;
  grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "Other figures"), grid);
  for (const name of rest) chart(grid, { title: name.replaceAll("_", " "), series: [name] });
}

// ---- measures: numbers in a table, arrays as charts ----

const xy = (xs, ys) => (xs && ys ? xs.map((x, i) => ({ x, y: ys[i] })).filter((point) => point.x !== null && point.y !== null) : []);

// Counts over [edges] as an outline: two points a bin.
function outline(edges, counts) {
  if (!edges || !counts) return [];
  return counts.flatMap((count, i) => [{ x: edges[i], y: count }, { x: edges[i + 1], y: count }]);
}

const fitLine = (xs, l0, l1) => {
  const positive = (xs || []).filter((x) => x > 0);
  if (!positive.length || l0 === undefined) return [];
  const low = Math.min(...positive), high = Math.max(...positive);
  return [...Array(40).keys()].map((i) => low * (high / low) ** (i / 39)).map((x) => ({ x, y: l0 + l1 * x }));
};

const quantiles = (kind) => ({ title: `${kind}: quantiles of the noise norm`, x: "probability", y: "norm",
  about: "Measured beside a sum of squared Gaussians and one of squared α-stables of the same median.",
  lines: (r) => ({ measured: xy(r.probabilities, r[kind + "_quantiles"]), Gaussian: xy(r.probabilities, r[kind + "_gaussian_quantiles"]),
    "α-stable": xy(r.probabilities, r[kind + "_stable_quantiles"]) }) });
const histogram = (kind, text) => ({ title: `Noise norm of ${text}`, x: kind === "coordinate" ? "value" : "‖g − ∇F‖", y: "count", fill: true,
  about: "Histogram.", lines: (r) => ({ count: outline(r[kind + "_histogram_edges"], r[kind + "_histogram_counts"]) }) });

const views = {
  noise_norm: [histogram("batch", "mini-batches"), quantiles("batch"), histogram("example", "single examples"), quantiles("example"),
    histogram("coordinate", "coordinates of one mini-batch")],
  variance_curve: [{ title: "Variance against sample size", x: "samples", y: "mean ‖g_B − ∇F‖²", logx: true,
    about: "It settles for light tails and keeps jumping for heavy ones.",
    lines: (r) => ({ measured: xy(r.variance_samples, r.variance_running_mean), Gaussian: xy(r.variance_samples, r.gaussian_running_mean) }) }],
  tail_index: [{ title: "Hill plot", x: "cut-off (largest norms used)", y: "index", logx: true,
    about: "To be read where it is level; right below 1.6 only.",
    lines: (r) => ({ measured: xy(r.hill_cutoff, r.hill_plot), Gaussian: xy(r.hill_cutoff, r.gaussian_hill_plot) }) }],
  smoothness: [{ title: "Local smoothness against gradient norm", x: "‖∇F‖", y: "L", logx: true, log: true, scatter: true,
    about: "Each point is one step; the line is the fit L0 + L1 ‖∇F‖.",
    lines: (r) => ({ steps: xy(r.gradient_norms, r.smoothness_values), fit: fitLine(r.gradient_norms, r.l0, r.l1) }) }],
  time_averages: [{ title: "Time averages over windows", x: "window", y: "", about: "Mean of the loss and of the gradient norm in each window.",
    lines: (r) => ({ loss: (r.window_loss || []).map((y, x) => ({ x, y })), "gradient norm": (r.window_gradient_norm || []).map((y, x) => ({ x, y })) }) }],
};

function measureCharts(grid, entry) {
  for (const view of views[entry.measure] || []) {
    const found = Object.entries(view.lines(entry.result)).filter(([, points]) => points.length);
    if (!found.length) continue;
    chart(grid, { title: `${view.title} (${entry.run}, step ${number(entry.step)})`, about: view.about, x: view.x, y: view.y, logx: view.logx,
      log: view.log, points: true, type: view.scatter ? "scatter" : "line",
      datasets: () => found.map(([label, points], i) => ({ label, data: points, parsing: false, borderColor: color(i), borderWidth: 1.8,
        backgroundColor: color(i) + (view.fill ? "50" : "cc"), fill: !!view.fill, pointRadius: view.scatter && i === 0 ? 2.5 : 0,
        showLine: !(view.scatter && i === 0), borderDash: i ? dashes[i % dashes.length] : [] })) });
  }
}

const frame = new Set(["sample", "population", "seconds", "units", "meaningless", "note"]);

function measures(main) {
  const found = data.groups.flatMap((group) => group.runs.flatMap((run) => (run.measures || []).map((entry) => ({ ...entry, run: run.name }))));
  if (!found.length) return;
  const latest = new Map();
  for (const entry of found) latest.set(entry.run + "/" + entry.measure, entry);
  const rows = [];
  for (const { run, step, measure, result } of latest.values()) {
    for (const [key, value] of Object.entries(result)) {
      if (frame.has(key) || key.endsWith("_interval") || Array.isArray(value)) continue;
      const interval = result[key + "_interval"];
      rows.push(element("tr", {}, element("td", {}, run), element("td", { class: "number" }, number(step)), element("td", {}, measure),
        element("th", { scope: "row" }, element("code", {}, key)), element("td", { class: "number" }, number(value)),
        element("td", { class: "number" }, interval ? `${number(interval[0])} to ${number(interval[1])}` : ""),
        element("td", { class: "number" }, number(result.sample)), element("td", {}, result.meaningless || result.note || "")));
    }
  }
  const head = ["run", "step", "measure", "figure", "value", "95% interval", "sample", "remark"];
  const grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "Measures"), grid, element("details", { open: "" }, element("summary", {}, "All figures, the latest of each measure"),
    element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows)))));
  for (const entry of latest.values()) measureCharts(grid, entry);
}

function summary(main) {
  const runs = data.groups.flatMap((group, g) => group.runs.map((run) => ({ ...run, g })));
  const columns = [["steps", 0], ["epochs", 0], ["train_loss", -1], ["test_loss", -1], ["test_accuracy", 1], ["seconds", 0],
    ["examples_per_second", 0], ["stopped", 0]].filter(([key]) => runs.some((run) => run.result && run.result[key] !== undefined && run.result[key] !== null));
  const best = Object.fromEntries(columns.filter(([, sign]) => sign).map(([key, sign]) => {
    const values = runs.map((run) => run.result && run.result[key]).filter((value) => typeof value === "number");
    return [key, sign > 0 ? Math.max(...values) : Math.min(...values)];
  }));
  main.append(element("h2", { id: "summary" }, "Summary"), element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "run"), element("th", { scope: "col" }, "model"), element("th", { scope: "col" }, "method"),
      ...columns.map(([key]) => element("th", { scope: "col", class: "number" }, key.replaceAll("_", " "))))),
    element("tbody", {}, ...runs.map((run) => element("tr", {},
      element("th", { scope: "row" }, element("span", { class: "swatch", style: `background:${color(run.g)}`, "aria-hidden": "true" }), run.name),
      element("td", {}, run.config["model.name"] || "–"), element("td", {}, run.config["method.name"] || "–"),
      ...columns.map(([key]) => {
        const value = run.result ? run.result[key] : null;
        return element("td", { class: "number" + (best[key] !== undefined && value === best[key] && runs.some((other) => other.result && other.result[key] !== value) ? " best" : "") }, number(value));
      })))))));
}

function differences(main) {
  const runs = data.groups.flatMap((group) => group.runs);
  if (runs.length < 2) {
    const rows = Object.entries(runs[0].config).map(([key, value]) => element("tr", {}, element("th", { scope: "row" }, element("code", {}, key)), element("td", {}, value)));
    main.append(element("h2", {}, "Configuration"), element("details", {}, element("summary", {}, "All settings"), element("div", { class: "scroll" }, element("table", {}, element("tbody", {}, ...rows)))));
    return;
  }
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].sort();
  const differing = keys.filter((key) => new Set(runs.map((run) => run.config[key])).size > 1);
  main.append(element("h2", {}, "What differs"));
  if (!differing.length) { main.append(element("p", {}, "The configurations are the same.")); return; }
  main.append(element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "setting"), ...runs.map((run) => element("th", { scope: "col" }, run.name)))),
    element("tbody", {}, ...differing.map((key) => element("tr", {}, element("th", { scope: "row" }, element("code", {}, key)),
      ...runs.map((run) => element("td", {}, run.config[key] === undefined ? "–" : run.config[key]))))))));
}

function controls(main) {
  const radio = (value, text) => {
    const input = element("input", { type: "radio", name: "axis", value, onchange: () => { axis = value; charts.forEach((entry) => { entry.zoom = null; draw(entry); }); } });
    input.checked = value === axis;
    return element("label", {}, input, " " + text);
  };
  const slider = element("input", { type: "range", min: "0", max: "0.98", step: "0.02", value: "0", "aria-label": "Smoothing of curves",
    oninput: (event) => { smoothing = Number(event.target.value); charts.forEach((entry) => { if (!entry.spec.datasets) draw(entry); }); } });
  const theme = element("button", { type: "button", onclick: () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    charts.forEach(draw);
  } }, "light / dark");
  main.append(element("div", { class: "controls" },
    element("fieldset", {}, element("legend", {}, "Against"), radio("step", "step"), radio("epoch", "epoch"), radio("time", "seconds")),
    element("label", {}, "Smoothing ", slider), theme,
    element("span", { class: "soft" }, "Drag across a chart to zoom, double click to reset.")));
}

const main = document.getElementById("content");
summary(main);
for (const warning of data.warnings || []) main.append(element("p", { class: "warn" }, warning));
differences(main);
controls(main);
curves(main);
measures(main);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(draw));
