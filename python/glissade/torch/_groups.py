"""Groups of the examples of a mini-batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from .._errors import BadInputError


@dataclass(frozen=True)
class Sized:
    """Groups of one size: their numbers [groups], and their rows [groups * size], a slice where they are in order."""

    numbers: Tensor
    rows: slice | Tensor
    size: int

    def cut(self, t: Tensor, begin: int, end: int) -> Tensor:
        """Rows of groups begin .. end-1 of a tensor [examples, ...] as [groups, size, ...]."""
        if isinstance(self.rows, slice):
            part = t[self.rows.start + begin * self.size : self.rows.start + end * self.size]
        else:
            part = t[self.rows[begin * self.size : end * self.size]]
        return part.reshape(end - begin, self.size, *t.shape[1:])


@dataclass(frozen=True)
class Groups:
    """A partition of examples: `of` [examples] is each one's group, `sizes` [count] how many a group has."""

    of: Tensor
    count: int
    sizes: Tensor
    parts: tuple[Sized, ...]

    def __iter__(self) -> Iterator[Tensor]:
        """The rows of each group."""
        for part in self.parts:
            for i in range(len(part.numbers)):
                if isinstance(part.rows, slice):
                    begin = part.rows.start + i * part.size
                    yield torch.arange(begin, begin + part.size, device=self.of.device)
                else:
                    yield part.rows[i * part.size : (i + 1) * part.size]

    @cached_property
    def in_order(self) -> bool:
        """All groups have one size, and their examples follow each other."""
        return len(self.parts) == 1 and isinstance(self.parts[0].rows, slice)

    @cached_property
    def single(self) -> bool:
        """Every example is its own group."""
        return self.in_order and self.parts[0].size == 1

    def order(self) -> Tensor:
        """The group's number at each place of the iteration."""
        return torch.cat([part.numbers for part in self.parts])


@lru_cache(maxsize=16)  # Loops ask for the same ones at every step.
def consecutive(examples: int, size: int, device: torch.device) -> Groups:
    """Groups of `size` examples in a row; the last one may be smaller. size 0: all of them."""
    size = min(size, examples) or examples
    whole, rest = divmod(examples, size)
    numbers = torch.arange(whole, device=device)
    parts = [Sized(numbers, slice(0, whole * size), size)]
    sizes = torch.full((whole + (rest > 0),), size, device=device)
    if rest:
        parts.append(Sized(torch.tensor([whole], device=device), slice(whole * size, examples), rest))
        sizes[-1] = rest
    of = torch.arange(examples, device=device) // size
    return Groups(of, whole + (rest > 0), sizes, tuple(parts))


def by_key(keys: Tensor, examples: int, device: torch.device) -> Groups:
    """One group for each value of keys [examples]."""
    if not isinstance(keys, Tensor):
        raise BadInputError(f"keys: {type(keys).__name__}: expected a tensor of integers [{examples}]")
    if keys.shape != (examples,) or keys.is_floating_point() or keys.is_complex():
        raise BadInputError(f"keys: {keys.dtype} {list(keys.shape)}: expected integers [{examples}]")
    _, of, sizes = torch.unique(keys.to(device), return_inverse=True, return_counts=True)
    rows = torch.argsort(of, stable=True)
    begins = torch.cumsum(sizes, 0) - sizes
    parts = []
    for size in torch.unique(sizes).tolist():
        numbers = (sizes == size).nonzero().flatten()
        picked = (begins[numbers, None] + torch.arange(size, device=device)).flatten()
        parts.append(Sized(numbers, rows[picked], size))
    return Groups(of, len(sizes), sizes, tuple(parts))
