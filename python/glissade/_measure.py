"""Measures of per-example gradients in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _arrays
from ._arrays import Array
from ._errors import BadInputError
from ._library import Context, Library
from ._values import Value


@dataclass(frozen=True, slots=True)
class Figure:
    """One named figure.

    Attributes:
        name: "batch_size_bound".
        value: a number, or an array (histogram, quantiles, curve).
        unit: "" where it is a pure number.
        interval: (low, high) of 95%, where the figure is an estimate; else None.
        edges: of the counts of a histogram, the name of the figure with the edges of its bins; else None.
    """

    name: str
    value: float | Array
    unit: str
    interval: tuple[float, float] | None
    edges: str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one measure found; result["batch_size_bound"] is a Figure.

    Attributes:
        measure: its name.
        figures: by name.
        sample: rows that were read.
        population: of the set they were drawn from; 0: unknown.
        seconds: that it took.
        meaningless: a sentence, where the figures must not be read as what their names say; else None.
        note: a sentence to be read beside them, or None.
    """

    measure: str
    figures: dict[str, Figure]
    sample: int
    population: int
    seconds: float
    meaningless: str | None
    note: str | None

    def __getitem__(self, name: str) -> Figure:
        return self.figures[name]


class Measurements(Mapping[str, Measurement]):
    """Several measures by name; `figure` finds a headline figure wherever it is."""

    def __init__(self, results: dict[str, Measurement], headlines: dict[str, Figure]) -> None:
        self._results = results
        self.headlines = headlines

    def __getitem__(self, name: str) -> Measurement:
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        lines = [f"{name} = {_short(figure)}" for name, figure in self.headlines.items()]
        return "\n".join(lines) or f"<{len(self)} measurements>"


def _short(figure: Figure) -> str:
    if isinstance(figure.value, np.ndarray):
        return f"[{figure.value.size} values]"
    text = f"{figure.value:.6g}{' ' + figure.unit if figure.unit else ''}"
    return f"{text}, 95% in [{figure.interval[0]:.6g}, {figure.interval[1]:.6g}]" if figure.interval else text


def _figure(library: Library, raw: Any) -> Figure:
    size = raw.count * library.ffi.sizeof("double")
    values = np.frombuffer(library.ffi.buffer(raw.value, size)).copy() if raw.count else np.empty(0)
    known = math.isfinite(raw.low) or math.isfinite(raw.high)
    return Figure(
        library.text(raw.name),
        values if raw.array else float(values[0]),
        library.text(raw.unit),
        (raw.low, raw.high) if known else None,
        library.optional_text(raw.edges),
    )


def _measurement(library: Library, raw: Any, headlines: dict[str, Figure]) -> Measurement:
    figures = {}
    for i in range(raw.figures):
        figure = _figure(library, raw.figure[i])
        figures[figure.name] = figure
        if raw.figure[i].headline:
            headlines[figure.name] = figure
    return Measurement(
        library.text(raw.measure),
        figures,
        raw.sample,
        raw.population,
        raw.seconds,
        library.optional_text(raw.meaningless),
        library.optional_text(raw.note),
    )


def measure(
    gradients: Any,
    *names: str,
    sample: bool = False,
    seed: int = 0,
    threads: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Measurements:
    """Measures a matrix of per-example gradients.

    Args:
        gradients: [n, ...], one row an example; float32 or float64, read without a copy where in C order. Or in parts,
            which are copied together: blocks {name: [n, ...]} as torch.func and jax give them, or an iterator of rows.
        names: of measures; none: all that can be read off a matrix. `glissade.list("measures")` has all.
        sample: the rows are a sample of a larger set; False: they are the whole set.
        seed: of measures that draw.
        threads: 0: all processors that this process may use.
        options: of measures by name: {"tail_index": {"coordinates": 50}}.

    Raises:
        BadInputError: unknown measures and options, other shapes.
        UnsupportedError: a measure that has no meaning on a matrix.
        NonfiniteError: names the first row and column that is not finite.

    Definitions, costs and sources: docs/measures.md.

    >>> result = glissade.measure([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "gradient_diversity")
    >>> result.headlines["batch_size_bound"].value
    1.5
    """
    rows = _arrays.matrix(gradients, "gradients")
    only = ",".join(names)
    if any("," in name or not name for name in names):
        raise BadInputError(f"names {names}: expected the names of measures, one by one")
    with Context(rows.dtype, threads=threads, seed=seed) as context:
        ffi, lib = context.library.ffi, context.library.lib
        rows = _arrays.read(context.library, rows, "gradients")
        matrix = ffi.new("gls_measure_matrix *")
        matrix.g, matrix.n, matrix.d = _arrays.reals(context.library, rows), *rows.shape
        matrix.sample, matrix.seed = sample, seed
        survey = ffi.new("gls_survey *")
        with Value(context, {"measure": options or {}}) as config:
            wanted = ffi.new("gls_survey_options *")
            wanted.size, wanted.config = ffi.sizeof("gls_survey_options"), config
            chosen = ffi.new("char[]", only.encode())
            wanted.only = chosen if names else ffi.NULL
            try:
                context.check(lib.gls_survey_matrix(context.pointer, matrix, wanted, survey))
                headlines: dict[str, Figure] = {}
                found = [_measurement(context.library, survey.result[i], headlines) for i in range(survey.count)]
            finally:
                lib.gls_survey_clear(survey)
    return Measurements({m.measure: m for m in found}, headlines)
