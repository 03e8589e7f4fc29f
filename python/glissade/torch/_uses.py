"""Calls of layers: what each layer saw, and where the gradients of its outputs come by."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from .._errors import UnsupportedError
from ._factors import Factor
from ._layers import Kind, independent, kind_of

# The node at which a leaf's gradient ends. Other nodes may have a `variable` too: of their own.
Leaf = torch._C._functions.AccumulateGrad


class Use:
    """One call of a layer. parameters: the trained ones that it accounts for, by name; edges_to: how many edges of the
    graph each of them has from this call, by id; gradients: of its outputs, once they are known."""

    def __init__(self, module: nn.Module, parameters: dict[str, Tensor], edges: list[GradientEdge]) -> None:
        self.module, self.parameters, self.edges = module, parameters, edges
        self.edges_to: Mapping[int, int] = {id(p): 1 for p in parameters.values()}
        self.gradients: list[Tensor | None] = [None] * len(edges)

    def within(self, nodes: Container[Node]) -> bool:
        """It led to a result that was made by these nodes; outputs that did not are left out from now on."""
        return all(edge.node in nodes for edge in self.edges)

    def independent(self, examples: int) -> bool:
        """What it saw has the examples along its first dimension."""
        raise NotImplementedError

    def factors(self) -> dict[str, Factor]:
        """By the name of the parameter, from the gradients of the outputs."""
        raise NotImplementedError

    def forget(self) -> None:
        """What it saw is not needed any more."""
        self.gradients = [None] * len(self.edges)


class _LayerUse(Use):
    """Of a layer with one input and one output."""

    def __init__(self, module: nn.Module, kind: Kind, x: Tensor, output: Tensor) -> None:
        own = module._parameters
        trained = {name: p for name in ("weight", "bias") if (p := own.get(name)) is not None and p.requires_grad}
        super().__init__(module, trained, [get_gradient_edge(output)])
        self._kind, self._version = kind, x._version
        self._input: Tensor | None = x

    def independent(self, examples: int) -> bool:
        return self._input is not None and independent(self.module, self._input, examples)

    def factors(self) -> dict[str, Factor]:
        x, g = self._input, self.gradients[0]
        assert x is not None and g is not None
        if x._version != self._version:
            raise UnsupportedError(f"the input of a {type(self.module).__name__} was changed in place after its call")
        if x.is_floating_point() and x.dtype != g.dtype:  # Under autocast.
            wide = torch.promote_types(x.dtype, g.dtype)
            x, g = x.to(wide), g.to(wide)
        return self._kind(self.module, x, g)

    def forget(self) -> None:
        super().forget()
        self._input = None


def use_of(module: nn.Module, args: tuple[Any, ...], output: Any, examples: int) -> tuple[Use | None, Any]:
    """The call of a layer that is known, and its output in the place of its own; None: it is not known, or says
    nothing."""
    kind = kind_of(module)
    if kind is None or not args or not isinstance(output, Tensor) or output.grad_fn is None:
        return None, None
    x, changed = args[0].detach(), None
    if isinstance(module, nn.Embedding) and x.dim() > 1 and len(x) == 1 < examples:
        # The same for every example (positions): what follows would broadcast it.
        x = x.expand(examples, *x.shape[1:])
        changed = output = output.expand(examples, *output.shape[1:])
    return _LayerUse(module, kind, x, output), changed
