"""Runs the papers' experiments and writes docs/experiments.md from their results.

usage: experiments.py GLISSADE [--scale SCALE] [NAME ...]    runs them (all, if none is named) in runs/, and keeps
                                                             each result as experiments/NAME/SCALE.json
       experiments.py --write                                writes the document from the results that are kept

What stands between the document's two marks is replaced; what stands below them is written by hand.
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER, DOCUMENT = ROOT / "experiments", ROOT / "docs/experiments.md"
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


def arms(result):
    tuned = any(arm["value"] for arm in result["arms"])
    head = ["arm", *(["chosen"] if tuned else []), *(name.replace("_", " ") for name in result["show"])]
    rows = []
    for arm in result["arms"]:
        chosen = (arm["value"] or "–") + (" (edge)" if arm["edge"] else "")
        rows.append([arm["name"], *([chosen] if tuned else []), *(figure(arm["figures"].get(name)) for name in result["show"])])
    return table(head, rows)


def section(result):
    parts = [f"### {result['title']}", f"`glissade experiment {result['experiment']} --scale {result['scale']}`; {', '.join(result['rows'])}; "
             f"{result['seeds']} seeds, {result['seconds']:.0f} s of runs, {result['date']}, version {result['version']}.",
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


def document():
    results, parts = list(kept()), []
    for letter, title in PAPERS.items():
        own = [r for r in results if r["paper"] == letter]
        if own:
            parts += [f"## [{letter}] {title}", summary(own), *(section(r) for r in own)]
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + rest.split(END)[1])


def run(glissade, name, scale):
    words = [glissade, "experiment", name, "--scale", scale]
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
    parser.add_argument("--write", action="store_true", help="run nothing")
    given = parser.parse_args()
    if not given.write and not given.glissade:
        parser.error("expected the command's path, or --write")
    if not given.write:
        rows = json.loads(subprocess.run([given.glissade, "list", "experiments", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout)
        there = {row["name"]: row["scales"].split() for row in rows["experiments"] if row["name"]}
        for name in given.names or sorted(name for name, scales in there.items() if given.scale in scales):
            run(given.glissade, name, given.scale)
    document()


main()
