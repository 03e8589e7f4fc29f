"""The compiled library in both precisions, and contexts: where messages, threads and memory of some work live."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import BY_STATUS, BadInputError


def _load_openmp() -> None:
    """OpenMP's runtime is not in the wheel: a process has one, the system's or PyTorch's. Where PyTorch's has a file of
    another name, PyTorch would load it beside the system's; its soname is the usual one, so that it does for us."""
    found = importlib.util.find_spec("torch")
    folders = [Path(folder) / "lib" for folder in (found.submodule_search_locations or ())] if found else []
    for renamed in (path for folder in folders for path in folder.glob("libgomp-*.so*")):
        ctypes.CDLL(str(renamed), mode=ctypes.RTLD_GLOBAL)
        return
    try:
        ctypes.CDLL("libgomp.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        for path in (folder / "libgomp.so.1" for folder in folders):
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


class Library:
    """One precision: `lib` has the functions of the C interface, `ffi` makes what they are given."""

    def __init__(self, module: str, dtype: type[np.floating[Any]]) -> None:
        _load_openmp()
        compiled = importlib.import_module(module, __package__)
        self.ffi: Any = compiled.ffi
        self.lib: Any = compiled.lib
        self.dtype = np.dtype(dtype)
        prefix = "GLS_ERR_"
        self.errors = {getattr(self.lib, prefix + name): error for name, error in BY_STATUS.items()}

    def text(self, pointer: Any) -> str:
        """A C string; '' for NULL."""
        return "" if pointer == self.ffi.NULL else self.ffi.string(pointer).decode(errors="replace")

    def optional_text(self, pointer: Any) -> str | None:
        """A C string; None for NULL."""
        return None if pointer == self.ffi.NULL else self.text(pointer)


@cache
def _load(name: str) -> Library:
    return Library("._float", np.float32) if name == "float32" else Library("._double", np.float64)


def library(dtype: npt.DTypeLike) -> Library:
    """The library that computes in this type; BadInputError for any but float32 and float64."""
    name = np.dtype(dtype).name
    if name not in ("float32", "float64"):
        raise BadInputError(f"dtype {name}: expected float32 or float64")
    return _load(name)


def version() -> str:
    """Of the compiled library: "0.1.0"."""
    number = library(np.float32).lib.GLS_VERSION
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


class Context:
    """A context of the C library. One thread at a time uses it; calls release Python's lock."""

    def __init__(self, dtype: npt.DTypeLike, *, threads: int = 0, seed: int = 0, options: Any = None) -> None:
        self.library = library(dtype)
        ffi, lib = self.library.ffi, self.library.lib
        self.pointer: Any = ffi.NULL
        if options is None:
            if threads < 0 or not 0 <= seed < 1 << 64:
                raise BadInputError(f"threads {threads}, seed {seed}: expected threads >= 0 and a seed in [0, 2^64)")
            options = ffi.new(
                "gls_context_options *",
                {"size": ffi.sizeof("gls_context_options"), "threads": threads, "seed": seed},
            )
        out = ffi.new("gls_context **")
        status = lib.gls_context_create_checked(out, options, self.library.dtype.itemsize, lib.GLS_VERSION)
        if status != lib.GLS_OK:
            raise self.library.errors[status]("a context of the library could not be made")
        self.pointer = out[0]

    def check(self, status: int) -> None:
        """Raises what a status says, with the context's message."""
        if status != self.library.lib.GLS_OK:
            raise self.library.errors[status](self.message())

    def message(self) -> str:
        return self.library.text(self.library.lib.gls_context_message(self.pointer))

    def taken_text(self, pointer: Any) -> str:
        """A text that the caller owns: copied and freed."""
        if pointer == self.library.ffi.NULL:
            raise BY_STATUS["MEMORY"](self.message() or "out of memory")
        text = self.library.text(pointer)
        self.library.lib.gls_free(self.pointer, pointer)
        return text

    def close(self) -> None:
        if self.pointer:
            self.library.lib.gls_context_destroy(self.pointer)
            self.pointer = self.library.ffi.NULL

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
