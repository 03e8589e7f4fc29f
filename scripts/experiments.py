"""Runs the papers' experiments and writes docs/experiments.md from their results.

usage: experiments.py GLISSADE [--scale SCALE] [--jobs N] [NAME ...]
                                 runs them (all, if none is named) in runs/, and keeps each result as experiments/NAME/SCALE.json
       experiments.py --write    writes the document from the results that are kept

What stands between the document's two marks is replaced: the results, and for each paper what experiments/reading.md says
of them. What stands below the marks is written by hand.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER, DOCUMENT = ROOT / "experiments", ROOT / "docs/experiments.md"
READING, ADVISED = FOLDER / "reading.md", FOLDER / "advised.json"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
PAPERS = {"M": "Micro-batch clipping", "D": "Gradient diversity", "N": "Normalised gradients with momentum",
          "A": "Adaptive clipping under heavy tails", "T": "The thesis"}
SCALES = ["quick", "small", "paper"]


def say(x, digits=4):
    if x is None:
        return "–"
    text = f"{x:.{digits}g}"
    return text if "e" not in text else f"{x:.{digits - 1}e}"


def cell(text):
    return str(text).replace("|", "\\|")


def table(head, rows):
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in [head, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def effect(one):
    bound = "at least " + say(one["at_least"]) if "at_least" in one else "at most " + say(one["at_most"])
    found = say(one["mean"]) + (f" ({say(one['low'])} to {say(one['high'])})" if one["low"] is not None else "")
    verdict = one["verdict"] + (f": {one['why']}" if one["why"] else "")
    return [one["say"], bound + (" (ratio)" if one["ratio"] else ""), found, verdict]


def figure(stat):
    if stat is None or stat["mean"] is None:
        return "–"
    return say(stat["mean"]) + (f" ± {say(stat['deviation'], 2)}" if stat["deviation"] is not None else "")


def in_words(name):
    """"sharpness.lambda_max:last" is "lambda max (last)", "domains.0.accuracy" "domain 0 accuracy"."""
    path, _, which = name.partition(":")
    parts = path.replace("_", " ").split(".")
    text = f"domain {parts[1]} {parts[2]}" if parts[0] == "domains" else parts[-1]
    return f"{text} ({which})" if which else text


def arms(result):
    tuned = any(arm["value"] for arm in result["arms"])
    head = ["arm", *(["chosen"] if tuned else []), *map(in_words, result["show"])]
    rows = []
    for arm in result["arms"]:
        chosen = (arm["value"] or "–") + (" (edge)" if arm["edge"] else "")
        rows.append([arm["name"], *([chosen] if tuned else []), *(figure(arm["figures"].get(name)) for name in result["show"])])
    return table(head, rows)


def section(result):
    first = result.get("first_seed", 1)
    parts = [f"### {result['title']} ({result['scale']})",
             f"`glissade experiment {result['experiment']} --scale {result['scale']}`; {', '.join(result['rows'])}; "
             f"seeds {first} to {first + result['seeds'] - 1}, {result['seconds']:.0f} s of runs, {result['date']}, version {result['version']}.",
             f"*The paper:* {result['claim']}", f"*Here:* {result['here']}",
             f"**{result['verdict'][0].upper()}{result['verdict'][1:]}.**",
             table(["claimed", "how much", "found, with 95% interval", "verdict"], map(effect, result["expect"])), arms(result)]
    if result["printed"] and result["printed"].get("rows"):
        parts += ["The paper prints:", table(result["printed"]["head"], result["printed"]["rows"])]
    return "\n\n".join(parts)


def summary(results):
    """One paragraph: which claims show, which do not, which cannot be told."""
    said = []
    for verdict, words in (("shows", "Shows"), ("does not show", "Does not show"), ("cannot be told at this scale", "Cannot be told")):
        names = [f"{r['title']} ({r['scale']})" for r in results if r["verdict"] == verdict]
        if names:
            said.append(f"{words}: {'; '.join(names)}.")
    failing = [f"“{one['say']}” ({say(one['mean'])}, {say(one['low'])} to {say(one['high'])})" for r in results for one in r["expect"]
               if one["verdict"] == "does not show"]
    return " ".join(said) + (f" What was found elsewhere than claimed: {'; '.join(failing)}." if failing else "")


def kept():
    for scale in SCALES:
        for path in sorted(FOLDER.glob(f"*/{scale}.json")):
            yield json.loads(path.read_text())


def reading():
    """{"M": "..."}: what experiments/reading.md says under "## [M]"."""
    parts = READING.read_text().split("\n## [") if READING.exists() else []
    return {part[0]: part.split("\n", 1)[1].strip() for part in parts[1:]}


def overview(results):
    """Every experiment by its verdicts, and what became of the quick ones on seeds that they had not seen."""
    names = sorted({(r["paper"], r["experiment"]) for r in results}, key=lambda one: (list(PAPERS).index(one[0]), one[1]))
    found = {(r["experiment"], r["scale"]): r for r in results}
    rows, again, same, exact = [], 0, 0, 0
    for paper, name in names:
        cells = []
        for scale in SCALES[:2]:
            one = found.get((name, scale))
            cells += [one["verdict"], f"{one['seconds']:.0f}"] if one else ["–", "–"]
        quick, small = (found.get((name, scale)) for scale in SCALES[:2])
        if quick and small:
            again += 1
            same += quick["verdict"] == small["verdict"]
            exact += all(one["low"] == one["high"] for one in small["expect"])
        rows.append([f"[{paper}] {name}", *cells])
    text = ["## All of them", table(["experiment", "quick", "seconds", "small", "seconds"], rows)]
    if again:
        text.append(f"Small scales run longer, on more seeds, and on seeds that the quick ones had not seen: of {again} experiments "
                    f"at both scales {same} came to the same verdict, among them {exact} in which nothing is random.")
    left = [name for name, scale in planned() if scale == "small" and (name, scale) not in found]
    if left:
        text.append(f"Not run at `small` yet, for want of time: {', '.join(left)}. `glissade experiment NAME --scale small` runs one, and "
                    "goes on where it was stopped.")
    return text


def planned():
    """Every experiment's scales, by its own file."""
    for path in sorted(FOLDER.glob("*/experiment.yaml")):
        yield from ((path.parent.name, scale["name"]) for scale in yaml.safe_load(path.read_text())["scales"])


def sentences(results):
    """Sentence by sentence, what was found at both scales."""
    found, rows = {(r["experiment"], r["scale"]): r for r in results}, []
    for (name, scale), quick in found.items():
        small = found.get((name, "small"))
        if scale != "quick" or not small:
            continue
        later = {one["say"]: one for one in small["expect"]}
        for one in quick["expect"]:
            if one["say"] in later:
                cells = [f"{say(x['mean'])} ({say(x['low'])} to {say(x['high'])}): {x['verdict']}" for x in (one, later[one["say"]])]
                rows.append([name, one["say"], *cells])
    return [table(["experiment", "claimed", "quick", "small"], rows)] if rows else []


def advice():
    """What `glissade advise` came to on the tasks of these experiments."""
    if not ADVISED.exists():
        return []
    rows = []
    for one in json.loads(ADVISED.read_text()):
        told = one["advised"]
        rows.append([one["task"], one["half"], f"{one['best']} at {one['best_rate'] or '–'}: {say(one['best_loss'])}",
                     f"{told.get('method', '–')} at {told.get('lr', '–')}, batch {told.get('batch', '–')}: {say(one['advised_loss'])}",
                     f"{say(one['ratio'], 3)} ({say(one['low'], 3)} to {say(one['high'], 3)})"])
    note = reading().get("a", "")
    return ["## Advice beside the best arm",
            "`scripts/advised.py` asks `glissade advise` once for each task, trains what it recommends with the arms' seeds, and "
            "divides its held-out loss by that of the best arm found (ratio, with a 95% interval over seeds).",
            table(["task", "half", "best arm: held-out loss", "advised: held-out loss", "ratio"], rows), *([note] if note else [])]


def document():
    results, words = list(kept()), reading()
    parts = [*overview(results), *sentences(results), *advice()]
    for letter, title in PAPERS.items():
        own = [r for r in results if r["paper"] == letter]
        if own:
            parts += [f"## [{letter}] {title}", summary(own), *([words[letter]] if letter in words else []), *(section(r) for r in own)]
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + rest.split(END)[1])


def run(glissade, name, scale, jobs):
    words = [glissade, "experiment", name, "--scale", scale, "--jobs", str(jobs)]
    done = subprocess.run([*words, "--json", "--out", str(ROOT / "runs" / f"experiment-{name}-{scale}")], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}")
    result = json.loads(done.stdout.splitlines()[-1])
    (FOLDER / name / f"{scale}.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print(f"{name}: {result['verdict']} ({result['seconds']:.0f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("glissade", nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--write", action="store_true", help="run nothing")
    given = parser.parse_intermixed_args()
    if not given.write and not given.glissade:
        parser.error("expected the command's path, or --write")
    if not given.write:
        rows = json.loads(subprocess.run([given.glissade, "list", "experiments", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout)
        there = {row["name"]: row["scales"].split() for row in rows["experiments"] if row["name"]}
        for name in given.names or sorted(name for name, scales in there.items() if given.scale in scales):
            run(given.glissade, name, given.scale, given.jobs)
    document()


main()
