"""Training runs from configurations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array
from ._errors import BadInputError, RunInterrupted
from ._library import Context, Library, library
from ._values import Value


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come (gls_progress). Figures that are not known are NaN; total_steps 0: open."""

    step: int
    total_steps: int
    epoch: float
    epochs: float
    loss: float
    monitored: float
    score: float
    score_name: str
    set: str
    seconds: float
    examples_per_second: float
    seconds_left: float
    validated: bool


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


Config = Mapping[str, Any] | str | PathLike[str]


def _preset_names(lib: Library) -> list[str]:
    names: list[str] = []
    while (preset := lib.lib.gls_preset_at(len(names))) != lib.ffi.NULL:
        names.append(lib.text(preset.name))
    return names


class _Read:
    """A configuration from a file, a preset or a dict, with assignments on top; lives inside of `with`."""

    def __init__(self, context: Context, config: Config, settings: Iterable[str]) -> None:
        ffi, lib = context.library.ffi, context.library.lib
        self.context, self._out = context, ffi.new("gls_value **")
        self._keep: Any = None
        if isinstance(config, Mapping):
            self._out[0] = Value(context, config).pointer
        elif Path(config).is_file():
            self._keep = ffi.new("char[]", os.fsencode(config))
            context.check(lib.gls_config_read(context.pointer, self._keep, self._out))
        elif (names := _preset_names(context.library)) and str(config) in names:
            context.check(lib.gls_config_preset(context.pointer, str(config).encode(), self._out))
        else:
            raise BadInputError(f"config '{config}': no such file, and no preset; presets are {', '.join(names)}")
        self._settings = [ffi.new("char[]", setting.encode()) for setting in settings]
        try:
            for setting in self._settings:
                context.check(lib.gls_config_set(context.pointer, self._out[0], setting))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Any:
        return self._out[0]

    def __exit__(self, *_: object) -> None:
        self.context.library.lib.gls_value_destroy(self.context.pointer, self._out[0])


class _Caller:
    """Carries progress to a Python function; what that raises stops the run and is raised once it has stopped."""

    def __init__(self, context: Context, call: Callable[[Progress], object] | None) -> None:
        self.context, self.call = context, call
        self.error: BaseException | None = None

    def __call__(self, raw: Any) -> None:
        lib = self.context.library
        names = [field.name for field in fields(Progress)]
        values = {name: getattr(raw, name) for name in names}
        values["score_name"], values["set"] = lib.text(raw.score_name), lib.text(raw.set)
        try:
            if self.call is not None:
                self.call(Progress(**values))
        except BaseException as error:
            self.error = error
            lib.lib.gls_interrupt(self.context.pointer)


def _connect(lib: Library) -> None:
    """Progress of runs of this precision, to the caller that `user` stands for."""
    if getattr(lib, "connected", False):
        return
    handle = lib.ffi.from_handle

    def glissade_progress(user: Any, raw: Any) -> None:
        handle(user)(raw)

    lib.ffi.def_extern()(glissade_progress)
    lib.connected = True  # type: ignore[attr-defined]


@contextmanager
def _run(context: Context, options: Any) -> Any:
    lib = context.library.lib
    out = context.library.ffi.new("gls_run **")
    context.check(lib.gls_run_create(context.pointer, options, out))
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


def train(
    config: Config,
    folder: str | PathLike[str] | None = None,
    *,
    set: Iterable[str] = (),  # noqa: A002 - the command's own word
    resume: bool = False,
    start: str | PathLike[str] | None = None,
    progress: Callable[[Progress], object] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> TrainResult:
    """Trains a configuration to its end.

    Args:
        config: a dict of sections, the path of a YAML file, or the name of a preset (`glissade.list("presets")`).
        folder: the run's folder, which `Run` and `glissade report` read; None: nothing is written.
        set: assignments on top, "train.epochs=3".
        resume: go on from the latest checkpoint in folder; the result is that of the undisturbed run, bit for bit.
        start: a run folder or .safetensors file whose weights to begin with.
        progress: called after every step with a Progress; what it raises stops the run, with a checkpoint.
        dtype: float32 or float64.

    Raises:
        BadInputError: mistakes in the configuration or the data, with file and line.
        FileError, NonfiniteError: what the run could not read or write, and steps that it was told not to skip.
        KeyboardInterrupt: the run can be resumed.
    """
    if isinstance(set, (str, Mapping)):
        raise BadInputError(f"set: {type(set).__name__}: expected a list of assignments, as in ['train.epochs=3']")
    lib = library(dtype)
    _connect(lib)
    path = None if folder is None else Path(folder)
    if path is not None and not resume and (path / "config.yaml").exists():
        raise BadInputError(f"{path} already holds a run: go on with resume=True, or choose another folder")
    with Context(dtype) as reading, _Read(reading, config, set) as tree:
        wanted = lib.ffi.new("gls_context_options *")
        wanted.size = lib.ffi.sizeof("gls_context_options")
        reading.check(lib.lib.gls_config_context(reading.pointer, tree, wanted))
        with Context(dtype, options=wanted) as context:
            caller = _Caller(context, progress)
            options, keep = _run_options(lib, tree, path, start, caller)
            options.resume = resume
            raw = lib.ffi.new("gls_run_result *")
            with _run(context, options) as run:
                context.check(lib.lib.gls_run_train(run, raw))
                weights = _weights(lib, run)
            del keep
            if caller.error is not None:
                raise caller.error
            if lib.text(lib.lib.gls_stop_reason_name(raw.stopped)) == "interrupted":
                raise RunInterrupted("the run was interrupted; resume=True goes on")
            return _result(lib, raw, weights, path)


def _run_options(lib: Library, tree: Any, path: Path | None, start: Any, caller: _Caller) -> tuple[Any, list[Any]]:
    options = lib.ffi.new("gls_run_options *")
    folder = lib.ffi.NULL if path is None else lib.ffi.new("char[]", os.fsencode(path))
    begin = lib.ffi.NULL if start is None else lib.ffi.new("char[]", os.fsencode(start))
    handle = lib.ffi.new_handle(caller)
    options.size, options.config = lib.ffi.sizeof("gls_run_options"), tree
    options.folder = folder
    setattr(options, "from", begin)  # a word of Python
    options.progress, options.user = lib.lib.glissade_progress, handle
    return options, [folder, begin, handle]
