"use strict";
// The page about runs: controls, loading anew, and the start of it all.

function controls(main) {
  const radio = (value, text) => {
    const input = element("input", { type: "radio", name: "axis", value, onchange: () => { axis = value; charts.forEach((entry) => { entry.zoom = null; draw(entry); }); } });
    input.checked = value === axis;
    return element("label", {}, input, " " + text);
  };
  const slider = element("input", { type: "range", min: "0", max: "0.98", step: "0.02", value: String(smoothing), "aria-label": "Smoothing of curves",
    oninput: (event) => { smoothing = Number(event.target.value); charts.forEach((entry) => { if (!entry.spec.datasets) draw(entry); }); } });
  main.append(element("div", { class: "controls" },
    element("fieldset", {}, element("legend", {}, "Against"), radio("step", "step"), radio("epoch", "epoch"), radio("time", "seconds")),
    element("label", {}, "Smoothing ", slider), themeButton(),
    element("span", { class: "soft" }, "Drag across a chart to zoom, double click to reset. On a focused chart: arrow keys read values, + and − zoom, 0 resets.")));
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

nameTrials();
warnings(main);
findings(main);
summary(main);
differences(main);
controls(main);
curves(main);
measures(main);
scaling(main);
contents(main);
drawAll();
restore();
printing();
follow();
