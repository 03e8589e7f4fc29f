"""What is called along a run, and how the library's calls reach it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Protocol

from ._errors import BadInputError
from ._library import Context, Library


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


class Callback:
    """Called along a run; subclasses override what they need.

    What a method raises stops the run with a checkpoint and is then raised. `on_step`, `on_epoch` and `on_validation`
    may return False: the run then ends as if that had been asked for, with its results ("observer" is why it stopped).
    """

    def on_step(self, progress: Progress) -> bool | None:
        """After every step."""
        return None

    def on_epoch(self, progress: Progress) -> bool | None:
        """After a step that ends an epoch."""
        return None

    def on_validation(self, progress: Progress) -> bool | None:
        """After a step behind which the monitored set was evaluated."""
        return None

    def on_end(self, result: Any) -> None:
        """After the run, with its TrainResult."""

    def close(self) -> None:
        """At the end in any case, interrupted or failed."""


class _Function(Callback):
    def __init__(self, call: Callable[[Progress], object]) -> None:
        self.call = call

    def on_step(self, progress: Progress) -> bool | None:
        return False if self.call(progress) is False else None


CallbackLike = Callback | Callable[[Progress], object]


def as_callbacks(given: CallbackLike | Iterable[CallbackLike] | None) -> list[Callback]:
    """One, several or none; a function is called after every step."""
    if given is None:
        return []
    several = [given] if isinstance(given, Callback) or callable(given) else list(given)
    for item in several:
        if not isinstance(item, Callback) and not callable(item):
            raise BadInputError(f"callbacks: {type(item).__name__}: expected a glissade.Callback or a function")
    return [item if isinstance(item, Callback) else _Function(item) for item in several]


class Receiver(Protocol):
    """Who stands behind a `void *user`: what a Python function raised is kept, the library's work is stopped."""

    def fail(self, error: BaseException) -> None: ...


class Stopper:
    """Keeps the first error of Python code that the library called, and interrupts the library's work."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.context.library.lib.gls_interrupt(self.context.pointer)

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error


class RunCaller(Stopper):
    """Carries the progress of a run to callbacks."""

    def __init__(self, context: Context, callbacks: list[Callback]) -> None:
        super().__init__(context)
        self.callbacks = callbacks
        self.run: Any = context.library.ffi.NULL
        self._epoch: int | None = None

    def progress(self, raw: Any) -> None:
        lib = self.context.library
        values = {field.name: getattr(raw, field.name) for field in fields(Progress)}
        values["score_name"], values["set"] = lib.text(raw.score_name), lib.text(raw.set)
        progress = Progress(**values)
        ends = self._ends_epoch(progress.epoch)
        for callback in self.callbacks:
            answers = [callback.on_step(progress)]
            if progress.validated:
                answers.append(callback.on_validation(progress))
            if ends:
                answers.append(callback.on_epoch(progress))
            if any(answer is False for answer in answers):
                lib.lib.gls_run_stop(self.run, lib.lib.GLS_STOP_OBSERVER)

    def _ends_epoch(self, epoch: float) -> bool:
        """The epoch is a quotient: a whole one may be missed by a rounding."""
        before = math.ceil(epoch - 1e-9) - 1 if self._epoch is None else self._epoch
        self._epoch = math.floor(epoch + 1e-9)
        return self._epoch > before


def connect(lib: Library) -> None:
    """The library's calls, in this precision, to whom their `user` stands for."""
    if getattr(lib, "connected", False):
        return
    handle = lib.ffi.from_handle

    def fail(kind: Any, error: BaseException, trace: Any) -> None:
        handle(trace.tb_frame.f_locals["user"]).fail(error)

    def glissade_progress(user: Any, raw: Any) -> None:
        handle(user).progress(raw)

    def glissade_say(user: Any, line: Any) -> None:
        handle(user).say(lib.text(line))

    def glissade_swept(user: Any, run: int, runs: int, name: Any, result: Any) -> None:
        handle(user).swept(run, runs, lib.text(name), result)

    for call in (glissade_progress, glissade_say, glissade_swept):
        lib.ffi.def_extern(onerror=fail)(call)
    lib.connected = True  # type: ignore[attr-defined]
