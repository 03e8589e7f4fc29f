"""The options of step rules that optimizers of other packages have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ._errors import BadInputError
from ._members import Option, members
from ._method import Method

_NOT_HERE = ("groups", "from_theory", "project", "state", "thresholds")


@cache
def options_of(rule: str) -> dict[str, Option]:
    """By key, without those that a whole run is needed for."""
    found = {m.name: m for m in members("methods")}
    return {o.key: o for o in found[rule].options if o.key not in _NOT_HERE}


def default(option: Option) -> Any:
    """A number, a truth value or a word."""
    text = option.default
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text or "")
    except ValueError:
        return text


def check(rule: str, options: Mapping[str, Any]) -> None:
    """Raises what the library says of options; a rate of 0, where schedules begin and end, is none of its business."""
    Method(rule, 1, threads=1, options={k: v for k, v in options.items() if k != "lr" or v != 0})


def refuse_unknown(rule: str, options: Mapping[str, Any]) -> None:
    """BadInputError for the first that the rule does not have, or that is not for optimizers."""
    for key in options:
        if key not in options_of(rule):
            check(rule, {key: options[key]})
            raise BadInputError(f"option '{key}' of {rule} cannot be used in an optimizer")
