"""A table of mixed data read beside pandas' C reader, strictly alternating, medians; and the memory that reading takes.

Usage: csv_pandas.py BUILD [ROWS] [ROUNDS], with a Python that has pandas. pandas has texts as categories, as we do."""
import pathlib
import random
import sys
import tempfile

import pandas

from reading import alternate, ours, theirs

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


def read(path):
    pandas.read_csv(path, engine="c", dtype={"city": "category", "flag": "category", "target": "category"})


with tempfile.TemporaryDirectory() as name:
    for quoted in (False, True):
        path = pathlib.Path(name) / "t.csv"
        write(path, quoted)
        (base, one, two), memory = alternate(
            [theirs(lambda: read(path)), ours(build, path, 1, "csv", "target"), ours(build, path, 2, "csv", "target")], rounds)
        print(f"{rows} rows, {path.stat().st_size / 1e6:.0f} MB{', quotes in half of them' if quoted else ''}: pandas "
              f"{pandas.__version__} {base:.2f} s; one thread {one:.2f} s, ratio {base / one:.2f}; two threads {two:.2f} s, ratio "
              f"{base / two:.2f}; memory at most {memory:.2f} times the result")
