"""A table of mixed data read beside pandas' C reader, strictly alternating, medians; and the memory that reading takes.

Usage: csv_pandas.py BUILD [ROWS] [ROUNDS], with a Python that has pandas. pandas has texts as categories, as we do."""
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import pandas

build = pathlib.Path(sys.argv[1]).resolve()
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
CITIES = ["Rome", "Paris", "Berlin", "Madrid", "Lisbon", "Vienna", "Oslo", "Bern"]


def write(path, quoted):
    random.seed(1)
    with open(path, "w") as f:
        print("id,age,income,score,city,flag,ratio,level,target", file=f)
        for i in range(rows):
            city = random.choice(CITIES)
            print(i, random.randint(18, 90), f"{random.gauss(50000, 9000):.2f}", f"{random.random():.6f}",
                  f'"{city}, x"' if quoted and i % 2 else city, random.choice(["yes", "no"]),
                  f"{random.gauss(0, 1):.15g}", random.randint(0, 1000000), random.choice("abc"), sep=",", file=f)


def ours(path, threads):
    process = subprocess.Popen([build / "bench/bench_reader", path, str(threads), "csv", "target"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))

    def run():
        print(file=process.stdin, flush=True)
        seconds, stays, most = map(float, process.stdout.readline().split())
        return seconds, most / stays
    return run


def theirs(path):
    def run():
        start = time.perf_counter()
        pandas.read_csv(path, engine="c", dtype={"city": "category", "flag": "category", "target": "category"})
        return time.perf_counter() - start, 0
    return run


with tempfile.TemporaryDirectory() as name:
    for quoted in (False, True):
        path = pathlib.Path(name) / "t.csv"
        write(path, quoted)
        sides = [theirs(path), ours(path, 1), ours(path, 2)]
        times, memory = [[], [], []], 0
        for k in range(-1, rounds):
            for side in range(3):
                seconds, most = sides[side]()
                memory = max(memory, most)
                if k >= 0:
                    times[side].append(seconds)
        base, one, two = map(statistics.median, times)
        print(f"{rows} rows, {path.stat().st_size / 1e6:.0f} MB{', quotes in half of them' if quoted else ''}: pandas "
              f"{pandas.__version__} {base:.2f} s; one thread {one:.2f} s, ratio {base / one:.2f}; two threads {two:.2f} s, ratio "
              f"{base / two:.2f}; memory at most {memory:.2f} times the result")
