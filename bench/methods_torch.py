"""PyTorch's optimizers on one vector of parameters, set up fairly, in the columns of bench/methods.
Usage: methods_torch.py [parameters, default 64 Mi] [repeats, default 7] [threads, default 1 2]"""
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("methods_torch.py: python3-torch is not there: nothing to compare with")


def median(values):
    return sorted(values)[len(values) // 2]


def variants():
    """Every way this torch can run a step; kinds it refuses on this machine are left out by measure()."""
    yield "sgd", 3, None, lambda p, **k: torch.optim.SGD(p, lr=1e-6, **k)
    yield "msgd", 5, None, lambda p, **k: torch.optim.SGD(p, lr=1e-6, momentum=0.9, **k)
    yield "adam", 7, None, lambda p, **k: torch.optim.Adam(p, lr=1e-6, **k)
    yield "clip_adam", 8, 1e-3, lambda p, **k: torch.optim.Adam(p, lr=1e-6, **k)


def measure(make, w, repeats, most, **kind):
    """most: the norm that gradients are cut to before the step, from as long as they were; None: they are not."""
    g = w.grad.clone() if most else None
    try:
        optimizer = make([w], **kind)
        optimizer.step()
        optimizer.step()
    except (TypeError, RuntimeError, ValueError):
        return None
    times = []
    for _ in range(repeats):
        if most:
            w.grad.copy_(g)
        start = time.perf_counter()
        if most:
            torch.nn.utils.clip_grad_norm_([w], most)
        optimizer.step()
        times.append(time.perf_counter() - start)
    return median(times)


def main():
    d = int(sys.argv[1]) if len(sys.argv) > 1 else 64 << 20
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    threads = [int(t) for t in sys.argv[3:]] or [1, 2]
    print(f"# torch {torch.__version__}, {d} parameters, median of {repeats}; GB/s counts what the rule must move")
    print(f"{'method':10s} t  {'ms':>8s} {'GB/s':>6s}  kind")
    for t in threads:
        torch.set_num_threads(t)
        for name, moved, most, make in variants():
            w = torch.zeros(d, requires_grad=True)
            w.grad = (torch.arange(d) % 1000 - 500).float() * 1e-3
            best = None
            for label, kind in [("for-loop", {"foreach": False}), ("foreach", {"foreach": True}),
                                ("fused", {"fused": True})]:
                taken = measure(make, w, repeats, most, **kind)
                if taken and (best is None or taken < best[0]):
                    best = taken, label
            print(f"{name:10s} {t}  {1e3 * best[0]:8.1f} {moved * 4 * d / best[0] * 1e-9:6.1f}  {best[1]}", flush=True)


main()
