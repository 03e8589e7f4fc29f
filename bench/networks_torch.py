"""Training steps of networks beside PyTorch's, strictly alternating, medians.

Usage: networks_torch.py BUILD/bench/bench_networks [THREADS] [ROUNDS]

The peer runs as fairly as we know: channels_last for images, the same number of threads, malloc that keeps its memory,
and the OpenBLAS core type set for both. Each side's CPU time is compared too: on a busy machine with one thread it is the
better figure."""
import os
import statistics
import subprocess
import sys
import time

with open("/proc/cpuinfo") as file:
    CORE = "SkylakeX" if "avx512f" in file.read() else "Haswell"
ENVIRONMENT = {"OPENBLAS_CORETYPE": CORE, "MALLOC_MMAP_THRESHOLD_": "4000000000",
               "MALLOC_TRIM_THRESHOLD_": "4000000000"}
if any(key not in os.environ for key in ENVIRONMENT):
    os.execve(sys.executable, [sys.executable] + sys.argv, {**ENVIRONMENT, **os.environ})

import torch  # noqa: E402
from torch import nn  # noqa: E402


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
        return torch.relu(x + y)


def resnet20():
    blocks = [Block(16 << s if s == 0 or k else 8 << s, 16 << s, 2 if s and k == 0 else 1) for s in range(3) for k in range(3)]
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def convnet():
    return nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding=2),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 64, 128), nn.ReLU(),
                         nn.Linear(128, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                         nn.Linear(512, 10))


CASES = {"mlp-128": (mlp, (128, 784), 60), "convnet-128": (convnet, (128, 3, 32, 32), 6),
         "resnet20-32": (resnet20, (32, 3, 32, 32), 6), "resnet20-128": (resnet20, (128, 3, 32, 32), 2)}


class Peer:
    def __init__(self, case):
        make, shape, _ = CASES[case]
        torch.manual_seed(1)
        self.model, self.x, self.y = make(), torch.randn(shape), torch.randint(10, (shape[0],))
        if len(shape) == 4:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.method = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.loss = nn.CrossEntropyLoss()

    def steps(self, count):
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            self.method.zero_grad()
            self.loss(self.model(self.x), self.y).backward()
            self.method.step()
        return time.perf_counter() - start, time.process_time() - cpu


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


class Ours:
    def __init__(self, program, threads):
        self.process = subprocess.Popen([program, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def steps(self, case, count):
        print(case, count, file=self.process.stdin, flush=True)
        return [float(word) for word in self.process.stdout.readline().split()]


def main():
    program, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {threads} threads, medians of {rounds} alternating rounds")
    print(f"{'case':14} {'ours img/s':>11} {'torch img/s':>12} {'ratio':>6} {'spread of ratios':>17} {'CPU time':>9} {'MiB ours':>9} {'torch':>6}")
    for case, (_, shape, count) in CASES.items():
        ours = Ours(program, threads)  # a process for each case, so that memory is its own
        before = resident()
        peer = Peer(case)
        ours.steps(case, 2)
        peer.steps(2)
        mine, theirs, ratios, cpu, memory = [], [], [], [], 0
        for _ in range(rounds):
            time.sleep(0.02)
            seconds, used, memory = ours.steps(case, count)
            time.sleep(0.02)
            other, other_used = peer.steps(count)
            mine.append(seconds)
            theirs.append(other)
            ratios.append(other / seconds)
            cpu.append(other_used / used)
        images = shape[0] * count
        print(f"{case:14} {images / statistics.median(mine):11.0f} {images / statistics.median(theirs):12.0f} "
              f"{statistics.median(ratios):6.2f} {min(ratios):8.2f} {max(ratios):8.2f} {statistics.median(cpu):9.2f} "
              f"{memory:9.0f} "
              f"{resident() - before:6.0f}", flush=True)
        ours.process.stdin.close()
        ours.process.wait()


main()
