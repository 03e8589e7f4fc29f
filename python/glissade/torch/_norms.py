"""Norms of single examples' gradients of one parameter from all of its uses, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ._factors import GRAM, Convolution, Explicit, Factor, Products, Stacked, Tokens, total
from ._groups import Groups


@dataclass(frozen=True)
class Work:
    """Multiply-adds and numbers touched: of a layer's forward and backward pass, and of the norms beside them."""

    plain: float = 0.0
    norms: float = 0.0
    touched: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.plain + other.plain, self.norms + other.norms, self.touched + other.touched)


def work_of(factor: Factor) -> Work:
    """Of one use of a parameter, from shapes alone."""
    if isinstance(factor, Products):
        examples, n, p = factor.left.shape
        q = factor.right.shape[2]
        return Work(3.0 * examples * n * p * q, _product_work(examples, n, p, q), 1.0 * examples * n * (p + q))
    if isinstance(factor, Convolution):
        g = factor.gradient.flatten(2)
        examples, channels, places = g.shape
        values = factor.module.weight[0].numel()
        parts = factor.module.groups
        norms = parts * _product_work(examples, places, channels // parts, values)
        return Work(
            3.0 * examples * places * channels * values, norms, 1.0 * examples * places * (channels + values * parts)
        )
    if isinstance(factor, Stacked):
        return sum(map(work_of, factor.parts), start=Work())
    if isinstance(factor, Tokens):
        return Work(0.0, 0.0, 4.0 * factor.gradient.numel())
    assert isinstance(factor, Explicit)
    return Work(0.0, 0.0, 2.0 * factor.each.numel())


def _product_work(examples: int, n: int, p: int, q: int) -> float:
    return float(examples * min(GRAM * n * n * (p + q), n * p * q))


def norm2_of_uses(uses: Sequence[Factor], groups: Groups) -> Tensor:
    """[groups] squared norm of the sum over all uses of a parameter of each group's gradient."""
    if len(uses) == 1:
        return uses[0].norm2(groups)
    parts = _merged(uses)
    if len(parts) == 1:
        return parts[0].norm2(groups)
    if len(parts) == 2 and isinstance(parts[0], Products) and isinstance(parts[1], Tokens) and _singly(groups):
        return parts[0].norm2(groups) + parts[1].norm2(groups) + 2 * _cross(parts[0], parts[1])
    out = torch.zeros(groups.count, dtype=torch.float64, device=groups.of.device)
    found = [
        sum((total(part, rows).double() for part in parts), start=torch.zeros(())).square().sum() for rows in groups
    ]
    out[groups.order()] = torch.stack(found)
    return out


def _singly(groups: Groups) -> bool:
    return groups.count == len(groups.of)


def _merged(uses: Sequence[Factor]) -> list[Factor]:
    """Uses of one kind as one: outer products and tokens side by side, written-out gradients added; products first."""
    products = [_upright(u) for u in uses if isinstance(u, Products)]
    tokens = [u for u in uses if isinstance(u, Tokens)]
    explicit = [u for u in uses if isinstance(u, Explicit)]
    rest: list[Factor] = [u for u in uses if not isinstance(u, (Products, Tokens, Explicit))]
    parts: list[Factor] = []
    if products:
        left, right = torch.cat([u.left for u in products], 1), torch.cat([u.right for u in products], 1)
        parts.append(Products(left, right))
    if tokens:
        kept = torch.cat([u.kept() for u in tokens], 1)
        parts.append(Tokens(torch.cat([u.token for u in tokens], 1), kept, tokens[0].entries, None))
    if explicit:
        each = explicit[0].each
        for u in explicit[1:]:
            each = each + u.each
        parts.append(Explicit(each))
    return parts + rest


def _upright(use: Products) -> Products:
    return Products(use.right, use.left) if use.transposed else use


def _cross(products: Products, tokens: Tokens) -> Tensor:
    """[examples] products of the two gradients: of a table [entries, width] that is a last layer too.

    With rows l_s, r_s of the outer products and token t with gradient u_t: sum over s and t of l_s[t] <r_s, u_t>.
    """
    gradient = tokens.kept()
    at = tokens.token[:, None, :].expand(-1, products.left.shape[1], -1)
    return (products.left.gather(2, at) * (products.right @ gradient.mT)).sum((1, 2))
