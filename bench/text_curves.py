"""Perplexity along training beside PyTorch's, from the same weights, on the same mini-batches of a real text.

Usage: text_curves.py GLISSADE TRAIN VALIDATION [--model transformer|lstm|both] [--steps 300] [--every 50] [--threads 2]

TRAIN and VALIDATION are texts of words with an end of line, as WikiText-2 (plain, .xz or .gz). The decoder of 4 layers
(256 wide, 4 heads) and the LSTM of 2 layers (400 units), vocabulary 8,000, tied, read rows of 128 tokens in order, 16 a
mini-batch, with AdamW and clipping by norm. The weights of the start are PyTorch's, handed over as safetensors. Printed:
both perplexities of the validation text every so many steps; exit code 1 if any two are more than 2% apart. Needs torch,
numpy and safetensors."""
import argparse
import collections
import gzip
import json
import lzma
import math
import os
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file

from sequences_torch import models

LENGTH, ROWS, VOCABULARY, TOLERANCE = 128, 16, 8000, 0.02
RATES = {"transformer": 1e-3, "lstm": 2e-3}
SECTIONS = {"transformer": "{name: transformer, dim: 256, heads: 4, depth: 4, tie: true}",
            "lstm": "{name: lstm, embedding: 400, hidden: 400, depth: 2, tie: true}"}


def words_of(path):
    read = lzma.open if path.endswith(".xz") else gzip.open if path.endswith(".gz") else open
    with read(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield from line.split()
            yield "<eos>"


def numbers(train, validation):
    """As Glissade numbers words: <unk>, <eos>, then by frequency, equal ones in the order of their bytes."""
    words = list(words_of(train))
    fixed = ["<unk>", "<eos>"]
    count = collections.Counter(word for word in words if word not in fixed)
    order = fixed + sorted(count, key=lambda word: (-count[word], word.encode()))
    number = {word: k for k, word in enumerate(order[:VOCABULARY])}
    return [torch.tensor([number.get(word, 0) for word in text]) for text in (words, words_of(validation))]


def ours_of(name, theirs):
    """Parameter of the model in sequences_torch.py -> name of ours."""
    if name == "lstm":
        if theirs.startswith("lstm."):
            part, layer = theirs.removeprefix("lstm.").rsplit("_l", 1)
            return f"lstm{int(layer) + 1}.{'bias' if part == 'bias_ih' else part}"
    elif theirs.startswith("layers."):
        _, layer, rest = theirs.split(".", 2)
        return f"layer{int(layer) + 1}.{rest}"
    return {"embed.weight": "embedding.weight", "positions": "positions.weight", "bias": "output.bias"}.get(theirs, theirs)


def make(name):
    """The peer, with one bias a gate as we have."""
    torch.manual_seed(1)
    model = models()["decoder-16" if name == "transformer" else "lstm-16"]()
    for theirs, p in model.named_parameters():
        if "bias_hh" in theirs:
            p.requires_grad_(False).zero_()
    return model


def loss_of(model, tokens, first, rows, reduction):
    """Of `rows` rows from row `first` on; the last one may be shorter."""
    at, end = first * LENGTH, min((first + rows) * LENGTH, len(tokens) - 1)
    if (end - at) % LENGTH and end - at > LENGTH:
        whole = (end - at) // LENGTH
        return loss_of(model, tokens, first, whole, reduction) + loss_of(model, tokens, first + whole, 1, reduction)
    length = min(end - at, LENGTH)
    logits = model(tokens[at:end].view(-1, length))
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[at + 1:end + 1], reduction=reduction)


def perplexity(model, tokens):
    with torch.no_grad():
        total = sum(loss_of(model, tokens, first, ROWS, "sum").item()
                    for first in range(0, math.ceil((len(tokens) - 1) / LENGTH), ROWS))
    return math.exp(total / (len(tokens) - 1))


def theirs(name, model, train, validation, options):
    decay = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.dim() == 1]
    method = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0}],
                               lr=RATES[name], fused=True)
    curve = {}
    for step in range(options.steps):
        method.zero_grad()
        loss_of(model, train, step * ROWS, ROWS, "mean").backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        method.step()
        if (step + 1) % options.every == 0:
            curve[step + 1] = perplexity(model, validation)
    return curve


def ours(name, model, options, folder):
    start = {ours_of(name, k): p.detach().contiguous() for k, p in model.named_parameters() if "bias_hh" not in k}
    save_file(start, f"{folder}/{name}.safetensors")
    data = (f"{{format: text, train: '{options.train}', validation: '{options.validation}', length: {LENGTH}, "
            f"vocabulary: {VOCABULARY}}}")
    method = f"{{name: adamw, lr: {RATES[name]}, weight_decay: 0.01, clip_norm: 1}}"
    train = (f"{{batch: {ROWS}, steps: {options.steps}, shuffle: false, validate_every: {options.every}s, "
             f"threads: {options.threads}, final_train: 0, checkpoint_every: 0}}")
    with open(f"{folder}/{name}.yaml", "w") as file:
        file.write(f"data: {data}\nmodel: {SECTIONS[name]}\nmethod: {method}\ntrain: {train}\n")
    run = subprocess.run([options.glissade, "train", f"{folder}/{name}.yaml", "--from", f"{folder}/{name}.safetensors",
                          "--out", f"{folder}/{name}", "--quiet"], stderr=subprocess.PIPE, text=True)
    if run.returncode or "as they were initialised" in run.stderr:
        sys.exit(run.stderr)
    with open(f"{folder}/{name}/metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    return {line["step"]: math.exp(line["value"]) for line in lines if line["name"] == "validation_loss"}


def compare(name, tokens, options):
    model = make(name)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        mine = ours(name, model, options, folder)
        middle = time.monotonic()
        peer = theirs(name, model, *tokens, options)
    print(f"{name}: ours {middle - start:.0f} s, torch {torch.__version__} {time.monotonic() - middle:.0f} s, data and "
          "validations included")
    worst = 0
    for step, value in peer.items():
        apart = mine[step] / value - 1
        worst = max(worst, abs(apart))
        print(f"  step {step:5}  ours {mine[step]:8.2f}  torch {value:8.2f}  {100 * apart:+.3f}%", flush=True)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("glissade", "train", "validation"):
        parser.add_argument(name)
    parser.add_argument("--model", choices=[*SECTIONS, "both"], default="both")
    for name, default in (("steps", 300), ("every", 50), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    options.train, options.validation = (os.path.abspath(path) for path in (options.train, options.validation))
    torch.set_num_threads(options.threads)
    tokens = numbers(options.train, options.validation)
    names = list(SECTIONS) if options.model == "both" else [options.model]
    worst = max(compare(name, tokens, options) for name in names)
    print(f"at most {100 * worst:.3f}% apart")
    sys.exit(worst > TOLERANCE)


main()
