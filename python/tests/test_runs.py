"""Theorems, lists, training and run folders."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import threading
import time

import numpy as np
import pytest

import glissade

CONFIG = {
    "data": {"format": "gaussians", "train_size": 300, "features": 5, "classes": 3},
    "model": "softmax",
    "method": {"name": "sngm", "lr": 0.2, "beta": 0.9},
    "train": {"batch": 30, "epochs": 3, "seed": 4, "log_every": "1s"},
}


def test_theorems():
    values = glissade.theory("nag", L=10, mu=0.1)
    assert values["lr"] == pytest.approx(0.1)
    assert values.details["lr"].kind == "rate" and values.source
    with pytest.raises(glissade.BadInputError, match="mu"):
        glissade.theory("nag", L=1, mu=10)
    with pytest.raises(glissade.BadInputError, match="nag"):
        glissade.theory("nagg")


def test_lists():
    for kind in (
        "methods",
        "estimators",
        "measures",
        "models",
        "data",
        "transforms",
        "schedules",
        "theorems",
        "presets",
    ):
        assert glissade.list(kind)
    sngm = next(m for m in glissade.list("methods") if m.name == "sngm")
    assert {"lr", "beta"} <= {o.key for o in sngm.options} and sngm.source
    with pytest.raises(glissade.BadInputError, match="methods"):
        glissade.list("method")


def test_training_to_the_end(tmp_path, dtype):
    seen = []
    result = glissade.train(CONFIG, tmp_path / "run", progress=seen.append, dtype=dtype)
    assert result.stopped == "epochs" and result.steps == len(seen) == seen[-1].step
    assert result.train_loss < 1.0 and result.score == "accuracy"
    run = glissade.Run(tmp_path / "run", dtype=dtype)
    assert run.config["train"]["batch"] == 30 and run.config["method"]["name"] == "sngm"
    assert run.result is not None and run.result["steps"] == result.steps
    loss = run.metrics["loss"]
    assert len(loss.step) == result.steps and loss.value[-1] < loss.value[0]
    weights = run.weights()
    assert weights.keys() == result.weights.keys()
    for name, array in weights.items():
        assert array.shape == result.weights[name].shape and np.allclose(array, result.weights[name], atol=1e-6)


def test_predictions_are_those_of_the_weights(tmp_path):
    glissade.train(CONFIG, tmp_path / "run", dtype=np.float64)
    run = glissade.Run(tmp_path / "run", dtype=np.float64)
    rows = np.random.default_rng(3).normal(size=(7, 5))
    found = run.predict(rows)
    weights = list(run.weights().values())
    z = rows @ (weights[0] if weights[0].shape[0] == 5 else weights[0].T) + (weights[1] if len(weights) > 1 else 0)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert found.values is not None and found.labels is not None
    assert np.allclose(found.values, p, atol=1e-6) and (found.labels == p.argmax(axis=1)).all()
    with pytest.raises(glissade.BadInputError, match=r"expected \[rows, 5\]"):
        run.predict(np.ones((2, 4)))


TONES = {
    "data": {"format": "tones", "train_size": 40, "test_size": 20},
    "model": {"name": "conformer", "dim": 8, "heads": 2, "depth": 1},
    "method": {"name": "adam", "lr": 0.01},
    "train": {"batch": 20, "epochs": 1},
}


def test_weights_of_a_checkpoint_are_those_of_the_model(tmp_path):
    result = glissade.train(TONES, tmp_path / "run", set=["train.checkpoint_every=1", "train.validation=0.25"])
    run = glissade.Run(tmp_path / "run")
    final = run.weights()
    assert final.keys() > result.weights.keys() and not any("/" in name for name in final)
    for which in ("best", result.steps):
        found = run.weights(which)
        assert found.keys() == final.keys()
    assert all((found[name] == array).all() for name, array in final.items())


def test_rows_that_an_array_does_not_describe(tmp_path):
    glissade.train(TONES, tmp_path / "frames")
    with pytest.raises(glissade.UnsupportedError, match=r"rows of frames, .* `glissade predict`"):
        glissade.Run(tmp_path / "frames").predict(np.zeros((3, 45, 16)))
    (tmp_path / "texts.tsv").write_text("good\ta b c d\nbad\td c b\n" * 20)
    config = {
        "data": {"format": "text", "train": str(tmp_path / "texts.tsv"), "rows": "labelled", "length": 8},
        "model": {"name": "bert", "dim": 8, "heads": 2, "depth": 1},
        "method": {"name": "adam", "lr": 0.01},
        "train": {"batch": 10, "epochs": 1},
    }
    glissade.train(config, tmp_path / "texts")
    with pytest.raises(glissade.UnsupportedError, match=r"tokens .* `glissade predict`"):
        glissade.Run(tmp_path / "texts").predict(np.ones((2, 8), int))


def test_what_progress_raises_stops_the_run_and_it_goes_on_bit_for_bit(tmp_path):
    whole = glissade.train(CONFIG)

    def stop(progress):
        if progress.step == 13:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        glissade.train(CONFIG, tmp_path / "run", progress=stop)
    resumed = glissade.train(CONFIG, tmp_path / "run", resume=True)
    assert resumed.steps == whole.steps
    for name, array in whole.weights.items():
        assert (array == resumed.weights[name]).all()


def test_settings_presets_and_mistakes(tmp_path):
    result = glissade.train(CONFIG, set=["train.epochs=1", "method.lr=0.1"])
    assert result.epochs == 1 and result.folder is None
    for config, word in [
        ({**CONFIG, "method": {"name": "sngm", "rate": 1}}, "rate"),
        ({**CONFIG, "trian": {}}, "trian"),
        ("no-such-thing", "presets are"),
    ]:
        with pytest.raises(glissade.BadInputError, match=word):
            glissade.train(config)
    for settings in ("train.epochs=1", {"train.epochs": 1}):
        with pytest.raises(glissade.BadInputError, match="expected a list of assignments"):
            glissade.train(CONFIG, set=settings)
    glissade.train(CONFIG, tmp_path / "run")
    with pytest.raises(glissade.BadInputError, match="already holds a run: go on with resume=True"):
        glissade.train(CONFIG, tmp_path / "run")
    with pytest.raises(OSError, match="folder of a run"):
        glissade.Run(tmp_path)


def test_the_lock_is_released():
    """While a run works, another thread of Python does too."""
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    rows = np.random.default_rng(1).normal(size=(400, 2000))
    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    glissade.measure(rows, "tail_index", "noise_norm", "gradient_diversity")
    end = time.perf_counter()
    done.set()
    thread.join()
    inside = [t for t in ticks if begin < t < end]
    longest = max(np.diff([begin, *inside, end]))
    assert len(inside) >= 2 and longest < 0.5 * (end - begin)


def test_docstrings():
    count = 0
    for module in pkgutil.iter_modules(glissade.__path__):
        if module.name.startswith("_") and module.name not in ("_float", "_double"):
            found = importlib.import_module(f"glissade.{module.name}")
            result = doctest.testmod(found, extraglobs={"glissade": glissade})
            assert result.failed == 0
            count += result.attempted
    assert count >= 6
