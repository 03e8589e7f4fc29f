"""Run folders: what a run was told, what it recorded, its weights and its predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _safetensors
from ._arrays import Array
from ._errors import BadInputError, FileError, UnsupportedError
from ._library import Context, Library
from ._values import Tree, to_python


@dataclass(frozen=True, slots=True)
class Series:
    """A figure along a run: steps and epochs at which it was recorded, and its values; all of one length."""

    step: Array
    epoch: Array
    value: Array


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


def _rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON; one that a crash has cut short is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


class Run:
    """A run's folder. Nothing in it is changed."""

    def __init__(self, path: str | PathLike[str], *, dtype: npt.DTypeLike = np.float32) -> None:
        self.path = Path(path)
        self._dtype = np.dtype(dtype)
        if not (self.path / "config.yaml").is_file():
            raise FileError(f"{self.path}: expected the folder of a run, with config.yaml in it")

    def __repr__(self) -> str:
        return f"<glissade.Run {self.path}>"

    @property
    def config(self) -> dict[str, Tree]:
        """The configuration, with every default."""
        with Context(self._dtype, threads=1) as context:
            out = context.library.ffi.new("gls_value **")
            lib = context.library.lib
            context.check(lib.gls_run_saved_config(context.pointer, os.fsencode(self.path), out))
            try:
                tree: dict[str, Tree] = to_python(context, out[0])
                return tree
            finally:
                lib.gls_value_destroy(context.pointer, out[0])

    @property
    def result(self) -> dict[str, Any] | None:
        """result.json; None as long as the run has not ended."""
        path = self.path / "result.json"
        found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return found

    @property
    def metrics(self) -> dict[str, Series]:
        """The figures that it recorded along the way, by name ("loss", "lr", "gradient_norm", ...)."""
        rows: dict[str, list[tuple[int, float, float]]] = {}
        path = self.path / "metrics.jsonl"
        for row in _rows(path) if path.is_file() else []:
            value = row.get("value")
            if "name" in row and isinstance(value, (int, float, type(None))):
                entry = (row["step"], row.get("epoch", np.nan), np.nan if value is None else value)
                rows.setdefault(row["name"], []).append(entry)
        return {name: _series(entries) for name, entries in rows.items()}

    def frame(self) -> Any:
        """The metrics as a pandas frame: a column for each figure, indexed by the step. Needs pandas."""
        import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

        columns = {
            name: pandas.Series(s.value, index=s.step).groupby(level=0).last() for name, s in self.metrics.items()
        }
        return pandas.DataFrame(columns).rename_axis("step")

    def weights(self, which: str | int | None = None) -> dict[str, Array]:
        """Weights by name: "best", "final", the number of a step, or None: the final ones, before the end the latest.

        With them is what a model keeps beside them (running means of batch norm). Raises BadInputError where there are
        none.
        """
        arrays = _safetensors.read(self._weights_path(which))
        # In a checkpoint "method/...", "sampler/..." and the like are the run's, and "state/..." is the model's own.
        named = {name.removeprefix("state/"): array for name, array in arrays.items()}
        return {name: array for name, array in named.items() if "/" not in name}

    def predict(self, rows: Any, which: str | int | None = None) -> Predictions:
        """What the trained model says of rows [n, ...], which go through what its training data went through.

        Floats for models of features, integers for models of tokens. Raises BadInputError for rows of another shape,
        UnsupportedError for problems without predictions, and for rows that an array does not describe: of frames, or
        with documents in them (labelled texts, spans), which the command `glissade predict` reads.
        """
        with Context(self._dtype) as context, _predictor(context, self._weights_path(which)) as predictor:
            return _predict(context, predictor, rows)

    def _weights_path(self, which: str | int | None) -> Path:
        with Context(self._dtype, threads=1) as context:
            ffi, lib = context.library.ffi, context.library.lib
            out = ffi.new("char **")
            word = ffi.NULL if which is None else ffi.new("char[]", str(which).encode())
            folder = os.fsencode(self.path)
            context.check(lib.gls_run_saved_weights(context.pointer, folder, word, out, ffi.NULL))
            path = Path(context.taken_text(out[0]))
        return path / "final.safetensors" if path.is_dir() else path


def _series(entries: list[tuple[int, float, float]]) -> Series:
    step, epoch, value = zip(*entries, strict=True)
    return Series(np.array(step, dtype=np.int64), np.array(epoch, dtype=float), np.array(value, dtype=float))


@contextmanager
def _predictor(context: Context, path: Path) -> Iterator[Any]:
    out = context.library.ffi.new("gls_predictor **")
    context.check(context.library.lib.gls_predictor_open(context.pointer, os.fsencode(path), out))
    try:
        yield out[0]
    finally:
        context.library.lib.gls_predictor_destroy(out[0])


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
    info = ffi.new("gls_data_info *", like[0])
    array = _arrays.view(rows, "rows")
    width = like.length or like.features
    if array.ndim < 2 or array.size != array.shape[0] * width or not array.shape[0]:
        raise BadInputError(f"rows: shape {list(array.shape)}: expected [rows, {width}]")
    info.examples, info.class_names = array.shape[0], ffi.NULL
    info.target, info.classes, info.targets = lib.GLS_TARGET_NONE, 0, 0
    raw, prepared = ffi.new("gls_source **"), ffi.new("gls_source **")
    if like.length:
        array = np.ascontiguousarray(array, dtype=np.int32)
        tokens = ffi.cast("int32_t *", array.ctypes.data)
        context.check(lib.gls_source_from_tokens(context.pointer, tokens, ffi.NULL, info, raw))
    else:
        array = _arrays.read(context.library, array, "rows")
        reals = _arrays.reals(context.library, array)
        context.check(lib.gls_source_from_dense(context.pointer, reals, ffi.NULL, ffi.NULL, info, raw))
    context.check(lib.gls_predictor_prepare(predictor, raw[0], prepared))
    try:
        yield prepared[0], array.shape[0]
    finally:
        lib.gls_source_destroy(prepared[0])


def _predict(context: Context, predictor: Any, rows: Any) -> Predictions:
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
