"""Micro-batch clipping in the Trainer of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .._errors import BadInputError, UnsupportedError
from ..torch import ClippingReport, MicroBatchAccumulation


def _parts(inputs: Mapping[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """The rows of a batch, `size` at a time; what is no tensor of rows goes to each part."""
    rows = {len(v) for v in inputs.values() if isinstance(v, Tensor) and v.dim() > 0}
    if not size:
        yield dict(inputs)
        return
    if len(rows) != 1:
        raise BadInputError(f"microbatch {size}: the inputs have {sorted(rows)} rows: expected the same number in all")
    count = rows.pop()
    for begin in range(0, count, size):
        yield {
            name: v[begin : begin + size] if isinstance(v, Tensor) and v.dim() > 0 else v for name, v in inputs.items()
        }


class MicroBatchClippingMixin:
    """Adaptive micro-batch clipping for a Trainer: micro-batches are those that gradients accumulate over.

        class ClippingTrainer(glissade.transformers.MicroBatchClippingMixin, transformers.Trainer):
            pass

        trainer = ClippingTrainer(model, arguments, train_dataset=..., microbatch=4)

    Each micro-batch has the mean loss of its own rows and tokens; their gradients are clipped to the smallest of their
    norms over all accumulated ones, and averaged. The Trainer's own `max_grad_norm` clips the result once more, unless
    it is 0. On one device.

    Args:
        microbatch: rows of a micro-batch; 0: all of per_device_train_batch_size, so that there are
            gradient_accumulation_steps of them. Smaller ones have a pass of their own each.
        bound: norm to clip at; None: the smallest norm (adaptive).
        reduce: "mean": over micro-batches; "sum".
        nonfinite: where a gradient is not finite: "skip_step" (the result is NaN), "skip_group" or "stop".
        All others are the Trainer's.

    Attributes:
        clipping_report: ClippingReport of the last step, None before the first. Its bound and clipped_share are in the
            Trainer's logs as clip_bound and clip_share.

    Source: [M] algorithm 1.
    """

    args: Any
    accelerator: Any
    optimizer: Any
    compute_loss: Any
    compute_loss_context_manager: Any
    current_gradient_accumulation_steps: int
    _prepare_inputs: Any

    def __init__(
        self,
        *args: Any,
        microbatch: int = 0,
        bound: float | None = None,
        reduce: str = "mean",
        nonfinite: str = "skip_step",
        **kwargs: Any,
    ) -> None:
        if microbatch < 0:
            raise BadInputError(f"microbatch {microbatch}: expected at least 0")
        super().__init__(*args, **kwargs)
        if self.args.world_size > 1 or self.args.n_gpu > 1:
            raise UnsupportedError(
                "several devices: their gradients are summed before they can be clipped; "
                "glissade.torch.MicroBatchExchange makes a rank a micro-batch"
            )
        self.microbatch = microbatch
        self.clipping_report: ClippingReport | None = None
        self._clip_options: dict[str, Any] = {"bound": bound, "reduce": reduce, "nonfinite": nonfinite}
        self._accumulation: MicroBatchAccumulation | None = None
        MicroBatchAccumulation([torch.zeros(1, requires_grad=True)], **self._clip_options)

    def training_step(self, model: Any, inputs: Mapping[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """One batch: its micro-batches are added; with the last batch of a step the clipped gradient is made."""
        model.train()
        if callable(getattr(self.optimizer, "train", None)):
            self.optimizer.train()
        if self._accumulation is None:
            self._accumulation = MicroBatchAccumulation(model.parameters(), **self._clip_options)
        losses = []
        for part in _parts(self._prepare_inputs(inputs), self.microbatch):
            with self.compute_loss_context_manager():
                loss = self.compute_loss(model, part)
            # accelerate divides by its number of accumulated batches.
            self.accelerator.backward(loss * self.accelerator.gradient_accumulation_steps)
            self._accumulation.add()
            losses.append(loss.detach())
        if self.accelerator.sync_gradients:
            self.clipping_report = self._accumulation.finish()
        return torch.stack(losses).mean() / self.current_gradient_accumulation_steps

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """The Trainer's, with the bound and the share of clipped micro-batches of the last step."""
        report = self.clipping_report
        if report is not None and "loss" in logs:
            logs = {**logs, "clip_bound": report.bound, "clip_share": report.clipped_share}
        super().log(logs, *args, **kwargs)  # type: ignore[misc]
