"""Layouts: named blocks of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import BadInputError
from ._library import Context


@dataclass(frozen=True, slots=True)
class Block:
    """A block of parameters; decay=False: weight decay leaves it alone (biases, scales of norms)."""

    name: str
    shape: tuple[int, ...]
    decay: bool = True

    @property
    def size(self) -> int:
        """Number of parameters; 1 for a scalar."""
        return math.prod(self.shape)


LayoutLike = int | Mapping[str, Any] | Iterable[Block | tuple[str, Any]]


def _shape(value: Any, name: str) -> tuple[int, ...]:
    value = getattr(value, "shape", value)
    if isinstance(value, int):
        return (value,)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(int(extent) for extent in value)
    raise BadInputError(f"layout: block '{name}': expected a number, a shape or an array")


def blocks_of(layout: LayoutLike) -> list[Block]:
    """The blocks of a number of parameters, of {name: shape or array}, or of a list of Block or (name, shape)."""
    if isinstance(layout, int):
        return [Block("w", (layout,))]
    if isinstance(layout, Mapping):
        return [Block(str(name), _shape(value, str(name))) for name, value in layout.items()]
    try:
        return [b if isinstance(b, Block) else Block(str(b[0]), _shape(b[1], str(b[0]))) for b in layout]
    except (TypeError, IndexError) as error:
        raise BadInputError(
            "layout: expected a number of parameters, {name: shape} or a list of (name, shape)"
        ) from error


class Layout:
    """The library's layout of these blocks; lives until close."""

    def __init__(self, context: Context, blocks: Sequence[Block]) -> None:
        ffi, lib = context.library.ffi, context.library.lib
        self._lib = lib
        out = ffi.new("gls_layout **")
        context.check(lib.gls_layout_create(context.pointer, out))
        self.pointer = out[0]
        try:
            for block in blocks:
                # The library has no more dimensions than tensors of convolutions; a rule sees the size alone.
                shape = block.shape if len(block.shape) <= lib.GLS_MAX_DIMS else (block.size,)
                flags = 0 if block.decay else lib.GLS_BLOCK_NO_DECAY
                context.check(lib.gls_layout_add(self.pointer, block.name.encode(), len(shape), list(shape), flags))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._lib.gls_layout_destroy(self.pointer)
