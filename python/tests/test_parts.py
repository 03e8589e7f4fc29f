"""Gradients that come in parts: blocks, and rows from an iterator."""

from __future__ import annotations

import numpy as np
import pytest

import glissade


def test_parts_are_the_matrix(dtype):
    g = (np.random.default_rng(0).standard_normal((20, 7)) + 2).astype(dtype)
    blocks = {"a": g[:, :4].reshape(20, 2, 2), "b": g[:, 4], "c": g[:, 5:]}
    for parts in (blocks, iter(g), (row.reshape(7, 1) for row in g)):
        found = glissade.measure(parts, "gradient_diversity", sample=True).headlines["batch_size_bound"]
        assert found == glissade.measure(g, "gradient_diversity", sample=True).headlines["batch_size_bound"]
    np.testing.assert_array_equal(
        glissade.estimate(blocks, "microbatch", microbatch=4).g, glissade.estimate(g, "microbatch", microbatch=4).g
    )
    np.testing.assert_array_equal(glissade.estimate(iter(g), "mean").g, glissade.estimate(g, "mean").g)


def test_parts_that_do_not_fit():
    with pytest.raises(glissade.BadInputError, match=r"blocks of \[2, 3\] rows"):
        glissade.measure({"a": np.ones((2, 3)), "b": np.ones((3, 3))})
    with pytest.raises(glissade.BadInputError, match=r"rows of \[2, 3\] numbers"):
        glissade.measure(iter([np.ones(2), np.ones(3)]))
    with pytest.raises(glissade.BadInputError, match="at least one row"):
        glissade.measure(iter([]))
