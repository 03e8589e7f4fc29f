"""States that PyTorch's own optimizers have saved, as those of the rules."""

from __future__ import annotations

from typing import Any

from .._errors import BadInputError

VECTORS = {
    "exp_avg": "m",
    "exp_avg_sq": "s",
    "max_exp_avg_sq": "s_max",
    "momentum_buffer": "v",
    "square_avg": "s",
    "sum": "s",
}
_OPTIONS = {"lr": "lr", "eps": "eps", "weight_decay": "weight_decay", "momentum": "beta", "alpha": "rho"}
# What the rules do not have must be off.
_OFF = ("maximize", "dampening", "lr_decay", "centered")


def is_foreign(state: dict[str, Any]) -> bool:
    """It is not of an optimizer of this package."""
    return "glissade" not in state


def _group(saved: dict[str, Any], own: dict[str, Any], rule: str) -> dict[str, Any]:
    for key in _OFF:
        if saved.get(key):
            raise BadInputError(f"the saved state has {key}={saved[key]}, which rule {rule} does not have")
    expected = {"nesterov": rule == "nag", "amsgrad": rule == "amsgrad", "decoupled_weight_decay": rule == "adamw"}
    for key, value in expected.items():
        if key in saved and bool(saved[key]) != value:
            raise BadInputError(f"the saved state has {key}={saved.get(key)}, and is not one of rule {rule}")
    group = {key: value for key, value in own.items() if key != "params"}
    group["params"] = saved["params"]
    for theirs, ours in _OPTIONS.items():
        if theirs in saved and ours in group:
            group[ours] = saved[theirs]
    if "betas" in saved:
        group["beta1"], group["beta2"] = saved["betas"]
    if "initial_lr" in saved:
        group["initial_lr"] = saved["initial_lr"]
    return group


def converted(state: dict[str, Any], groups: list[dict[str, Any]], rule: str, names: tuple[str, ...]) -> dict[str, Any]:
    """A state of torch.optim.SGD, Adam, AdamW, RMSprop or Adagrad as one of this rule; BadInputError for others."""
    steps, vectors = {0}, {}
    for index, saved in state["state"].items():
        found = {VECTORS[k]: v for k, v in saved.items() if k in VECTORS and v is not None}
        if set(found) != set(names):
            raise BadInputError(f"the saved state has {sorted(saved)}: rule {rule} needs {sorted(names)}")
        vectors[index] = found
        steps.add(int(saved.get("step", 1)))
    if len(steps) > 2:
        raise BadInputError("the saved parameters have taken different numbers of steps; rules count them together")
    pairs = zip(state["param_groups"], groups, strict=True)
    counters = {"steps": max(steps), "refused": 0, "zero_gradients": 0}
    return {
        "state": vectors,
        "param_groups": [_group(saved, own, rule) for saved, own in pairs],
        "glissade": {"rule": rule, "counters": counters},
    }
