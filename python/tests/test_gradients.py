"""Gradients in memory: estimators and measures against formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import glissade


@pytest.fixture
def gradients(dtype):
    return (0.3 + np.random.default_rng(5).normal(size=(30, 4, 2))).astype(dtype)


def micro_batches(rows, size):
    return np.stack([rows[i : i + size].mean(axis=0) for i in range(0, len(rows), size)])


def test_micro_batch_clipping(gradients, tolerance):
    rows = gradients.reshape(30, 8).astype(np.float64)
    means = micro_batches(rows, 8)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    share = np.array([8, 8, 8, 6]) / 30  # the last one is smaller
    found = glissade.estimate(gradients, "microbatch", microbatch=8)
    wanted = share @ (means * norms.min() / norms)
    assert found.g.dtype == gradients.dtype and found.g.shape == (4, 2)
    assert np.allclose(found.g.ravel(), wanted, atol=tolerance, rtol=0)
    assert found.norm == pytest.approx(np.linalg.norm(wanted), rel=1e-5)
    assert found.rows == 30 and found.figures["groups"] == 4
    found = glissade.estimate(gradients, {"name": "microbatch", "microbatch": 8, "bound": 0.8})
    wanted = share @ (means * np.minimum(1, 0.8 / norms))
    assert np.allclose(found.g.ravel(), wanted, atol=tolerance, rtol=0)


def test_masses_keys_and_chains(gradients, tolerance):
    rows = gradients.reshape(30, 8).astype(np.float64)
    mass = np.linspace(0.5, 2, 30)
    found = glissade.estimate(gradients, mass=mass)
    assert np.allclose(found.g.ravel(), rows.sum(axis=0) / mass.sum(), atol=tolerance, rtol=0)
    keys = np.arange(30) * 7 % 3
    means = np.stack([rows[keys == k].mean(axis=0) for k in range(3)])  # of ten rows each
    factor = np.minimum(1, 0.5 / np.linalg.norm(means, axis=1, keepdims=True))
    found = glissade.estimate(gradients, "microbatch", bound=0.5, keys=keys)
    assert np.allclose(found.g.ravel(), (means * factor).mean(axis=0), atol=tolerance, rtol=0)
    found = glissade.estimate(gradients, ["mean", {"name": "clip_norm", "bound": 0.25}])
    assert found.norm == pytest.approx(0.25, rel=1e-5)


def test_draws():
    rows = np.ones((4, 3))
    first = glissade.estimate(rows, "quant", draw=1).g
    assert (glissade.estimate(rows, "quant", draw=1).g == first).all()
    assert any((glissade.estimate(rows, "quant", draw=k).g != first).any() for k in range(2, 8))


def test_diversity_of_a_whole_set(gradients):
    rows = gradients.reshape(30, 8).astype(np.float64)
    result = glissade.measure(gradients, "gradient_diversity")
    wanted = (rows**2).sum() / (rows.sum(axis=0) ** 2).sum()
    assert result.headlines["gradient_diversity"].value == pytest.approx(wanted, rel=1e-5)
    assert result.headlines["batch_size_bound"].value == pytest.approx(30 * wanted, rel=1e-5)
    assert result["gradient_diversity"].sample == 30
    assert "batch_size_bound" in repr(result)


def test_intervals_of_a_sample(gradients):
    result = glissade.measure(gradients, "gradient_diversity", sample=True)
    bound = result.headlines["batch_size_bound"]
    assert bound.interval is not None and bound.interval[0] < bound.value < bound.interval[1]


def test_every_measure_of_a_matrix(gradients):
    result = glissade.measure(gradients)
    assert {"gradient_diversity", "noise_norm", "tail_index"} <= set(result)
    for measurement in result.values():
        assert measurement.figures or measurement.meaningless


def test_options_of_measures():
    rows = np.random.default_rng(1).normal(size=(40, 3))
    with pytest.raises(glissade.BadInputError, match="tail_index"):
        glissade.measure(rows, "tail_index", options={"tail_index": {"nothing": 1}})
    with pytest.raises(glissade.BadInputError, match="tail_index"):
        glissade.measure(rows, "tail_inde")
    assert glissade.measure(rows, "tail_index", options={"tail_index": {"coordinates": 2}})


def test_what_is_wrong_is_said():
    rows = np.ones((4, 2))
    for call, word in [
        (lambda: glissade.estimate(rows, "microbatc"), "microbatch"),
        (lambda: glissade.estimate(rows, "microbatch", microbatch=-3), "microbatch"),
        (lambda: glissade.estimate(rows, ["mean"], bound=1), "in a chain"),
        (lambda: glissade.estimate(rows, mass=[1, 2]), r"expected float64 \[4\]"),
        (lambda: glissade.estimate(rows, mass=np.zeros(4)), "mass: all of them are 0"),
        (lambda: glissade.estimate(rows, "mean", keys=[1.5, 1, 1, 1]), r"expected int64 \[4\]"),
        (lambda: glissade.estimate(np.ones(3)), "expected .rows, parameters."),
        (lambda: glissade.estimate(rows.astype(np.float16)), "float16"),
        (lambda: glissade.estimate(np.ones((0, 2))), r"\[0, 2\]: expected"),
        (lambda: glissade.measure(np.full((4, 2), np.nan)), "finite"),
    ]:
        with pytest.raises(ValueError, match=word) as caught:
            call()
        assert isinstance(caught.value, glissade.GlissadeError)


def test_rows_of_torch_are_read_where_they_are():
    torch = pytest.importorskip("torch")
    rows = torch.randn(12, 5, dtype=torch.float64)
    found = glissade.estimate(rows, "mean")
    assert np.allclose(found.g, rows.mean(0).numpy(), atol=1e-14)
    with pytest.raises(glissade.BadInputError, match=r"dtype torch\.bfloat16, device cpu: expected"):
        glissade.estimate(rows.bfloat16())
    with pytest.raises(glissade.BadInputError, match="device meta: expected"):
        glissade.estimate(rows.to("meta"))
