"""Training runs from configurations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array
from ._bar import Bar
from ._callbacks import Callback, CallbackLike, Progress, RunCaller, as_callbacks, connect
from ._config import Config, Read, assignments
from ._data import Data, Lender
from ._errors import BadInputError, RunInterrupted
from ._interrupt import interruptible
from ._library import Context, Library


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended. Losses are means over whole sets at the final weights; NaN where there is no such set.

    score is the name of the problem's first score ("accuracy"), "" if it has none. stopped: "epochs", "steps",
    "target_loss", ...; weights: by name, as validation and final.safetensors use them. folder: None where nothing was
    written; else `Run(folder)` reads it.
    """

    steps: int
    refused: int
    epochs: float
    train_loss: float
    validation_loss: float
    test_loss: float
    train_score: float
    validation_score: float
    test_score: float
    score: str
    seconds: float
    examples_per_second: float
    stopped: str
    weights: dict[str, Array]
    folder: Path | None


@contextmanager
def _run(context: Context, options: Any, lender: Lender | None) -> Iterator[Any]:
    lib = context.library.lib
    out = context.library.ffi.new("gls_run **")
    status = lib.gls_run_create(context.pointer, options, out)
    if lender is not None and lender.error is not None:
        raise lender.error
    context.check(status)
    try:
        yield out[0]
    finally:
        lib.gls_run_destroy(out[0])


def _weights(lib: Library, run: Any) -> dict[str, Array]:
    layout = lib.lib.gls_problem_layout(lib.lib.gls_run_problem(run))
    size = lib.lib.gls_layout_size(layout) * lib.dtype.itemsize
    flat = np.frombuffer(lib.ffi.buffer(lib.lib.gls_run_output(run), size), dtype=lib.dtype).copy()
    blocks = [lib.lib.gls_layout_block(layout, i) for i in range(lib.lib.gls_layout_count(layout))]
    return {
        lib.text(b.name): flat[b.offset : b.offset + b.size].reshape([b.shape[k] for k in range(b.dims)])
        for b in blocks
    }


def _result(lib: Library, raw: Any, weights: dict[str, Array], folder: Path | None) -> TrainResult:
    names = [f.name for f in fields(TrainResult) if f.name not in ("score", "stopped", "weights", "folder")]
    values = {name: getattr(raw, name) for name in names}
    stopped = lib.text(lib.lib.gls_stop_reason_name(raw.stopped))
    return TrainResult(**values, score=lib.text(raw.score), stopped=stopped, weights=weights, folder=folder)


@dataclass
class _Work:
    """A run to be trained: where it is kept, what is called along it, and the rows that it is lent."""

    path: Path | None
    resume: bool
    start: str | PathLike[str] | None
    callbacks: list[Callback]
    data: Data | None

    def train(self, context: Context, tree: Any) -> TrainResult:
        lib = context.library
        connect(lib)
        caller = RunCaller(context, self.callbacks)
        handle = lib.ffi.new_handle(caller)
        options, keep = self._options(lib, tree, handle)
        lender = None if self.data is None else Lender(context, self.data)
        try:
            raw = lib.ffi.new("gls_run_result *")
            with interruptible(context), _run(context, options, lender) as run:
                caller.run = run
                context.check(lib.lib.gls_run_train(run, raw))
                weights = _weights(lib, run)
        finally:
            if lender is not None:
                lender.close()
        del keep
        caller.raise_error()
        if lib.text(lib.lib.gls_stop_reason_name(raw.stopped)) == "interrupted":
            raise RunInterrupted("the run was interrupted; resume=True goes on")
        return _result(lib, raw, weights, self.path)

    def _options(self, lib: Library, tree: Any, handle: Any) -> tuple[Any, list[Any]]:
        options = lib.ffi.new("gls_run_options *")
        folder = lib.ffi.NULL if self.path is None else lib.ffi.new("char[]", os.fsencode(self.path))
        begin = lib.ffi.NULL if self.start is None else lib.ffi.new("char[]", os.fsencode(self.start))
        options.size, options.config, options.resume = lib.ffi.sizeof("gls_run_options"), tree, self.resume
        options.folder = folder
        setattr(options, "from", begin)  # a word of Python
        options.progress, options.user = lib.lib.glissade_progress, handle
        return options, [folder, begin]


def train(
    config: Config,
    folder: str | PathLike[str] | None = None,
    *,
    data: Data | tuple[Any, Any] | None = None,
    set: Iterable[str] = (),  # noqa: A002 - the command's own word
    resume: bool = False,
    start: str | PathLike[str] | None = None,
    progress: bool | Callable[[Progress], object] = False,
    callbacks: CallbackLike | Iterable[CallbackLike] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> TrainResult:
    """Trains a configuration to its end.

    Args:
        config: a dict of sections, the path of a YAML file, or the name of a preset (`glissade.list("presets")`).
        folder: the run's folder, which `Run` and `glissade report` read; None: nothing is written.
        data: rows in memory, (x, y) or a Data, in the place of the configuration's files.
        set: assignments on top, "train.epochs=3".
        resume: go on from the latest checkpoint in folder; the result is that of the undisturbed run, bit for bit.
        start: a run folder or .safetensors file whose weights to begin with.
        progress: True: a bar, in terminals and notebooks; a function is called after every step, as in callbacks.
        callbacks: functions that are called with a Progress after every step, or Callback objects. What they raise
            stops the run, with a checkpoint; one that returns False ends it.
        dtype: float32 or float64.

    Raises:
        BadInputError: mistakes in the configuration or the data, with file and line.
        FileError, NonfiniteError: what the run could not read or write, and steps that it was told not to skip.
        KeyboardInterrupt: the run can be resumed.
    """
    path = None if folder is None else Path(folder)
    if path is not None and not resume and (path / "config.yaml").exists():
        raise BadInputError(f"{path} already holds a run: go on with resume=True, or choose another folder")
    told = as_callbacks(callbacks)
    if progress:
        told.append(Bar() if progress is True else as_callbacks(progress)[0])
    lent = data if data is None or isinstance(data, Data) else Data(*data)
    work = _Work(path, resume, start, told, lent)
    rows = [] if lent is None else [f"data.{key}={word}" for key, word in lent.section().items()]
    try:
        with Context(dtype) as reading, Read(reading, config, [*rows, *assignments(set)]) as read:
            with Context(dtype, options=read.options()) as context:
                result = work.train(context, read.tree)
    finally:
        for callback in told:
            callback.close()
    for callback in told:
        callback.on_end(result)
    return result
