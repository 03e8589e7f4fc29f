"""What the comparisons with PyTorch share: programs that answer lines with seconds, and their strict alternation.

Every variant is a process of its own, so that the peak of memory is its own too (compiled: the compiler's included).
The peers run as fairly as we know: the same number of threads, malloc that keeps its memory, and the OpenBLAS core type
set for both."""
import os
import statistics
import subprocess
import sys
import time

with open("/proc/cpuinfo") as file:
    FLAGS = file.read()
CORE = "SkylakeX" if "avx512f" in FLAGS else "Haswell"
BF16 = "avx512_bf16" in FLAGS
ENVIRONMENT = {"OPENBLAS_CORETYPE": CORE, "MALLOC_MMAP_THRESHOLD_": "4000000000",
               "MALLOC_TRIM_THRESHOLD_": "4000000000"}


def peak():
    """MiB of resident memory at most, so far."""
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024


class Program:
    def __init__(self, *command, **environment):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, **ENVIRONMENT, **environment})

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return [float(word) for word in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def peers(script, case, variants, threads, **environment):
    """A process of `script --serve CASE VARIANT THREADS` for each; and torch's version, which it says first."""
    programs = {name: Program(sys.executable, script, "--serve", case, name, threads, **environment)
                for name in variants}
    versions = [program.process.stdout.readline().strip() for program in programs.values()]
    return programs, versions[0] if versions else "-"


def serve(step, before):
    """Answers numbers of steps with seconds, processor seconds and the growth of the peak of memory since `before`."""
    for line in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, time.process_time() - used, peak() - before, flush=True)


def alternate(asks, rounds, unit, count):
    """Prints a table of `count` units a round: rates, the first one's over each, and the same in processor time."""
    found = {name: [] for name in asks}
    first = next(iter(asks))
    for ask in asks.values():
        ask(), ask()
    for _ in range(rounds):
        for name, ask in asks.items():
            time.sleep(0.02)
            found[name].append(ask())
    print(f"  {'':14} {unit + '/s':>9} {first + ' over it':>13} {'spread':>13} {'in CPU time':>12} {'peak MiB':>9}")
    for name, answers in found.items():
        seconds = [answer[0] for answer in answers]
        ratios, cpu = ([other[k] / mine[k] for mine, other in zip(found[first], answers)] for k in (0, 1))
        memory = "" if name == "roofline" else f"{answers[-1][2]:9.0f}"
        print(f"  {name:14} {count / statistics.median(seconds):9.0f} {statistics.median(ratios):13.2f} "
              f"{min(ratios):7.2f}{max(ratios):6.2f} {statistics.median(cpu):12.2f} {memory}", flush=True)
    products = statistics.median(answer[2] / (answer[2] + answer[3]) for answer in found["roofline"])
    print(f"  roofline: {100 * products:.0f}% of its time in products", flush=True)
