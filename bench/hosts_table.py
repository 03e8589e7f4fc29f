"""One line of bench/hosts.sh: a run of Glissade beside its prediction.

Usage: hosts_table.py WORK EXCHANGE HOSTS TARGET CURVES
"""
import json
import os
import re
import sys

WINDOW = 10  # steps whose losses are averaged


def reached(curve, target):
    """Seconds until the mean loss of the last steps is at most the target; None: never."""
    for i in range(WINDOW, len(curve) + 1):
        if sum(loss for _, loss in curve[i - WINDOW:i]) / WINDOW <= target:
            return curve[i - 1][0]
    return None


def median_step(times):
    apart = sorted(b - a for a, b in zip(times, times[1:]))
    return apart[len(apart) // 2]


def report(name, bytes_a_step, curve, predicted, loss, target, folder):
    """curve: seconds and loss of every step. Shared with hosts_torch.py."""
    line = f"{name:24} {bytes_a_step:12} {1e3 * median_step([t for t, _ in curve]):9.1f} {predicted:>9} {loss:10.5f}"
    if target:
        seconds = reached(curve, float(target))
        line += f" {seconds:8.2f}" if seconds else "    never"
    print(line, flush=True)
    if folder:
        with open(os.path.join(folder, re.sub(r"\W+", "-", name).strip("-") + ".json"), "w", encoding="utf-8") as out:
            json.dump(curve, out)


def main():
    work, exchange, hosts, target, folder = sys.argv[1:6]
    curve = []
    with open(f"{work}/run/metrics.jsonl", encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry.get("name") == "loss":
                curve.append((entry["time"], entry["value"]))
    with open(f"{work}/run/result.json", encoding="utf-8") as file:
        result = json.load(file)
    predicted = "-"
    name = re.sub(r"^\{name: ?|[,}].*$", "", exchange)
    if os.path.exists(f"{work}/scale.json"):
        with open(f"{work}/scale.json", encoding="utf-8") as file:
            ways = json.load(file)["exchanges"]
        way = next(way for way in ways if way["exchange"] == name)
        row = next(row for row in way["rows"] if row["ranks"] == int(hosts))
        predicted = f"{1e3 * row['step_seconds']:.1f}"
    report(exchange, f"{result['bytes_a_step']:.0f}", curve, predicted, result["train_loss"], target, folder)


if __name__ == "__main__":
    main()
