"""Gradients of layers by example: from a layer's input and the gradient of its output, without one gradient an example.

`kind_of` says for a layer what the gradients of its parameters are made of. A factor answers three questions: squared
norms of the sums over groups, the sum over some rows, and the sum with a weight for each example.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._groups import Groups

# Numbers that an intermediate result may have; more are made in several parts. Ours.
ROOM = 1 << 24


class Factor(Protocol):
    """What the gradient of a parameter is made of; examples along the first dimension."""

    def norm2(self, groups: Groups) -> Tensor:
        """[groups] squared norm of the sum of gradients over each group."""

    def total(self, rows: Tensor) -> Tensor:
        """The sum of the gradients of these rows, shaped as the parameter."""

    def weighted(self, weights: Tensor) -> Tensor:
        """The sum of all gradients, each times its weight [examples]."""


@dataclass
class Explicit:
    """Small gradients, written out [examples, ...]."""

    each: Tensor

    def norm2(self, groups: Groups) -> Tensor:
        flat = self.each.reshape(len(self.each), -1)
        sums = flat.new_zeros(groups.count, flat.shape[1]).index_add_(0, groups.of, flat)
        return sums.square().sum(1)

    def total(self, rows: Tensor) -> Tensor:
        return self.each[rows].sum(0)

    def weighted(self, weights: Tensor) -> Tensor:
        flat = weights.to(self.each.dtype) @ self.each.reshape(len(self.each), -1)
        return flat.reshape(self.each.shape[1:])


def _product_norm2(left: Tensor, right: Tensor) -> Tensor:
    """[groups] |sum over n of left right^T|^2 of [groups, n, p] and [groups, n, q], the cheaper way."""
    n, p, q = left.shape[1], left.shape[2], right.shape[2]
    if n * (p + q) <= p * q:
        return (left @ left.mT).mul_(right @ right.mT).sum((1, 2))
    return (left.mT @ right).square_().sum((1, 2))


@dataclass
class Products:
    """Sums of outer products: left [examples, n, p] of the output's gradient, right [examples, n, q] of the input.

    transposed: the parameter is [q, p].
    """

    left: Tensor
    right: Tensor
    transposed: bool = False

    def norm2(self, groups: Groups) -> Tensor:
        n, p, q = self.left.shape[1], self.left.shape[2], self.right.shape[2]
        out = self.left.new_zeros(groups.count)
        for part in groups.parts:
            rows = part.size * n
            step = max(1, ROOM // max(1, min(rows * rows, p * q)))
            for begin in range(0, len(part.numbers), step):
                end = min(begin + step, len(part.numbers))
                left = part.cut(self.left, begin, end).flatten(1, 2)
                right = part.cut(self.right, begin, end).flatten(1, 2)
                out[part.numbers[begin:end]] = _product_norm2(left, right)
        return out

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        g = left.flatten(0, 1).mT @ right.flatten(0, 1)
        return g.mT if self.transposed else g

    def total(self, rows: Tensor) -> Tensor:
        return self._product(self.left[rows], self.right[rows])

    def weighted(self, weights: Tensor) -> Tensor:
        return self._product(self.left * weights.to(self.left.dtype)[:, None, None], self.right)


@dataclass
class Tokens:
    """Rows of a table: token [examples, n], gradient [examples, n, width]; those of `padding` count nothing."""

    token: Tensor
    gradient: Tensor
    entries: int
    padding: int | None

    def _kept(self) -> Tensor:
        if self.padding is None:
            return self.gradient
        return self.gradient * (self.token != self.padding)[..., None].to(self.gradient.dtype)

    def norm2(self, groups: Groups) -> Tensor:
        place = groups.of[:, None] * self.entries + self.token
        used, at = torch.unique(place, return_inverse=True)
        sums = self.gradient.new_zeros(len(used), self.gradient.shape[-1])
        sums.index_add_(0, at.flatten(), self._kept().flatten(0, 1))
        out = self.gradient.new_zeros(groups.count)
        return out.index_add_(0, torch.div(used, self.entries, rounding_mode="floor"), sums.square().sum(1))

    def _table(self, token: Tensor, gradient: Tensor) -> Tensor:
        table = gradient.new_zeros(self.entries, gradient.shape[-1])
        return table.index_add_(0, token.flatten(), gradient.flatten(0, 1))

    def total(self, rows: Tensor) -> Tensor:
        return self._table(self.token[rows], self._kept()[rows])

    def weighted(self, weights: Tensor) -> Tensor:
        return self._table(self.token, self._kept() * weights.to(self.gradient.dtype)[:, None, None])


@dataclass
class Convolution:
    """The kernel of a convolution: input [examples, channels, ...] with its padding, gradient of the output."""

    module: Any
    input: Tensor
    gradient: Tensor

    def _patches(self, x: Tensor) -> Tensor:
        """[examples, groups, places, values of a patch]"""
        m = self.module
        if x.dim() == 3:
            x = x[:, :, None]
            kernel, dilation, stride = ((1, s[0]) for s in (m.kernel_size, m.dilation, m.stride))
        else:
            kernel, dilation, stride = m.kernel_size, m.dilation, m.stride
        patches = functional.unfold(x, kernel, dilation, 0, stride)
        return patches.reshape(len(x), m.groups, -1, patches.shape[-1]).mT

    def norm2(self, groups: Groups) -> Tensor:
        out = self.gradient.new_zeros(groups.count)
        g = self.gradient.flatten(2)
        values = self.module.weight[0].numel() * self.module.groups
        for part in groups.parts:
            step = max(1, ROOM // max(1, part.size * g.shape[-1] * values))
            for begin in range(0, len(part.numbers), step):
                end = min(begin + step, len(part.numbers))
                x = part.cut(self.input, begin, end).flatten(0, 1)
                right = self._by_group(self._patches(x), end - begin, part.size)
                left = part.cut(g, begin, end).flatten(0, 1)
                left = left.reshape(len(left), self.module.groups, -1, left.shape[-1]).mT
                found = _product_norm2(self._by_group(left, end - begin, part.size), right)
                out[part.numbers[begin:end]] = found.reshape(end - begin, -1).sum(1)
        return out

    def _by_group(self, t: Tensor, count: int, size: int) -> Tensor:
        """[count * size, groups, n, p] as [count * groups, size * n, p]"""
        if size == 1:
            return t.flatten(0, 1)
        return t.reshape(count, size, *t.shape[1:]).transpose(1, 2).reshape(count * t.shape[1], -1, t.shape[3])

    def _kernel(self, x: Tensor, gradient: Tensor) -> Tensor:
        m = self.module
        zeros = [0] * len(m.kernel_size)
        _, kernel, _ = torch.ops.aten.convolution_backward(
            gradient, x, m.weight, None, m.stride, zeros, m.dilation, False, zeros, m.groups, (False, True, False)
        )
        found: Tensor = kernel
        return found

    def total(self, rows: Tensor) -> Tensor:
        return self._kernel(self.input[rows], self.gradient[rows])

    def weighted(self, weights: Tensor) -> Tensor:
        shape = (-1,) + (1,) * (self.gradient.dim() - 1)
        return self._kernel(self.input, self.gradient * weights.to(self.gradient.dtype).reshape(shape))


def _flat(t: Tensor) -> Tensor:
    """[examples, n, width]"""
    return t.reshape(len(t), -1, t.shape[-1])


def _linear(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    left = _flat(g)
    return {"weight": Products(left, _flat(x)), "bias": Explicit(left.sum(1))}


def _linear_transposed(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    left = _flat(g)
    return {"weight": Products(left, _flat(x), transposed=True), "bias": Explicit(left.sum(1))}


def _convolution(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    mode = "constant" if m.padding_mode == "zeros" else m.padding_mode
    pad = m._reversed_padding_repeated_twice
    if any(pad):
        x = functional.pad(x, pad, mode=mode)
    return {"weight": Convolution(m, x, g), "bias": Explicit(g.flatten(2).sum(2))}


def _embedding(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    return {"weight": Tokens(x.reshape(len(x), -1), _flat(g), m.num_embeddings, m.padding_idx)}


def _scaled(normal: Tensor, g: Tensor, dims: tuple[int, ...]) -> dict[str, Factor]:
    product = normal * g
    return {
        "weight": Explicit(product.sum(dims) if dims else product),
        "bias": Explicit(g.sum(dims) if dims else g),
    }


def _layer_norm(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    normal = functional.layer_norm(x, m.normalized_shape, None, None, m.eps)
    return _scaled(normal, g, tuple(range(1, x.dim() - len(m.normalized_shape))))


def _rms_norm(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    normal = functional.rms_norm(x, m.normalized_shape, None, m.eps)
    return _scaled(normal, g, tuple(range(1, x.dim() - len(m.normalized_shape))))


# RMS norms of transformers: a weight times what the same layer makes with weights of 1, each in its own precisions.
_RMS_NORMS = {"T5LayerNorm", "LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm"}


def _scaled_by_weight(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    with torch.no_grad():
        normal = torch.func.functional_call(m, {"weight": torch.ones_like(m.weight)}, (x,))
    return {"weight": _scaled(normal, g, tuple(range(1, x.dim() - 1)))["weight"]}


def _group_norm(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    normal = functional.group_norm(x, m.num_groups, None, None, m.eps)
    return _scaled(normal, g, tuple(range(2, x.dim())))


def _fixed_norm(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    """Batch norm by its running statistics: examples do not meet."""
    normal = functional.batch_norm(x, m.running_mean, m.running_var, None, None, False, 0.0, m.eps)
    return _scaled(normal, g, tuple(range(2, x.dim())))


Kind = Callable[[Any, Tensor, Tensor], dict[str, Factor]]


def kind_of(module: nn.Module) -> Kind | None:
    """How the gradients of this layer's own parameters are made of input and output's gradient; None: not known."""
    table: list[tuple[type | tuple[type, ...], Kind]] = [
        (nn.Linear, _linear),
        ((nn.Conv1d, nn.Conv2d), _convolution),
        (nn.Embedding, _embedding),
        (nn.LayerNorm, _layer_norm),
        (nn.GroupNorm, _group_norm),
    ]
    if hasattr(nn, "RMSNorm"):
        table.append((nn.RMSNorm, _rms_norm))
    if isinstance(module, nn.Embedding) and (module.scale_grad_by_freq or module.sparse):
        return None
    for types, kind in table:
        # A subclass may compute something else.
        if type(module) in (types if isinstance(types, tuple) else (types,)):
            return kind
    if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) and not couples(module):
        return _fixed_norm
    if f"{type(module).__module__}.{type(module).__name__}" == "transformers.pytorch_utils.Conv1D":
        return _linear_transposed
    if type(module).__module__.startswith("transformers.models.") and type(module).__name__ in _RMS_NORMS:
        return _scaled_by_weight
    return None


def couples(module: nn.Module) -> bool:
    """It mixes the examples of a mini-batch: batch norm with the statistics of the mini-batch."""
    norm = isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, nn.InstanceNorm1d)
    return bool(norm) and (module.training or module.running_mean is None)


def independent(module: nn.Module, x: Tensor, examples: int) -> bool:
    """Its input has the examples along the first dimension, and at least one more where rows could be anything else."""
    least = 2 if isinstance(module, nn.Embedding) else 1
    return x.dim() > least - 1 and len(x) == examples and math.prod(x.shape) > 0
