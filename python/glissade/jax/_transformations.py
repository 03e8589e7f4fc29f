"""The step rules as optax transformations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-not-found, import-untyped, unused-ignore]

from .._errors import BadInputError
from .._rule_options import check, default, options_of, refuse_unknown
from ._rules import RULES, Options, Rule, State, Step, norm_of

Schedule = Callable[[jax.Array], Any]


class RuleState(NamedTuple):
    """steps: taken so far, refused ones not counted; refused: steps whose gradient was not finite; leaves: the rule's
    own, a dict for each parameter, in the order of jax.tree.leaves."""

    steps: jax.Array
    refused: jax.Array
    leaves: tuple[State, ...]


def _moved(rule: Rule, o: Options, step: Step, w: list[Any], g: list[Any], leaves: list[State]) -> tuple[Any, Any]:
    """Updates of all parameters, and their new state."""
    if not rule.own_decay and not rule.decoupled and o["weight_decay"] != 0:
        g = [gradient + o["weight_decay"] * weights for gradient, weights in zip(g, w, strict=True)]
        step.norm = norm_of(g)
    if rule.first:
        means = [o["beta1"] * s["m"] + (1 - o["beta1"]) * x for s, x in zip(leaves, g, strict=True)]
        leaves, step.first = [{"m": m} for m in means], norm_of(means)
    shrink = o.get("decoupled_weight_decay", 0.0) + (o["weight_decay"] if rule.decoupled else 0.0)
    updates, new = [], []
    for weights, gradient, state in zip(w, g, leaves, strict=True):
        along, rate, state = rule.move(weights, gradient, state, o, step)
        update = -rate * along - (o["lr"] * shrink * weights if shrink else 0)
        updates.append(update.astype(weights.dtype))
        new.append({name: value.astype(weights.dtype) for name, value in state.items()})
    return updates, new


def rule(name: str, lr: float | Schedule, **options: Any) -> Any:
    """A step rule of the library as an optax.GradientTransformation.

        optimizer = glissade.jax.sngm(0.1, beta=0.9)
        state = optimizer.init(params)
        updates, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, updates)

    Norms are over all parameters that it is given. A gradient with a NaN or an infinity is refused: updates are zero,
    the state stays, and state.refused counts.

    Args:
        name: "sngm"; each rule is a function of this module, too.
        lr: learning rate, or a function of the number of steps before this one, as optax's schedules are.
        options: of the rule, by the library's names (`glissade.list("methods")`).

    Raises:
        BadInputError: unknown rules and options, values out of bounds.
    """
    if name not in RULES:
        raise BadInputError(f"rule '{name}': expected one of {', '.join(RULES)}")
    refuse_unknown(name, options)
    of, fixed = RULES[name], {key: options.get(key, default(option)) for key, option in options_of(name).items()}
    check(name, fixed | ({"lr": lr} if isinstance(lr, (int, float)) else {}))

    def init(params: Any) -> RuleState:
        zero = jnp.zeros((), jnp.int32)
        leaves = tuple({n: jnp.zeros_like(p) for n in of.states} for p in jax.tree.leaves(params))
        return RuleState(zero, zero, leaves)

    def update(updates: Any, state: RuleState, params: Any = None, **extra: Any) -> tuple[Any, RuleState]:
        if params is None:
            raise BadInputError(f"{name}: update needs the parameters: update(gradients, state, params)")
        g, tree = jax.tree.flatten(updates)
        w, norm = jax.tree.leaves(params), norm_of(g)
        o = {**fixed, "lr": lr(state.steps) if callable(lr) else lr}
        step = Step((state.steps + 1).astype(norm.dtype), norm)
        moved, new = _moved(of, o, step, w, g, list(state.leaves))
        good = jnp.isfinite(norm)
        moved = [jnp.where(good, u, jnp.zeros_like(u)) for u in moved]
        leaves = jax.tree.map(partial(jnp.where, good), tuple(new), state.leaves)
        return tree.unflatten(moved), RuleState(state.steps + good, state.refused + ~good, leaves)

    return optax.GradientTransformationExtraArgs(init, update)


def _named(name: str) -> Callable[..., Any]:
    def made(lr: float | Schedule, **options: Any) -> Any:
        return rule(name, lr, **options)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"""The rule "{name}" as an optax.GradientTransformation; see `rule`."""
    return made


sgd, msgd, nag = _named("sgd"), _named("msgd"), _named("nag")
adagrad, rmsprop = _named("adagrad"), _named("rmsprop")
adam, adamw, amsgrad = _named("adam"), _named("adamw"), _named("amsgrad")
lars, lamb = _named("lars"), _named("lamb")
sngd, sngm = _named("sngd"), _named("sngm")
clip, ngd, gclip, cclip, acclip = _named("clip"), _named("ngd"), _named("gclip"), _named("cclip"), _named("acclip")
