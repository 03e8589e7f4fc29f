"use strict";
// What every page has around its sections: contents, light and dark, printing.

const themeButton = () => element("button", { type: "button", onclick: () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  drawAll();
} }, "light / dark");

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

const main = document.getElementById("content");
const live = element("div", { class: "unseen", "aria-live": "polite" });
document.body.append(live);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
