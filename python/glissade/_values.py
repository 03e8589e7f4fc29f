"""Options as Python has them, to the library's trees of values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import BadInputError, OutOfMemoryError
from ._library import Context

Tree = Any  # None, bool, int, float, str, or a list or map of such


def _scalar(value: object, path: str) -> str:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value
    raise BadInputError(f"{path or 'value'}: expected a number, a text, a list or a map, found {type(value).__name__}")


class Value:
    """A tree of values that lives as long as this object and its context."""

    def __init__(self, context: Context, tree: Tree) -> None:
        self.context = context
        self.pointer = self._make(tree, None, "")

    def _make(self, tree: Tree, key: str | None, path: str) -> Any:
        ffi, lib = self.context.library.ffi, self.context.library.lib
        name = ffi.NULL if key is None else key.encode()
        if isinstance(tree, Mapping):
            items: list[tuple[str | None, Tree]] = [(str(k), v) for k, v in tree.items()]
            pointer = lib.gls_value_create(self.context.pointer, lib.GLS_VALUE_MAP, name, ffi.NULL)
        elif isinstance(tree, Sequence) and not isinstance(tree, str):
            items = [(None, v) for v in tree]
            pointer = lib.gls_value_create(self.context.pointer, lib.GLS_VALUE_LIST, name, ffi.NULL)
        elif tree is None:
            items = []
            pointer = lib.gls_value_create(self.context.pointer, lib.GLS_VALUE_NULL, name, ffi.NULL)
        else:
            items = []
            text = _scalar(tree, path).encode()
            pointer = lib.gls_value_create(self.context.pointer, lib.GLS_VALUE_TEXT, name, text)
        if pointer == ffi.NULL:
            raise OutOfMemoryError(self.context.message())
        try:
            for i, (item_key, item) in enumerate(items):
                inner = f"{path}.{item_key}" if item_key is not None else f"{path}[{i}]"
                child = self._make(item, item_key, inner.lstrip("."))
                self.context.check(lib.gls_value_append(self.context.pointer, pointer, child))
        except BaseException:
            lib.gls_value_destroy(self.context.pointer, pointer)
            raise
        return pointer

    def __enter__(self) -> Any:
        return self.pointer

    def __exit__(self, *_: object) -> None:
        self.context.library.lib.gls_value_destroy(self.context.pointer, self.pointer)


def _typed(text: str) -> Tree:
    if text in ("true", "false"):
        return text == "true"
    if text in ("null", "~", ""):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def to_python(context: Context, value: Any) -> Tree:
    """A tree of the library as dicts, lists, numbers and texts."""
    lib, library = context.library.lib, context.library
    if value == library.ffi.NULL or value.kind == lib.GLS_VALUE_NULL:
        return None
    if value.kind == lib.GLS_VALUE_TEXT:
        return library.text(value.text) if value.quoted else _typed(library.text(value.text))
    items = [value.items[i] for i in range(value.count)]
    if value.kind == lib.GLS_VALUE_LIST:
        return [to_python(context, item) for item in items]
    return {library.text(item.key): to_python(context, item) for item in items}
