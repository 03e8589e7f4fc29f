"""Micro-batch clipping where the micro-batches of a step come one after another, as in gradient accumulation."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from .._errors import BadInputError, NonfiniteError
from ._clipping import ClippingReport
from ._rules import norm_of


class MicroBatchAccumulation:
    """Clips the gradients of micro-batches, each of a backward pass of its own, to the smallest norm or a bound.

        accumulation = glissade.torch.MicroBatchAccumulation(model.parameters())
        for part in parts:
            loss(model, part).backward()        # the mean loss of a micro-batch
            accumulation.add()
        report = accumulation.finish()          # the clipped gradient is in `grad`
        optimizer.step()

    Works with any model, batch norm included; holds one gradient beside `grad`. `MicroBatchClipping` needs one backward
    pass for all micro-batches instead.

    Args:
        parameters: whose gradients count.
        bound: norm to clip at; None: the smallest norm of the step's micro-batches that is not zero (adaptive).
        reduce: "mean": over micro-batches; "sum".
        nonfinite: where a gradient is not finite: "skip_step" makes the result NaN, which the optimizers of this
            package refuse; "skip_group" leaves the micro-batch out; "stop" raises NonfiniteError.

    Source: [M] algorithm 1.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        bound: float | None = None,
        reduce: str = "mean",
        nonfinite: str = "skip_step",
    ) -> None:
        if bound is not None and not 0 < bound < math.inf:
            raise BadInputError(f"bound {bound}: expected one above 0, or None")
        if reduce not in ("mean", "sum"):
            raise BadInputError(f"reduce '{reduce}': expected mean or sum")
        if nonfinite not in ("skip_step", "skip_group", "stop"):
            raise BadInputError(f"nonfinite '{nonfinite}': expected skip_step, skip_group or stop")
        self.parameters = [p for p in parameters if p.requires_grad]
        if not self.parameters:
            raise BadInputError("parameters: expected at least one that is trained")
        self.bound, self.reduce, self.nonfinite = bound, reduce, nonfinite
        self._norms: list[float] = []
        self._sums: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def add(self) -> float:
        """Takes the gradient of a micro-batch out of `grad`; gives its norm."""
        held = [(p, p.grad) for p in self.parameters if p.grad is not None]
        norm = norm_of([g for _, g in held])
        for p, _ in held:
            p.grad = None
        self._norms.append(norm)
        weight = self._weight(norm)
        if weight:
            torch._foreach_mul_([g for _, g in held], weight)
            fresh = [(p, g) for p, g in held if p not in self._sums]
            again = [(self._sums[p], g) for p, g in held if p in self._sums]
            if again:
                torch._foreach_add_([s for s, _ in again], [g for _, g in again])
            self._sums.update(fresh)
        else:
            self._sums.update({p: torch.zeros_like(g) for p, g in held if p not in self._sums})
        return norm

    def _weight(self, norm: float) -> float:
        """Adaptive: by its norm; the smallest one is a factor of all, and comes in the end."""
        if not self._live(norm):
            return 0.0
        return 1 / norm if self.bound is None else min(1.0, self.bound / norm)

    def _live(self, norm: float) -> bool:
        return math.isfinite(norm) and norm >= torch.finfo(torch.float32).tiny

    @torch.no_grad()
    def finish(self) -> ClippingReport:
        """Puts the clipped gradient of all micro-batches since the last call into `grad`."""
        if not self._norms:
            raise BadInputError("finish: no micro-batch was added: expected backward(), then add()")
        norms, sums = self._norms, self._sums
        self._norms, self._sums = [], {}
        live = [norm for norm in norms if self._live(norm)]
        bad = sum(not math.isfinite(norm) for norm in norms)
        if bad and self.nonfinite == "stop":
            raise NonfiniteError(f"the gradients of {bad} of {len(norms)} micro-batches are not finite")
        bound = self.bound if self.bound is not None else min(live, default=math.nan)
        scale = 1.0 if self.bound is not None or not live else bound
        if self.reduce == "mean":
            scale /= max(1, len(norms) - (bad if self.nonfinite == "skip_group" else 0))
        if bad and self.nonfinite == "skip_step":
            scale = math.nan
        if sums:
            torch._foreach_mul_(list(sums.values()), scale)
        for p, total in sums.items():
            p.grad = total
        return self._report(norms, live, bound, bad)

    def _report(self, norms: list[float], live: list[float], bound: float, bad: int) -> ClippingReport:
        factors = [min(1.0, bound / norm) if self._live(norm) else 0.0 for norm in norms]
        if self.nonfinite != "skip_group":
            factors = [f if math.isfinite(norm) else math.nan for f, norm in zip(factors, norms, strict=True)]
        clipped = sum(norm > bound for norm in live) / len(norms)
        of_groups, by = (torch.tensor(values, dtype=torch.float64) for values in (norms, factors))
        return ClippingReport(len(norms), bound, of_groups, by, clipped, len(norms) - len(live) - bad, bad)
