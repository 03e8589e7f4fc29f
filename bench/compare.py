"""Two builds side by side: every line of the benchmarks, in strictly alternating pairs.

Usage: compare.py A B [--pairs N] [--only networks,estimators,measures,methods] [--parameters N] [--threads N]

A and B are build folders, or a command in front of one ("chroot ROOT /path/to/build"). Both sides should have the same
benchmark programs: to compare with an older commit, `git worktree add OLD COMMIT`, copy bench/*.c over OLD/bench, build its
`benchmarks`, and give that build as A. 21 pairs of estimators and measures then take about ten minutes on two cores. Printed
for each line: the medians of both sides in ms, and the median of the pairs' ratios B / A with its interval of at least 95%
(order statistics: nothing is assumed of the noise). Below 1, B is the faster one. Run it alone on the machine."""
import argparse
import math
import re
import signal
import statistics
import subprocess
import sys

CASES = {"mlp-128": 40, "convnet-128": 2, "resnet20-32": 3, "resnet20-128": 1, "resnet20gn-128": 1}


class Side:
    def __init__(self, text):
        *self.front, self.build = text.split()
        self.networks = None

    def command(self, name, *arguments):
        return [*self.front, f"{self.build}/bench/bench_{name}", *map(str, arguments)]

    def case(self, name, steps):
        """Milliseconds a step; the process is kept, so that plans and memory are made once."""
        if not self.networks:
            self.networks = subprocess.Popen(self.command("networks", 2), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, text=True)
            for each in CASES:
                self.case(each, 1)
        print(name, steps, file=self.networks.stdin, flush=True)
        return 1e3 * float(self.networks.stdout.readline().split()[0]) / steps

    def output(self, name, *arguments):
        return subprocess.run(self.command(name, *arguments), stdout=subprocess.PIPE, check=True, text=True).stdout


def networks(sides, options):
    for case, steps in CASES.items():
        yield case, [side.case(case, steps) for side in sides]


def lines_of_estimators(text):
    model = ""
    for line in text.splitlines():
        if match := re.match(r"^(\S.*?): \d+ parameters", line):
            model = match[1]
        elif match := re.match(r"^  (\S.*?)\s{2,}([\d.]+) ms", line):
            yield f"{model}: {match[1]}", float(match[2])


def lines_of_measures(text):
    model = ""
    for line in text.splitlines():
        if match := re.match(r"^  without ([\d.]+) s, with ([\d.]+) s", line):
            yield f"{model}: without", 1e3 * float(match[1])
            yield f"{model}: with", 1e3 * float(match[2])
        elif match := re.match(r"^  (\S.*?)\s{2,}([\d.]+) ms", line):
            yield f"{model}: {match[1]}", float(match[2])
        else:
            model = line.partition(":")[0]


def lines_of_methods(text):
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[1] in "12":
            yield f"{fields[0]}, {fields[1]} threads, norm handed over", float(fields[3])
            yield f"{fields[0]}, {fields[1]} threads, norm not known", float(fields[6])


def together(read, outputs):
    both = [dict(read(output)) for output in outputs]
    for label in both[0]:
        if label in both[1]:
            yield label, [values[label] for values in both]


def estimators(sides, options):
    """One repeat after one to warm up, neither memory nor other slices."""
    for model in options.models.split(","):
        yield from together(lines_of_estimators,
                            [side.output("estimators", 1, model, options.threads, "time") for side in sides])


def measures(sides, options):
    yield from together(lines_of_measures, [side.output("measures", 3, 0, 2560, options.threads) for side in sides])


def methods(sides, options):
    yield from together(lines_of_methods, [side.output("methods", options.parameters, 3) for side in sides])


def interval(values):
    """Order statistics that hold the median with at least 95%; all of the range where the pairs are too few."""
    n, x = len(values), sorted(values)
    low, tail = 0, 0.0
    for k in range(n // 2):
        tail += math.comb(n, k) / 2**n
        if tail > 0.025:
            break
        low = k + 1
    return (x[low - 1], x[n - low]) if low else (x[0], x[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--pairs", type=int, default=21)
    parser.add_argument("--only", default="networks,estimators,measures,methods")
    parser.add_argument("--parameters", type=int, default=8 << 20, help="of the step rules")
    parser.add_argument("--models", default="all", help="of the estimators: those that both builds have, as mlp,convnet,resnet")
    parser.add_argument("--threads", type=int, default=2, help="of estimators and measures; 1: processor time is compared")
    options = parser.parse_args()
    sides, found, done = [Side(options.a), Side(options.b)], {}, 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for done in range(options.pairs):
            turned = done % 2 == 1
            for name in options.only.split(","):
                for label, values in globals()[name](sides[::-1] if turned else sides, options):
                    found.setdefault((name, label), []).append(values[::-1] if turned else values)
            print(f"\rpair {done + 1} of {options.pairs}", end="", file=sys.stderr, flush=True)
        done = options.pairs
    except KeyboardInterrupt:  # what there is is shown
        pass
    print(file=sys.stderr)
    print(f"# A = {options.a}, B = {options.b}, {done} alternating pairs")
    print(f"{'line':58} {'A ms':>9} {'B ms':>9} {'B / A':>6}  interval")
    for (_, label), pairs in found.items():
        ratios = [b / a for a, b in pairs]
        low, high = interval(ratios)
        print(f"{label:58} {statistics.median(a for a, _ in pairs):9.3f} {statistics.median(b for _, b in pairs):9.3f} "
              f"{statistics.median(ratios):6.3f}  {low:.3f} to {high:.3f}{'  slower' if low > 1.02 else ''}")


main()
