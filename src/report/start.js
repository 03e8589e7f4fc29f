"use strict";
// The page around its sections: controls, contents, printing, loading anew; and the start of it all.

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
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
