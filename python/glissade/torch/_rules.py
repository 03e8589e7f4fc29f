"""The step rules by PyTorch's operations: for parameters that the compiled library cannot reach.

Each rule gets the parameters of one group with their gradients, coupled weight decay included, and gives for every
parameter a direction and a rate: w moves by -rate * direction. Formulas: docs/methods.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Options = Mapping[str, Any]
Move = tuple[Tensor, float]


@dataclass
class Item:
    """A parameter w with its gradient g, the decay that a rule applies itself, and its state by name."""

    w: Tensor
    g: Tensor
    state: dict[str, Tensor]
    decay: float = 0.0


@dataclass
class Step:
    """The step under way: its number k from 1, |g| over all parameters, and sums that a rule made before."""

    k: int
    norm: float
    first: float = 0.0
    zero: bool = False


def norm_of(tensors: list[Tensor]) -> float:
    """Euclidean norm over all of them, as a double where the device has it."""
    parts = []
    for t in tensors:
        wide = torch.float64 if t.device.type in ("cpu", "cuda", "xpu") else torch.float32
        parts.append(torch.linalg.vector_norm(t, dtype=wide).to(torch.float64 if wide is torch.float64 else wide))
    if not parts:
        return 0.0
    device = parts[0].device
    return float(torch.linalg.vector_norm(torch.stack([p.to(device) for p in parts])))


def _is_zero(norm: float, like: Tensor) -> bool:
    """Below the smallest normal number: there is no direction."""
    tiny = torch.finfo(like.dtype).tiny
    return norm < (tiny if like.dtype != torch.float64 else math.sqrt(tiny))


def _average(state: Tensor, value: Tensor, keep: float) -> Tensor:
    return state.mul_(keep).add_(value, alpha=1 - keep)


def _sgd(item: Item, o: Options, step: Step) -> Move:
    return item.g, o["lr"]


def _msgd(item: Item, o: Options, step: Step) -> Move:
    return item.state["v"].mul_(o["beta"]).add_(item.g), o["lr"]


def _nag(item: Item, o: Options, step: Step) -> Move:
    v = item.state["v"].mul_(o["beta"]).add_(item.g)
    return item.g + o["beta"] * v, o["lr"]


def _adagrad(item: Item, o: Options, step: Step) -> Move:
    s = item.state["s"].addcmul_(item.g, item.g)
    return item.g / (s.sqrt() + o["eps"]), o["lr"]


def _rmsprop(item: Item, o: Options, step: Step) -> Move:
    s = _average(item.state["s"], item.g * item.g, o["rho"])
    return item.g / (s.sqrt() + o["eps"]), o["lr"]


def _moments(item: Item, o: Options) -> tuple[Tensor, Tensor]:
    return _average(item.state["m"], item.g, o["beta1"]), _average(item.state["s"], item.g * item.g, o["beta2"])


def _adam(item: Item, o: Options, step: Step) -> Move:
    m, s = _moments(item, o)
    if "s_max" in item.state:
        s = item.state["s_max"].copy_(torch.maximum(item.state["s_max"], s))
    root = 1 / math.sqrt(1 - o["beta2"] ** step.k)
    return m / (s.sqrt() * root + o["eps"]), o["lr"] / (1 - o["beta1"] ** step.k)


def _lars(item: Item, o: Options, step: Step) -> Move:
    w, g = norm_of([item.w]), norm_of([item.g])
    if _is_zero(w, item.w):
        trust = 1.0 if o["zero_weights"] == "move" else 0.0
    elif _is_zero(g, item.g):
        trust = o["kappa"] / item.decay if item.decay > 0 else 1.0
    else:
        trust = o["kappa"] * w / (g + item.decay * w)
    along = item.g + item.decay * item.w
    return item.state["v"].mul_(o["beta"]).add_(along, alpha=o["lr"] * trust), 1.0


def _lamb(item: Item, o: Options, step: Step) -> Move:
    m, s = _moments(item, o)
    root = 1 / math.sqrt(1 - o["beta2"] ** step.k)
    r = m / (1 - o["beta1"] ** step.k) / (s.sqrt() * root + o["eps"]) + item.decay * item.w
    r_norm, w_norm = norm_of([r]), norm_of([item.w])
    trust = 1.0 if _is_zero(r_norm, r) or _is_zero(w_norm, r) else w_norm / r_norm
    return r, o["lr"] * trust


def _unit(item: Item, o: Options, step: Step) -> float:
    norm = norm_of([item.g]) if o["per_block"] else step.norm
    if _is_zero(norm, item.g):
        step.zero = step.zero or not o["per_block"]
        return 0.0
    return 1 / norm


def _sngd(item: Item, o: Options, step: Step) -> Move:
    return item.g, o["lr"] * _unit(item, o, step)


def _sngm(item: Item, o: Options, step: Step) -> Move:
    return item.state["u"].mul_(o["beta"]).add_(item.g, alpha=_unit(item, o, step)), o["lr"]


def _clip(item: Item, o: Options, step: Step) -> Move:
    norm = step.norm + o["tau"]
    return item.g, o["lr"] * (1 if norm <= o["gamma"] else o["gamma"] / norm)


def _ngd(item: Item, o: Options, step: Step) -> Move:
    if _is_zero(step.norm, item.g) and o["beta"] == 0:
        step.zero = True
        return item.g, 0.0
    return item.g, o["lr"] / (step.norm + o["beta"])


def _threshold(o: Options, step: Step) -> float:
    return float(o["tau"] * step.k ** o["tau_exponent"])


def _gclip(item: Item, o: Options, step: Step) -> Move:
    tau = _threshold(o, step)
    return item.state["m"], o["lr"] * (1 if step.first <= tau else tau / step.first)


def _cclip(item: Item, o: Options, step: Step) -> Move:
    tau = _threshold(o, step)
    return _average(item.state["m"], item.g, o["beta1"]).clamp(-tau, tau), o["lr"]


def _acclip(item: Item, o: Options, step: Step) -> Move:
    alpha, t = o["alpha"], item.state["tau_alpha"]
    if step.k == 1 and o["tau0"] > 0:
        t.fill_(o["tau0"] ** alpha)
    m = _average(item.state["m"], item.g, o["beta1"])
    t = _average(t, item.g.abs() ** alpha, o["beta2"])
    if o["bias_correction"]:
        t = t / (1 - o["beta2"] ** step.k)
    return m * (t ** (1 / alpha) / (m.abs() + o["eps"])).clamp(max=1), o["lr"]


@dataclass(frozen=True)
class Rule:
    """A rule: its state tensors by name, and what it must know before a parameter may move."""

    move: Callable[[Item, Options, Step], Move]
    states: tuple[str, ...] = ()
    needs_norm: bool = False
    own_decay: bool = False
    decoupled: bool = False
    first: bool = False  # |m| over all parameters, m brought up to date in a pass of its own


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
    "sngd": Rule(_sngd, needs_norm=True),
    "sngm": Rule(_sngm, ("u",), needs_norm=True),
    "clip": Rule(_clip, needs_norm=True),
    "ngd": Rule(_ngd, needs_norm=True),
    "gclip": Rule(_gclip, ("m",), first=True),
    "cclip": Rule(_cclip, ("m",)),
    "acclip": Rule(_acclip, ("m", "tau_alpha")),
}


def update(rule: Rule, groups: list[tuple[Options, list[Item]]], k: int, norm: float) -> bool:
    """One step over all groups; norm: |g| without decay. True: the gradient was zero where the rule divides by it."""
    decays = False
    for o, items in groups:
        for item in items:
            if rule.own_decay:
                item.decay = o["weight_decay"]
            elif not rule.decoupled and o["weight_decay"] != 0:
                item.g = item.g + o["weight_decay"] * item.w
                decays = True
    everything = [item for _, items in groups for item in items]
    step = Step(k, norm_of([item.g for item in everything]) if decays and rule.needs_norm else norm)
    if rule.first:
        for o, items in groups:
            for item in items:
                _average(item.state["m"], item.g, o["beta1"])
        step.first = norm_of([item.state["m"] for item in everything])
    for o, items in groups:
        shrink = o.get("decoupled_weight_decay", 0.0) + (o["weight_decay"] if rule.decoupled else 0.0)
        for item in items:
            along, rate = rule.move(item, o, step)
            if shrink:
                item.w.mul_(1 - o["lr"] * shrink)
            item.w.add_(along, alpha=-rate)
    return step.zero
