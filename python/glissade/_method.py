"""Step rules: weights and a gradient in, weights moved in place."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _records, _state
from ._arrays import Array
from ._errors import BadInputError, UnsupportedError
from ._layout import Block, Layout, LayoutLike, blocks_of
from ._library import Context, Library
from ._values import Value

Pieces = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did (gls_step_report).

    Attributes:
        moved: the weights were changed.
        refused: the gradient was not finite; nothing was changed.
        lr: learning rate of this step.
        gradient_norm: Euclidean norm of the gradient as handed in.
        factor: what a clipped or normalised method multiplied its direction by; 1 where none.
        clipped: share of coordinates that were clipped (cclip, acclip).
        update_norm: Euclidean norm of the change of the weights.
        nonfinite: coordinates of a refused gradient that are not finite.
        zero_gradients: steps so far with a zero gradient where the method divides by its norm.
    """

    moved: bool
    refused: bool
    lr: float
    gradient_norm: float
    factor: float
    clipped: float
    update_norm: float
    nonfinite: int
    zero_gradients: int


@dataclass(frozen=True, slots=True)
class Query:
    """What a method asks next: `kind` "gradient", "value" or "oracle", at the point `at` [d].

    direction [d] or None: of an oracle, for a generalised gradient g with <g, direction> = f'(at; direction).
    same_batch: on the mini-batch of the previous answer.
    """

    kind: str
    at: Array
    direction: Array | None
    same_batch: bool


Answer = float | tuple[float, Any]
_REPORT = tuple(field.name for field in fields(StepReport))


class Method:
    """A step rule with its state. Made by `glissade.method`; calls of several threads wait for each other."""

    def __init__(
        self,
        name: str,
        layout: LayoutLike,
        *,
        dtype: npt.DTypeLike = np.float32,
        threads: int = 0,
        seed: int = 0,
        total_steps: float = 0,
        steps_per_epoch: float = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.blocks: list[Block] = blocks_of(layout)
        self._lock = threading.Lock()
        self._context = Context(dtype, threads=threads, seed=seed)
        self._library = self._context.library
        self._layout = Layout(self._context, self.blocks)
        ffi, lib = self._library.ffi, self._library.lib
        out = ffi.new("gls_method **")
        with Value(self._context, {"name": name, **(options or {})}) as spec:
            wanted = {
                "size": ffi.sizeof("gls_method_options"),
                "layout": self._layout.pointer,
                "spec": spec,
                "steps_per_epoch": steps_per_epoch,
                "total_steps": total_steps,
                "seed": seed,
            }
            status = lib.gls_method_create(self._context.pointer, ffi.new("gls_method_options *", wanted), out)
        self._method = out[0]
        self._context.check(status)
        self._report = ffi.new("gls_step_report *")

    def __del__(self) -> None:
        if getattr(self, "_method", None):
            self._library.lib.gls_method_destroy(self._method)
        if hasattr(self, "_layout"):
            self._layout.close()
        if hasattr(self, "_context"):
            self._context.close()

    @property
    def name(self) -> str:
        return self._library.text(self._library.lib.gls_method_name(self._method))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in which it computes: float32 or float64."""
        return self._library.dtype

    @property
    def size(self) -> int:
        """Number d of parameters."""
        return sum(block.size for block in self.blocks)

    @property
    def steps(self) -> int:
        """Steps so far, refused ones left out."""
        return int(self._library.lib.gls_method_steps(self._method))

    @property
    def state_bytes(self) -> int:
        """Memory of its state vectors: less where the option `state` is "bf16" or "q8"."""
        return int(self._library.lib.gls_method_state_bytes(self._method))

    @property
    def plain(self) -> bool:
        """It asks for the gradient at the weights, once a step: `step(w, g)` is its whole interface."""
        return bool(self._library.lib.gls_method_plain(self._method))

    def __str__(self) -> str:
        """Its options with their schedules, groups and state vectors, for people."""
        return self._context.taken_text(self._library.lib.gls_method_view(self._method)).rstrip("\n")

    def __repr__(self) -> str:
        return f"<glissade.Method {self.name}, {self.size} parameters, {self.dtype}>"

    def set(self, key: str, value: Any, *, group: int | None = None) -> None:
        """Sets an option: a number, a text ("[0.9, 0.99]", "{name: poly, from: 0.1}"), or an array [d] of one value a
        coordinate (cclip: "tau").

        group: number of a group of `groups`, for a number; None: the parameters that no group matches.
        After the first step only schedulable options may be set. Raises BadInputError.
        """
        lib = self._library.lib
        with self._lock:
            if group is not None:
                status = lib.gls_method_set_group(self._method, group, key.encode(), float(value))
            elif isinstance(value, str):
                status = lib.gls_method_set_text(self._method, key.encode(), value.encode())
            elif isinstance(value, (int, float)):
                status = lib.gls_method_set(self._method, key.encode(), float(value))
            else:
                vector = self._flat(value, key)
                status = lib.gls_method_set_vector(self._method, key.encode(), _arrays.reals(self._library, vector))
            self._context.check(status)

    def step(self, w: Any, g: Any) -> StepReport:
        """Moves w by the gradient g, in place.

        w: weights [d] of the method's dtype, in C order: NumPy, or anything with the buffer protocol or DLPack. In
            pieces: a list with an array for each block of the layout, or {name: array}; nothing is copied.
        g: the gradient there, [d] or in the same pieces. Of another type or with gaps it is copied.
        Arrays of one dimension are in the order of the layout; others must have the block's shape, or, where the
        layout has one block of one dimension, w and g the same.
        A gradient that is not finite is refused: the weights and the state stay, and the report says so.
        Raises BadInputError for other shapes and types, UnsupportedError for methods that ask for more than a
        gradient at w (`step_by`).
        """
        if not self.plain:
            raise UnsupportedError(f"method {self.name} asks for gradients elsewhere than at w: use step_by")
        if isinstance(w, (Mapping, list, tuple)):
            return self._step_pieces(w, g)
        weights = self._weights(w)
        gradient = self._flat(g, "g")
        if weights.ndim > 1 and gradient.ndim > 1 and weights.shape != gradient.shape:
            raise BadInputError(f"g: shape {list(gradient.shape)}: expected that of w, {list(weights.shape)}")
        with self._lock:
            status = self._library.lib.gls_method_step(
                self._method,
                _arrays.reals(self._library, weights),
                _arrays.reals(self._library, gradient),
                self._report,
            )
            self._context.check(status)
            return self._told()

    def _step_pieces(self, w: Pieces, g: Pieces) -> StepReport:
        weights = self._pieces(w, "w", _arrays.write)
        gradients = self._pieces(g, "g", _arrays.read)
        ffi, lib = self._library.ffi, self._library.lib
        moved = ffi.new("gls_real *[]", [_arrays.reals(self._library, array) for array in weights])
        along = ffi.new("gls_real *[]", [_arrays.reals(self._library, array) for array in gradients])
        with self._lock:
            self._context.check(lib.gls_method_step_blocks(self._method, moved, along, math.nan, self._report))
            return self._told()

    def step_at(self, w: Array, g: Array, norm2: float = math.nan) -> StepReport:
        """For callers that have the addresses of all blocks: w and g [blocks] of dtype uint64. Nothing is checked.

        norm2: |g|^2 where it is known, which saves reading g.
        """
        ffi, lib = self._library.ffi, self._library.lib
        moved, along = (ffi.cast("gls_real **", a.ctypes.data) for a in (w, g))
        with self._lock:
            self._context.check(lib.gls_method_step_blocks(self._method, moved, along, norm2, self._report))
            return self._told()

    def state_views(self) -> dict[str, Array]:
        """The arrays of `state_dict` where they lie: they live as long as the views, and the method with them."""
        with self._lock:
            return _state.views(self._context, self._arrays, self)

    def step_by(self, w: Any, answer: Callable[[Query], Answer]) -> StepReport | None:
        """One step of any method: asks `answer` what the method wants to know and moves w [d] in place.

        answer(query) gives the value for "value", else (value, gradient [d]). None: the method has ended.
        """
        weights = self._weights(w)
        ffi, lib = self._library.ffi, self._library.lib
        with self._lock:
            asked = ffi.new("gls_query *")
            pointer = _arrays.reals(self._library, weights)
            self._context.check(lib.gls_method_query(self._method, pointer, asked))
            if asked.kind == lib.GLS_QUERY_DONE:
                return None
            value, gradient = self._ask(asked, answer)
            g = ffi.NULL if gradient is None else _arrays.reals(self._library, gradient)
            given = {"value": value, "g": g, "norm2": float("nan"), "epoch": float("nan")}
            told = ffi.new("gls_answer *", given)
            self._context.check(lib.gls_method_tell(self._method, told, pointer, self._report))
            return self._told()

    def decay(self, w: Any) -> float:
        """Half of weight_decay times |w|^2 over the blocks that are decayed: what the loss has more with it."""
        weights = self._flat(w, "w")
        return float(self._library.lib.gls_method_decay(self._method, _arrays.reals(self._library, weights)))

    def figures(self) -> dict[str, float]:
        """Further figures of the last step by name, as the method has them."""
        record = self._library.ffi.new("gls_record *")
        self._library.lib.gls_method_record(self._method, record)
        return _records.to_dict(self._library, record)

    def validated(self, better: bool) -> None:
        """Tells a schedule that watches validations of one; better: its loss is the lowest so far."""
        self._library.lib.gls_method_validated(self._method, better)

    def state_dict(self) -> dict[str, Array]:
        """All its state as named arrays; with it a resumed method goes on bit for bit. Options are not in it. Vectors
        in bf16 are uint16, the bit patterns; those in 8 bits are uint8 codes, with scales beside them."""
        with self._lock:
            return _state.save(self._context, self._arrays)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes what `state_dict` gave; BadInputError for the state of another method or layout."""
        with self._lock:
            _state.load(self._context, self._arrays, state)

    def _arrays(self, listed: Any) -> int:
        return int(self._library.lib.gls_method_arrays(self._method, b"", listed))

    def _told(self) -> StepReport:
        return StepReport(*(getattr(self._report, name) for name in _REPORT))

    def _pieces(self, value: Pieces, name: str, take: Callable[[Library, object, str], Array]) -> list[Array]:
        if isinstance(value, Mapping):
            if set(value) != {block.name for block in self.blocks}:
                raise BadInputError(f"{name}: blocks {sorted(value)}: expected {[b.name for b in self.blocks]}")
            value = [value[block.name] for block in self.blocks]
        if not isinstance(value, (list, tuple)) or len(value) != len(self.blocks):
            raise BadInputError(f"{name}: expected an array for each of the {len(self.blocks)} blocks")
        arrays = []
        for block, piece in zip(self.blocks, value, strict=True):
            array = take(self._library, piece, f"{name} of '{block.name}'")
            if not _fits(array, block):
                raise BadInputError(
                    f"{name} of '{block.name}': shape {list(array.shape)}: expected {list(block.shape)}"
                )
            arrays.append(array)
        return arrays

    def _weights(self, w: Any) -> Array:
        array = _arrays.write(self._library, w, "w")
        return self._sized(array, "w")

    def _flat(self, value: Any, name: str) -> Array:
        return self._sized(_arrays.read(self._library, value, name), name)

    def _sized(self, array: Array, name: str) -> Array:
        if array.size != self.size:
            raise BadInputError(f"{name}: shape {list(array.shape)}: expected {self.size} parameters")
        only = self.blocks[0] if len(self.blocks) == 1 else None
        if only is not None and len(only.shape) > 1 and not _fits(array, only):
            raise BadInputError(f"{name}: shape {list(array.shape)}: expected {list(only.shape)}")
        return array

    def _vector(self, pointer: Any) -> Array | None:
        if pointer == self._library.ffi.NULL:
            return None
        size = self.size * self.dtype.itemsize
        array = np.frombuffer(self._library.ffi.buffer(pointer, size), dtype=self.dtype)
        array.flags.writeable = False
        return array

    def _ask(self, asked: Any, answer: Callable[[Query], Answer]) -> tuple[float, Array | None]:
        lib = self._library.lib
        names = {lib.GLS_QUERY_GRADIENT: "gradient", lib.GLS_QUERY_VALUE: "value", lib.GLS_QUERY_ORACLE: "oracle"}
        at = self._vector(asked.at)
        assert at is not None
        kind = names[asked.kind]
        given = answer(Query(kind, at, self._vector(asked.direction), asked.same_batch))
        if kind == "value":
            return float(given), None  # type: ignore[arg-type]
        if not isinstance(given, tuple) or len(given) != 2:
            raise BadInputError(f"the answer to a query of kind '{kind}': expected (value, gradient)")
        return float(given[0]), self._flat(given[1], "gradient")


def _fits(array: Array, block: Block) -> bool:
    """It has the block's shape, or is its numbers in a row."""
    return array.shape == block.shape or array.shape == (block.size,)


def method(
    name: str,
    layout: LayoutLike,
    *,
    dtype: npt.DTypeLike = np.float32,
    threads: int = 0,
    seed: int = 0,
    total_steps: float = 0,
    steps_per_epoch: float = 0,
    **options: Any,
) -> Method:
    """A step rule by name, for a loop of your own.

    Args:
        name: "sngm", "acclip", "adamw", ...; `glissade.list("methods")` has all with their options and sources.
        layout: the number d of parameters, {name: shape or array}, or a list of `Block` or (name, shape).
        dtype: float32 or float64, of the weights and of the arithmetic.
        threads: 0: all processors that this process may use.
        seed: for methods that draw.
        total_steps, steps_per_epoch: what schedules end at, and turn lengths in epochs into steps with; 0: unknown.
        options: as in the `method` section of a configuration: lr=0.1, weight_decay=1e-4, lr={"name": "poly",
            "from": 0.1}, groups=[{"match": "*.bias", "lr": 0.01}], state="bf16".

    Raises:
        BadInputError: unknown names and options, values out of bounds; the nearest known name is said.

    >>> import numpy as np
    >>> w = np.array([1, -2], dtype=np.float32)
    >>> glissade.method("sgd", 2, lr=0.5).step(w, np.array([1, 1], dtype=np.float32)).lr
    0.5
    >>> w
    array([ 0.5, -2.5], dtype=float32)
    """
    return Method(
        name,
        layout,
        dtype=dtype,
        threads=threads,
        seed=seed,
        total_steps=total_steps,
        steps_per_epoch=steps_per_epoch,
        options=options,
    )
