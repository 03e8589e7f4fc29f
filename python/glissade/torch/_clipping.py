"""Adaptive micro-batch clipping for PyTorch: one forward and one backward pass for micro-batches of any size."""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import BadInputError, NonfiniteError, UnsupportedError
from ._backward import Gathered, graph_of, known_parameters
from ._factors import Factor
from ._groups import Groups, by_key, consecutive
from ._layers import couples
from ._replayed import replayed_use
from ._uses import Use, use_of

TINY = float(torch.finfo(torch.float32).tiny)  # A norm below it counts as zero.


@dataclass(frozen=True)
class ClippingReport:
    """What a clipped backward pass did.

    Attributes:
        groups: how many micro-batches there were.
        bound: that they were clipped at: the given one, or the smallest norm; NaN where no norm is finite and above 0.
        norms: [groups] norms of their mean gradients.
        factors: [groups] that these were multiplied by.
        clipped_share: of micro-batches with a factor below 1.
        zero_groups, nonfinite_groups: how many had a gradient of zero, or one that is not finite.
    """

    groups: int
    bound: float
    norms: Tensor
    factors: Tensor
    clipped_share: float
    zero_groups: int
    nonfinite_groups: int


class FallbackWarning(UserWarning):
    """Parameters of layers that are not known: their gradients are made micro-batch by micro-batch."""


class MicroBatchClipping:
    """Clips the mean gradient of every micro-batch to the smallest of their norms, or to a bound, before the sum.

        clipping = MicroBatchClipping(model, microbatch=16)
        losses = criterion(model(x), y)          # [examples], reduction="none"
        report = clipping.backward(losses)       # in the place of losses.mean().backward()
        optimizer.step()

    Norms come from what each layer saw and from the gradient of its output; the weight gradients are formed once, with
    each example's factor. That holds for linear layers, convolutions, embeddings, layer, group and RMS norms, batch
    norm in evaluation mode, and, by running them once more, attention and LSTMs without dropout (batch_first), also
    where a parameter is used several times. Parameters of other layers (or used outside of their layer) have their
    gradients made micro-batch by micro-batch, each at the price of a backward pass; a FallbackWarning names them once.
    The same holds for all parameters where the losses are not those of the model's latest forward pass (passes without
    gradients aside). Every tensor that layers see must have the examples along its first dimension.

    Args:
        model: the module; hooks are put on its layers until `close`.
        microbatch: examples of a micro-batch; the last one may be smaller; 0: all of them.
        bound: norm to clip at; None: the smallest norm of the mini-batch's micro-batches that is not zero (adaptive).
        reduce: "mean": over examples; "sum": of the micro-batches' clipped means.
        nonfinite: where a micro-batch's gradient is not finite: "skip_step" makes the gradients NaN, which the
            optimizers of this package refuse; "skip_group" leaves it out; "stop" raises NonfiniteError.

    Raises:
        BadInputError: options out of bounds.
        UnsupportedError: batch norm that mixes micro-batches.

    Source: [M] algorithm 1.
    """

    def __init__(
        self,
        model: nn.Module,
        microbatch: int = 1,
        *,
        bound: float | None = None,
        reduce: str = "mean",
        nonfinite: str = "skip_step",
    ) -> None:
        try:
            microbatch = index(microbatch)
        except TypeError as error:
            raise BadInputError(f"microbatch {microbatch!r}: expected a number of examples") from error
        if microbatch < 0 or (bound is not None and not 0 < bound < math.inf):
            raise BadInputError(
                f"microbatch {microbatch}, bound {bound}: expected at least 0, and a bound above 0 or None"
            )
        if reduce not in ("mean", "sum"):
            raise BadInputError(f"reduce '{reduce}': expected mean or sum")
        if nonfinite not in ("skip_step", "skip_group", "stop"):
            raise BadInputError(f"nonfinite '{nonfinite}': expected skip_step, skip_group or stop")
        self.model, self.microbatch, self.bound = model, microbatch, bound
        self.reduce, self.nonfinite = reduce, nonfinite
        self._uses: list[Use] = []
        self._said: set[str] = set()
        self._examples = 0
        self._handles = [model.register_forward_pre_hook(self._begin, with_kwargs=True)]
        for module in model.modules():
            if next(module.parameters(recurse=False), None) is not None:
                self._handles.append(module.register_forward_hook(self._seen, with_kwargs=True))

    def close(self) -> None:
        """Takes the hooks off the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._uses.clear()

    def __enter__(self) -> MicroBatchClipping:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if torch.is_grad_enabled():  # A pass without a graph leads to no losses.
            self._uses.clear()
        tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor) and t.dim() > 0]
        self._examples = len(tensors[0]) if tensors else 0

    def _seen(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        use, changed = use_of(module, args, output, self._examples)
        use = use or replayed_use(module, args, kwargs, output)
        if use is not None:
            self._uses.append(use)
        return changed

    def backward(self, losses: Tensor, *, keys: Tensor | None = None) -> ClippingReport:
        """Adds the clipped gradient to the `grad` of the model's parameters.

        losses: [examples], what the last forward pass of the model led to, none of them a mean over others; those of
            an earlier pass are slower.
        keys: [examples] integers: micro-batches are the examples of one key, whatever their number.
        """
        if losses.dim() != 1 or not losses.requires_grad:
            raise BadInputError(f"losses: shape {list(losses.shape)}: expected one for each example, with their graph")
        examples = len(losses)
        groups = (
            consecutive(examples, self.microbatch, losses.device)
            if keys is None
            else by_key(keys, examples, losses.device)
        )
        trained = self._trained(groups)
        report = self._whole(losses, groups, trained) if groups.count == 1 else self._clipped(losses, groups, trained)
        self._uses.clear()
        return report

    def _trained(self, groups: Groups) -> list[Tensor]:
        """The parameters; UnsupportedError where micro-batches have no gradients of their own."""
        trained: dict[int, Tensor] = {}
        for module in self.model.modules():
            if groups.count > 1 and couples(module):
                name = next(n for n, m in self.model.named_modules() if m is module)
                raise UnsupportedError(
                    f"{name}: batch norm takes its statistics over the whole mini-batch, so that micro-batches have no "
                    "gradients of their own; use group norm, evaluation mode, or one micro-batch"
                )
            trained.update((id(p), p) for p in module._parameters.values() if p is not None and p.requires_grad)
        return list(trained.values())

    def _whole(self, losses: Tensor, groups: Groups, trained: list[Tensor]) -> ClippingReport:
        """One micro-batch: the plain gradient, scaled."""
        found = torch.autograd.grad(losses.sum(), trained, allow_unused=True)
        norm2 = sum(_norm2(g) for g in found if g is not None)
        report = self._report(torch.tensor([norm2], dtype=torch.float64, device=losses.device), groups)
        weight = float(self._weights(groups, report)[0])
        for p, g in zip(trained, found, strict=True):
            if g is not None:
                _accumulate(p, g * weight if weight else torch.zeros_like(g))
        return report

    def _clipped(self, losses: Tensor, groups: Groups, trained: list[Tensor]) -> ClippingReport:
        graph, examples = graph_of(losses), len(losses)
        uses = [u for u in self._uses if u.within(graph.nodes) and u.independent(examples)]
        known = known_parameters(graph, uses)
        rest = [p for p in trained if id(p) not in known]
        self._name(rest)
        gathered = Gathered(uses, known, groups)
        gathered.run(losses, graph, bool(rest))
        report = self._report(gathered.norm2 + self._norm2_of_rest(losses, groups, rest), groups)
        self._add(losses, groups, gathered.factors, rest, report)
        return report

    def _name(self, rest: list[Tensor]) -> None:
        """A warning names those of the parameters that are not known which have not been named."""
        ids = {id(p) for p in rest}
        named = self.model.named_parameters() if rest else ()
        new = [name for name, p in named if id(p) in ids and name not in self._said]
        if new:
            self._said.update(new)
            shown = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
            warnings.warn(
                f"MicroBatchClipping: gradients of {shown} are made micro-batch by micro-batch",
                FallbackWarning,
                stacklevel=4,
            )

    def _norm2_of_rest(self, losses: Tensor, groups: Groups, rest: list[Tensor]) -> Tensor:
        """[groups] squared norms of the sums of gradients over each group."""
        found = torch.zeros(groups.count, dtype=torch.float64, device=losses.device)
        for number, rows in zip(groups.order().tolist(), groups, strict=True) if rest else ():
            gradients = torch.autograd.grad(losses[rows].sum(), rest, retain_graph=True, allow_unused=True)
            found[number] = sum(_norm2(g) for g in gradients if g is not None)
        return found

    def _report(self, norm2: Tensor, groups: Groups) -> ClippingReport:
        """In NumPy, whose operations on so few numbers cost less."""
        norms = np.sqrt(np.maximum(norm2.cpu().numpy(), 0.0))  # Rounding may go below nothing.
        norms /= groups.sizes.cpu().numpy()
        finite = np.isfinite(norms)
        live = finite & (norms >= TINY)
        lives, bad = int(np.count_nonzero(live)), groups.count - int(np.count_nonzero(finite))
        bound = self.bound if self.bound is not None else float(norms[live].min()) if lives else math.nan
        clipped = live & (norms > bound)
        factors = np.ones_like(norms)
        np.divide(bound, norms, out=factors, where=clipped)
        if bad and self.nonfinite == "stop":
            raise NonfiniteError(f"the gradients of {bad} of {groups.count} micro-batches are not finite")
        if lives < groups.count:
            factors[~live] = 0.0
            factors[~finite] = 0.0 if self.nonfinite == "skip_group" else math.nan
        share = int(np.count_nonzero(clipped)) / groups.count
        of_groups = torch.from_numpy(norms).to(norm2.device), torch.from_numpy(factors).to(norm2.device)
        return ClippingReport(groups.count, bound, *of_groups, share, groups.count - bad - lives, bad)

    def _weights(self, groups: Groups, report: ClippingReport) -> Tensor:
        """[examples] what each example's gradient is multiplied by."""
        if self.reduce == "sum":
            of_group = report.factors / groups.sizes
        else:
            left = len(groups.of)
            if self.nonfinite == "skip_group" and report.nonfinite_groups:
                left = int(groups.sizes[torch.isfinite(report.norms)].sum())
            of_group = report.factors / max(1, left)
        return of_group if groups.single else of_group[groups.of]

    def _add(
        self,
        losses: Tensor,
        groups: Groups,
        factors: dict[Tensor, list[Factor]],
        rest: list[Tensor],
        report: ClippingReport,
    ) -> None:
        weights = self._weights(groups, report)
        skipped = weights == 0
        some = bool(skipped.any())
        wide = weights.to(functools.reduce(torch.promote_types, {p.dtype for p in factors}, torch.float32))
        with torch.no_grad():
            for p in list(factors):  # What a parameter's gradient is made of goes as soon as it is made.
                parts = factors.pop(p)
                while parts:
                    g = _weighted(parts.pop(0), wide, skipped if some else None)
                    _accumulate(p, g.to(p.dtype))
        if not rest:
            return
        sent = torch.where(skipped, torch.zeros_like(losses), losses * weights.to(losses.dtype)).sum()
        for p, g in zip(rest, torch.autograd.grad(sent, rest, allow_unused=True), strict=True):
            if g is not None:
                _accumulate(p, g)


def clip_per_example(
    model: nn.Module, bound: float, *, reduce: str = "mean", nonfinite: str = "skip_step"
) -> MicroBatchClipping:
    """Clips every example's gradient to a bound before the sum: MicroBatchClipping with micro-batches of one example.

    Args:
        model, bound, reduce, nonfinite: as MicroBatchClipping takes them.

    Raises:
        BadInputError: options out of bounds. UnsupportedError: batch norm in training mode, at the backward pass.
    """
    return MicroBatchClipping(model, 1, bound=bound, reduce=reduce, nonfinite=nonfinite)


def _weighted(part: Factor, weights: Tensor, skipped: Tensor | None) -> Tensor:
    """A skipped example may hold a NaN, which no factor of 0 takes away; None: none is skipped."""
    g = part.weighted(weights)
    if skipped is not None and not bool(torch.isfinite(g).all()) and bool(torch.isfinite(weights).all()):
        kept = (~skipped).nonzero().flatten()
        return part.of(kept).weighted(weights[kept])
    return g


def _norm2(g: Tensor) -> float:
    return float(torch.linalg.vector_norm(g, dtype=torch.float64)) ** 2


def _accumulate(p: Tensor, g: Tensor) -> None:
    if p.grad is None:
        p.grad = g.contiguous()
    else:
        p.grad += g
