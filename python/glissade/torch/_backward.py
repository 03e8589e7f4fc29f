"""One backward pass that forms no gradients of weights: norms as it goes by, and what the weighted sums will need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ._factors import Factor
from ._groups import Groups
from ._norms import norm2_of_uses
from ._uses import Use


@dataclass
class Graph:
    """The nodes that lead to a result, each behind those that it leads to; how many edges go to each leaf, by id."""

    nodes: dict[Node, None]
    leaves: Counter[int]

    def last(self, wanted: set[Node]) -> set[Node]:
        """Those of these nodes from which the way back leads to no other one of them."""
        reach: set[Node] = set()
        for node in self.nodes:
            following = [f for f, _ in node.next_functions if f is not None]
            if any(f in wanted or f in reach for f in following):
                reach.add(node)
        return wanted - reach


def _following(node: Node) -> Iterator[Node]:
    return (f for f, _ in node.next_functions if f is not None)


def graph_of(losses: Tensor) -> Graph:
    """What a result was made of."""
    assert losses.grad_fn is not None
    leaves: Counter[int] = Counter()
    nodes: dict[Node, None] = {}
    seen, waiting = {losses.grad_fn}, [(losses.grad_fn, _following(losses.grad_fn))]
    while waiting:
        node, following = waiting[-1]
        for f in following:
            if hasattr(f, "variable"):
                leaves[id(f.variable)] += 1
            elif f not in seen:
                seen.add(f)
                waiting.append((f, _following(f)))
                break
        else:
            nodes[node] = None
            waiting.pop()
    return Graph(nodes, leaves)


def known_parameters(graph: Graph, uses: list[Use]) -> set[int]:
    """The ids of parameters of which all edges in the graph belong to uses that were seen."""
    seen: Counter[int] = Counter()
    for use in uses:
        seen.update(use.edges_to)
    return {p for p, edges in seen.items() if graph.leaves[p] == edges}


class Gathered:
    """What the uses of known parameters have shown: norm2 [groups], and factors by parameter, one for each use."""

    def __init__(self, uses: list[Use], known: set[int], groups: Groups) -> None:
        self.groups, self._known = groups, known
        self._uses = [use for use in uses if known.intersection(use.edges_to)]
        self._counts = Counter(id(p) for use in self._uses for p in use.parameters.values())
        self.norm2 = torch.zeros(groups.count, dtype=torch.float64, device=groups.of.device)
        self.factors: dict[Tensor, list[Factor]] = {}

    def run(self, losses: Tensor, graph: Graph, again: bool) -> None:
        """The backward pass of the sum of the losses; again: the graph will be needed once more.

        Nodes on the way are looked at as the gradient comes to them; only those at its ends are asked for, since what
        is asked for stays in memory until the pass has ended.
        """
        if self._uses:
            with torch.autocast(losses.device.type, enabled=False):
                self._run(losses, graph, again)

    def _run(self, losses: Tensor, graph: Graph, again: bool) -> None:
        edges = [(use, i, edge) for use in self._uses for i, edge in enumerate(use.edges)]
        ends = graph.last({edge.node for _, _, edge in edges})
        asked = [(use, i, edge) for use, i, edge in edges if edge.node in ends]
        handles = [
            edge.node.register_prehook(partial(self._passing, use, i, edge.output_nr))
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
                self.norm2 += norm2
            self.factors.setdefault(p, []).append(factor)
        use.forget()

    def _finish(self) -> None:
        """Uses with several outputs, not all of which need a gradient, and parameters that are used several times."""
        for use in self._uses:
            if len(use.edges) > 1 and any(g is not None for g in use.gradients):
                self._take(use)
        for p, factors in self.factors.items():
            if self._counts[id(p)] > 1:
                self.norm2 += norm2_of_uses(factors, self.groups)
