"""Arrays of any library as NumPy's, without a copy: by the buffer protocol or by DLPack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import BadInputError
from ._library import Library

Array = npt.NDArray[Any]


def view(value: object, name: str) -> Array:
    """A view of an array in this machine's memory. What has neither protocol (a list) is copied."""
    if isinstance(value, np.ndarray):
        return value
    if getattr(value, "requires_grad", False):
        value = value.detach()  # type: ignore[attr-defined]
    if hasattr(value, "__array_interface__") or not hasattr(value, "__dlpack__"):
        try:
            return np.asarray(value)
        except (TypeError, ValueError) as error:
            raise BadInputError(f"{name}: expected an array of numbers: {error}") from error
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        found = f"dtype {getattr(value, 'dtype', 'unknown')}, device {getattr(value, 'device', 'unknown')}"
        raise BadInputError(f"{name}: {found}: expected a type of NumPy's in this machine's memory: {error}") from error


def floats(value: object, name: str) -> Array:
    """A view of float32 or float64; integers and lists become float64, other floats are refused."""
    array = view(value, name)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise BadInputError(f"{name}: dtype {array.dtype}: expected float32 or float64")


def read(library: Library, value: object, name: str) -> Array:
    """In C order and the library's type, to be read: a view where it is that already, else a copy."""
    return np.ascontiguousarray(floats(value, name), dtype=library.dtype)


def _lends(value: object) -> bool:
    """Whether a view of it is its own memory; a number of NumPy's is read through a copy."""
    if isinstance(value, np.generic):
        return False
    if hasattr(value, "__dlpack__"):
        return True
    try:
        return not memoryview(value).readonly  # type: ignore[arg-type]
    except TypeError:
        return False


def write(library: Library, value: object, name: str) -> Array:
    """A view to be written in place; BadInputError where that is not possible without a copy."""
    array = view(value, name)
    if not isinstance(value, np.ndarray) and not _lends(value):
        raise BadInputError(f"{name}: {type(value).__name__}: expected an array, to be changed in place")
    if array.dtype != library.dtype:
        raise BadInputError(f"{name}: dtype {array.dtype}: expected {library.dtype}, to be changed in place")
    if not array.flags.c_contiguous:
        raise BadInputError(f"{name}: expected an array in C order without gaps, to be changed in place")
    if not array.flags.writeable and isinstance(value, np.ndarray):
        raise BadInputError(f"{name}: expected an array that may be written")
    return array


def reals(library: Library, array: Array) -> Any:
    """A pointer for `gls_real *`, valid while the array lives."""
    return library.ffi.cast("gls_real *", array.ctypes.data)


def matrix(value: object, name: str) -> Array:
    """A matrix [n, d] of floats; rows of more dimensions are flattened.

    Also from parts, which are copied together: blocks of columns {name: [n, ...]}, or rows from an iterator.
    """
    if isinstance(value, Mapping):
        return _from_blocks(value, name)
    array = _from_rows(value, name) if isinstance(value, Iterator) else floats(value, name)
    if array.ndim < 2 or not array.size:
        raise BadInputError(f"{name}: shape {list(array.shape)}: expected [rows, parameters]")
    return array.reshape(array.shape[0], -1)


def _from_blocks(value: Mapping[Any, Any], name: str) -> Array:
    blocks = {key: floats(block, f"{name} of '{key}'") for key, block in value.items()}
    rows = {len(block) if block.ndim else 0 for block in blocks.values()}
    if len(rows) != 1 or not rows.copy().pop():
        raise BadInputError(f"{name}: blocks of {sorted(rows)} rows: expected the same number, above 0, for all")
    return np.concatenate([block.reshape(len(block), -1) for block in blocks.values()], axis=1)


def _from_rows(value: Iterator[Any], name: str) -> Array:
    rows = [floats(row, f"row {i} of {name}").reshape(-1) for i, row in enumerate(value)]
    if not rows or len({row.size for row in rows}) > 1:
        sizes = sorted({row.size for row in rows})
        raise BadInputError(f"{name}: rows of {sizes} numbers: expected at least one row, and all alike")
    return np.stack(rows)
