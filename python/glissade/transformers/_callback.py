"""The monitor in the Trainer of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback  # type: ignore[import-not-found, import-untyped, unused-ignore]

from .. import torch as _torch
from .._errors import BadInputError

_FILE = "glissade_monitor.pt"
_LOGGED = ("noise_scale", "noise_scale_low", "noise_scale_high", "batch_size_bound", "norm_test")


class GradientMonitorCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Watches the gradients of a Trainer through glissade.torch.GradientMonitor: noise scale, norm test, suspects.

        trainer = transformers.Trainer(model, arguments, callbacks=[GradientMonitorCallback(source="microbatches")])

    The figures are in the Trainer's logs (noise_scale, ...), and in `folder` as a run's. With gradient accumulation the
    source "microbatches" costs next to nothing. What it knows is saved with every checkpoint, and found again by
    `trainer.train(resume_from_checkpoint=True)`.

    Args:
        options: of GradientMonitor, but for model and optimizer, which are the Trainer's.

    Attributes:
        monitor: the GradientMonitor, from the beginning of the training on; None before.
    """

    def __init__(self, **options: Any) -> None:
        for name in ("model", "optimizer", "scaler"):
            if name in options:
                raise BadInputError(f"option '{name}': it is the Trainer's")
        self._options = options
        self.monitor: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        """Puts the hooks on, and goes on with what the checkpoint knew."""
        if self.monitor is not None:
            self.monitor.close()
        optimizer = found["optimizer"]
        optimizer = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
        self.monitor = _torch.GradientMonitor(  # type: ignore[attr-defined, unused-ignore]
            found["model"], optimizer, **self._options
        )
        saved = Path(args.output_dir, f"checkpoint-{state.global_step}", _FILE)
        if state.global_step and saved.is_file():
            self.monitor.load_state_dict(torch.load(saved, weights_only=False))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Adds figures to what is logged."""
        if self.monitor is None or logs is None or "loss" not in logs or not self.monitor.noise_scale.looks:
            return
        figures = self.monitor.figures
        added = {name: figures[name] for name in _LOGGED if name in figures}
        logs.update(added)
        if state.log_history:
            state.log_history[-1].update(added)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Saves what it knows beside the model."""
        folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if self.monitor is not None and folder.is_dir():
            torch.save(self.monitor.state_dict(), folder / _FILE)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Takes the hooks off."""
        if self.monitor is not None:
            self.monitor.close()
