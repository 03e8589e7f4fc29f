"""Buckets of a backward pass of DistributedDataParallel: what a communication hook gives for each, once all have come."""

from collections.abc import Callable

import torch.distributed as dist
from torch import Tensor
from torch.futures import Future


class Buckets:
    """The buckets of one backward pass and the futures that wait for their exchange.

    The thread of the backward pass waits for all of them when the last one has come, as DistributedDataParallel itself
    does after that. A callback of a future would run in a thread of the process group instead, and a thread that still
    holds it while the interpreter ends aborts the process.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Tensor], Future[Tensor]]] = []

    def add(
        self,
        bucket: dist.GradBucket,  # type: ignore[name-defined, unused-ignore]
        take: Callable[[], Tensor],
    ) -> Future[Tensor]:
        """The future of what `take` gives: it waits for what was begun for this bucket."""
        if bucket.index() == 0:
            self._waiting.clear()  # What a failed backward pass has left.
        device = bucket.buffer().device
        future: Future[Tensor] = Future(devices=None if device.type == "cpu" else [device])
        self._waiting.append((take, future))
        if bucket.is_last():
            waiting, self._waiting = self._waiting, []
            for take, future in waiting:
                future.set_result(take())
        return future
