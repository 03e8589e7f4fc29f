"use strict";
// Measures: numbers in tables, arrays as charts.

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

const found = [];
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
  const name = (entry) => `${entry.run}, step ${number(entry.step)}${entry.result.meaningless ? ", meaningless" : ""}`, times = (run) => `${run}, several steps`;
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

// What `glissade scale` predicts: the speed-up by every exchange of which a law is known.
function scaling(main) {
  const ways = (run) => (Array.isArray(run.scale && run.scale.exchanges) ? run.scale.exchanges : []).filter((way) => way && Array.isArray(way.rows));
  const curve = (way) => way.rows.filter((row) => row && Number.isFinite(row.ranks) && Number.isFinite(row.speedup)).map(({ ranks, speedup }) => ({ x: ranks, y: speedup }));
  const predicted = runs.filter((run) => ways(run).some((way) => curve(way).length));
  if (!predicted.length) return;
  const grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "More ranks"), grid);
  for (const run of predicted) {
    const about = ways(run).filter((way) => Number.isFinite(way.enough_ranks)).map((way) => `${way.exchange}: more than ${number(way.enough_ranks)} are waste (${way.limited_by})`);
    chart(grid, { title: predicted.length > 1 ? `Predicted speed-up: ${run.name}` : "Predicted speed-up", x: "ranks", y: "times as fast as one rank", logx: true, log: true, points: true,
      about: `To an equal loss, ${number(run.scale.rows_a_rank)} rows a rank. ${about.join("; ")}.`,
      datasets: () => ways(run).filter((way) => curve(way).length).map((way, i) => lineSet(String(way.exchange), curve(way), color(i), i, {})) });
  }
}

function measures(main) {
  found.push(...runs.flatMap((run) => run.measures.map((entry) => ({ ...entry, run: run.name, g: run.g }))));
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
