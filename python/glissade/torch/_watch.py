"""Watches one step of training: norms of single examples' gradients by hooks, in the loop's own backward pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ._factors import Factor
from ._groups import Groups, consecutive
from ._layers import independent, kind_of
from ._norms import Work, norm2_of_uses, work_of
from ._replayed import is_replayed, replayed_use
from ._uses import Use

# How far a gradient that was put together from a layer's input and output may be from the one that the backward pass
# has made, relative to it: rounding of half precision. Ours.
NEAR = 0.02


@dataclass
class _Pass:
    """A forward pass and what its backward pass has shown so far."""

    examples: int
    calls: Counter[int] = field(default_factory=Counter)
    uses: dict[int, list[Factor]] = field(default_factory=dict)
    norm2: dict[int, Tensor] = field(default_factory=dict)
    groups: Groups | None = None
    replayed: list[Use] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """What a step has shown, each scaled so that the mean over all is the parameters' `grad`.

    norm2: [examples, parameters] squared norms of single examples, or [micro-batches, parameters].
    mean_norm2: [parameters] of the gradient itself.
    sizes: examples of each pass.
    """

    names: list[str]
    norm2: Tensor
    mean_norm2: Tensor
    sizes: list[int]


class Watch:
    """Hooks for one step; they are there only while it is watched, so that other steps cost nothing.

    mode: "examples": single examples, of the layers that `only` (None: all) names; "passes": the gradient of each
        backward pass as a whole; "sizes": how many examples each pass had, without any hook.
    """

    def __init__(self, model: nn.Module, mode: str) -> None:
        self.model, self.mode = model, mode
        self.only: Callable[[nn.Module], bool] | None = None
        self.names: dict[int, str] = {}
        self.dropped: dict[str, str] = {}
        self.work = Work()
        self.wrong: str | None = None
        self._checked: set[str] = set()
        self._totals: dict[int, Tensor] = {}
        self._handles: list[Any] = []
        self._passes: list[_Pass] = []
        self._mean_norm: dict[int, Tensor] = {}
        self._parameters: dict[int, nn.Parameter] = {}

    # ---- a step ----

    def begin(self) -> None:
        """Puts the hooks on."""
        self.end()
        self.names, self._parameters = {}, {}
        self.work, self.wrong = Work(), None
        for module in self.model.modules() if self.mode == "examples" else ():
            if (kind_of(module) is not None or is_replayed(module)) and (self.only is None or self.only(module)):
                self._handles.append(module.register_forward_hook(self._seen, with_kwargs=True))
        for name, p in self._watched():
            self.names[id(p)], self._parameters[id(p)] = name, p
            tensor: Any = p
            self._handles.append(tensor.register_post_accumulate_grad_hook(partial(self._accumulated, id(p))))
            if self.mode == "passes":
                self._handles.append(tensor.register_hook(partial(self._whole, id(p))))

    def _watched(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters whose gradients are read."""
        of_layers = None
        if self.only is not None:
            layers = filter(self.only, self.model.modules())
            of_layers = {id(p) for layer in layers for p in layer.parameters(recurse=False)}
        for name, p in self.model.named_parameters() if self.mode != "sizes" else ():
            if p.requires_grad and name not in self.dropped and (of_layers is None or id(p) in of_layers):
                yield name, p

    def end(self) -> None:
        """Takes the hooks off and forgets what they saw."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._passes.clear()
        self._mean_norm.clear()
        self._totals.clear()

    def passes(self, examples: int) -> None:
        """A forward pass with gradients begins."""
        if self._passes and self.mode != "sizes" and self._empty(self._passes[-1]):
            self._passes.pop()  # Of the one before nobody asked for gradients.
        if self._passes and self._restarted():
            self._passes.clear()
        self._passes.append(_Pass(examples))
        if not self._mean_norm and any(_nonzero(p.grad) for p in self._parameters.values()):
            self.wrong = "gradients were not zero at the beginning of the step"

    def _empty(self, one: _Pass) -> bool:
        return not one.norm2 and not one.uses

    def _restarted(self) -> bool:
        """The gradients were thrown away: what was seen before belongs to no step."""
        return bool(self._mean_norm) and all(self._parameters[p].grad is None for p in self._mean_norm)

    # ---- hooks ----

    def _seen(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if is_replayed(module) and self._passes:
            self._seen_whole(module, args, kwargs, output)
            return
        if not args or not isinstance(output, Tensor) or not output.requires_grad or not self._passes:
            return
        one = self._passes[-1]
        trained = [(n, p) for n, p in module.named_parameters(recurse=False) if p.requires_grad]
        x = args[0].detach()
        if not trained or not independent(module, x, one.examples) or len(output) != one.examples:
            return
        one.calls.update(id(p) for _, p in trained)
        tensor: Any = output
        tensor.register_hook(partial(self._backward, one, module, x, x._version))

    def _seen_whole(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """A layer that is run again once the gradients of its outputs are there."""
        one, use = self._passes[-1], replayed_use(module, args, kwargs, output)
        if use is None or not use.independent(one.examples):
            return
        one.calls.update(id(p) for p in use.parameters.values())
        one.replayed.append(use)
        for i, edge in enumerate(use.edges):
            self._handles.append(edge.node.register_prehook(partial(_note, use, i, edge.output_nr)))

    def _replay(self, one: _Pass, use: Use) -> None:
        one.replayed.remove(use)
        if all(g is None for g in use.gradients):
            return
        with torch.autocast(next(iter(self._parameters.values())).device.type, enabled=False):
            factors = use.factors()
        for name, factor in factors.items():
            p = use.parameters.get(name)
            if p is not None and self.names.get(id(p)):
                self._use(one, id(p), factor)

    @torch.no_grad()
    def _backward(self, one: _Pass, module: nn.Module, x: Tensor, version: int, g: Tensor) -> None:
        if one is not (self._passes[-1] if self._passes else None):
            self.wrong = "a forward pass began before the backward pass of the one before"
            return
        kind = kind_of(module)
        if kind is None:
            return
        if x._version != version:
            self._drop([p for p in module.parameters(recurse=False)], "its layer's input was changed in place")
            return
        wide = torch.promote_types(g.dtype, torch.float32)
        if x.is_floating_point():
            x = x.to(wide)
        for name, factor in kind(module, x, g.to(wide)).items():
            p = getattr(module, name, None)
            if isinstance(p, Tensor) and p.requires_grad and self.names.get(id(p)):
                self._use(one, id(p), factor)

    def _use(self, one: _Pass, p: int, factor: Factor) -> None:
        self.work += work_of(factor)
        if self.names[p] not in self._checked:
            whole = factor.weighted(torch.ones(one.examples, device=self._parameters[p].device))
            self._totals[p] = self._totals[p] + whole if p in self._totals else whole
            self.work += Work(norms=work_of(factor).plain / 3)  # The product that a gradient of the weights takes.
        if one.calls[p] == 1 and p not in one.norm2:
            one.norm2[p] = norm2_of_uses([factor], self._groups(one))
            return
        one.uses.setdefault(p, []).append(factor)

    def _groups(self, one: _Pass) -> Groups:
        if one.groups is None:
            device = next(self.model.parameters()).device
            one.groups = consecutive(one.examples, 1, device)
        return one.groups

    @torch.no_grad()
    def _whole(self, p: int, g: Tensor) -> None:
        if self._passes:
            self._passes[-1].norm2[p] = _norm(g)[None].double().square()

    @torch.no_grad()
    def _accumulated(self, p: int, parameter: Tensor) -> None:
        if not self._passes or parameter.grad is None:
            return
        one, g = self._passes[-1], parameter.grad
        for use in [u for u in one.replayed if any(parameter is q for q in u.parameters.values())]:
            self._replay(one, use)
        if p in one.uses:
            if p in one.norm2:
                self._drop([parameter], "its layers were not known to share it")
            else:
                one.norm2[p] = norm2_of_uses(one.uses.pop(p), self._groups(one))
        self._mean_norm[p] = _norm(g)
        if self.mode == "examples" and p in one.norm2 and self.names.get(p, "") not in self._checked:
            self._check(p, g, self._totals.pop(p, None))

    def _check(self, p: int, g: Tensor, whole: Tensor | None) -> None:
        """Once: the gradient that layers account for is the whole one, and the first of this step."""
        if len(self._passes) > 1:
            return
        self._checked.add(self.names.get(p, ""))
        off = float("inf") if whole is None else float((whole.to(g.dtype) - g).double().norm())
        if not off <= NEAR * float(g.double().norm()):
            self._drop([self._parameters[p]], "it is used outside of its layer")

    def _drop(self, parameters: list[Any], why: str) -> None:
        for p in parameters:
            name = self.names.pop(id(p), None)
            if name is not None:
                self.dropped[name] = why

    # ---- what it saw ----

    def sizes(self) -> list[int]:
        """Examples of each pass."""
        return [one.examples for one in self._passes]

    @torch.no_grad()
    def changed(self) -> float:
        """Norm of the gradients now over that after the backward pass; NaN where that was zero."""
        now = (_norm(g) for p in self._mean_norm if (g := self._parameters[p].grad) is not None)
        before = math.hypot(*map(float, self._mean_norm.values()))
        return math.hypot(*map(float, now)) / before if before > 0 else math.nan

    def checked(self) -> dict[str, Any]:
        """What it knows of parameters, for a checkpoint."""
        return {"right": sorted(self._checked), "dropped": dict(self.dropped)}

    def set_checked(self, state: Mapping[str, Any]) -> None:
        self._checked, self.dropped = set(state["right"]), dict(state["dropped"])

    def seen(self) -> Seen | None:
        """After the last backward pass of the step; None where nothing can be said, `wrong` says why."""
        passes = [one for one in self._passes if one.norm2]
        if self.wrong or not passes:
            self.wrong = self.wrong or "no backward pass was seen"
            return None
        known = [p for p in self.names if p in self._mean_norm and all(p in one.norm2 for one in passes)]
        if not known:
            self.wrong = "no parameter belongs to a layer that is known"
            return None
        norm2 = torch.cat([torch.stack([one.norm2[p] for p in known], 1) for one in passes]).double()
        mean_norm2 = torch.stack([self._mean_norm[p] for p in known]).double().square()
        sizes = [one.examples for one in passes]
        return Seen([self.names[p] for p in known], norm2 * float(len(norm2)) ** 2, mean_norm2, sizes)

    def covered(self, seen: Seen) -> float:
        """Share of the trained parameters of which it speaks."""
        size = {name: p.numel() for name, p in self.model.named_parameters() if p.requires_grad}
        return sum(size[name] for name in seen.names) / max(1, sum(size.values()))

    def left_out(self, seen: Seen) -> Iterator[str]:
        names = set(seen.names)
        return (n for n, p in self.model.named_parameters() if p.requires_grad and n not in names)


def _note(use: Use, i: int, output: int, gradients: tuple[Tensor | None, ...]) -> None:
    use.gradients[i] = gradients[output]


def _nonzero(g: Tensor | None) -> bool:
    return g is not None and bool(g.count_nonzero())


def _norm(g: Tensor) -> Tensor:
    if g.is_sparse:
        g = g.coalesce().values()
    norm: Tensor = torch.linalg.vector_norm(g, dtype=torch.promote_types(g.dtype, torch.float32))
    return norm
