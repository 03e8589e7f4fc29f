"""PyTorch's DistributedDataParallel over gloo on the hosts of bench/hosts.sh: the network, rows, method and rate of Glissade's
runs there. One process a host; the first prints the same line as hosts_table.py.

Usage: hosts_torch.py ROWS.svm none|bf16|powersgd HIDDEN ROWS STEPS LR TARGET CURVES
"""
import gc
import sys
import time

import torch
import torch.distributed as dist
import torch.distributed.nn  # Later, the defaults of its functions would hold the group for good.
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from hosts_table import report


def read(path):
    """Rows of LIBSVM with all their features."""
    with open(path, encoding="ascii") as lines:
        rows = [line.split() for line in lines]
    y = torch.tensor([int(row[0]) for row in rows])
    x = torch.tensor([[float(word.partition(":")[2]) for word in row[1:]] for row in rows])
    return x, y - y.min()


def network(features, hidden, classes):
    layers = [torch.nn.Linear(features, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, hidden), torch.nn.ReLU(),
              torch.nn.Linear(hidden, classes)]
    for layer in layers[::2]:  # as Glissade begins: He's normal weights, biases of 0
        torch.nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
        torch.nn.init.zeros_(layer.bias)
    return torch.nn.Sequential(*layers)


def distributed(network, hook):
    # One bucket for PowerSGD: it waits for messages inside the completion of others, and over gloo for each other's.
    buckets = {"bucket_cap_mb": 1024} if hook == "powersgd" else {}
    model = DistributedDataParallel(network, gradient_as_bucket_view=True, **buckets)
    if hook == "bf16":
        model.register_comm_hook(None, default_hooks.bf16_compress_hook)
    elif hook == "powersgd":  # as early as error feedback lets it begin
        state = powerSGD_hook.PowerSGDState(None, matrix_approximation_rank=1, start_powerSGD_iter=2)
        model.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    return model


def sent_bytes():
    with open("/proc/net/dev", encoding="ascii") as lines:
        return next(int(line.split()[9]) for line in lines if "eth0" in line)


def main():
    path, hook, hidden, rows, steps, lr, target, folder = sys.argv[1:9]
    rows, steps = int(rows), int(steps)
    torch.manual_seed(1)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    x, y = read(path)
    model = distributed(network(x.shape[1], int(hidden), int(y.max()) + 1), hook)
    method = torch.optim.SGD(model.parameters(), lr=float(lr), momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()
    order = torch.Generator().manual_seed(1)
    curve, place, shuffled, before = [], len(x), None, 0
    for step in range(steps):
        if place + rows * ranks > len(x):
            place, shuffled = 0, torch.randperm(len(x), generator=order)
        mine = shuffled[place + rank * rows:place + (rank + 1) * rows]
        place += rows * ranks
        if step == 0:
            began = time.perf_counter()
        if step == 3:
            before = sent_bytes()
        method.zero_grad()
        loss = loss_of(model(x[mine]), y[mine])
        loss.backward()
        method.step()
        curve.append((time.perf_counter() - began, loss.detach()))
    sent = (sent_bytes() - before) / max(steps - 3, 1)
    losses = torch.stack([loss for _, loss in curve])
    dist.all_reduce(losses)
    curve = [(seconds, value / ranks) for (seconds, _), value in zip(curve, losses.tolist())]
    with torch.no_grad():
        final = loss_of(model.module(x[:500]), y[:500]).item()
    if rank == 0:
        report(f"torch {hook}", f"{sent:.0f}", curve, "-", final, target, folder)
    del model, method
    gc.collect()  # The group's threads end with what holds it; one that called Python later would abort.
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
