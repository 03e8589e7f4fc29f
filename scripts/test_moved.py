"""Of every family: a model is trained, its file moved to an empty folder, and there `evaluate`, `predict` and onnxruntime agree
with the test figures that the run itself has reported.

Usage: test_moved.py GLISSADE. Prints TAP. onnxruntime and NumPy are looked for in this Python and in the one that
GLISSADE_PEERS names; without them that part is left out.
"""
import ast
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from onnx_peers import numpy, session, text

glissade = os.path.abspath(sys.argv[1])
FLAT = "{format: npy, train: flat.npy, test: flat-t.npy, transforms: [standardize]}"
IMAGES = "{format: npy, train: images.npy, test: images-t.npy, transforms: [standardize, {pad_crop: {pad: 2}}]}"
TEXT = "{format: text, train: text.txt, test: text-t.txt, unit: byte, length: 12}"
CASES = [("softmax", FLAT, "{name: softmax, l2: 0.001}"),
         ("mlp", FLAT, "{name: mlp, hidden: [9]}"),
         ("convnet", IMAGES, "{name: convnet, channels: 4, units: 12, dropout: 0.2}"),
         ("resnet", IMAGES, "{name: resnet, depth: 8, width: 4, dropout: 0.1}"),
         ("nplm", TEXT, "{name: nplm, window: 4, embedding: 8, hidden: 10}"),
         ("lstm", TEXT, "{name: lstm, embedding: 12, hidden: 12}"),
         ("transformer", TEXT, "{name: transformer, dim: 16, heads: 2, depth: 1}")]


def run(*words):
    done = subprocess.run([glissade, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(map(str, words)) + "\n" + done.stderr)
    return done.stdout


def npy(path):
    """Shape and values of an array of 32-bit numbers, which needs no NumPy to be read."""
    raw = path.read_bytes()
    size, = struct.unpack_from("<H", raw, 8)
    header = ast.literal_eval(raw[10:10 + size].decode())
    count = math.prod(header["shape"])
    kind = {"<f4": "f", "<i4": "i", "<i8": "q"}[header["descr"]]
    return header["shape"], struct.unpack_from(f"<{count}{kind}", raw, 10 + size)


def targets(data, folder):
    """The right class of every prediction, or None where there is none."""
    if data != TEXT:
        return list(npy(folder / ("flat-t-labels.npy" if data == FLAT else "images-t-labels.npy"))[1])
    raw = (folder / "text-t.txt").read_bytes()
    return list(raw[1:])


def figures(probability, right, classes):
    """Accuracy and mean of -log p of the right class."""
    found = loss = 0
    for i, label in enumerate(right):
        row = probability[i * classes:(i + 1) * classes]
        found += max(range(classes), key=row.__getitem__) == label
        loss -= math.log(max(row[label], 1e-30))
    return found / len(right), loss / len(right)


def onnx_figures(data, folder, model, right):
    if data == TEXT:
        raw = numpy.frombuffer((folder / "text-t.txt").read_bytes(), dtype=numpy.uint8).astype(numpy.int64)
        feed = {"tokens": raw[:len(raw) // 12 * 12].reshape(-1, 12)}
    else:
        feed = {"input": numpy.load(folder / ("flat-t.npy" if data == FLAT else "images-t.npy")).astype(numpy.float32)}
    p = session(model).run(["probabilities"], feed)[0]
    return figures(p.reshape(-1).tolist(), right, p.shape[-1])


def distances(data, model, folder, number):
    """How far each of the three is from the run's figures: accuracy, and the loss without penalty."""
    out, away = folder / f"run{number}", folder / f"away{number}"
    run("train", "--set", f"data={data}", "--set", f"model={model}", "--set", "method={name: msgd, lr: 0.02}", "--set",
        "train={steps: 20, epochs: 0, batch: 16, seed: 3}", "--out", out, "--quiet")
    own = json.loads((out / "result.json").read_text())
    away.mkdir()
    shutil.move(out / "final.safetensors", away)
    shutil.rmtree(out)
    rows = folder / json.loads(json.dumps({FLAT: "flat-t.npy", IMAGES: "images-t.npy", TEXT: "text-t.txt"}[data]))
    moved = away / "final.safetensors"
    scores = json.loads(run("evaluate", moved, "--data", rows, "--json", "--quiet").splitlines()[-1])
    far = [abs(scores["loss"] - own["test_loss"]), abs(scores["accuracy"] - own["test_accuracy"])]
    run("predict", moved, "--data", rows, "--out", away / "p.npy")
    shape, p = npy(away / "p.npy")
    right = targets(data, folder)
    predicted = figures(p, right, shape[-1])
    far += [abs(predicted[0] - own["test_accuracy"]), abs(predicted[1] - scores["log_loss"])]
    if numpy:
        run("export", moved, "--onnx", away / "m.onnx")
        theirs = onnx_figures(data, folder, away / "m.onnx", right)
        far += [abs(theirs[0] - own["test_accuracy"]), abs(theirs[1] - scores["log_loss"])]
    return far


print(f"1..{len(CASES)}")
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    os.chdir(folder)
    text(folder / "text.txt", 1, 3000)
    text(folder / "text-t.txt", 2, 481)  # a row needs the token behind it
    for name, more in (("flat", ["gaussians", "--set", "features=7", "--set", "classes=3"]), ("images", ["glyphs"])):
        for part, rows in (("", 240), ("-t", 60)):
            run("data", "make", *more, "--set", f"train_size={rows}", "--out", f"{name}{part}.npy")
    for number, (what, data, model) in enumerate(CASES, 1):
        try:
            far = distances(data, model, folder, number)
            print(f"{'ok' if max(far) < 1e-5 else 'not ok'} {number} - {what}")
            print("# distances " + " ".join(f"{x:.1e}" for x in far) + ("" if numpy else ", no onnxruntime"))
        except Exception as failure:  # each case is one check
            print(f"not ok {number} - {what}\n# " + str(failure).replace("\n", "\n# "))
