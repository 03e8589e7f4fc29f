"""Layers that are one operation from outside: run again from their inputs, so that the gradients inside are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.nn import functional

from .._errors import UnsupportedError
from ._factors import Explicit, Factor, Products, Stacked
from ._uses import Leaf, Use


class _Replayed(Use):
    """Of a layer with several inputs and outputs."""

    def __init__(
        self, module: nn.Module, parameters: Mapping[str, Tensor], inputs: list[Tensor | None], outputs: list[Any]
    ) -> None:
        trained = {name: p for name, p in parameters.items() if p.requires_grad}
        self._outputs = [isinstance(t, Tensor) and t.grad_fn is not None for t in outputs]
        known = [t for t, has in zip(outputs, self._outputs, strict=True) if has]
        super().__init__(module, trained, [get_gradient_edge(t) for t in known])
        self._inputs = [None if t is None else t.detach() for t in inputs]
        self._versions = [None if t is None else t._version for t in inputs]

    def within(self, nodes: Container[Node]) -> bool:
        used = [edge.node in nodes for edge in self.edges]
        left = iter(used)
        self._outputs = [has and next(left) for has in self._outputs]
        self.edges = [edge for edge, has in zip(self.edges, used, strict=True) if has]
        self.gradients = [None] * len(self.edges)
        return bool(self.edges)

    def independent(self, examples: int) -> bool:
        return all(t is None or len(t) == examples for t in self._inputs)

    def _checked(self) -> list[Tensor | None]:
        """The inputs in the type of the weights: under autocast they may have another."""
        for t, version in zip(self._inputs, self._versions, strict=True):
            if t is not None and t._version != version:
                raise UnsupportedError(
                    f"an input of a {type(self.module).__name__} was changed in place after its call"
                )
        return [None if t is None else t.to(self._dtype) for t in self._inputs]

    @property
    def _dtype(self) -> torch.dtype:
        return next(iter(self.module.parameters())).dtype

    def _by_output(self) -> list[Tensor | None]:
        """The gradient of every output; None: there is none."""
        known = iter(self.gradients)
        found = [next(known) if has else None for has in self._outputs]
        return [None if g is None else g.to(self._dtype) for g in found]

    def forget(self) -> None:
        super().forget()
        self._inputs = []


def _backward(outputs: list[Tensor], gradients: list[Tensor | None], inner: list[Tensor]) -> list[Tensor]:
    """Of the outputs that have a gradient, to tensors inside."""
    pairs = [(t, g) for t, g in zip(outputs, gradients, strict=True) if g is not None]
    found = torch.autograd.grad([t for t, _ in pairs], inner, [g for _, g in pairs], materialize_grads=True)
    return list(found)


# ---- attention ----


class AttentionUse(_Replayed):
    """Of nn.MultiheadAttention: the gradients of queries, keys and values as they leave their projection."""

    def __init__(self, module: nn.MultiheadAttention, given: Mapping[str, Any], output: Any) -> None:
        named = {"in_proj_weight": module.in_proj_weight, "in_proj_bias": module.in_proj_bias}
        named |= {f"out_proj.{name}": p for name, p in module.out_proj.named_parameters()}
        parameters = {name: p for name, p in named.items() if p is not None}
        inputs = [given[name] for name in ("query", "key", "value")]
        super().__init__(module, parameters, inputs, list(output))
        self._same = inputs[0] is inputs[1] is inputs[2]
        self._mask = _mask_of(module, given)
        self._averaged = bool(given.get("average_attn_weights", True))

    def factors(self) -> dict[str, Factor]:
        m: Any = self.module
        inputs = [t for t in self._checked() if t is not None]
        gradient, of_weights = self._by_output()
        weights = m.in_proj_weight.detach().chunk(3)
        biases = (None,) * 3 if m.in_proj_bias is None else m.in_proj_bias.detach().chunk(3)
        projected = [
            functional.linear(x, w, b).requires_grad_() for x, w, b in zip(inputs, weights, biases, strict=True)
        ]
        with torch.enable_grad():
            context, attention = self._attend(projected)
        along = None if gradient is None else gradient @ m.out_proj.weight.detach()
        inner = _backward([context, attention], [along, of_weights], projected)
        found: dict[str, Factor] = {"in_proj_bias": Explicit(torch.cat([g.sum(1) for g in inner], 1))}
        if self._same:
            found["in_proj_weight"] = Products(torch.cat(inner, 2), inputs[0])
        else:
            found["in_proj_weight"] = Stacked([Products(g, x) for g, x in zip(inner, inputs, strict=True)])
        if gradient is not None:
            found |= {
                "out_proj.weight": Products(gradient, context.detach()),
                "out_proj.bias": Explicit(gradient.sum(1)),
            }
        return found

    def _attend(self, projected: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What attention gives before the last projection, and its weights, averaged over heads where the call was."""
        m: Any = self.module
        heads = (*projected[0].shape[:1], -1, m.num_heads, projected[0].shape[2] // m.num_heads)
        q, k, v = (t.reshape(heads).transpose(1, 2) for t in projected)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        weights = (scores if self._mask is None else scores + self._mask).softmax(-1)
        context = (weights @ v).transpose(1, 2).flatten(2)
        return context, weights.mean(1) if self._averaged else weights


def _mask_of(module: nn.MultiheadAttention, given: Mapping[str, Any]) -> Tensor | None:
    """Of positions and of padding, as numbers that are added [examples or 1, heads or 1, queries or 1, keys]."""
    masks = []
    for name in ("attn_mask", "key_padding_mask"):
        mask = given.get(name)
        if mask is None:
            continue
        if mask.dtype is torch.bool:
            mask = torch.zeros_like(mask, dtype=module.out_proj.weight.dtype).masked_fill_(mask, -math.inf)
        if name == "key_padding_mask":
            mask = mask[:, None, None]
        elif mask.dim() == 3:
            mask = mask.unflatten(0, (-1, module.num_heads))
        masks.append(mask)
    return sum(masks[1:], start=masks[0]) if masks else None


def _attention(module: nn.MultiheadAttention, args: Any, kwargs: Any, output: Any) -> Use | None:
    given = signature(module.forward).bind(*args, **kwargs).arguments
    plain = module._qkv_same_embed_dim and module.bias_k is None and not module.add_zero_attn
    drawn = module.dropout > 0 and module.training
    if not (plain and module.batch_first and given["query"].dim() == 3) or drawn or given["query"].is_nested:
        return None
    return AttentionUse(module, given, output)


# ---- LSTM ----


class LstmUse(_Replayed):
    """Of nn.LSTM: the gradients of its gates, step by step."""

    def __init__(self, module: nn.LSTM, x: Tensor, state: tuple[Tensor, Tensor] | None, output: Any) -> None:
        whole, (last, cell) = output
        super().__init__(module, dict(module.named_parameters(recurse=False)), [x], [whole, last, cell])
        self._state = None if state is None else [t.detach().to(self._dtype) for t in state]
        self._begins = {t.grad_fn for t in (x, *(state or ())) if t.grad_fn is not None}

    def within(self, nodes: Container[Node]) -> bool:
        """On processors without an operation for all of it, weights have an edge for each step."""
        known = super().within(nodes)
        self.edges_to = _edges_between(self.edges, self._begins, {id(p) for p in self.parameters.values()})
        return known

    def factors(self) -> dict[str, Factor]:
        (x,) = self._checked()
        assert x is not None
        gates: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        with torch.enable_grad():
            outputs = self._run(x, gates)
        inner = _backward(outputs, self._by_output(), [pre for pre, _, _ in gates.values()])
        found: dict[str, Factor] = {}
        for (at, (_, seen, before)), g in zip(gates.items(), inner, strict=True):
            found |= {f"weight_ih_{at}": Products(g, seen.detach()), f"weight_hh_{at}": Products(g, before.detach())}
            found |= {f"bias_{part}_{at}": Explicit(g.sum(1)) for part in ("ih", "hh")}
        return found

    def _run(self, x: Tensor, gates: dict[str, tuple[Tensor, Tensor, Tensor]]) -> list[Tensor]:
        """All layers; gates: by layer and direction what goes into the gates, what the layer saw, and its state before
        each step."""
        m: Any = self.module
        ends: list[tuple[Tensor, Tensor]] = []
        for layer in range(m.num_layers):
            sides = []
            for side in range(2 if m.bidirectional else 1):
                at = f"l{layer}" + ("_reverse" if side else "")
                state = [x.new_zeros(len(x), m.hidden_size)] * 2
                if self._state is not None:
                    state = [t[len(ends)] for t in self._state]
                out, before, end, pre = self._direction(x, state, at)
                gates[at] = pre, x, before
                sides.append(out)
                ends.append(end)
            x = torch.cat(sides, 2)
        return [x, torch.stack([h for h, _ in ends]), torch.stack([c for _, c in ends])]

    def _direction(
        self, x: Tensor, state: list[Tensor], at: str
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Tensor]:
        """States [examples, steps, width] after and before each step, the last one with its cell, the gates' input."""
        m: Any = self.module
        weight, inner = (getattr(m, f"weight_{part}_{at}").detach() for part in ("ih", "hh"))
        bias = sum(getattr(m, f"bias_{part}_{at}").detach() for part in ("ih", "hh")) if m.bias else None
        pre = functional.linear(x, weight, bias)
        if not pre.requires_grad:
            pre.requires_grad_()
        h, c = state
        after, before = [], []
        steps = pre.unbind(1)
        for step in reversed(steps) if at.endswith("reverse") else steps:
            before.append(h)
            i, f, g, o = (step + h @ inner.T).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            after.append(h)
        if at.endswith("reverse"):
            after.reverse()
            before.reverse()
        return torch.stack(after, 1), torch.stack(before, 1), (h, c), pre


def _edges_between(edges: list[Any], begins: set[Node], wanted: set[int]) -> Counter[int]:
    """How many edges lead to each of these leaves on the way from a call's outputs back to its inputs."""
    found: Counter[int] = Counter()
    waiting = [edge.node for edge in edges]
    seen = set(waiting)
    while waiting:
        for f, _ in waiting.pop().next_functions:
            if f is None or f in begins or f in seen:
                continue
            if isinstance(f, Leaf):
                found[id(f.variable)] += id(f.variable) in wanted
            else:
                seen.add(f)
                waiting.append(f)
    return found


def _lstm(module: nn.LSTM, args: Any, kwargs: Any, output: Any) -> Use | None:
    given = signature(module.forward).bind(*args, **kwargs).arguments
    x = given["input"]
    drawn = module.dropout > 0 and module.training and module.num_layers > 1
    if not isinstance(x, Tensor) or x.dim() != 3 or not module.batch_first or module.proj_size or drawn:
        return None
    return LstmUse(module, x, given.get("hx"), output)


def is_replayed(module: nn.Module) -> bool:
    """A layer that can be run again from its inputs."""
    return type(module) in (nn.MultiheadAttention, nn.LSTM)


def replayed_use(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Use | None:
    """The call of such a layer; None: it is none, or draws at random, or has another form than is known."""
    if not torch.is_grad_enabled() or not is_replayed(module):
        return None
    if isinstance(module, nn.MultiheadAttention):
        return _attention(module, args, kwargs, output)
    assert isinstance(module, nn.LSTM)
    return _lstm(module, args, kwargs, output)
