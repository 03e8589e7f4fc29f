"""Trains what `glissade advise` recommends on the tasks of the experiments, beside the best arm that they found.

usage: advised.py GLISSADE [--budget 30s] [--half developed|held-out] [NAME ...]    keeps experiments/advised.json

A task is an experiment of kind train: its data, model and length, with held-out rows. Its arms are those of the task's own
data and model; the best of them is the one that ends at the lowest held-out loss, its rate chosen by the experiment's own
protocol. Advice is asked for once, with seed 1, and trained with the arm's seeds. Half of the tasks, drawn by a checksum of the name, are held
out: rules may be changed for what is seen on the first half, and the second half is
run when they are done.
"""
import argparse
import datetime
import json
import math
import pathlib
import shutil
import subprocess
import sys
import zlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER, KEPT = ROOT / "experiments", ROOT / "experiments/advised.json"
OF_THE_METHOD = ("method", "estimator", "train.batch")  # settings that make another arm of the same task
STUDENT = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216]  # 0.975, 1 to 9 degrees of freedom


def is_method(setting):
    key = setting.split("=")[0]
    return any(key == one or key.startswith(one + ".") for one in OF_THE_METHOD)


def tasks():
    """Names of experiments whose quick result says how well each arm did on held-out rows, and the file's own text."""
    for path in sorted(FOLDER.glob("*/quick.json")):
        given = yaml.safe_load((path.parent / "experiment.yaml").read_text())
        result = json.loads(path.read_text())
        train = given["config"].get("train", {})
        held = any("validation_loss" in arm.get("losses", {}) for arm in result["arms"])
        if given.get("kind", "train") == "train" and "tune" in given and "validation" in train and held:
            yield path.parent.name, given, result


def half_of(name):
    return "held out" if zlib.crc32(name.encode()) % 2 else "developed on"


def best_arm(given, result):
    """The arm of the lowest held-out loss among those that share the first one's data and model, and what these set."""
    own = [setting for setting in given["arms"][0].get("set", []) if not is_method(setting)]
    same = [arm for arm in result["arms"] if [s for s in arm["set"] if not is_method(s)] == own and not arm["diverged"]]
    return min(same, key=lambda arm: arm["losses"]["validation_loss"]["mean"]), own


def call(words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def advise(glissade, name, given, own, budget, folder):
    config = {key: value for key, value in given["config"].items() if key != "measure"}
    scale = next(one for one in given["scales"] if one["name"] == "quick")
    config |= scale.get("config", {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(config))
    settings = [word for setting in [*scale.get("set", []), *own] if not setting.startswith("measure") for word in ("--set", setting)]
    return call([glissade, "advise", folder / "task.yaml", "--budget", budget, *settings, "--set", "train.seed=1", "--out", folder, "--json"])


def interval(logs):
    n, mean = len(logs), sum(logs) / len(logs)
    if n < 2:
        return [math.exp(mean), None, None]
    half = STUDENT[n - 2] * math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1) / n)
    return [math.exp(mean), math.exp(mean - half), math.exp(mean + half)]


def compare(glissade, name, given, result, budget):
    best, own = best_arm(given, result)
    folder = ROOT / "runs/advised" / name
    shutil.rmtree(folder, ignore_errors=True)  # another version's advice is another one
    advice = advise(glissade, name, given, own, budget, folder)
    losses = []
    for seed in range(result["first_seed"], result["first_seed"] + result["seeds"]):
        run = call([glissade, "train", folder / "advise.yaml", "--seed", str(seed), "--out", folder / f"seed-{seed}", "--json"])
        losses.append(run["validation_loss"])
    each = best["losses"]["validation_loss"]["each"]
    ratio, low, high = interval([math.log(a / b) for a, b in zip(losses, each)])
    lines = {line["what"]: line["value"] for line in advice["recommendation"]}
    return {"task": name, "best": best["name"], "best_rate": best["value"], "best_loss": sum(each) / len(each), "advised": lines,
            "advised_loss": sum(losses) / len(losses), "each": losses, "ratio": ratio, "low": low, "high": high,
            "used": advice["seconds"], "budget": budget, "date": datetime.date.today().isoformat()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("glissade")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--budget", default="30s")
    parser.add_argument("--half", choices=["developed", "held-out"], help="only these tasks")
    wanted = parser.parse_intermixed_args()
    kept = {one["task"]: one for one in json.loads(KEPT.read_text())} if KEPT.exists() else {}
    for name, given, result in tasks():
        half = half_of(name)
        if (wanted.names and name not in wanted.names) or (wanted.half and half[:4] != wanted.half[:4]):
            continue
        kept[name] = compare(wanted.glissade, name, given, result, wanted.budget) | {"half": half}
        print(f"{name} ({half}): {kept[name]['ratio']:.3f} of {kept[name]['best']}", flush=True)
        KEPT.write_text(json.dumps([kept[one] for one in sorted(kept)], indent=1) + "\n")


main()
