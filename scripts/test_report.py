"""Opens reports in headless Chromium: every chart that real measures give is there and drawn at 400 and 1400 pixels, light and
dark, nothing hangs over the edge, nothing is said on the console; a page that is watched keeps its place when it loads anew.

Usage: test_report.py GLISSADE. Prints TAP; skips where there is no Chromium.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

glissade = str(pathlib.Path(sys.argv[1]).resolve())
chromium = shutil.which("chromium") or shutil.which("chromium-browser")
views = [(400, False), (400, True), (1400, False), (1400, True)]
checks = [f"{width} pixels, {'dark' if dark else 'light'}" for width, dark in views] + [
    "values with the keyboard, CSV, logarithmic scale and zoom", "a watched page keeps what its reader had set",
    "runs cut short and odd figures", "printed"]
charts = """Training loss|Held-out loss|Held-out accuracy|Time-averaged loss|Full loss|Learning rate|Update norm|Factor applied|
Clip fraction|Batch size|Gradient norm|Full gradient norm|Time-averaged gradient norm|Gradient diversity|Noise scale|Norm test|
Noise RMS|Tail index|Sharpness beside 2/\u03b7|Local smoothness|Equilibrium ratio|Invariance defect|With dropped coordinates|
With Langevin noise|With quantisation|Noise norm of mini-batches|Quantiles of the noise norm of mini-batches|
Noise norm of single examples|Quantiles of the noise norm of single examples|Coordinates of one mini-batch's noise|
Variance against sample size|Bias of clipped gradients|Second moment of clipped gradients|
Estimated loss against sample size|Estimated gradient norm against sample size|Estimated noise against sample size|
Estimated sharpness against sample size|Hill plot|Local smoothness against gradient norm|Loss by window|Gradient norm by window|
Suppression by class|Cosines of pairs of gradients""".replace("\n", "").split("|")
sections = {
    "gradient_diversity": "{every: 5s, from: step}", "noise_scale": "{every: 5s, sample: 64}",
    "norm_test": "{every: 5s, from: step}", "noise_norm": "{every: 1, sample: 64, batches: 8}",
    "variance_curve": "{every: 1, sample: 64, batches: 20}", "tail_index": "{every: 1, sample: 1024}",
    "smoothness": "{every: 5s, sample: 64}", "sharpness": "{every: 1, sample: 64, products: 10}",
    "equilibrium_ratio": "{every: 5s, sample: 64}", "time_averages": "{window: 5}",
    "invariance_defect": "{every: 5s, sample: 64}", "dragger": "{every: 1, sample: 128, column: label_noise}",
    "clip_bias": "{every: 1, sample: 64, multiples: [0.5, 1, 2]}",
    "sample_curves": "{every: 1, smallest: 16, largest: 64, repeats: 2, products: 8}",
    "loss": "{every: 1}", "gradient_norm": "{every: 1}", "dim_bounds": "{every: 1, sample: 64}"}
measure = "measure={" + ", ".join(f"{name}: {options}" for name, options in sections.items()) + "}"
settings = ["data={format: glyphs, train_size: 1200, test_size: 200, transforms: [{label_noise: 0.1}]}", "model=softmax",
            "method={name: cclip, lr: 0.05, tau: 0.01}", "train={epochs: 2, batch: 50, log_every: 5s, threads: 1}"]

print(f"1..{len(checks)}")
if not chromium:
    for number, text in enumerate(checks, 1):
        print(f"ok {number} - {text} # SKIP no chromium")
    sys.exit(0)


def run(*words):
    return subprocess.run(words, check=True, stderr=subprocess.PIPE, text=True)


def train(out, *extra):
    run(glissade, "train", *[word for setting in [*settings, *extra] for word in ("--set", setting)], "--out", out, "--quiet")


def report(verdict, text, why=()):
    report.number += 1
    print(f"{'ok' if verdict else 'not ok'} {report.number} - {text}", flush=True)
    for line in why if not verdict else ():
        print("# " + str(line)[:2000])


report.number = 0

# What a page says of itself, from inside the frame; an empty list is good. A window of a headless browser is never narrower
# than 500 pixels, so the page stands in a frame of the width wanted.
LOOK = """
const troubles = [], wanted = WANTED;
addEventListener("error", (event) => troubles.push("error: " + event.message));
for (const how of ["log", "warn", "error"]) console[how] = (...words) => troubles.push("console: " + words.join(" "));
addEventListener("load", () => setTimeout(async () => {
  const titles = [...document.querySelectorAll("h3")].map((node) => node.textContent);
  for (const title of wanted) if (!titles.includes(title)) troubles.push("no chart: " + title);
  for (const canvas of document.querySelectorAll("canvas")) {
    const name = canvas.closest("figure").querySelector("h3").textContent;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let inked = 0;
    for (let i = 3; i < data.length; i += 4) inked += data[i] > 0;
    if (inked < 500) troubles.push(`not drawn: ${name}`);
    if (canvas.getBoundingClientRect().right > innerWidth) troubles.push(`over the edge: ${name}`);
    if (!canvas.getAttribute("aria-label").includes(name)) troubles.push(`no label: ${name}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) troubles.push(`page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
  for (const button of document.querySelectorAll("button, select, input"))
    if (!(button.getAttribute("aria-label") || button.textContent || button.labels.length)) troubles.push("a control without a name");
  if (document.querySelectorAll("h1").length !== 1) troubles.push("not one h1");
  MORE
  parent.postMessage({ troubles }, "*");
}, 300));
"""


def look(folder, page, width=1400, dark=False, wanted=(), more="", scripts=True):
    """The troubles that a page reports when it is opened."""
    text = pathlib.Path(page).read_text()
    probe = LOOK.replace("WANTED", json.dumps(list(wanted))).replace("MORE", more)
    inner, outer = pathlib.Path(folder, "inner.html"), pathlib.Path(folder, "outer.html")
    inner.write_text(text.replace("<head>", f"<head>\n<script>{probe}</script>", 1))
    outer.write_text(f"""<body><script>addEventListener("message", (event) => {{
      const pre = document.createElement("pre"); pre.textContent = JSON.stringify(event.data.troubles); document.body.append(pre); }});</script>
      <iframe src="inner.html" style="border:0;width:{width}px;height:1200px"></iframe></body>""")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
               f"--user-data-dir={folder}/profile", f"--window-size={max(width, 500)},1300", "--virtual-time-budget=20000",
               "--enable-logging=stderr", "--dump-dom"]
    if dark:
        command += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
    shown = subprocess.run([*command, f"file://{outer}"], capture_output=True, text=True, timeout=100)
    said = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r"<pre>(.*?)</pre>", shown.stdout, re.S)
    return (json.loads(found.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")) if found
            else ["the page did not report"]) + said


KEYS = """
const figure = [...document.querySelectorAll("figure")].find((node) => node.querySelector("h3").textContent === "Training loss");
const canvas = figure.querySelector("canvas"), key = (name) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const chart = () => Chart.getChart(canvas), live = document.querySelector("[aria-live]");
key("ArrowRight"); key("ArrowRight");
if (!/^10: .*\\d/.test(live.textContent)) troubles.push("arrow keys read: " + live.textContent);
const wide = chart().scales.x.max - chart().scales.x.min;
key("+");
if (!(chart().scales.x.max - chart().scales.x.min < 0.6 * wide)) troubles.push("+ does not zoom");
key("0");
if (Math.abs(chart().scales.x.max - chart().scales.x.min - wide) > 1e-9) troubles.push("0 does not reset");
const kind = chart().scales.y.type, [log, , , , take] = figure.querySelectorAll("button");
log.click();
if (chart().scales.y.type === kind) troubles.push("log does nothing");
let text = null;
URL.createObjectURL = (blob) => { text = blob.text(); return "blob:x"; };
URL.revokeObjectURL = () => {};
HTMLAnchorElement.prototype.click = function () { if (this.download !== "training-loss.csv") troubles.push("CSV is called " + this.download); };
take.click();
const rows = (await text).trim().split("\\n");
if (rows[0] !== "series,step,value" || rows.length < 8 || !/^[^,]*,5,[0-9.]+$/.test(rows[1])) troubles.push("CSV: " + rows.slice(0, 2));
for (const value of ["epoch", "time"]) {
  document.querySelector(`input[value=${value}]`).click();
  const title = chart().options.scales.x.title.text;
  if (title !== (value === "time" ? "seconds" : "epoch")) troubles.push("against " + value + ": " + title);
}
const noise = [...document.querySelectorAll("figure")].find((node) => node.querySelector("h3").textContent === "Noise norm of mini-batches");
const choice = noise.querySelector("select"), lines = () => Chart.getChart(noise.querySelector("canvas")).data.datasets.map(({ label }) => label);
if (String(lines()) !== "measured,Gaussian,α-stable") troubles.push("histogram: " + lines());
const several = [...choice.options].find(({ value }) => value.endsWith(", several steps"));
const steps = [...choice.options].filter((option) => option !== several).map(({ value }) => value.replace(/^.*, /, ""));
if (several) { choice.value = several.value; choice.dispatchEvent(new Event("change")); }
if (steps.length < 2 || String(lines()) !== String(steps)) troubles.push(`several steps: ${lines()}, not ${steps}`);
for (const select of document.querySelectorAll("figure select")) for (const option of [...select.options]) {
  select.value = option.value;
  select.dispatchEvent(new Event("change"));
}
"""

# The first visit sets things; the page then loads itself anew and the second visit finds them.
WATCHED = """
const charted = Chart.getChart(document.querySelector("canvas"));
if (!sessionStorage.getItem("visited")) {
  sessionStorage.setItem("visited", "yes");
  document.querySelector("input[value=epoch]").click();
  document.querySelector("canvas").dispatchEvent(new KeyboardEvent("keydown", { key: "+" }));
  scrollTo(0, 300);
  return;
}
if (!document.querySelector("input[value=epoch]").checked) troubles.push("the axis is forgotten");
const { min, max } = charted.scales.x;
if (!(min > 0.2 && max < 1.8)) troubles.push(`the zoom is forgotten: ${min} to ${max}`);
if (Math.abs(scrollY - 300) > 2) troubles.push("scrolled to " + scrollY);
sessionStorage.clear();
"""

ODD = "".join(json.dumps({"step": 1, "measure": name, "result": dict.fromkeys(
    ["batch_histogram_edges", "batch_histogram_counts", "window_loss", "suspects", "hill_plot", "gradient_norms"], odd)}) + "\n"
    for name in sections for odd in (3, [], [None], "x", {}))

with tempfile.TemporaryDirectory() as folder:
    one, two = f"{folder}/one", f"{folder}/two"
    train(one, measure, "estimator={name: mean, ledger: true}", "train.seeds=2")
    train(two, "method={name: clip, lr: 0.05, gamma: 0.1}", "estimator={name: microbatch, microbatch: 5, ledger: true}",
          "measure={dragger: {every: 1}, noise_norm: {every: 1, sample: 64, batches: 8}}")
    page = f"{folder}/page.html"
    run(glissade, "report", one, two, "--out", page)
    for (width, dark), text in zip(views, checks):
        troubles = look(folder, page, width, dark, [*charts, "Micro-batch norms", "Clip bound", "Shrinkage by clipping"])
        report(not troubles, text, troubles)
    run(glissade, "report", two, "--out", page)
    troubles = look(folder, page, more=KEYS)
    report(not troubles, checks[4], troubles)
    watched = pathlib.Path(page).read_text().replace('"refresh":0.0', '"refresh":1.0')
    pathlib.Path(folder, "watched.html").write_text(watched)
    troubles = look(folder, f"{folder}/watched.html", more=WATCHED)
    report(not troubles, checks[5], troubles)
    for name in ("result.json", "metrics.jsonl"):
        pathlib.Path(two, name).unlink()
    with open(f"{two}/measures.jsonl", "a") as file:
        file.write(ODD + '{"step":3,')
    run(glissade, "report", two, "--out", page)
    troubles = look(folder, page, 400)
    warned = len(re.findall(r"no result.json|metrics.jsonl is missing|measures.jsonl ends in the middle", pathlib.Path(page).read_text()))
    report(not troubles and warned == 3, checks[6], [*troubles, f"{warned} warnings"])
    run(glissade, "report", one, "--out", page)
    subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                    "--virtual-time-budget=5000", f"--print-to-pdf={folder}/page.pdf", f"file://{page}"], capture_output=True, timeout=100)
    pdf = pathlib.Path(folder, "page.pdf")
    size = pdf.stat().st_size if pdf.exists() else 0
    report(size > 50000, checks[7], [f"{size} bytes"])
