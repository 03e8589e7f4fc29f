"""Training data in memory: a data format of the library that reads arrays of Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _arrays, _rows
from ._arrays import Array
from ._errors import BadInputError
from ._library import Context, Library
from ._rows import Sparse

FORMAT = "arrays"
_TRAIN, _TEST = "training rows", "test rows"


class Data:
    """Rows in memory, to be trained on.

    Args:
        x: [rows, ...] features: an array, a pandas or polars frame, an Arrow table, a SciPy sparse matrix, or a torch
            dataset, whose items bring the targets. Read where it lies if it is in C order and of the run's type.
        y: [rows] classes (integers, texts), or [rows] or [rows, targets] values (floats).
        weight: [rows] what the rows count for, above 0; None: all 1.
        classes: all classes in order, where y does not have all of them; numbers may be classes only so or by being
            integers. None: the values of y, sorted.
        test: (x, y) of a test set, or None.

    Raises:
        BadInputError: what does not fit together.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        weight: Any = None,
        classes: Sequence[Any] | Array | None = None,
        test: tuple[Any, Any] | None = None,
    ) -> None:
        self.x, targets = _rows.table_and_targets(x, y)
        if targets is None:
            raise BadInputError("targets: expected y, or a dataset whose items have it")
        by_class = classes is not None or targets.dtype.kind != "f"
        self.classes: Array | None = None
        if by_class:
            self.classes = np.unique(targets) if classes is None else np.asarray(classes)
        self.y = self._targets(targets, self.x)
        self.weight = None if weight is None else _weights(weight, self.x.shape[0])
        self.test: Data | None = None
        if test is not None:
            self.test = Data(*test, classes=self.classes)

    def _targets(self, y: Array, x: Array | Sparse) -> Array:
        rows = x.shape[0]
        if y.shape[:1] != (rows,) or y.ndim > (1 if self.classes is not None else 2) or not y.size:
            raise BadInputError(f"targets: shape {list(y.shape)}: expected one for each of the {rows} rows")
        if self.classes is None:
            return y.reshape(rows, -1)
        order = np.argsort(self.classes, kind="stable")
        found = order[np.searchsorted(self.classes, y, sorter=order).clip(max=len(order) - 1)]
        odd = self.classes[found] != y
        if odd.any():
            raise BadInputError(f"targets: {y[odd][0]} is none of the classes")
        labels: Array = found.astype(np.int32)
        return labels

    def section(self) -> dict[str, str]:
        """The configuration's section `data`."""
        return {"format": FORMAT, "train": _TRAIN, **({"test": _TEST} if self.test is not None else {})}


def _weights(weight: Any, rows: int) -> Array:
    array = _arrays.view(weight, "weight")
    if array.shape != (rows,) or array.dtype.kind not in "iubf":
        raise BadInputError(f"weight: {array.dtype} {list(array.shape)}: expected numbers [{rows}]")
    return np.ascontiguousarray(array, dtype=np.float64)


class _Opened:
    """What a source of the library borrows, for as long as the run lives."""

    def __init__(self, library: Library, data: Data) -> None:
        ffi, lib = library.ffi, library.lib
        self.library, self.data, self.keep = library, data, [data]
        info = self.info = ffi.new("gls_data_info *")
        info.examples, info.features = data.x.shape[0], int(np.prod(data.x.shape[1:]))
        if not isinstance(data.x, Sparse) and 1 < len(data.x.shape) - 1 <= lib.GLS_MAX_DIMS:
            info.dims = len(data.x.shape) - 1
            for i, extent in enumerate(data.x.shape[1:]):
                info.shape[i] = extent
        self.label = self.y = ffi.NULL
        if data.classes is None:
            info.target, info.targets = lib.GLS_TARGET_REAL, data.y.shape[1]
            self.y = self._reals(data.y, "targets")
            return
        info.target, info.classes = lib.GLS_TARGET_CLASS, len(data.classes)
        names = [ffi.new("char[]", str(name).encode()) for name in data.classes]
        info.class_names = self._kept(ffi.new("char *[]", names))
        self.keep += names
        self.label = ffi.cast("int32_t *", self._kept(data.y).ctypes.data)

    def _kept(self, value: Any) -> Any:
        self.keep.append(value)
        return value

    def _reals(self, array: Array, name: str) -> Any:
        return _arrays.reals(self.library, self._kept(_arrays.read(self.library, array, name)))

    def open(self, context: Any, out: Any) -> int:
        lib, ffi, x = self.library.lib, self.library.ffi, self.data.x
        if isinstance(x, Sparse):
            self.info.sparse = True
            row, column = self._kept(np.ascontiguousarray(x.row)), self._kept(np.ascontiguousarray(x.column))
            row, column = ffi.cast("int64_t *", row.ctypes.data), ffi.cast("int32_t *", column.ctypes.data)
            value = self._reals(x.value, "data")
            status = lib.gls_source_from_sparse(context, row, column, value, self.label, self.y, self.info, out)
        else:
            status = lib.gls_source_from_dense(context, self._reals(x, "data"), self.label, self.y, self.info, out)
        if status == lib.GLS_OK and self.data.weight is not None:
            mass = ffi.cast("double *", self._kept(self.data.weight).ctypes.data)
            status = lib.gls_source_weigh(context, out[0], mass, out)
        return int(status)


class Lender:
    """Lends data to the contexts of a run: `arrays` is a data format there, until close."""

    _lenders: dict[int, Lender] = {}  # noqa: RUF012 - by the address of the context

    def __init__(self, context: Context, data: Data) -> None:
        library = self.library = context.library
        ffi, lib = library.ffi, library.lib
        self.data, self._key = data, int(ffi.cast("uintptr_t", context.pointer))
        self._opened: list[_Opened] = []
        self.error: BaseException | None = None
        self._words = [ffi.new("char[]", word) for word in (FORMAT.encode(), b"arrays of the calling program", b"")]
        self._format = ffi.new("gls_format *")
        self._format.member.name, self._format.member.help, self._format.member.source = self._words
        self._format.open = lib.glissade_open
        _connect(library)
        Lender._lenders[self._key] = self
        context.check(lib.gls_register_format(context.pointer, self._format))

    def open(self, context: Any, path: Any, out: Any) -> int:
        test = self.library.text(path).endswith(_TEST)
        data = self.data.test if test else self.data
        assert data is not None
        self._opened.append(_Opened(self.library, data))
        return self._opened[-1].open(context, out)

    @staticmethod
    def of(address: int) -> Lender:
        return Lender._lenders[address]

    def close(self) -> None:
        Lender._lenders.pop(self._key, None)


def _connect(library: Library) -> None:
    ffi, lib = library.ffi, library.lib
    if getattr(library, "lends", False):
        return

    def fail(kind: Any, error: BaseException, trace: Any) -> None:
        Lender.of(int(ffi.cast("uintptr_t", trace.tb_frame.f_locals["context"]))).error = error

    def glissade_open(context: Any, path: Any, options: Any, part: int, like: Any, out: Any) -> int:
        return Lender.of(int(ffi.cast("uintptr_t", context))).open(context, path, out)

    ffi.def_extern(onerror=fail, error=lib.GLS_ERR_CALLBACK)(glissade_open)
    library.lends = True  # type: ignore[attr-defined]
