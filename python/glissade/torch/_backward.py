"""One backward pass that forms no gradients of weights: norms as it goes by, and what the weighted sums will need."""

from __future__ import annotations

import functools
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ._factors import Factor
from ._groups import Groups
from ._norms import norm2_of_uses
from ._uses import Leaf, Use


@dataclass
class Graph:
    """The nodes that lead to a result with those that each leads to, which come before it; how many edges go to each
    leaf, by id."""

    nodes: dict[Node, list[Node]]
    leaves: Counter[int]

    def last(self, wanted: set[Node]) -> set[Node]:
        """Those of these nodes from which the way back leads to no other one of them."""
        reach: set[Node] = set()
        for node, following in self.nodes.items():
            for f in following:
                if f in wanted or f in reach:
                    reach.add(node)
                    break
        return wanted - reach


def graph_of(losses: Tensor) -> Graph:
    """What a result was made of."""
    assert losses.grad_fn is not None
    leaves: list[int] = []
    nodes: dict[Node, list[Node]] = {}
    following: dict[Node, list[Node]] = {}  # Of nodes that have been met.
    waiting: list[Node] = [losses.grad_fn]
    while waiting:
        node = waiting[-1]
        if node in following:  # All that it leads to is done.
            nodes.setdefault(node, following[node])
            waiting.pop()
            continue
        inner = following[node] = []
        for f, _ in node.next_functions:
            if f is None:
                continue
            if isinstance(f, Leaf):
                leaves.append(id(f.variable))
                continue
            inner.append(f)
            if f not in following:
                waiting.append(f)
    return Graph(nodes, Counter(leaves))


def known_parameters(graph: Graph, uses: list[Use]) -> set[int]:
    """The ids of parameters of which all edges in the graph belong to uses that were seen."""
    seen: Counter[int] = Counter()
    for use in uses:
        seen.update(use.edges_to)
    return {p for p, edges in seen.items() if graph.leaves[p] == edges}


class Gathered:
    """What the uses of known parameters have shown: norms, and factors by parameter, one for each use."""

    def __init__(self, uses: list[Use], known: set[int], groups: Groups) -> None:
        self.groups, self._known = groups, known
        self._uses = [use for use in uses if known.intersection(use.edges_to)]
        self._counts = Counter([id(p) for use in self._uses for p in use.parameters.values()])
        self._norm2: list[Tensor] = []
        self.factors: dict[Tensor, list[Factor]] = {}

    @property
    def norm2(self) -> Tensor:
        """[groups] over all of these parameters."""
        if not self._norm2:
            return torch.zeros(self.groups.count, dtype=torch.float64, device=self.groups.of.device)
        kinds = {n.dtype for n in self._norm2}
        found = self._norm2 if len(kinds) == 1 else [n.double() for n in self._norm2]
        return torch.stack(found).sum(0, dtype=torch.float64)

    def run(self, losses: Tensor, graph: Graph, again: bool) -> None:
        """The backward pass of the sum of the losses; again: the graph will be needed once more.

        Nodes on the way are looked at as the gradient comes to them; only those at its ends are asked for, since what
        is asked for stays in memory until the pass has ended.
        """
        if self._uses:
            device = losses.device.type
            with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
                self._run(losses, graph, again)

    def _run(self, losses: Tensor, graph: Graph, again: bool) -> None:
        edges = [(use, i, edge) for use in self._uses for i, edge in enumerate(use.edges)]
        ends = graph.last({edge.node for _, _, edge in edges})
        asked = [(use, i, edge) for use, i, edge in edges if edge.node in ends]
        handles = [
            edge.node.register_prehook(functools.partial(self._passing, use, i, edge.output_nr))
            for use, i, edge in edges
            if edge.node not in ends
        ]
        try:
            found = torch.autograd.grad(
                losses.sum(), [edge for _, _, edge in asked], retain_graph=again, allow_unused=True
            )
        finally:
            for handle in handles:
                handle.remove()
        with torch.no_grad():
            for (use, i, _), g in zip(asked, found, strict=True):
                self._arrived(use, i, g)
            self._finish()

    def _passing(self, use: Use, i: int, output: int, gradients: tuple[Tensor | None, ...]) -> None:
        self._arrived(use, i, gradients[output])

    def _arrived(self, use: Use, i: int, g: Tensor | None) -> None:
        if g is not None:
            use.gradients[i] = g
        if len(use.edges) == 1 and g is not None:
            self._take(use)

    def _take(self, use: Use) -> None:
        """Norms at once where the parameter is used once; its factor is then already what the sum needs."""
        parts = use.factors()
        for name, p in use.parameters.items():
            if id(p) not in self._known or name not in parts:
                continue
            factor = parts[name]
            if self._counts[id(p)] == 1:
                norm2, factor = factor.measured(self.groups)
                self._norm2.append(norm2)
            self.factors.setdefault(p, []).append(factor)
        use.forget()

    def _finish(self) -> None:
        """Uses with several outputs, not all of which need a gradient, and parameters that are used several times."""
        for use in self._uses:
            if len(use.edges) > 1 and any(g is not None for g in use.gradients):
                self._take(use)
        for p, factors in self.factors.items():
            if self._counts[id(p)] > 1:
                self._norm2.append(norm2_of_uses(factors, self.groups))
