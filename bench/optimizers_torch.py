"""Steps of glissade.torch's optimizers beside PyTorch's, over the parameters of GPT-2 small, strictly alternating.

Usage: optimizers_torch.py [THREADS] [ROUNDS] [CASES, default all]

148 tensors, 124 million float parameters, gradients that stay as they are. PyTorch runs each way it has (fused, foreach, one
by one) and its best is compared. Printed: milliseconds (medians), theirs over ours with its range over the rounds."""
import os
import statistics
import sys
import time

KEEP = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
if any(key not in os.environ for key in KEEP):
    os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **KEEP})

import torch  # noqa: E402

import glissade.torch  # noqa: E402


def shapes(width=768, layers=12, vocabulary=50257, positions=1024):
    yield from ((vocabulary, width), (positions, width))
    for _ in range(layers):
        yield from ((width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,))
        yield from ((width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,))
    yield from ((width,), (width,))


def parameters():
    torch.manual_seed(1)
    made = [torch.nn.Parameter(0.02 * torch.randn(shape)) for shape in shapes()]
    for p in made:
        p.grad = 1e-3 * torch.randn_like(p)
    return made


def clipped(optimizer):
    """clip_grad_norm_, then the step; the bound lies above the norm, so that gradients keep their size over the rounds."""
    held = [p for group in optimizer.param_groups for p in group["params"]]

    def step():
        torch.nn.utils.clip_grad_norm_(held, 1e6)
        optimizer.step()
    return step


ADAMW = {"lr": 1e-6, "weight_decay": 0.01}
MOMENTUM = (lambda p: glissade.torch.MomentumSGD(p, lr=1e-6, beta=0.9),
            lambda p, **kind: torch.optim.SGD(p, lr=1e-6, momentum=0.9, **kind).step)
ADAM = (lambda p: glissade.torch.AdamW(p, **ADAMW), lambda p, **kind: torch.optim.AdamW(p, **ADAMW, **kind).step)
RMSPROP = (lambda p: glissade.torch.RMSprop(p, lr=1e-6), lambda p, **kind: torch.optim.RMSprop(p, lr=1e-6, **kind).step)
CASES = {
    "sgd, momentum": (lambda p: MOMENTUM[0](p).step, MOMENTUM[1]),
    "the same, norm given": (lambda p: handed(MOMENTUM[0](p)), MOMENTUM[1]),
    "adamw": (lambda p: ADAM[0](p).step, ADAM[1]),
    "adamw, norm given": (lambda p: handed(ADAM[0](p)), ADAM[1]),
    "clip by norm, adamw": (lambda p: glissade.torch.AdamW(p, **ADAMW, clip_norm=1e6).step,
                            lambda p, **kind: clipped(torch.optim.AdamW(p, **ADAMW, **kind))),
    "rmsprop": (lambda p: RMSPROP[0](p).step, RMSPROP[1]),
    "rmsprop, norm given": (lambda p: handed(RMSPROP[0](p)), RMSPROP[1]),
}
KINDS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "one by one": {"foreach": False}}


def handed(optimizer):
    """Ours, told the norm."""
    held = [p for group in optimizer.param_groups for p in group["params"]]
    norm = float(torch.nn.utils.get_total_norm([p.grad for p in held]))
    return lambda: optimizer.step(norm=norm)


def timed(step):
    start = time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - start)


def compare(name, ours, theirs, rounds):
    held = parameters()
    steps = {"ours": ours(held)}
    for kind, options in KINDS.items():
        try:
            steps[kind] = theirs(held, **options)
        except (TypeError, RuntimeError):
            continue
    found = {key: [] for key in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for key, step in steps.items():
            found[key].append(timed(step))
    best = min((key for key in steps if key != "ours"), key=lambda key: statistics.median(found[key]))
    ratios = [theirs / mine for mine, theirs in zip(found["ours"], found[best])]
    print(f"{name:21s} ours {statistics.median(found['ours']):7.1f} ms, torch {statistics.median(found[best]):7.1f} ({best}), "
          f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {threads} threads, {rounds} alternating rounds")
    for name in sys.argv[3].split(";") if len(sys.argv) > 3 else CASES:
        compare(name, *CASES[name], rounds)


main()
