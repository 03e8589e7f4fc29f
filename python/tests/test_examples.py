"""The examples learn; the notebook runs."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.mark.parametrize(
    ("name", "arguments", "needs"),
    [
        ("t5_microbatch", (100,), "transformers"),
        ("conformer_microbatch", (40,), "torch"),
        ("resnet_sngm", (10, 256, 8), "torch"),
        ("gpt_acclip", (60,), "torch"),
        ("monitored_loop", (200,), "torch"),
    ],
)
def test_examples_learn(name, arguments, needs, example, capsys):
    pytest.importorskip("torch")
    pytest.importorskip(needs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = example(name).train(*arguments)
    few = max(1, len(losses) // 5)
    assert sum(losses[-few:]) < 0.8 * sum(losses[:few])
    assert "step 0: loss" in capsys.readouterr().out


def test_the_notebook_runs(example, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    for needed in ("nbformat", "matplotlib", "ipykernel"):
        pytest.importorskip(needed)
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    made = example("make_notebook").notebook()
    nbclient.NotebookClient(made, timeout=120).execute()
    plots = [o for c in made.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert len(plots) == 4
