"""The noise scale of all parameters from that of normalisation layers: a line through the origin, with its points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._errors import BadInputError

MOST = 256  # Newest points that are kept. Ours.


class Regression:
    """y = slope x, by least squares; the interval by leaving out one point at a time (the jackknife), on the logarithm.

    Source: Gray and others, Normalization layer per-example gradients are sufficient to predict gradient noise scale in
    transformers, NeurIPS 2024, section 4, which fits such lines.
    """

    def __init__(self) -> None:
        self.x: npt.NDArray[np.float64] = np.empty(0)
        self.y: npt.NDArray[np.float64] = np.empty(0)

    def add(self, x: float, y: float) -> None:
        """A point; one that is not finite and positive says nothing."""
        if 0 < x < math.inf and 0 < y < math.inf:
            self.x, self.y = np.append(self.x, x)[-MOST:], np.append(self.y, y)[-MOST:]

    @property
    def points(self) -> int:
        return len(self.x)

    @property
    def slope(self) -> float:
        """NaN before the first point."""
        return float(self.x @ self.y / (self.x @ self.x)) if self.points else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95%; (NaN, NaN) below three points."""
        n = self.points
        if n < 3:
            return math.nan, math.nan
        xx, xy = self.x @ self.x, self.x @ self.y
        without = np.log((xy - self.x * self.y) / (xx - self.x**2))
        error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
        reach = _t975(n - 1) * error
        return self.slope * math.exp(-reach), self.slope * math.exp(reach)

    @property
    def correlation(self) -> float:
        """Pearson's, of x and y; NaN below three points or where either stays the same."""
        if self.points < 3 or not np.ptp(self.x) or not np.ptp(self.y):
            return math.nan
        return float(np.corrcoef(self.x, self.y)[0, 1])

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x.copy(), "y": self.y.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        x, y = (np.array(state[name], dtype=np.float64) for name in ("x", "y"))
        if x.shape != y.shape or x.ndim != 1:
            raise BadInputError(f"state: points {list(x.shape)} and {list(y.shape)}: expected two equal vectors")
        self.x, self.y = x, y


def _t975(dof: int) -> float:
    """Quantile 0.975 of Student's t; beyond four degrees by Abramowitz and Stegun 26.7.5."""
    small = (12.7062, 4.3027, 3.1824, 2.7764)
    if dof <= len(small):
        return small[dof - 1]
    z = 1.959964
    first = z * (z**2 + 1) / 4
    second = z * (5 * z**4 + 16 * z**2 + 3) / 96
    third = z * (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / 384
    return z + first / dof + second / dof**2 + third / dof**3
