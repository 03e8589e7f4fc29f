"""What gradients of parameters are made of, by example, without one gradient an example in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ._groups import Groups, Sized

# Numbers that an intermediate result may have; more are made in several parts. Ours.
ROOM = 1 << 20
# Rows of a half below which products of rows with rows are made whole, and the share of them that is made above. Ours.
LEAST, GRAM = 64, 0.75


class Factor(Protocol):
    """What the gradient of a parameter is made of; examples along the first dimension."""

    def norm2(self, groups: Groups) -> Tensor:
        """[groups] squared norm of the sum of gradients over each group."""

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        """The same, and a factor that gives weighted sums as this one does, for weights that are equal within a group:
        the gradients of the groups, where these take no more memory than what they are made of. Then no product is made
        twice."""

    def of(self, rows: Tensor) -> Factor:
        """The factor of these examples alone."""

    def weighted(self, weights: Tensor) -> Tensor:
        """The sum of all gradients, each times its weight [examples], shaped as the parameter."""


def total(factor: Factor, rows: Tensor) -> Tensor:
    """The sum of the gradients of these rows, shaped as the parameter."""
    part = factor.of(rows)
    return part.weighted(torch.ones(len(rows), device=rows.device))


def _squares(each: Tensor) -> Tensor:
    """[groups] squared norms of [groups, ...]."""
    norms: Tensor = torch.linalg.vector_norm(each.flatten(1), dim=1)
    return norms.square()


def slices(examples: int, numbers: int) -> Iterator[slice]:
    """Parts of the examples, each with at most ROOM of so many numbers of all of them."""
    step = max(1, ROOM * examples // max(1, numbers))
    return (slice(begin, begin + step) for begin in range(0, examples, step))


def _times(t: Tensor, weights: Tensor) -> Tensor:
    """[examples, ...], each times its weight."""
    return t * weights.to(t.dtype).reshape((-1,) + (1,) * (t.dim() - 1))


def _in_parts(groups: Groups, size: Callable[[Sized], int], make: Callable[[Sized, int, int], Tensor]) -> Tensor:
    """[groups, ...] of what `make` gives for the groups begin .. end-1 of a part, with at most ROOM numbers at a time.

    size: how many numbers `make` has in memory for one group of a part.
    """
    found, numbers = [], []
    for part in groups.parts:
        step = max(1, ROOM // max(1, size(part)))
        for begin in range(0, len(part.numbers), step):
            end = min(begin + step, len(part.numbers))
            found.append(make(part, begin, end))
            numbers.append(part.numbers[begin:end])
    if len(found) == 1 and groups.in_order:
        return found[0]
    out = found[0].new_empty(groups.count, *found[0].shape[1:])
    for rows, values in zip(numbers, found, strict=True):
        out[rows] = values
    return out


@dataclass
class Grouped:
    """Gradients of groups, each [groups, ...]; of_group [examples]: the group of each example; size: of all groups,
    where their examples follow each other, else 0."""

    each: Tensor
    of_group: Tensor
    size: int = 0

    def norm2(self, groups: Groups) -> Tensor:
        return _squares(self.each)

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        return self.norm2(groups), self

    def of(self, rows: Tensor) -> Factor:
        return Grouped(self.each, self.of_group[rows])

    def weighted(self, weights: Tensor) -> Tensor:
        each = self.each
        if self.size:
            by_group = weights[:: self.size]
        else:
            by_group = weights.new_zeros(len(each))
            by_group[self.of_group] = weights
        used = by_group != 0
        if not bool(used.all()):  # The others may hold a NaN, which no weight of 0 takes away.
            each, by_group = each[used], by_group[used]
        return (by_group.to(each.dtype) @ each.flatten(1)).reshape(each.shape[1:])


def _grouped(each: Tensor, groups: Groups) -> Grouped:
    return Grouped(each, groups.of, groups.parts[0].size if groups.in_order else 0)


@dataclass
class Explicit:
    """Small gradients, written out [examples, ...]; squares: gives their squared norms [examples] where another factor
    needs them too."""

    each: Tensor
    squares: Callable[[], Tensor] | None = None

    def _sums(self, groups: Groups) -> Tensor:
        if groups.single:
            return self.each
        if groups.in_order:
            return self.each.reshape(groups.count, -1, *self.each.shape[1:]).sum(1)
        return self.each.new_zeros(groups.count, *self.each.shape[1:]).index_add_(0, groups.of, self.each)

    def norm2(self, groups: Groups) -> Tensor:
        return _squares(self._sums(groups))

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        if groups.single:
            return self.squares() if self.squares is not None else _squares(self.each), self
        sums = self._sums(groups)
        return _squares(sums), _grouped(sums, groups)

    def of(self, rows: Tensor) -> Factor:
        return Explicit(self.each[rows])

    def weighted(self, weights: Tensor) -> Tensor:
        return (weights.to(self.each.dtype) @ self.each.flatten(1)).reshape(self.each.shape[1:])


def _gram_norm2(left: Tensor, right: Tensor) -> Tensor:
    """[groups] |left^T right|^2 of [groups, n, p] and [groups, n, q], by products of rows with rows; those of the first
    half with the second count twice, so that a good half of all products is enough."""
    if left.shape[1] == 1:
        return _squares(left) * _squares(right)
    half = left.shape[1] // 2
    if half < LEAST:
        return (left @ left.mT).mul_(right @ right.mT).sum((1, 2))
    (a, b), (x, y) = (t.tensor_split([half], 1) for t in (left, right))
    return _gram_norm2(a, x) + _gram_norm2(b, y) + 2 * (a @ b.mT).mul_(x @ y.mT).sum((1, 2))


def _gram_is_cheaper(n: int, p: int, q: int) -> bool:
    """Products of rows with rows, of which GRAM are made, beside writing out [p, q]."""
    return GRAM * n * (p + q) <= p * q


@dataclass
class Products:
    """Sums of outer products: left [examples, n, p] of the output's gradient, right [examples, n, q] of the input.

    transposed: the parameter is [q, p].
    """

    left: Tensor
    right: Tensor
    transposed: bool = False

    @cached_property
    def left_squares(self) -> Tensor:
        """[examples] squared norms of left."""
        return _squares(self.left)

    def _each(self, part: Sized, begin: int, end: int) -> Tensor:
        left, right = (part.cut(t, begin, end).flatten(1, 2) for t in (self.left, self.right))
        return left.mT @ right

    def _norm2(self, part: Sized, begin: int, end: int) -> Tensor:
        left, right = (part.cut(t, begin, end).flatten(1, 2) for t in (self.left, self.right))
        n, p, q = left.shape[1], left.shape[2], right.shape[2]
        return _gram_norm2(left, right) if _gram_is_cheaper(n, p, q) else _squares(left.mT @ right)

    def norm2(self, groups: Groups) -> Tensor:
        n, values = self.left.shape[1], self.left.shape[2] * self.right.shape[2]
        if n == 1 and groups.single:
            return self.left_squares * _squares(self.right)
        return _in_parts(groups, lambda part: min((part.size * n) ** 2, values), self._norm2)

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        values = self.left.shape[2] * self.right.shape[2]
        if groups.count * values > self.left.numel() + self.right.numel():
            return self.norm2(groups), self
        each = _in_parts(groups, lambda part: values, self._each)
        return _squares(each), _grouped(each.mT if self.transposed else each, groups)

    def of(self, rows: Tensor) -> Factor:
        return Products(self.left[rows], self.right[rows], self.transposed)

    def weighted(self, weights: Tensor) -> Tensor:
        small, large = (self.left, self.right) if self.left.numel() <= self.right.numel() else (self.right, self.left)
        found: Tensor | None = None
        for rows in slices(small.shape[0], small.numel()):
            a, b, some = small, large, weights
            if rows.stop < small.shape[0] or rows.start > 0:
                a, b, some = small[rows], large[rows], weights[rows]
            a, b = _times(a, some).flatten(0, 1), b.flatten(0, 1)
            a, b = (a.mT, b) if small is self.left else (b.mT, a)
            found = a @ b if found is None else found.addmm_(a, b)
        assert found is not None
        return found.mT if self.transposed else found


@dataclass
class Tokens:
    """Rows of a table: token [examples, n], gradient [examples, n, width]; those of `padding` count nothing."""

    token: Tensor
    gradient: Tensor
    entries: int
    padding: int | None

    def kept(self) -> Tensor:
        """The gradient, zero at padding."""
        if self.padding is None:
            return self.gradient
        return self.gradient * (self.token != self.padding)[..., None].to(self.gradient.dtype)

    def norm2(self, groups: Groups) -> Tensor:
        place = groups.of[:, None] * self.entries + self.token
        used, at = torch.unique(place, return_inverse=True)
        sums = self.gradient.new_zeros(len(used), self.gradient.shape[-1])
        sums.index_add_(0, at.flatten(), self.kept().flatten(0, 1))
        out = self.gradient.new_zeros(groups.count)
        return out.index_add_(0, torch.div(used, self.entries, rounding_mode="floor"), sums.square().sum(1))

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        return self.norm2(groups), self

    def of(self, rows: Tensor) -> Factor:
        return Tokens(self.token[rows], self.gradient[rows], self.entries, self.padding)

    def weighted(self, weights: Tensor) -> Tensor:
        table = self.gradient.new_zeros(self.entries, self.gradient.shape[-1])
        gradient = self.kept() * weights.to(self.gradient.dtype)[:, None, None]
        return table.index_add_(0, self.token.flatten(), gradient.flatten(0, 1))


@dataclass
class Convolution:
    """The kernel of a convolution: input [examples, channels, ...], gradient of the output, padding by dimension."""

    module: Any
    input: Tensor
    gradient: Tensor
    padding: tuple[int, ...]

    @property
    def _values(self) -> int:
        """Numbers of the kernel."""
        return int(self.module.weight.numel())

    @property
    def _places(self) -> int:
        return self.gradient[0, 0].numel()

    def _explicit_is_cheaper(self, size: int) -> bool:
        """Writing out the kernel's gradient of a group, beside products of its places with each other."""
        n, m = size * self._places, self.module
        return not _gram_is_cheaper(n, int(m.out_channels // m.groups), int(m.weight[0].numel()))

    def _patches(self, x: Tensor) -> Tensor:
        """[examples, groups of channels, places, values of a patch]"""
        m = self.module
        kernel, dilation, padding, stride = m.kernel_size, m.dilation, self.padding, m.stride
        if x.dim() == 3:
            x = x[:, :, None]
            kernel, dilation, stride = ((1, s[0]) for s in (kernel, dilation, stride))
            padding = (0, padding[0])
        patches = functional.unfold(x, kernel, dilation, padding, stride)
        return patches.reshape(len(x), m.groups, -1, patches.shape[-1]).mT

    def _gram(self, part: Sized, begin: int, end: int) -> Tensor:
        x, g = (part.cut(t, begin, end).flatten(0, 1) for t in (self.input, self.gradient.flatten(2)))
        g = g.reshape(len(g), self.module.groups, -1, g.shape[-1]).mT
        left, right = (_by_channels(t, end - begin, part.size) for t in (g, self._patches(x)))
        return _gram_norm2(left, right).reshape(end - begin, -1).sum(1)

    def _each(self, part: Sized, begin: int, end: int) -> Tensor:
        """[end - begin, ...] kernels' gradients of groups: of one convolution that has a group of channels for each."""
        x, g = (_side_by_side(part.cut(t, begin, end)) for t in (self.input, self.gradient))
        return self._kernels(x, g, end - begin).reshape(end - begin, *self.module.weight.shape)

    def _kernels(self, x: Tensor, gradient: Tensor, count: int) -> Tensor:
        m = self.module
        weight = x.new_empty(count * m.weight.shape[0], *m.weight.shape[1:])
        zeros, wanted = [0] * len(m.kernel_size), (False, True, False)
        _, found, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, m.stride, self.padding, m.dilation, False, zeros, count * m.groups, wanted
        )
        kernels: Tensor = found
        return kernels

    def _norm2(self, part: Sized, begin: int, end: int) -> Tensor:
        if self._explicit_is_cheaper(part.size):
            return _squares(self._each(part, begin, end))
        return self._gram(part, begin, end)

    def _room(self, part: Sized) -> int:
        if self._explicit_is_cheaper(part.size):
            return self._values
        n = part.size * self._places
        return n * (n + int(self.module.weight[0].numel()))

    def norm2(self, groups: Groups) -> Tensor:
        return _in_parts(groups, self._room, self._norm2)

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        if groups.count * self._values > self.input.numel() + self.gradient.numel():
            return self.norm2(groups), self
        each = _in_parts(groups, lambda part: self._values, self._each)
        return _squares(each), _grouped(each, groups)

    def of(self, rows: Tensor) -> Factor:
        return Convolution(self.module, self.input[rows], self.gradient[rows], self.padding)

    def weighted(self, weights: Tensor) -> Tensor:
        """In parts that have more numbers than the kernel, of which each makes one."""
        x, g = self.input, self.gradient
        found: Tensor | None = None
        for rows in slices(len(x), max(1, (x.numel() + g.numel()) * ROOM // max(ROOM, self._values))):
            part, other = x[rows], g[rows]
            if part.numel() < other.numel():
                part = _times(part, weights[rows])
            else:
                other = _times(other, weights[rows])
            kernel = self._kernels(part, other, 1)
            found = kernel if found is None else found.add_(kernel)
        assert found is not None
        return found


def _by_channels(t: Tensor, count: int, size: int) -> Tensor:
    """[count * size, channels, n, p] as [count * channels, size * n, p]"""
    if size == 1:
        return t.flatten(0, 1)
    return t.reshape(count, size, *t.shape[1:]).transpose(1, 2).reshape(count * t.shape[1], -1, t.shape[3])


def _side_by_side(t: Tensor) -> Tensor:
    """[count, size, channels, ...] as [size, count * channels, ...]"""
    return t.transpose(0, 1).flatten(1, 2)


@dataclass
class Stacked:
    """Of a parameter whose rows belong to several factors, one below the other."""

    parts: Sequence[Factor]

    def norm2(self, groups: Groups) -> Tensor:
        return torch.stack([part.norm2(groups) for part in self.parts]).sum(0)

    def measured(self, groups: Groups) -> tuple[Tensor, Factor]:
        found = [part.measured(groups) for part in self.parts]
        return torch.stack([norm2 for norm2, _ in found]).sum(0), Stacked([part for _, part in found])

    def of(self, rows: Tensor) -> Factor:
        return Stacked([part.of(rows) for part in self.parts])

    def weighted(self, weights: Tensor) -> Tensor:
        return torch.cat([part.weighted(weights) for part in self.parts])
