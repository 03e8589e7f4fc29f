"""Predictions of trained models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import _arrays, _rows
from ._arrays import Array
from ._errors import BadInputError, UnsupportedError
from ._library import Context, Library
from ._rows import Sparse


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says of rows.

    Attributes:
        values: [rows, classes] probabilities, or [rows, values]; [rows, positions, ...] of tokens; None: it has none.
        labels: [rows] classes from 0 (-1: its outputs are not numbers); [rows, positions] of tokens; None: no classes.
        classes: their names, or None.
    """

    values: Array | None
    labels: Array | None
    classes: list[str] | None


@contextmanager
def opened(context: Context, path: Path) -> Iterator[Any]:
    """A gls_predictor of a file of weights."""
    out = context.library.ffi.new("gls_predictor **")
    context.check(context.library.lib.gls_predictor_open(context.pointer, os.fsencode(path), out))
    try:
        yield out[0]
    finally:
        context.library.lib.gls_predictor_destroy(out[0])


@contextmanager
def opened_from(context: Context, content: bytes) -> Iterator[Any]:
    """The same of a file's content; it needs a name only while it is read."""
    file = os.memfd_create("glissade-model")
    try:
        with open(file, "wb", closefd=False) as f:
            f.write(content)
        with opened(context, Path(f"/proc/self/fd/{file}")) as predictor:
            yield predictor
    finally:
        os.close(file)


def _checked(like: Any, rows: Any, dtype: np.dtype[Any]) -> Array | Sparse:
    """The rows in the form that the model reads: sparse or dense, and of its width."""
    table = _rows.table(rows, "rows")
    width = like.length or like.features
    shape = table.shape
    if len(shape) < 2 or not shape[0] or int(np.prod(shape[1:])) != width:
        raise BadInputError(f"rows: shape {list(shape)}: expected [rows, {width}]")
    if isinstance(table, Sparse):
        return table if like.sparse else table.dense(dtype)
    return _rows.to_sparse(table.reshape(shape[0], -1)) if like.sparse else table


def _raw(context: Context, info: Any, table: Array | Sparse, out: Any) -> list[Array]:
    """A source over the rows; gives the arrays that it borrows."""
    ffi, lib = context.library.ffi, context.library.lib
    if isinstance(table, Sparse):
        value = _arrays.read(context.library, table.value, "rows")
        row, column = ffi.cast("int64_t *", table.row.ctypes.data), ffi.cast("int32_t *", table.column.ctypes.data)
        reals = _arrays.reals(context.library, value)
        status = lib.gls_source_from_sparse(context.pointer, row, column, reals, ffi.NULL, ffi.NULL, info, out)
        keep = [table.row, table.column, value]
    elif info.length:
        keep = [np.ascontiguousarray(table, dtype=np.int32)]
        tokens = ffi.cast("int32_t *", keep[0].ctypes.data)
        status = lib.gls_source_from_tokens(context.pointer, tokens, ffi.NULL, info, out)
    else:
        keep = [_arrays.read(context.library, table, "rows")]
        reals = _arrays.reals(context.library, keep[0])
        status = lib.gls_source_from_dense(context.pointer, reals, ffi.NULL, ffi.NULL, info, out)
    context.check(status)
    return keep


@contextmanager
def _source(context: Context, predictor: Any, rows: Any) -> Iterator[tuple[Any, int]]:
    """The rows as the library reads them, and how many; the arrays live as long."""
    ffi, lib = context.library.ffi, context.library.lib
    like = lib.gls_predictor_file_info(predictor)
    if like.documents != lib.GLS_DOCUMENTS_WHOLE or (like.length and not like.vocabulary):
        what = "tokens whose documents have ends of their own" if like.vocabulary else "frames"
        raise UnsupportedError(
            f"rows: this model reads rows of {what}, which an array does not describe: predict from a file, with the "
            "command `glissade predict`"
        )
    table = _checked(like, rows, context.library.dtype)
    info = ffi.new("gls_data_info *", like[0])
    info.examples, info.class_names = table.shape[0], ffi.NULL
    info.target, info.classes, info.targets = lib.GLS_TARGET_NONE, 0, 0
    raw, prepared = ffi.new("gls_source **"), ffi.new("gls_source **")
    keep = _raw(context, info, table, raw)
    context.check(lib.gls_predictor_prepare(predictor, raw[0], prepared))
    try:
        yield prepared[0], table.shape[0]
    finally:
        lib.gls_source_destroy(prepared[0])
        del keep


def predict(context: Context, predictor: Any, rows: Any) -> Predictions:
    """What the model says of rows; see Run.predict."""
    library, lib = context.library, context.library.lib
    problem = lib.gls_predictor_problem(predictor)
    kind = lib.gls_problem_prediction(problem)
    if not kind.classes and not kind.values:
        raise UnsupportedError("this model has outputs, but no predictions: it says neither classes nor values")
    with _source(context, predictor, rows) as (source, count):
        z = np.empty((count, lib.gls_predictor_outputs(predictor)), dtype=library.dtype)
        context.check(lib.gls_predictor_run(predictor, source, _arrays.reals(library, z)))
    values = labels = None
    where = (count,) if kind.positions == 1 else (count, kind.positions)
    if kind.values:
        values = np.empty((*where, kind.values), dtype=library.dtype)
        out = _arrays.reals(library, values)
        context.check(lib.gls_problem_predict(problem, count, _arrays.reals(library, z), out))
    if kind.classes:
        labels = np.empty(where, dtype=np.int32)
        into = library.ffi.cast("int32_t *", labels.ctypes.data)
        context.check(lib.gls_problem_classify(problem, count, _arrays.reals(library, z), into))
    return Predictions(values, labels, _class_names(library, predictor) if kind.classes else None)


def _class_names(library: Library, predictor: Any) -> list[str] | None:
    info = library.lib.gls_predictor_input_info(predictor)
    if info.class_names == library.ffi.NULL:
        return None
    return [library.text(info.class_names[i]) for i in range(info.classes)]
