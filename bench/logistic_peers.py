"""Logistic regression to within 1e-3 of the optimum's loss, beside scikit-learn's SGDClassifier and liblinear.

Usage: logistic_peers.py BUILD DATA.libsvm... [--rounds N]

All minimise mean log loss + |w|^2 / (2 n), without an intercept, data in memory; the optimum is liblinear's at tolerance
1e-10, checked by its gradient. Every one runs at its best setting: of the lists below, the one that reaches the goal
soonest. Then these alternate; printed are medians. Time is the processor's, of one thread each: that of `fit` and
`train`, and of ours (the C API) from the making of the problem to the last step; looking whether the goal is reached is
not timed. With the interpreter of an environment that has scikit-learn and liblinear-official."""
import argparse
import itertools
import math
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import sklearn
from liblinear.liblinearutil import parameter, problem, train
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import SGDClassifier

from built import built

WITHIN = 1e-3


def loss_of(x, y, w):
    margin = y * (x @ w)
    return np.mean(np.logaddexp(0, -margin)) + w @ w / (2 * len(y))


def gradient_of(x, y, w):
    return x.T @ (-y / (1 + np.exp(y * (x @ w)))) / len(y) + w / len(y)


class Liblinear:
    """Solvers 0 (trust region Newton) and 7 (dual coordinate descent)."""
    name = "liblinear"

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.problem = problem(y, x)

    def settings(self):
        return [f"-s {solver} -e {tolerance}" for solver in (0, 7)
                for tolerance in (0.3, 0.1, 0.05, 0.03, 0.01, 0.003, 0.001)]

    def run(self, setting, target):
        how = parameter(f"{setting} -c 1 -B -1 -q")
        start = time.process_time()
        model = train(self.problem, how)
        spent = time.process_time() - start
        w = np.array(model.w[: self.x.shape[1]])
        return spent, loss_of(self.x, self.y, w if model.label[0] == 1 else -w)


class Sgd:
    name = "SGDClassifier"

    def __init__(self, x, y):
        self.x, self.y = x, y

    def settings(self):
        for epochs in (1, 2, 3, 5, 8, 13, 20):
            for average in (False, len(self.y) // 4):
                yield epochs, "optimal", 0, average
                for kind, rate in itertools.product(("constant", "invscaling"), (0.003, 0.01, 0.03, 0.1, 0.3)):
                    yield epochs, kind, rate, average

    def run(self, setting, target):
        epochs, kind, rate, average = setting
        model = SGDClassifier(loss="log_loss", alpha=1 / len(self.y), fit_intercept=False, max_iter=epochs, tol=None,
                              learning_rate=kind, eta0=rate or 0.01, average=average, random_state=1, power_t=0.25)
        start = time.process_time()
        model.fit(self.x, self.y)
        return time.process_time() - start, loss_of(self.x, self.y, model.coef_[0])


class Ours:
    name = "glissade"

    def __init__(self, build, path, x, y):
        self.n = len(y)
        self.process = subprocess.Popen([built(build, "logistic"), path, repr(1 / self.n), "1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def settings(self):
        """Batch, steps at most, a method, an average."""
        for batch, epochs in itertools.product((16, 32, 64, 128, 256, 512), (0.25, 0.5, 0.75, 1, 2, 3, 5)):
            steps = math.ceil(epochs * self.n / batch)
            for rate in (0.03, 0.1, 0.3, 1, 3):
                yield batch, steps, f"{{name: msgd, beta: 0.9, lr: {{name: poly, from: {rate}}}}}", ""
                yield batch, steps, f"{{name: sgd, lr: {{name: poly, from: {10 * rate}}}}}", ""
            for rate in (0.03, 0.1, 0.3):
                yield batch, steps, f"{{name: adam, lr: {{name: poly, from: {rate}}}}}", ""
                yield batch, steps, f"{{name: adagrad, lr: {rate}}}", ""

    def run(self, setting, target):
        batch, steps, method, average = setting
        print(batch, steps, steps, target, method, "|", average, file=self.process.stdin, flush=True)
        seconds, _, loss = self.process.stdout.readline().split()
        return float(seconds), float(loss)


def best_of(side, target):
    """The setting that reaches the goal soonest; those that take longer than twice the best are tried once."""
    best, chosen = math.inf, None
    for setting in side.settings():
        seconds, loss = side.run(setting, target)
        if not loss <= target or seconds > 2 * best:
            continue
        seconds = min(seconds, *(side.run(setting, target)[0] for _ in range(2)))
        if seconds < best:
            best, chosen = seconds, setting
    return chosen


def compare(build, path, rounds):
    x, y = load_svmlight_file(path)
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)  # as SGDClassifier takes them alone
    y = np.where(y > 0, 1.0, -1.0)
    peer = Liblinear(x, y)
    model = train(peer.problem, parameter("-s 0 -e 1e-10 -c 1 -B -1 -q"))
    w = np.array(model.w[: x.shape[1]])
    w = w if model.label[0] == 1 else -w
    optimum, slope = loss_of(x, y, w), np.linalg.norm(gradient_of(x, y, w))
    print(f"{path.split('/')[-1]}: {x.shape[0]} x {x.shape[1]}, {x.nnz} stored; optimum {optimum:.6f} "
          f"(gradient {slope:.1e}), goal {optimum + WITHIN:.6f}")
    sides = [Ours(build, path, x, y), Sgd(x, y), peer]
    chosen = [best_of(side, optimum + WITHIN) for side in sides]
    times = [[] for _ in sides]
    losses = [0.0] * len(sides)
    for _ in range(rounds):
        for k, side in enumerate(sides):
            seconds, losses[k] = side.run(chosen[k], optimum + WITHIN)
            times[k].append(seconds)
    for k, side in enumerate(sides):
        ratios = [other / mine for mine, other in zip(times[0], times[k])]
        print(f"  {side.name:14} {1e3 * statistics.median(times[k]):8.2f} ms, over ours {statistics.median(ratios):6.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}), {losses[k] - optimum:.1e} above the optimum; {chosen[k]}",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(f"scikit-learn {sklearn.__version__}, medians of {options.rounds} alternating rounds", file=sys.stdout)
    for path in options.data:
        compare(options.build, path, options.rounds)


main()
