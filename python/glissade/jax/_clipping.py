"""Adaptive micro-batch clipping in JAX, on one device or inside of shard_map."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import BadInputError
from ._rules import norm_of

Axis = Hashable | tuple[Hashable, ...]


class ClippingReport(NamedTuple):
    """norms: [groups] of this device's micro-batches; bound: that all were clipped at, NaN where no norm is finite and
    above 0; groups: how many there were on all devices; nonfinite: how many of them were not finite."""

    norms: jax.Array
    bound: jax.Array
    groups: jax.Array
    nonfinite: jax.Array


class _Sum(NamedTuple):
    """Of micro-batches so far: the sum of their gradients over max(norm, bound), the least norm, and counts."""

    total: Any
    least: jax.Array
    groups: jax.Array
    nonfinite: jax.Array


def _check(bound: float | None, reduce: str, nonfinite: str) -> None:
    if bound is not None and not 0 < bound < math.inf:
        raise BadInputError(f"bound {bound}: expected one above 0, or None")
    if reduce not in ("mean", "sum"):
        raise BadInputError(f"reduce '{reduce}': expected mean or sum")
    if nonfinite not in ("skip_step", "skip_group"):
        raise BadInputError(f"nonfinite '{nonfinite}': expected skip_step or skip_group")


def _one(gradient: Any, bound: float | None) -> tuple[_Sum, jax.Array]:
    """A micro-batch alone, and its norm."""
    norm = norm_of(jax.tree.leaves(gradient))
    finite = jnp.isfinite(norm)
    live = finite & (norm >= jnp.finfo(jnp.float32).tiny)
    over = jnp.where(live, norm if bound is None else jnp.maximum(norm, bound), 1)
    total = jax.tree.map(lambda g: jnp.where(live, g / over, jnp.zeros_like(g)).astype(g.dtype), gradient)
    return _Sum(total, jnp.where(live, norm, jnp.inf), jnp.ones((), jnp.int32), (~finite).astype(jnp.int32)), norm


def _joined(a: _Sum, b: _Sum) -> _Sum:
    total = jax.tree.map(jnp.add, a.total, b.total)
    return _Sum(total, jnp.minimum(a.least, b.least), a.groups + b.groups, a.nonfinite + b.nonfinite)


def _finished(
    own: _Sum, axis: Axis | None, bound: float | None, reduce: str, nonfinite: str
) -> tuple[Any, jax.Array, jax.Array, jax.Array]:
    """The estimate over all devices, its bound, and the counts."""
    if axis is not None:
        own = _Sum(
            jax.lax.psum(own.total, axis),
            jax.lax.pmin(own.least, axis),
            jax.lax.psum(own.groups, axis),
            jax.lax.psum(own.nonfinite, axis),
        )
    least = jnp.where(jnp.isinf(own.least), jnp.nan, own.least)
    rho = least if bound is None else jnp.full_like(least, bound)
    kept = own.groups - (own.nonfinite if nonfinite == "skip_group" else 0)
    # Without a live micro-batch the sum is zero, and its bound no number.
    scale = jnp.where(jnp.isnan(rho), 0, rho) / (jnp.maximum(kept, 1) if reduce == "mean" else 1)
    if nonfinite == "skip_step":
        scale = jnp.where(own.nonfinite > 0, jnp.nan, scale)
    return jax.tree.map(lambda t: (scale * t).astype(t.dtype), own.total), rho, own.groups, own.nonfinite


def clip_microbatches(
    gradient: Any,
    axis_name: Axis | None = None,
    *,
    bound: float | None = None,
    reduce: str = "mean",
    nonfinite: str = "skip_step",
) -> tuple[Any, ClippingReport]:
    """Inside of shard_map: clips every device's gradient to the smallest of their norms, or to a bound, and adds up.

    Args:
        gradient: a pytree: of the mean loss of this device's rows, not yet summed over devices.
        axis_name: of the mesh, over which the devices are micro-batches.
        bound: norm to clip at; None: the smallest norm that is not zero (adaptive).
        reduce: "mean": over micro-batches; "sum".
        nonfinite: where a gradient is not finite: "skip_step" makes the result NaN, which the rules of this module
            refuse; "skip_group" leaves the micro-batch out.

    Source: [M] algorithm 1.
    """
    _check(bound, reduce, nonfinite)
    own, norm = _one(gradient, bound)
    estimate, *figures = _finished(own, axis_name, bound, reduce, nonfinite)
    return estimate, ClippingReport(norm[None], *figures)


def _own(params: Any, axis: Axis | None) -> Any:
    """Inside of shard_map gradients of what devices share are summed over them, unless it is made each one's own."""
    if axis is None or not hasattr(jax.lax, "pcast"):
        return params
    return jax.tree.map(lambda p: jax.lax.pcast(p, axis, to="varying"), params)


def clipped_gradient(
    loss: Callable[[Any, Any], jax.Array],
    params: Any,
    batch: Any,
    microbatch: int,
    *,
    axis_name: Axis | None = None,
    bound: float | None = None,
    reduce: str = "mean",
    nonfinite: str = "skip_step",
) -> tuple[Any, ClippingReport]:
    """The gradient of a mini-batch, clipped micro-batch by micro-batch.

    Args:
        loss: loss(params, rows) is the mean loss of rows, a part of batch.
        params: a pytree; inside of shard_map, the same on all devices.
        batch: a pytree of arrays [rows, ...]: inside of shard_map, this device's share.
        microbatch: rows of a micro-batch; it divides the number of rows.
        axis_name: inside of shard_map, the mesh's axis over which the rows lie.
        bound, reduce, nonfinite: as in clip_microbatches.

    Micro-batches go one after another, so that memory holds two gradients. Source: [M] algorithm 1.
    """
    _check(bound, reduce, nonfinite)
    rows = len(jax.tree.leaves(batch)[0])
    if microbatch < 1 or rows % microbatch:
        raise BadInputError(f"microbatch {microbatch}: expected a divisor of the {rows} rows")
    parts = jax.tree.map(lambda x: x.reshape(-1, microbatch, *x.shape[1:]), batch)
    own_params = _own(params, axis_name)

    def one(part: Any) -> tuple[_Sum, jax.Array]:
        return _one(jax.grad(loss)(own_params, part), bound)

    def add(total: _Sum, part: Any) -> tuple[_Sum, jax.Array]:
        own, norm = one(part)
        return _joined(total, own), norm

    first, norm = one(jax.tree.map(lambda x: x[0], parts))
    total, norms = jax.lax.scan(add, first, jax.tree.map(lambda x: x[1:], parts))
    estimate, *figures = _finished(total, axis_name, bound, reduce, nonfinite)
    return estimate, ClippingReport(jnp.concatenate([norm[None], norms]), *figures)
