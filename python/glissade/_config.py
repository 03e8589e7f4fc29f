"""Configurations for the library: from dicts, files and presets, with assignments on top."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ._errors import BadInputError
from ._library import Context, Library
from ._values import Value

Config = Mapping[str, Any] | str | PathLike[str]


def _preset_names(lib: Library) -> list[str]:
    names: list[str] = []
    while (preset := lib.lib.gls_preset_at(len(names))) != lib.ffi.NULL:
        names.append(lib.text(preset.name))
    return names


def assignments(settings: Iterable[str]) -> Iterable[str]:
    """The settings; BadInputError for one text or a map, whose items would be none."""
    if isinstance(settings, (str, Mapping)):
        raise BadInputError(f"set: {type(settings).__name__}: expected a list of assignments, as in ['train.epochs=3']")
    return settings


class Read:
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
        self._settings: list[Any] = []
        try:
            for setting in assignments(settings):
                self.set(setting)
        except BaseException:
            self.__exit__()
            raise

    def set(self, assignment: str) -> None:
        """One assignment, "section.key=value"."""
        self._settings.append(self.context.library.ffi.new("char[]", assignment.encode()))
        lib = self.context.library.lib
        self.context.check(lib.gls_config_set(self.context.pointer, self._out[0], self._settings[-1]))

    def options(self) -> Any:
        """Threads and seed of the configuration, for the contexts that work on it."""
        library = self.context.library
        wanted = library.ffi.new("gls_context_options *")
        wanted.size = library.ffi.sizeof("gls_context_options")
        self.context.check(library.lib.gls_config_context(self.context.pointer, self._out[0], wanted))
        return wanted

    @property
    def tree(self) -> Any:
        return self._out[0]

    def __enter__(self) -> Read:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.library.lib.gls_value_destroy(self.context.pointer, self._out[0])
