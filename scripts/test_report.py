"""Opens reports in headless Chromium: every chart that real measures give is there and drawn at 400 and 1400 pixels, light and
dark, nothing hangs over the edge, nothing is said on the console; a page that is watched keeps its place when it loads anew.

Usage: test_report.py GLISSADE. Prints TAP; skips where there is no Chromium.
"""
import json
import pathlib
import random
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
    "runs cut short and odd figures", "printed", "a folder with a sweep, two data sets and odd names", "mutated runs"]
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

# Of a folder that holds a sweep of 2 x 2 settings with two seeds each, two runs on other data each, one of which was measured
# and called meaningless at step 5, and has a name that would end a script.
WALKED = """
const text = document.body.innerText, first = document.querySelector("h2");
if (first.textContent !== "What the gradients say") troubles.push("the page begins with " + first.textContent);
if (!/Batch size: .*95% interval/.test(document.querySelector(".said").textContent)) troubles.push("no interval: " + document.querySelector(".said").textContent);
if (text.includes("trial-")) troubles.push("the name of a trial's folder is shown");
const tables = [...document.querySelectorAll("table")], head = (table) => [...table.querySelectorAll("thead th")].map((node) => node.textContent);
const sweep = tables.find((table) => head(table)[0] === "method.lr");
if (!sweep || head(sweep)[1] !== "train.batch" || head(sweep)[2] !== "seeds") troubles.push("no table of the sweep");
const rows = [...sweep.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
const settings = rows.map((row) => row.slice(0, 3).join(" ")).sort().join(";");
if (settings !== "0.01 20 2;0.01 60 2;0.5 20 2;0.5 60 2") troubles.push("settings: " + settings);
if (!rows.every((row) => row.slice(3).some((cell) => /\\d \u00b1 \\d/.test(cell)))) troubles.push("no deviation over the seeds");
const losses = rows.map((row) => parseFloat(row[head(sweep).indexOf("validation accuracy")]));
if (losses.some((loss, i) => i && loss > losses[i - 1])) troubles.push("not the best first: " + losses);
const results = tables.filter((table) => head(table)[0] === "run" && head(table).includes("method"));
if (results.length !== 2) troubles.push(`${results.length} data sets`);
const named = [...document.querySelectorAll("h3")].map((node) => node.textContent).filter((title) => title.startsWith("Data: ")).sort().join(";");
if (named !== "Data: gaussians, train_size 200;Data: gaussians, train_size 300") troubles.push("data sets are called " + named);
if (results.some((table) => table.querySelector(".best"))) troubles.push("a best among figures of different data");
if (!sweep.querySelector(".best")) troubles.push("no best in the sweep");
if (![...document.querySelectorAll("summary")].some((node) => node.textContent === "Left at their defaults")) troubles.push("defaults are not folded");
if (!text.includes("a\\u003c!--\\u003cscript>")) troubles.push("a run's name is lost");
const bound = [...document.querySelectorAll("figure")].find((node) => node.querySelector("h3").textContent === "Batch size");
const marked = Chart.getChart(bound.querySelector("canvas")).data.datasets.filter((set) => set.mark);
if (marked.length !== 1 || marked[0].data.length !== 1 || marked[0].data[0].x !== 5 || marked[0].data[0].why !== "too few") troubles.push("what is meaningless is not marked");
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

    runs = f"{folder}/runs"
    small = ["data={format: gaussians, train_size: 200, test_size: 50}", "model=logistic", "method={name: sgd, lr: 0.1}",
             "train={epochs: 2, batch: 20, threads: 1, log_every: 5s, validation: 0.2}"]
    sets = [word for setting in small for word in ("--set", setting)]
    run(glissade, "sweep", "--preset", "demo-softmax-sgd", *sets, "--over", "method.lr=0.01,0.5", "--over", "train.batch=20,60",
        "--seeds", "2", "--out", f"{runs}/sweep", "--quiet")
    measured = "measure={gradient_diversity: {every: 5s, sample: 40}}"
    run(glissade, "train", *sets, "--set", measured, "--out", f"{runs}/a<!--<script>", "--quiet")
    run(glissade, "train", *sets, "--set", "data.train_size=300", "--out", f"{runs}/deep/b", "--quiet")
    path = pathlib.Path(runs, "a<!--<script>", "measures.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["result"]["meaningless"] = "too few"
    for line in lines[1:]:
        line["result"].pop("meaningless", None)
        line["result"].update(batch_size_bound=30.0, batch_size_bound_interval=[20.0, 50.0])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(glissade, "report", runs, "--out", page)
    troubles = look(folder, page, more=WALKED)
    report(not troubles, checks[8], troubles)

    chance = random.Random(1)
    names = ["config.yaml", "metrics.jsonl", "measures.jsonl", "result.json"]
    for i in range(40):
        copy = pathlib.Path(folder, "mutants", str(i))
        shutil.copytree(one + "/seed-1", copy)
        name = names[i % 4]
        text = bytearray((copy / name).read_bytes())
        for change in range(1 + i % 5):
            at = chance.randrange(len(text))
            text[at:at + chance.choice([0, 1, 1, 8])] = bytes(chance.choice(b'0"{}[]:,-e<&x') for j in range(chance.choice([0, 1, 3])))
        (copy / name).write_bytes(text)
    for i, odd in enumerate(("x", {}, [], None, True, -1e300)):
        copy = pathlib.Path(folder, "mutants", f"odd-{i}")
        shutil.copytree(one + "/seed-1", copy)
        result = json.loads((copy / "result.json").read_text())
        (copy / "result.json").write_text(json.dumps(dict.fromkeys(result, odd)))
        lines = [json.loads(line) for line in (copy / "measures.jsonl").read_text().splitlines()]
        for line in lines:
            line["result"] = dict.fromkeys(line["result"], odd)
        (copy / "measures.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(glissade, "report", f"{folder}/mutants", two, "--out", page)
    shown = pathlib.Path(page).read_text().count('"series":')
    troubles = look(folder, page)
    report(not troubles and shown > 15, checks[9], [*troubles, f"{shown} runs shown"])
