"""What each rank of test_exchange.py runs: every scenario once, its outcome into a file; how ranks meet and part.

Usage: ranks.py RANK RANKS FOLDER.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

RANKS = 3


def meet(rank, ranks, store):
    """A process group over gloo by a file; no hook may have Python called in its threads."""
    import torch
    import torch.distributed as dist
    import torch.distributed.nn  # Later, the defaults of its functions would hold the group for good.

    torch._C.Future.then = None
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)


def part():
    """Ends the process group with its threads, which give back tensors: one that does while Python ends aborts it.

    Whatever else holds the group, DistributedDataParallel too, must have been let go.
    """
    import torch.distributed as dist

    dist.barrier()
    gc.collect()
    dist.destroy_process_group()
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    assert not any("gloo" in name for name in threads), threads  # Before PyTorch 2.5 they have no names of their own.


def model():
    import torch

    torch.manual_seed(5)
    return torch.nn.Sequential(torch.nn.Linear(6, 40), torch.nn.Tanh(), torch.nn.Linear(40, 33), torch.nn.Linear(33, 2))


def batch(rank, step):
    import torch

    generator = torch.Generator().manual_seed(100 * rank + step)
    scale = 10.0**rank  # So that norms of ranks differ.
    return torch.randn(4, 6, generator=generator), scale * torch.randn(4, 2, generator=generator)


def loss(module, rank, step):
    x, y = batch(rank, step)
    return (module(x) - y).square().mean()


def gradient(module):
    import torch

    return torch.cat([p.grad.flatten() for p in module.parameters()])


CLIPPING = {
    "adaptive": {},
    "sum": {"reduce": "sum"},
    "bound": {"bound": 0.5},
}


def wrapped(module):
    import torch

    # Buckets of about two parameters, so that there are several.
    return torch.nn.parallel.DistributedDataParallel(module, bucket_cap_mb=0.002)


def clip(options, steps=2, spoil=None):
    """Gradients and reports of steps on the same weights; spoil: what rank 1's loss is multiplied by."""
    import glissade.torch

    rank = int(sys.argv[1])
    ddp = wrapped(model())
    exchange = glissade.torch.MicroBatchExchange(**options)
    exchange.attach(ddp)
    found = []
    for step in range(steps):
        ddp.zero_grad()
        (loss(ddp, rank, step) * (spoil if spoil is not None and rank == 1 else 1)).backward()
        found.append((gradient(ddp.module), exchange.report))
    return found


def accumulate():
    import glissade.torch

    rank, ddp = int(sys.argv[1]), wrapped(model())
    glissade.torch.MicroBatchExchange().attach(ddp)
    with ddp.no_sync():
        (loss(ddp, rank, 0) / 2).backward()
    (loss(ddp, rank, 1) / 2).backward()
    return gradient(ddp.module)


def quantise(exchange, steps):
    rank = int(sys.argv[1])
    ddp, found = wrapped(model()), []
    exchange.attach(ddp)
    for step in steps:
        ddp.zero_grad()
        loss(ddp, rank, step).backward()
        found.append(gradient(ddp.module))
    return found


def resume(options):
    from glissade.torch import QuantizedExchange

    first = QuantizedExchange(**options)
    quantise(first, range(2))
    second = QuantizedExchange(**{**options, "seed": 0})
    second.load_state_dict(first.state_dict())
    return quantise(second, range(2, 4))


def refusal():
    import glissade

    try:
        clip({"nonfinite": "stop"}, 1, float("nan"))
    except glissade.NonfiniteError as error:
        return str(error)
    return ""


def outcomes():
    from glissade.torch import QuantizedExchange

    found = {name: clip(options) for name, options in CLIPPING.items()}
    found["zero"] = clip({}, 1, 0.0)
    found["nan skip_step"] = clip({}, 1, float("nan"))
    found["nan skip_group"] = clip({"nonfinite": "skip_group"}, 1, float("nan"))
    found["nan stop"] = refusal()
    found["accumulated"] = accumulate()
    for levels, block in ((1, 0), (5, 64), (100, 7)):
        options = {"levels": levels, "block": block, "seed": 9}
        found[f"quant {levels} {block}"] = quantise(QuantizedExchange(**options), range(4))
        found[f"resumed {levels} {block}"] = resume(options)
    return found


def main():
    import torch

    rank, ranks, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    meet(rank, ranks, folder / "store")
    torch.save(outcomes(), folder / f"{rank}.pt")
    part()


if __name__ == "__main__":
    main()
