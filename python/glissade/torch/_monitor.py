"""The monitor on the hooks of a PyTorch model: the noise scale along somebody's own loop, with interval and cost."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import BadInputError, UnsupportedError
from .._journal import Journal
from .._measure import Measurements
from .._monitor import Monitor
from ._clipping import ClippingReport
from ._layers import is_norm, norm_parameters, refuse_coupled, size_of
from ._moves import Moves
from ._ranks import Ranks
from ._regression import Regression
from ._watch import Seen, Watch

SOURCES = ("examples", "microbatches", "ranks", "norm_layers")
# What a look costs in multiply-adds of a plain step: one in a norm, a number that is read, a layer's hooks; and what a
# plain step takes for each tensor of parameters, and its optimizer for each parameter. Measured on CPUs; ours.
NORMS, TOUCHED, CALL, LAYER, REST = 2.0, 24.0, 1.2e7, 8e6, 160.0
COPIES = 5.0  # Numbers touched for each parameter, where smoothness is asked for.
CALIBRATE = 16  # Looks from one at all layers to the next, where normalisation layers stand for them. Ours.
WRITE = 100  # Looks from one writing of all results to the next. Ours.


class MonitorWarning(UserWarning):
    """What a monitor leaves out, or could not look at; said once."""


@dataclass(frozen=True)
class NoiseScale:
    """The noise scale tr(Sigma) / |grad F|^2 in examples, which is the batch-size bound less 1.

    Attributes:
        value: NaN as long as the mean gradient cannot be told from zero.
        interval: 95%; (NaN, NaN) before the second look.
        source: "examples", "microbatches", "ranks" or "norm_layers".
        cost: of the looks so far in steps of training, per step: 0.08 is 8%.
        looks: so far.
        covered: share of the trained parameters whose gradients were read.
    """

    value: float
    interval: tuple[float, float]
    source: str
    cost: float
    looks: int
    covered: float


class GradientMonitor:
    """Watches a loop through hooks: noise scale, batch-size bound, norm test, clip frequency, suspects; with intervals.

        monitor = glissade.torch.GradientMonitor(model, optimizer, folder="runs/a")
        for x, y in loader:                   # the loop as it was
            criterion(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
        monitor.noise_scale                   # value, interval, cost

    The gradients are the loop's own, unchanged; on steps that are not looked at there is one hook, on the model.

    Sources of the noise scale:
        "examples": norms of single examples, from what each layer saw and from the gradient of its output, in the
            loop's own backward pass. By default so seldom that looks cost at most a tenth of the plain steps, counted
            from shapes. Layers as MicroBatchClipping knows them; the gradients of others are left out on both sides of
            the ratio, which `covered` and a MonitorWarning say. Tensors have the examples along their first dimension.
        "microbatches": norms of accumulated micro-batches of equal size against their mean: two readings of the
            gradients. Needs at least two backward passes a step.
        "ranks": norms of the ranks of DistributedDataParallel, by `communication_hook`: two readings of the gradients.
        "norm_layers": single examples, in normalisation layers alone, scaled by a line through the origin that every
            16th look at all layers adds a point to (`regression`).

    Args:
        model: an nn.Module; hooks are on it until `close`.
        optimizer: a step of it ends a step of training; None: `finish` does.
        source: see above.
        examples: n of the training set, drawn without replacement; 0: unknown.
        every: steps between looks; 0: by `share`.
        share: of the plain steps' cost that looks may take.
        smoothing, theta, list: of `glissade.Monitor`.
        scaler: the torch.amp.GradScaler of the loop, whose scale is taken off.
        smoothness: of "examples" and "microbatches": the local smoothness |g(w + s) - g(w)| / |s| from each look to the
            step behind it, by a copy of weights and gradient that long; the noise of the two mini-batches is taken off.
        clips: norms of the gradient before the step tell how it was clipped since the backward pass (clip_grad_norm_).
        folder: figures are written there as a run's: metrics.jsonl and measures.jsonl, which `glissade report` draws.
        tensorboard: True: event files in the folder too, where torch.utils.tensorboard is installed; or a writer.
        steps_per_epoch: for the epochs in those files.

    Raises:
        BadInputError: unknown sources, options out of bounds.
        UnsupportedError: at the first look: one micro-batch or rank, which says nothing about its noise; single
            examples with batch norm in training mode.

    Sources: McCandlish and others, An empirical model of large-batch training, 2018 (appendix A.1: unbiased estimates
    from two sizes); [D] definitions 4, 5; Gray and others, NeurIPS 2024.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        source: str = "examples",
        examples: int = 0,
        every: int = 0,
        share: float = 0.1,
        smoothing: float = 0.95,
        theta: float = 0.9,
        list: int = 20,  # noqa: A002 - the name of glissade.Monitor
        scaler: Any = None,
        smoothness: bool = False,
        clips: bool = True,
        folder: str | PathLike[str] | None = None,
        tensorboard: Any = False,
        steps_per_epoch: float = math.nan,
    ) -> None:
        if source not in SOURCES:
            raise BadInputError(f"source '{source}': expected one of {', '.join(SOURCES)}")
        if smoothness and source not in ("examples", "microbatches"):
            raise BadInputError(f"smoothness: source '{source}': expected examples or microbatches")
        options: dict[str, Any] = {
            "smoothing": smoothing,
            "theta": theta,
            "list": list,
            "share": share,
            "every": every,
            "cost": 0.0,
        }
        self.model, self.optimizer, self.source, self.scaler, self.clips = model, optimizer, source, scaler, clips
        self.monitor = Monitor(examples=examples, **options)
        self.regression = Regression()
        self._whole = Monitor(examples=examples, **options) if source == "norm_layers" else None
        modes = {"microbatches": "passes", "ranks": "sizes"}
        self._watch = Watch(model, modes.get(source, "examples"))
        self._ranks = Ranks() if source == "ranks" else None
        self._layers = norm_parameters(model)
        self._places = [
            (m._parameters, name) for m in model.modules() for name, p in m._parameters.items() if p is not None
        ]
        self._moves = Moves(model) if smoothness else None
        self._counts: dict[str, float] = dict.fromkeys(("steps", "looks", "spent", "plain", "whole", "part"), 0.0)
        self._covered = math.nan
        self._stepping = self._due = self._taken = False
        self._examples = 0
        self._clipped: float | None = None
        self._noted: dict[str, Any] = {}
        self._said: set[str] = set()
        self._steps_per_epoch = steps_per_epoch
        settings = {"source": source, "examples": examples, **options}
        self._journal = Journal(folder, {"monitor": settings}) if folder is not None else None
        self._board = _board(tensorboard, folder)
        self._handles = [model.register_forward_pre_hook(self._forward, with_kwargs=True)]
        if optimizer is not None:
            self._handles.append(optimizer.register_step_pre_hook(lambda *_: self._before()))
            self._handles.append(optimizer.register_step_post_hook(lambda *_: self.finish()))

    # ---- in the loop ----

    def note(self, *, losses: Any = None, indices: Any = None) -> None:
        """Of the examples of this step, before it ends: losses [examples], and their places in the training set, for
        the list of suspects ("examples" alone)."""
        self._noted = {"losses": losses, "indices": indices}

    def take(self, report: ClippingReport, *, indices: Any = None) -> None:
        """What MicroBatchClipping did in this step: its norms and factors, for clip frequency and suspects.

        indices: [examples] in the order of the micro-batches, which must then be equally large.
        """
        self._taken = True
        group = 1 if indices is None else len(indices) // report.groups
        self.monitor.look(
            norms=report.norms.cpu(), factors=report.factors.clamp(max=1).cpu(), indices=indices, group=max(1, group)
        )

    def finish(self) -> None:
        """The step has ended: called by the optimizer's hook; without an optimizer, call it after the backward pass."""
        if not self._stepping:
            return
        self._stepping = False
        self._counts["steps"] += 1
        try:
            names = self._look() if self._due else set()
            if self._moves is not None:
                self._move(self._moves, names)
        finally:
            self._watch.end()
            self._noted, self._taken, self._clipped = {}, False, None

    def communication_hook(self, process_group: Any = None) -> Callable[[Any, Any], Any]:
        """For source "ranks": `ddp.register_comm_hook(None, monitor.communication_hook())`, on every rank.

        It takes each rank's norm of its own gradient, and that of the mean, and averages as DistributedDataParallel
        does. Raises BadInputError with another source.
        """
        if self._ranks is None:
            raise BadInputError(f"source '{self.source}': expected ranks, for a communication hook")
        return self._ranks.hook(process_group)

    def close(self) -> None:
        """Takes the hooks off, writes all results, and says in the folder that the run has ended."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._watch.end()
        if self._ranks is not None:
            self._ranks.begin(False)
        if self._moves is not None:
            self._moves.forget()
        if self._journal is not None and self._counts["looks"]:
            self._write_measures()
            self._journal.close({"steps": int(self._counts["steps"]), "looks": int(self._counts["looks"])})
        if self._board is not None:
            self._board.flush()

    def __enter__(self) -> GradientMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what it knows ----

    @property
    def noise_scale(self) -> NoiseScale:
        figures = self.monitor.figures
        value, low, high = (figures["noise_scale" + end] for end in ("", "_low", "_high"))
        if self._whole is not None:
            slope, (least, most) = self.regression.slope, self.regression.interval
            value, low, high = value * slope, max(low, 0.0) * least, high * most
        steps = max(1.0, self._counts["steps"])
        cost = self._counts["spent"] / steps
        return NoiseScale(value, (low, high), self.source, cost, int(self._counts["looks"]), self._covered)

    @property
    def figures(self) -> dict[str, float]:
        """Those of `glissade.Monitor`; with "norm_layers" all of the noise is scaled; also covered and monitor_cost."""
        scale = self.noise_scale
        figures = self.monitor.figures
        if self._whole is not None:
            figures |= {"norm_layers_noise_scale": figures["noise_scale"], "noise_scale_slope": self.regression.slope}
            ends = (scale.value, *scale.interval)
            for name, shift in (("noise_scale", 0.0), ("batch_size_bound", 1.0)):
                figures |= {name + end: x + shift for end, x in zip(("", "_low", "_high"), ends, strict=True)}
            if self.monitor.examples:
                figures["gradient_diversity"] = figures["batch_size_bound"] / self.monitor.examples
            of_whole = self._whole.figures
            figures |= {name: of_whole[name] for name in ("norm_test", "norm_test_batch")}
        return figures | {"looks": scale.looks, "covered": scale.covered, "monitor_cost": scale.cost}

    def report(self) -> Measurements:
        """All results, as `glissade.Monitor.report`; with "norm_layers" of the layers alone, unscaled."""
        return self.monitor.report()

    def state_dict(self) -> dict[str, Any]:
        """Its state, for a checkpoint between two steps; a monitor that loads it goes on to the same bits."""
        state: dict[str, Any] = {
            "source": self.source,
            "monitor": self.monitor.state_dict(),
            "counts": dict(self._counts),
            "covered": self._covered,
            "journal": self._journal.lengths() if self._journal is not None else None,
            "checked": self._watch.checked(),
        }
        if self._moves is not None:
            state["moves"] = self._moves.state_dict()
        if self._whole is not None:
            state |= {"whole": self._whole.state_dict(), "regression": self.regression.state_dict()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes what `state_dict` gave; BadInputError for the state of a monitor with other options."""
        if state.get("source") != self.source:
            raise BadInputError(f"state: source '{state.get('source')}': expected '{self.source}'")
        self.monitor.load_state_dict(state["monitor"])
        if self._whole is not None:
            self._whole.load_state_dict(state["whole"])
            self.regression.load_state_dict(state["regression"])
        if self._moves is not None:
            self._moves.load_state_dict(state["moves"])
        self._counts, self._covered = dict(state["counts"]), float(state["covered"])
        self._watch.set_checked(state["checked"])
        self._stepping = self._due = False
        self._watch.end()
        if self._journal is not None and state["journal"] is not None:
            self._journal.resume(state["journal"])

    # ---- a step ----

    def _forward(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not torch.is_grad_enabled():
            return
        if not self._stepping:
            if any(not isinstance(p, nn.Parameter) for of, name in self._places if (p := of.get(name)) is not None):
                return  # torch.func calls the model with other tensors: that is no step of training.
            self._stepping = True
            self._due = self.monitor.step()
            if self._ranks is not None:
                self._ranks.begin(self._due)
            self._examples = 0
            if self._due:
                self._begin_look()
            if self._moves is not None:
                self._moves.begin(self._due)
        first = next((t for t in (*args, *kwargs.values()) if isinstance(t, Tensor) and t.dim() > 0), None)
        examples = 0 if first is None else len(first)
        self._examples += examples
        if self._due:
            self._watch.passes(examples)

    def _begin_look(self) -> None:
        layers_alone = self._whole is not None and self._counts["looks"] % CALIBRATE != 0
        self._watch.only = is_norm if layers_alone else None
        if self._watch.mode == "examples":
            refuse_coupled(self.model)
        self._watch.begin()

    def _before(self) -> None:
        """How much clip_grad_norm_ has changed of the gradient since the backward pass."""
        if self._stepping and self._due and self.clips and self._ranks is None:
            self._clipped = min(1.0, self._watch.changed() * self._scale())

    def _scale(self) -> float:
        return float(self.scaler.get_scale()) if self.scaler is not None else 1.0

    def _look(self) -> set[str]:
        """The names of the parameters that it has read one by one."""
        seen, scale = self._watch.seen(), self._scale()
        if self._taken:
            return set()  # The backward pass was MicroBatchClipping's, which has told what it did.
        if self._ranks is not None:
            self._look_at_ranks(scale)
        elif seen is None:
            self._warn(f"no look: {self._watch.wrong}")
            return set()
        elif self.source != "microbatches":
            self._look_at_examples(seen, scale)
        elif not self._look_at_microbatches(seen, scale):
            return set()
        self._counts["looks"] += 1
        self._write()
        return set() if seen is None else set(seen.names)

    def _move(self, moves: Moves, names: set[str]) -> None:
        """The smoothness of the step between the last look and this step."""
        move = moves.end(self._examples, self._scale(), names)
        if move is not None:
            self.monitor.moved(**vars(move))

    def _look_at_examples(self, seen: Seen, scale: float) -> None:
        norm2, mean_norm2 = seen.norm2.cpu() / scale**2, seen.mean_norm2.cpu() / scale**2
        whole = self._watch.only is None
        if whole:
            self._cover(seen)
            self._counts["plain"] = self._watch.work.plain + self._rest()
        if self._whole is not None:
            of_layers = torch.tensor([name in self._layers for name in seen.names])
            if not bool(of_layers.any()):
                raise UnsupportedError("norm_layers: the model has no normalisation layer with known gradients")
            if whole:
                self._feed(self._whole, norm2.sum(1), mean_norm2.sum())
            norm2, mean_norm2 = norm2[:, of_layers], mean_norm2[of_layers]
        self._feed(self.monitor, norm2.sum(1), mean_norm2.sum(), **self._noted)
        if self._whole is not None and whole:
            self.regression.add(self.monitor.figures["noise_scale"], self._whole.figures["noise_scale"])
        copies = 0 if self._moves is None else COPIES * size_of(self.model)
        self._count(self._watch.work.norms, self._watch.work.touched + copies, 2 * len(seen.names))

    def _look_at_microbatches(self, seen: Seen, scale: float) -> bool:
        if len(seen.norm2) < 2 and not self._counts["plain"]:
            raise UnsupportedError(
                "microbatches: a step of one backward pass says nothing about the noise of its gradient: accumulate at "
                "least two, or take source 'examples'"
            )
        if len(seen.norm2) < 2 or len(set(seen.sizes)) > 1 or not seen.sizes[0]:
            self._warn(f"no look: micro-batches of {seen.sizes} examples: expected at least two of one size")
            return False
        self._cover(seen)
        self._counts["plain"] = 3.0 * sum(seen.sizes) * size_of(self.model) + self._rest(len(seen.sizes))
        norms, mean = seen.norm2.cpu().sum(1) / scale**2, seen.mean_norm2.cpu().sum() / scale**2
        self._feed(self.monitor, norms, mean, group=seen.sizes[0])
        reads = 2.0 * len(seen.sizes) + (0 if self._moves is None else COPIES)
        self._count(0.0, reads * size_of(self.model), len(seen.sizes) * len(seen.names))
        return True

    def _look_at_ranks(self, scale: float) -> None:
        assert self._ranks is not None
        norms, mean = self._ranks.gathered()
        if len(norms) < 2:
            raise UnsupportedError("ranks: one rank says nothing about the noise of its gradient")
        examples = sum(self._watch.sizes())
        self._covered = 1.0
        # Ranks look together: what each counted from its own examples might differ.
        self._counts["plain"] = 3.0 * size_of(self.model) + self._rest()
        self._feed(self.monitor, norms / scale**2, mean / scale**2, group=max(1, examples))
        self._count(0.0, 2.0 * size_of(self.model), 0)

    def _feed(self, to: Monitor, norm2: Tensor, mean_norm2: Tensor, **rest: Any) -> None:
        to.look(norms=norm2.sqrt().numpy(), mean_norm=math.sqrt(float(mean_norm2)), **rest)
        if self._clipped is not None and to is self.monitor:
            to.look(factors=np.array([self._clipped]))

    def _rest(self, passes: int = 1) -> float:
        """What a plain step costs beside the products of its layers."""
        tensors = sum(p.requires_grad for p in self.model.parameters())
        return REST * size_of(self.model) + LAYER * tensors * passes

    def _count(self, norms: float, touched: float, calls: int) -> None:
        """What this look has cost, and from that when the next one is due."""
        cost = (NORMS * norms + TOUCHED * touched + CALL * calls) / max(1.0, self._counts["plain"])
        self._counts["spent"] += cost
        self._counts["part" if self._watch.only is not None else "whole"] = cost
        if self._whole is not None:  # Looks at all layers are paid for by those between them.
            cost = self._counts["part"] + self._counts["whole"] / CALIBRATE
        self.monitor.set(cost=cost)

    def _cover(self, seen: Seen) -> None:
        self._covered = self._watch.covered(seen)
        left = [*self._watch.left_out(seen)]
        if left:
            shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
            why = {why for name, why in self._watch.dropped.items() if name in left}
            self._warn(f"gradients of {shown} are left out" + (": " + "; ".join(sorted(why)) if why else ""))

    def _warn(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            warnings.warn(f"GradientMonitor: {text}", MonitorWarning, stacklevel=3)

    # ---- files ----

    def _epoch(self) -> float:
        return self._counts["steps"] / self._steps_per_epoch if self._steps_per_epoch else math.nan

    def _write(self) -> None:
        step = int(self._counts["steps"])
        if self._journal is not None:
            self._journal.metrics(step, self._epoch(), self.figures)
            if self._counts["looks"] % WRITE == 0:
                self._write_measures()
        if self._board is not None:
            for name, value in self.figures.items():
                if math.isfinite(value):
                    self._board.add_scalar(f"gradients/{name}", value, step)

    def _write_measures(self) -> None:
        assert self._journal is not None
        results = self.monitor.results()
        if self._whole is not None:
            results = self._whole.results() | {"norm_layers": self._shown()}
        self._journal.measures(int(self._counts["steps"]), self._epoch(), results)

    def _shown(self) -> dict[str, Any]:
        """The regression as a measure's result."""
        line, scale = self.regression, self.noise_scale
        figures: dict[str, Any] = {
            "noise_scale": scale.value,
            "noise_scale_interval": scale.interval,
            "slope": line.slope,
            "slope_interval": line.interval,
            "correlation": line.correlation,
            "points": line.points,
            "norm_layers_noise_scales": line.x.tolist(),
            "noise_scales": line.y.tolist(),
        }
        beside = {"sample": scale.looks, "population": None, "seconds": 0.0, "units": {"noise_scale": "examples"}}
        return beside | {name: _plain(value) for name, value in figures.items()}


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _board(tensorboard: Any, folder: str | PathLike[str] | None) -> Any:
    if tensorboard is False or tensorboard is None:
        return None
    if tensorboard is not True:
        return tensorboard
    if folder is None:
        raise BadInputError("tensorboard: expected a folder beside it, or a writer")
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise BadInputError(f"tensorboard: {error}: expected the package tensorboard, or False") from error
    return SummaryWriter(str(folder))
