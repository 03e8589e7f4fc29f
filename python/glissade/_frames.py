"""Frames of pandas or polars, whichever is installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ._errors import BadInputError


def frame(columns: Mapping[str, Any], library: str | None) -> Any:
    """The columns as a frame of the library of that name; None: pandas, or polars where only that is installed."""
    if library not in (None, "pandas", "polars"):
        raise BadInputError(f"library '{library}': expected pandas or polars")
    for name in (library,) if library else ("pandas", "polars"):
        try:
            return importlib.import_module(name).DataFrame(dict(columns))
        except ImportError:
            continue
    raise ImportError(f"frames need {library or 'pandas or polars'}, which is not installed")
