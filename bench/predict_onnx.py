"""Rows a second through a trained model: ours beside onnxruntime on the exported file, strictly alternating, medians.

Usage: predict_onnx.py BUILD [THREADS] [ROUNDS], with a Python that has onnxruntime and NumPy. Both sides are given all rows at
once; onnxruntime takes them in batches of 256, which is faster here than whole."""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import onnxruntime

from built import built

build = pathlib.Path(sys.argv[1]).resolve()
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 15
CASES = {"mlp 784-512-512-10": ("{name: mlp, hidden: [512, 512]}", "glyphs", 8192),
         "ResNet-20, 3 x 32 x 32": ("{name: resnet, depth: 20}", "images", 512)}
environment = dict(os.environ, OMP_NUM_THREADS=str(threads))


def ours(folder, rows):
    process = subprocess.Popen([built(build, "predict"), "run/final.safetensors", rows, str(threads)], cwd=folder,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def run():
        print(file=process.stdin, flush=True)
        return float(process.stdout.readline())
    return run


def theirs(folder, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"), options, providers=["CPUExecutionProvider"])

    def run():
        start = time.perf_counter()
        for first in range(0, len(x), 256):
            session.run(["output"], {"input": x[first:first + 256]})
        return time.perf_counter() - start
    return run


for what, (model, data, count) in CASES.items():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shape = (count, 28, 28) if data == "glyphs" else (count, 3, 32, 32)
        x = numpy.random.default_rng(1).standard_normal(shape).astype(numpy.float32)
        numpy.save(folder / "rows.npy", x)
        numpy.save(folder / "rows-labels.npy", (numpy.arange(count) % 10).astype(numpy.int32))
        for words in (["train", "--set", "data={format: npy, train: rows.npy}", "--set", f"model={model}", "--set",
                       "method={name: sgd, lr: 0.01}", "--set", "train={steps: 2, epochs: 0, batch: 128}", "--out", "run", "--quiet"],
                      ["export", "run", "--onnx", "m.onnx"]):
            subprocess.run([build / "glissade", *words], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        sides = [ours(folder, "rows.npy"), theirs(folder, x)]
        times = [[], []]
        for k in range(-2, rounds):
            for side in ((0, 1) if k % 2 else (1, 0)):
                seconds = sides[side]()
                if k >= 0:
                    times[side].append(seconds)
        a, b = map(statistics.median, times)
        print(f"{what}, {threads} threads: {count / a:9.0f} rows/s, onnxruntime {onnxruntime.__version__} {count / b:9.0f} rows/s, "
              f"ratio {b / a:.2f}")
