"""What several tests use."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    """Both precisions."""
    return np.dtype(request.param)


@pytest.fixture
def tolerance(dtype: np.dtype) -> float:
    """Of figures of order one, computed in this precision."""
    return 2e-6 if dtype == np.float32 else 1e-12
