"""A folder with the figures of a loop of one's own, as a run of the command leaves them: `glissade report` draws it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ._errors import BadInputError, FileError

FILES = ("metrics.jsonl", "measures.jsonl")


class Journal:
    """config.yaml, metrics.jsonl, measures.jsonl and, once closed, result.json.

    A journal that goes on (`resume`) cuts off what was written after its state was saved, so that no step is there
    twice. Raises BadInputError for a folder with figures of another run.
    """

    def __init__(self, folder: str | PathLike[str], config: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.config = dict(config)
        self._begin = time.monotonic()
        self._lengths: dict[str, int] | None = None
        self._open = False

    def resume(self, lengths: Mapping[str, int]) -> None:
        """Goes on after these many bytes of the files."""
        self._lengths = {name: int(lengths.get(name, 0)) for name in FILES}
        self._open = False

    def lengths(self) -> dict[str, int]:
        if not self._open:
            return dict(self._lengths or dict.fromkeys(FILES, 0))
        return {name: (self.folder / name).stat().st_size for name in FILES}

    def metrics(self, step: int, epoch: float, figures: Mapping[str, float]) -> None:
        """A line for each figure that is known."""
        known = {name: value for name, value in figures.items() if not math.isnan(value)}
        self._append("metrics.jsonl", [self._line(step, epoch, name=n, value=_finite(v)) for n, v in known.items()])

    def measures(self, step: int, epoch: float, results: Mapping[str, Mapping[str, Any]]) -> None:
        self._append("measures.jsonl", [self._line(step, epoch, measure=n, result=r) for n, r in results.items()])

    def close(self, result: Mapping[str, Any]) -> None:
        """Says that the run has ended, and how."""
        if self._open:
            self._replace("result.json", json.dumps(dict(result), indent=1) + "\n")

    def _line(self, step: int, epoch: float, **rest: Any) -> str:
        begin = {"step": step, "epoch": _finite(epoch), "time": round(time.monotonic() - self._begin, 3)}
        return json.dumps(begin | rest, separators=(",", ":")) + "\n"

    def _append(self, name: str, lines: list[str]) -> None:
        self._begin_files()
        try:
            with open(self.folder / name, "a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise FileError(f"{self.folder / name}: cannot write: {error.strerror}") from error

    def _begin_files(self) -> None:
        if self._open:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                self._cut(self.folder / name)
            self._replace("config.yaml", json.dumps(self.config, indent=1) + "\n")
        except OSError as error:
            raise FileError(f"{self.folder}: cannot write: {error.strerror}") from error
        self._open = True

    def _cut(self, path: Path) -> None:
        if self._lengths is not None:
            path.touch()
            os.truncate(path, min(path.stat().st_size, self._lengths[path.name]))
        elif path.exists() and path.stat().st_size:
            raise BadInputError(f"{path}: figures of another run: expected an empty folder, or a loaded state")
        else:
            path.touch()

    def _replace(self, name: str, text: str) -> None:
        beside = self.folder / (name + ".part")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.folder / name)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
