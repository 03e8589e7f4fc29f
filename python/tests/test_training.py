"""Training along callbacks and from rows in memory; sweeps and advice; frames."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import glissade

CONFIG = {
    "data": {"format": "gaussians", "train_size": 300, "test_size": 60, "features": 5, "classes": 3},
    "model": "softmax",
    "method": {"name": "sngm", "lr": 0.2, "beta": 0.9},
    "train": {"batch": 30, "epochs": 3, "seed": 4, "log_every": "1s"},
}


class Recorder(glissade.Callback):
    def __init__(self):
        self.steps, self.epochs, self.validations, self.ends, self.closed = [], [], [], [], 0

    def on_step(self, progress):
        self.steps.append(progress.step)

    def on_epoch(self, progress):
        self.epochs.append(progress.step)

    def on_validation(self, progress):
        self.validations.append(progress.monitored)

    def on_end(self, result):
        self.ends.append(result)

    def close(self):
        self.closed += 1


def test_callbacks_hear_of_steps_epochs_and_validations():
    recorder = Recorder()
    seen = []
    result = glissade.train(CONFIG, set=["train.batch=70"], callbacks=[recorder, lambda p: seen.append(p.epoch)])
    assert recorder.steps == list(range(1, 16)) and len(seen) == 15
    assert recorder.epochs == [5, 10, 15]
    assert len(recorder.validations) == 3 and all(math.isfinite(v) for v in recorder.validations)
    assert recorder.ends == [result] and recorder.closed == 1


def test_a_callback_ends_a_run_or_stops_it(tmp_path):
    result = glissade.train(CONFIG, tmp_path / "a", callbacks=lambda p: p.step < 7)
    assert (result.steps, result.stopped) == (7, "observer") and math.isfinite(result.train_loss)
    recorder = Recorder()
    recorder.on_epoch = lambda p: 1 / 0
    with pytest.raises(ZeroDivisionError):
        glissade.train(CONFIG, tmp_path / "b", callbacks=recorder)
    assert recorder.steps[-1] == 10 and recorder.closed == 1 and not recorder.ends
    resumed, again = glissade.train(CONFIG), glissade.train(CONFIG, tmp_path / "b", resume=True)
    assert all((resumed.weights[name] == again.weights[name]).all() for name in resumed.weights)
    with pytest.raises(glissade.BadInputError, match="expected a glissade"):
        glissade.train(CONFIG, callbacks=[3])


@pytest.mark.parametrize("installed", [True, False])
def test_the_bar(installed, monkeypatch, capsys):
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    result = glissade.train(CONFIG, progress=True)
    shown = capsys.readouterr().err
    assert f"{result.steps}/{result.steps}" in shown and "loss" in shown
    if not installed:
        lines = shown.strip().splitlines()
        assert lines[-1].startswith("[####################] 30/30") and len(lines) <= 12


INTERRUPTED = """
import os, signal, sys, threading, glissade
config = {"data": {"format": "gaussians", "train_size": 2000, "features": 50, "classes": 3}, "model": "softmax",
          "method": {"name": "sgd", "lr": 0.01}, "train": {"batch": 10, "epochs": 100000, "seed": 1}}
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs ignore it.
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    WORK
except KeyboardInterrupt as error:
    print("interrupted", sorted(p.name[:4] for p in __import__("pathlib").Path(sys.argv[1]).rglob("step-*")))
"""


@pytest.mark.parametrize(
    "work",
    [
        "glissade.train(config, sys.argv[1])",
        "glissade.train(config, sys.argv[1], callbacks=lambda p: None)",
        "glissade.sweep(config, {'method.lr': [0.1, 0.2]}, sys.argv[1])",
    ],
)
def test_ctrl_c_saves_the_work(work, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED.replace("WORK", work), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("interrupted ['step'"), done.stderr


def test_an_interruption_leaves_the_signal_as_it_was():
    before = signal.getsignal(signal.SIGINT)
    glissade.train(CONFIG)
    assert signal.getsignal(signal.SIGINT) is before and signal.set_wakeup_fd(-1) == -1
    failed = []
    thread = threading.Thread(target=lambda: failed.append(glissade.train(CONFIG).steps))
    thread.start()
    thread.join()
    assert failed == [30]


# ---- rows in memory ----


def rows(n=120, seed=0):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, n)
    return generator.normal(size=(n, 4)) + 2 * np.eye(4)[y], y


LINEAR = {"model": "softmax", "method": {"name": "msgd", "lr": 0.3}, "train": {"batch": 30, "epochs": 20, "seed": 2}}


def test_arrays_train_as_a_file_of_them_does(tmp_path, dtype):
    x, y = rows()
    x = x.astype(np.float32)
    with open(tmp_path / "t.svm", "w") as f:
        for values, label in zip(x, y, strict=True):
            f.write(f"{label} " + " ".join(f"{i + 1}:{v:.9g}" for i, v in enumerate(values)) + "\n")
    names = np.array(["a", "b", "c"])
    result = glissade.train(LINEAR, tmp_path / "run", data=(x, names[y]), dtype=dtype)
    file = {"format": "libsvm", "train": str(tmp_path / "t.svm")}
    wanted = glissade.train({**LINEAR, "data": file}, dtype=dtype)
    assert result.weights.keys() == wanted.weights.keys()
    for name, array in wanted.weights.items():
        assert np.allclose(result.weights[name], array, atol=1e-5)
    found = glissade.Run(tmp_path / "run", dtype=dtype).predict(x)
    assert found.classes == ["a", "b", "c"] and (np.array(found.classes)[found.labels] == names[y]).mean() > 0.85


def test_values_weights_and_test_sets():
    generator = np.random.default_rng(3)
    x, wanted = generator.normal(size=(200, 3)), np.array([[1.0, 2.0], [-3.0, 0.5], [0.0, 1.0]])
    y = x @ wanted + 7
    config = {"model": "least_squares", "method": {"name": "msgd", "lr": 0.1}, "train": {"batch": 200, "epochs": 300}}
    data = glissade.Data(x, y, test=(x[:50], y[:50]))
    result = glissade.train(config, data=data, dtype=np.float64)
    assert result.train_loss < 1e-9 and result.test_loss < 1e-9
    # A weight of 3 is the row three times.
    small, target = x[:6], y[:6, 0]
    weight = np.array([1, 3, 1, 1, 2, 1])
    options = ["train.batch=100", "train.epochs=50"]
    given = glissade.Data(small, target, weight=weight)
    weighed = glissade.train(config, data=given, set=options, dtype=np.float64)
    repeated = glissade.train(
        config, data=(np.repeat(small, weight, axis=0), np.repeat(target, weight)), set=options, dtype=np.float64
    )
    for name, array in repeated.weights.items():
        assert np.allclose(weighed.weights[name], array, atol=1e-12)


def test_rows_of_other_packages():
    x, y = rows()
    wanted = glissade.train(LINEAR, data=(x, y), dtype=np.float64).weights
    same = []
    try:
        import pandas

        same.append((pandas.DataFrame(x, columns=list("abcd")), pandas.Series(y)))
    except ImportError:
        pass
    try:
        import polars

        same.append((polars.DataFrame(x), polars.Series(y)))
    except ImportError:
        pass
    try:
        import pyarrow

        same.append((pyarrow.table({str(i): x[:, i] for i in range(4)}), pyarrow.array(y)))
    except ImportError:
        pass
    try:
        import torch

        dataset = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        same += [(dataset, None), (torch.utils.data.Subset(dataset, range(len(x))), None)]
    except ImportError:
        pass
    if not same:
        pytest.skip("none of pandas, polars, pyarrow and torch is installed")
    for data in same:
        found = glissade.train(LINEAR, data=data, dtype=np.float64).weights
        assert all((found[name] == array).all() for name, array in wanted.items()), type(data[0])


def test_sparse_rows(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = rows()
    x[np.abs(x) < 1] = 0
    wanted = glissade.train(LINEAR, data=(x, y), dtype=np.float64)
    for matrix in (sparse.csr_matrix(x), sparse.coo_array(x)):
        found = glissade.train(LINEAR, tmp_path / type(matrix).__name__, data=(matrix, y), dtype=np.float64)
        assert all(np.allclose(found.weights[name], array, atol=1e-12) for name, array in wanted.weights.items())
        run = glissade.Run(tmp_path / type(matrix).__name__, dtype=np.float64)
        assert np.allclose(run.predict(matrix).values, run.predict(x).values, atol=1e-12)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (lambda x, y: (x, y[:-1]), "one for each of the 120 rows"),
        (lambda x, y: (x, None), "expected y"),
        (lambda x, y: glissade.Data(x, y, classes=[0, 1]), "2 is none of the classes"),
        (lambda x, y: glissade.Data(x, y, weight=y[:3]), "weight"),
        (lambda x, y: glissade.Data(x, y, weight=y), "weight 0 is 0|weight . is 0"),
        (lambda x, y: (np.where(x > 2, np.nan, x), y), "not finite|nan"),
        (lambda x, y: (x.astype(str), y), "dtype"),
    ],
)
def test_mistakes_in_rows(data, word):
    with pytest.raises((glissade.BadInputError, glissade.NonfiniteError), match=word):
        glissade.train(LINEAR, data=data(*rows()))


# ---- sweeps, advice, frames ----


def test_a_sweep_compares(tmp_path):
    ended = []
    over = {"method.lr": [1e-4, 0.2], "method.beta": "0,0.9"}
    found = glissade.sweep(CONFIG, over, tmp_path / "s", seeds=2, set=["train.validation=0.2"], progress=ended.append)
    assert len(found.trials) == 4 and len(ended) == 8 and ended[-1].run == ended[-1].runs == 8
    assert found.best is found.trials[0] and found.selected_by == "validation accuracy" and found.greater_is_better
    assert found.best.values["method.lr"] == 0.2 and found.edge == ("method.lr", "method.beta")[: len(found.edge)]
    assert found.best.runs == 2 and found.best.selected.mean >= found.trials[-1].selected.mean
    runs = [glissade.Run(found.best.folder / f"seed-{s}").result["train_loss"] for s in (4, 5)]
    assert found.best.train_loss.mean == pytest.approx(np.mean(runs), rel=1e-6)
    assert found.best.train_loss.deviation == pytest.approx(np.std(runs, ddof=1), rel=1e-4)
    before = time.perf_counter()
    again = glissade.sweep(CONFIG, over, tmp_path / "s", seeds=2, set=["train.validation=0.2"])
    assert [t.values for t in again.trials] == [t.values for t in found.trials] and time.perf_counter() - before < 5


def test_a_sweep_stops_for_what_is_raised_and_names_mistakes(tmp_path):
    def stop(progress):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        glissade.sweep(CONFIG, {"method.lr": [0.1, 0.2]}, progress=stop)
    assert len(glissade.sweep(CONFIG, {"method.lr": "1e-3..1"}, trials=2).trials) == 2
    for over, by, word in [
        ({"method.lr": 3}, None, "expected a list of values"),
        ({"method.rate": [1]}, None, "rate"),
        ({"method.lr": [0.1]}, "accuracy", "validation"),
        ({"method.lr": [0.1]}, "epochs", "target"),
        ({}, None, "at least one"),
    ]:
        with pytest.raises(glissade.BadInputError, match=word):
            glissade.sweep(CONFIG, over, by=by)


def test_advice(tmp_path):
    said = []
    config = {key: value for key, value in CONFIG.items() if key != "method"}
    advice = glissade.advise(config, methods=["msgd", "sngm"], budget=5, say=said.append)
    assert {line.what for line in advice.lines} >= {"method", "lr"} or {line.what for line in advice.lines}
    assert advice.config["method"]["name"] in ("msgd", "sngm") and said and advice.verdict is None
    assert advice.details["recommendation"][0]["what"] == advice.lines[0].what
    trained = glissade.train(advice.config, set=["train.epochs=1"])
    assert math.isfinite(trained.train_loss)
    with pytest.raises(glissade.BadInputError, match="budget"):
        glissade.advise(config, budget=0)
    with pytest.raises(glissade.BadInputError, match="nothing"):
        glissade.advise(config, methods=["nothing"], budget=1)


MEASURED = {**CONFIG, "measure": {"gradient_diversity": {"every": 1}}}


def test_measures_of_a_run(tmp_path):
    glissade.train(MEASURED, tmp_path / "run")
    run = glissade.Run(tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "measures.jsonl").read_text().splitlines()]
    bound = [m for m in run.measures if m.figure == "batch_size_bound"]
    assert [m.step for m in bound] == [line["step"] for line in lines] and bound[0].measure == "gradient_diversity"
    assert [m.value for m in bound] == [line["result"]["batch_size_bound"] for line in lines]
    for m, line in zip(bound, lines, strict=True):
        low, high = line["result"].get("batch_size_bound_interval", (math.nan, math.nan))
        assert np.array_equal([m.low, m.high], [low, high], equal_nan=True)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(tmp_path, library):
    pytest.importorskip(library)
    glissade.train(MEASURED, tmp_path / "run")
    run = glissade.Run(tmp_path / "run")
    frame = run.frame(library=library)
    loss = run.metrics["loss"]
    at = np.searchsorted(np.asarray(frame["step"]), loss.step)
    assert np.array_equal(np.asarray(frame["loss"])[at], loss.value)
    measures = run.frame("measures", library)
    assert set(np.asarray(measures["measure"])) == {"gradient_diversity"} and len(measures["low"]) > 3
    swept = glissade.sweep(CONFIG, {"method.lr": [0.1, 0.2]}).frame(library)
    assert sorted(np.asarray(swept["method.lr"])) == [0.1, 0.2] and len(swept["train_loss_deviation"]) == 2
    with pytest.raises(glissade.BadInputError, match="expected pandas or polars"):
        run.frame(library="numpy")


def test_frames_need_a_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    glissade.train(CONFIG, tmp_path / "run")
    with pytest.raises(ImportError, match="pandas or polars"):
        glissade.Run(tmp_path / "run").frame()
