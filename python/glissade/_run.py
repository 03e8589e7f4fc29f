"""Run folders: what a run was told, what it recorded, its weights and its predictions."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _frames, _safetensors
from ._arrays import Array
from ._errors import BadInputError, FileError
from ._library import Context
from ._predict import Predictions, opened, predict
from ._values import Tree, to_python


@dataclass(frozen=True, slots=True)
class Series:
    """A figure along a run: steps and epochs at which it was recorded, and its values; all of one length."""

    step: Array
    epoch: Array
    value: Array


@dataclass(frozen=True, slots=True)
class MeasuredFigure:
    """A figure that a measure gave along a run.

    value is a number, or a list of numbers; low and high bound its 95% interval, NaN without one. meaningless: why it
    must not be read as what its name says, or None.
    """

    step: int
    epoch: float
    measure: str
    figure: str
    value: float | list[float]
    low: float
    high: float
    unit: str
    meaningless: str | None


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

    @property
    def measures(self) -> list[MeasuredFigure]:
        """What its measures gave along the way, in order."""
        path = self.path / "measures.jsonl"
        rows = _rows(path) if path.is_file() else []
        return [figure for row in rows if "result" in row for figure in _measured(row)]

    def frame(self, what: str = "metrics", library: str | None = None) -> Any:
        """Metrics or measures as a frame of pandas, or of polars (library="polars", or where only that is installed).

        "metrics": a row for each step with figures, a column for each figure; "measures": a row for each number that a
        measure gave, with step, epoch, measure, figure, value, low, high, unit and meaningless.
        """
        if what not in ("metrics", "measures"):
            raise BadInputError(f"frame '{what}': expected metrics or measures")
        if what == "metrics":
            return _frames.frame(_wide(self.metrics), library)
        single = [m for m in self.measures if not isinstance(m.value, list)]
        return _frames.frame({f.name: [getattr(m, f.name) for m in single] for f in fields(MeasuredFigure)}, library)

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

        Rows are an array, a pandas or polars frame, an Arrow table, a SciPy sparse matrix or a torch dataset: floats
        for models of features, integers for models of tokens. Raises BadInputError for rows of another shape,
        UnsupportedError for problems without predictions, and for rows that an array does not describe: of frames, or
        with documents in them (labelled texts, spans), which the command `glissade predict` reads.
        """
        with Context(self._dtype) as context, opened(context, self._weights_path(which)) as predictor:
            return predict(context, predictor, rows)

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


def _wide(metrics: dict[str, Series]) -> dict[str, Array]:
    """A column of steps, and one for each figure; NaN where a step does not have it."""
    steps = np.unique(np.concatenate([s.step for s in metrics.values()] or [np.zeros(0, np.int64)]))
    columns: dict[str, Array] = {"step": steps}
    for name, s in metrics.items():
        columns[name] = np.full(len(steps), np.nan)
        columns[name][np.searchsorted(steps, s.step)] = s.value
    return columns


def _measured(row: dict[str, Any]) -> Iterator[MeasuredFigure]:
    result = row["result"]
    meaningless = result.get("meaningless")
    for name, unit in result.get("units", {}).items():
        value = result.get(name)
        low, high = result.get(f"{name}_interval") or (math.nan, math.nan)
        if isinstance(value, list):
            value = [math.nan if v is None else v for v in value]
        found = math.nan if value is None else value
        yield MeasuredFigure(row["step"], row["epoch"], row["measure"], name, found, low, high, unit, meaningless)
