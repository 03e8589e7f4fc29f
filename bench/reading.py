"""What the comparisons of readers share: a reader of ours and another one, timed in strict alternation."""
import os
import statistics
import subprocess
import time

from built import built


def ours(build, path, threads, *words):
    """Reads through bench_reader: a function that gives seconds and the memory at most over that of the result."""
    process = subprocess.Popen([built(build, "reader"), path, str(threads), *words], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))

    def run():
        print(file=process.stdin, flush=True)
        seconds, stays, most = map(float, process.stdout.readline().split())
        return seconds, most / stays
    return run


def theirs(read):
    def run():
        start = time.perf_counter()
        read()
        return time.perf_counter() - start, 0
    return run


def alternate(sides, rounds):
    """Median seconds of each side after one round that does not count, and the greatest memory of ours."""
    times, memory = [[] for _ in sides], 0
    for k in range(-1, rounds):
        for found, side in zip(times, sides):
            seconds, most = side()
            memory = max(memory, most)
            if k >= 0:
                found.append(seconds)
    return [statistics.median(found) for found in times], memory
