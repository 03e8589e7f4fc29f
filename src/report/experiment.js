"use strict";
// The page about an experiment: claim and verdict, the figures beside the paper's numbers, the arms and how they were tuned.

const shown = data.experiment;
const row = (tag, cells) => element("tr", {}, ...cells.map((cell) => (cell instanceof Node ? cell : element(tag, {}, String(cell)))));
const figures = (value) => element("td", { class: "number" }, value);

function grid(head, rows, named = false) {
  return element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, row("th", head.map((text, i) => element("th", { scope: "col", class: rows[0][i] instanceof Node ? rows[0][i].className : "" }, text)))),
    element("tbody", {}, ...rows.map((cells) => row("td", cells.map((cell, i) => (i || !named ? cell : element("th", { scope: "row" }, cell))))))));
}

// A figure's name in words: "sharpness.lambda_max:last" is "lambda max (last)", "domains.0.accuracy" "domain 0 accuracy". A
// title of its own stays.
function inWords(name) {
  if (!/^[a-z0-9_.]+(:[a-z]+)?$/.test(name)) return name;
  const [path, which] = name.split(":"), parts = path.split("."), plain = (text) => text.replaceAll("_", " ");
  const text = parts[0] === "domains" ? `domain ${parts[1]} ${plain(parts[2])}` : plain(parts[parts.length - 1]);
  return which ? `${text} (${which})` : text;
}

const interval = ({ low, high }) => (low === null ? "–" : `${number(low)} to ${number(high)}`);
const demand = (one) => ("at_least" in one ? "≥ " + number(one.at_least) : "≤ " + number(one.at_most)) + (one.ratio ? " (ratio)" : "");

// Results of before seeds had a first one say only how many there were.
function seeds({ seeds: count, first_seed: first }) {
  if (first === undefined) return count > 1 ? `${count} seeds` : "1 seed";
  return count > 1 ? `seeds ${first} to ${first + count - 1}` : `seed ${first}`;
}

function claim(main) {
  const sentence = shown.verdict[0].toUpperCase() + shown.verdict.slice(1);
  main.append(element("h2", { id: "verdict" }, "Verdict"),
    element("p", { class: "verdict", "data-verdict": shown.verdict }, `${sentence}.`),
    element("p", {}, element("strong", {}, shown.rows.join(", ") + ": "), shown.claim),
    element("p", {}, element("strong", {}, "Here: "), shown.here),
    element("p", { class: "soft" }, `Scale ${shown.scale}${shown.set && shown.set.length ? ` (${shown.set.join(", ")})` : ""}, ${seeds(shown)}, ${number(Math.round(shown.seconds))} s of runs, ${shown.date}, Glissade ${shown.version} (${shown.precision}; ${shown.libraries}).`),
    element("h3", {}, "The rule"),
    grid(["what is claimed", "claimed", "found (mean over seeds)", "95% interval", "verdict"], shown.expect.map((one) =>
      [one.say, figures(demand(one)), figures(number(one.mean)), figures(interval(one)), one.verdict + (one.why ? `: ${one.why}` : "")])),
    element("p", { class: "soft" }, "An effect shows if its whole interval (Student's t over seeds, paired by seed) lies where the claim says, and does not if the whole interval lies elsewhere; all must show for the claim to."));
}

// A mean with a band from least to greatest, as for runs.
function lineDatasets(figure) {
  return figure.lines.flatMap(({ label, points }, i) => {
    const ink = color(i), scatter = figure.draw === "scatter", at = (k) => points.map((point) => ({ x: point[0], y: point[k] }));
    const band = { borderWidth: 0, pointRadius: 0, backgroundColor: ink + "30", band: true, parsing: false };
    const wide = !scatter && points.some((point) => point[2] !== point[3]);
    const mean = { label, data: at(1), parsing: false, borderColor: ink, backgroundColor: ink, borderWidth: 1.8, borderDash: dashes[Math.floor(i / palette.length) % dashes.length],
      showLine: !scatter, pointRadius: scatter || points.length < 12 ? 3 : 0, pointHitRadius: 8 };
    return wide ? [{ ...band, label: label + " (least)", data: at(2), fill: "+1" }, { ...band, label: label + " (greatest)", data: at(3), fill: false }, mean] : [mean];
  });
}

function drawings(main) {
  main.append(element("h2", { id: "figures" }, "Figures"));
  const place = element("div", { class: "grid" });
  main.append(place);
  for (const figure of shown.figures) {
    const drawn = chart(place, { title: figure.title, about: figure.about || "", x: inWords(figure.x), y: inWords(figure.y), logx: figure.logx, log: figure.logy,
      points: figure.draw !== "curves", scatter: figure.draw === "scatter", type: figure.draw === "scatter" ? "scatter" : "line", datasets: () => lineDatasets(figure) });
    if (!drawn) place.append(element("p", {}, `${figure.title}: there is nothing to draw.`));
  }
}

function printed(main) {
  if (!shown.printed || !shown.printed.rows) return;
  main.append(element("h2", { id: "paper" }, "What the paper prints"), grid(shown.printed.head, shown.printed.rows.map((cells) => cells.map(String)), true));
}

function spread({ mean, deviation }) {
  return mean === null ? "–" : number(mean) + (deviation === null ? "" : ` ± ${number(Number(deviation.toPrecision(2)))}`);
}

function arms(main) {
  const names = [...new Set([...shown.show, ...shown.arms.flatMap((arm) => Object.keys(arm.figures))])];
  const tuned = shown.arms.some((arm) => arm.value);
  main.append(element("h2", { id: "arms" }, "Arms"),
    grid(["arm", ...(tuned ? ["chosen"] : []), ...names.map(inWords)], shown.arms.map((arm) =>
      [arm.name, ...(tuned ? [figures(arm.value ? arm.value + (arm.edge ? " (edge)" : "") : "–")] : []),
        ...names.map((name) => figures(arm.figures[name] ? spread(arm.figures[name]) : "–"))]), true),
    element("p", { class: "soft" }, "Mean ± standard deviation over seeds."));
  const diverged = shown.arms.filter((arm) => arm.diverged);
  if (diverged.length) main.append(element("p", {}, "Diverged: " + diverged.map((arm) => `${arm.name} (${arm.diverged} of ${shown.seeds})`).join(", ") + "."));
  if (!tuned) return;
  const { by, greatest, seeds } = shown.tune;
  main.append(element("h3", {}, "How rates were chosen"),
    element("p", {}, `By the ${greatest ? "greatest" : "least"} ${by.replaceAll("_", " ")} over ${seeds} seed${seeds > 1 ? "s" : ""}, the same way for every arm; a grid whose best lay on its edge was widened. No test figure was looked at.`),
    grid(["arm", "what", "tried: figure"], shown.arms.filter((arm) => arm.value).map((arm) =>
      [arm.name, arm.key, arm.tried.map((one) => `${one.value}: ${one.mean === null ? "diverged" : number(one.mean)}`).join(",  ")]), true));
}

function settings(main) {
  main.append(element("h3", {}, "What each arm sets"), grid(["arm", "settings"], shown.arms.map((arm) => [arm.name, element("td", {}, element("code", {}, arm.set.join("  ")))]), true));
}

main.append(element("div", { class: "controls" }, themeButton()));
claim(main);
drawings(main);
printed(main);
arms(main);
settings(main);
contents(main);
drawAll();
printing();
