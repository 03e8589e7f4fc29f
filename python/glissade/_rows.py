"""Rows as other packages have them: frames, Arrow tables, sparse matrices, torch datasets."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _arrays
from ._arrays import Array
from ._errors import BadInputError


@dataclass(frozen=True)
class Sparse:
    """Compressed sparse rows: row [rows + 1] offsets, ascending columns inside a row, and their values."""

    row: Array
    column: Array
    value: Array
    shape: tuple[int, int]

    def dense(self, dtype: np.dtype[Any]) -> Array:
        out = np.zeros(self.shape, dtype)
        out[np.repeat(np.arange(self.shape[0]), np.diff(self.row)), self.column] = self.value
        return out


def to_sparse(array: Array) -> Sparse:
    """A matrix without its zeros."""
    rows, columns = np.nonzero(array)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(array)))))
    return Sparse(offsets.astype(np.int64), columns.astype(np.int32), array[rows, columns], array.shape)


def _from_scipy(matrix: Any) -> Sparse:
    csr = matrix.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return Sparse(csr.indptr.astype(np.int64), csr.indices.astype(np.int32, copy=False), csr.data, csr.shape)


def _from_frame(frame: Any, name: str) -> Array:
    array: Array = frame.to_numpy()
    if array.dtype.kind not in "iubf":
        odd = [str(c) for c in frame.columns if getattr(frame[c].to_numpy(), "dtype", array.dtype).kind not in "iubf"]
        raise BadInputError(f"{name}: column {', '.join(odd[:3])}: expected numbers")
    return array


def _from_arrow(table: Any, name: str) -> Array:
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise BadInputError(f"{name}: Arrow's tables are read by pyarrow, which is not installed") from error
    table = pyarrow.table(table)
    columns = []
    for field in table.column_names:
        column = table[field].to_numpy()
        if column.dtype.kind not in "iubf":
            raise BadInputError(f"{name}: column {field}: expected numbers")
        columns.append(column)
    return np.stack(columns, axis=1)


def _is_dataset(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.utils.data.Dataset)


def _from_dataset(dataset: Any, name: str) -> tuple[Any, Any]:
    """Features and, where its items have a second part, targets. TensorDataset gives its tensors as they are."""
    tensors = getattr(dataset, "tensors", None)
    if tensors:
        return tensors[0], tensors[1] if len(tensors) > 1 else None
    if not hasattr(dataset, "__len__") or not len(dataset):
        raise BadInputError(f"{name}: {type(dataset).__name__}: expected a dataset with a length above 0")
    items = [dataset[i] for i in range(len(dataset))]
    if not isinstance(items[0], (tuple, list)):
        return np.stack([np.asarray(item) for item in items]), None
    return np.stack([np.asarray(item[0]) for item in items]), np.stack([np.asarray(item[1]) for item in items])


def table(value: Any, name: str) -> Array | Sparse:
    """Rows as an array [rows, ...] or as sparse rows; a view where their package lends one."""
    package = type(value).__module__.partition(".")[0]
    if package in ("pandas", "polars") and hasattr(value, "columns"):
        return _from_frame(value, name)
    if hasattr(value, "tocsr"):
        return _from_scipy(value)
    if package == "pyarrow" or hasattr(value, "__arrow_c_stream__"):
        return _from_arrow(value, name)
    if _is_dataset(value):
        return table(_from_dataset(value, name)[0], name)
    return _arrays.view(value, name)


def table_and_targets(x: Any, y: Any) -> tuple[Array | Sparse, Array | None]:
    """Features and targets; a dataset brings its own."""
    if y is None and _is_dataset(x):
        x, y = _from_dataset(x, "data")
    return table(x, "data"), None if y is None else _arrays.view(y, "targets")
