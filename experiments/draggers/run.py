#!/usr/bin/env python3
"""Micro-batch clipping against plain SGD where one example in ten drags ([M] section 5): for every micro-batch size the
learning rate is chosen on held-out examples by `glissade sweep`, three seeds each. Prints one table a configuration, as
it stands in docs/experiments.md. Finished runs are not run again.

usage: run.py GLISSADE FOLDER [mlp|mlp_clean|mixtures|convnet ...]"""
import json
import math
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = 3
RATES = {  # of every micro-batch size; the table says where the best lies on the edge
    "plain": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2],
    "1": [0.5, 1, 2, 4, 8, 16, 32, 64],
    "4": [0.25, 0.5, 1, 2, 4, 8, 16],
    "8": [0.25, 0.5, 1, 2, 4, 8],
    "16": [0.1, 0.2, 0.4, 0.8, 1.6, 3.2],
    "128": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2],
}
RATES_OF = {
    "mlp": RATES,
    "mlp_clean": {size: RATES[size] for size in ("plain", "4", "8", "16")},
    "mixtures": dict(RATES, **{size: RATES[size] + [6.4, 12.8] for size in ("plain", "16", "128")}),
    "convnet": {"plain": [0.1, 0.2, 0.4, 0.8], "4": [0.06, 0.12, 0.25, 0.5, 1], "8": [0.12, 0.25, 0.5, 1], "16": [0.2, 0.4, 0.8, 1.6]},
}


def run(*words):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def sweep(glissade, folder, config, size):
    out = os.path.join(folder, config, size)
    words = [glissade, "sweep", os.path.join(HERE, config + ".yaml"), "--seeds", SEEDS, "--quiet", "--json", "--out", out]
    chosen = ["name=mean"] if size == "plain" else ["name=microbatch", f"microbatch={size}"]
    for item in chosen + ["ledger=true"]:
        words += ["--set", "estimator." + item]
    found = run(*words, "--over", "method.lr.from=" + ",".join(map(str, RATES_OF[config][size])))
    return out, found


def precisions(glissade, folder):
    """Share of planted examples among as many top suspects, means over seeds: by factor, norm, final loss."""
    each = [run(glissade, "data", "suspects", os.path.join(folder, f"seed-{s + 1}"), "--json") for s in range(SEEDS)]
    if "precision_by_factor" not in each[0]:  # nothing was planted
        return [math.nan] * 3
    return [statistics.mean(e["precision_by_" + by] for e in each) for by in ("factor", "norm", "loss")]


def share(x):
    return "-" if math.isnan(x) else f"{x:.2f}"


def percent(stat):
    return f"{100 * stat['mean']:.2f} ± {100 * (stat['deviation'] or 0):.2f}"


def table(glissade, folder, config):
    print(f"{config}:\n| b | learning rate | held-out accuracy | test accuracy | best test accuracy of any rate "
          "| precision by factor | by norm | by final loss |\n|---|---|---|---|---|---|---|---|")
    for size in RATES_OF[config]:
        out, found = sweep(glissade, folder, config, size)
        best = found["trials"][0]
        finite = [t for t in found["trials"] if not t["failed"] and t["test_score"]["mean"] is not None]
        any_rate = max(finite, key=lambda t: t["test_score"]["mean"])
        factor, norm, loss = precisions(glissade, os.path.join(out, best["folder"]))
        edge = " (edge of the grid)" if found["edge"] else ""
        print(f"| {size} | {best['set']['method.lr.from']}{edge} | {percent(best['selected'])} "
              f"| {percent(best['test_score'])} | {percent(any_rate['test_score'])} at "
              f"{any_rate['set']['method.lr.from']} | {share(math.nan if size in ('plain', '128') else factor)} "
              f"| {share(norm)} | {share(loss)} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[3:] or list(RATES_OF):
        table(sys.argv[1], sys.argv[2], name)
