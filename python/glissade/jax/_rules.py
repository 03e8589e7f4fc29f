"""The step rules by JAX's operations. Formulas: docs/methods.md.

Each takes a parameter w with its gradient g (coupled weight decay included), its state by name, and gives a direction,
a rate and the new state: w moves by -rate * direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array
Options = Mapping[str, Any]
State = dict[str, Array]
Moved = tuple[Array, Any, State]


@dataclass
class Step:
    """The step under way: its number k from 1, |g| over all parameters, |m| over all where a rule asks for it."""

    k: Array
    norm: Array
    first: Array | None = None


def norm_of(arrays: list[Array]) -> Array:
    """Euclidean norm over all of them, in the widest of their types."""
    wide = jnp.result_type(jnp.float32, *arrays)
    return jnp.sqrt(sum((jnp.sum(jnp.square(a.astype(wide))) for a in arrays), jnp.zeros((), wide)))


def is_zero(norm: Array) -> Array:
    """Below the smallest normal number (in double of its square): there is no direction."""
    tiny = float(jnp.finfo(norm.dtype).tiny)
    return norm < (tiny if norm.dtype != jnp.float64 else math.sqrt(tiny))


def _remainder(beta: float, k: Array) -> Array:
    """1 - beta^k, without the cancellation."""
    return -jnp.expm1(k * math.log(beta)) if beta > 0 else jnp.ones_like(k)


def _average(old: Array, value: Array, keep: float) -> Array:
    return keep * old + (1 - keep) * value


def _sgd(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    return g, o["lr"], s


def _msgd(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    v = o["beta"] * s["v"] + g
    return v, o["lr"], {"v": v}


def _nag(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    v = o["beta"] * s["v"] + g
    return g + o["beta"] * v, o["lr"], {"v": v}


def _adagrad(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    total = s["s"] + g * g
    return g / (jnp.sqrt(total) + o["eps"]), o["lr"], {"s": total}


def _rmsprop(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    mean = _average(s["s"], g * g, o["rho"])
    return g / (jnp.sqrt(mean) + o["eps"]), o["lr"], {"s": mean}


def _moments(g: Array, s: State, o: Options, step: Step) -> tuple[Array, Array, State]:
    """The mean gradient over its bias, the root mean square over its own, and the new state."""
    m, square = _average(s["m"], g, o["beta1"]), _average(s["s"], g * g, o["beta2"])
    new = {"m": m, "s": square}
    if "s_max" in s:
        square = new["s_max"] = jnp.maximum(s["s_max"], square)
    return m / _remainder(o["beta1"], step.k), jnp.sqrt(square) / jnp.sqrt(_remainder(o["beta2"], step.k)), new


def _adam(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    m, root, new = _moments(g, s, o, step)
    return m / (root + o["eps"]), o["lr"], new


def _lars(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    decay, length, slope = o["weight_decay"], norm_of([w]), norm_of([g])
    flat = o["kappa"] / decay if decay > 0 else 1.0
    trust = jnp.where(is_zero(slope), flat, o["kappa"] * length / (slope + decay * length))
    trust = jnp.where(is_zero(length), 1.0 if o["zero_weights"] == "move" else 0.0, trust)
    v = o["beta"] * s["v"] + o["lr"] * trust * (g + decay * w)
    return v, 1.0, {"v": v}


def _lamb(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    m, root, new = _moments(g, s, o, step)
    r = m / (root + o["eps"]) + o["weight_decay"] * w
    length, own = norm_of([w]), norm_of([r])
    return r, o["lr"] * jnp.where(is_zero(own) | is_zero(length), 1.0, length / own), new


def _unit(g: Array, o: Options, step: Step) -> Array:
    norm = norm_of([g]) if o["per_block"] else step.norm
    return jnp.where(is_zero(norm), 0.0, 1 / norm)


def _sngd(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    return g, o["lr"] * _unit(g, o, step), s


def _sngm(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    u = o["beta"] * s["u"] + _unit(g, o, step) * g
    return u, o["lr"], {"u": u}


def _clip(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    norm = step.norm + o["tau"]
    return g, o["lr"] * jnp.where(norm <= o["gamma"], 1.0, o["gamma"] / norm), s


def _ngd(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    still = is_zero(step.norm) & (o["beta"] == 0)
    return g, jnp.where(still, 0.0, o["lr"] / (step.norm + o["beta"])), s


def _threshold(o: Options, step: Step) -> Array:
    return o["tau"] * step.k ** o["tau_exponent"]


def _gclip(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    tau = _threshold(o, step)
    assert step.first is not None
    return s["m"], o["lr"] * jnp.where(step.first <= tau, 1.0, tau / step.first), s


def _cclip(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    tau, m = _threshold(o, step), _average(s["m"], g, o["beta1"])
    return jnp.clip(m, -tau, tau), o["lr"], {"m": m}


def _acclip(w: Array, g: Array, s: State, o: Options, step: Step) -> Moved:
    alpha, m = o["alpha"], _average(s["m"], g, o["beta1"])
    before = jnp.where(step.k == 1, o["tau0"] ** alpha, s["tau_alpha"]) if o["tau0"] > 0 else s["tau_alpha"]
    t = new = _average(before, jnp.abs(g) ** alpha, o["beta2"])
    if o["bias_correction"]:
        t = t / _remainder(o["beta2"], step.k)
    return m * jnp.minimum(t ** (1 / alpha) / (jnp.abs(m) + o["eps"]), 1), o["lr"], {"m": m, "tau_alpha": new}


@dataclass(frozen=True)
class Rule:
    """A rule: its state by name, how it treats decay, and whether |m| over all parameters is made beforehand."""

    move: Callable[[Array, Array, State, Options, Step], Moved]
    states: tuple[str, ...] = field(default=())
    own_decay: bool = False
    decoupled: bool = False
    first: bool = False


RULES: dict[str, Rule] = {
    "sgd": Rule(_sgd),
    "msgd": Rule(_msgd, ("v",)),
    "nag": Rule(_nag, ("v",)),
    "adagrad": Rule(_adagrad, ("s",)),
    "rmsprop": Rule(_rmsprop, ("s",)),
    "adam": Rule(_adam, ("m", "s")),
    "adamw": Rule(_adam, ("m", "s"), decoupled=True),
    "amsgrad": Rule(_adam, ("m", "s", "s_max")),
    "lars": Rule(_lars, ("v",), own_decay=True),
    "lamb": Rule(_lamb, ("m", "s"), own_decay=True),
    "sngd": Rule(_sngd),
    "sngm": Rule(_sngm, ("u",)),
    "clip": Rule(_clip),
    "ngd": Rule(_ngd),
    "gclip": Rule(_gclip, ("m",), first=True),
    "cclip": Rule(_cclip, ("m",)),
    "acclip": Rule(_acclip, ("m", "tau_alpha")),
}
