"""Exchanges of gradients between ranks, as communication hooks of DistributedDataParallel."""

# Annotations must stay objects: DistributedDataParallel looks at those of a hook.
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from .._errors import BadInputError, NonfiniteError
from . import _packing
from ._buckets import Buckets


@dataclass(frozen=True)
class ExchangeReport:
    """What an exchange did on this rank.

    Attributes:
        norm: of this rank's gradient; NaN or infinite where that is not finite.
        bound: that the ranks' gradients were clipped at: the given one, or the smallest norm; NaN where no rank's norm
            is finite and above 0.
        factor: that this rank's gradient was multiplied by before the sum.
        nonfinite_ranks: how many ranks' gradients were not finite.
    """

    norm: float
    bound: float
    factor: float
    nonfinite_ranks: int


class _Exchange:
    """A hook and its state; `attach` registers it."""

    def __init__(self, process_group: Any = None) -> None:
        self.process_group = process_group
        self._buckets = Buckets()

    def attach(self, model: DistributedDataParallel) -> None:
        """Makes it the way in which this model's gradients are exchanged."""
        model.register_comm_hook(None, self._hook)

    def _hook(self, state: Any, bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[name-defined, unused-ignore]
        raise NotImplementedError

    @property
    def _group(self) -> Any:
        return self.process_group if self.process_group is not None else dist.group.WORLD

    @property
    def _ranks(self) -> int:
        return dist.get_world_size(self._group)


class MicroBatchExchange(_Exchange):
    """Clips every rank's gradient to the smallest of their norms, or a bound, before the sum: ranks are micro-batches.

        exchange = glissade.torch.MicroBatchExchange()
        exchange.attach(ddp)                     # a DistributedDataParallel
        loss.backward()                          # of this rank's mean loss
        exchange.report.bound

    Every rank sends its gradient over its norm, and its norm: one sum and one minimum. No sum can begin before the
    backward pass has ended, since a norm is that of the whole gradient. With `no_sync` the accumulated gradient of a
    rank is the micro-batch.

    Args:
        bound: norm to clip at; None: the smallest norm of the ranks that is not zero (adaptive).
        reduce: "mean": over ranks; "sum".
        nonfinite: where a rank's gradient is not finite: "skip_step" makes the gradients NaN on all ranks, which the
            optimizers of this package refuse; "skip_group" leaves the rank out; "stop" raises NonfiniteError on all
            ranks out of the backward pass, behind which the model can be saved but not trained on.
        process_group: None: the default one; the model's.

    Attributes:
        report: ExchangeReport of the last exchange, None before the first.

    Source: [M] algorithm 1.
    """

    def __init__(
        self,
        *,
        bound: float | None = None,
        reduce: str = "mean",
        nonfinite: str = "skip_step",
        process_group: Any = None,
    ) -> None:
        super().__init__(process_group)
        if bound is not None and not 0 < bound < math.inf:
            raise BadInputError(f"bound {bound}: expected one above 0, or None")
        if reduce not in ("mean", "sum"):
            raise BadInputError(f"reduce '{reduce}': expected mean or sum")
        if nonfinite not in ("skip_step", "skip_group", "stop"):
            raise BadInputError(f"nonfinite '{nonfinite}': expected skip_step, skip_group or stop")
        self.bound, self.reduce, self.nonfinite = bound, reduce, nonfinite
        self.report: ExchangeReport | None = None
        self._gradient: list[Tensor] = []
        self._sums: list[Any] = []

    def _hook(self, state: Any, bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[name-defined, unused-ignore]
        if bucket.index() == 0:
            self._gradient.clear()  # What a failed backward pass has left.
        self._gradient.append(bucket.buffer())
        if bucket.is_last():
            self._sums = self._send()
        return self._buckets.add(bucket, self._received)

    def _received(self) -> Tensor:
        """Of the buckets in their order."""
        self._sums.pop(0).wait()
        return self._gradient.pop(0)

    def _send(self) -> list[Any]:
        """Begins the sum of every bucket."""
        factor = self._factor(self._gradient)
        for buffer in self._gradient:
            if factor == 0:
                buffer.zero_()  # A NaN that is left out is no number that a factor of 0 takes away.
            else:
                buffer.mul_(factor)
        return [dist.all_reduce(buffer, group=self._group, async_op=True) for buffer in self._gradient]

    def _factor(self, buffers: list[Tensor]) -> float:
        """What this rank's gradient is multiplied by; agreed on by all ranks through one minimum."""
        norm = math.sqrt(sum(float(torch.linalg.vector_norm(b, dtype=torch.float64)) ** 2 for b in buffers))
        finite, tiny = math.isfinite(norm), torch.finfo(torch.float32).tiny
        live = finite and norm >= tiny
        # A minimum loses a NaN: whether a norm is one travels beside it.
        agreed = torch.tensor(
            [norm if live else math.inf, 0.0 if finite else -1.0], dtype=torch.float64, device=buffers[0].device
        )
        dist.all_reduce(agreed, op=dist.ReduceOp.MIN, group=self._group)
        least, flag = agreed.tolist()
        bad = self._count_nonfinite(finite, buffers[0].device) if flag < 0 else 0
        bound = self.bound if self.bound is not None else (least if least < math.inf else math.nan)
        clip = 0.0 if not live else 1.0 if norm <= bound else bound / norm
        if bad and self.nonfinite == "skip_step":
            clip = math.nan
        ranks = self._ranks - (bad if self.nonfinite == "skip_group" else 0)
        self.report = ExchangeReport(norm, bound, clip, bad)
        if bad and self.nonfinite == "stop":
            raise NonfiniteError(f"the gradients of {bad} of {self._ranks} ranks are not finite")
        return clip / max(1, ranks) if self.reduce == "mean" else clip

    def _count_nonfinite(self, finite: bool, device: torch.device) -> int:
        count = torch.tensor([0 if finite else 1], device=device)
        dist.all_reduce(count, group=self._group)
        return int(count)


class QuantizedExchange(_Exchange):
    """Sends gradients quantised at random, without bias: a coordinate v becomes |block| sign(v) k/levels.

        exchange = glissade.torch.QuantizedExchange(levels=1, seed=0)
        exchange.attach(ddp)

    k is one of the two whole numbers around levels |v|/|block|, drawn so that the mean is v. The draws are those of
    (seed, exchange, rank, parameter, coordinate), however DistributedDataParallel buckets the parameters, so that a
    run resumed through `state_dict` goes on bit for bit. Sums of quantised numbers are no such numbers: every rank
    gathers what all have sent, packed in 2, 4 or 8 bits a coordinate and a norm for each block, so that a rank
    receives (ranks - 1) times its packed gradient. The gradient is the mean over ranks of what was sent.

    Args:
        levels: s of the formula, 1 to 127; 1: 2 bits; to 7: 4 bits; else 8 bits.
        block: coordinates that share a norm, of one parameter; 0: all of the parameter. The variance of a block of n
            is at most min(n/levels^2, sqrt(n)/levels) times its squared norm.
        seed: of the draws; the same on all ranks.
        process_group: None: the default one; the model's.

    A gradient that is not finite makes its block NaN on all ranks.

    Source: [D] 4.4, with levels and blocks.
    """

    def __init__(self, *, levels: int = 1, block: int = 512, seed: int = 0, process_group: Any = None) -> None:
        super().__init__(process_group)
        if not 1 <= levels <= 127:
            raise BadInputError(f"levels {levels}: expected 1 to 127")
        if block < 0 or not 0 <= seed < 1 << 63:
            raise BadInputError(f"block {block}, seed {seed}: expected block >= 0 and a seed in [0, 2^63)")
        self.levels, self.block, self.seed = levels, block, seed
        self.exchanges = 0
        self._numbers: dict[int, int] = {}

    def attach(self, model: DistributedDataParallel) -> None:
        """Makes it the way in which this model's gradients are exchanged."""
        self._number(model.module)
        super().attach(model)

    def _number(self, module: nn.Module) -> None:
        self._numbers = {id(p): i for i, p in enumerate(module.parameters())}

    def state_dict(self) -> dict[str, int]:
        """What a resumed run must be given, of any rank: all have the same."""
        return {"levels": self.levels, "block": self.block, "seed": self.seed, "exchanges": self.exchanges}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on behind what `state_dict` gave. BadInputError for another one."""
        own = self.state_dict()
        if state.keys() != own.keys():
            raise BadInputError(f"state: found {sorted(state)}, expected {sorted(own)}")
        if any(state[key] != own[key] for key in ("levels", "block")):
            raise BadInputError(
                f"state: levels {state['levels']}, block {state['block']}: expected those of this exchange"
            )
        self.seed, self.exchanges = state["seed"], state["exchanges"]

    def _hook(self, state: Any, bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[name-defined, unused-ignore]
        buffer: Tensor = bucket.buffer()
        rank = dist.get_rank(self._group)
        sizes = [p.numel() for p in bucket.parameters()]
        keys = [(self.seed, self.exchanges, rank, self._numbers[id(p)]) for p in bucket.parameters()]
        if bucket.is_last():
            self.exchanges += 1
        form = _packing.Form(self.levels, self.block, tuple(sizes))
        own = form.encode(buffer, [_packing.generator(key, buffer.device) for key in keys])
        all_of = [torch.empty_like(own) for _ in range(self._ranks)]
        sent = dist.all_gather(all_of, own, group=self._group, async_op=True)

        def decoded() -> Tensor:
            sent.wait()
            buffer.zero_()
            for message in all_of:
                form.add(message, buffer, 1 / len(all_of))
            return buffer

        return self._buckets.add(bucket, decoded)
