"""Gradients of layers by example: from a layer's input and the gradient of its output.

`kind_of` says for a layer what the gradients of its parameters are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._errors import UnsupportedError
from ._factors import Convolution, Explicit, Factor, Products, Tokens, slices

Kind = Callable[[Any, Tensor, Tensor], dict[str, Factor]]
Written = dict[str, Explicit]


def _flat(t: Tensor) -> Tensor:
    """[examples, n, width]"""
    return t if t.dim() == 3 else t.reshape(t.shape[0], -1, t.shape[-1])


def _products(m: Any, x: Tensor, g: Tensor, transposed: bool) -> dict[str, Factor]:
    weight = Products(_flat(g), _flat(x), transposed)
    if m.bias is None:
        return {"weight": weight}
    left = weight.left
    if left.shape[1] == 1:
        return {"weight": weight, "bias": Explicit(left[:, 0], lambda: weight.left_squares)}
    return {"weight": weight, "bias": Explicit(left.sum(1))}


def _linear(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    return _products(m, x, g, transposed=False)


def _linear_transposed(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    return _products(m, x, g, transposed=True)


def _convolution(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    pad = m._reversed_padding_repeated_twice
    padding = tuple(pad[::-2])
    if m.padding_mode != "zeros" or padding != tuple(pad[-2::-2]):
        x = functional.pad(x, pad, mode="constant" if m.padding_mode == "zeros" else m.padding_mode)
        padding = (0,) * len(padding)
    weight = Convolution(m, x, g, padding)
    return {"weight": weight} if m.bias is None else {"weight": weight, "bias": Explicit(g.flatten(2).sum(2))}


def _embedding(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
    return {"weight": Tokens(x.reshape(len(x), -1), _flat(g), m.num_embeddings, m.padding_idx)}


def _by_slices(kind: Callable[[Any, Tensor, Tensor], Written]) -> Kind:
    """Of a layer whose gradients are written out from results as large as its input: for some examples at a time."""

    def whole(m: Any, x: Tensor, g: Tensor) -> dict[str, Factor]:
        found = [kind(m, x[rows], g[rows]) for rows in slices(len(x), x.numel())]
        if len(found) == 1:
            return {**found[0]}
        return {name: Explicit(torch.cat([part[name].each for part in found])) for name in found[0]}

    return whole


def _scaled(normal: Tensor, g: Tensor, dims: tuple[int, ...]) -> Written:
    product = normal * g
    return {
        "weight": Explicit(product.sum(dims) if dims else product),
        "bias": Explicit(g.sum(dims) if dims else g),
    }


@_by_slices
def _layer_norm(m: Any, x: Tensor, g: Tensor) -> Written:
    normal = functional.layer_norm(x, m.normalized_shape, None, None, m.eps)
    return _scaled(normal, g, tuple(range(1, x.dim() - len(m.normalized_shape))))


@_by_slices
def _rms_norm(m: Any, x: Tensor, g: Tensor) -> Written:
    normal = functional.rms_norm(x, m.normalized_shape, None, m.eps)
    return _scaled(normal, g, tuple(range(1, x.dim() - len(m.normalized_shape))))


# RMS norms of transformers: a weight times what the same layer makes with weights of 1, each in its own precisions.
_RMS_NORMS = {"T5LayerNorm", "LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm"}


@_by_slices
def _scaled_by_weight(m: Any, x: Tensor, g: Tensor) -> Written:
    with torch.no_grad():
        normal = torch.func.functional_call(m, {"weight": torch.ones_like(m.weight)}, (x,))
    return {"weight": _scaled(normal, g, tuple(range(1, x.dim() - 1)))["weight"]}


@_by_slices
def _group_norm(m: Any, x: Tensor, g: Tensor) -> Written:
    """By the kernel of the backward pass, to which channels of different examples are channels of one."""
    examples, channels, places = len(x), x.shape[1], x[0, 0].numel()
    x, of = x.contiguous(), (examples, channels, places, m.num_groups)
    _, mean, rate = torch.native_group_norm(x, None, None, *of, m.eps)
    like, sizes = x.new_empty(examples * channels), (1, examples * channels, places, examples * m.num_groups)
    _, weight, bias = torch.ops.aten.native_group_norm_backward(
        g.contiguous(), x, mean.reshape(1, -1), rate.reshape(1, -1), like, *sizes, (False, True, True)
    )
    return {"weight": Explicit(weight.reshape(examples, -1)), "bias": Explicit(bias.reshape(examples, -1))}


@_by_slices
def _fixed_norm(m: Any, x: Tensor, g: Tensor) -> Written:
    """Batch norm by its running statistics: examples do not meet."""
    normal = functional.batch_norm(x, m.running_mean, m.running_var, None, None, False, 0.0, m.eps)
    return _scaled(normal, g, tuple(range(2, x.dim())))


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
    return x.dim() >= least and x.shape[0] == examples and x.numel() > 0


def refuse_coupled(model: nn.Module) -> None:
    """UnsupportedError where single examples have no gradients of their own."""
    for name, module in model.named_modules():
        if couples(module):
            raise UnsupportedError(
                f"{name}: batch norm takes its statistics over the whole mini-batch, so that single examples have no "
                "gradients of their own; take source 'microbatches' or 'ranks'"
            )


def is_norm(module: nn.Module) -> bool:
    """A normalisation layer."""
    kinds: tuple[type, ...] = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)
    if hasattr(nn, "RMSNorm"):
        kinds += (nn.RMSNorm,)
    return isinstance(module, kinds)


def norm_parameters(model: nn.Module) -> set[str]:
    """Names of the parameters of normalisation layers."""
    found = {id(p) for m in model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
    return {name for name, p in model.named_parameters() if id(p) in found}


def size_of(model: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
