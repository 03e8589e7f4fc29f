"use strict";
// The page's first section: what the gradients say, in sentences with their intervals.

// The latest result of a measure in a group, and the run it is of.
function latestOf(group, ...names) {
  for (const name of names) {
    for (const run of group.runs) {
      const entries = run.measures.filter((entry) => entry.measure === name);
      if (entries.length) return { run, name, entry: entries[entries.length - 1], result: entries[entries.length - 1].result };
    }
  }
  return null;
}

const short = (value) => (Number.isInteger(value) ? number(value) : number(Number(Number(value).toPrecision(3))));
const batchOf = (run) => {
  const logged = run.series.batch ? run.series.batch.value.filter(Number.isFinite) : [];
  return logged.length ? logged[logged.length - 1] : Number(run.config["train.batch"]);
};
const spoken = (pair) => {
  const text = interval(Array.isArray(pair) ? pair.map((end) => (Number.isFinite(end) ? Number(end.toPrecision(3)) : null)) : pair);
  return text && text !== "–" ? ` (95% interval: ${text})` : "";
};
const unreadable = (what, { entry, result }) => `${what}: not to be read at step ${number(entry.step)}, since ${result.meaningless}.`;

function batchFinding(group) {
  const found = latestOf(group, "gradient_diversity", "noise_scale");
  if (!found) return null;
  const { run, entry, result } = found;
  if (result.meaningless) return unreadable("Batch size", found);
  const bound = result.batch_size_bound, pair = result.batch_size_bound_interval, batch = batchOf(run);
  if (!Number.isFinite(bound)) return `Batch size: at step ${number(entry.step)} the mean gradient cannot be told from zero, so there is no bound.`;
  const [low, high] = Array.isArray(pair) ? pair : [bound, bound];
  const verdict = !Number.isFinite(batch) ? "" : Number.isFinite(low) && batch < low ? ` The run's batch of ${number(batch)} is below it: larger ones still save steps.`
    : Number.isFinite(high) && batch > high ? ` The run's batch of ${number(batch)} is above it: smaller ones would cost less for the same progress.`
    : ` The run's batch of ${number(batch)} cannot be told from it.`;
  return `Batch size: beyond a bound of ${short(bound)} examples${spoken(pair)} larger batches stop paying, at step ${number(entry.step)}.${verdict}`;
}

// Heavy where the interval lies below 1.9, as `glissade advise` has it.
function tailFinding(group) {
  const found = latestOf(group, "tail_index");
  if (!found) return null;
  const { entry, result } = found;
  if (result.meaningless) return unreadable("Tail", found);
  const index = result.tail_index, pair = result.tail_index_interval;
  if (!Number.isFinite(index)) return `Tail: there is no index at step ${number(entry.step)}.`;
  const high = Array.isArray(pair) ? pair[1] : index;
  const heavy = Number.isFinite(high) && high < 1.9;
  return `Tail: the gradient noise has a tail index of ${short(index)}${spoken(pair)}, at step ${number(entry.step)}: ` +
    (heavy ? "heavier than normal noise, which clipped and normalised methods are made for." : "no heavier than normal noise can be.") +
    (result.note ? ` Beside it: ${result.note}.` : "");
}

function smoothnessFinding(group) {
  const found = latestOf(group, "smoothness");
  if (!found) return null;
  const { run, entry, result } = found;
  if (result.meaningless) return unreadable("Smoothness", found);
  const rate = run.series.lr ? run.series.lr.value.filter(Number.isFinite).pop() : undefined;
  const l = result.smoothness, correlation = result.log_correlation;
  const first = Number.isFinite(l) ? `Smoothness: along the step to ${number(entry.step)} the gradient turned at L = ${short(l)}` +
    (l > 0 ? `, so 1/L = ${short(1 / l)}${Number.isFinite(rate) ? ` beside the rate of ${short(rate)}` : ""}.` : ".") : "Smoothness:";
  if (!Number.isFinite(correlation)) return Number.isFinite(l) ? first : null;
  return first + (correlation >= 0.5 && result.l1 > 0 ? ` Along the run L grew with the gradient's norm (L0 = ${short(result.l0)}, L1 = ${short(result.l1)}, correlation of logarithms ${short(correlation)}): clipping suits that.`
    : ` Along the run L did not grow with the gradient's norm (correlation of logarithms ${short(correlation)}).`);
}

function sharpnessFinding(group) {
  const found = latestOf(group, "sharpness");
  if (!found) return null;
  const { entry, result } = found;
  if (result.meaningless) return unreadable("Sharpness", found);
  const { lambda_max: top, two_over_lr: limit } = result;
  if (!Number.isFinite(top) || !Number.isFinite(limit)) return null;
  return `Sharpness: the largest eigenvalue of the Hessian is ${short(top)} at step ${number(entry.step)}, ${top > limit ? "above" : "below"} 2/η = ${short(limit)}: plain gradient steps are ${top > limit ? "unstable" : "stable"} there.`;
}

function suspectFinding(group) {
  const found = latestOf(group, "dragger");
  if (!found) return null;
  const { entry, result } = found;
  if (result.meaningless) return unreadable("Suspects", found);
  const factors = Array.isArray(result.suspect_log_factors) ? result.suspect_log_factors : [];
  const examples = Array.isArray(result.suspects) ? result.suspects.filter((example, i) => factors[i] < 0) : [];
  if (!examples.length) return `Suspects: no example's gradient had been clipped up to step ${number(entry.step)}.`;
  return `Suspects: clipping suppressed ${examples.slice(0, 5).map((example) => `example ${number(example)}`).join(", ")} most` +
    `, the first to ${short(Math.exp(factors[0]))} of its gradient on average; the list is under Measures.`;
}

const speakers = [batchFinding, tailFinding, smoothnessFinding, sharpnessFinding, suspectFinding];
const shownFindings = 6; // groups that speak at once; the others fold away

function findings(main) {
  const told = data.groups.map((group) => ({ group, sentences: speakers.map((speak) => speak(group)).filter(Boolean) })).filter(({ sentences }) => sentences.length);
  main.append(element("h2", { id: "gradients" }, "What the gradients say"));
  if (!told.length) {
    main.append(element("p", {}, "Nothing was measured along these runs. A section ", element("code", {}, "measure: {gradient_diversity: {}, tail_index: {}, smoothness: {}}"),
      " of the configuration measures while a run goes on; ", element("code", {}, "glissade measure RUN"), " measures one that has ended."));
    return;
  }
  const block = ({ group, sentences }) => element("section", { class: "said" }, data.groups.length > 1 ? element("h3", {}, group.name) : null,
    group.runs.length > 1 ? element("p", { class: "soft" }, `Of ${group.runs.length} seeds the first that was measured.`) : null,
    element("ul", {}, ...sentences.map((sentence) => {
      const [head, ...rest] = sentence.split(":");
      return element("li", {}, element("strong", {}, head + ":"), rest.join(":"));
    })));
  main.append(...told.slice(0, shownFindings).map(block));
  if (told.length > shownFindings)
    main.append(element("details", {}, element("summary", {}, `${told.length - shownFindings} more runs`), ...told.slice(shownFindings).map(block)));
}
