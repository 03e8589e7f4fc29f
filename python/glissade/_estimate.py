"""Estimators on gradients in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _arrays, _records
from ._arrays import Array
from ._errors import BadInputError
from ._library import Context
from ._values import Value


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a chain of estimators made of the gradients of a mini-batch.

    Attributes:
        g: the estimate, shaped as one row.
        norm: its Euclidean norm; finite if and only if it is.
        mass: sum of the rows' masses.
        rows: how many there were.
        figures: further figures by name ("clipped_share", "rho", "group_norm_q50", ...).
    """

    g: Array
    norm: float
    mass: float
    rows: int
    figures: dict[str, float]


Stage = str | Mapping[str, Any]


def _spec(estimator: Stage | Sequence[Stage], options: Mapping[str, Any], keyed: bool) -> Any:
    if not isinstance(estimator, (str, Mapping)):
        if options:
            raise BadInputError(
                f"options {', '.join(options)}: in a chain every stage has its own, as in {{'name': ...}}"
            )
        return list(estimator)
    stage = {"name": estimator} if isinstance(estimator, str) else dict(estimator)
    stage.update(options)
    if keyed:
        stage.setdefault("key", "keys")
    return stage


def estimate(
    gradients: Any,
    estimator: Stage | Sequence[Stage] = "mean",
    *,
    mass: Any = None,
    keys: Any = None,
    draw: int = 0,
    seed: int = 0,
    threads: int = 0,
    **options: Any,
) -> Estimate:
    """What an estimator makes of the gradients of a mini-batch.

    Args:
        gradients: [n, ...], one row an example; float32 or float64, read without a copy where in C order. Or in parts,
            which are copied together: blocks {name: [n, ...]}, or an iterator of rows.
        estimator: a name, {"name": ..., options}, or a chain of such; `glissade.list("estimators")` has all.
        mass: [n] what the rows count for, not below 0 and not all 0: a mean is their sum over the sum of masses; None:
            all 1.
        keys: [n] integers: rows of one key are one group (microbatch, normalized).
        draw: number of the mini-batch; with seed, what estimators that draw take their numbers from.
        threads: 0: all processors that this process may use.
        options: of the estimator, where it is one: microbatch=16, bound=1.0.

    Raises:
        BadInputError: unknown estimators and options, stages out of order, other shapes.
        NonfiniteError: a group is not finite and `nonfinite` is "stop".

    Source: docs/methods.md; micro-batch clipping is algorithm 1 of [M].

    >>> glissade.estimate([[3.0, 4.0], [0.0, 1.0]], "microbatch", microbatch=1).g
    array([0.3, 0.9])
    """
    rows = _arrays.matrix(gradients, "gradients")
    source = rows if isinstance(gradients, (Mapping, Iterator)) else _arrays.floats(gradients, "gradients")
    with Context(source.dtype, threads=threads, seed=seed) as context:
        ffi, lib = context.library.ffi, context.library.lib
        rows = _arrays.read(context.library, rows, "gradients")
        masses = None if mass is None else _column(mass, np.float64, "mass", len(rows))
        numbers = None if keys is None else _column(keys, np.int64, "keys", len(rows))
        matrix = ffi.new("gls_estimator_matrix *")
        matrix.g, matrix.n, matrix.d, matrix.draw = _arrays.reals(context.library, rows), *rows.shape, draw
        if masses is not None:
            matrix.mass = ffi.cast("double *", masses.ctypes.data)
        if numbers is not None:
            matrix.key = ffi.cast("int64_t *", numbers.ctypes.data)
        g = np.empty(rows.shape[1], dtype=rows.dtype)
        out, record = ffi.new("gls_estimate *"), ffi.new("gls_record *")
        with Value(context, _spec(estimator, options, keys is not None)) as spec:
            pointer = _arrays.reals(context.library, g)
            context.check(lib.gls_estimator_run_matrix(context.pointer, spec, matrix, pointer, out, record))
        figures = _records.to_dict(context.library, record)
    return Estimate(g.reshape(source.shape[1:]), float(np.sqrt(out.norm2)), out.mass, out.rows, figures)


def _column(value: Any, dtype: Any, name: str, rows: int) -> Array:
    array = _arrays.view(value, name)
    if array.shape != (rows,) or array.dtype.kind not in ("iub" if dtype is np.int64 else "iubf"):
        raise BadInputError(f"{name}: {array.dtype} {list(array.shape)}: expected {np.dtype(dtype)} [{rows}]")
    return np.ascontiguousarray(array, dtype=dtype)
