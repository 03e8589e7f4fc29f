"""Time of a clipped gradient beside the plain one: by glissade.torch, and by Opacus's ghost clipping.

Usage: clipping_torch.py [--models mlp,convnet,gpt,resnet] [--batch N] [--repeat N] [--threads N] [--microbatch 1,16]
Opacus is left out where it is not installed. One line of JSON a model and way: milliseconds of plain and clipped
gradient (medians over alternating repetitions), and their ratio; MiB that each has taken at its peak over what was
there before, model and data, and that ratio; the ratio of what PyTorch's tensors alone take. What Opacus does: every
example's gradient clipped to one bound, by two backward passes; ours beside it with the same bound.
"""

import argparse
import ctypes
import gc
import json
import statistics
import time
import warnings

import torch
from torch import nn
from torch.nn import functional

import glissade.torch

try:
    from opacus.grad_sample import GradSampleModuleFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
except ImportError:
    GradSampleModuleFastGradientClipping = None

BOUND = 0.1


class Residual(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.GroupNorm(8, outer)
        self.c2, self.n2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.GroupNorm(8, outer)
        self.short = nn.Identity()
        if stride > 1 or inner != outer:
            self.short = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.GroupNorm(8, outer))

    def forward(self, x):
        return torch.relu(self.n2(self.c2(torch.relu(self.n1(self.c1(x))))) + self.short(x))


def resnet():
    stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    blocks = [block for a, b, stride in stages for block in (Residual(a, b, stride), Residual(b, b, 1))]
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.GroupNorm(8, 64), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.project(self.n1(x)).chunk(3, 2))
        h = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(h.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.n2(x))))


class GPT(nn.Module):
    def __init__(self, words=512, dim=256, depth=4, heads=4, length=128):
        super().__init__()
        self.words, self.places = nn.Embedding(words, dim), nn.Embedding(length, dim)
        self.layers = nn.Sequential(*(Layer(dim, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, words, bias=False)

    def forward(self, x):
        places = self.places(torch.arange(x.shape[1]).repeat(len(x), 1))
        return self.head(self.norm(self.layers(self.words(x) + places))).transpose(1, 2)


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


MODELS = {
    "mlp": (mlp, 128, lambda n: (torch.randn(n, 1, 28, 28), torch.randint(0, 10, (n,)))),
    "convnet": (convnet, 128, lambda n: (torch.randn(n, 1, 28, 28), torch.randint(0, 10, (n,)))),
    "gpt": (GPT, 8, lambda n: (torch.randint(0, 512, (n, 128)), torch.randint(0, 512, (n, 128)))),
    "resnet": (resnet, 32, lambda n: (torch.randn(n, 3, 32, 32), torch.randint(0, 10, (n,)))),
}


class PerExample:
    """Cross-entropy as Opacus takes it: a mean with an attribute, which becomes one for each example."""

    reduction = "mean"

    def __call__(self, output, target):
        losses = functional.cross_entropy(output, target, reduction="none")
        each = losses.flatten(1).mean(1) if losses.dim() > 1 else losses
        return each if self.reduction == "none" else each.mean()


def plain(model, x, y):
    def run():
        model.zero_grad()
        PerExample()(model(x), y).backward()

    return run


def ours(model, x, y, microbatch, bound):
    clipping, loss = glissade.torch.MicroBatchClipping(model, microbatch, bound=bound), PerExample()
    loss.reduction = "none"

    def run():
        model.zero_grad()
        clipping.backward(loss(model(x), y))

    return run


def ghost(model, x, y):
    from types import SimpleNamespace

    wrapped = GradSampleModuleFastGradientClipping(model, max_grad_norm=BOUND, use_ghost_clipping=True)
    optimizer = SimpleNamespace(zero_grad=wrapped.zero_grad, loss_reduction="mean")
    wraps = DPLossFastGradientClipping(wrapped, optimizer, PerExample())

    def run():
        wrapped.zero_grad()
        wraps(wrapped(x), y).backward()

    return run


def milliseconds(run):
    begin = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begin)


def resident(field):
    """MiB of this process: VmRSS now, VmHWM at its peak."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def peak(run):
    """MiB that a run takes at most."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # VmHWM begins anew.
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def peak_of(make):
    """Of a second run, which makes its gradients anew."""
    run = make()
    run()
    return peak(run)


def tensors_of(make):
    """MiB of PyTorch's tensors at their peak in a second run: without its libraries' own memory and malloc's holes."""
    run, level, most = make(), 0, 0
    run()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        level += event.nbytes()
        most = max(most, level)
    return most / 2**20


def compare(name, way, make, reference, repeat):
    """Alternates the two, so that what else the machine does falls on both."""
    run, other, times = make(), reference(), ([], [])
    run(), other()
    for _ in range(repeat):
        times[0].append(milliseconds(other))
        times[1].append(milliseconds(run))
    base, mine = (statistics.median(t) for t in times)
    plain_memory, memory = peak_of(reference), peak_of(make)
    tensors = tensors_of(make) / tensors_of(reference)
    print(json.dumps({"model": name, "way": way, "plain_ms": round(base, 1), "ms": round(mine, 1),
                      "ratio": round(mine / base, 2), "plain_mib": round(plain_memory), "mib": round(memory),
                      "memory_ratio": round(memory / plain_memory, 2), "tensors_ratio": round(tensors, 2)}),
          flush=True)  # fmt: skip


def compare_model(name, sizes, batch, repeat):
    make, usual, rows = MODELS[name]
    x, y = rows(batch or usual)

    def fresh():
        torch.manual_seed(0)
        return make()

    def against(way, run):
        compare(name, way, run, lambda: plain(fresh(), x, y), repeat)

    for size in sizes:
        against(f"adaptive, micro-batch {size}", lambda size=size: ours(fresh(), x, y, size, None))
    against("every example to a bound", lambda: ours(fresh(), x, y, 1, BOUND))
    if GradSampleModuleFastGradientClipping is not None:
        against("Opacus, ghost clipping", lambda: ghost(fresh(), x, y))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="mlp,convnet,gpt,resnet")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--microbatch", default="1,16")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    for name in given.models.split(","):
        compare_model(name, [int(size) for size in given.microbatch.split(",")], given.batch, given.repeat)


if __name__ == "__main__":
    main()
