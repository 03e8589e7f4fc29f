"""Ctrl-C during work in C: it reaches the library at once, and Python as soon as the library has saved its work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ._library import Context


def _watch(reader: int, other: int, context: Context) -> None:
    """Python's own handler runs only once the library has returned; this thread hears of the signal before."""
    while numbers := os.read(reader, 64):
        if signal.SIGINT in numbers:
            context.library.lib.gls_interrupt(context.pointer)
        if other >= 0:
            os.write(other, numbers)


def _heard() -> bool:
    """Whether this thread is the one that Python interrupts by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        return False
    return callable(signal.getsignal(signal.SIGINT))


@contextmanager
def interruptible(context: Context) -> Iterator[None]:
    """Within it, SIGINT interrupts the context's work; what handles it in Python (KeyboardInterrupt) comes after."""
    if not _heard():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(reader, before, context), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)  # The thread reads the end, and ends.
        thread.join()
        os.close(reader)
