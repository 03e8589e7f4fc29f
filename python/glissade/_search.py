"""Many runs for one answer: sweeps over settings, and advice from measures and short probes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _frames
from ._callbacks import Stopper, connect
from ._config import Config, Read
from ._errors import BadInputError, RunInterrupted
from ._interrupt import interruptible
from ._library import Context, Library
from ._values import Tree, to_python


@dataclass(frozen=True, slots=True)
class Stat:
    """A figure over the seeds of a trial; the deviation of a single run is NaN."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One assignment of values to the keys, and what its runs came to.

    failed: runs that diverged, which count in no mean; reached: that ended at their target; missed: by epochs, those
    that did not. folder: its runs are in folder/seed-N.
    """

    values: dict[str, Any]
    folder: Path
    runs: int
    failed: int
    reached: int
    missed: int
    selected: Stat
    test_loss: Stat
    test_score: Stat
    train_loss: Stat
    seconds: Stat
    epochs: Stat


_STATS = ("selected", "test_loss", "test_score", "train_loss", "seconds", "epochs")


@dataclass(frozen=True, slots=True)
class Sweep:
    """The outcome of a sweep: trials, the best first and those that failed last.

    best: None where no trial has a finite figure to be chosen by. edge: keys whose best value is the least or greatest
    that was tried.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    selected_by: str
    greater_is_better: bool
    edge: tuple[str, ...]

    def frame(self, library: str | None = None) -> Any:
        """A row for each trial, as a pandas frame, or one of polars (library="polars", or where only that is there)."""
        columns: dict[str, list[Any]] = {key: [] for key in (self.trials[0].values if self.trials else ())}
        for trial in self.trials:
            row = {**trial.values, "runs": trial.runs, "failed": trial.failed}
            for name in _STATS:
                stat = getattr(trial, name)
                row |= {name: stat.mean, f"{name}_deviation": stat.deviation}
            for key, value in row.items():
                columns.setdefault(key, []).append(value)
        return _frames.frame(columns, library)


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """A run that has ended: its number from 1 out of runs, its name, and whether it diverged."""

    run: int
    runs: int
    name: str
    diverged: bool
    train_loss: float
    validation_loss: float


class _Listener(Stopper):
    """Carries lines and ended runs to Python functions."""

    def __init__(
        self,
        context: Context,
        say: Callable[[str], object] | None = None,
        ended: Callable[[SweepProgress], object] | None = None,
    ) -> None:
        super().__init__(context)
        self._say, self._ended = say, ended
        self.handle = context.library.ffi.new_handle(self)

    def say(self, line: str) -> None:
        if self._say is not None:
            self._say(line)

    def swept(self, run: int, runs: int, name: str, result: Any) -> None:
        lib = self.context.library
        if result == lib.ffi.NULL or self._ended is None:
            return
        diverged = not result.stopped
        losses = (np.nan, np.nan) if diverged else (result.train_loss, result.validation_loss)
        self._ended(SweepProgress(run + 1, runs, name, diverged, *losses))


# ---- sweeps ----


def _axis_text(key: str, values: Any) -> str:
    if isinstance(values, str):
        return f"{key}={values}"
    if isinstance(values, Mapping) or not hasattr(values, "__iter__"):
        raise BadInputError(f"over: {key}: expected a list of values, or a text as in '0.1,0.3' or '1e-3..1'")
    words = [value.item() if hasattr(value, "item") else value for value in values]
    return f"{key}=" + ",".join(str(w).lower() if isinstance(w, bool) else str(w) for w in words)


@contextmanager
def _axes(context: Context, over: Mapping[str, Any]) -> Iterator[Any]:
    ffi, lib = context.library.ffi, context.library.lib
    axes = ffi.new("gls_sweep_axis[]", max(1, len(over)))
    try:
        for i, (key, values) in enumerate(over.items()):
            context.check(lib.gls_sweep_axis_parse(context.pointer, _axis_text(key, values).encode(), axes + i))
        yield axes
    finally:
        for i in range(len(over)):
            lib.gls_sweep_axis_clear(context.pointer, axes + i)


def _typed(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _trial(lib: Library, raw: Any, keys: list[str], folder: Path) -> Trial:
    stats = {name: Stat(getattr(raw, name).mean, getattr(raw, name).deviation) for name in _STATS}
    values = {key: _typed(lib.text(raw.text[i])) for i, key in enumerate(keys)}
    where = folder / lib.text(lib.ffi.cast("char *", raw.folder))
    return Trial(values, where, raw.runs, raw.failed, raw.reached, raw.missed, **stats)


def _sweep(lib: Library, raw: Any, folder: Path) -> Sweep:
    keys = [lib.text(raw.axis[i].key) for i in range(raw.axes)]
    trials = tuple(_trial(lib, raw.trial[i], keys, folder) for i in range(raw.trials))
    edge = tuple(key for i, key in enumerate(keys) if raw.edge[i])
    return Sweep(trials, trials[0] if raw.best else None, lib.text(raw.selected_by), raw.greater_is_better, edge)


def _choose(options: Any, read: Read, by: str | None) -> None:
    options.by_loss, options.by_epochs = by == "loss", by == "epochs"
    options.by_score = by not in (None, "loss", "epochs")
    if options.by_score:
        read.set(f"train.score={by}")


def _seeds(context: Context, read: Read, seeds: int | None) -> int:
    """How many; each folder then has one run."""
    lib = context.library
    asked = lib.ffi.new("int64_t *")
    context.check(lib.lib.gls_config_seeds(context.pointer, read.tree, asked))
    if asked[0] > 1:
        read.set("train.seeds=1")
    return int(asked[0]) if seeds is None else seeds


def sweep(
    config: Config,
    over: Mapping[str, Any],
    folder: str | PathLike[str] | None = None,
    *,
    trials: int = 0,
    seeds: int | None = None,
    by: str | None = None,
    set: Iterable[str] = (),  # noqa: A002 - the command's own word
    progress: Callable[[SweepProgress], object] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sweep:
    """Trains a configuration under several settings, and compares.

    Args:
        config: as for `train`.
        over: what is searched: {"method.lr": [0.1, 0.3], "method.beta": "0.5..0.99"}; a text has values, or a range to
            draw from (log-uniform where it is positive and spans at least ten).
        folder: for the runs' folders: those that finished there are not run again, unfinished ones go on. None: a
            temporary one, removed at the end.
        trials: number of draws; 0: the whole grid.
        seeds: runs of each trial; None: what the configuration says.
        by: "loss", "epochs" (to the target), or the name of a score on the validation set; None: by the validation
            set's first score, else its loss, else the training loss.
        progress: called with a SweepProgress after every run; what it raises stops the sweep.

    Raises:
        BadInputError: mistakes in the configuration, a grid that has a range or too many trials.
        KeyboardInterrupt: with a folder, the next call goes on.
    """
    place: Any = tempfile.TemporaryDirectory() if folder is None else nullcontext(folder)
    with place as where, Context(dtype) as context, Read(context, config, set) as read, _axes(context, over) as axes:
        lib = context.library
        connect(lib)
        listener = _Listener(context, ended=progress)
        options, setup = lib.ffi.new("gls_sweep_options *"), read.options()
        path = lib.ffi.new("char[]", os.fsencode(where))
        options.size, options.axis, options.axes = lib.ffi.sizeof("gls_sweep_options"), axes, len(over)
        options.trials, options.seeds, options.first_seed = trials, _seeds(context, read, seeds), setup.seed
        _choose(options, read, by)
        options.config, options.folder, options.context = read.tree, path, setup
        options.progress, options.user = lib.lib.glissade_swept, listener.handle
        out = lib.ffi.new("gls_sweep **")
        with interruptible(context):
            status = lib.lib.gls_sweep_run(context.pointer, options, out)
        try:
            listener.raise_error()
            context.check(status)
            if out[0].interrupted:
                raise RunInterrupted("the sweep was interrupted; with a folder, the next call goes on")
            return _sweep(lib, out[0], Path(where))
        finally:
            lib.lib.gls_sweep_destroy(out[0])


# ---- advice ----


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """One thing that is recommended: its value, the numbers it rests on, the rule, and the rule's source."""

    what: str
    value: str
    numbers: str
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method at its best rate over the whole run. edge: that rate is on the edge of its grid."""

    name: str
    lr: str
    train_loss: float
    test_loss: float
    test_score: float
    selected: float
    selected_by: str
    edge: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The recommendation, and tuned msgd and adam. ratio: its training loss over the least of theirs; NaN: it
    diverged."""

    entrants: tuple[Entrant, ...]
    ratio: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommended configuration, for `train`, and why. details: measures and probes, as in advise.json."""

    config: dict[str, Tree]
    lines: tuple[AdviceLine, ...]
    details: dict[str, Any]
    verdict: Verdict | None


def _lines(lib: Library, raw: Any) -> tuple[AdviceLine, ...]:
    names = AdviceLine.__dataclass_fields__
    return tuple(AdviceLine(*(lib.text(getattr(raw.line[i], n)) for n in names)) for i in range(raw.lines))


def _entrant(lib: Library, raw: Any) -> Entrant:
    texts: dict[str, Any] = {n: lib.text(lib.ffi.cast("char *", getattr(raw, n))) for n in ("lr", "selected_by")}
    figures: dict[str, Any] = {
        n: getattr(raw, n) for n in ("train_loss", "test_loss", "test_score", "selected", "edge")
    }
    return Entrant(lib.text(raw.name), **texts, **figures)


def _verify(context: Context, read: Read, advice: Any, folder: Path, listener: _Listener) -> Verdict:
    lib, setup = context.library, read.options()
    options, out = lib.ffi.new("gls_verify_options *"), lib.ffi.new("gls_verdict *")
    path = lib.ffi.new("char[]", os.fsencode(folder))
    options.size, options.config, options.advice = lib.ffi.sizeof("gls_verify_options"), read.tree, advice
    options.folder, options.context = path, setup
    options.begin, options.progress, options.user = lib.lib.glissade_say, lib.lib.glissade_swept, listener.handle
    with interruptible(context):
        status = lib.lib.gls_advice_verify(context.pointer, options, out)
    listener.raise_error()
    context.check(status)
    if out.interrupted:
        raise RunInterrupted("the verification was interrupted; the next call goes on in the same folder")
    entrants = tuple(_entrant(lib, out.entrant[i]) for i in range(lib.lib.GLS_ENTRANTS))
    return Verdict(entrants, out.ratio, lib.text(out.outcome))


def advise(
    config: Config,
    *,
    methods: Iterable[str] | None = None,
    budget: float = 60.0,
    verify: str | PathLike[str] | None = None,
    set: Iterable[str] = (),  # noqa: A002 - the command's own word
    say: Callable[[str], object] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Advice:
    """Measures a problem and probes methods on it, and recommends a configuration (docs/advise.md).

    Args:
        config: as for `train`; it need not have a method.
        methods: the candidates; None: msgd, adam, sngm, clip and acclip.
        budget: seconds for measures and probes.
        verify: a folder: the recommendation is trained at full length there, beside tuned msgd and adam.
        say: called with lines of text on the way.

    Raises:
        BadInputError: mistakes in the configuration or the data.
        NonfiniteError: every candidate failed its probes.
    """
    if not budget > 0:
        raise BadInputError(f"budget {budget}: expected seconds, above 0")
    with Context(dtype) as reading, Read(reading, config, set) as read:
        if "method" not in (to_python(reading, read.tree) or {}):
            read.set("method={name: msgd}")  # What is asked for need not be answered beforehand.
        with Context(dtype, options=read.options()) as context:
            lib = context.library
            connect(lib)
            listener = _Listener(context, say=say)
            options, out = lib.ffi.new("gls_advise_options *"), lib.ffi.new("gls_advice **")
            names = lib.ffi.NULL if methods is None else lib.ffi.new("char[]", ",".join(methods).encode())
            options.size, options.config, options.budget = lib.ffi.sizeof("gls_advise_options"), read.tree, budget
            options.methods, options.say, options.user = names, lib.lib.glissade_say, listener.handle
            with interruptible(context):
                status = lib.lib.gls_advise(context.pointer, options, out)
            try:
                listener.raise_error()
                context.check(status)
                advised, details = to_python(context, out[0].config), json.loads(lib.text(out[0].json))
                verdict = None if verify is None else _verify(context, read, out[0], Path(verify), listener)
                return Advice(advised, _lines(lib, out[0]), details, verdict)
            finally:
                lib.lib.gls_advice_destroy(out[0])
