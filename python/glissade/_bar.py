"""A bar of a run's progress: tqdm's where it is installed (in notebooks its widget), else a line on standard error."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from ._callbacks import Callback, Progress


def _figures(progress: Progress) -> dict[str, str]:
    shown = {"loss": progress.loss, f"{progress.set} loss": progress.monitored}
    if progress.score_name:
        shown[f"{progress.set} {progress.score_name}"] = progress.score
    return {name: f"{value:.4g}" for name, value in shown.items() if not math.isnan(value)}


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    return tqdm


def _rewrites() -> bool:
    """A terminal and a notebook show a line in the place of the last one; a file does not."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class _Line:
    """The bar where tqdm is not installed; in a file a line for every tenth."""

    def __init__(self, total: int, initial: int) -> None:
        self.total, self.n, self.initial = total, initial, initial
        self._begin = time.monotonic()
        self._tenth, self._width, self._rewrites = 0, 0, _rewrites()

    def text(self, figures: str) -> str:
        seconds = time.monotonic() - self._begin
        rate = (self.n - self.initial) / seconds if seconds > 0 else 0.0
        if not self.total:
            return f"{self.n} steps, {rate:.3g}/s  {figures}"
        done = min(1.0, self.n / self.total)
        bar = "#" * round(20 * done)
        return f"[{bar:<20}] {self.n}/{self.total}, {rate:.3g}/s  {figures}"

    def show(self, figures: str, last: bool) -> None:
        text = self.text(figures)
        if self._rewrites:
            sys.stderr.write("\r" + text.ljust(self._width) + ("\n" if last else ""))
        else:
            tenth = 10 * self.n // self.total if self.total else 0
            if tenth <= self._tenth and not last:
                return
            self._tenth = tenth
            sys.stderr.write(text + "\n")
        self._width = len(text)
        sys.stderr.flush()


class Bar(Callback):
    """Shows steps, losses and score; drawn ten times a second at most."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._shown = -math.inf
        self._figures: dict[str, str] = {}

    def on_step(self, progress: Progress) -> None:
        if self._bar is None:
            self._open(progress)
        now = time.monotonic()
        self._figures = _figures(progress)
        self._count = progress.step
        if now - self._shown >= 0.1:
            self._shown = now
            self._draw(last=False)

    def _open(self, progress: Progress) -> None:
        tqdm, before = _tqdm(), progress.step - 1
        if tqdm is None:
            self._bar = _Line(progress.total_steps, before)
        else:
            self._bar = tqdm(total=progress.total_steps or None, initial=before, unit="step")

    def _draw(self, last: bool) -> None:
        if isinstance(self._bar, _Line):
            self._bar.n = self._count
            self._bar.show("  ".join(f"{name} {value}" for name, value in self._figures.items()), last)
        else:
            self._bar.set_postfix(self._figures, refresh=False)
            self._bar.update(self._count - self._bar.n)

    def close(self) -> None:
        if self._bar is None:
            return
        self._draw(last=True)
        if not isinstance(self._bar, _Line):
            self._bar.close()
        self._bar = None
