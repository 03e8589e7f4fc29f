"""What weights and gradients do from a step that was looked at to the next one: for the smoothness along steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Move:
    """A step s: |s|, |g(w + s) - g(w)| and |g(w)| of mini-batches of equally many examples."""

    step_norm: float
    change_norm: float
    gradient_norm: float
    examples: int


class Moves:
    """Copies of weights and gradient from a look to the next step: twice the memory of the weights that long."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._now: dict[str, tuple[Tensor, Tensor]] = {}
        self._found: dict[str, tuple[Tensor, Tensor]] = {}
        self._examples = 0
        self._scale = 1.0
        self._handles: list[Any] = []

    def begin(self, keep: bool) -> None:
        """A step begins; keep: it is looked at, and its gradient will be compared with the next one."""
        self._close()
        for name, p in self.model.named_parameters() if keep or self._kept else ():
            if p.requires_grad:
                tensor: Any = p
                self._handles.append(tensor.register_post_accumulate_grad_hook(partial(self._accumulated, name, keep)))

    @torch.no_grad()
    def _accumulated(self, name: str, keep: bool, p: Tensor) -> None:
        if p.grad is None or p.grad.is_sparse:
            return
        if name in self._kept:
            w, g = self._kept[name]
            self._found[name] = _norm2(p - w), _norm2(p.grad - g)
        if keep:
            self._now[name] = p.detach().clone(), p.grad.clone()

    def end(self, examples: int, scale: float, names: set[str]) -> Move | None:
        """The step has ended. examples: of its mini-batch; scale: that its loss was multiplied by; names: the
        parameters that are to be kept of it. Gives the move since the look before, where there was one."""
        move = None
        if self._found and examples == self._examples and scale == self._scale:
            step2, change2 = (sum(float(found[i]) for found in self._found.values()) for i in range(2))
            norm2 = sum(float(_norm2(self._kept[name][1])) for name in self._found)
            move = Move(math.sqrt(step2), math.sqrt(change2) / scale, math.sqrt(norm2) / scale, examples)
        self._kept = {name: pair for name, pair in self._now.items() if name in names}
        self._examples, self._scale = examples, scale
        self._close()
        return move

    def _close(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._now, self._found = {}, {}

    def forget(self) -> None:
        """Compares with nothing that was."""
        self._close()
        self._kept = {}

    def state_dict(self) -> dict[str, Any]:
        kept = {name: (w.clone(), g.clone()) for name, (w, g) in self._kept.items()}
        return {"kept": kept, "examples": self._examples, "scale": self._scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.forget()
        self._kept, self._examples, self._scale = dict(state["kept"]), int(state["examples"]), float(state["scale"])


def _norm2(t: Tensor) -> Tensor:
    wide = torch.promote_types(t.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(t, dtype=wide)
    return norm.double().square()
