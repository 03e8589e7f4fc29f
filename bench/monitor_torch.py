"""Time of a PyTorch loop under glissade.torch.GradientMonitor beside the same loop without.

Usage: monitor_torch.py [--models small,gpt,resnet] [--steps N] [--threads N] [--cpu] [--nanogns FOLDER]
One line of JSON a model and source: milliseconds of a plain step and of a watched one, both over all steps, first looks
included, in alternating blocks of steps; and the cost that the monitor counts itself. --nanogns: also its exact
tracker (a clone of CerebrasResearch/nanoGNS) on its character-level model in the size that its origin gives for CPUs (4 layers of
width 128, 64 characters, batches of 12), on generated text, beside our monitor on the same weights and batches: noise scales, and the time
of each over its own plain step.
"""

import argparse
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import glissade
import glissade.torch
from clipping_torch import GPT, resnet


def small():
    """About 10 ms a step."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.LayerNorm(256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


MODELS = {
    "small": (small, lambda: (torch.randn(256, 784), torch.randint(0, 10, (256,)))),
    "gpt-10ms": (lambda: GPT(64, 64, 2, 2, 32), lambda: (torch.randint(0, 64, (8, 32)), torch.randint(0, 64, (8, 32)))),
    "gpt": (GPT, lambda: (torch.randint(0, 512, (8, 128)), torch.randint(0, 512, (8, 128)))),
    "resnet": (resnet, lambda: (torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,)))),
}


clock = time.perf_counter


class Loop:
    """A model with its optimizer, trained by single steps."""

    def __init__(self, model, watch=None):
        self.model, self.optimizer = model, torch.optim.AdamW(model.parameters(), lr=1e-4)
        self.monitor = watch(self.model, self.optimizer) if watch else None

    def step(self, x, y):
        functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def run(step, count):
    begin = clock()
    for _ in range(count):
        step()
    return 1e3 * (clock() - begin)


def compare(name, source, steps, block=10):
    make, rows = MODELS[name]
    x, y = rows()

    def loop(watch=None):
        torch.manual_seed(0)
        return Loop(make(), watch)

    plain, watched = loop(), loop(lambda m, o: glissade.torch.GradientMonitor(m, o, source=source))
    run(lambda: plain.step(x, y), 3)
    times = [0.0, 0.0]
    for _ in range(steps // block):
        times[0] += run(lambda: plain.step(x, y), block)
        times[1] += run(lambda: watched.step(x, y), block)
    scale = watched.monitor.noise_scale
    print(json.dumps({"model": name, "source": source, "plain_ms": round(times[0] / steps, 2), "ms": round(times[1] / steps, 2),
                      "ratio": round(times[1] / times[0], 3), "counted": round(1 + scale.cost, 3), "looks": scale.looks}),
          flush=True)  # fmt: skip


# ---- nanoGNS ----


def generated_text(length, seed=0):
    """Words of a small language that follow each other by chance."""
    random = torch.Generator().manual_seed(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def pick(count):
        return int(torch.randint(0, count, (1,), generator=random))

    words = ["".join(letters[pick(26)] for _ in range(2 + pick(6))) for _ in range(300)]
    text, at = [], 0
    while sum(map(len, text)) < length:
        at = (7 * at + pick(12)) % len(words)
        text.append(words[at] + (" " if pick(9) else ".\n"))
    return "".join(text)


def character_model(folder, kind):
    """Theirs with layers that count norms ("shim"), or with PyTorch's own ("nn"); the table of words is its own layer."""
    sys.path.insert(0, str(Path(folder)))
    import buffered
    import layer_config

    sys.modules.pop("model", None)
    layers = {"Linear": nn.Linear, "Embedding": nn.Embedding, "LayerNorm": nn.LayerNorm}
    if kind == "shim":
        layers = {"Linear": buffered.PEGradNormShimLinear, "Embedding": buffered.PEGradNormShimEmbedding,
                  "LayerNorm": buffered.PEGradNormSeparatedLayerNorm}  # fmt: skip
    with layer_config.set_contextual_config(**layers):
        import model

        torch.manual_seed(0)
        made = model.GPT(model.GPTConfig(64, 29, 4, 4, 128, 0.0, True))
    made.lm_head.weight = nn.Parameter(made.lm_head.weight.detach().clone())  # They leave tied weights out.
    return made, buffered


class Character:
    """The loop of their train.py: loss, backward pass, tracker, clipping, step."""

    def __init__(self, folder, kind, watch=None):
        self.model, self.buffered = character_model(folder, kind)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
        self.tracker, self.norms = None, []
        if kind == "shim":
            import gnstracking

            self.tracker = gnstracking.MeasurementTracker.from_model(
                self.model, callback=self.norms.append, enforce_coverage=True
            )
        self.monitor = watch(self.model, self.optimizer) if watch else None

    def step(self, x, y):
        _, loss = self.model(x, y)
        loss.backward()
        if self.tracker is not None:
            self.norms.clear()
            self.tracker.step(batch_size=len(x))
            self.buffered.zero_sqgradnorm_buffers(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def batches(count, size=12, length=64):
    text = generated_text(200_000)
    known = {letter: i for i, letter in enumerate(sorted(set(text)))}
    data, random = torch.tensor([known[letter] for letter in text]), torch.Generator().manual_seed(1)
    for _ in range(count):
        begin = torch.randint(0, len(data) - length - 1, (size,), generator=random)
        rows = data[begin[:, None] + torch.arange(length + 1)]
        yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def same_weights(to, of):
    with torch.no_grad():
        for p, q in zip(to.parameters(), of.parameters(), strict=True):
            p.copy_(q)


def compare_nanogns(folder, steps):
    def watch(every):
        return lambda m, o: glissade.torch.GradientMonitor(m, o, every=every, smoothing=1)

    theirs, exact = Character(folder, "shim"), Character(folder, "nn", watch(1))
    plain, ours = Character(folder, "nn"), Character(folder, "nn", watch(0))
    for loop in (theirs, exact, ours):
        same_weights(loop.model, plain.model)
    loops = {"plain": plain, "nanoGNS": theirs, "every step": exact, "default": ours}
    times = {name: [] for name in loops}
    sums, worst = [0.0, 0.0], 0.0
    for x, y in batches(steps):
        for name, loop in loops.items():
            times[name].append(run(lambda loop=loop: loop.step(x, y), 1))
        each = sum(m.small_batch_norm**2 for m in theirs.norms)
        mean = sum(m.big_batch_norm**2 for m in theirs.norms)
        size = len(x)  # McCandlish and others, A.1, as their gns-analysis.py has it
        sums[0] += (size * mean - each) / (size - 1)
        sums[1] += (each - mean) / (1 - 1 / size)
        value = exact.monitor.monitor.report()["gradient_diversity"]["second_moment"].value
        worst = max(worst, abs(sums[0] + sums[1] - value * len(times["plain"])) / (sums[0] + sums[1]))
    said = {"nanoGNS": sums[1] / sums[0], "second moments differ by": worst}
    for name in ("every step", "default"):
        scale = loops[name].monitor.noise_scale
        said[name] = [round(scale.value, 4), *(round(end, 4) for end in scale.interval)]
    base = sum(times["plain"])
    said["over plain"] = {name: round(sum(t) / base, 3) for name, t in times.items()}
    said["median over plain"] = {
        name: round(statistics.median(t) / statistics.median(times["plain"]), 3) for name, t in times.items()
    }
    print(json.dumps(said), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="small,gpt-10ms,gpt,resnet")
    parser.add_argument("--sources", default="examples,norm_layers")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nanogns", default="")
    parser.add_argument("--cpu", action="store_true", help="processor time, for a machine that does other work")
    given = parser.parse_args()
    if given.cpu:
        global clock
        clock = time.process_time
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    for name in filter(None, given.models.split(",")):
        for source in given.sources.split(","):
            compare(name, source, given.steps)
    if given.nanogns:
        compare_nanogns(given.nanogns, given.steps)


if __name__ == "__main__":
    main()
