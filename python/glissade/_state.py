"""The named arrays of an object's state: copied out, and filled again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._arrays import Array
from ._errors import BadInputError
from ._library import Context

# bf16 as its bit patterns: NumPy has no such type.
_DTYPES = {
    "GLS_F32": np.float32,
    "GLS_F64": np.float64,
    "GLS_I32": np.int32,
    "GLS_I64": np.int64,
    "GLS_U8": np.uint8,
    "GLS_BF16": np.uint16,
}


@contextmanager
def _listed(context: Context, arrays: Callable[[Any], int]) -> Iterator[list[Any]]:
    ffi, lib = context.library.ffi, context.library.lib
    listed = ffi.new("gls_arrays *")
    try:
        context.check(arrays(listed))
        yield [listed.item + i for i in range(listed.count)]
    finally:
        lib.gls_arrays_clear(context.pointer, listed)


def _view(context: Context, item: Any) -> Array:
    ffi, lib = context.library.ffi, context.library.lib
    dtype = next(np.dtype(t) for name, t in _DTYPES.items() if getattr(lib, name) == item.dtype)
    shape = tuple(item.shape[i] for i in range(item.dims))
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not size:
        return np.zeros(shape, dtype)
    return np.frombuffer(ffi.buffer(item.data, size), dtype=dtype).reshape(shape)


def save(context: Context, arrays: Callable[[Any], int]) -> dict[str, Array]:
    """Copies of all arrays by name."""
    with _listed(context, arrays) as items:
        return {context.library.text(item.name): _view(context, item).copy() for item in items}


class _Lent:
    """Memory of an owner, who lives as long as whoever looks at it."""

    def __init__(self, owner: object, array: Array) -> None:
        self.owner = owner
        self.__array_interface__ = array.__array_interface__


def views(context: Context, arrays: Callable[[Any], int], owner: object) -> dict[str, Array]:
    """All arrays by name where they lie, to be read and written."""
    with _listed(context, arrays) as items:
        return {context.library.text(i.name): np.asarray(_Lent(owner, _view(context, i))) for i in items}


def _fill(context: Context, item: Any, value: Array) -> None:
    ffi = context.library.ffi
    name = context.library.text(item.name)
    shape = tuple(item.shape[i] for i in range(item.dims))
    if value.shape != shape and value.ndim == len(shape) and item.resize != ffi.NULL:
        wanted = ffi.new("int64_t[]", list(value.shape))
        context.check(item.resize(item.owner, item, wanted))
        for i, extent in enumerate(value.shape):
            item.shape[i] = extent
    target = _view(context, item)
    if value.shape != target.shape or value.dtype != target.dtype:
        raise BadInputError(
            f"state '{name}': {value.dtype} {list(value.shape)}, expected {target.dtype} {list(target.shape)}"
        )
    target[...] = value


def load(context: Context, arrays: Callable[[Any], int], state: Mapping[str, Any]) -> None:
    """Fills all arrays from copies; BadInputError, before anything is changed, where one is missing or unknown."""
    with _listed(context, arrays) as items:
        names = [context.library.text(item.name) for item in items]
        unknown = [name for name in state if name not in names]
        missing = [n for n, item in zip(names, items, strict=True) if n not in state and not item.optional]
        if unknown or missing:
            raise BadInputError(f"state: unknown {unknown or 'none'}, missing {missing or 'none'}")
        for name, item in zip(names, items, strict=True):
            if name in state:
                _fill(context, item, np.asarray(state[name]))
