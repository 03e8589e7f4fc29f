"""Writes glissade.ipynb, a notebook with plots: batch-size bound, clipping, a run and a sweep.

Usage: make_notebook.py [OUT]. Needs nbformat; the notebook needs matplotlib.
"""

from __future__ import annotations

import sys

import nbformat

CELLS = [
    "# Gradients that stay in control\nMeasures of gradients, clipping by micro-batches, and a training run.",
    """\
import glissade
import matplotlib.pyplot as plt
import numpy as np""",
    "## How many examples are worth a step?\nThe batch-size bound of [D], with its interval.",
    """\
generator = np.random.default_rng(0)
sizes, bounds = [32, 64, 128, 256, 512], []
gradients = generator.normal(size=(512, 200)) + 0.3
for size in sizes:
    measured = glissade.measure(gradients[:size], "gradient_diversity", sample=True)
    bounds.append(measured["gradient_diversity"]["batch_size_bound"])
low, high = zip(*(b.interval for b in bounds))
values = np.array([b.value for b in bounds])
plt.errorbar(sizes, values, [values - low, np.array(high) - values], marker="o", capsize=4)
plt.xlabel("examples"); plt.ylabel("batch-size bound");""",
    "## Clipping by micro-batches\nSome examples pull elsewhere, with force; clipped, they weigh no more than others.",
    """\
gradients = generator.normal(size=(256, 50)) + 1
gradients[:20] *= -30
truth = np.ones(50) / np.sqrt(50)
sizes = [1, 2, 4, 8, 16, 32, 64, 256]
cosines = []
for size in sizes:
    g = glissade.estimate(gradients, "microbatch", microbatch=size).g
    cosines.append(g @ truth / np.linalg.norm(g))
plt.semilogx(sizes, cosines, marker="o", base=2)
plt.xlabel("examples of a micro-batch"); plt.ylabel("cosine with the gradient of most");""",
    "## A run\nThe library's own models; rows in memory, a progress bar, figures as arrays.",
    """\
x = generator.normal(size=(600, 10))
y = np.array(["no", "yes"])[(x[:, 0] * x[:, 1] > 0).astype(int)]
config = {"model": {"name": "mlp", "hidden": [32]}, "method": {"name": "sngm", "lr": 0.1, "beta": 0.9},
          "train": {"batch": 50, "epochs": 20, "validation": 0.2}}
losses = []
result = glissade.train(config, data=(x, y), progress=True, callbacks=lambda p: losses.append(p.loss))
plt.plot(losses); plt.xlabel("step"); plt.ylabel("loss")
result.validation_score""",
    "## A sweep",
    """\
file = {**config, "data": {"format": "gaussians", "train_size": 400, "features": 10, "classes": 3}}
found = glissade.sweep(file, {"method.lr": [0.001, 0.01, 0.1, 1.0]}, set=["train.epochs=3"])
order = sorted(found.trials, key=lambda t: t.values["method.lr"])
plt.semilogx([t.values["method.lr"] for t in order], [t.selected.mean for t in order], marker="o")
plt.xlabel("lr"); plt.ylabel(found.selected_by);""",
]


def notebook() -> nbformat.NotebookNode:
    """Code and words by turns; a cell that begins with # is of words."""
    made = nbformat.v4.new_notebook()
    for i, text in enumerate(CELLS):
        new = nbformat.v4.new_markdown_cell if text.startswith("#") else nbformat.v4.new_code_cell
        made.cells.append(new(text, id=f"cell-{i}"))
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


if __name__ == "__main__":
    nbformat.write(notebook(), sys.argv[1] if len(sys.argv) > 1 else "glissade.ipynb")
