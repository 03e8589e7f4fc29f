"""A monitor for a loop of one's own: fed norms or gradients step by step, it keeps what the measures say of them."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _records, _state
from ._arrays import Array
from ._errors import BadInputError
from ._layout import Block, Layout, LayoutLike, blocks_of
from ._library import Context
from ._measure import Figure, Measurements, _measurement
from ._values import Value


class Monitor:
    """Gradient diversity, noise scale, norm test, tail index, clip frequency, smoothness and suspects along a loop.

        monitor = glissade.Monitor(examples=50_000)
        for ... in loop:
            if monitor.step():                              # at most every 10th step by default
                monitor.look(norms=norms, mean_norm=norm)   # [B] of single examples, and of the mean gradient
        monitor.figures["noise_scale"], monitor.report()

    Running means over looks are divided afterwards, so that the noise scale has no bias of small mini-batches; its 95%
    interval comes from the scatter of looks, and where gradients are fed (`gradients=`) also from each look alone.
    Nothing depends on time: a monitor that was saved by `state_dict` and loaded goes on to the same bits.

    Args:
        layout: of the gradients that `look(gradients=...)` takes: a number d, {name: shape or array}, or a list of
            (name, shape); None: norms alone.
        examples: n of the training set, drawn without replacement; 0: unknown. Suspects and the gradient diversity
            need it.
        dtype: float32 or float64, of the gradients.
        threads: 0: all processors that this process may use.
        seed: of the choice of coordinates for the tail index.
        options: smoothing=0.95 (weight of the past, look by look; 1 never forgets), theta=0.9 (norm test),
            coordinates=100 and samples=1024 (read and kept for the tail index), list=20 (suspects), share=0.1, cost=1
            and every=0 (cadence, see `step`).

    Raises:
        BadInputError: unknown options (the nearest is named) and values out of bounds.

    Definitions and sources: docs/measures.md.

    >>> monitor = glissade.Monitor(smoothing=0)
    >>> monitor.look(norms=[3.0, 4.0, 5.0], mean_norm=3.0)
    >>> monitor.figures["noise_scale"]                  # tr(Sigma) = 3 (50/3 - 9) / 2 = 11.5; |G|^2 = 9 - 11.5 / 3
    2.2258064516129035
    """

    def __init__(
        self,
        layout: LayoutLike | None = None,
        *,
        examples: int = 0,
        dtype: npt.DTypeLike = np.float32,
        threads: int = 1,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self.blocks: list[Block] = [] if layout is None else blocks_of(layout)
        self.examples = examples
        self._lock = threading.Lock()
        self._context = Context(dtype, threads=threads, seed=seed)
        self._library = self._context.library
        ffi, lib = self._library.ffi, self._library.lib
        out = ffi.new("gls_monitor **")
        held = Layout(self._context, self.blocks) if self.blocks else None
        with Value(self._context, options) as spec:
            wanted = {
                "size": ffi.sizeof("gls_monitor_options"),
                "spec": spec,
                "layout": held.pointer if held else ffi.NULL,
                "examples": examples,
                "seed": seed,
            }
            status = lib.gls_monitor_create(self._context.pointer, ffi.new("gls_monitor_options *", wanted), out)
        if held:
            held.close()
        self._monitor = out[0]
        self._context.check(status)

    def __del__(self) -> None:
        if getattr(self, "_monitor", None):
            self._library.lib.gls_monitor_destroy(self._monitor)
        if hasattr(self, "_context"):
            self._context.close()

    def set(self, **options: float) -> None:
        """Sets smoothing, theta, share, cost, every or list from now on. Raises BadInputError."""
        with self._lock:
            for key, value in options.items():
                self._context.check(self._library.lib.gls_monitor_set(self._monitor, key.encode(), float(value)))

    def step(self) -> bool:
        """A step begins; whether it is to be looked at.

        The first one is; then every `every` steps, or, where that is 0, so that looks take at most the `share` of the
        plain steps, where a look takes `cost` of them. What a look costs is for the caller to count.
        """
        due = self._library.ffi.new("bool *")
        with self._lock:
            self._context.check(self._library.lib.gls_monitor_step(self._monitor, due))
        return bool(due[0])

    def look(
        self,
        *,
        norms: Any = None,
        mean_norm: float | None = None,
        gradients: Any = None,
        group: int = 1,
        factors: Any = None,
        losses: Any = None,
        indices: Any = None,
    ) -> None:
        """One mini-batch: single examples, or groups (micro-batches, ranks) of equally many.

        Args:
            norms: [groups] of the groups' mean gradients; with them
            mean_norm: of the mean over all groups; None: not known, the norms are then for the suspects alone.
            gradients: in the place of norms, the groups' mean gradients [groups, d], or in blocks: a list with an array
                [groups, ...] for each block of the layout, or {name: array}. Pairs of rows go into the tail index.
            group: examples of a group.
            factors: [groups] what clipping multiplied each group's gradient by; NaN: it was left out.
            losses: [groups] for the list of suspects.
            indices: [groups * group] the examples' places in the training set: for suspects.

        Norms or gradients of one group say nothing about noise and are refused. A mini-batch that is not finite is
        counted ("refused_looks") and changes nothing else. Raises BadInputError.
        """
        ffi = self._library.ffi
        if (norms is None) != (mean_norm is None) and norms is None:
            raise BadInputError("mean_norm: expected norms beside it")
        kept: list[Any] = []
        batch = ffi.new("gls_monitor_batch *")
        if group < 1:
            raise BadInputError(f"group {group}: expected at least 1 example")
        mean = math.nan if mean_norm is None else float(mean_norm)
        batch.group, batch.mean_norm2 = group, math.copysign(mean * mean, mean)  # the sign tells of a slip
        count = self._set_gradients(batch, gradients, kept) if gradients is not None else None
        arrays = {
            "norm2": _doubles(norms, "norms"),
            "factor": _doubles(factors, "factors"),
            "loss": _doubles(losses, "losses"),
        }
        if arrays["norm2"] is not None:
            arrays["norm2"] = _squares(arrays["norm2"])
        for name, array in arrays.items():
            count = _same_count(count, array, name)
            if array is not None:
                setattr(batch, name, ffi.cast("double *", array.ctypes.data))
        batch.count = 0 if count is None else count
        index = _integers(indices, batch.count * group)
        if index is not None:
            batch.index = ffi.cast("int64_t *", index.ctypes.data)
        with self._lock:
            self._context.check(self._library.lib.gls_monitor_look(self._monitor, batch))

    def _set_gradients(self, batch: Any, gradients: Any, kept: list[Any]) -> int:
        """Points to the arrays of all blocks; how many rows they have."""
        ffi = self._library.ffi
        if not self.blocks:
            raise BadInputError("gradients: the monitor was made without a layout")
        kept.extend(_arrays.read(self._library, g, name) for name, g in self._in_blocks(gradients))
        rows = {len(array) for array in kept}
        if len(rows) != 1:
            raise BadInputError(f"gradients: blocks of {sorted(rows)} rows: expected the same for all")
        kept.append(ffi.new("gls_real *[]", [_arrays.reals(self._library, array) for array in kept]))
        batch.g = kept[-1]
        return rows.pop()

    def _in_blocks(self, gradients: Any) -> Iterator[tuple[str, Array]]:
        names = [block.name for block in self.blocks]
        if isinstance(gradients, Mapping):
            if set(gradients) != set(names):
                raise BadInputError(f"gradients: blocks {sorted(gradients)}: expected {names}")
            gradients = [gradients[name] for name in names]
        if isinstance(gradients, Sequence) and len(gradients) == len(names) and hasattr(gradients[0], "shape"):
            for block, g in zip(self.blocks, gradients, strict=True):
                array = _arrays.matrix(np.expand_dims(g, -1) if np.ndim(g) == 1 else g, f"gradients of '{block.name}'")
                if array.shape[1] != block.size:
                    raise BadInputError(
                        f"gradients of '{block.name}': shape {list(array.shape)}: expected [groups, {block.size}]"
                    )
                yield block.name, array
            return
        whole = _arrays.matrix(gradients, "gradients")
        size = sum(block.size for block in self.blocks)
        if whole.shape[1] != size:
            raise BadInputError(f"gradients: shape {list(whole.shape)}: expected [groups, {size}]")
        begin = 0
        for block in self.blocks:
            yield block.name, whole[:, begin : begin + block.size]
            begin += block.size

    def moved(self, *, step_norm: float, change_norm: float, gradient_norm: float, examples: int = 0) -> None:
        """A step s that was taken, for the local smoothness |g(w + s) - g(w)| / |s|.

        Args:
            step_norm, change_norm, gradient_norm: |s|, |g(w + s) - g(w)|, |g(w)|.
            examples: 0: both gradients are of the same examples; else of different mini-batches of that many, whose
                noise is taken off by the running trace; that needs a look with norms before. Raises BadInputError.
        """
        move = {
            "step_norm2": step_norm**2,
            "change_norm2": change_norm**2,
            "gradient_norm2": gradient_norm**2,
            "examples": examples,
        }
        ffi, lib = self._library.ffi, self._library.lib
        with self._lock:
            self._context.check(lib.gls_monitor_moved(self._monitor, ffi.new("gls_monitor_move *", move)))

    @property
    def figures(self) -> dict[str, float]:
        """What it knows now; NaN where not known yet: noise_scale and batch_size_bound in examples (with _low, _high),
        gradient_diversity, norm_test, norm_test_batch, clip_frequency, smoothness, looks, refused_looks."""
        record = self._library.ffi.new("gls_record *")
        self._library.lib.gls_monitor_record(self._monitor, record)
        return _records.to_dict(self._library, record)

    @contextmanager
    def _read(self) -> Iterator[Any]:
        ffi, lib = self._library.ffi, self._library.lib
        report = ffi.new("gls_monitor_report *")
        with self._lock:
            self._context.check(lib.gls_monitor_read(self._monitor, report))
            try:
                yield report
            finally:
                lib.gls_monitor_report_clear(report)

    def report(self) -> Measurements:
        """All results as `glissade.measure` gives them: of gradient_diversity, noise_scale, norm_test, tail_index,
        clip_frequency, smoothness and dragger (suspects) for which something was fed."""
        headlines: dict[str, Figure] = {}
        with self._read() as report:
            found = [_measurement(self._library, report.result[i], headlines) for i in range(report.count)]
        return Measurements({m.measure: m for m in found}, headlines)

    def results(self) -> dict[str, dict[str, Any]]:
        """The same by measure as JSON's objects, which are what a run's measures.jsonl holds; None for NaN."""
        ffi, lib = self._library.ffi, self._library.lib
        with self._read() as report:
            text = ffi.new("char **")
            self._context.check(lib.gls_measure_results_json(self._context.pointer, report.result, report.count, text))
            found: dict[str, dict[str, Any]] = json.loads(self._context.taken_text(text[0]))["measures"]
        return found

    def state_dict(self) -> dict[str, Array]:
        """Copies of its state by name."""
        with self._lock:
            return _state.save(self._context, self._arrays)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes what `state_dict` gave; BadInputError for the state of a monitor with other options."""
        with self._lock:
            _state.load(self._context, self._arrays, state)

    def _arrays(self, listed: Any) -> int:
        return int(self._library.lib.gls_monitor_arrays(self._monitor, b"", listed))


def _doubles(value: Any, name: str) -> Array | None:
    if value is None:
        return None
    array = np.ascontiguousarray(_arrays.floats(value, name), dtype=np.float64)
    if array.ndim != 1:
        raise BadInputError(f"{name}: shape {list(array.shape)}: expected [groups]")
    return array


def _squares(norms: Array) -> Array:
    """A negative norm stays one, so that it is refused."""
    squares: Array = np.where(norms < 0, norms, norms * norms)
    return squares


def _same_count(count: int | None, array: Array | None, name: str) -> int | None:
    if array is None:
        return count
    if count is not None and len(array) != count:
        raise BadInputError(f"{name}: {len(array)} values: expected one for each of {count} groups")
    return len(array)


def _integers(value: Any, count: int) -> Array | None:
    if value is None:
        return None
    array = _arrays.view(value, "indices")
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise BadInputError(f"indices: {array.dtype} {list(array.shape)}: expected integers [{count}]")
    return np.ascontiguousarray(array, dtype=np.int64)
