"use strict";
// Tables of results and settings: bests within one data set, sweeps by their keys, seeds as mean and deviation.

const figureOf = (run, key) => (run.result ? run.result[key] : null);
// What the plan chose, not the user.
const isPlanned = (key) => key.startsWith("plan.") && key !== "plan.precision";

// Mean over the seeds of a group, and their standard deviation; null where a seed has no figure.
function moments(group, key) {
  const values = group.runs.map((run) => figureOf(run, key));
  if (!values.length || values.some((value) => typeof value !== "number")) return null;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
}

function told(group, key) {
  const found = moments(group, key);
  if (!found) {
    const words = [...new Set(group.runs.map((run) => figureOf(run, key)))];
    return words.length === 1 && typeof words[0] === "string" ? words[0] : "–";
  }
  return !found.deviation ? number(found.mean) : `${number(found.mean)} ± ${number(Number(found.deviation.toPrecision(2)))}`;
}

const scored = (groups) => [...new Set(groups.flatMap((group) => group.runs.flatMap((run) => Object.keys(run.result || {}))))].filter((key) => /^(train|validation|test)_(?!examples)/.test(key));
const present = (groups, keys) => keys.filter((key) => groups.some((group) => group.runs.some((run) => ["number", "string"].includes(typeof figureOf(run, key)))));
const greater = (key) => !/_(loss|perplexity)$/.test(key);

// The best of a column, if more than one group has a figure there.
function bestOf(groups, key) {
  if (!/^(train|validation|test)_/.test(key)) return undefined;
  const means = groups.map((group) => moments(group, key)).filter(Boolean).map(({ mean }) => mean);
  return new Set(means).size > 1 ? (greater(key) ? Math.max(...means) : Math.min(...means)) : undefined;
}

const heading = (key) => [key.replace("examples_per_second", "examples/s").replaceAll("_", " "), key === "stopped" ? null : "number"];

function cells(group, columns, best) {
  return columns.map((key) => {
    const found = moments(group, key), marked = best[key] !== undefined && found && found.mean === best[key];
    return element("td", { class: (key === "stopped" ? "" : "number") + (marked ? " best" : "") }, told(group, key));
  });
}

const swatch = (group) => element("span", { class: "swatch", "data-color": data.groups.indexOf(group), "aria-hidden": "true" });
const settingOf = (run, section) => run.config[section + ".name"] || run.config[section] || "–";

function resultTable(groups) {
  const columns = present(groups, ["steps", "epochs", ...scored(groups), "seconds", "examples_per_second", "stopped"]);
  const best = Object.fromEntries(columns.map((key) => [key, bestOf(groups, key)]));
  const seeds = groups.some((group) => group.runs.length > 1);
  const row = (group) => element("tr", {}, element("th", { scope: "row" }, swatch(group), group.name),
    element("td", {}, settingOf(group.runs[0], "model")), element("td", {}, settingOf(group.runs[0], "method")),
    seeds ? element("td", { class: "number" }, number(group.runs.length)) : null, ...cells(group, columns, best));
  return plainTable([["run"], ["model"], ["method"], ...(seeds ? [["seeds", "number"]] : []), ...columns.map(heading)], groups.map(row));
}

// ---- data sets: figures of different ones are not compared ----

const dataOf = (group) => JSON.stringify(Object.entries(group.runs[0].config).filter(([key]) => key.startsWith("data.")).sort());

function dataSets(groups) {
  const sets = new Map();
  for (const group of groups) {
    const key = dataOf(group);
    if (!sets.has(key)) sets.set(key, []);
    sets.get(key).push(group);
  }
  return [...sets.values()];
}

const baseName = (path) => path.split("/").pop();

const isFile = (key) => /^data\.(train|validation|test|tests\..*)$/.test(key);

// The format or file, and what else tells these data from the others on the page; what is a default wherever it is
// known tells nothing.
function dataName(groups, all) {
  const own = groups[0].runs[0].config, first = all.map((others) => others[0].runs[0]);
  const ordinary = (key) => first.every((run) => run.config[key] === undefined || run.defaults.includes(key));
  const differs = Object.keys(own).filter((key) => key.startsWith("data.") && !["data.format", "data.train"].includes(key) && !ordinary(key) && first.some((run) => run.config[key] !== own[key]));
  return [own["data.train"] ? baseName(own["data.train"]) : own["data.format"] || "data",
    ...differs.map((key) => `${key.slice(5)} ${isFile(key) ? baseName(own[key]) : own[key]}`)].join(", ");
}

function summary(main) {
  const plain = data.groups.filter((group) => !group.sweep);
  main.append(element("h2", { id: "summary" }, "Summary"));
  const sets = dataSets(plain);
  for (const groups of sets) {
    if (sets.length > 1) main.append(element("h3", {}, `Data: ${dataName(groups, sets)}`));
    main.append(resultTable(groups));
  }
  if (sets.length > 1) main.append(element("p", { class: "soft" }, "Bests are marked within one data set: figures of different data say nothing about each other."));
  const several = plain.filter((group) => group.runs.length > 1);
  if (several.length) {
    const single = several.flatMap((group) => group.runs.map((run) => ({ name: run.name, runs: [run], shown: group })));
    const columns = present(single, ["steps", "epochs", ...scored(single), "seconds", "examples_per_second", "stopped"]);
    main.append(element("details", {}, element("summary", {}, "Each seed"), plainTable([["run"], ...columns.map(heading)],
      single.map((one) => element("tr", {}, element("th", { scope: "row" }, swatch(one.shown), one.name), ...cells(one, columns, {}))))));
  }
  sweepTables(main);
}

// ---- sweeps ----

const sweepKeys = (groups) => {
  const given = [...new Set(groups.flatMap((group) => Object.keys(group.set || {})))];
  if (given.length) return given;
  const configs = groups.map((group) => group.runs[0].config);
  return [...new Set(configs.flatMap(Object.keys))].filter((key) => key !== "train.seed" && !isPlanned(key) && new Set(configs.map((config) => config[key])).size > 1).sort();
};
const sweptValue = (group, key) => String((group.set && group.set[key] !== undefined ? group.set[key] : group.runs[0].config[key]) ?? "–");
const lastPart = (key) => key.split(".").pop();

function sweepsOf(groups) {
  const sweeps = new Map();
  for (const group of groups.filter((one) => one.sweep)) {
    if (!sweeps.has(group.sweep)) sweeps.set(group.sweep, []);
    sweeps.get(group.sweep).push(group);
  }
  return sweeps;
}

// Trials go by their settings, not by the names of their folders.
function nameTrials() {
  for (const [sweep, groups] of sweepsOf(data.groups)) {
    const keys = sweepKeys(groups), short = (key) => (keys.filter((other) => lastPart(other) === lastPart(key)).length > 1 ? key : lastPart(key));
    for (const group of groups) {
      group.name = (sweepsOf(data.groups).size > 1 || data.groups.some((one) => !one.sweep) ? sweep + " · " : "") +
        (keys.map((key) => `${short(key)} ${sweptValue(group, key)}`).join(", ") || "one trial");
      for (const run of group.runs) run.name = group.runs.length > 1 ? `${group.name}, seed ${run.config["train.seed"] ?? "?"}` : group.name;
    }
  }
}

function sweepTables(main) {
  for (const [sweep, groups] of sweepsOf(data.groups)) {
    const keys = sweepKeys(groups), scores = scored(groups);
    const columns = present(groups, [...scores, "seconds"]);
    const by = ["validation_accuracy", ...scores.filter((key) => /^validation_(?!loss)/.test(key)), "validation_loss", "train_loss"].find((key) => columns.includes(key));
    const best = Object.fromEntries(columns.map((key) => [key, bestOf(groups, key)]));
    const rank = (group) => {
      const found = by && moments(group, by);
      return found ? (greater(by) ? -found.mean : found.mean) : Infinity;
    };
    const ranked = [...groups].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
    const unfinished = (group) => group.runs.filter((run) => !run.result).length;
    const any = groups.some(unfinished);
    main.append(element("h3", {}, `Sweep ${sweep}`),
      element("p", { class: "soft" }, `${groups.length} settings of ${keys.join(", ") || "nothing"}${by ? `, the best by ${by.replaceAll("_", " ")} first` : ""}.`),
      plainTable([...keys.map((key) => [key]), ["seeds", "number"], ...(any ? [["without result", "number"]] : []), ...columns.map(heading)],
        ranked.map((group) => element("tr", {}, ...keys.map((key, i) => element(i ? "td" : "th", i ? {} : { scope: "row" }, i ? null : swatch(group), sweptValue(group, key))),
          element("td", { class: "number" }, number(group.runs.length)), any ? element("td", { class: "number" }, number(unfinished(group))) : null,
          ...cells(group, columns, best)))));
  }
}

// ---- warnings and settings ----

function warnings(main) {
  const line = (name, text) => element("li", {}, element("strong", {}, name + ": "), text);
  const list = [...runs.flatMap((run) => (run.warnings || []).map((text) => line(run.name, text))), ...(data.skipped || []).map(({ name, why }) => line(name, "left out: " + why))];
  if (list.length) main.append(element("ul", { class: "warn", "aria-label": "Warnings" }, ...list));
}

const settingRows = (entries) => element("div", { class: "scroll" }, element("table", {}, element("tbody", {},
  ...entries.map(([key, value]) => element("tr", {}, element("th", { scope: "row" }, element("code", {}, key)), element("td", {}, value))))));
const folded = (text, entries) => (entries.length ? element("details", {}, element("summary", {}, text), settingRows(entries)) : null);

// What all runs share, with what is a default in all of them folded away behind it.
function shared(main, keys) {
  const value = (key) => [key, runs[0].config[key]];
  const ordinary = (key) => runs.every((run) => run.defaults.includes(key));
  main.append(...[folded(runs.length > 1 ? "The same in all runs" : "Settings", keys.filter((key) => !ordinary(key)).map(value)),
    folded("Left at their defaults", keys.filter(ordinary).map(value))].filter(Boolean));
}

function differences(main) {
  const columns = data.groups.filter((group) => !group.sweep);
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].sort();
  const equal = (list, key) => new Set(list.map((run) => run.config[key])).size < 2;
  const first = columns.map((group) => group.runs[0]);
  const differing = keys.filter((key) => key !== "train.seeds" && !isPlanned(key) && !equal(first, key) && !(key === "train.seed" && columns.some((group) => group.runs.length > 1)));
  // A key that one run leaves at its default and another does not have follows from other keys.
  const said = (key) => first.some((run) => run.config[key] !== undefined && !run.defaults.includes(key));
  const setTable = (list) => plainTable([["setting"], ...columns.map((group) => [group.name])], list.map((key) => element("tr", {},
    element("th", { scope: "row" }, element("code", {}, key)), ...first.map((run) => element("td", { class: run.defaults.includes(key) ? "soft" : null }, run.config[key] ?? "–")))));
  const foremost = differing.filter(said), behind = differing.filter((key) => !said(key));
  main.append(element("h2", {}, runs.length > 1 ? "What differs" : "Configuration"));
  if (columns.length > 1 && !differing.length) main.append(element("p", {}, "The configurations are the same."));
  if (columns.length > 1 && foremost.length) main.append(setTable(foremost));
  if (columns.length > 1 && behind.length) main.append(element("details", {}, element("summary", {}, "Defaults that not all runs have"), setTable(behind)));
  if (columns.length < 2 && runs.length > 1) main.append(element("p", {}, sweepsOf(data.groups).size ? "The keys of the sweep, in its table, and the seeds." : "The seeds alone."));
  shared(main, keys.filter((key) => equal(runs, key)));
}
