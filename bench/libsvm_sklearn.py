"""LIBSVM text read beside scikit-learn's reader, strictly alternating, medians; and the memory that reading takes.

Usage: libsvm_sklearn.py BUILD [ROWS] [ROUNDS], with a Python that has scikit-learn. Both give rows in single precision, on one
thread: scikit-learn knows no other way."""
import pathlib
import random
import sys
import tempfile

import numpy
import sklearn
from sklearn.datasets import load_svmlight_file

from reading import alternate, ours, theirs

build = pathlib.Path(sys.argv[1]).resolve()
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7


def write(path, value):
    random.seed(1)
    with open(path, "w") as f:
        for i in range(rows):
            columns = sorted(random.sample(range(1, 50000), 60))
            print(random.choice([-1, 1]), *(f"{c}:{value()}" for c in columns), file=f)


with tempfile.TemporaryDirectory() as name:
    for what, value in [("ones, as text classification has them", lambda: 1), ("values of 6 digits", lambda: f"{random.random():.6f}"),
                        ("values of 17 digits", lambda: repr(random.gauss(0, 1)))]:
        path = pathlib.Path(name) / "t.svm"
        write(path, value)
        (base, own), memory = alternate([theirs(lambda: load_svmlight_file(str(path), dtype=numpy.float32)),
                                         ours(build, path, 1, "libsvm")], rounds)
        print(f"{rows} rows, {path.stat().st_size / 1e6:.0f} MB, {what}: scikit-learn {sklearn.__version__} {base:.2f} s, ours {own:.2f} s, "
              f"ratio {base / own:.2f}; memory at most {memory:.2f} times the result")
