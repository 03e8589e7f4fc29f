"""Trains a small model of every kind, exports it, and compares onnxruntime's outputs with `glissade predict` on the same rows.

Usage: test_onnx.py GLISSADE. Prints TAP. onnxruntime and NumPy are looked for in this Python and in the one that
GLISSADE_PEERS names; without them the exports are made and not run.
"""
import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from onnx_peers import numpy, session, text

glissade = os.path.abspath(sys.argv[1])
IMAGES = "{format: glyphs, train_size: 400, test_size: 64}"
SCALED = "{format: glyphs, train_size: 400, test_size: 64, transforms: [standardize, {pad_crop: {pad: 2}}]}"
FLAT = "{format: gaussians, train_size: 300, test_size: 64, features: 12, transforms: [standardize]}"
TONES = "{format: tones, train_size: 200, test_size: 40, max_labels: 3, padded: false}"
FRAMES = "{format: tones, train_size: 200, test_size: 40, max_labels: 3, padded: false, target: frames}"
TEXT = "{format: text, train: text.txt, test: test.txt, unit: byte, length: 12}"
LINES = "{format: text, train: lines.txt, test: linestest.txt, unit: byte, length: 12, rows: lines}"
LABELLED = "{format: text, train: labels.tsv, test: labelstest.tsv, unit: char, length: 14, rows: labelled}"
SPANS = "{format: text, train: spans.tsv, test: spanstest.tsv, unit: char, length: 24, rows: spans, texts: [2, 3]}"
PADDED = "{format: tones, train_size: 200, test_size: 40, max_labels: 3}"
TABLE = "{format: csv, train: table.csv, test: tabletest.csv, target: y, fill: mean, transforms: [standardize]}"
STREAM = TEXT[:-1] + ", streams: 1}"
HIDDEN = TEXT[:-1] + ", transforms: [mask_tokens]}"
CASES = [
    ("least_squares", "real", "{name: least_squares}"),
    ("logistic", FLAT, "{name: logistic, l2: 0.01}"),
    ("logistic on a table", TABLE, "{name: logistic}"),
    ("smoothed_hinge", FLAT, "{name: smoothed_hinge}"),
    ("softmax", IMAGES, "{name: softmax}"),
    ("softmax without bias, images by channel", SCALED, "{name: softmax, bias: false}"),
    ("mlp", FLAT, "{name: mlp, hidden: [9, 7]}"),
    ("mlp, gelu", SCALED, "{name: mlp, hidden: [9], activation: gelu}"),
    ("convnet", SCALED, "{name: convnet, channels: 4, units: 12}"),
    ("resnet, batch norm", SCALED, "{name: resnet, depth: 8}"),
    ("resnet, group norm", IMAGES, "{name: resnet, depth: 8, norm: group, groups: 4}"),
    ("nplm", TEXT, "{name: nplm, window: 4, embedding: 8, hidden: 10}"),
    ("lstm, tied", TEXT, "{name: lstm, embedding: 12, hidden: 12, depth: 2, tie: true}"),
    ("transformer", TEXT, "{name: transformer, dim: 16, heads: 4, kv_heads: 2, depth: 2}"),
    ("transformer, rms norm, sinusoids, post", TEXT,
     "{name: transformer, dim: 16, heads: 2, depth: 1, norm: rms, positions: sinusoidal, order: post, tie: true}"),
    ("bert, hidden bytes", HIDDEN, "{name: bert, dim: 16, heads: 2, depth: 1, positions: 20}"),
    ("vit", SCALED, "{name: vit, dim: 12, heads: 3, depth: 2, patch: 7}"),
    ("vit, mean of the patches", IMAGES, "{name: vit, dim: 12, heads: 2, depth: 1, patch: 4, pool: mean}"),
    ("transformer_xl", TEXT, "{name: transformer_xl, dim: 16, heads: 4, depth: 2, tie: true}"),
    ("transformer_xl, pre", TEXT, "{name: transformer_xl, dim: 12, heads: 2, depth: 1, order: pre}"),
    ("t5", TEXT, "{name: t5, dim: 16, heads: 4, depth: 2, buckets: 8, max_distance: 9}"),
    ("t5, gated", TEXT, "{name: t5, dim: 12, heads: 2, head_dim: 5, depth: 1, source: 9, feed_forward: geglu, tie: false}"),
    ("conformer, ctc, batch norm", TONES, "{name: conformer, dim: 12, heads: 2, depth: 2, kernel: 5}"),
    ("conformer, labels of frames, layer norm", FRAMES,
     "{name: conformer, dim: 12, heads: 3, depth: 1, kernel: 3, norm: layer, positions: sinusoidal}"),
    ("transformer of lines", LINES, "{name: transformer, dim: 16, heads: 2, depth: 2}"),
    ("lstm of lines", LINES, "{name: lstm, embedding: 8, hidden: 10, depth: 2}"),
    ("transformer_xl of lines, pre", LINES, "{name: transformer_xl, dim: 12, heads: 2, depth: 1, order: pre}"),
    ("lstm, last position of texts", LABELLED, "{name: lstm, embedding: 8, hidden: 10, depth: 2, pool: last}"),
    ("lstm, mean of texts", LABELLED, "{name: lstm, embedding: 8, hidden: 10}"),
    ("transformer, mean of texts", LABELLED, "{name: transformer, dim: 16, heads: 2, depth: 1, positions: rotary}"),
    ("t5, mean of texts", LABELLED, "{name: t5, dim: 16, heads: 2, depth: 1}"),
    ("bert, first position of texts", LABELLED, "{name: bert, dim: 16, heads: 2, depth: 1}"),
    ("bert, spans", SPANS, "{name: bert, dim: 16, heads: 2, depth: 1}"),
    ("conformer, padded frames, ctc", PADDED, "{name: conformer, dim: 12, heads: 2, depth: 1, kernel: 5}"),
    ("conformer, padded frames, layer norm", PADDED[:-1] + ", target: frames}",
     "{name: conformer, dim: 12, heads: 2, depth: 1, kernel: 3, norm: layer}"),
    ("lstm that carries", STREAM, "{name: lstm, embedding: 8, hidden: 10, depth: 2, carry: true}"),
    ("transformer_xl with memory", STREAM, "{name: transformer_xl, dim: 12, heads: 2, depth: 2, memory: 17}"),
    ("transformer_xl with a short memory, pre", STREAM, "{name: transformer_xl, dim: 12, heads: 2, depth: 2, memory: 5, order: pre}"),
    ("layers", IMAGES, """{name: layers, layers: [{conv: {channels: 5, kernel: 3, pad: 1, groups: 1}}, {leaky_relu: {slope: 0.2}},
        {max_pool: {kernel: 3, stride: 2, pad: 1}}, layer_norm, tanh, {average_pool: {kernel: 2, pad: 1}},
        {residual_block: {channels: 6, stride: 2}}, rms_norm, sigmoid, flatten, {dropout: {p: 0.2}}, {dense: {units: 10}}]}"""),
    ("rotary and window", TEXT, """{name: layers, layers: [{embedding: {dim: 8}}, {window: {size: 3}}, {dense: {units: 32}},
        {rotary: {heads: 2, kv_heads: 1}}, {attention: {heads: 2, kv_heads: 1, causal: false}}, {dense: {units: 256}}]}"""),
    ("segments and pointer", TEXT, """{name: layers, layers: [{embedding: {dim: 8}}, {segments: {count: 3, separator: 101}},
        {positions: {size: 15}}, {dense: {units: 12}}, pointer, {dense: {units: 12}}, pointer, {dense: {units: 256}}]}"""),
]


def run(*words):
    done = subprocess.run([glissade, *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(words) + "\n" + done.stderr)


def padded(rows, width):
    """Rows of numbers and their lengths; padding is no number that the rows would have."""
    out = numpy.full((len(rows), width), 1, dtype=numpy.int64)
    for row, numbers in zip(out, rows):
        row[:len(numbers)] = numbers
    return {"tokens": out, "lengths": numpy.array([len(numbers) for numbers in rows], dtype=numpy.int64)}


def framed(line, number):
    """<cls> text <sep>, or with a question in front <cls> question <sep> text <sep>."""
    fields = line.split("\t")[1:]
    out = [number["<cls>"]]
    for field in fields:
        out += [number.get(c, number["<unk>"]) for c in field] + [number["<sep>"]]
    return out


def padded_rows(data, folder, model):
    """The same for rows with padding."""
    if "tones" in data:
        frames = numpy.load(folder / "padded.npy").astype(numpy.float32)
        return {"input": frames, "lengths": numpy.load(folder / "padded-frames.npy").astype(numpy.int64)}, "padded.npy"
    width = int(data.split("length: ")[1].split(",")[0])
    name = data.split("test: ")[1].split(",")[0]
    lines = (folder / name).read_text().splitlines()
    if "lines" in data:
        return padded([[10] + list(line.encode()) for line in lines], width), name
    words = json.loads(model.get_modelmeta().custom_metadata_map["tokens"])
    return padded([framed(line, {word: k for k, word in enumerate(words)}) for line in lines], width), name


def rows_of(data, folder):
    """The test rows as NumPy has them, and the file that `predict` reads them from."""
    if "text" in data:
        raw = numpy.frombuffer((folder / "test.txt").read_bytes(), dtype=numpy.uint8).astype(numpy.int64)
        count = len(raw) // 12
        return {"tokens": raw[:12 * count].reshape(count, 12)}, "test.txt"
    if "tones" in data:
        return {"input": numpy.load(folder / "frames.npy").astype(numpy.float32)}, "frames.npy"
    name = "flat.npy" if "gaussians" in data else "realtest.npy" if "real" in data else "images.npy"
    return {"input": numpy.load(folder / name).astype(numpy.float32)}, name


def table_rows(folder, model):
    """Rows of the table by what the model's file says of its inputs alone."""
    meta = model.get_modelmeta().custom_metadata_map
    names, fill = json.loads(meta["features"]), json.loads(meta["fill"])
    def value(row, k):
        column, _, text = names[k].partition("=")
        return float(row[column] == text) if text else float(row[column]) if row[column] else fill[k]

    rows = [[value(row, k) for k in range(len(names))] for row in csv.DictReader(open(folder / "tabletest.csv"))]
    return {"input": numpy.array(rows, dtype=numpy.float32)}, "tabletest.csv"


def run_rows(model, feed):
    """Outputs by name; what a row leaves goes into the next one."""
    names = [output.name for output in model.get_outputs()]
    state = {i.name: numpy.zeros([1] + [d for d in i.shape[1:]], numpy.int64 if "int64" in i.type else numpy.float32)
             for i in model.get_inputs() if i.name not in feed}
    if not state:
        return dict(zip(names, model.run(None, feed)))
    parts = []
    for k in range(len(feed["tokens"])):
        part = dict(zip(names, model.run(None, {"tokens": feed["tokens"][k:k + 1], **state})))
        state = {name: part[name + "_next"] if name + "_next" in part else value + feed["tokens"].shape[1]
                 for name, value in state.items()}
        parts.append(part)
    return {name: numpy.concatenate([part[name] for part in parts]) for name in names}


def compare(data, folder):
    model = session(folder / "m.onnx")
    has = [i.name for i in model.get_inputs()]
    feed, rows = (padded_rows(data, folder, model) if "lengths" in has else table_rows(folder, model) if "csv" in data
                  else rows_of(data, folder))
    extra = ["--format", "text" if "text" in data else "frames" if "tones" in data else "csv" if "csv" in data else "npy"]
    run("predict", "run/final.safetensors", "--data", rows, "--out", "out.npy", *extra)
    expected = numpy.load(folder / "out.npy")
    names = [output.name for output in model.get_outputs()]
    found = run_rows(model, feed)
    if expected.dtype.kind == "i":
        return float(numpy.abs(found["label"] - expected.reshape(found["label"].shape)).max())
    if not {"output"} <= set(names):
        raise RuntimeError(f"outputs {names}")
    which = found["probabilities" if "probabilities" in names else "output"]
    expected = expected.reshape(which.shape)
    counts = numpy.ones(which.shape[:-1], bool)
    if "lengths" in has and which.ndim == 3 and which.shape[1] > 2 and "label" in names:  # by position; ctc pads
        counts = numpy.arange(which.shape[1])[None] < feed["lengths"][:, None]
    far = float(numpy.abs(which - expected)[counts].max())
    if "label" in names:
        far += float((found["label"] != expected.argmax(-1))[counts].sum())
    return far


def lines_of(folder):
    """Lines, lines with a label, and questions with an answer, of unequal length."""
    draw = random.Random(5)
    for part, count in (("", 150), ("test", 30)):
        words = ["".join(draw.choice("abcde") for _ in range(draw.randint(1, 11))) for _ in range(count)]
        (folder / f"lines{part}.txt").write_text("".join(w + "\n" for w in words))
        (folder / f"labels{part}.tsv").write_text("".join(f"{k % 3}\t{w}\n" for k, w in enumerate(words)))
        spans = [(w[len(w) // 3:len(w) // 3 + 2], w[:3], w) for w in words]
        (folder / f"spans{part}.tsv").write_text("".join("\t".join(s) + "\n" for s in spans))


def tables(folder):
    """Numbers, a text and missing numbers."""
    draw = random.Random(6)
    for part, count in (("", 160), ("test", 40)):
        with open(folder / f"table{part}.csv", "w") as f:
            print("age,city,income,y", file=f)
            for k in range(count):
                income = f"{draw.gauss(3, 2):.3f}" if draw.random() < 0.8 else ""
                print(draw.randint(18, 90), draw.choice(["Rome", "Oslo", "Bern"]), income, draw.choice(["yes", "no"]), sep=",", file=f)


print(f"1..{len(CASES)}")
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    os.chdir(folder)
    text(folder / "text.txt", 1, 3000)
    text(folder / "test.txt", 2, 481)  # a row needs the token behind it
    run("data", "make", "glyphs", "--set", "train_size=64", "--out", "images.npy")
    run("data", "make", "gaussians", "--set", "train_size=64", "--set", "features=12", "--out", "flat.npy")
    run("data", "make", "tones", "--set", "train_size=40", "--set", "max_labels=3", "--set", "padded=false", "--to", "frames",
        "--out", "frames.npy")
    run("data", "make", "tones", "--set", "train_size=40", "--set", "max_labels=3", "--to", "frames", "--out", "padded.npy")
    lines_of(folder)
    tables(folder)
    for number, (what, data, model) in enumerate(CASES, 1):
        if data == "real":
            run("data", "make", "gaussians", "--set", "train_size=200", "--set", "features=5", "--out", "real.npy")
            run("data", "make", "gaussians", "--set", "train_size=64", "--set", "features=5", "--out", "realtest.npy")
            data = "{format: npy, train: real.npy, test: realtest.npy, transforms: [standardize]}"
        try:
            run("train", "--set", f"data={data}", "--set", f"model={model}", "--set", "method={name: msgd, lr: 0.02}", "--set",
                "train={steps: 12, epochs: 0, seed: 3, %s}" % ("batch: 1, shuffle: false" if "streams" in data else "batch: 16"), "--out", "run", "--quiet")
            run("export", "run", "--onnx", "m.onnx")
            far = compare(data, folder) if numpy else 0
            print(f"{'ok' if far < 1e-5 else 'not ok'} {number} - {what}" + ("" if numpy else " # SKIP no onnxruntime"))
            print(f"# largest distance {far:.1e}")
        except Exception as failure:  # each case is one check
            print(f"not ok {number} - {what}\n# " + str(failure).replace("\n", "\n# "))
        subprocess.run(["rm", "-rf", "run", "m.onnx", "out.npy"])
